package policy

import "fmt"

// Limits on a zone's breaks: some ten a school year.
const (
	MaxBreaks    = 60
	MaxBreakDays = 100
)

// checkBreaks looks at what the controller writes, since a terminal has no
// better source.
func (s School) checkBreaks(c *checker) {
	if len(s.Breaks) > MaxBreaks {
		c.add("hours.school.breaks", "Trop de vacances scolaires : %d au plus.", MaxBreaks)
		return
	}
	end := civil(-1 << 30)
	for i, b := range s.Breaks {
		field := fmt.Sprintf("hours.school.breaks.%d", i)
		from, ok := parseDay(b.From)
		to, ok2 := parseDay(b.To)
		switch {
		case !ok || !ok2:
			c.add(field, "Les dates « %.20s » et « %.20s » n’existent pas (année-mois-jour).", b.From, b.To)
			return
		case to < from || to-from >= MaxBreakDays:
			c.add(field, "Les vacances « %.80s » doivent durer de 1 à %d jours.", b.Name, MaxBreakDays)
		case from <= end:
			c.add(field, "Les vacances « %.80s » chevauchent celles d’avant.", b.Name)
		case b.Name == "" || len(b.Name) > 200:
			c.add(field, "Donnez un nom court à ces vacances.")
		}
		end = max(end, to)
	}
}

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Team is the building's staff at the terminal itself: who may open its menu, and
// what each may do there without e-mail or console. What is not named is refused.
type Team struct {
	Badges []TeamBadge `json:"badges"`
	// PINMay is what whoever knows the PIN may do; see Policy.PIN.
	PINMay []Act `json:"pinMay"`
	// DirectoryMay is what a badge of staff may do whom the Département's directory
	// names, as long as the controller can be asked. Nothing here, and such a badge
	// only releases what waits to be printed.
	DirectoryMay []Act `json:"directoryMay"`
	// Contact is whom staff call: the correspondant of the place.
	Contact Contact `json:"contact"`
}

// TeamBadge is one badge that opens the menu.
type TeamBadge struct {
	Name  string `json:"name"`  // a function, no person: « Accueil »
	Badge string `json:"badge"` // as Staff.Badge
	May   []Act  `json:"may"`
}

// Contact is whom staff call, as the terminal shows it to them.
type Contact struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// Act is something that the menu offers: wire.StaffDo's rights.
type Act string

// Acts.
const (
	ActClose   Act = "close"
	ActStay    Act = "stay"
	ActTime    Act = "time"
	ActPrint   Act = "print"
	ActRestart Act = "restart"
	ActCall    Act = "call"
)

// Acts lists all of them.
func Acts() []Act { return []Act{ActClose, ActStay, ActTime, ActPrint, ActRestart, ActCall} }

// DefaultTeam has no badge and no PIN: nobody opens the menu. Once there is a PIN it
// may do what harms nobody; longer hours and a restart have to be given.
func DefaultTeam() Team { return Team{PINMay: []Act{ActClose, ActTime, ActPrint, ActCall}} }

// maxContact bounds a name, maxPhone a number, in characters.
const (
	maxContact = 60
	maxPhone   = 30
)

func (t Team) check(c *checker) {
	all := make([]Staff, len(t.Badges))
	for i, b := range t.Badges {
		all[i] = Staff{b.Name, b.Badge}
		checkActs(c, fmt.Sprintf("team.badges.%d.may", i), b.May)
	}
	checkBadges(c, "team.badges", all)
	checkActs(c, "team.pinMay", t.PINMay)
	checkActs(c, "team.directoryMay", t.DirectoryMay)
	if n := utf8.RuneCountInString(t.Contact.Name); n > maxContact {
		c.add("team.contact.name", "Le nom est trop long : %d caractères au plus.", maxContact)
	}
	switch p := t.Contact.Phone; {
	case utf8.RuneCountInString(p) > maxPhone || strings.ContainsFunc(p, func(r rune) bool { return !strings.ContainsRune("0123456789 +.()-\u00a0\u202f", r) }):
		c.add("team.contact.phone", "« %s » n’est pas un numéro de téléphone : des chiffres, des espaces, un « + » au début.", clip(p))
	case p == "" && t.Contact.Name != "":
		c.add("team.contact.phone", "Donnez aussi le numéro : sans lui, on ne peut pas l’appeler.")
	}
}

func checkActs(c *checker, field string, all []Act) {
	for i, a := range all {
		if !slices.Contains(Acts(), a) || slices.Contains(all[:i], a) {
			c.add(field, "« %s » est inconnu, ou donné deux fois.", clip(string(a)))
			return
		}
	}
}

// Holder is the badge of a digest.
func (t Team) Holder(digest string) (TeamBadge, bool) {
	i := slices.IndexFunc(t.Badges, func(b TeamBadge) bool { return b.Badge == digest })
	if i < 0 {
		return TeamBadge{}, false
	}
	return t.Badges[i], true
}

// Within is this team without what now does not give: whoever goes back to older rules
// gives no badge its right again that staff took from it.
func (t Team) Within(now Team) Team {
	badges := []TeamBadge{}
	for _, b := range t.Badges {
		if has, ok := now.Holder(b.Badge); ok {
			b.May = both(b.May, has.May)
			badges = append(badges, b)
		}
	}
	t.Badges, t.PINMay, t.DirectoryMay = badges, both(t.PINMay, now.PINMay), both(t.DirectoryMay, now.DirectoryMay)
	return t
}

func both(a, b []Act) []Act {
	all := []Act{}
	for _, x := range a {
		if slices.Contains(b, x) {
			all = append(all, x)
		}
	}
	return all
}

func checkBadges(c *checker, at string, all []Staff) {
	if len(all) > maxStaff {
		c.add(at, "Deux cents badges de l’équipe au plus.")
		return
	}
	for i, s := range all {
		field := fmt.Sprintf("%s.%d", at, i)
		if strings.TrimSpace(s.Name) == "" || len(s.Name) > 60 {
			c.add(field+".name", "Donnez un nom de fonction à ce badge, « Accueil » par exemple (60 caractères au plus).")
		}
		switch {
		case len(s.Badge) != 64 || strings.ContainsFunc(s.Badge, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }):
			c.add(field+".badge", "« %s » n’est pas l’empreinte d’un badge : 64 chiffres et lettres de a à f, que le poste donne.", clip(s.Badge))
		case slices.ContainsFunc(all[:i], func(o Staff) bool { return o.Badge == s.Badge }):
			c.add(field+".badge", "Ce badge est inscrit deux fois.")
		}
	}
}

// MaxStay is how long past its planned closing staff may keep a place open at the
// terminal, all in all.
const MaxStay = 3 * time.Hour

// Guard is until when a place that is open past its hours may stay so, from an
// instant on: in a guarded place as long as the building's own staff is there, or
// an agreement holds. It looks no further than staff may keep it open. An opening
// outside is the agreement's matter, and none of the terminal's.
func (h Hours) Guard(from time.Time, loc *time.Location) time.Time {
	last := from.Add(MaxStay)
	if !h.Guarded {
		return last
	}
	r, first := h.rules(), civilAt(from.In(loc))
	var free []Stretch
	for day := first - 1; day <= first+1; day++ {
		for _, d := range r.duty(day) {
			if d.readable() {
				free = append(free, Stretch{From: wall(day, d.From, loc), To: wall(day, d.To, loc)})
			}
		}
		if r.agreed(day) {
			free = append(free, Stretch{From: wall(day, 0, loc), To: wall(day+1, 0, loc)})
		}
	}
	slices.SortFunc(free, func(a, b Stretch) int { return a.From.Compare(b.From) })
	at := from
	for _, x := range free {
		if !x.From.After(at) && x.To.After(at) {
			at = x.To
		}
	}
	if at.After(last) {
		return last
	}
	return at
}

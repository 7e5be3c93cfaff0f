package policy

import (
	"fmt"
	"time"
)

// Warning is something that may not be meant, though a terminal can obey it.
type Warning struct {
	Sentence string `json:"sentence"`      // in French, for staff
	Day      string `json:"day,omitempty"` // 2006-01-02, the first that it is about
}

// Warnings looks at what the hours give from a day on. Of warnings of one kind
// only the first few days are named.
func (h Hours) Warnings(from time.Time, ahead int, loc *time.Location) []Warning {
	if h.Always {
		return nil
	}
	w := warner{r: h.rules(), first: civilAt(from.In(loc)), named: map[string]int{}}
	w.last = w.first + civil(ahead)
	if s := h.Schedule(from, from.AddDate(0, 0, ahead), loc); len(s.Runs()) == 0 || !s.Runs()[len(s.Runs())-1].To.After(from) {
		w.add("", 0, "Ce lieu n’ouvre jamais dans les %d jours à venir.", ahead)
	}
	for i, s := range h.Seasons {
		if d := w.r.seasons[i]; s.Weekly.empty() && d.to >= w.first && d.from <= w.last {
			w.add("", d.from, "Pendant « %s », ce lieu n’ouvre jamais.", s.Name)
		}
	}
	for day := w.first; day < w.last; day++ {
		w.day(day)
	}
	w.calendar()
	w.agreements()
	if day, p, ok := h.keyless(from, w.last-w.first, loc); ok && day >= w.first+keysAhead {
		w.add("", day, "À partir du %s, personne n’est nommé pour tenir la clé quand le lieu ouvre en dehors des heures du personnel (de %s à %s).", Day(day.time()), Clock(p.From), Clock(p.To))
	}
	return w.all
}

type warner struct {
	r           *rules
	first, last civil
	named       map[string]int
	all         []Warning
}

// add adds a warning; of one kind three at most.
func (w *warner) add(kind string, day civil, format string, args ...any) {
	if kind != "" {
		if w.named[kind]++; w.named[kind] > 3 {
			return
		}
	}
	x := Warning{Sentence: fmt.Sprintf(format, args...)}
	if day != 0 {
		x.Day = day.String()
	}
	w.all = append(w.all, x)
}

func (w *warner) day(day civil) {
	r := w.r
	h := r.h
	parts, cause, why := r.parts(day)
	for _, p := range parts {
		if p.refused && day < w.first+keysAhead { // nobody knows yet who will agree in a year
			w.add("refused", day, "Le %s, de %s à %s : personne n’a donné son accord pour cette ouverture en dehors des heures du personnel. Ce lieu restera fermé à ces heures.",
				Day(day.time()), Clock(p.From), Clock(p.To))
		}
	}
	closed := cause == CauseException && len(parts) == 0
	named := because(cause, why)
	if name := r.free(day); name != "" && h.School.Mode == ModeWeekly && len(h.School.Weekly[day.weekday()]) > 0 && (cause == CausePublic || closed) {
		w.add("permanence", day, "Le %s%s : fermé pendant la permanence du %s (%s).", Day(day.time()), named, weekdays()[day.weekday()], spansIn(h.School.Weekly[day.weekday()]))
	}
	for i, d := range r.monthly {
		m := h.Monthly[i]
		if !d.has(day) || !m.on(day) {
			continue
		}
		if cause == CausePublic || cause == CauseSchool || closed {
			w.add("monthly", day, "Le %s%s : l’ouverture du %s %s du mois n’a pas lieu.", Day(day.time()), named, ordinal(m.Nth), weekdays()[m.Day])
		}
	}
}

func because(c Cause, why string) string {
	if why == "" || c == CauseWeekly || c == CauseSeason {
		return ""
	}
	return " (" + why + ")"
}

// calendar warns when what is known of school holidays ends before the days
// that are looked at.
func (w *warner) calendar() {
	h := w.r.h
	if h.School.Zone == NoZone || h.School.Mode == ModeUsual && h.Duty.empty() {
		return
	}
	last := civil(0)
	for _, d := range w.r.breaks {
		last = max(last, d.to)
	}
	switch {
	case last < w.first:
		w.add("", 0, "Les vacances scolaires de la zone %s ne sont pas connues : elles ne changent rien aux horaires. Demandez à l’administrateur d’importer le calendrier.", h.School.Zone)
	case last < min(w.last, w.first+90):
		w.add("", last, "Les vacances scolaires ne sont connues que jusqu’au %s.", Day(last.time()))
	}
}

// agreements warns of those that end soon.
func (w *warner) agreements() {
	for i, d := range w.r.agreements {
		switch a := w.r.h.Agreements[i]; {
		case a.Head != "" && a.Answer == AnswerAsked && d.to >= w.first && d.from <= w.last:
			w.add("", d.from, "L’ouverture du %s au %s attend l’accord du chef d’établissement : elle n’a pas lieu d’ici là.", Day(d.from.time()), Day(d.to.time()))
		case a.Head != "" && a.Answer == AnswerRefused && d.to >= w.first && d.from <= w.last:
			w.add("", d.from, "Le chef d’établissement refuse l’ouverture du %s au %s : elle n’a pas lieu.", Day(d.from.time()), Day(d.to.time()))
		case a.Head != "" && a.Answer == AnswerSuspended && d.to >= w.first && d.from <= w.last:
			w.add("", d.from, "Le chef d’établissement a suspendu l’ouverture du %s au %s : elle n’a pas lieu pour l’instant.", Day(d.from.time()), Day(d.to.time()))
		case a.Suspended && d.to >= w.first && d.from <= w.last:
			w.add("", d.from, "L’accord du %s au %s est suspendu : les ouvertures en dehors des heures du personnel n’ont pas lieu.", Day(d.from.time()), Day(d.to.time()))
		case d.to >= w.first && d.to < w.first+30 && !w.r.agreed(d.to+1):
			w.add("", d.to, "L’accord se termine le %s : ensuite, les ouvertures en dehors des heures du personnel s’arrêtent d’elles-mêmes.", Day(d.to.time()))
		}
	}
}

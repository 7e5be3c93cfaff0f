package policy

import (
	"fmt"
	"reflect"
	"slices"
)

// Describe tells in French what changed from one state of the hours to the next,
// a sentence for each change; none when nothing did.
func Describe(was, is Hours) []string {
	d := describer{}
	if was.Always != is.Always {
		d.add(is.Always, "Ouvert jour et nuit.", "N’est plus ouvert jour et nuit.")
	}
	d.week("", was.Weekly, is.Weekly)
	d.week("Heures du personnel, ", was.Duty, is.Duty)
	d.week("Pendant les vacances, ", was.School.Weekly, is.School.Weekly)
	if was.School.Zone != is.School.Zone {
		d.say("Zone de vacances : %s.", zoneIn(is.School.Zone))
	}
	if was.School.Mode != is.School.Mode {
		d.say("Pendant les vacances scolaires : %s.", modeIn(is.School.Mode))
	}
	if was.Public.Mode != is.Public.Mode {
		d.say("Les jours fériés : %s.", modeIn(is.Public.Mode))
	}
	for _, p := range PublicDays(2000) {
		if a, b := slices.Contains(was.Public.Worked, p.Key), slices.Contains(is.Public.Worked, p.Key); a != b {
			d.add(b, "Ouvert comme d’habitude : "+p.Name+".", "N’ouvre plus : "+p.Name+".")
		}
	}
	changes(&d, was.Exceptions, is.Exceptions, exceptionIn)
	changes(&d, was.Seasons, is.Seasons, seasonIn)
	changes(&d, was.Monthly, is.Monthly, monthlyIn)
	changes(&d, was.Agreements, is.Agreements, agreementIn)
	if was.Guarded != is.Guarded {
		d.add(is.Guarded, "Un accord est demandé pour ouvrir en dehors des heures du personnel.", "Un accord n’est plus demandé pour ouvrir en dehors des heures du personnel.")
	}
	switch {
	case was.Meanwhile == is.Meanwhile:
	case is.Meanwhile == "":
		d.say("Le texte de l’écran de fermeture est retiré.")
	default:
		d.say("Texte de l’écran de fermeture : « %s ».", is.Meanwhile)
	}
	return d.all
}

type describer struct{ all []string }

func (d *describer) say(format string, args ...any) {
	d.all = append(d.all, fmt.Sprintf(format, args...))
}

func (d *describer) add(now bool, yes, no string) {
	if !now {
		yes = no
	}
	d.all = append(d.all, yes)
}

// week tells the days that differ, Monday first.
func (d *describer) week(prefix string, was, is Week) {
	for i := range 7 {
		day := (i + 1) % 7
		if a, b := spansIn(was[day]), spansIn(is[day]); a != b {
			d.say("%s%s : %s (avant : %s).", prefix, weekdays()[day], b, a)
		}
	}
}

// changes tells what came, what went, and what has the same name and is another.
func changes[T any](d *describer, was, is []T, name func(T) string) {
	missing := func(all, of []T) (names []string) {
		for _, x := range all {
			if !slices.ContainsFunc(of, func(y T) bool { return reflect.DeepEqual(x, y) }) {
				names = append(names, name(x))
			}
		}
		return names
	}
	came, went := missing(is, was), missing(was, is)
	for _, n := range came {
		if i := slices.Index(went, n); i >= 0 {
			went = slices.Delete(went, i, i+1)
			d.say("Changé : %s.", n)
			continue
		}
		d.say("Ajouté : %s.", n)
	}
	for _, n := range went {
		d.say("Retiré : %s.", n)
	}
}

func exceptionIn(e Exception) string {
	d := parseDays(e.Day, e.To)
	s := Day(d.from.time())
	if e.To != "" && d.to != d.from {
		s += " au " + Day(d.to.time())
	}
	if e.Add {
		return s + ", ouvert en plus " + spansIn(e.Spans)
	}
	return s + ", " + spansIn(e.Spans)
}

func seasonIn(s Season) string {
	d := parseDays(s.From, s.To)
	return fmt.Sprintf("« %s », du %s au %s", s.Name, Day(d.from.time()), Day(d.to.time()))
}

func monthlyIn(m Monthly) string {
	return fmt.Sprintf("le %s %s de chaque mois, %s", ordinal(m.Nth), weekdays()[((m.Day%7)+7)%7], spansIn(m.Spans))
}

func agreementIn(a Agreement) string {
	d := parseDays(a.From, a.To)
	s := fmt.Sprintf("accord du %s au %s", Day(d.from.time()), Day(d.to.time()))
	if a.Suspended {
		s += ", suspendu"
	}
	switch a.Answer {
	case AnswerAsked:
		s += ", demandé au chef d’établissement"
	case AnswerAccepted:
		s += ", accepté par le chef d’établissement"
	case AnswerRefused:
		s += ", refusé par le chef d’établissement"
	case AnswerSuspended:
		s += ", suspendu par le chef d’établissement"
	}
	return s
}

func zoneIn(z Zone) string {
	if z == NoZone {
		return "aucune"
	}
	return string(z)
}

func modeIn(m Mode) string {
	switch m {
	case ModeClosed:
		return "fermé"
	case ModeWeekly:
		return "d’autres horaires"
	}
	return "comme d’habitude"
}

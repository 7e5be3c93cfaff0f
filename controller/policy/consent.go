package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// waits tells whether an opening from now on waits for the head's answer.
func (h Hours) waits(now time.Time) bool {
	return slices.ContainsFunc(h.Agreements, func(a Agreement) bool {
		to, ok := parseDay(a.To)
		return ok && to >= civilAt(now) && a.Head != "" && a.Answer == AnswerAsked && !a.Suspended
	})
}

// allowed are an agreement's days without those that the head forbids: terminals
// know of no answers.
func (h Hours) allowed(a Agreement) []days {
	left := []days{parseDays(a.From, a.To)}
	for _, no := range h.Agreements {
		if !no.forbids() {
			continue
		}
		out := parseDays(no.From, no.To)
		var next []days
		for _, d := range left {
			if out.from > d.to || out.to < d.from || out.from > out.to {
				next = append(next, d)
				continue
			}
			if d.from < out.from {
				next = append(next, days{d.from, out.from - 1})
			}
			if d.to > out.to {
				next = append(next, days{out.to + 1, d.to})
			}
		}
		left = next
	}
	return slices.DeleteFunc(left, func(d days) bool { return d.from > d.to })
}

// fewDays is how many days of new openings the head is asked about one by one.
// More of them are another agreement: all of it is asked anew.
const fewDays = 3

// Consents carries the head's answers from the hours that hold to those that
// somebody wants: nobody else answers for them. An answer stays with its agreement
// while that asks for nothing more than what was answered: no other day, no other
// address. For a few days on which it opens longer than what was accepted, an
// agreement of its own is added, so that the others stay open meanwhile. What asks
// for more gets a new id from newID and waits. asked are the places of those that
// the head has to be asked about.
func Consents(was, is Hours, now time.Time, newID func() string) (h Hours, asked []int) {
	h = is
	h.Agreements = slices.Clone(is.Agreements)
	today := civilAt(now)
	var more []Agreement
	for i := range h.Agreements {
		a := &h.Agreements[i]
		if to, ok := parseDay(a.To); ok && to < today { // it opens nothing any more
			continue
		}
		a.Head = strings.TrimSpace(a.Head)
		if a.Head == "" {
			a.ID, a.Answer, a.Answered = "", AnswerNone, ""
			continue
		}
		at := slices.IndexFunc(was.Agreements, func(o Agreement) bool { return a.ID != "" && o.ID == a.ID })
		twice := slices.ContainsFunc(h.Agreements[:i], func(o Agreement) bool { return o.ID == a.ID })
		if at >= 0 && !twice && within(*a, was.Agreements[at]) {
			o := was.Agreements[at]
			longer := beyond(was, h, *a, o.Answer == AnswerAccepted, today)
			if len(longer) == 0 || o.Answer == AnswerAccepted && len(longer) <= fewDays {
				a.Answer, a.Answered = o.Answer, o.Answered
				for _, day := range longer {
					more = append(more, Agreement{From: day.String(), To: day.String(), Key: a.Key, Contact: a.Contact, Head: a.Head})
				}
				continue
			}
		}
		a.ID, a.Answer, a.Answered = newID(), AnswerAsked, ""
		asked = append(asked, i)
	}
	for _, m := range more {
		if slices.ContainsFunc(h.Agreements, func(o Agreement) bool { return o.Answer == AnswerAsked && o.From <= m.From && o.To >= m.To }) {
			continue // it is asked about already
		}
		m.ID, m.Answer = newID(), AnswerAsked
		h.Agreements = append(h.Agreements, m)
		asked = append(asked, len(h.Agreements)-1)
	}
	return h, asked
}

// within tells whether a asks for no more days than o, and the same person.
func within(a, o Agreement) bool {
	return o.Answer != AnswerNone && strings.EqualFold(a.Head, o.Head) && a.From >= o.From && a.To <= o.To
}

// beyond are the days of the agreement to come on which the hours open outside Duty
// at a time that was not there before; accepted: at which it did not open.
func beyond(was, is Hours, a Agreement, accepted bool, today civil) (longer []civil) {
	d := parseDays(a.From, a.To)
	from, to := max(d.from, today), min(d.to, d.from+maxLength)
	if from > to {
		return nil
	}
	was.Agreements = slices.Clone(was.Agreements)
	for i := range was.Agreements {
		was.Agreements[i].Suspended = false // staff takes back what staff did
	}
	n := int(to-from) + 1
	before, after := was.Days(from.String(), n), is.Days(from.String(), n)
	for i := range after {
		had := slices.DeleteFunc(slices.Clone(before[i].Spans), func(x PlannedSpan) bool { return !x.Outside || accepted && x.Refused })
		if slices.ContainsFunc(after[i].Spans, func(x PlannedSpan) bool { return x.Outside && !covered(x, had) }) {
			longer = append(longer, from+civil(i))
		}
	}
	return longer
}

// covered tells whether spans hold all of x.
func covered(x PlannedSpan, by []PlannedSpan) bool {
	at := x.From
	for again := true; again && at < x.To; {
		again = false
		for _, o := range by {
			if o.From <= at && o.To > at {
				at, again = o.To, true
			}
		}
	}
	return at >= x.To
}

// Unasked tells whether the hours let a guarded place open, by an agreement that
// the head is not asked about, on days on which none such did before.
func Unasked(was, is Hours) bool {
	return is.Guarded && slices.ContainsFunc(is.Agreements, func(a Agreement) bool {
		return a.Head == "" && !a.Suspended && !slices.ContainsFunc(was.Agreements, func(o Agreement) bool {
			return o.Head == "" && !o.Suspended && a.From >= o.From && a.To <= o.To
		})
	})
}

// OpeningGroup is what an agreement lets happen on days of one kind.
type OpeningGroup struct {
	Sentence string   `json:"sentence"` // « le mardi, de 17 h à 19 h : 12 fois, … »
	Days     []string `json:"days"`     // 2006-01-02
}

// Openings are the openings outside Duty on an agreement's days, from a day on, in
// sentences: what the head is asked about, all of it.
func (h Hours) Openings(a Agreement, from string) []OpeningGroup {
	d := parseDays(a.From, a.To)
	first := d.from
	if c, ok := parseDay(from); ok {
		first = max(first, c)
	}
	to := min(d.to, d.from+maxLength)
	all := []OpeningGroup{}
	if first > to {
		return all
	}
	at := map[string]int{}
	for _, day := range h.Days(first.String(), int(to-first)+1) {
		var spans []Span
		for _, x := range day.Spans {
			if x.Outside {
				spans = append(spans, Span{x.From, x.To})
			}
		}
		if len(spans) == 0 {
			continue
		}
		c, _ := parseDay(day.Day)
		key := fmt.Sprint(c.weekday(), spans)
		i, ok := at[key]
		if !ok {
			i = len(all)
			at[key] = i
			all = append(all, OpeningGroup{Sentence: spansIn(spans)})
		}
		all[i].Days = append(all[i].Days, day.Day)
	}
	for i := range all {
		all[i].Sentence = groupIn(all[i])
	}
	return all
}

func groupIn(g OpeningGroup) string {
	first, _ := parseDay(g.Days[0])
	last, _ := parseDay(g.Days[len(g.Days)-1])
	if len(g.Days) == 1 {
		return fmt.Sprintf("le %s, %s", Day(first.time()), g.Sentence)
	}
	return fmt.Sprintf("le %s, %s : %d fois, du %s au %s", weekdays()[first.weekday()], g.Sentence, len(g.Days), Day(first.time()), Day(last.time()))
}

package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
)

// evening is a collège that opens on Tuesdays from 17 h to 19 h, if its head agrees.
func evening(answer policy.Answer) policy.Hours {
	h := policy.Hours{Guarded: true, Public: policy.Public{Mode: policy.ModeClosed}}
	for d := 1; d <= 5; d++ {
		h.Duty[d] = []policy.Span{{From: 480, To: 1020}}
		h.Weekly[d] = []policy.Span{{From: 480, To: 1020}}
	}
	h.Weekly[2] = []policy.Span{{From: 480, To: 1140}}
	h.Agreements = []policy.Agreement{{From: "2026-12-01", To: "2026-12-31", Key: "M. Petit", Head: "principal@college.example", ID: "acc-1", Answer: answer}}
	return h
}

func TestAnOpeningWaitsForTheHead(t *testing.T) {
	tuesday := time.Date(2026, 12, 8, 18, 0, 0, 0, policy.Location())
	for answer, open := range map[policy.Answer]bool{policy.AnswerAsked: false, policy.AnswerAccepted: true, policy.AnswerRefused: false, policy.AnswerSuspended: false, policy.AnswerNone: false} {
		h := evening(answer)
		if o := h.At(tuesday, policy.Location()); o.Open != open || !open && o.Cause != policy.CauseNoAgreement {
			t.Errorf("with %q: %+v", answer, o)
		}
		// A terminal, also one of before, knows only that it may open or not.
		p := policy.Default()
		p.Hours = h
		sent := p.ForTerminal().Hours.Agreements[0]
		if sent.Head != "" || sent.ID != "" || sent.Answer != "" || sent.Key != "" || sent.Suspended == open {
			t.Errorf("with %q a terminal is told %+v", answer, sent)
		}
		if o := p.ForTerminal().Hours.At(tuesday, policy.Location()); o.Open != open {
			t.Errorf("with %q a terminal is open: %v", answer, o.Open)
		}
	}
	h := evening(policy.AnswerAccepted)
	h.Agreements[0].Suspended = true
	if h.At(tuesday, policy.Location()).Open {
		t.Error("what staff suspended is open")
	}
}

func TestNobodyElseAnswersForTheHead(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, policy.Location())
	was := evening(policy.AnswerRefused)
	for what, c := range map[string]struct {
		change func(h *policy.Hours)
		keeps  bool
	}{
		"the same":          {func(h *policy.Hours) {}, true},
		"a forged answer":   {func(h *policy.Hours) { h.Agreements[0].Answer = policy.AnswerAccepted }, true},
		"another key":       {func(h *policy.Hours) { h.Agreements[0].Key = "Mme Roux" }, true},
		"fewer days":        {func(h *policy.Hours) { h.Agreements[0].To = "2026-12-15" }, true},
		"a shorter evening": {func(h *policy.Hours) { h.Weekly[2] = []policy.Span{{From: 480, To: 1100}} }, true},
		"a day closed":      {func(h *policy.Hours) { h.Exceptions = []policy.Exception{{Day: "2026-12-08", Why: "Conseil"}} }, true},
		"more days":         {func(h *policy.Hours) { h.Agreements[0].To = "2027-01-15" }, false},
		"another head":      {func(h *policy.Hours) { h.Agreements[0].Head = "moi@example.org" }, false},
		"a longer evening":  {func(h *policy.Hours) { h.Weekly[2] = []policy.Span{{From: 480, To: 1200}} }, false},
		"a saturday":        {func(h *policy.Hours) { h.Weekly[6] = []policy.Span{{From: 540, To: 720}} }, false},
		"one evening more": {func(h *policy.Hours) {
			h.Exceptions = []policy.Exception{{Day: "2026-12-10", Add: true, Spans: []policy.Span{{From: 1080, To: 1200}}, Why: "Réunion"}}
		}, false},
		"staff that leaves before": {func(h *policy.Hours) { h.Duty[3] = []policy.Span{{From: 480, To: 720}} }, false},
		"without its name":         {func(h *policy.Hours) { h.Agreements[0].ID = "" }, false},
		"under another's name":     {func(h *policy.Hours) { h.Agreements[0].ID = "acc-2" }, false},
	} {
		is := evening(policy.AnswerRefused)
		c.change(&is)
		got, asked := policy.Consents(was, is, now, func() string { return "new" })
		a := got.Agreements[0]
		if len(got.Agreements) > len(is.Agreements) {
			t.Errorf("%s: what was refused gets a question of its own: %+v", what, got.Agreements)
		}
		if c.keeps && (a.Answer != policy.AnswerRefused || a.ID != "acc-1" || len(asked) != 0) || !c.keeps && (a.Answer != policy.AnswerAsked || a.ID != "new" || !slices.Equal(asked, []int{0})) {
			t.Errorf("%s: %+v, asked %v", what, a, asked)
		}
	}
	// One answer is not two agreements'.
	is := evening(policy.AnswerAccepted)
	is.Agreements = append(is.Agreements, is.Agreements[0])
	if got, asked := policy.Consents(evening(policy.AnswerAccepted), is, now, func() string { return "new" }); !slices.Equal(asked, []int{1}) || got.Agreements[1].Answer != policy.AnswerAsked {
		t.Errorf("the same twice: %+v, asked %v", got.Agreements, asked)
	}
	// An answer without a question is nothing.
	is = evening(policy.AnswerAccepted)
	is.Agreements[0].Head = ""
	if got, _ := policy.Consents(was, is, now, func() string { return "new" }); got.Agreements[0].Answer != policy.AnswerNone {
		t.Errorf("nobody asked, and %+v", got.Agreements[0])
	}
}

// An evening more under an agreement that holds is asked about by itself: the
// others stay open meanwhile.
func TestOneEveningMoreClosesNoOther(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, policy.Location())
	was := evening(policy.AnswerAccepted)
	more := evening(policy.AnswerAccepted)
	meeting := policy.Exception{Day: "2026-12-10", Add: true, Spans: []policy.Span{{From: 1080, To: 1200}}, Why: "Réunion"}
	more.Exceptions = []policy.Exception{meeting}
	is, asked := policy.Consents(was, more, now, func() string { return "new" })
	if len(is.Agreements) != 2 || !slices.Equal(asked, []int{1}) || is.Agreements[0].Answer != policy.AnswerAccepted || is.Agreements[1].From != "2026-12-10" || is.Agreements[1].To != "2026-12-10" || is.Agreements[1].Key != "M. Petit" {
		t.Fatalf("%+v, asked %v", is.Agreements, asked)
	}
	open := func(h policy.Hours, day, hour int) bool {
		p := policy.Default()
		p.Hours = h
		at := time.Date(2026, 12, day, hour, 30, 0, 0, policy.Location())
		there := p.ForTerminal().Hours.At(at, policy.Location()).Open
		if here := h.At(at, policy.Location()).Open; here != there {
			t.Errorf("on the %d at %d h the terminal is open: %v, the console says %v", day, hour, there, here)
		}
		return there
	}
	for day := 8; day <= 15; day++ {
		if got, want := open(is, day, 18), day == 8 || day == 15; got != want {
			t.Errorf("on the %d in the evening it is open: %v", day, got)
		}
	}
	// Saving again asks nothing again; taking the question away does not open.
	if again, asked := policy.Consents(is, is, now, func() string { return "newer" }); len(asked) != 0 || len(again.Agreements) != 2 {
		t.Errorf("saved again: %+v, asked %v", again.Agreements, asked)
	}
	for _, answer := range []policy.Answer{policy.AnswerAsked, policy.AnswerRefused} {
		is.Agreements[1].Answer = answer
		without := is
		without.Agreements = is.Agreements[:1]
		got, asked := policy.Consents(is, without, now, func() string { return "newer" })
		if len(asked) != 1 || open(got, 10, 18) {
			t.Errorf("%s, and taken away: %+v, asked %v", answer, got.Agreements, asked)
		}
	}
	// A paper does not overrule the head.
	paper := is
	paper.Agreements = append(slices.Clone(is.Agreements), policy.Agreement{From: "2026-12-10", To: "2026-12-10", By: "Mme Durand", Key: "M. Petit"})
	if open(paper, 10, 18) {
		t.Error("an agreement on paper opens what the head refuses")
	}
	is.Agreements[1].Answer = policy.AnswerAccepted
	if !open(is, 10, 18) {
		t.Error("the evening that was accepted is closed")
	}
	// Staff that suspends and goes on asks nobody.
	off := is
	off.Agreements = slices.Clone(is.Agreements)
	off.Agreements[0].Suspended = true
	if got, asked := policy.Consents(is, off, now, func() string { return "newer" }); len(asked) != 0 || open(got, 8, 18) {
		t.Errorf("suspended by staff: asked %v", asked)
	}
	if got, asked := policy.Consents(off, is, now, func() string { return "newer" }); len(asked) != 0 || !open(got, 8, 18) {
		t.Errorf("resumed by staff: asked %v", asked)
	}
	// Many days are another agreement.
	many := evening(policy.AnswerAccepted)
	many.Weekly[4] = []policy.Span{{From: 480, To: 1140}}
	if got, asked := policy.Consents(was, many, now, func() string { return "new" }); !slices.Equal(asked, []int{0}) || len(got.Agreements) != 1 || open(got, 8, 18) {
		t.Errorf("every Thursday too: %+v, asked %v", got.Agreements, asked)
	}
}

func TestWhatTheHeadReadsIsAllOfIt(t *testing.T) {
	h := evening(policy.AnswerAsked)
	h.Exceptions = []policy.Exception{{Day: "2026-12-12", Add: true, Spans: []policy.Span{{From: 540, To: 720}}, Why: "Portes ouvertes"}}
	var days int
	var said []string
	for _, g := range h.Openings(h.Agreements[0], "2026-11-26") {
		days += len(g.Days)
		said = append(said, strings.ReplaceAll(g.Sentence, "\u00a0", " "))
	}
	want := []string{"le mardi, 17 h – 19 h : 5 fois, du mardi 1er décembre 2026 au mardi 29 décembre 2026", "le samedi 12 décembre 2026, 9 h – 12 h"}
	if days != 6 || !slices.Equal(said, want) {
		t.Errorf("%d days: %q", days, said)
	}
	if g := h.Openings(h.Agreements[0], "2026-12-20"); len(g) != 1 || len(g[0].Days) != 2 {
		t.Errorf("from the 20th on: %+v", g)
	}
}

func TestHoursThatWaitCanBeSaved(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, policy.Location())
	p := policy.Default()
	p.Hours = evening(policy.AnswerAsked)
	for d := range p.Hours.Weekly { // it opens in the evening only
		p.Hours.Weekly[d] = nil
	}
	p.Hours.Weekly[2] = []policy.Span{{From: 1020, To: 1140}}
	if found := p.CheckAt(now, policy.Location()); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	p.Hours.Agreements[0].Answer = policy.AnswerRefused
	if found := p.CheckAt(now, policy.Location()); len(found) == 0 {
		t.Error("a place that never opens is sound")
	}
	p.Hours.Guarded, p.Hours.Agreements[0].Answer = false, policy.AnswerAsked
	if found := p.CheckAt(now, policy.Location()); !slices.ContainsFunc(found, func(f policy.Problem) bool { return f.Field == "hours.agreements.0.head" }) {
		t.Errorf("the head is asked where nobody has to agree: %+v", found)
	}
}

func TestUnasked(t *testing.T) {
	paper := evening(policy.AnswerNone)
	paper.Agreements[0] = policy.Agreement{From: "2026-12-01", To: "2026-12-31", By: "Mme Durand", Key: "M. Petit"}
	if policy.Unasked(paper, paper) || policy.Unasked(paper, evening(policy.AnswerAsked)) {
		t.Error("nothing new is unasked")
	}
	if !policy.Unasked(evening(policy.AnswerAsked), paper) {
		t.Error("an agreement that nobody is asked about comes unseen")
	}
	longer := evening(policy.AnswerNone)
	longer.Agreements[0] = paper.Agreements[0]
	longer.Agreements[0].To = "2027-06-30"
	if !policy.Unasked(paper, longer) {
		t.Error("a longer agreement comes unseen")
	}
}

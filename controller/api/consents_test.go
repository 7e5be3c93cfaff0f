package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/consent"
	"borne/controller/policy"
	"borne/controller/store"
)

// asking is a world in which site a's hours wait for the head's answer.
type asking struct {
	*world
	staff string // cookie of the correspondant
	hours policy.Hours
}

func startAsking(t *testing.T) *asking {
	t.Helper()
	w := &asking{world: start(t)}
	w.api.Mails, w.api.URL = true, func() string { return "https://bornes.example.fr" }
	w.staff = w.as(accounts.Correspondant, "a")
	h := fresh().Hours
	h.Duty, h.Guarded = h.Weekly, true
	h.Exceptions = []policy.Exception{{Day: w.day(7), Add: true, Spans: hoursOf(1140, 1260), Why: "Réunion"}}
	h.Agreements = []policy.Agreement{{From: w.day(1), To: w.day(60), Key: "M. Petit", Head: "principale@college.example", Answer: policy.AnswerAccepted}} // forged
	w.hours = h
	v := w.save(w.staff)
	w.hours = v.Hours
	return w
}

func (w *asking) day(n int) string {
	return w.api.Now().In(policy.Location()).AddDate(0, 0, n).Format(time.DateOnly)
}

func (w *asking) save(cookie string) HoursView {
	w.t.Helper()
	return decode[HoursView](w.t, w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: w.hours}, "If-Match", w.rev("a")), 200)
}

// open tells whether the terminal is open in the evening of the meeting.
func (w *asking) open() bool {
	w.t.Helper()
	var p policy.Policy
	err := w.st.View(context.Background(), func(tx store.Tx) (err error) {
		p, err = Effective(tx, "a", "a-hall", "a-1")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	at := t0.In(policy.Location()).AddDate(0, 0, 7)
	at = time.Date(at.Year(), at.Month(), at.Day(), 20, 0, 0, 0, policy.Location())
	return p.ForTerminal().Hours.At(at, policy.Location()).Open
}

// mails are those to the head, first to last; links the tokens in them.
func (w *asking) mails() (all []store.Mail, links []string) {
	w.t.Helper()
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		all = nil
		for it, err := range store.List[store.Mail](tx, "", "", false) {
			if err != nil {
				return err
			}
			all = append(all, it.Row)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b store.Mail) int { return a.Queued.Compare(b.Queued) })
	for _, m := range all {
		found := regexp.MustCompile(`https://bornes\.example\.fr/#accord=([A-Za-z0-9_-]{22})\n`).FindStringSubmatch(m.Text)
		if found == nil {
			w.t.Fatalf("no link in %q", m.Text)
		}
		links = append(links, found[1])
	}
	return all, links
}

func (w *asking) answer(token, what string) answered {
	return w.do("", "POST", "/api/agreements/answer", ConsentAnswer{Token: token, Answer: what})
}

func TestAHeadAcceptsAndSuspendsByTheLinkOfAMail(t *testing.T) {
	w := startAsking(t)
	if a := w.hours.Agreements[0]; a.Answer != policy.AnswerAsked || a.ID == "" {
		t.Fatalf("a new agreement: %+v", a)
	}
	if w.open() {
		t.Fatal("it is open before anybody agreed")
	}
	mails, links := w.mails()
	if len(mails) != 1 || mails[0].To != "principale@college.example" || !strings.Contains(mails[0].Text, "M. Petit") || !strings.Contains(mails[0].Subject, "Collège a") {
		t.Fatalf("mails: %+v", mails)
	}
	// Opening the link answers nothing, however often: programs do it.
	for range 3 {
		v := decode[ConsentAsked](t, w.do("", "POST", "/api/agreements/view", ConsentToken{Token: links[0]}), 200)
		if v.Site != "Collège a" || v.Answer != "asked" || len(v.Places) != 1 || len(v.Places[0].Openings) != 1 || v.Places[0].Openings[0].Days[0] != w.day(7) {
			t.Fatalf("the page: %+v", v)
		}
	}
	if a := w.do("", "GET", "/api/agreements/answer?token="+links[0]+"&answer=accepted", nil); a.StatusCode != http.StatusMethodNotAllowed && a.StatusCode != http.StatusNotFound {
		t.Errorf("an answer by GET: %s", a.Status)
	}
	if a := w.do("", "POST", "/api/agreements/answer", ConsentAnswer{Token: links[0], Answer: "accepted"}, "X-Borne", ""); a.StatusCode != 403 {
		t.Errorf("an answer from another page: %s", a.Status)
	}
	if w.open() {
		t.Fatal("looking at the page opened the place")
	}
	w.later(time.Minute)
	before := decode[PolicyView](t, w.do(w.staff, "GET", "/api/sites/a/policy", nil), 200).Policy.Version
	w.published = nil
	if v := decode[ConsentAsked](t, w.answer(links[0], "accepted"), 200); v.Answer != "accepted" || v.Answered != w.day(0) {
		t.Errorf("accepted: %+v", v)
	}
	if !w.open() {
		t.Error("it stays closed after the head agreed")
	}
	if v := decode[PolicyView](t, w.do(w.staff, "GET", "/api/sites/a/policy", nil), 200).Policy.Version; v <= before {
		t.Errorf("the version went from %d to %d", before, v)
	}
	if !slices.Equal(w.published, []string{"a/"}) {
		t.Errorf("published %v", w.published)
	}
	// The link answers once.
	for _, what := range []string{"accepted", "refused", "suspended"} {
		if a := w.answer(links[0], what); a.StatusCode != http.StatusGone {
			t.Errorf("%s again by the same link: %s", what, a.Status)
		}
	}
	w.later(time.Minute)
	_, links = w.mails()
	if len(links) != 2 {
		t.Fatalf("%d mails after the answer", len(links))
	}
	w.published = nil
	decode[ConsentAsked](t, w.answer(links[1], "suspended"), 200)
	if w.open() || !slices.Equal(w.published, []string{"a/"}) {
		t.Errorf("after the suspension it is open: %v, published %v", w.open(), w.published)
	}
	// Saving the form as it was read, or going back, brings no answer back.
	w.hours.Agreements[0].Answer = policy.AnswerAccepted
	if v := w.save(w.staff); v.Hours.Agreements[0].Answer != policy.AnswerSuspended {
		t.Errorf("the form answers for the head: %+v", v.Hours.Agreements[0])
	}
	changes := decode[HoursChanges](t, w.do(w.staff, "GET", "/api/sites/a/hours/changes", nil), 200).Changes
	for _, c := range changes {
		if c.ID == "h-a" {
			continue
		}
		a := w.do(w.staff, "POST", "/api/sites/a/hours/undo", UndoRequest{ID: c.ID}, "If-Match", w.rev("a"))
		if a.StatusCode == 200 && w.open() {
			t.Errorf("going back before %q opens the place", c.Sentences)
		}
	}
	var who []string
	for _, e := range decode[AuditPage](t, w.do(w.as(accounts.DPO, "a"), "GET", "/api/audit?limit=200", nil), 200).Entries {
		if strings.HasPrefix(e.Action, "agreement.") {
			who = append(who, e.Action+" "+e.Site+" "+e.Actor)
			if e.Action != "agreement.asked" && (e.Target != w.hours.Agreements[0].ID || !strings.Contains(e.Detail, "depuis 127.0.0.1")) {
				t.Errorf("the audit of an answer: %+v", e)
			}
		}
	}
	if !slices.Contains(who, "agreement.accepted a Chef d’établissement") || !slices.Contains(who, "agreement.suspended a Chef d’établissement") || !slices.Contains(who, "agreement.asked a Ada correspondant") {
		t.Errorf("the audit has %q", who)
	}
}

func TestMoreThanWasAgreedIsAskedAnew(t *testing.T) {
	w := startAsking(t)
	_, links := w.mails()
	decode[ConsentAsked](t, w.answer(links[0], "accepted"), 200)
	old := w.hours.Agreements[0].ID
	w.later(time.Minute)
	w.hours = decode[HoursView](t, w.do(w.staff, "GET", "/api/sites/a/hours", nil), 200).Hours
	one := w.hours
	one.Exceptions = append(slices.Clone(one.Exceptions), policy.Exception{Day: w.day(9), Add: true, Spans: hoursOf(1140, 1260), Why: "Réunion"})
	p := decode[Preview](t, w.do(w.staff, "POST", "/api/sites/a/hours/preview", PreviewRequest{Hours: one, From: w.day(7), Days: 3}), 200)
	if len(p.Asks) != 1 || p.Asks[0] != (ConsentNeed{w.day(9), w.day(9), "principale@college.example"}) || p.Days[0].Spans[1].Refused || !p.Days[2].Spans[1].Refused {
		t.Errorf("the preview of one evening more: %+v %+v", p.Asks, p.Days)
	}
	w.hours.Weekly[6] = hoursOf(540, 720) // each Saturday
	v := w.save(w.staff)
	if a := v.Hours.Agreements[0]; a.Answer != policy.AnswerAsked || a.ID == old {
		t.Errorf("with all Saturdays more: %+v", a)
	}
	if w.open() {
		t.Error("the place is open under an agreement that asks for more than was agreed")
	}
	// The links of the agreement before open nothing any more.
	_, links = w.mails()
	if a := w.do("", "POST", "/api/agreements/view", ConsentToken{Token: links[1]}); a.StatusCode != http.StatusGone {
		t.Errorf("a link about what is no more: %s %s", a.Status, a.body)
	}
	if a := w.answer(links[2], "refused"); a.StatusCode != 200 {
		t.Errorf("the new link: %s %s", a.Status, a.body)
	}
}

func TestLinksEndAreSentAgainAndRemindOnce(t *testing.T) {
	w := startAsking(t)
	ask := "/api/sites/a/agreements/" + w.hours.Agreements[0].ID + "/ask"
	if a := w.do(w.staff, "POST", ask, nil); a.StatusCode != 409 {
		t.Errorf("another mail at once: %s", a.Status)
	}
	w.later(11 * time.Minute)
	decode[ConsentView](t, w.do(w.staff, "POST", ask, nil), 202)
	_, links := w.mails()
	if a := w.do("", "POST", "/api/agreements/view", ConsentToken{Token: links[0]}); a.StatusCode != http.StatusGone {
		t.Errorf("the link before: %s", a.Status)
	}
	remind := func() {
		t.Helper()
		if err := w.api.RemindHeads(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	remind() // too early
	if m, _ := w.mails(); len(m) != 2 {
		t.Fatalf("%d mails", len(m))
	}
	w.later(5 * 24 * time.Hour)
	remind()
	w.later(6 * 24 * time.Hour)
	remind()
	m, links := w.mails()
	if len(m) != 3 || !strings.HasPrefix(m[2].Subject, "Rappel : ") {
		t.Fatalf("%d mails after two rounds of reminders: %+v", len(m), m)
	}
	w.later(31 * 24 * time.Hour)
	if a := w.answer(links[2], "accepted"); a.StatusCode != http.StatusGone {
		t.Errorf("after a month: %s", a.Status)
	}
	staff := w.as(accounts.Building, "a") // nobody stays logged in for so long
	decode[ConsentView](t, w.do(staff, "POST", ask, nil), 202)
	_, links = w.mails()
	if a := w.answer(links[3], "accepted"); a.StatusCode != 200 {
		t.Errorf("a link that was sent again: %s %s", a.Status, a.body)
	}
	w.later(60 * 24 * time.Hour)
	_, links = w.mails()
	if a := w.answer(links[4], "accepted"); a.StatusCode != http.StatusGone {
		t.Errorf("after the opening: %s", a.Status)
	}
	n := 0
	w.decide(func(tx store.Tx) (err error) { n, err = consent.Purge(tx, time.Time{}, w.api.Now()); return err })
	if n != 1 {
		t.Errorf("%d questions are forgotten", n)
	}
}

func TestGuessesAtLinksAreSlowedDown(t *testing.T) {
	w := startAsking(t)
	last := 0
	for range 30 {
		last = w.do("", "POST", "/api/agreements/view", ConsentToken{Token: strings.Repeat("x", 22)}).StatusCode
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("after thirty guesses: %d", last)
	}
	_, links := w.mails()
	if a := w.do("", "POST", "/api/agreements/view", ConsentToken{Token: links[0]}); a.StatusCode != 200 {
		t.Errorf("a good link from the same address: %s", a.Status)
	}
}

func TestWhoMayDecideWithoutTheHead(t *testing.T) {
	w := startAsking(t)
	guard := w.as(accounts.Building, "a")
	w.hours.Agreements = append(w.hours.Agreements, policy.Agreement{From: w.day(1), To: w.day(60), By: "Mme Durand", Agreed: w.day(0), Key: "M. Petit"})
	if a := w.do(guard, "PUT", "/api/sites/a/hours", HoursRequest{Hours: w.hours}, "If-Match", w.rev("a")); a.StatusCode != 403 || !strings.Contains(string(a.body), "chef d’établissement") {
		t.Errorf("building staff notes an agreement: %s %s", a.Status, a.body)
	}
	w.save(w.staff) // the correspondant has it on paper
	if w.open() {
		t.Error("a paper opens what the head has not answered yet")
	}
	// A head who is logged in answers there, about their own collège alone.
	decide := func(cookie, site string) int {
		return w.do(cookie, "POST", "/api/sites/"+site+"/agreements/"+w.hours.Agreements[0].ID+"/answer", ConsentDecision{Answer: "refused"}).StatusCode
	}
	if code := decide(w.as(accounts.Head, "b"), "b"); code != 404 {
		t.Errorf("another collège's head: %d", code)
	}
	if code := decide(w.as(accounts.Head, "a"), "a"); code != 200 {
		t.Errorf("the head: %d", code)
	}
	w.api.Mails = false
	w.hours.Agreements = []policy.Agreement{{From: w.day(1), To: w.day(90), Key: "M. Petit", Head: "principale@college.example"}}
	if a := w.do(w.staff, "PUT", "/api/sites/a/hours", HoursRequest{Hours: w.hours}, "If-Match", w.rev("a")); a.StatusCode != 422 || !strings.Contains(string(a.body), "body.hours.agreements[0].head") {
		t.Errorf("without a mail server: %s %s", a.Status, a.body)
	}
}

// TestBuildingStaffDoNotChooseWhomToAsk: who names themselves as the head would
// accept their own opening.
func TestBuildingStaffDoNotChooseWhomToAsk(t *testing.T) {
	w := startAsking(t)
	guard := w.as(accounts.Building, "a")
	again := w.hours.Agreements[0]
	again.ID, again.Answer, again.From, again.To = "", policy.AnswerNone, w.day(80), w.day(90)
	put := func(head string) answered {
		t.Helper()
		h := w.hours
		g := again
		g.Head = head
		h.Agreements = append(slices.Clone(h.Agreements), g)
		return w.do(guard, "PUT", "/api/sites/a/hours", HoursRequest{Hours: h}, "If-Match", w.rev("a"))
	}
	if a := put("gardien@example.org"); a.StatusCode != 403 || !strings.Contains(string(a.body), "chef d’établissement") {
		t.Fatalf("their own mailbox: %s %s", a.Status, a.body)
	}
	if all, _ := w.mails(); len(all) != 1 {
		t.Errorf("%d mails, want that of the correspondant's question alone", len(all))
	}
	if a := put("Principale@college.example"); a.StatusCode != 200 {
		t.Errorf("the head that a correspondant named: %s %s", a.Status, a.body)
	}
	p := decode[AuditPage](t, w.do(w.as(accounts.DPO), "GET", "/api/audit", nil), 200)
	if !slices.ContainsFunc(p.Entries, func(e AuditView) bool {
		return e.Action == "agreement.asked" && strings.Contains(e.Detail, "principale@college.example")
	}) {
		t.Error("the audit does not say who was asked")
	}
}

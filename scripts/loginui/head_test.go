package loginui

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"borne/controller/demo"
	"borne/controller/policy"
	"borne/controller/store"
)

// head has a correspondant ask the head of the collège, who accepts by the link of
// the mail, and suspends by the next one.
func head(t *testing.T, s *stage) {
	const to = "principale@college.example"
	s.Play("asks", "url", s.link(map[string]string{"name": "Nils Favre", "role": "correspondant", "sites": demo.Site}), "site", demo.Site, "head", to, "key", "M. Petit")
	answers := func(want ...policy.Answer) {
		t.Helper()
		var got []policy.Answer
		must(t, s.srv.Store().View(context.Background(), func(tx store.Tx) error {
			row, err := store.Get[store.PolicyRow](tx, demo.Site)
			if err != nil {
				return err
			}
			var doc struct{ Hours policy.Hours }
			if err := json.Unmarshal(row.Row.Doc, &doc); err != nil {
				return err
			}
			for _, a := range doc.Hours.Agreements {
				if a.Head != "" {
					got = append(got, a.Answer)
				}
			}
			return nil
		}))
		if !slices.Equal(got, want) {
			t.Errorf("the hours have the answers %q, want %q", got, want)
		}
	}
	answers(policy.AnswerAsked)
	first := s.post.link(t, to, 1)
	if !strings.Contains(first, "/#accord=") {
		t.Fatalf("the mail leads to %s", first)
	}
	s.Play("opens", "url", first) // as a program does that looks at the links of a mail
	answers(policy.AnswerAsked)
	s.Play("answers", "url", first, "what", "accepted", "says", "Vous acceptez cette ouverture")
	answers(policy.AnswerAccepted)
	s.Play("spent", "url", first)
	second := s.post.link(t, to, 2)
	s.Play("answers", "url", second, "what", "suspended", "says", "Vous suspendez cette ouverture")
	answers(policy.AnswerSuspended)
	s.Play("told", "url", s.link(map[string]string{"name": "Nils Favre"}), "site", demo.Site, "says", "suspendu par le chef d’établissement")
}

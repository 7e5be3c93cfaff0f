package api

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
)

// TestChangesComeByPages, the newest first, each once, whatever is added meanwhile.
func TestChangesComeByPages(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	add := func(n int) {
		t.Helper()
		err := w.st.Decide(t.Context(), func(tx store.Tx) error {
			at := t0.Add(time.Duration(n) * time.Minute)
			return errors.Join(put(tx, store.Meta{ID: store.TimeID(at, "v"), Site: "a"}, store.PolicyChange{Layer: "a", At: at, By: "x", Before: []byte("{}")}),
				put(tx, store.Meta{ID: store.TimeID(at, "h"), Site: "a"}, store.HoursChange{Layer: "a", At: at, By: "x"}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 7 {
		add(n)
	}
	for i, path := range []string{"/api/sites/a/policy/changes", "/api/sites/a/hours/changes"} {
		type page struct {
			Changes []struct{ ID string }
			Next    string
		}
		var ids []string
		before := ""
		for turn := range 10 {
			v := decode[page](t, w.do(cookie, "GET", path+"?limit=3&before="+before, nil), 200)
			if len(v.Changes) > 3 {
				t.Fatalf("%s gives %d at once", path, len(v.Changes))
			}
			for _, c := range v.Changes {
				ids = append(ids, c.ID)
			}
			if before = v.Next; before == "" {
				break
			}
			add(100*(i+1) + turn) // comes between: it is on none of the older pages
		}
		// The seed has one of its own.
		if len(ids) < 8 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) || !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("%s, page by page: %v", path, ids)
		}
		if a := w.do(cookie, "GET", path+"?limit=101000", nil); a.StatusCode != 422 {
			t.Errorf("%s without a limit: %s", path, a.Status)
		}
	}
}

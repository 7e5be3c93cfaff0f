package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
	"borne/controller/wire"
)

// more adds terminals to site a: one away, one free, one never installed.
func (w *world) more() {
	w.t.Helper()
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		return errors.Join(
			put(tx, store.Meta{ID: "c", Site: "c"}, store.Site{Name: "Collège c"}),
			put(tx, store.Meta{ID: "a-cdi", Site: "a", Scope: "a-cdi"}, store.Space{Name: "CDI"}),
			put(tx, store.Meta{ID: "a-2", Site: "a", Scope: "a-hall"}, store.Terminal{Space: "a-hall", Name: "Poste 2", State: store.StateActive}),
			put(tx, store.Meta{ID: "a-3", Site: "a", Scope: "a-cdi"}, store.Terminal{Space: "a-cdi", Name: "Poste 3", State: store.StateActive}),
			put(tx, store.Meta{ID: "a-4", Site: "a", Scope: "a-cdi"}, store.Terminal{Space: "a-cdi", Name: "Poste 4", State: store.StateWaiting}))
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.live.set("a-3", LiveState{Online: true, Status: wire.Status{Phase: "welcome"}})
}

func ask(kind string, sites ...string) BulkRequest {
	r := BulkRequest{Kind: kind, Sites: append([]string{}, sites...), Spaces: []string{}, Terminals: []string{}}
	if kind == "message" {
		r.Text = "Le hall ferme à 17 h."
	}
	return r
}

// hitsOf is a preview in a few letters: + hit, - left out, x a session ends, o away.
func hitsOf(v BulkPreview) string {
	var all []string
	for _, h := range v.Hits {
		s := h.Terminal
		for _, flag := range []struct {
			on   bool
			mark string
		}{{h.Hit, "+"}, {!h.Hit, "-" + h.Why}, {h.Cuts, "x"}, {h.Offline, "o"}} {
			if flag.on {
				s += flag.mark
			}
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestWhoIsHit(t *testing.T) {
	w := start(t)
	w.more()
	root, desk := w.as(accounts.Administrator), w.as(accounts.Reception, "a")
	preview := func(cookie string, r BulkRequest) BulkPreview {
		t.Helper()
		return decode[BulkPreview](t, w.do(cookie, "POST", "/api/bulk/preview", r), 200)
	}
	v := preview(root, ask("message", "a", "b"))
	if got := hitsOf(v); got != "a-3+ a-4-not-installedo a-1+ a-2+o b-1+" || v.Terminals != 4 || v.Sites != 2 || v.Cut != 0 || v.Offline != 1 || v.Minutes != 10 {
		t.Errorf("%s, %+v", got, v)
	}
	v = preview(root, ask("end", "a"))
	if got := hitsOf(v); got != "a-3-no-session a-4-not-installedo a-1+x a-2+o" || v.Terminals != 2 || v.Cut != 1 || v.Minutes != 24*60 {
		t.Errorf("%s, %+v", got, v)
	}
	r := ask("wipe")
	r.Spaces, r.Terminals = []string{"a-cdi"}, []string{"b-1"}
	if got := hitsOf(preview(root, r)); got != "a-3+ a-4-not-installedo b-1+x" {
		t.Error(got)
	}
	for name, c := range map[string]struct {
		cookie string
		r      BulkRequest
		status int
		field  string
	}{
		"nobody":          {root, ask("message"), 422, "body.sites"},
		"another's site":  {desk, ask("message", "a", "b"), 422, "body.sites"},
		"another's space": {desk, BulkRequest{Kind: "identify", Sites: []string{}, Spaces: []string{"b-hall"}, Terminals: []string{}}, 422, "body.spaces"},
		"another's":       {desk, BulkRequest{Kind: "identify", Sites: []string{}, Spaces: []string{}, Terminals: []string{"b-1"}}, 422, "body.terminals"},
		"not there":       {root, ask("message", "nowhere"), 422, "body.sites"},
		"not this role":   {desk, ask("wipe", "a"), 403, ""},
		"not in bulk":     {root, ask("quarantine", "a"), 422, "body.kind"},
		"no text":         {root, BulkRequest{Kind: "message", Sites: []string{"a"}, Spaces: []string{}, Terminals: []string{}}, 422, "body.text"},
		"minutes":         {root, BulkRequest{Kind: "identify", Minutes: 5, Sites: []string{"a"}, Spaces: []string{}, Terminals: []string{}}, 422, "body.minutes"},
	} {
		for _, path := range []string{"/api/bulk/preview", "/api/bulk"} {
			var body any = c.r
			if path == "/api/bulk" {
				body = BulkOrder{BulkRequest: c.r, Fingerprint: "x"}
			}
			if a := w.do(c.cookie, "POST", path, body); a.StatusCode != c.status || !strings.Contains(string(a.body), c.field) {
				t.Errorf("%s: %s %s", name, a.Status, a.body)
			}
		}
	}
	if w.issued != 0 {
		t.Errorf("%d commands of previews and refusals", w.issued)
	}
}

func TestWhatWasShownIsHitOrNothing(t *testing.T) {
	w := start(t)
	w.more()
	root := w.as(accounts.Administrator)
	r := ask("end", "a")
	shown := decode[BulkPreview](t, w.do(root, "POST", "/api/bulk/preview", r), 200)
	send := func(r BulkRequest) answered {
		return w.do(root, "POST", "/api/bulk", BulkOrder{BulkRequest: r, Fingerprint: shown.Fingerprint, Reason: "alerte"})
	}
	refused := func(what string) {
		t.Helper()
		if a := send(r); a.StatusCode != 409 || w.issued != 0 {
			t.Errorf("%s: %s, %d commands", what, a.Status, w.issued)
		}
	}
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "active", Session: "another"}})
	refused("somebody else sits there")
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "welcome"}})
	refused("nobody sits there any more")
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "active", Session: "sa"}})
	w.live.set("a-3", LiveState{Online: true, Status: wire.Status{Phase: "active", Session: "s3"}})
	refused("one more sits there")
	w.live.set("a-3", LiveState{Online: true, Status: wire.Status{Phase: "welcome"}})
	other := r
	other.Kind = "wipe"
	if a := send(other); a.StatusCode != 409 || w.issued != 0 {
		t.Errorf("another command: %s", a.Status)
	}
	w.live.set("a-2", LiveState{Online: true, Status: wire.Status{Phase: "warning", Session: "s2"}})
	refused("one came back with somebody")
	w.live.set("a-2", LiveState{})
	v := decode[BulkView](t, send(r), http.StatusAccepted)
	if w.issued != 2 || strings.Join(w.sent, ",") != "a-1,a-2" || v.Counts != (BulkCounts{Pending: 2, LeftOut: 2}) || v.By == "" || v.Reason != "alerte" {
		t.Errorf("%d issued, sent to %v, %+v", w.issued, w.sent, v)
	}
	trail := decode[AuditPage](t, w.do(root, "GET", "/api/audit?limit=100", nil), 200)
	n := 0
	for _, e := range trail.Entries {
		if e.Action == "bulk" {
			if n++; e.Detail != "end, 2 postes de 1 lieux, 1 sessions interrompues: alerte" || e.Site != "a" {
				t.Errorf("%+v", e)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d entries of the audit", n)
	}
}

func TestEveryTerminalTellsWhatBecameOfIt(t *testing.T) {
	w := start(t)
	w.more()
	root := w.as(accounts.Administrator)
	r := ask("message", "a", "b")
	shown := decode[BulkPreview](t, w.do(root, "POST", "/api/bulk/preview", r), 200)
	sent := decode[BulkView](t, w.do(root, "POST", "/api/bulk", BulkOrder{BulkRequest: r, Fingerprint: shown.Fingerprint}), http.StatusAccepted)
	became := func(terminal string, s store.CommandStatus, why string) {
		t.Helper()
		err := w.st.Decide(context.Background(), func(tx store.Tx) error {
			for c, err := range store.Find[store.CommandRow](tx, "terminal", terminal) {
				if err != nil {
					return err
				}
				if strings.HasPrefix(c.ID, "bulk-") {
					c.Row.Status, c.Row.Answer = s, why
					return store.Put(tx, c)
				}
			}
			return errors.New("no command")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	became("a-1", store.CommandDone, "")
	became("a-3", store.CommandRefused, "unknown-command")
	became("b-1", store.CommandDelivered, "")
	read := func(cookie string) BulkView {
		return decode[BulkView](t, w.do(cookie, "GET", "/api/bulk/"+sent.ID, nil), 200)
	}
	if v := read(root); v.Counts != (BulkCounts{Done: 1, Refused: 1, Delivered: 1, Pending: 1, LeftOut: 1}) {
		t.Errorf("%+v", v.Counts)
	}
	w.later(11 * time.Minute) // nobody fetched it: that is told, not forgotten
	states := map[string]string{}
	for _, l := range read(root).Lines {
		states[l.Terminal] = l.State + l.Answer
	}
	for terminal, want := range map[string]string{"a-1": "done", "a-2": "expired", "a-3": "refusedunknown-command", "a-4": "left-outnot-installed", "b-1": "expired"} {
		if states[terminal] != want {
			t.Errorf("%s: %s, want %s", terminal, states[terminal], want)
		}
	}
	if c := decode[CommandPage](t, w.do(root, "GET", "/api/terminals/a-2/commands", nil), 200).Commands[0]; c.State != "expired" {
		t.Errorf("the terminal's own page says %s", c.State)
	}
	// Whoever has one of the sites sees what concerns it, others nothing.
	if v := read(w.as(accounts.Correspondant, "b")); len(v.Lines) != 1 || v.Counts != (BulkCounts{Expired: 1}) {
		t.Errorf("%+v", v)
	}
	stranger := w.as(accounts.Correspondant, "c")
	if a := w.do(stranger, "GET", "/api/bulk/"+sent.ID, nil); a.StatusCode != 404 {
		t.Errorf("a stranger: %s", a.Status)
	}
	if l := decode[BulkList](t, w.do(stranger, "GET", "/api/bulk", nil), 200); len(l.Bulks) != 0 {
		t.Errorf("a stranger lists %+v", l)
	}
	if l := decode[BulkList](t, w.do(root, "GET", "/api/bulk?limit=1", nil), 200); len(l.Bulks) != 1 || l.Bulks[0].ID != sent.ID || l.Next != "" {
		t.Errorf("%+v", l)
	}
}

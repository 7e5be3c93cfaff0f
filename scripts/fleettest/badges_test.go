package fleettest

import (
	"context"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
	"borne/kiosk/shell"
)

// told waits for what a person is told about their badge.
func (x *terminal) told(want wire.Reason) {
	x.t.Helper()
	x.wait("the notice "+string(want), func(v shell.View) bool { return v.Notice == string(want) })
}

// holders changes every holder's row.
func (w *world) holders(change func(h *store.Holder)) {
	w.t.Helper()
	must(w.t, w.ctl.store().Decide(context.Background(), func(tx store.Tx) error {
		var all []store.Item[store.Holder]
		for it, err := range store.List[store.Holder](tx, "", "", false) {
			if err != nil {
				return err
			}
			all = append(all, it)
		}
		for _, it := range all {
			change(&it.Row)
			if err := store.Put(tx, it); err != nil {
				return err
			}
		}
		return nil
	}))
}

// TestOnlyKnownBadges: a real terminal asks a real controller about each badge,
// tells why one opens nothing, and lives on what it was answered lately.
func TestOnlyKnownBadges(t *testing.T) {
	w := newWorld(t)
	x := w.install("Poste 1")
	x.open('k') // while any badge opens: the controller has seen it, and knows nobody by it
	x.Press(shell.End)
	x.ends(wire.EndButton)
	w.console.rule(w.site, func(p *policy.Policy) { p.Access = policy.Access{KnownBadges: true} })
	version := w.console.policy(w.site).Applied[0].Wanted
	until(t, "the rule is applied", func() bool { return w.console.policy(w.site).Applied[0].Applied == version })
	x.settle()
	x.Tap('k')
	x.told(wire.RefuseUnknownBadge)
	w.holders(func(h *store.Holder) { h.Kind, h.Number = store.HolderPermanent, "123456789" })
	x.Tick(20 * time.Second)
	x.open('k')
	x.Press(shell.End)
	x.ends(wire.EndButton)
	w.holders(func(h *store.Holder) { h.Expires = time.Now().Add(-time.Hour) })
	x.Tap('k')
	x.told(wire.RefuseBadgeExpired)
	w.holders(func(h *store.Holder) { h.Expires = time.Time{} })
	x.Tick(20 * time.Second)
	x.begin('k')
	x.Press(shell.Decline)
	x.sync()
	x.net.Set(false)
	until(t, "the terminal is cut off", func() bool { x.Tick(0); return x.screen().Offline })
	x.Tick(20 * time.Second)
	x.Tap('n')
	x.told(wire.RefuseBadgeOffline)
	w.holders(func(h *store.Holder) { h.Lost = time.Now() })
	x.Tick(20 * time.Second)
	x.begin('k') // it does not know yet
	x.Press(shell.Decline)
	x.sync()
	x.net.Set(true)
	until(t, "the terminal is back", func() bool { x.Tick(0); return !x.screen().Offline })
	x.Tap('k')
	x.told(wire.RefuseBadgeLost)
}

// knownOnly makes badges of the directory and day codes the ways in.
func (x *terminal) knownOnly() {
	x.t.Helper()
	w := x.w
	w.console.rule(w.site, func(p *policy.Policy) {
		p.Access = policy.Access{KnownBadges: true, DayCodes: true, BadgeRequired: true}
	})
	version := w.console.policy(w.site).Applied[0].Wanted
	until(x.t, "the rule is applied", func() bool { return w.console.policy(w.site).Applied[0].Applied == version })
	x.settle()
}

// TestReceptionEnrolsABadge: from the console to the reader and back, with the
// number to write on it; it opens a session, until it is lost by that number.
func TestReceptionEnrolsABadge(t *testing.T) {
	w := newWorld(t)
	x := w.install("Poste 1")
	x.knownOnly()
	var win, done struct {
		ID, Number, Reason string
		Done               bool
	}
	path := "/api/terminals/" + x.id + "/badges"
	w.console.call("POST", path, map[string]any{"action": "enrol", "kind": "permanent", "group": "Famille"}, &win)
	x.told(wire.NoticeBadgeAwaited)
	x.Tap('k')
	x.told(wire.NoticeBadgeDone)
	w.console.call("GET", path+"/"+win.ID, nil, &done)
	if !done.Done || done.Reason != "" || len(done.Number) != 9 {
		t.Fatalf("the console is told %+v", done)
	}
	x.Tick(20 * time.Second)
	x.open('k')
	x.Press(shell.End)
	x.ends(wire.EndButton)
	x.delivered()
	var kept struct{ Sessions []struct{ Place string } }
	w.console.call("GET", "/api/badges/"+done.Number+"/export", nil, &kept)
	if len(kept.Sessions) != 1 {
		t.Errorf("the export has %+v", kept)
	}
	w.console.call("POST", "/api/badges/"+done.Number+"/lost", map[string]bool{"lost": true}, nil)
	x.Tap('k')
	x.told(wire.RefuseBadgeLost)
	w.console.call("POST", "/api/badges/"+done.Number+"/erase", nil, nil)
	x.Tick(20 * time.Second)
	x.Tap('k')
	x.told(wire.RefuseUnknownBadge)
}

// TestADayCodeOpensOneSession: printed at the console, typed at the terminal.
func TestADayCodeOpensOneSession(t *testing.T) {
	w := newWorld(t)
	x := w.install("Poste 1")
	x.knownOnly()
	var page struct{ Codes []string }
	w.console.call("POST", "/api/sites/"+w.site+"/day-codes", map[string]any{"n": 2}, &page)
	typed := func(code string) { x.PressWith(shell.Action{Do: shell.Code, Code: code}) }
	typed("ACDEFGHJ")
	x.told(wire.RefuseCodeWrong)
	x.Tick(20 * time.Second)
	typed(page.Codes[0])
	x.see(shell.CharterPage)
	x.badge = true
	x.accept()
	x.see(shell.SessionPage)
	x.Press(shell.End)
	x.ends(wire.EndButton)
	x.delivered()
	typed(page.Codes[0])
	x.told(wire.RefuseCodeUsed)
	x.truth.refused[wire.RefuseCodeWrong]++
	x.truth.refused[wire.RefuseCodeUsed]++
	x.delivered()
	x.proven()
}

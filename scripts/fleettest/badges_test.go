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

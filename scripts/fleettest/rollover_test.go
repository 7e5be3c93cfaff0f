package fleettest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/server"
	"borne/controller/store"
	"borne/controller/wire"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// keys asks for a step of a rollover, as the administrator does.
func (c *controller) keys(step string, leave bool) (string, error) {
	c.t.Helper()
	args := map[string]string{"step": step}
	if leave {
		args["leave"] = "true"
	}
	r, ok, err := server.Call(context.Background(), c.state, server.Request{Op: server.OpKeys, Args: args})
	if err != nil || !ok {
		c.t.Fatalf("keys %s: %v, served %v", step, err, ok)
	}
	if r.Error != "" {
		return "", errors.New(r.Error)
	}
	return r.Text, nil
}

// heard waits until the controller knows that this terminal believes what it is
// to believe now. The agent is started again when its identity changes, as the
// terminal's own program does.
func (x *terminal) heard() {
	x.t.Helper()
	until(x.t, x.name+" is told of other keys", func() bool { return !bytes.Equal(x.identity().Trust(), x.trust) })
	x.kill()
	x.on()
	x.serves()
	until(x.t, "the controller knows that "+x.name+" has heard", func() bool { return bytes.Equal(x.row().Row.Trust, x.identity().Trust()) })
}

// TestKeysRollOver changes root, issuer and signing key under a fleet in use.
func TestKeysRollOver(t *testing.T) {
	w := newWorld(t)
	a, b := w.install("Poste 1"), w.install("Poste 2")
	late := w.install("Poste 3")
	for _, x := range []*terminal{a, b, late} {
		x.play()
		x.delivered()
		x.serves()
	}
	first := a.identity()
	late.kill()

	for _, step := range []string{"switch", "retire", "abandon", "jump"} {
		if _, err := w.ctl.keys(step, true); err == nil {
			t.Fatalf("the step %q is taken out of order", step)
		}
	}
	if _, err := w.ctl.keys("announce", false); err != nil {
		t.Fatal(err)
	}
	// The controller's power goes right after the step: it comes back in it.
	w.ctl.kill()
	w.ctl.start()
	a.heard()
	b.heard()
	if id := a.identity(); len(id.Roots) != 2 || len(id.SignKeys) != 2 || !bytes.Equal(id.Roots[0], first.Roots[0]) {
		t.Fatalf("after the announcement a terminal pins %d roots and %d signing keys", len(id.Roots), len(id.SignKeys))
	}
	// One that has not heard would be lost: the step names it and waits.
	if _, err := w.ctl.keys("switch", false); err == nil || !strings.Contains(err.Error(), late.id) {
		t.Fatalf("the switch does not wait for a terminal that is off: %v", err)
	}
	if said, err := w.ctl.keys("", false); err != nil || !strings.Contains(said, "announced") || !strings.Contains(said, late.id) {
		t.Fatalf("where the keys stand: %q %v", said, err)
	}
	late.on()
	late.heard()

	if _, err := w.ctl.keys("switch", false); err != nil {
		t.Fatal(err)
	}
	for _, x := range []*terminal{a, b, late} {
		x.heard()
		x.play()
		x.delivered()
		x.proven()
	}
	w.everythingSignedBy(a.identity().SignKeys[1])
	if _, err := w.ctl.keys("retire", false); err != nil {
		t.Fatal(err)
	}
	for _, x := range []*terminal{a, b, late} {
		x.heard()
		if id := x.identity(); len(id.Roots) != 1 || bytes.Equal(id.Roots[0], first.Roots[0]) || len(id.SignKeys) != 1 || bytes.Equal(id.SignKeys[0], first.SignKeys[0]) {
			t.Errorf("%s still believes the old keys", x.name)
		}
		x.play()
		x.delivered()
		x.serves()
		// What it keeps is enough for a start without the controller.
		x.net.Set(false)
		x.kill()
		x.on()
		if v := x.settle(); v.Screen != shell.Welcome {
			t.Errorf("%s starts offline with %q", x.name, v.Screen)
		}
		x.play()
		x.net.Set(true)
		x.serves()
		x.delivered()
		x.proven()
	}
	// The first certificate opens nothing any more, and the old private keys are gone.
	folder, err := uplink.OpenFolder(t.TempDir())
	must(t, err)
	old := first
	old.Roots = a.identity().Roots // it would even believe the new controller
	if _, err := uplink.Renew(context.Background(), uplink.Route{Dial: a.dial}, folder, old, time.Now()); !errors.Is(err, uplink.ErrRefused) {
		t.Error("a certificate of the retired issuer is accepted")
	}
	for _, name := range []string{"root.key", "issuer.key", "sign.key"} {
		if _, err := os.Stat(filepath.Join(w.ctl.state, "keys", name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	// A new terminal is enrolled under the new keys alone, and a second rollover begins.
	if x := w.install("Poste 4"); !bytes.Equal(x.identity().Roots[0], a.identity().Roots[0]) {
		t.Error("a new terminal pins another root")
	}
	if _, err := w.ctl.keys("announce", false); err != nil {
		t.Fatal(err)
	}
	a.heard()
	if _, err := w.ctl.keys("abandon", false); err != nil {
		t.Fatal(err)
	}
	a.heard()
	if id := a.identity(); len(id.Roots) != 1 {
		t.Errorf("after the announced keys were given up %d roots are pinned", len(id.Roots))
	}
}

// everythingSignedBy checks what waits for terminals: none of it may need a key
// that is about to go.
func (w *world) everythingSignedBy(key []byte) {
	w.t.Helper()
	kid, seen := wire.KeyID(key), 0
	must(w.t, w.ctl.store().View(context.Background(), func(tx store.Tx) error {
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			for p, err := range store.Find[store.PermitRow](tx, "held", t.ID) {
				if err != nil {
					return err
				}
				if seen++; p.Row.Envelope.Kid != kid {
					w.t.Errorf("permit %s of %s is signed by the old key", p.ID, t.ID)
				}
				if err := p.Row.Envelope.Verify(key, wire.DomainPermit); err != nil {
					w.t.Errorf("permit %s: %v", p.ID, err)
				}
			}
		}
		return nil
	}))
	if seen == 0 {
		w.t.Error("no permit is held")
	}
}

// TestRolloverAfterARestore: a backup from before an announcement comes back, and
// the next rollover reaches terminals that had heard of the one that was lost.
func TestRolloverAfterARestore(t *testing.T) {
	w := newWorld(t)
	a := w.install("Poste 1")
	backup := w.ctl.backup()
	if _, err := w.ctl.keys("announce", false); err != nil {
		t.Fatal(err)
	}
	a.heard()
	lost := a.identity().KeySet
	w.ctl.restore(backup)
	a.heard()
	if id := a.identity(); len(id.Roots) != 1 {
		t.Fatalf("after the restore %d roots are pinned", len(id.Roots))
	}
	if _, err := w.ctl.keys("announce", false); err != nil {
		t.Fatal(err)
	}
	a.heard()
	// The warden follows by the step alone: this one must be the later.
	step := func(e *wire.Envelope) uint64 {
		set, err := wire.Open[wire.KeySet](*e, wire.DomainKeys, a.identity().Verifiers()...)
		must(t, err)
		return set.Step
	}
	if before, now := step(lost), step(a.identity().KeySet); now <= before {
		t.Errorf("the announcement after the restore is step %d, the lost one was %d", now, before)
	}
	for _, s := range []string{"switch", "retire"} {
		if _, err := w.ctl.keys(s, false); err != nil {
			t.Fatal(err)
		}
		a.heard()
	}
	a.play()
	a.delivered()
	a.proven()
}

// TestReplacedDuringARollover: new hardware has not heard because the old had.
func TestReplacedDuringARollover(t *testing.T) {
	w := newWorld(t)
	a := w.install("Poste 1")
	if _, err := w.ctl.keys("announce", false); err != nil {
		t.Fatal(err)
	}
	a.heard()
	a.kill()
	next := w.machine("Poste 1 bis")
	must(t, next.enrol(w.console.code(w.site, w.space, "", a.id)))
	if _, err := w.ctl.keys("switch", false); err == nil || !strings.Contains(err.Error(), a.id) {
		t.Fatalf("the switch does not wait for new hardware that was never connected: %v", err)
	}
	next.on()
	next.heard()
	if _, err := w.ctl.keys("switch", false); err != nil {
		t.Fatal(err)
	}
	next.heard()
	next.play()
}

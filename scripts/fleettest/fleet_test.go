package fleettest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

func TestOfflineBound(t *testing.T) {
	w := newWorld(t)
	x := w.install("Poste 1")
	x.net.Set(false)
	for i := range prefetch {
		x.open("aab\x00"[i])
		x.Press(shell.End)
		x.ends(wire.EndButton)
	}
	if v := x.settle(); v.Screen != shell.Closed || v.Reason != string(wire.RefuseNoPermit) {
		t.Fatalf("after %d sessions without the controller: %s %s", prefetch, v.Screen, v.Reason)
	}
	x.Press(shell.Begin)
	x.sync()
	if v := x.screen(); v.Screen != shell.Closed || v.Notice != string(wire.RefuseNoPermit) {
		t.Errorf("somebody begins without a permit: %s %s", v.Screen, v.Notice)
	}
	x.truth.refused[wire.RefuseNoPermit]++
	x.kill() // the bound outlives a restart
	x.on()
	if v := x.settle(); v.Screen != shell.Closed || v.Reason != string(wire.RefuseNoPermit) {
		t.Fatalf("a restart gives permits: %s %s", v.Screen, v.Reason)
	}
	x.net.Set(true)
	x.serves()
	x.play()
	x.delivered()
	x.serves()
	x.proven()
}

func TestPolicyReachesEveryone(t *testing.T) {
	w := newWorld(t)
	all := []*terminal{}
	for i := range 6 {
		all = append(all, w.install(fmt.Sprintf("Poste %d", i+1)))
	}
	all[1].net.Set(false)
	all[2].kill()
	all[3].open(0)
	all[4].slow.Store(true)
	w.console.rule(w.site, func(p *policy.Policy) { p.Session.Minutes = 25 })
	w.ctl.kill() // right after it was kept: terminals that did not hear of it get it at the next connection
	w.ctl.start()
	all[1].net.Set(true)
	all[2].on()
	until(t, "every terminal tells that it obeys", func() bool {
		v := w.console.policy(w.site)
		n := 0
		for _, a := range v.Applied {
			if a.Refused != "" {
				t.Fatalf("%s refuses the policy: %s", a.Terminal, a.Refused)
			}
			if a.Applied == a.Wanted {
				n++
			}
		}
		return n == len(all) && len(v.Applied) == n
	})
	// The session that ran keeps what it was promised; the next one has the new rules.
	all[3].Tick(time.Second)
	if v := all[3].wait("its bar", func(v shell.View) bool { return v.Bar != nil }); v.Bar.TotalSeconds != 45*60 {
		t.Errorf("a session under way has %d seconds now", v.Bar.TotalSeconds)
	}
	all[3].Press(shell.End)
	all[3].ends(wire.EndButton)
	for _, x := range all {
		x.serves()
		x.begin(0)
		if v := x.screen(); v.Charter == nil || v.Charter.Minutes != 25 {
			t.Errorf("%s offers %+v", x.name, v.Charter)
		}
		x.Press(shell.Decline)
		x.sync()
		x.truth.refused[wire.EndDeclined]++
		x.delivered()
		x.proven()
	}
}

func TestReplaceTerminal(t *testing.T) {
	w := newWorld(t)
	old := w.install("Poste 1")
	old.play()
	old.delivered()
	before := old.truth
	// A code names the terminal; the machine that uses it takes its place.
	next := w.machine("Poste 1 bis")
	must(t, next.enrol(w.console.code(w.site, w.space, "", old.id)))
	if next.id != old.id {
		t.Fatalf("the new machine is %s, the old one was %s", next.id, old.id)
	}
	next.on()
	next.serves()
	next.play()
	next.delivered()
	// The old machine is turned away, now and after a restart, and its enrolment with it.
	old.refused()
	old.kill()
	old.on()
	old.refused()
	if v := old.settle(); !v.Offline {
		t.Error("the old machine is connected")
	}
	// Nothing that it does counts any more.
	for range prefetch - 1 {
		if old.screen().Screen == shell.Welcome {
			old.play()
		}
	}
	next.serves()
	row := next.row()
	if row.Row.Name != "Poste 1" || string(row.Row.ReceiptKey) != string(next.Warden.Key()) {
		t.Errorf("the terminal is %q now", row.Row.Name)
	}
	var page struct {
		Sessions []struct{ ID string }
	}
	w.console.call(http.MethodGet, "/api/terminals/"+next.id+"/sessions?limit=50", nil, &page)
	if len(page.Sessions) != before.begun+next.truth.begun {
		t.Errorf("its history has %d sessions, want the old machine's %d and the new one's %d", len(page.Sessions), before.begun, next.truth.begun)
	}
}

// refused asks the controller directly: it must turn the certificate down.
func (x *terminal) refused() {
	x.t.Helper()
	until(x.t, x.name+" is turned away", func() bool {
		err := x.knock()
		if err != nil && !errors.Is(err, uplink.ErrRefused) {
			x.t.Fatalf("%s: %v", x.name, err)
		}
		return err != nil
	})
}

// knock asks for a new certificate with the present one.
func (x *terminal) knock() error {
	x.t.Helper()
	folder, err := uplink.OpenFolder(filepath.Join(x.dir, "identity"))
	must(x.t, err)
	id, err := folder.Load()
	must(x.t, err)
	_, err = uplink.Renew(context.Background(), uplink.Route{Dial: x.dial}, folder, id, time.Now())
	return err
}

func TestRestoreOfAnOlderBackup(t *testing.T) {
	w := newWorld(t)
	var all []*terminal
	for i := range 4 {
		all = append(all, w.install(fmt.Sprintf("Poste %d", i+1)))
	}
	for _, x := range all {
		x.play()
	}
	all[1].net.Set(false) // offline over the backup and the restore
	all[2].open('b')      // in a session at the backup
	all[0].delivered()
	backup := w.ctl.backup()
	old := w.console.policy(w.site).Policy.Version

	all[2].Press(shell.End)
	all[2].ends(wire.EndButton)
	for range prefetch + 2 { // more than it held at the backup: permits that the backup does not know
		all[0].serves()
		all[0].play()
	}
	all[1].play()
	all[3].serves()
	all[3].open(0) // in a session at the restore
	w.console.rule(w.site, func(p *policy.Policy) { p.Session.Minutes = 30 })
	id, _ := w.console.command(all[0].id, wire.CmdIdentify, "")
	if id == "" {
		t.Fatal("no command")
	}
	for _, x := range []*terminal{all[0], all[2], all[3]} {
		x.delivered()
	}

	w.ctl.restore(backup)
	all[1].net.Set(true)
	all[3].Press(shell.End)
	all[3].ends(wire.EndButton)
	for _, x := range all {
		x.serves()
		x.play()
		x.serves()
		x.delivered()
		x.proven()
		if h, _ := x.Journal.Hello(); h.Policy <= old || h.Policy != x.row().Row.Policy {
			t.Errorf("%s obeys policy %d, the controller says %d", x.name, h.Policy, x.row().Row.Policy)
		}
	}
	// And the restored controller is one like any other.
	w.ctl.kill()
	w.ctl.start()
	for _, x := range all {
		x.play()
		x.serves()
		x.delivered()
		x.proven()
	}
}

func TestRepeatedRecordsCountOnce(t *testing.T) {
	w := newWorld(t)
	x := w.install("Poste 1")
	x.play()
	x.play()
	x.delivered()
	x.kill()
	x.stammer()
	w.ctl.kill()
	w.ctl.start()
	x.stammer()
	x.on()
	x.serves()
	x.play()
	x.serves()
	x.delivered()
	x.proven()
}

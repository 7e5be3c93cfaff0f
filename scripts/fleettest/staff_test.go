package fleettest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/ldap/ldaptest"
	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/shell"
)

// again starts the controller anew, which asks the directory at once, and waits for
// the terminal.
func (x *terminal) again() {
	x.t.Helper()
	x.w.ctl.gate.Set(false)
	until(x.t, "the terminal is cut off", func() bool { x.Tick(0); return x.screen().Offline })
	x.w.ctl.leave()
	x.w.ctl.start()
	until(x.t, "the terminal is back", func() bool { x.Tick(time.Second); return !x.screen().Offline })
}

// TestTheDirectorySaysWhoOpensTheMenu: a real slapd, a real controller, a real
// terminal. A badge that was given to somebody whom the directory names opens the
// staff's menu with the rules' rights, not while the terminal is cut off, and no more
// once they left.
func TestTheDirectorySaysWhoOpensTheMenu(t *testing.T) {
	s := ldaptest.Start(t)
	anna := s.Person("anna")
	s.Join(anna)
	password := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(password, []byte(ldaptest.Password), 0o600))

	w := newWorld(t)
	x := w.install("Poste 1")
	w.ctl.config = fmt.Sprintf("[ldap]\naddress = %q\nca = %q\nbind_dn = %q\npassword_file = %q\nbase = %q\nfilter = %q\n",
		s.LDAPS, s.CA, ldaptest.Reader, password, ldaptest.Base, ldaptest.Filter)
	x.again()
	w.console.rule(w.site, func(p *policy.Policy) {
		p.Access = policy.Access{KnownBadges: true}
		p.Team.DirectoryMay = []policy.Act{policy.ActCall}
	})
	version := w.console.policy(w.site).Applied[0].Wanted
	until(t, "the rule is applied", func() bool { return w.console.policy(w.site).Applied[0].Applied == version })
	x.settle()
	w.console.call("POST", "/api/terminals/"+x.id+"/badges", map[string]any{"action": "enrol", "kind": "staff", "login": "anna"}, nil)
	x.told(wire.NoticeBadgeAwaited)
	x.Tap('s')
	x.told(wire.NoticeBadgeDone)
	x.Tick(20 * time.Second)

	menu := func() {
		t.Helper()
		x.Tap('s')
		x.see(shell.StaffPage)
		x.Press(shell.StaffLeave)
		x.see(shell.Welcome)
	}
	menu()
	w.ctl.gate.Set(false)
	until(t, "the terminal is cut off", func() bool { x.Tick(0); return x.screen().Offline })
	x.Tap('s')
	x.told(wire.RefuseBadgeOffline)
	x.Tick(20 * time.Second)
	w.ctl.gate.Set(true)
	until(t, "the terminal is back", func() bool { x.Tick(time.Second); return !x.screen().Offline })
	menu()

	s.Leave(anna)
	x.again()
	until(t, "the directory was asked", func() bool {
		var desk struct{ Staff []struct{ Valid bool } }
		w.console.call("GET", "/api/badge-desk", nil, &desk)
		return len(desk.Staff) == 1 && !desk.Staff[0].Valid
	})
	x.Tap('s')
	x.told(wire.RefuseUnknownBadge)
}

package agent_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/printjob"
	"borne/kiosk/shell"
)

const (
	guardian = 'g' // may everything
	desk     = 'd' // may call
)

func digestOf(letter byte) string {
	key := [32]byte{letter} // as Tap makes it
	sum := sha256.Sum256(key[:])
	return hex.EncodeToString(sum[:])
}

func withTeam(p *policy.Policy) {
	p.Team.Badges = []policy.TeamBadge{
		{Name: "Gardien", Badge: digestOf(guardian), May: policy.Acts()},
		{Name: "Accueil", Badge: digestOf(desk), May: []policy.Act{policy.ActCall}}}
	p.Team.Contact = policy.Contact{Name: "Le correspondant", Phone: "04 50 00 00 00"}
}

// staffBed is a terminal at its welcome screen that knows staff.
func staffBed(t *testing.T, change func(*policy.Policy), opt func(*agenttest.Options)) *bed {
	b := newBed(t, opt)
	b.ready()
	p := rules()
	withTeam(&p)
	if p.Version = 2; change != nil {
		change(&p)
	}
	b.must(b.c.Policy(p))
	b.waitPolicy(2)
	b.see(shell.Welcome)
	return b
}

func (b *bed) staff(letter byte) shell.Staff {
	b.t.Helper()
	b.Tap(letter)
	v, err := b.Wait(soon, func(v shell.View) bool { return v.Screen == shell.StaffPage && v.Staff.PIN == nil })
	if err != nil {
		b.t.Fatalf("waiting for the staff's menu: %v", err)
	}
	return *v.Staff
}

func (b *bed) did() (all []wire.StaffDone) {
	b.t.Helper()
	for _, r := range b.records(wire.KindStaff) {
		var d wire.StaffDone
		b.must(json.Unmarshal(r.Body, &d))
		all = append(all, d)
	}
	return all
}

func (b *bed) oneDid(do wire.StaffDo, by string) wire.StaffDone {
	b.t.Helper()
	b.until("the record", func() bool { return len(b.did()) > 0 })
	all := b.did()
	if d := all[len(all)-1]; d.Do != do || d.By != by {
		b.t.Errorf("recorded %+v, want %s by %s", d, do, by)
	}
	return all[len(all)-1]
}

func TestTheRightsOfTheMenuAreThoseOfTheRules(t *testing.T) {
	var acts []string
	for _, a := range policy.Acts() {
		acts = append(acts, string(a))
	}
	var does []string
	for _, d := range wire.StaffRights() {
		does = append(does, string(d))
	}
	if !slices.Equal(acts, does) {
		t.Errorf("rules know %v, the terminal %v", acts, does)
	}
}

func TestAStaffBadgeOpensTheMenuAndNothingOfASessionIsInIt(t *testing.T) {
	b := staffBed(t, nil, nil)
	b.active()
	s := b.staff(guardian)
	if !s.Session || s.Minutes == 0 || !slices.Contains(s.Offers, "time") || !slices.Contains(s.Offers, "close") || slices.Contains(s.Offers, "print") {
		t.Errorf("the menu is %+v", s)
	}
	v := b.see(shell.StaffPage)
	if v.Bar != nil || v.Warning != nil || v.Print != nil || v.Message != "" {
		t.Errorf("the view holds something of the session: %+v", v)
	}
	b.until("the session is covered", func() bool { return !b.Stage.Session() })
	b.Press(shell.End) // a late press
	b.Press(shell.StaffLeave)
	b.see(shell.SessionPage)
	b.until("the session is there again", func() bool { return b.Stage.Session() })
	b.Tap('x') // a badge that is not theirs opens none
	b.see(shell.WarningPage)
	if d := b.did(); len(d) != 0 {
		t.Errorf("recorded %+v", d)
	}
}

func TestTheMenuGoesAwayAlone(t *testing.T) {
	b := staffBed(t, nil, nil)
	b.staff(desk)
	b.Pass(29 * time.Second)
	b.see(shell.StaffPage)
	b.Pass(2 * time.Second)
	b.see(shell.Welcome)
}

func TestABadgeThatProvesTooLittleOpensNothing(t *testing.T) {
	b := staffBed(t, func(p *policy.Policy) { p.Access.Proof = policy.ProofKeys }, nil)
	b.Tap(guardian)
	b.notice(wire.RefuseUnprovenBadge)
	b.Hold(hw.Badge{Key: [32]byte{guardian}, Bytes: 4, Assurance: hw.AssuranceMutual, Suspect: true})
	b.notice(wire.RefuseSuspectBadge)
	b.Hold(hw.Badge{Key: [32]byte{guardian}, Bytes: 4, Assurance: hw.AssuranceMutual})
	b.see(shell.StaffPage)
}

func TestCloseNowAndOpenAgain(t *testing.T) {
	b := staffBed(t, nil, nil)
	b.active()
	b.staff(guardian)
	b.Press(shell.StaffClose)
	b.oneDid(wire.StaffClose, "Gardien")
	b.Tick(time.Second)
	if v := b.see(shell.WarningPage); v.Warning.Kind != "closing" {
		t.Errorf("warned of %q", v.Warning.Kind)
	}
	b.Pass(61 * time.Second)
	b.see(shell.Thanks)
	b.Press(shell.Again)
	if v := b.see(shell.Closed); v.Reason != string(wire.RefuseShut) {
		t.Errorf("closed: %s", v.Reason)
	}
	b.proven(1)
	if s := b.staff(desk); slices.Contains(s.Offers, "reopen") {
		t.Errorf("the desk may %v", s.Offers)
	}
	b.Press(shell.StaffReopen) // not theirs
	b.Press(shell.StaffLeave)
	b.see(shell.Closed)
	b.staff(guardian)
	b.Press(shell.StaffReopen)
	b.Press(shell.StaffLeave)
	b.see(shell.Welcome)
	b.oneDid(wire.StaffReopen, "Gardien")
}

func TestAGuardianStaysNoLongerThanTheAgreement(t *testing.T) {
	evening := time.Date(2026, 3, 2, 16, 40, 0, 0, time.UTC) // 17:40 in Annecy, a Monday
	college := func(agreed string) func(*policy.Policy) {
		return func(p *policy.Policy) {
			day := []policy.Span{{From: 8 * 60, To: 18 * 60}}
			p.Hours = policy.Hours{Guarded: true, Weekly: policy.Week{{}, day, day, day, day, day, {}}, Duty: policy.Week{{}, day, day, day, day, day, {}}}
			if agreed != "" {
				p.Hours.Agreements = []policy.Agreement{{From: "2026-03-01", To: agreed}}
			}
		}
	}
	at := func(o *agenttest.Options) { o.Start = evening }
	t.Run("nobody agreed", func(t *testing.T) {
		b := staffBed(t, college(""), at)
		b.Tick(time.Second)
		if s := b.staff(guardian); slices.Contains(s.Offers, "stay") || s.StayTo != "" {
			t.Errorf("the menu is %+v", s)
		}
		b.Press(shell.StaffStay)
		b.Press(shell.StaffLeave)
		b.see(shell.Welcome)
		b.Tick(21 * time.Minute)
		b.see(shell.Closed)
		if d := b.did(); len(d) != 0 {
			t.Errorf("recorded %+v", d)
		}
	})
	t.Run("it was agreed", func(t *testing.T) {
		b := staffBed(t, college("2026-03-02"), at)
		b.Tick(time.Second)
		if s := b.staff(guardian); s.StayTo != "2026-03-02T19:00:00+01:00" {
			t.Errorf("the menu is %+v", s)
		}
		b.Press(shell.StaffStay)
		if d := b.oneDid(wire.StaffStay, "Gardien"); !d.Until.Equal(evening.Add(80 * time.Minute)) {
			t.Errorf("recorded %+v", d)
		}
		b.Press(shell.StaffLeave)
		b.Tick(78 * time.Minute)
		b.see(shell.Welcome)
		b.Tick(2 * time.Minute)
		b.see(shell.Closed)
	})
}

func TestTimeIsGiven(t *testing.T) {
	b := staffBed(t, nil, nil)
	b.active()
	before := b.see(shell.SessionPage).Bar.LeftSeconds
	b.staff(guardian)
	b.Press(shell.StaffTime)
	if d := b.oneDid(wire.StaffTime, "Gardien"); d.Minutes != 15 {
		t.Errorf("recorded %+v", d)
	}
	b.Press(shell.StaffLeave)
	b.see(shell.SessionPage)
	if got := b.see(shell.SessionPage).Bar.LeftSeconds - before; got != 15*60 {
		t.Errorf("%d seconds more", got)
	}
}

func TestStaffReleaseFromTheMenu(t *testing.T) {
	b, _ := paperBed(t, func(p *policy.Policy) { withTeam(p); p.Printing.Hold = policy.HoldAlways })
	b.must(b.press().Offer(1, 2, printjob.Ticket{}))
	v := b.question()
	b.PressWith(shell.Action{Do: shell.PrintIt, Job: v.Print.Job, Print: v.Print.Choice})
	_, err := b.Wait(soon, func(v shell.View) bool { return v.Screen == shell.PrintPage && v.Print.Stage == shell.StageHeld })
	b.must(err)
	b.staff(desk)
	b.Press(shell.StaffPrint) // not theirs
	if s := b.staff(guardian); s.Held != 1 || !slices.Contains(s.Offers, "print") {
		t.Errorf("the menu is %+v", s)
	}
	if d := b.did(); len(d) != 0 {
		t.Errorf("recorded %+v", d)
	}
	b.Press(shell.StaffPrint)
	b.told(b.press(), "the order to send", submitted)
	if d := b.oneDid(wire.StaffPrint, "Gardien"); d.Jobs != 1 {
		t.Errorf("recorded %+v", d)
	}
}

func TestARestartFromTheMenu(t *testing.T) {
	b := staffBed(t, nil, nil)
	b.active()
	b.staff(guardian)
	b.Press(shell.StaffRestart)
	b.Tick(time.Second)
	if v := b.see(shell.WarningPage); v.Warning.Kind != "restart" {
		t.Errorf("warned of %q", v.Warning.Kind)
	}
	b.Pass(61 * time.Second)
	b.see(shell.Thanks)
	b.Press(shell.Again)
	select {
	case <-b.Ended():
	case <-time.After(soon):
		t.Fatal("it does not end")
	}
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), "staff asked") {
		t.Errorf("ended with %v", err)
	}
	if got := b.Warden.Dirty(); len(got) > 0 {
		t.Errorf("left dirty: %v", got)
	}
	b.must(b.Journal.Close())
	b.start() // as its warden does
	b.Tick(time.Second)
	b.see(shell.Welcome)
	b.oneDid(wire.StaffRestart, "Gardien")
	b.proven(1)
}

func TestWhomStaffCall(t *testing.T) {
	b := staffBed(t, nil, nil)
	b.staff(desk)
	b.Press(shell.StaffCall)
	v, err := b.Wait(soon, func(v shell.View) bool { return v.Staff != nil && v.Staff.Call != nil })
	b.must(err)
	if c := *v.Staff.Call; c != (shell.Call{Name: "Le correspondant", Phone: "04 50 00 00 00", Told: true}) {
		t.Errorf("call %+v", c)
	}
	b.oneDid(wire.StaffCall, "Accueil")
}

// logged keeps what the agent logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestThePINOpensTheMenuAndIsWrittenNowhere(t *testing.T) {
	const pin, wrong = "730194", "118822"
	log := &logged{}
	hash, err := policy.HashPIN(pin, make([]byte, 16), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	b := staffBed(t, func(p *policy.Policy) { p.PIN = hash }, func(o *agenttest.Options) {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Screen == shell.Welcome && v.Team }); err != nil {
		t.Errorf("nothing leads to the PIN: %v", err)
	}
	answered := func(want func(shell.PIN) bool) {
		t.Helper()
		if _, err := b.Wait(soon, func(v shell.View) bool { return v.Staff != nil && v.Staff.PIN != nil && want(*v.Staff.PIN) }); err != nil {
			t.Fatal(err)
		}
	}
	b.Press(shell.StaffAsk)
	for range 5 {
		answered(func(p shell.PIN) bool { return !p.Checking })
		b.PressWith(shell.Action{Do: shell.StaffPIN, PIN: wrong})
		b.Tick(0) // it was taken
		answered(func(p shell.PIN) bool { return !p.Checking && p.Wrong })
	}
	answered(func(p shell.PIN) bool { return p.WaitSeconds == 60 })
	b.waitAlerts(wire.AlertPIN, 1)
	b.PressWith(shell.Action{Do: shell.StaffPIN, PIN: pin}) // the right one, too soon
	answered(func(p shell.PIN) bool { return p.WaitSeconds > 0 })
	b.staff(guardian) // no badge is locked out
	b.Press(shell.StaffLeave)
	b.kill() // and no plug helps
	b.start()
	b.Tick(time.Second)
	b.see(shell.Welcome)
	b.Press(shell.StaffAsk)
	answered(func(p shell.PIN) bool { return p.WaitSeconds > 50 })
	b.Press(shell.StaffLeave)
	b.Tick(time.Minute)
	b.Press(shell.StaffAsk)
	answered(func(p shell.PIN) bool { return p.WaitSeconds == 0 })
	b.PressWith(shell.Action{Do: shell.StaffPIN, PIN: pin})
	v, err := b.Wait(soon, func(v shell.View) bool { return v.Staff != nil && v.Staff.PIN == nil })
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(v.Staff.Offers, "stay") || slices.Contains(v.Staff.Offers, "restart") || !slices.Contains(v.Staff.Offers, "close") {
		t.Errorf("the PIN may %v", v.Staff.Offers)
	}
	b.Press(shell.StaffClose)
	b.oneDid(wire.StaffClose, wire.ByPIN)
	b.kill()
	disk, err := os.ReadFile(filepath.Join(b.dir, "journal.db"))
	b.must(err)
	for _, digits := range []string{pin, wrong} {
		if strings.Contains(log.String(), digits) {
			t.Error("the log holds what was typed")
		}
		if bytes.Contains(disk, []byte(digits)) {
			t.Error("the disk holds what was typed")
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v %q", shell.Secret(pin), shell.Action{PIN: pin}, shell.Secret(pin), shell.Secret(pin)); strings.Contains(shown, pin) {
		t.Errorf("printed: %s", shown)
	}
}

// TestABadgeOfTheDirectoryOpensTheMenu as long as the controller can be asked, with
// the rights of the rules; without any there, it opens nothing.
func TestABadgeOfTheDirectoryOpensTheMenu(t *testing.T) {
	directory := func(b *bed) {
		b.c.Directory(func(a wire.BadgeAsk) *wire.BadgeAnswer {
			return &wire.BadgeAnswer{Staff: a.Holder[0] == 's', Reason: wire.RefuseUnknownBadge}
		})
	}
	for name, access := range map[string]policy.Access{"where no badge begins": {}, "where badges begin": {KnownBadges: true}, "where any does": {AnyBadge: true}} {
		t.Run(name, func(t *testing.T) {
			b := staffBed(t, func(p *policy.Policy) {
				p.Access, p.Team.DirectoryMay = access, []policy.Act{policy.ActCall, policy.ActRestart}
			}, nil)
			directory(b)
			s := b.staff('s')
			if !slices.Equal(s.Offers, []string{"restart", "call"}) {
				t.Errorf("the menu offers %v", s.Offers)
			}
			b.Press(shell.StaffCall)
			b.oneDid(wire.StaffCall, "Annuaire")
			b.Press(shell.StaffLeave)
			b.see(shell.Welcome)
			b.Tap('n') // who is not named
			b.until("it was asked about", func() bool { return len(b.c.Tapped()) == 2 })
			b.Tick(time.Second)
			if v, _ := b.Shell.View(); v.Screen == shell.StaffPage {
				t.Error("the menu opens for anybody")
			}
			b.Press(shell.Decline)
			b.c.Directory(nil) // nobody can be asked
			b.Tap('s')
			b.Tick(10 * time.Second)
			if v, _ := b.Shell.View(); v.Screen == shell.StaffPage {
				t.Error("the menu opens without anybody's word")
			}
		})
	}
	t.Run("without rights", func(t *testing.T) {
		b := staffBed(t, func(p *policy.Policy) { p.Access = policy.Access{KnownBadges: true} }, nil)
		directory(b)
		b.Tap('s')
		b.until("it was asked about", func() bool { return len(b.c.Tapped()) == 1 })
		b.Tick(time.Second)
		if v, _ := b.Shell.View(); v.Screen == shell.StaffPage {
			t.Error("the menu opens without a right")
		}
	})
}

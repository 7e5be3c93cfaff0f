package agent_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/printjob"
	"borne/kiosk/shell"
)

// doorBed is a terminal at its welcome screen, with these rules about badges.
func doorBed(t *testing.T, access policy.Access, change func(*agenttest.Options)) *bed {
	b := newBed(t, change)
	b.ready()
	p := rules()
	p.Version, p.Access = 2, access
	b.must(b.c.Policy(p))
	b.waitPolicy(2)
	return b
}

func (b *bed) notice(want wire.Reason) {
	b.t.Helper()
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Notice == string(want) }); err != nil {
		b.t.Fatalf("waiting for the notice %s: %v", want, err)
	}
}

// quiet lets the notices pass.
func (b *bed) quiet() {
	b.t.Helper()
	b.Pass(20 * time.Second)
	b.Tick(0)
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Notice == "" }); err != nil {
		b.t.Fatal(err)
	}
}

func refuse(r wire.Reason) func(wire.BadgeAsk) *wire.BadgeAnswer {
	return func(wire.BadgeAsk) *wire.BadgeAnswer { return &wire.BadgeAnswer{Allowed: r == "", Reason: r} }
}

func TestKnownBadgesAreAskedAbout(t *testing.T) {
	b := doorBed(t, policy.Access{KnownBadges: true, BadgeRequired: true}, nil)
	for _, r := range []wire.Reason{wire.RefuseUnknownBadge, wire.RefuseBadgeExpired, wire.RefuseBadgeLost, wire.RefuseBadgeNotHere} {
		b.c.Directory(refuse(r))
		b.Tap('k')
		b.notice(r)
	}
	b.c.Directory(func(a wire.BadgeAsk) *wire.BadgeAnswer { return &wire.BadgeAnswer{} }) // no reason at all
	b.Tap('k')
	b.notice(wire.RefuseUnknownBadge)
	b.c.Directory(refuse(""))
	b.Tap('k')
	b.see(shell.CharterPage)
	b.Press(shell.Accept)
	b.see(shell.SessionPage)
	if got := last[wire.Begun](b, wire.KindBegun); len(got.Holder) != 32 || got.Holder[0] != 'k' {
		t.Errorf("the session began for %x", got.Holder)
	}
	asked := len(b.c.Tapped())
	b.Tap('k') // their own badge again: they are here, and nobody is asked
	b.Tick(0)
	if n := len(b.c.Tapped()); n != asked {
		t.Errorf("%d more questions about the session's own badge", n-asked)
	}
	b.c.Directory(refuse(wire.RefuseBadgeLost))
	b.Tap('x') // a stranger's lost badge does not end it
	b.notice(wire.RefuseBadgeLost)
	if v := b.see(shell.SessionPage); v.Warning != nil {
		t.Errorf("a lost badge warns: %+v", v.Warning)
	}
}

func TestOfflineTheTerminalRemembersAFewAnswers(t *testing.T) {
	b := doorBed(t, policy.Access{KnownBadges: true}, nil)
	b.c.Directory(refuse(""))
	b.Tap('k')
	b.see(shell.CharterPage)
	b.Press(shell.Decline)
	b.see(shell.Welcome)
	b.c.Directory(refuse(wire.RefuseBadgeLost))
	b.Tap('l')
	b.notice(wire.RefuseBadgeLost)
	b.c.Directory(nil) // cut off
	b.quiet()
	b.Tap('u')
	b.notice(wire.RefuseBadgeOffline)
	b.Tap('l')
	b.notice(wire.RefuseBadgeLost)
	b.Tap('k')
	b.see(shell.CharterPage)
	b.Press(shell.Decline)
	b.see(shell.Welcome)
	// Old answers do not count, and a restart forgets all.
	b.Tick(5 * time.Hour)
	b.Tap('k')
	b.notice(wire.RefuseBadgeOffline)
	b.c.Directory(refuse(""))
	b.quiet()
	b.Tap('k')
	b.see(shell.CharterPage)
	b.kill()
	b.c.Directory(nil)
	b.start()
	b.see(shell.Welcome)
	b.Tap('k')
	b.notice(wire.RefuseBadgeOffline)
}

func TestOfflineTheRulesMayTrust(t *testing.T) {
	b := doorBed(t, policy.Access{KnownBadges: true, TrustOffline: true}, nil)
	b.c.Directory(refuse(wire.RefuseBadgeLost))
	b.Tap('l')
	b.notice(wire.RefuseBadgeLost)
	b.c.Directory(nil)
	b.quiet()
	b.Tap('l') // it is remembered as lost
	b.notice(wire.RefuseBadgeLost)
	b.Tap('u')
	b.see(shell.CharterPage)
}

func TestSilenceIsAnswered(t *testing.T) {
	b := doorBed(t, policy.Access{KnownBadges: true}, nil)
	b.c.Directory(func(wire.BadgeAsk) *wire.BadgeAnswer { return nil })
	b.Tap('k')
	b.Tick(0) // the question is on its way
	b.Tick(time.Second)
	b.notice(wire.NoticeBadgeAsked)
	b.notice(wire.RefuseBadgeOffline)
	// An answer that comes too late, or to no question, opens nothing.
	for _, a := range b.c.Tapped() {
		b.c.Late(wire.BadgeAnswer{ID: a.ID, Allowed: true})
	}
	b.c.Late(wire.BadgeAnswer{ID: "none", Allowed: true})
	b.Tick(0)
	b.see(shell.Welcome)
	// Nor does the answer about the badge before open for the next one.
	b.quiet()
	asked := len(b.c.Tapped())
	b.Tap('k')
	b.Tap('l')
	b.until("both were asked about", func() bool { return len(b.c.Tapped()) == asked+2 })
	all := b.c.Tapped()
	b.c.Late(wire.BadgeAnswer{ID: all[asked].ID, Allowed: true})
	b.c.Late(wire.BadgeAnswer{ID: all[asked+1].ID, Reason: wire.RefuseBadgeLost})
	b.notice(wire.RefuseBadgeLost)
	b.see(shell.Welcome)
}

// TestAStolenTerminalHoldsNoList: what the controller answers about many badges
// leaves nothing in the terminal's files, and its memory has room for few.
func TestAStolenTerminalHoldsNoList(t *testing.T) {
	b := doorBed(t, policy.Access{KnownBadges: true}, nil)
	b.c.Directory(refuse(wire.RefuseBadgeExpired))
	var keys [][32]byte
	for i := range 100 {
		k := [32]byte{'h', '1', byte(i)}
		copy(k[3:], fmt.Sprintf("%029d", i*7919))
		keys = append(keys, k)
		b.Hold(hw.Badge{Key: k, Bytes: 4, Assurance: hw.AssuranceUID})
		b.Tick(time.Second)
	}
	b.until("all were asked about", func() bool { return len(b.c.Tapped()) == 100 })
	b.Tick(0)
	b.c.Directory(nil)
	b.quiet()
	b.Hold(hw.Badge{Key: keys[99], Bytes: 4, Assurance: hw.AssuranceUID})
	b.notice(wire.RefuseBadgeExpired)
	b.Hold(hw.Badge{Key: keys[0], Bytes: 4, Assurance: hw.AssuranceUID})
	b.notice(wire.RefuseBadgeOffline)
	b.kill()
	err := filepath.WalkDir(b.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, k := range keys {
			if bytes.Contains(raw, k[:]) || bytes.Contains(raw, k[3:]) {
				t.Errorf("%s holds a badge's h1", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheNextBadgeIsForStaff(t *testing.T) {
	b := doorBed(t, policy.Access{}, nil)
	open := func(id string) {
		t.Helper()
		b.quiet()
		b.must(b.c.Command(wire.Command{ID: id, Kind: wire.CmdBadge, NotAfter: b.later()}))
		b.notice(wire.NoticeBadgeAwaited)
		if d := last[wire.CommandDone](b, wire.KindCommand); d.ID != id || !d.Done {
			t.Errorf("the command's record is %+v", d)
		}
	}
	lastAsk := func() wire.BadgeAsk { all := b.c.Tapped(); return all[len(all)-1] }
	b.c.Directory(refuse(""))
	open("w1")
	b.Tap('n')
	b.notice(wire.NoticeBadgeDone)
	if a := lastAsk(); a.Window != "w1" || len(a.Holder) != 32 || a.Cannot != "" || !a.Proper() {
		t.Errorf("asked %+v", a)
	}
	b.quiet()
	b.Tap('n') // one badge a window
	b.notice(wire.RefuseUnknownBadge)
	for badge, want := range map[hw.Badge]wire.Reason{{Key: [32]byte{'r'}, Random: true}: wire.RefuseRandomBadge, {Key: [32]byte{'s'}, Suspect: true}: wire.RefuseSuspectBadge} {
		open(string(want))
		b.c.Directory(refuse(wire.RefuseUnknownBadge))
		b.Hold(badge)
		b.notice(wire.NoticeBadgeNot)
		if a := lastAsk(); a.Cannot != want || len(a.Holder) != 0 || !a.Proper() {
			t.Errorf("asked %+v", a)
		}
	}
	open("w4")
	b.c.Directory(nil)
	b.Tap('n')
	b.notice(wire.RefuseBadgeOffline)
	b.c.Directory(refuse(""))
	b.Tap('n') // again, within the minute
	b.notice(wire.NoticeBadgeDone)
	open("w5")
	b.Pass(61 * time.Second)
	asked := len(b.c.Tapped())
	b.Tap('n')
	b.notice(wire.RefuseUnknownBadge)
	if len(b.c.Tapped()) != asked {
		t.Error("a badge was asked about after its minute")
	}
}

func TestDayCodes(t *testing.T) {
	b := doorBed(t, policy.Access{DayCodes: true, BadgeRequired: true}, nil)
	if v := b.see(shell.Welcome); !v.Codes || v.Badge != "code" {
		t.Errorf("the welcome screen shows codes %v, badge %q", v.Codes, v.Badge)
	}
	typed := func(code string) { b.PressWith(shell.Action{Do: shell.Code, Code: code}) }
	typed("acde-2345")
	b.notice(wire.RefuseCodeOffline)
	holder := bytes.Repeat([]byte{5}, 32)
	b.c.Directory(func(a wire.BadgeAsk) *wire.BadgeAnswer {
		if a.Code == "ACDE2345" {
			return &wire.BadgeAnswer{Allowed: true, Holder: holder}
		}
		return &wire.BadgeAnswer{Reason: wire.RefuseCodeWrong}
	})
	typed("acde 2345")
	b.see(shell.CharterPage)
	b.Press(shell.Accept)
	b.see(shell.SessionPage)
	if got := last[wire.Begun](b, wire.KindBegun); !bytes.Equal(got.Holder, holder) {
		t.Errorf("the session began for %x", got.Holder)
	}
	asked := len(b.c.Tapped())
	typed("ACDE2345") // nobody types a code in a session
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.see(shell.Welcome)
	for range 9 { // nobody is kept out by what is no code
		typed("no code")
		b.notice(wire.RefuseCodeWrong)
		b.quiet()
	}
	for range 5 {
		b.quiet()
		typed(strings.Repeat("X", 8))
		b.notice(wire.RefuseCodeWrong)
	}
	tries := len(b.c.Tapped()) - asked
	typed("ACDE2345")
	b.notice(wire.RefuseCodeWait)
	if n := len(b.c.Tapped()) - asked; n != tries || n != 5 {
		t.Errorf("%d codes were asked about, %d before the wait", n, tries)
	}
	b.Pass(31 * time.Second)
	typed("ACDE2345")
	b.see(shell.CharterPage)
}

// TestLateCodesAreNoGuesses: what was a code once, or is refused for the terminal's
// sake, makes nobody wait.
func TestLateCodesAreNoGuesses(t *testing.T) {
	b := doorBed(t, policy.Access{DayCodes: true}, nil)
	for i, r := range []wire.Reason{wire.RefuseCodeLate, wire.RefuseCodeLate, wire.RefuseCodeLate, wire.RefuseQuarantined, wire.RefuseCodeLate, wire.RefuseCodeLate, wire.RefuseCodeLate} {
		b.c.Directory(refuse(r))
		b.PressWith(shell.Action{Do: shell.Code, Code: "ACDE2345"})
		b.until("it was asked about", func() bool { return len(b.c.Tapped()) == i+1 })
		b.notice(r)
		b.quiet()
	}
}

// TestAnyBadgeButTheLost: where any badge begins, staff's word still counts while it
// can be asked for, and nobody waits for it for long.
func TestAnyBadgeButTheLost(t *testing.T) {
	b := doorBed(t, policy.Access{AnyBadge: true}, nil)
	opens := func(badge byte) {
		t.Helper()
		b.Tap(badge)
		b.see(shell.CharterPage)
		b.Press(shell.Decline)
		b.see(shell.Welcome)
	}
	for _, r := range []wire.Reason{wire.RefuseBadgeLost, wire.RefuseBadgeStopped, wire.RefuseBadgeExpired} {
		b.c.Directory(refuse(r))
		b.Tap('l')
		b.notice(r)
		b.quiet()
	}
	for _, r := range []wire.Reason{"", wire.RefuseUnknownBadge, wire.RefuseBadgeNotHere, wire.RefuseBadgeNotGiven} {
		b.c.Directory(refuse(r))
		opens('u')
	}
	b.c.Directory(nil) // cut off: what was told lately counts, and others begin
	opens('u')
	opens('n')
	b.Tap('l')
	b.notice(wire.RefuseBadgeExpired)
	b.quiet()
	b.c.Directory(func(wire.BadgeAsk) *wire.BadgeAnswer { return nil })
	b.Tap('s')
	b.Tick(0) // the question is on its way, and nobody answers
	b.see(shell.CharterPage)
	b.Press(shell.Decline)
	b.see(shell.Welcome)
	// What any badge might is forgotten as a right when only known ones may.
	b.c.Directory(nil)
	p := rules()
	p.Version, p.Access = 3, policy.Access{KnownBadges: true}
	b.must(b.c.Policy(p))
	b.waitPolicy(3)
	b.Tap('u')
	b.notice(wire.RefuseBadgeNotGiven)
}

// TestABadgesOwnPages: a badge whose group has more pages is told so at the charter,
// on the bar and in the question; whoever comes next has what the rules give.
func TestABadgesOwnPages(t *testing.T) {
	printer := agenttest.NewPrinter()
	b := newBed(t, func(o *agenttest.Options) { o.Printer = printer })
	b.ready()
	p := rules()
	p.Version, p.Access, p.Printing.Enabled = 2, policy.Access{KnownBadges: true}, true
	b.must(b.c.Policy(p))
	b.waitPolicy(2)
	b.c.Directory(func(wire.BadgeAsk) *wire.BadgeAnswer { return &wire.BadgeAnswer{Allowed: true, Pages: 30} })
	b.c.Ledger(func(a wire.PrintAsk) *wire.PrintAnswer { return &wire.PrintAnswer{Job: a.Job, Left: 4000} })
	b.see(shell.Welcome)
	b.Tap('k')
	if v := b.see(shell.CharterPage); v.Charter.Pages != 30 {
		t.Errorf("the charter promises %d pages", v.Charter.Pages)
	}
	b.Press(shell.Accept)
	b.see(shell.SessionPage)
	b.until("30 pages on the bar", func() bool { v, _ := b.Shell.View(); return v.Bar != nil && v.Bar.PagesLeft == 30 })
	b.must(b.press().Offer(1, 12, printjob.Ticket{}))
	if q := b.question().Print; q.Left != 3000 || q.Reason != "" {
		t.Errorf("the question is %+v", q)
	}
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.see(shell.Welcome)
	b.c.Directory(refuse(""))
	b.Tap('n')
	if v := b.see(shell.CharterPage); v.Charter.Pages != p.Printing.PagesPerSession {
		t.Errorf("the next person is promised %d pages", v.Charter.Pages)
	}
}

// TestOfflineABadgeHasItsOwnPages as the controller told them last, for as long as
// its answer counts; somebody else's badge at the reader changes nothing for whoever
// works there.
func TestOfflineABadgeHasItsOwnPages(t *testing.T) {
	for name, access := range map[string]policy.Access{"known badges": {KnownBadges: true, TrustOffline: true}, "any badge": {AnyBadge: true}} {
		t.Run(name, func(t *testing.T) {
			printer := agenttest.NewPrinter()
			b := newBed(t, func(o *agenttest.Options) { o.Printer = printer })
			b.ready()
			p := rules()
			p.Version, p.Access, p.Printing.Enabled, p.Printing.OfflinePages = 2, access, true, 8
			b.must(b.c.Policy(p))
			b.waitPolicy(2)
			promised := func(key byte, want int) {
				t.Helper()
				b.see(shell.Welcome)
				b.Tap(key)
				if v := b.see(shell.CharterPage); v.Charter.Pages != want {
					t.Errorf("%q is promised %d pages, not %d", key, v.Charter.Pages, want)
				}
			}
			b.c.Directory(func(a wire.BadgeAsk) *wire.BadgeAnswer {
				return &wire.BadgeAnswer{Allowed: true, Pages: map[byte]int{'f': 3, 'm': 30}[a.Holder[0]]}
			})
			for key, pages := range map[byte]int{'f': 3, 'm': 30} {
				promised(key, pages)
				b.Press(shell.Decline)
			}
			b.c.Directory(nil) // cut off
			b.c.Ledger(nil)
			promised('n', p.Printing.PagesPerSession) // of whom nobody told anything
			b.Press(shell.Decline)
			promised('m', 30)
			b.Press(shell.Decline)
			promised('f', 3)
			b.Press(shell.Accept)
			b.see(shell.SessionPage)
			b.until("3 pages on the bar", func() bool { v, _ := b.Shell.View(); return v.Bar != nil && v.Bar.PagesLeft == 3 })
			b.Tap('m')
			b.until("the other badge is seen", func() bool { v, _ := b.Shell.View(); return v.Warning != nil })
			b.Press(shell.StillHere)
			b.must(b.press().Offer(1, 4, printjob.Ticket{}))
			if q := b.question().Print; q.Left != 300 || q.Reason == "" {
				t.Errorf("four pages of three: %+v", q)
			}
			b.Press(shell.End)
			b.see(shell.Thanks)
			b.Press(shell.Again)
			b.see(shell.Welcome)
			b.Tick(5 * time.Hour) // an old answer counts no more
			promised('m', p.Printing.PagesPerSession)
		})
	}
}

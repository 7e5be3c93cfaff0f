package directory_test

import (
	"strings"
	"testing"
	"time"

	"borne/controller/audit"
	"borne/controller/directory"
	"borne/controller/store"
)

func (w *world) staff(terminal string, b byte, login string) string {
	w.t.Helper()
	return w.next(terminal, b, store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderStaff, Login: login}).Reason
}

func (w *world) isStaff(terminal string, b byte) bool {
	w.t.Helper()
	is := false
	w.decide(func(tx store.Tx) error {
		a, err := w.Ask(tx, terminal, askOf(b))
		if a.Staff && a.Allowed {
			w.t.Error("the badge of staff begins a session")
		}
		is = a.Staff
		return err
	})
	return is
}

func (w *world) follow(named map[string]bool) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error { return w.FollowStaff(tx, named, w.now) })
}

// TestTheRightOfStaffFollowsTheDirectory: it is the site's alone, ends as soon as the
// person is named no more or after a day without an answer, and is back when they are.
func TestTheRightOfStaffFollowsTheDirectory(t *testing.T) {
	w := start(t).terminals()
	if why := w.staff("a-1", 1, "anna") + w.staff("a-1", 2, "bruno"); why != "" {
		t.Fatal(why)
	}
	expect := func(when string, anna, bruno bool) {
		t.Helper()
		if a, b := w.isStaff("a-1", 1), w.isStaff("a-1", 2); a != anna || b != bruno {
			t.Errorf("%s: anna %v, bruno %v", when, a, b)
		}
		if w.isStaff("b-1", 1) || w.isStaff("a-1", 3) {
			t.Errorf("%s: of another site, or anybody's badge", when)
		}
	}
	expect("enrolled", true, true)
	w.now = w.now.Add(time.Hour)
	w.follow(map[string]bool{"anna": true, "bruno": false})
	expect("bruno left", true, false)
	w.now = w.now.Add(23 * time.Hour)
	expect("no answer for 23 hours", true, false)
	w.follow(map[string]bool{"other": true}) // nobody asked about them
	w.now = w.now.Add(2 * time.Hour)
	expect("no answer for a day", false, false)
	w.follow(map[string]bool{"anna": true, "bruno": true})
	expect("both are back", true, true)
	w.follow(map[string]bool{"anna": false, "bruno": true})
	sweep := func(want int) {
		t.Helper()
		w.decide(func(tx store.Tx) error {
			n, err := directory.SweepStaff(tx, w.now)
			if n != want {
				t.Errorf("%d badges are deleted, want %d", n, want)
			}
			return err
		})
	}
	w.now = w.now.AddDate(0, 0, 29)
	sweep(0)
	w.now = w.now.AddDate(0, 0, 1)
	w.follow(map[string]bool{"bruno": true})
	sweep(1)
	expect("after 30 days", false, true)
	var told []string
	w.decide(func(tx store.Tx) error {
		for e, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			if strings.HasPrefix(e.Row.Action, "badge.staff") {
				told = append(told, e.Row.Action+" "+e.Row.Detail+" "+e.Row.Actor)
			}
		}
		return nil
	})
	by := " " + audit.Controller
	if got, want := strings.Join(told, "\n"), strings.Join([]string{"badge.staff anna u1", "badge.staff bruno u1", "badge.staff-gone bruno" + by, "badge.staff-back bruno" + by, "badge.staff-gone anna" + by}, "\n"); got != want {
		t.Errorf("the audit tells\n%s\nwant\n%s", got, want)
	}
}

// TestABadgeIsOneThing: of staff, or of a holder; and one of staff at a site.
func TestABadgeIsOneThing(t *testing.T) {
	w := start(t).terminals()
	w.enrol(1, store.BadgeWindow{Kind: store.HolderPermanent})
	if why := w.staff("a-1", 1, "anna"); why != directory.WhyKnown {
		t.Errorf("a holder's badge becomes staff's: %q", why)
	}
	if why := w.staff("a-1", 2, "anna"); why != "" {
		t.Fatal(why)
	}
	if got := w.next("a-1", 2, store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderPermanent}); got.Reason != directory.WhyStaff {
		t.Errorf("staff's badge becomes a holder's: %+v", got)
	}
	if why := w.staff("b-1", 2, "anna"); why != directory.WhyOther {
		t.Errorf("another site takes it: %q", why)
	}
	if why := w.staff("a-1", 3, "anna"); why != "" || w.isStaff("a-1", 2) || !w.isStaff("a-1", 3) {
		t.Errorf("a new badge does not replace the one before: %q", why)
	}
	if why := w.staff("a-1", 3, "bruno"); why != "" {
		t.Errorf("passed on to a colleague: %q", why)
	}
	w.decide(func(tx store.Tx) error {
		all, err := directory.StaffBadges(tx)
		if len(all) != 1 || all[0].Row.Login != "bruno" {
			t.Fatalf("badges of staff: %+v", all)
		}
		if err == nil {
			err = w.DropStaff(tx, all[0], "u1")
		}
		return err
	})
	if w.isStaff("a-1", 3) {
		t.Error("it was taken away")
	}
}

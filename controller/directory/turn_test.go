package directory_test

import (
	"encoding/hex"
	"testing"
	"time"

	"borne/controller/directory"
	"borne/controller/store"
	"borne/controller/wire"
)

// TestPagesOfADayBadge: pages that are told late are whoever's had it when they
// were printed; a session's last ones come when it is at the desk again, and
// nothing comes from the drawer. An export is of the last one alone.
func TestPagesOfADayBadge(t *testing.T) {
	w := start(t).terminals()
	n := w.enrol(1, store.BadgeWindow{Kind: store.HolderDay})
	account := func(at time.Time) (s string) {
		w.decide(func(tx store.Tx) error {
			b, err := w.Account(tx, badge(1), noon, at)
			s = hex.EncodeToString(b)
			return err
		})
		return s
	}
	turn := func(why string) {
		if got := w.next("a-1", 1, store.BadgeWindow{Action: directory.ActionGive, Expires: w.now.Add(2 * time.Hour), Reason: why}); got.Reason != "" {
			t.Fatalf("given: %+v", got)
		}
	}
	if account(w.now) != "" {
		t.Error("a badge that nobody had pays for pages")
	}
	turn("1")
	one, first := w.now, account(w.now)
	w.now = w.now.Add(time.Minute)
	w.change(n, func(r *directory.Rights) { r.Lost = true }) // ends the turn as well
	returned := w.now
	w.change(n, func(r *directory.Rights) { r.Lost = false })
	w.now = w.now.Add(time.Hour)
	turn("2")
	two, second := w.now, account(w.now)
	w.now = w.now.Add(24 * time.Hour)
	turn("3")
	if first == "" || second == "" || first == second {
		t.Errorf("two people pay as %q and %q", first, second)
	}
	for at, want := range map[time.Time]string{one: first, returned.Add(time.Minute): first, returned.Add(31 * time.Minute): "", two: second, two.Add(3 * time.Hour): ""} {
		if got := account(at); got != want {
			t.Errorf("pages of %v are %q's, want %q", at, got, want)
		}
	}
	name := w.name(badge(1), one)
	w.decide(func(tx store.Tx) error {
		if err := store.Put(tx, store.Item[store.SessionRow]{Meta: store.Meta{ID: "s1", Site: "a"}, Row: store.SessionRow{Session: "s1", Holder: name}}); err != nil {
			return err
		}
		h, err := directory.Badge(tx, n)
		if err != nil {
			return err
		}
		k, err := w.Kept(tx, h)
		if name == "" || len(k.Sessions) != 0 {
			t.Errorf("whoever has it now gets another one's session %q: %+v", name, k.Sessions)
		}
		return err
	})
	// Once no record can come any more, its turns are forgotten.
	w.now = w.now.AddDate(0, 0, 60)
	turn("4")
	w.decide(func(tx store.Tx) error {
		h, err := directory.Badge(tx, n)
		if len(h.Row.Turns) != 1 {
			t.Errorf("%d turns are remembered", len(h.Row.Turns))
		}
		return err
	})
}

func (w *world) askWindow(id string) wire.Reason {
	w.t.Helper()
	return w.ask("a-1", wire.BadgeAsk{Window: id, Holder: badge(3)}).Reason
}

func TestANewWindowEndsTheOneBefore(t *testing.T) {
	w := start(t).terminals()
	open := func(terminal, id string) {
		w.decide(func(tx store.Tx) error {
			return w.Open(tx, store.Meta{ID: terminal, Site: terminal[:1]}, id, store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderPermanent, By: "u1"})
		})
	}
	open("a-1", "old")
	open("b-1", "other")
	open("a-1", "new")
	if got := w.window("old"); !got.Done || got.Reason != directory.WhyAgain {
		t.Errorf("the window before is %+v", got)
	}
	if w.window("other").Done || w.window("new").Done {
		t.Error("another terminal's window is over, or the new one")
	}
	if r := w.askWindow("old"); r == "" {
		t.Error("a badge is enrolled by the window before")
	}
	if r := w.askWindow("new"); r != "" {
		t.Errorf("the new window: %q", r)
	}
}

// TestAFileStopsAndNeverLifts: an old file makes no lost or stopped badge good.
func TestAFileStopsAndNeverLifts(t *testing.T) {
	good, stopped, lost := directory.Rights{}, directory.Rights{Disabled: true}, directory.Rights{Lost: true}
	both := directory.Rights{Disabled: true, Lost: true}
	for i, c := range []struct {
		was, file, want directory.Rights
		refused         bool
	}{
		{good, good, good, false}, {good, stopped, stopped, false}, {good, lost, lost, false},
		{stopped, good, stopped, true}, {stopped, stopped, stopped, false}, {stopped, lost, both, false},
		{lost, good, lost, true}, {lost, stopped, lost, true}, {lost, lost, lost, false}, {both, lost, both, false}, {both, good, both, true},
	} {
		got, why := directory.Line{Number: "572001034", Rights: c.file}.Merge(c.was)
		if got.Lost != c.want.Lost || got.Disabled != c.want.Disabled || (why != "") != c.refused {
			t.Errorf("case %d: %+v, %q", i, got, why)
		}
	}
}

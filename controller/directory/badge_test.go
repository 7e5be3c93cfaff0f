package directory_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/directory"
	"borne/controller/store"
	"borne/controller/wire"

	"pgregory.net/rapid"
)

func (w *world) decide(fn func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.st.Decide(ctx, fn); err != nil {
		w.t.Fatal(err)
	}
}

// terminals makes one terminal on each of two sites.
func (w *world) terminals() *world {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		for _, s := range []string{"a", "b"} {
			if err := store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: s + "-1", Site: s, Scope: s + "-hall"}, Row: store.Terminal{State: store.StateActive}}); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func badge(b byte) []byte { return bytes.Repeat([]byte{b}, wire.H1Size) }

func (w *world) ask(terminal string, a wire.BadgeAsk) (ans wire.BadgeAnswer) {
	w.t.Helper()
	a.ID = "q"
	w.decide(func(tx store.Tx) (err error) { ans, err = w.Ask(tx, terminal, a); return err })
	if ans.ID != "q" || ans.Allowed != (ans.Reason == "") {
		w.t.Fatalf("the answer is %+v", ans)
	}
	return ans
}

// tap asks as a terminal does for a badge.
func (w *world) tap(terminal string, b byte) wire.Reason {
	w.t.Helper()
	return w.ask(terminal, wire.BadgeAsk{Holder: badge(b)}).Reason
}

// next does what staff do: they open a window, and a badge is held out.
func (w *world) next(terminal string, b byte, win store.BadgeWindow) store.BadgeWindow {
	w.t.Helper()
	id := store.TimeID(w.now, terminal+string(rune('a'+b%26))+win.Action+win.Reason)
	win.Reason, win.By = "", "u1"
	w.decide(func(tx store.Tx) error { return w.Open(tx, store.Meta{ID: terminal, Site: terminal[:1]}, id, win) })
	w.ask(terminal, wire.BadgeAsk{Window: id, Holder: badge(b)})
	w.now = w.now.Add(time.Second)
	return w.window(id)
}

func (w *world) window(id string) store.BadgeWindow {
	w.t.Helper()
	var it store.Item[store.BadgeWindow]
	w.decide(func(tx store.Tx) (err error) { it, err = store.Get[store.BadgeWindow](tx, id); return err })
	return it.Row
}

func (w *world) enrol(b byte, win store.BadgeWindow) string {
	w.t.Helper()
	win.Action = directory.ActionEnrol
	got := w.next("a-1", b, win)
	if !got.Done || got.Reason != "" {
		w.t.Fatalf("not enrolled: %+v", got)
	}
	return got.Number
}

func (w *world) change(number string, fn func(*directory.Rights)) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		h, err := directory.Badge(tx, number)
		if err != nil {
			return err
		}
		r := directory.RightsOf(h.Row)
		fn(&r)
		_, err = w.Change(tx, h, r, "u1")
		return err
	})
}

func TestWhichBadgesBegin(t *testing.T) {
	w := start(t).terminals()
	if r := w.tap("a-1", 1); r != wire.RefuseUnknownBadge {
		t.Errorf("a stranger: %q", r)
	}
	w.name(badge(2), w.now) // came where any badge opens: that makes nobody known
	if r := w.tap("a-1", 2); r != wire.RefuseUnknownBadge {
		t.Errorf("a passing badge: %q", r)
	}
	n := w.enrol(1, store.BadgeWindow{Kind: store.HolderPermanent, Group: "famille"})
	if r := w.tap("a-1", 1) + w.tap("b-1", 1); r != "" {
		t.Errorf("an enrolled badge: %q", r)
	}
	w.change(n, func(r *directory.Rights) { r.Sites = []string{"b"} })
	if a, b := w.tap("a-1", 1), w.tap("b-1", 1); a != wire.RefuseBadgeNotHere || b != "" {
		t.Errorf("a badge of b: %q on a, %q on b", a, b)
	}
	w.change(n, func(r *directory.Rights) { r.Sites, r.Expires = nil, w.now.Add(time.Hour) })
	if r := w.tap("a-1", 1); r != "" {
		t.Errorf("before its end: %q", r)
	}
	w.now = w.now.Add(time.Hour)
	if r := w.tap("a-1", 1); r != wire.RefuseBadgeExpired {
		t.Errorf("at its end: %q", r)
	}
	w.change(n, func(r *directory.Rights) { r.Expires, r.Disabled = time.Time{}, true })
	if r := w.tap("a-1", 1); r != wire.RefuseBadgeStopped {
		t.Errorf("stopped: %q", r)
	}
	w.change(n, func(r *directory.Rights) { r.Disabled, r.Lost = false, true })
	if r := w.tap("a-1", 1); r != wire.RefuseBadgeLost {
		t.Errorf("lost: %q", r)
	}
	w.change(n, func(r *directory.Rights) { r.Lost = false })
	if r := w.tap("a-1", 1); r != "" {
		t.Errorf("found again: %q", r)
	}
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error { it.Row.State = store.StateQuarantined; return nil })
	})
	if r := w.tap("a-1", 1); r != wire.RefuseQuarantined {
		t.Errorf("a terminal in quarantine: %q", r)
	}
}

func TestEnrolling(t *testing.T) {
	w := start(t).terminals()
	before := w.name(badge(1), w.now)
	n := w.enrol(1, store.BadgeWindow{Kind: store.HolderPermanent})
	if _, ok := directory.ReadNumber(directory.FormatNumber(n)); !ok {
		t.Errorf("the printed number is %q", n)
	}
	if after := w.name(badge(1), w.now); after != before {
		t.Error("who enrols in the middle of a month is counted twice in it")
	}
	if got := w.next("a-1", 1, store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderPermanent, Reason: "again"}); got.Reason != directory.WhyKnown || got.Number != n {
		t.Errorf("enrolled twice: %+v", got)
	}
	if got := w.next("b-1", 1, store.BadgeWindow{Action: directory.ActionFind}); got.Reason != directory.WhyOther || got.Number != "" {
		t.Errorf("another place learns %+v", got)
	}
	if got := w.next("b-1", 1, store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderPermanent}); got.Reason != directory.WhyOther || got.Number != "" {
		t.Errorf("another place enrols it: %+v", got)
	}
	if got := w.next("a-1", 1, store.BadgeWindow{Action: directory.ActionFind}); got.Reason != "" || got.Number != n {
		t.Errorf("found %+v", got)
	}
	if got := w.next("a-1", 9, store.BadgeWindow{Action: directory.ActionFind}); got.Reason != directory.WhyUnknown {
		t.Errorf("found %+v", got)
	}
	// The reader's word against it, another terminal, too late, and twice.
	open := func(id string) {
		w.decide(func(tx store.Tx) error {
			return w.Open(tx, store.Meta{ID: "a-1", Site: "a"}, id, store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderPermanent, By: "u1"})
		})
	}
	open("w1")
	if r := w.ask("b-1", wire.BadgeAsk{Window: "w1", Holder: badge(3)}).Reason; r == "" || w.window("w1").Done {
		t.Error("another terminal uses the window")
	}
	w.ask("a-1", wire.BadgeAsk{Window: "w1", Cannot: wire.RefuseRandomBadge})
	if got := w.window("w1"); got.Reason != string(wire.RefuseRandomBadge) || got.Number != "" {
		t.Errorf("a random badge: %+v", got)
	}
	open("w2")
	w.now = w.now.Add(directory.WindowFor + time.Second)
	if r := w.ask("a-1", wire.BadgeAsk{Window: "w2", Holder: badge(3)}).Reason; r == "" || w.tap("a-1", 3) == "" {
		t.Error("the window is open after its minute")
	}
	open("w3")
	for range 2 { // the first answer was lost
		if r := w.ask("a-1", wire.BadgeAsk{Window: "w3", Holder: badge(3)}).Reason; r != "" {
			t.Errorf("enrolling: %q", r)
		}
	}
	w.decide(func(tx store.Tx) error {
		if all, err := directory.Badges(tx, "a"); err != nil || len(all) != 2 {
			t.Errorf("%d badges, %v", len(all), err)
		}
		if all, err := directory.Badges(tx, "b"); err != nil || len(all) != 0 {
			t.Errorf("%d badges of the other place, %v", len(all), err)
		}
		return nil
	})
}

func TestDayBadges(t *testing.T) {
	w := start(t).terminals()
	n := w.enrol(1, store.BadgeWindow{Kind: store.HolderDay})
	if r := w.tap("a-1", 1); r != wire.RefuseBadgeNotGiven {
		t.Errorf("a day badge in its drawer: %q", r)
	}
	give := func(why string) {
		t.Helper()
		got := w.next("a-1", 1, store.BadgeWindow{Action: directory.ActionGive, Expires: w.now.Add(4 * time.Hour), Reason: "x"})
		if got.Reason != why || got.Number != n {
			t.Fatalf("given: %+v, want %q", got, why)
		}
	}
	give("")
	if a, b := w.tap("a-1", 1), w.tap("b-1", 1); a != "" || b != wire.RefuseBadgeNotHere {
		t.Errorf("given at a: %q on a, %q on b", a, b)
	}
	had := w.now
	first := w.name(badge(1), had)
	give(directory.WhyGiven)
	if got := w.next("a-1", 1, store.BadgeWindow{Action: directory.ActionReturn}); got.Reason != "" {
		t.Errorf("returned: %+v", got)
	}
	if r := w.tap("a-1", 1); r != wire.RefuseBadgeNotGiven {
		t.Errorf("after its return: %q", r)
	}
	drawer := w.now
	w.now = w.now.Add(time.Minute)
	give("")
	second := w.name(badge(1), w.now)
	if second == "" || second == first {
		t.Error("two people of one day badge are one in the figures")
	}
	if late := w.name(badge(1), had); late != first {
		t.Error("a late record of who had it first is another one's")
	}
	for _, at := range []time.Time{noon.Add(-time.Hour), drawer} {
		if late := w.name(badge(1), at); late != "" {
			t.Errorf("what was at %v, when nobody had it, is %s's", at, late)
		}
	}
	w.now = w.now.Add(5 * time.Hour) // nobody brought it back
	if r := w.tap("a-1", 1); r != wire.RefuseBadgeNotGiven {
		t.Errorf("after the closing: %q", r)
	}
	give("")
	w.enrol(2, store.BadgeWindow{Kind: store.HolderPermanent})
	for _, action := range []string{directory.ActionGive, directory.ActionReturn} {
		if got := w.next("a-1", 2, store.BadgeWindow{Action: action, Expires: w.now.Add(time.Hour)}); got.Reason != directory.WhyNotDay {
			t.Errorf("%s of a permanent badge: %+v", action, got)
		}
	}
}

func TestQuestionsOfNoTerminal(t *testing.T) {
	w := start(t).terminals()
	for _, a := range []wire.BadgeAsk{{}, {ID: "q"}, {ID: "q", Holder: []byte("short")}, {ID: "q", Holder: badge(1), Code: "ACDE2345"}, {ID: "q", Code: "acde2345"},
		{ID: "q", Code: "ACDE234O"}, {ID: "q", Cannot: "random-badge"}, {ID: "q", Window: "w", Cannot: "x", Holder: badge(1)}, {ID: strings.Repeat("q", 65), Holder: badge(1)},
		{ID: "q", Window: strings.Repeat("w", 200), Holder: badge(1)}} {
		err := w.st.Decide(ctx, func(tx store.Tx) error { _, err := w.Ask(tx, "a-1", a); return err })
		if !errors.Is(err, directory.ErrAsk) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// TestTheSchemaHasNoName: what is kept of a holder can name nobody.
func TestTheSchemaHasNoName(t *testing.T) {
	allowed := []string{"h2", "kind", "number", "group", "sites", "disabled", "expires", "lost", "turns", "until", "created", "seen"}
	h := reflect.TypeFor[store.Holder]()
	for i := range h.NumField() {
		name, _, _ := strings.Cut(h.Field(i).Tag.Get("json"), ",")
		if !slices.Contains(allowed, name) {
			t.Errorf("a holder has the field %q: is it a name, a birth date, or does it lead to one? If not, add it here, and to the DPO's page", name)
		}
	}
}

func TestNumbersFindMistakes(t *testing.T) {
	w := start(t).terminals()
	n := w.enrol(1, store.BadgeWindow{Kind: store.HolderPermanent})
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(n)-1).Draw(t, "place")
		b := []byte(n)
		if rapid.Bool().Draw(t, "swap") && i > 0 {
			b[i-1], b[i] = b[i], b[i-1]
		} else {
			b[i] = '0' + rapid.SampledFrom([]byte("0123456789")).Draw(t, "digit") - '0'
		}
		if got, ok := directory.ReadNumber(string(b)); ok && got != n {
			t.Errorf("%s is taken for a number: %s was meant", b, n)
		}
	})
	for _, s := range []string{"", "1", n + "0", n[:8], n[:8] + "x"} {
		if _, ok := directory.ReadNumber(s); ok {
			t.Errorf("%q is a number", s)
		}
	}
}

func FuzzReadNumber(f *testing.F) {
	f.Add("123 456 789")
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := directory.ReadNumber(s)
		if !ok {
			return
		}
		if again, ok := directory.ReadNumber(directory.FormatNumber(n)); !ok || again != n || len(n) != 9 {
			t.Errorf("%q is read as %q, and that as %q", s, n, again)
		}
	})
}

func askOf(b byte) wire.BadgeAsk { return wire.BadgeAsk{ID: "q", Holder: badge(b)} }

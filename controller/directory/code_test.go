package directory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/directory"
	"borne/controller/store"
	"borne/controller/wire"
)

func (w *world) codes(n int, until time.Time) (sheet string, codes []string) {
	w.t.Helper()
	w.decide(func(tx store.Tx) (err error) {
		sheet, codes, err = w.Codes(tx, "a", "famille", n, until, "u1")
		return err
	})
	return sheet, codes
}

func TestDayCodesOpenOnce(t *testing.T) {
	w := start(t).terminals()
	_, codes := w.codes(3, w.now.Add(6*time.Hour))
	if u := slices.Compact(slices.Sorted(slices.Values(codes))); len(u) != 3 {
		t.Fatalf("codes %v", codes)
	}
	for _, c := range codes {
		if read, ok := wire.ReadCode(strings.ToLower(c[:4] + "-" + c[4:])); !ok || read != c {
			t.Errorf("%s is typed and read as %q", c, read)
		}
	}
	if r := w.ask("b-1", wire.BadgeAsk{Code: codes[0]}).Reason; r != wire.RefuseCodeWrong {
		t.Errorf("on another site: %q", r)
	}
	first := w.ask("a-1", wire.BadgeAsk{Code: codes[0]})
	if first.Reason != "" || len(first.Holder) != wire.H1Size {
		t.Fatalf("a good code: %+v", first)
	}
	if again := w.ask("a-1", wire.BadgeAsk{Code: codes[0]}); !bytes.Equal(again.Holder, first.Holder) {
		t.Errorf("typed again before the session: %+v", again)
	}
	// Its session has a pseudonym and an account as a badge's has.
	name := w.name(first.Holder, w.now)
	second := w.ask("a-1", wire.BadgeAsk{Code: codes[1]})
	if other := w.name(second.Holder, w.now); name == "" || other == name {
		t.Errorf("two codes are called %q and %q", name, other)
	}
	if r := w.ask("a-1", wire.BadgeAsk{Code: codes[0]}).Reason; r != wire.RefuseCodeUsed {
		t.Errorf("after its session began: %q", r)
	}
	if r := w.tap("a-1", first.Holder[0]); r == "" { // some badge
		t.Error("a badge that nobody enrolled opens")
	}
	if r := w.ask("a-1", wire.BadgeAsk{Holder: first.Holder}).Reason; r != wire.RefuseUnknownBadge {
		t.Errorf("what stands for a code is taken for a badge: %q", r)
	}
	w.ask("a-1", wire.BadgeAsk{Code: codes[2]})
	w.now = w.now.Add(11 * time.Minute)
	if r := w.ask("a-1", wire.BadgeAsk{Code: codes[2]}).Reason; r != wire.RefuseCodeUsed {
		t.Errorf("typed long ago: %q", r)
	}
	_, late := w.codes(1, w.now.Add(time.Hour))
	w.now = w.now.Add(time.Hour)
	if r := w.ask("a-1", wire.BadgeAsk{Code: late[0]}).Reason; r != wire.RefuseCodeLate {
		t.Errorf("after the closing: %q", r)
	}
}

func TestNoCodeIsKept(t *testing.T) {
	w := start(t).terminals()
	sheet, codes := w.codes(10, w.now.Add(6*time.Hour))
	w.ask("a-1", wire.BadgeAsk{Code: codes[0]})
	w.decide(func(tx store.Tx) error {
		for _, r := range store.Rows() {
			for m, doc := range tx.List(r.Table(), "", "", false) {
				meta, _ := json.Marshal(m)
				for _, c := range codes {
					if bytes.Contains(doc, []byte(c)) || bytes.Contains(meta, []byte(c)) {
						t.Errorf("table %s holds the code %s", r.Table(), c)
					}
				}
			}
		}
		if n, err := w.Cancel(tx, "a", sheet, "u1"); err != nil || n != 9 {
			t.Errorf("cancelled %d, %v", n, err)
		}
		if _, err := w.Cancel(tx, "b", sheet, "u1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another place cancels: %v", err)
		}
		return nil
	})
	if r := w.ask("a-1", wire.BadgeAsk{Code: codes[1]}).Reason; r != wire.RefuseCodeWrong {
		t.Errorf("a cancelled code: %q", r)
	}
}

func TestCodesAreBounded(t *testing.T) {
	w := start(t).terminals()
	try := func(n int, until time.Time) error {
		return w.st.Decide(ctx, func(tx store.Tx) error { _, _, err := w.Codes(tx, "a", "", n, until, "u1"); return err })
	}
	for _, err := range []error{try(0, w.now.Add(time.Hour)), try(directory.MaxCodes+1, w.now.Add(time.Hour))} {
		if !errors.Is(err, directory.ErrCodes) {
			t.Error(err)
		}
	}
	if err := try(1, w.now); !errors.Is(err, directory.ErrLate) {
		t.Errorf("after the closing: %v", err)
	}
	for range 10 {
		w.codes(directory.MaxCodes, w.now.Add(time.Hour))
	}
	if err := try(1, w.now.Add(time.Hour)); !errors.Is(err, directory.ErrCodes) {
		t.Errorf("without end: %v", err)
	}
	w.now = w.now.Add(26 * time.Hour)
	n := 0
	w.decide(func(tx store.Tx) (err error) {
		n, err = directory.SweepCodes(tx, w.now.Add(-24*time.Hour), w.now)
		return err
	})
	if n != 500 {
		t.Errorf("%d codes are swept at once", n)
	}
}

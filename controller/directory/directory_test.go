package directory_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"
	"time"

	"borne/controller/directory"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
	h1   = bytes.Repeat([]byte{7}, 32)
)

type world struct {
	*directory.Directory
	t   *testing.T
	st  store.Store
	now time.Time
}

func start(t *testing.T) *world {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, st: st, now: noon}
	if w.Directory, err = directory.New(bytes.Repeat([]byte{1}, 32), func() time.Time { return w.now }); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) name(h1 []byte, at time.Time) (s string) {
	w.t.Helper()
	err := w.st.Decide(ctx, func(tx store.Tx) error {
		b, err := w.Pseudonym(tx, h1, at)
		s = hex.EncodeToString(b)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestPseudonymsHoldForOneMonth(t *testing.T) {
	w := start(t)
	a := w.name(h1, noon)
	if a == "" || a != w.name(h1, noon.AddDate(0, 0, 1)) {
		t.Errorf("one badge in one month: %q, %q", a, w.name(h1, noon.AddDate(0, 0, 1)))
	}
	if other := w.name(bytes.Repeat([]byte{8}, 32), noon); other == a || other == "" {
		t.Errorf("two badges have the name %q", a)
	}
	w.now = noon.AddDate(0, 1, 0)
	if next := w.name(h1, w.now); next == a || next == "" {
		t.Errorf("the next month has the name %q again", next)
	}
	// Late records of the month before still get its name.
	if late := w.name(h1, noon); late != a {
		t.Errorf("a late record gets %q, want %q", late, a)
	}
}

func TestNothingOfTheBadgeIsKept(t *testing.T) {
	w := start(t)
	name := w.name(h1, noon)
	err := w.st.View(ctx, func(tx store.Tx) error {
		holders := 0
		for m, doc := range tx.List(store.KindHolder, "", "", false) {
			holders++
			if bytes.Contains(doc, []byte(hex.EncodeToString(h1))) || bytes.Contains(doc, []byte(name)) || m.ID == name {
				t.Errorf("the holder's row %s links badge and sessions: %s", m.ID, doc)
			}
		}
		if holders != 1 {
			t.Errorf("%d holders", holders)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Another pepper makes other names: the store alone does not tell who.
	other, err := directory.New(bytes.Repeat([]byte{2}, 32), func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	w.Directory = other
	if w.name(h1, noon) == name {
		t.Error("the name does not depend on the pepper")
	}
}

func TestKeysAreDestroyed(t *testing.T) {
	w := start(t)
	w.name(h1, noon)
	destroy := w.destroy
	w.now = time.Date(2026, 5, 15, 0, 0, 0, 0, time.UTC)
	if n := destroy(); n != 0 {
		t.Errorf("%d keys went while late records may come", n)
	}
	w.now = time.Date(2026, 5, 17, 0, 0, 0, 0, time.UTC)
	if n := destroy(); n != 1 {
		t.Errorf("%d keys went, want March's", n)
	}
	if s := w.name(h1, noon); s != "" {
		t.Errorf("a month whose key is destroyed gives %q", s)
	}
	if n := destroy(); n != 0 {
		t.Error("asking for a name made the key again")
	}
}

// destroy does what retention does each day.
func (w *world) destroy() (n int) {
	w.t.Helper()
	if err := w.st.Decide(ctx, func(tx store.Tx) (err error) { n, err = directory.DestroyKeys(tx, w.now); return err }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestAbsurdTimesGiveNoName(t *testing.T) {
	w := start(t)
	for _, at := range []time.Time{{}, time.Unix(0, 0), noon.AddDate(1, 0, 0)} {
		if s := w.name(h1, at); s != "" {
			t.Errorf("a record of %v gets %q", at, s)
		}
	}
	if s := w.name(nil, noon); s != "" {
		t.Errorf("no badge gets %q", s)
	}
	err := w.st.Decide(ctx, func(tx store.Tx) error { _, err := w.Pseudonym(tx, []byte("short"), noon); return err })
	if err == nil {
		t.Error("an h1 of 5 bytes is taken")
	}
}

func TestUnusedHoldersAreForgotten(t *testing.T) {
	w := start(t)
	w.name(h1, noon)
	forget := func(before time.Time) (n int) {
		if err := w.st.Decide(ctx, func(tx store.Tx) (err error) { n, err = directory.Forget(tx, before, w.now, 10); return err }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := forget(noon); n != 0 {
		t.Errorf("%d holders of this month went", n)
	}
	if n := forget(noon.AddDate(0, 1, 0)); n != 1 {
		t.Errorf("%d holders went, want 1", n)
	}
}

func TestCutPepper(t *testing.T) {
	if _, err := directory.New(make([]byte, 5), time.Now); err == nil {
		t.Error("a cut pepper is used")
	}
}

// TestAccountsOfTheLedger: an account holds for one month, and is no session's
// pseudonym.
func TestAccountsOfTheLedger(t *testing.T) {
	w := start(t)
	account := func(at time.Time) (s string) {
		t.Helper()
		err := w.st.Decide(ctx, func(tx store.Tx) error {
			b, err := w.Account(tx, h1, at, at)
			s = hex.EncodeToString(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := account(noon)
	if len(a) != 32 || a != account(noon.AddDate(0, 0, 1)) || a == w.name(h1, noon) {
		t.Errorf("the account is %q, then %q; the pseudonym %q", a, account(noon.AddDate(0, 0, 1)), w.name(h1, noon))
	}
	w.now = noon.AddDate(0, 1, 0)
	if next := account(w.now); next == a || next == "" {
		t.Errorf("the next month has the account %q again", next)
	}
	w.now = noon.AddDate(0, 4, 0)
	if gone := account(noon); gone != "" {
		t.Errorf("a month that is over has the account %q", gone)
	}
}

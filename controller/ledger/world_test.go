package ledger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/compliance"
	"borne/controller/directory"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a controller with two terminals: store, directory, rules and ledger
// are real ones.
type world struct {
	t      testing.TB
	dir    string
	st     *bolt.Store
	led    *Ledger
	rules  *compliance.Rules
	badges *directory.Directory
	now    time.Time
	seq    map[string]uint64
}

func h1(n int) []byte { return bytes.Repeat([]byte{byte(n)}, h1Size) }

func newWorld(t testing.TB, printing string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), seq: map[string]uint64{}}
	now := func() time.Time { return w.now }
	var err error
	w.badges, err = directory.New(bytes.Repeat([]byte{3}, 32), now)
	must(t, err)
	w.led = New(Config{Now: now, Account: w.badges.Account, Group: w.badges.Group, Policy: compliance.Effective})
	w.rules = compliance.New(compliance.Config{Now: now, Printed: w.led.Printed})
	w.open()
	t.Cleanup(func() { w.st.Close() })
	w.decide(func(tx store.Tx) error {
		for _, id := range []string{"t1", "t2"} {
			must(t, store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: id, Site: "s1", Scope: "e1"}, Row: store.Terminal{Space: "e1", Name: id, State: store.StateActive}}))
			must(t, tx.SetCursor(id, store.Cursor{Epoch: 1}))
		}
		return nil
	})
	w.policy(printing)
	return w
}

func (w *world) open() {
	w.t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: filepath.Join(w.dir, "store"), Apply: w.rules.Apply, Journal: 1 << 20})
	must(w.t, err)
	w.st = st
}

func (w *world) decide(fn func(store.Tx) error) {
	w.t.Helper()
	must(w.t, w.st.Decide(w.t.Context(), fn))
}

func (w *world) policy(printing string) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.PolicyRow](tx, store.PolicyGlobal)
		if err != nil {
			it = store.Item[store.PolicyRow]{Meta: store.Meta{ID: store.PolicyGlobal}}
		}
		it.Row.Doc = json.RawMessage(`{"printing":` + printing + `}`)
		it.Row.Version++
		return store.Put(tx, it)
	})
}

func (w *world) ask(terminal, job string, holder []byte, pages int) (a wire.PrintAnswer) {
	w.t.Helper()
	w.decide(func(tx store.Tx) (err error) {
		a, err = w.led.Ask(tx, terminal, wire.PrintAsk{Job: job, Session: "s-" + terminal, Holder: holder, Units: wire.Units(pages) * wire.UnitsPerPage})
		return err
	})
	return a
}

// record sends a record as the fleet does: the badge's account stands for it.
func (w *world) record(terminal, kind string, body any) {
	w.t.Helper()
	w.seq[terminal]++
	r := wire.Record{Epoch: 1, Seq: w.seq[terminal], Kind: kind, At: w.now}
	if p, ok := body.(wire.Printed); ok && len(p.Holder) > 0 {
		w.decide(func(tx store.Tx) (err error) {
			p.Holder, err = w.led.Account(tx, terminal, p, r.At)
			return err
		})
		body = p
	}
	b, err := json.Marshal(body)
	must(w.t, err)
	r.Body = b
	_, err = w.st.Ingest(w.t.Context(), terminal, wire.Batch{Epoch: 1, Records: []wire.Record{r}})
	must(w.t, err)
}

func (w *world) job(terminal, id string) (row job) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		j, known, err := find(tx, store.Meta{ID: terminal}, id, w.now)
		if !known {
			return fmt.Errorf("job %s is not known: %v", id, err)
		}
		row = j
		return err
	})
	return row
}

// account is the badge's in the month of now.
func (w *world) account(holder []byte) (row store.Account) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		id, err := w.badges.Account(tx, holder, noon(w.led.day(w.now)), w.now)
		must(w.t, err)
		a, err := open(tx, hex.EncodeToString(id), w.led.day(w.now))
		row = a.Row
		return err
	})
	return row
}

func printed(job string, holder []byte, outcome wire.Outcome, reserved, charged int) wire.Printed {
	return wire.Printed{Job: job, Session: "s-t1", Outcome: outcome, Reserved: wire.Units(reserved) * 100, Charged: wire.Units(charged) * 100,
		Impressions: charged, Sheets: charged, Asked: reserved, Holder: holder}
}

// enrol makes a badge known in a quota group.
func (w *world) enrol(badge []byte, group string) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		id := "enrol-" + hex.EncodeToString(badge[:4])
		must(w.t, w.badges.Open(tx, store.Meta{ID: "t1", Site: "s1"}, id, store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderPermanent, Group: group, By: "u1"}))
		a, err := w.badges.Ask(tx, "t1", wire.BadgeAsk{ID: "q", Window: id, Holder: badge})
		if !a.Allowed {
			w.t.Errorf("a badge of %q is not enrolled: %+v", group, a)
		}
		return err
	})
}

// begin opens a session at t1 without the permit that the rules would ask for.
func (w *world) begin() {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.SessionRow]{Meta: store.Meta{ID: store.TimeID(w.now, "s-t1"), Site: "s1", Scope: "t1"},
			Row: store.SessionRow{Session: "s-t1", Terminal: "t1", Begun: w.now}})
	})
}

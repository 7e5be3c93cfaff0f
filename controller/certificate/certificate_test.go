package certificate

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

func TestAMonth(t *testing.T) {
	w := newWorld(t)
	w.now = time.Date(2026, 2, 28, 20, 0, 0, 0, time.UTC)
	p, q := w.place("1"), w.place("2")
	p.play(3) // of February
	// Begun on the last minute of March in Paris, wiped in April.
	w.now = march
	p.play(4)
	s, permit := p.begin()
	p.end(s, permit, wire.EndRestart, func(r *wire.Receipt) { r.Level, r.Props = wire.LevelReduced, r.Props[1:] })
	w.now = time.Date(2026, 3, 31, 21, 59, 0, 0, time.UTC)
	s, permit = p.begin()
	p.end(s, permit, wire.EndCrash, nil)
	p.play(2) // of April
	q.play(1)

	c := w.certify("2026-03")
	want := Tally{Sessions: Count{N: 6}, Clean: Count{N: 6}, Full: Count{N: 5}, Reduced: Count{N: 1}, Power: Count{Hidden: HiddenFew}, Crash: Count{Hidden: HiddenFew}}
	if c.Total != want || len(c.Terminals) != 2 || c.Terminals[0].Tally != want || c.Terminals[1].Tally != (Tally{}) {
		t.Errorf("%+v", c)
	}
	if c.Name != "Collège du Lac" || c.Running || c.Simulated || len(c.Findings)+len(c.Refused)+len(c.Quarantines)+len(c.Erased) > 0 || !c.Audit.Holds {
		t.Errorf("%+v", c)
	}
	if c.Terminals[0].Chain != ChainHolds || len(c.Terminals[0].Heads) != 1 || c.Terminals[1].Chain != ChainNone {
		t.Errorf("chains %+v", c.Terminals)
	}
	if c := w.certify("2026-04"); !c.Running || c.Total.Sessions.Hidden != HiddenFew || c.Terminals[0].Chain != ChainHolds {
		t.Errorf("April: %+v", c)
	}
	// What leaves the controller names no session and no time of one.
	doc, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(doc), "session-") {
		t.Errorf("the certificate names a session: %s", doc)
	}
}

func TestWhatWasNotProven(t *testing.T) {
	w := newWorld(t)
	p, q, r, x := w.place("1"), w.place("2"), w.place("3"), w.place("4")
	p.play(5)
	s, permit := p.begin() // found something: refused, lifted by a challenge
	p.end(s, permit, wire.EndRestart, func(r *wire.Receipt) { r.Checks[0].Result = wire.Found })
	p.lift(func(r *wire.Receipt) { r.Checks[1].Result = wire.Found })
	p.lift(nil)
	p.play(1)
	q.begin() // never heard of again, and stopped for it
	w.decide(func(tx store.Tx) error { return w.rules.Connected(tx, q.id, 1000*time.Hour) })
	r.begin() // goes on
	s, permit = x.begin()
	x.end(s, permit, wire.EndButton, func(r *wire.Receipt) { r.Nonce = []byte("another") })
	x.record(wire.KindReceipt, "no receipt at all")

	c := w.certify("2026-03")
	total := Tally{Sessions: Count{N: 10}, Clean: Count{N: 6}, Full: Count{N: 6}, Power: Count{Hidden: HiddenFew}, Failed: 2, Missing: 1, Awaited: 1, Rough: 1, Challenges: 1, Unproven: 1}
	if c.Total != total {
		t.Errorf("total %+v, want %+v", c.Total, total)
	}
	var reasons []wire.Reason
	for _, f := range c.Refused {
		reasons = append(reasons, f.Reason)
	}
	if !slices.Equal(reasons, []wire.Reason{wire.QuarReceiptFailed, wire.QuarReceiptFailed, wire.QuarReceiptStale}) {
		t.Errorf("refused %v", reasons)
	}
	var ends []string
	for _, q := range c.Quarantines {
		ends = append(ends, q.Terminal+" "+string(q.Reason)+" "+string(q.End))
	}
	if c.Quarantines[0].Since != "2026-03-02" || c.Refused[0].On != "2026-03-02" {
		t.Errorf("days: %+v, %+v", c.Quarantines[0], c.Refused[0])
	}
	if want := []string{"Poste 1 receipt-failed released", "Poste 2 receipt-missing open", "Poste 4 receipt-stale open"}; !slices.Equal(ends, want) {
		t.Errorf("quarantines %q, want %q", ends, want)
	}
	if len(c.Findings) > 0 || c.Terminals[0].Chain != ChainHolds || len(c.Terminals[0].Heads) != 3 {
		t.Errorf("a terminal that fails honestly leaves no finding: %+v, chain %s, %d heads", c.Findings, c.Terminals[0].Chain, len(c.Terminals[0].Heads))
	}
	if c := w.certify("2026-02"); len(c.Quarantines) > 0 {
		t.Errorf("quarantines of March are in February: %+v", c.Quarantines)
	}
	w.now = time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC)
	if c := w.certify("2026-04"); len(c.Quarantines) != 2 || c.Quarantines[0].Terminal != "Poste 2" {
		t.Errorf("April holds more than what still lasts: %+v", c.Quarantines)
	}
}

// TestStoredVerdictsAreNotBelieved changes the store behind the rules' back.
func TestStoredVerdictsAreNotBelieved(t *testing.T) {
	change := func(it store.Item[store.ReceiptRow], fn func(*store.ReceiptRow)) func(store.Tx) error {
		return func(tx store.Tx) error {
			fn(&it.Row)
			return store.Put(tx, it)
		}
	}
	reseal := func(key ed25519.PrivateKey, row *store.ReceiptRow, fn func(*wire.Receipt)) {
		var r wire.Receipt
		if err := json.Unmarshal(row.Envelope.Payload, &r); err != nil {
			t.Fatal(err)
		}
		fn(&r)
		env, err := wire.Seal(key, wire.DomainReceipt, r)
		if err != nil {
			t.Fatal(err)
		}
		row.Envelope = env
	}
	for name, c := range map[string]struct {
		want  []Code
		clean int // of the nine that were played
		do    func(p *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error
	}{
		"untouched": {nil, 9, func(*place, []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(store.Tx) error { return nil }
		}},
		"another payload": {[]Code{FoundSignature, FoundGap}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return change(all[3], func(r *store.ReceiptRow) {
				r.Envelope.Payload = append([]byte(nil), r.Envelope.Payload...)
				r.Envelope.Payload[10] ^= 1
			})
		}},
		"another key": {[]Code{FoundSignature, FoundGap}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return change(all[3], func(r *store.ReceiptRow) {
				reseal(seed(77), r, func(*wire.Receipt) {})
			})
		}},
		"another digest": {[]Code{FoundDigest, FoundGap}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return change(all[3], func(r *store.ReceiptRow) { r.Digest = strings.Repeat("0", 64) })
		}},
		"signed anew by a stolen key": {[]Code{FoundDigest, FoundGap}, 8, func(p *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return change(all[3], func(r *store.ReceiptRow) { reseal(p.key, r, func(r *wire.Receipt) { r.WipeMS = 1 }) })
		}},
		"signed anew, with its digest": {[]Code{FoundLink}, 9, func(p *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return change(all[3], func(r *store.ReceiptRow) {
				reseal(p.key, r, func(r *wire.Receipt) { r.WipeMS = 1 })
				r.Digest = hex.EncodeToString(r.Envelope.Digest())
			})
		}},
		"accepted afterwards": {[]Code{FoundVerdict}, 9, func(p *place, _ []store.Item[store.ReceiptRow]) func(store.Tx) error {
			s, permit := p.begin()
			p.end(s, permit, wire.EndButton, func(r *wire.Receipt) { r.Checks[2].Result = wire.Found })
			var bad store.Item[store.ReceiptRow]
			for _, it := range p.receipts() {
				bad = it
			}
			return change(bad, func(r *store.ReceiptRow) { r.Verdict, r.Reason = store.VerdictAccepted, "" })
		}},
		"one taken away": {[]Code{FoundGap}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.Delete(store.KindReceipt, all[3].ID) }
		}},
		"the first taken away": {[]Code{FoundGap}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.Delete(store.KindReceipt, all[0].ID) }
		}},
		"the newest taken away": {[]Code{FoundHead}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.Delete(store.KindReceipt, all[8].ID) }
		}},
		"another permit": {[]Code{FoundNonce}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(tx store.Tx) error {
				return store.Update(tx, all[3].Row.Permit, func(it *store.Item[store.PermitRow]) error {
					env, err := wire.Seal(seed(9), wire.DomainPermit, wire.Permit{ID: it.ID, Terminal: it.Row.Terminal, Nonce: []byte("another")})
					it.Row.Envelope = env
					return err
				})
			}
		}},
		"the permit taken away": {[]Code{FoundNonce}, 8, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.Delete(store.KindPermit, all[3].Row.Permit) }
		}},
		"the link to the session cut": {nil, 9, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(tx store.Tx) error {
				s, err := store.First(store.Find[store.SessionRow](tx, "session", all[3].Row.Session))
				if err != nil {
					return err
				}
				s.Row.Receipt = ""
				return store.Put(tx, s)
			}
		}},
		"the session led to another's receipt": {nil, 9, func(_ *place, all []store.Item[store.ReceiptRow]) func(store.Tx) error {
			return func(tx store.Tx) error {
				s, err := store.First(store.Find[store.SessionRow](tx, "session", all[3].Row.Session))
				if err != nil {
					return err
				}
				s.Row.Receipt = all[5].ID
				return store.Put(tx, s)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.place("1")
			p.play(9)
			w.decide(c.do(p, p.receipts()))
			got := w.certify("2026-03")
			if codes := got.codes(); !slices.Equal(codes, c.want) || got.Total.Clean.N != c.clean {
				t.Errorf("findings %v, %d clean; want %v, %d", codes, got.Total.Clean.N, c.want, c.clean)
			}
			if broken := got.Terminals[0].Chain == ChainBroken; broken != slices.ContainsFunc(c.want, func(k Code) bool { return k == FoundGap || k == FoundLink || k == FoundHead }) {
				t.Errorf("the chain is %s with %v", got.Terminals[0].Chain, c.want)
			}
		})
	}
}

func (p *place) receipts() (all []store.Item[store.ReceiptRow]) {
	p.w.t.Helper()
	p.w.decide(func(tx store.Tx) error {
		all = nil
		for it, err := range store.Find[store.ReceiptRow](tx, "terminal", p.id) {
			if err != nil {
				return err
			}
			all = append(all, it)
		}
		return nil
	})
	return all
}

func TestHardwareBefore(t *testing.T) {
	w := newWorld(t)
	p := w.place("1")
	p.play(3)
	w.decide(func(tx store.Tx) error { return w.rules.Quarantine(tx, p.id, wire.QuarClone, "", "") })
	old := p.key
	p.key, p.head = seed(50), wire.ChainHead{}
	renew := func(past ...[]byte) {
		w.decide(func(tx store.Tx) error {
			return store.Update(tx, p.id, func(t *store.Item[store.Terminal]) error {
				t.Row.ReceiptKey, t.Row.PastKeys, t.Row.Chain, t.Row.State = p.key.Public().(ed25519.PublicKey), past, p.head, store.StateActive
				return nil
			})
		})
	}
	renew(old.Public().(ed25519.PublicKey))
	before := p.row()
	w.decide(func(tx store.Tx) error { return w.audit(tx, "replaced", before) })
	p.play(3)
	c := w.certify("2026-03")
	if c.Total.Clean.N != 6 || len(c.Findings) > 0 || len(c.Terminals[0].Heads) != 2 {
		t.Errorf("%+v", c)
	}
	if len(c.Quarantines) != 1 || c.Quarantines[0].End != EndReplaced || c.Quarantines[0].Until != "2026-03-02" {
		t.Errorf("quarantines %+v", c.Quarantines)
	}
	renew() // without the key before, its receipts prove nothing
	if c := w.certify("2026-03"); c.Total.Clean.N != 3 || len(c.Findings) < 3 {
		t.Errorf("%+v", c)
	}
}

func TestAfterRetention(t *testing.T) {
	w := newWorld(t)
	p := w.place("1")
	p.play(9)
	all := p.receipts()
	w.decide(func(tx store.Tx) error {
		for _, it := range all[:3] {
			if err := errors.Join(tx.Delete(store.KindReceipt, it.ID), tx.Delete(store.KindPermit, it.Row.Permit)); err != nil {
				return err
			}
		}
		for _, s := range p.sessions(tx)[:3] {
			if err := tx.Delete(store.KindSession, s); err != nil {
				return err
			}
		}
		for _, k := range []store.Kind{store.KindReceipt, store.KindSession} {
			if err := store.Put(tx, store.Item[store.Purge]{Meta: store.Meta{ID: store.TimeID(w.now, string(k))}, Row: store.Purge{At: w.now, What: string(k), Before: march.Add(9 * time.Minute), Count: 3}}); err != nil {
				return err
			}
		}
		return nil
	})
	c := w.certify("2026-03")
	if !slices.Equal(c.Erased, []string{"session", "receipt"}) || c.Terminals[0].Chain != ChainOpen || len(c.Findings) > 0 || c.Total.Clean.N != 6 {
		t.Errorf("%+v", c)
	}
}

func (p *place) sessions(tx store.Tx) (ids []string) {
	for it := range store.Find[store.SessionRow](tx, "terminal", p.id) {
		ids = append(ids, it.ID)
	}
	return ids
}

func TestSimulated(t *testing.T) {
	w := newWorld(t)
	p := w.place("1")
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, p.id, func(t *store.Item[store.Terminal]) error { t.Row.Sim = true; return nil })
	})
	s, permit := p.begin()
	p.end(s, permit, wire.EndButton, func(r *wire.Receipt) { r.Sim = true })
	if c := w.certify("2026-03"); !c.Simulated {
		t.Error("a simulated terminal's certificate does not say so")
	}
}

func TestMonths(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{"", "2026", "2026-13", "2026-04", "1999-01", "march", "2026-03-02"} {
		err := w.st.View(t.Context(), func(tx store.Tx) error {
			_, err := Build(tx, Ask{Site: "s", Month: bad, Zone: policy.Location(), Now: w.now})
			return err
		})
		if !errors.Is(err, ErrMonth) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := w.st.View(t.Context(), func(tx store.Tx) error {
		_, err := Build(tx, Ask{Site: "none", Month: "2026-03", Zone: policy.Location(), Now: w.now})
		return err
	}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown site: %v", err)
	}
}

func TestSmallCounts(t *testing.T) {
	for _, c := range []struct {
		sessions []int
		want     []string
		total    string
	}{
		{[]int{0, 0}, []string{"0", "0"}, "0"},
		{[]int{12}, []string{"12"}, "12"},
		{[]int{3}, []string{"few"}, "few"},
		{[]int{1, 2}, []string{"few", "few"}, "few"},
		{[]int{3, 20}, []string{"few", "guard"}, "23"},
		{[]int{3, 20, 9}, []string{"few", "20", "guard"}, "32"},
		{[]int{1, 2, 30}, []string{"few", "few", "guard"}, "33"},
		{[]int{4, 3, 30}, []string{"few", "few", "30"}, "37"},
		{[]int{0, 5, 30}, []string{"0", "5", "30"}, "35"},
	} {
		show := func(c Count) string {
			if c.Hidden != "" {
				return c.Hidden
			}
			b, _ := json.Marshal(c.N)
			return string(b)
		}
		var all []*sums
		for _, n := range c.sessions {
			all = append(all, &sums{sessions: n, clean: n, missing: 1})
		}
		got := make([]string, len(all))
		total := disclose(all, func(i int, tally Tally) {
			got[i] = show(tally.Sessions)
			if show(tally.Clean) != got[i] || tally.Missing != 1 {
				t.Errorf("%v: terminal %d: %+v", c.sessions, i, tally)
			}
		})
		if !slices.Equal(got, c.want) || show(total.Sessions) != c.total {
			t.Errorf("%v: %v of %s, want %v of %s", c.sessions, got, show(total.Sessions), c.want, c.total)
		}
	}
}

package card

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"borne/hw"
)

const (
	master1 = "00112233445566778899aabbccddeeff"
	master2 = "102132435465768798a9babbdcddfe0f"
	master3 = "f0e0d0c0b0a090807060504030201000"
	master4 = "a1a2a3a4a5a6a7a8a9aaabacadaeafb0"
)

func allKeys(t testing.TB) Keys {
	return Keys{
		Mutual:  &MasterKey{Key: key(t, master1), Number: 1, Diversified: true, System: []byte{0xD2, 0x76}},
		Privacy: &MasterKey{Key: key(t, master2), Number: 2},
		SUN:     &SUN{Meta: key(t, master3), File: MasterKey{Key: key(t, master4), Diversified: true}, URL: "https://badge.example/", PICC: "picc_data", MAC: "cmac", FileID: 0xE104},
	}
}

// ours is a card with all keys.
func ours(t testing.TB, k Keys) *fakeCard {
	c := &fakeCard{t: t, uid: [7]byte{4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80}, keys: map[byte]Key{}, counter: 7}
	for _, m := range []*MasterKey{k.Mutual, k.Privacy} {
		if m == nil {
			continue
		}
		own, err := m.Of(c.uid[:])
		if err != nil {
			t.Fatal(err)
		}
		c.keys[m.Number] = own
	}
	if k.SUN != nil {
		own, err := k.SUN.File.Of(c.uid[:])
		if err != nil {
			t.Fatal(err)
		}
		c.meta, c.file, c.url = k.SUN.Meta, own, c.sunURL
	}
	return c
}

func prover(t testing.TB, k Keys) *Prover {
	t.Helper()
	bk, err := hw.NewBadgeKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewCounters(4)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProver(k, Options{Badge: bk, Counters: n})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var shownRandom = []byte{0x08, 1, 2, 3}

func TestProve(t *testing.T) {
	all := allKeys(t)
	sunOnly := Keys{SUN: all.SUN}
	mutualOnly := Keys{Mutual: all.Mutual}
	noPrivacy := Keys{Mutual: all.Mutual, SUN: all.SUN}
	flat := Keys{Mutual: &MasterKey{Key: all.Mutual.Key, Number: 1}}
	flip := func(at, i int) func(*fakeCard) {
		return func(c *fakeCard) {
			c.change = func(n int, b []byte) []byte {
				if n == at {
					b[i] ^= 0x40
				}
				return b
			}
		}
	}
	uidOnly := hw.Proof{Assurance: hw.AssuranceUID}
	suspect := hw.Proof{Assurance: hw.AssuranceUID, Suspect: true}
	mutual := hw.Proof{Assurance: hw.AssuranceMutual}
	dynamic := hw.Proof{Assurance: hw.AssuranceDynamic, Counter: 8}
	for name, c := range map[string]struct {
		keys   Keys
		make   func(*fakeCard)
		random bool
		want   hw.Proof
		real   bool // the proof tells the real UID
	}{
		"mutual":                               {all, nil, false, mutual, false},
		"mutual, one key for all":              {flat, nil, false, mutual, false},
		"mutual, random ID":                    {all, nil, true, mutual, true},
		"mutual, random ID, told by SUN":       {noPrivacy, nil, true, hw.Proof{Assurance: hw.AssuranceMutual, Counter: 8}, true},
		"mutual, random ID, one key for all":   {flat, nil, true, mutual, true},
		"mutual, random ID that nothing tells": {mutualOnly, nil, true, uidOnly, false},
		"SUN":                                  {sunOnly, nil, false, dynamic, false},
		"SUN, random ID":                       {sunOnly, nil, true, dynamic, true},
		"no application":                       {all, func(c *fakeCard) { c.noApp = true }, false, uidOnly, false},
		"another issuer's key":                 {mutualOnly, func(c *fakeCard) { c.keys[1] = key(t, zeroKey) }, false, uidOnly, false},
		"no such key, but SUN":                 {all, func(c *fakeCard) { delete(c.keys, 1) }, false, dynamic, false},
		"privacy key, but no other":            {Keys{Mutual: all.Mutual, Privacy: all.Privacy}, func(c *fakeCard) { delete(c.keys, 1) }, true, uidOnly, true},
		// Commands: 1 select, 2 challenge, 3 answer, 4 GetCardUID.
		"wrong RndA'":          {mutualOnly, flip(3, 18), false, suspect, false},
		"long challenge":       {mutualOnly, func(c *fakeCard) { c.change = longer(2) }, false, suspect, false},
		"long last message":    {mutualOnly, func(c *fakeCard) { c.change = longer(3) }, false, suspect, false},
		"wrong MAC of the UID": {mutualOnly, flip(4, 23), false, suspect, false},
		"wrong UID cryptogram": {mutualOnly, flip(4, 2), false, suspect, false},
		"refuses its UID":      {mutualOnly, func(c *fakeCard) { c.change = refuse(4) }, false, suspect, false},
		"another card's UID":   {flat, func(c *fakeCard) { c.uid[6] = 1 }, false, suspect, false},
		// Commands: 1 select, 2 file, 3 read.
		"SUN of another card":        {sunOnly, func(c *fakeCard) { c.uid[6] = 1 }, false, suspect, false},
		"SUN under another meta key": {sunOnly, func(c *fakeCard) { c.meta = key(t, zeroKey) }, false, suspect, false},
		"SUN under another file key": {sunOnly, func(c *fakeCard) { c.file = key(t, zeroKey) }, false, suspect, false},
		"SUN under another, random":  {sunOnly, func(c *fakeCard) { c.file = key(t, zeroKey) }, true, suspect, false},
		"another issuer's URL":       {sunOnly, func(c *fakeCard) { c.url = func() string { return "other" + c.sunURL() } }, false, uidOnly, false},
		"plain UID in the URL": {sunOnly, func(c *fakeCard) {
			c.url = func() string {
				mac := SUNMAC(c.file, c.uid, c.counter, nil)
				return "badge.example/b?uid=" + upper(c.uid[:]) + "&ctr=000008&cmac=" + upper(mac[:])
			}
		}, false, uidOnly, false},
		"no file":        {sunOnly, func(c *fakeCard) { c.url = nil }, false, uidOnly, false},
		"file is locked": {sunOnly, func(c *fakeCard) { c.change = refuse(3) }, false, uidOnly, false},
		"file of 200 bytes": {sunOnly, func(c *fakeCard) {
			c.change = func(n int, b []byte) []byte {
				if n == 3 {
					return append(b[:200], 0x62, 0x82)
				}
				return b
			}
		}, false, dynamic, false},
		"file that names its length": {sunOnly, func(c *fakeCard) {
			c.change = func(n int, b []byte) []byte {
				if n == 3 {
					c.counter--
					return []byte{0x6C, 0xC8}
				}
				return b
			}
		}, false, dynamic, false},
		"empty answers": {all, func(c *fakeCard) { c.change = func(int, []byte) []byte { return nil } }, false, uidOnly, false},
		"endless answers": {sunOnly, func(c *fakeCard) {
			c.change = func(n int, b []byte) []byte {
				if n == 3 {
					return append(make([]byte, 300), b...)
				}
				return b
			}
		}, false, uidOnly, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := ours(t, c.keys)
			shown := f.uid
			if c.make != nil {
				c.make(f)
			}
			uid := shown[:]
			if c.random {
				uid = shownRandom
			}
			got, err := prover(t, c.keys).Prove(t.Context(), f, uid)
			real := got.UID
			got.UID = nil
			if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%+v, error %v; want %+v", got, err, c.want)
			}
			if c.real != (real != nil) || c.real && !bytes.Equal(real, shown[:]) {
				t.Errorf("real UID told: %v; want %v, and the right one", real != nil, c.real)
			}
			if got.Assurance > hw.AssuranceUID && got.Suspect {
				t.Error("suspect and trusted")
			}
		})
	}
}

func longer(at int) func(int, []byte) []byte {
	return func(n int, b []byte) []byte {
		if n == at {
			return append([]byte{0}, b...)
		}
		return b
	}
}

func refuse(at int) func(int, []byte) []byte {
	return func(n int, b []byte) []byte {
		if n == at {
			return []byte{0x91, 0x9D}
		}
		return b
	}
}

// An answer of any command changed in any bit never raises what is proven, and
// a link lost at any command is an error that says so.
func TestNoChangeUpgrades(t *testing.T) {
	all := allKeys(t)
	for _, k := range []Keys{{Mutual: all.Mutual}, {SUN: all.SUN}, all} {
		honest, err := prover(t, k).Prove(t.Context(), ours(t, k), ours(t, k).uid[:])
		if err != nil {
			t.Fatal(err)
		}
		commands := 0
		probe := ours(t, k)
		probe.change = func(n int, b []byte) []byte { commands = n; return b }
		if _, err := prover(t, k).Prove(t.Context(), probe, probe.uid[:]); err != nil {
			t.Fatal(err)
		}
		for at := 1; at <= commands; at++ {
			f := ours(t, k)
			f.lostAt = at
			if p, err := prover(t, k).Prove(t.Context(), f, f.uid[:]); !errors.Is(err, errLost) || p.Assurance > hw.AssuranceUID {
				t.Errorf("link lost at command %d: %v, error %v", at, p.Assurance, err)
			}
			for bit := range 8 * 40 {
				f := ours(t, k)
				delete(f.keys, 2)
				f.change = func(n int, b []byte) []byte {
					if n == at && bit/8 < len(b) {
						b[bit/8] ^= 1 << (bit % 8)
					}
					return b
				}
				p, err := prover(t, k).Prove(t.Context(), f, f.uid[:])
				if err != nil || p.Assurance > honest.Assurance || p.Suspect && p.Assurance > hw.AssuranceUID {
					t.Fatalf("command %d, bit %d: %+v, error %v", at, bit, p.Assurance, err)
				}
			}
			// A card that knows no key cannot be made to pass by any answer bit.
			for bit := range 8 * 40 {
				f := ours(t, k)
				f.keys, f.meta, f.file = map[byte]Key{1: key(t, zeroKey), 2: key(t, zeroKey)}, key(t, zeroKey), key(t, zeroKey)
				f.change = func(n int, b []byte) []byte {
					if n == at && bit/8 < len(b) {
						b[bit/8] ^= 1 << (bit % 8)
					}
					return b
				}
				if p, err := prover(t, k).Prove(t.Context(), f, f.uid[:]); err != nil || p.Assurance != hw.AssuranceUID {
					t.Fatalf("no key, command %d, bit %d: %v, error %v", at, bit, p.Assurance, err)
				}
			}
		}
	}
}

func TestCounterMustRise(t *testing.T) {
	k := Keys{SUN: allKeys(t).SUN}
	p := prover(t, k)
	c := ours(t, k)
	prove := func() hw.Proof {
		got, err := p.Prove(t.Context(), c, c.uid[:])
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := prove(); got.Assurance != hw.AssuranceDynamic || got.Counter != 8 {
		t.Fatalf("%+v", got)
	}
	if got := prove(); got.Assurance != hw.AssuranceDynamic || got.Counter != 9 {
		t.Fatalf("%+v", got)
	}
	c.frozen = true // a copy of the last message
	for range 2 {
		if got := prove(); got.Assurance != hw.AssuranceUID || !got.Suspect {
			t.Fatalf("a message was taken twice: %+v", got)
		}
	}
	c.frozen = false
	if got := prove(); got.Assurance != hw.AssuranceDynamic {
		t.Fatalf("the card itself is refused after its copy: %+v", got)
	}
}

func TestCountersAreBounded(t *testing.T) {
	c, err := NewCounters(2)
	if err != nil {
		t.Fatal(err)
	}
	a, b, d := [32]byte{1}, [32]byte{2}, [32]byte{3}
	for i, step := range []struct {
		key   [32]byte
		count uint32
		want  bool
	}{
		{a, 5, true}, {a, 5, false}, {b, 1, true}, {a, 6, true},
		{d, 1, true}, // b is forgotten, a is not
		{a, 6, false}, {b, 1, true},
	} {
		if got := c.Rises(step.key, step.count); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	if len(c.seen) != 2 || c.order.Len() != 2 {
		t.Errorf("%d and %d kept", len(c.seen), c.order.Len())
	}
	for _, n := range []int{0, MaxCounters + 1} {
		if _, err := NewCounters(n); err == nil {
			t.Errorf("size %d passed", n)
		}
	}
}

func TestNothingPrintsKeys(t *testing.T) {
	k := allKeys(t)
	p := prover(t, k)
	type holder struct {
		k Keys
		p *Prover
		m Key
	}
	var out bytes.Buffer
	for _, v := range []any{k, &k, p, *p, holder{k, p, k.Mutual.Key}, k.Mutual.Key, k.SUN, *k.SUN} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	said := strings.ToLower(out.String())
	for _, m := range []string{master1, master2, master3, master4} {
		b := x(t, m)
		for _, form := range []string{m, string(b), strings.Trim(fmt.Sprint(b), "[]"), fmt.Sprintf("% x", b), fmt.Sprintf("%#v", b)[7:20]} {
			if strings.Contains(said, strings.ToLower(form)) {
				t.Errorf("a key is printed as %q", form)
			}
		}
	}
}

func TestContextReachesTheLink(t *testing.T) {
	k := allKeys(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := prover(t, k).Prove(ctx, ctxLink{}, []byte{4, 1, 2, 3, 4, 5, 6}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

type ctxLink struct{}

func (ctxLink) Transmit(ctx context.Context, _ []byte) ([]byte, error) { return nil, ctx.Err() }

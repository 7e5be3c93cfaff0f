package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func testKey(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func testBatch(change func(*Batch)) Message {
	b := &Batch{Epoch: 2, Records: []Record{{Epoch: 2, Seq: 5, Kind: "x", Body: json.RawMessage(`{}`)}, {Epoch: 2, Seq: 6, Kind: "y", Body: json.RawMessage(`{}`)}}}
	if change != nil {
		change(b)
	}
	return Message{Batch: b}
}

func TestCodec(t *testing.T) {
	for _, m := range []Message{
		testBatch(nil), {}, {Hello: &Hello{Protocol: 1, Chain: ChainHead{Segment: 1, Index: 2, Digest: []byte{3}}}},
		{Ack: &Ack{Epoch: 1, Seq: 2}}, {Space: &Space{OtherFree: true}}, {Status: &Status{Phase: "active"}},
	} {
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(b); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s comes back as %+v %v", b, got, err)
		}
	}
	for name, bad := range map[string]Message{
		"no record":     testBatch(func(b *Batch) { b.Records = nil }),
		"many records":  testBatch(func(b *Batch) { b.Records = manyRecords(MaxBatch + 1) }),
		"another epoch": testBatch(func(b *Batch) { b.Records[1].Epoch = 1 }),
		"a gap":         testBatch(func(b *Batch) { b.Records[1].Seq = 7 }),
		"twice":         testBatch(func(b *Batch) { b.Records[1].Seq = 5 }),
		"seq 0":         testBatch(func(b *Batch) { b.Records = b.Records[:1]; b.Records[0].Seq = 0 }),
		"no kind":       testBatch(func(b *Batch) { b.Records[0].Kind = "" }),
		"long kind":     testBatch(func(b *Batch) { b.Records[0].Kind = strings.Repeat("k", 41) }),
		"large body":    testBatch(func(b *Batch) { b.Records[0].Body = json.RawMessage(`"` + strings.Repeat("x", MaxRecord) + `"`) }),
		"two kinds":     {Ack: &Ack{}, Space: &Space{}},
		"many permits":  {Permits: make([]Envelope, MaxPermits+1)},
	} {
		b, err := json.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := json.Marshal(testBatch(func(b *Batch) { b.Records = manyRecords(MaxBatch) })); err != nil {
		t.Fatal(err)
	} else if _, err := Decode(b); err != nil {
		t.Errorf("the largest batch: %v", err)
	}
	for _, bad := range []string{"", "{", "[]", "7", `{"ack":7}`, strings.Repeat(" ", MaxFrame) + "{}"} {
		if _, err := Decode([]byte(bad)); !errors.Is(err, ErrFrame) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	if _, err := Encode(Message{Status: &Status{Reason: strings.Repeat("x", MaxFrame)}}); !errors.Is(err, ErrFrame) {
		t.Errorf("an oversized message is encoded: %v", err)
	}
	m, err := Decode([]byte(`{"ack":{"epoch":1,"seq":2,"new":true},"later":{}}`))
	if err != nil || m.Ack == nil || m.Ack.Seq != 2 {
		t.Errorf("unknown fields: %+v %v", m, err)
	}
	if m, err := Decode([]byte(`{"later":{}}`)); err != nil || m.Known() {
		t.Errorf("a message of a newer peer: %+v %v", m, err)
	}
}

func manyRecords(n int) (all []Record) {
	for i := range n {
		all = append(all, Record{Epoch: 2, Seq: uint64(i + 1), Kind: "x", Body: json.RawMessage(`{}`)})
	}
	return all
}

func TestEnvelope(t *testing.T) {
	key, pub := testKey(1), testKey(1).Public().(ed25519.PublicKey)
	other := testKey(2).Public().(ed25519.PublicKey)
	good, err := Seal(key, DomainPermit, Permit{ID: "p", N: 3})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Open[Permit](good, DomainPermit, other, pub); err != nil || p.N != 3 {
		t.Fatalf("Open = %+v %v", p, err)
	}
	for name, change := range map[string]func(e *Envelope){
		"payload":   func(e *Envelope) { e.Payload[2] ^= 1 },
		"truncated": func(e *Envelope) { e.Payload = e.Payload[:len(e.Payload)-1] },
		"signature": func(e *Envelope) { e.Sig[9] ^= 1 },
		"no sig":    func(e *Envelope) { e.Sig = nil },
		"domain":    func(e *Envelope) { e.Domain = DomainCommand },
		"kid":       func(e *Envelope) { e.Kid = KeyID(other) },
		"no kid":    func(e *Envelope) { e.Kid = "" },
	} {
		e := good
		e.Payload, e.Sig = bytes.Clone(good.Payload), bytes.Clone(good.Sig)
		change(&e)
		if _, err := Open[Permit](e, DomainPermit, pub, other); !errors.Is(err, ErrSignature) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	if _, err := Open[Permit](good, DomainCommand, pub); !errors.Is(err, ErrSignature) {
		t.Errorf("a permit passes for a command: %v", err)
	}
	if _, err := Open[Permit](good, DomainPermit); !errors.Is(err, ErrSignature) {
		t.Errorf("without a key: %v", err)
	}
	if err := good.Verify(nil, DomainPermit); !errors.Is(err, ErrSignature) {
		t.Errorf("an empty key: %v", err)
	}
	if _, err := Open[Permit](SealBytes(key, DomainPermit, []byte("{")), DomainPermit, pub); err == nil || errors.Is(err, ErrSignature) {
		t.Errorf("signed rubbish: %v", err)
	}
	if bytes.Equal(signed("a", "bc", nil), signed("ab", "c", nil)) || bytes.Equal(signed("a", "b", []byte("c")), signed("a", "bc", nil)) {
		t.Error("two triples share an encoding")
	}
}

func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		c := NewCode()
		b, err := ParseCode(c)
		if err != nil || len(b) != 10 || seen[c] {
			t.Fatalf("%s: %x %v", c, b, err)
		}
		seen[c] = true
		typed := strings.ToLower(strings.ReplaceAll(c, "-", " "))
		typed = strings.NewReplacer("0", "o", "1", "l", "v", "u").Replace(typed)
		if again, err := ParseCode(" " + typed); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q as typed: %x %v", typed, again, err)
		}
		if strings.Contains(c, CodeID(b)) || CodeID(b) == CodeID(append([]byte{1}, b[1:]...)) && b[0] != 1 {
			t.Error("CodeID tells the code, or does not tell two apart")
		}
	}
	for _, bad := range []string{"", "AAAA-BBBB-CCCC", "AAAA-BBBB-CCCC-DDDDD", "AAAA-BBBB-CCCC-DD!D", strings.Repeat("A", 1000)} {
		if _, err := ParseCode(bad); err == nil || !strings.HasPrefix(err.Error(), "cannot read the enrolment code") {
			t.Errorf("%.30q: %v", bad, err)
		}
	}
}

func TestProof(t *testing.T) {
	code, exporter := []byte("0123456789"), []byte("exporter")
	base := Proof(code, "terminal", exporter, []byte("csr"), []byte("key"))
	if err := CheckProof(bytes.Clone(base), base); err != nil {
		t.Error(err)
	}
	for name, p := range map[string][]byte{
		"another code":       Proof([]byte("012345678x"), "terminal", exporter, []byte("csr"), []byte("key")),
		"the other side":     Proof(code, "controller", exporter, []byte("csr"), []byte("key")),
		"another connection": Proof(code, "terminal", []byte("exportes"), []byte("csr"), []byte("key")),
		"another request":    Proof(code, "terminal", exporter, []byte("cst"), []byte("key")),
		"shifted parts":      Proof(code, "terminal", exporter, []byte("cs"), []byte("rkey")),
		"one part":           Proof(code, "terminal", exporter, []byte("csr")),
		"nothing":            nil,
	} {
		if err := CheckProof(p, base); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReceiptFailure(t *testing.T) {
	clean := func() (r Receipt) {
		for _, n := range RequiredChecks() {
			r.Checks = append(r.Checks, Check{Name: n, Result: Clean})
		}
		for _, n := range Properties() {
			r.Props = append(r.Props, Property{Name: n, Held: true})
		}
		return r
	}
	if r := clean(); r.Failure() != "" || !r.FullClaim() {
		t.Errorf("a clean receipt: %q, full %v", r.Failure(), r.FullClaim())
	}
	if (Receipt{}).Failure() == "" || (Receipt{}).FullClaim() {
		t.Error("an empty receipt proves something")
	}
	for i, n := range RequiredChecks() {
		for _, res := range []CheckResult{Found, Inconclusive, NotPlanted, "", "CLEAN"} {
			r := clean()
			r.Checks[i].Result = res
			if r.Failure() == "" {
				t.Errorf("%s %q passes", n, res)
			}
		}
		r := clean() // clean once does not outweigh found once
		r.Checks = append(r.Checks, Check{Name: n, Result: Found})
		if r.Failure() == "" {
			t.Errorf("%s clean and found passes", n)
		}
	}
	r := clean()
	r.Checks = append(r.Checks, Check{Name: "canary-cookie", Result: NotPlanted})
	if r.Failure() != "" {
		t.Error("a canary that was not planted fails it")
	}
	for i, p := range Properties() {
		r := clean()
		r.Props[i].Held = false
		if r.FullClaim() {
			t.Errorf("full without %s", p)
		}
		// Said twice, held once: the worse one counts, whatever the order.
		r.Props = append(r.Props, Property{Name: p, Held: true})
		if r.FullClaim() {
			t.Errorf("full with %s said twice", p)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range []Message{testBatch(nil), {Ack: &Ack{1, 2}}, {Permits: []Envelope{{Kid: "k", Payload: []byte("{}")}}}} {
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte(`{"batch":{"epoch":18446744073709551615,"records":[{"epoch":18446744073709551615,"seq":18446744073709551615,"kind":"x"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		out, err := Encode(m)
		if err != nil {
			if len(b) < MaxFrame/8 { // escapes and base64 make it longer, not eight times
				t.Fatalf("what was decoded cannot be encoded: %v", err)
			}
			return
		}
		if again, err := Decode(out); err != nil || again.Known() != m.Known() {
			t.Fatalf("%q becomes %q: %v", b, out, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	key := testKey(1)
	e := SealBytes(key, DomainReceipt, []byte(`{"kind":"session","index":1}`))
	b, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte("receipt"), []byte("command"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got Envelope
		if json.Unmarshal(b, &got) != nil {
			return
		}
		if r, err := Open[Receipt](got, DomainReceipt, key.Public().(ed25519.PublicKey)); err == nil {
			if !bytes.Equal(got.Payload, e.Payload) {
				t.Fatalf("a forged receipt passes: %s", b)
			}
			_ = r.Failure()
		}
	})
}

func FuzzParseCode(f *testing.F) {
	f.Add("AAAA-BBBB-CCCC-DDDD")
	f.Add("oooo llll uuuu iiii")
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := ParseCode(s); err == nil && len(b) != 10 {
			t.Fatalf("%q gives %d bytes", s, len(b))
		}
	})
}

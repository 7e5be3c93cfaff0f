package card

import (
	"bytes"
	"context"
	"testing"

	"borne/hw"
)

// FuzzSUN: whatever a file holds, nothing is proven without the keys, and a
// message is found only where it can be.
func FuzzSUN(f *testing.F) {
	k := Keys{SUN: allKeys(f).SUN}
	c := ours(f, k)
	f.Add(ndef(c.sunURL()), "")
	f.Add(ndef("badge.example/b?enc=00&cmac=&picc_data="), "enc")
	f.Add(ndef("?&&=&picc_data&cmac=0123456789abcdef"), "")
	f.Add([]byte{0xFF, 0xFF, 0xD1, 1, 0xFF, 'U', 0xFF}, "")
	f.Fuzz(func(t *testing.T, file []byte, input string) {
		abbreviation, rest, ok := uri(file)
		if !ok {
			return
		}
		_ = beginsWith(abbreviation, rest, "https://badge.example/")
		if len(rest) > len(file) {
			t.Fatal("longer than its file")
		}
		s := *k.SUN
		s.Input = input
		m, ok := s.parse(rest)
		if ok && (!bytes.Contains(rest, []byte("picc_data=")) || !bytes.Contains(rest, []byte("cmac=")) || len(m.input) > len(rest)) {
			t.Fatal("a message out of nothing")
		}
	})
}

// FuzzProve: a card that answers anything proves nothing.
func FuzzProve(f *testing.F) {
	f.Add([]byte{2, 0x90, 0, 2, 0x6D, 0, 2, 0x90, 0, 2, 0x90, 0, 4, 0, 0, 0x90, 0}, false)
	f.Add(append([]byte{2, 0x90, 0, 18}, append(make([]byte, 16), 0x91, 0xAF)...), true)
	f.Fuzz(func(t *testing.T, script []byte, random bool) {
		uid := []byte{4, 1, 2, 3, 4, 5, 6}
		if random {
			uid = shownRandom
		}
		p, err := prover(t, allKeys(t)).Prove(t.Context(), &scripted{script}, uid)
		if err != nil || p.Assurance != hw.AssuranceUID || p.UID != nil {
			t.Fatalf("%v, error %v", p.Assurance, err)
		}
	})
}

// scripted answers lengths and bytes from a script, then nothing.
type scripted struct{ b []byte }

func (s *scripted) Transmit(context.Context, []byte) ([]byte, error) {
	if len(s.b) == 0 {
		return nil, nil
	}
	n := min(int(s.b[0]), len(s.b)-1)
	out := bytes.Clone(s.b[1 : 1+n])
	s.b = s.b[1+n:]
	return out, nil
}

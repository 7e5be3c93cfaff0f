package pki

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/wire"
)

// TestRollover takes every step, and reopens the folder after each: as after a
// power cut, what is read is what was in force.
func TestRollover(t *testing.T) {
	p, dir := fresh(t)
	old := terminalCert(t, p, "t1")
	steps := []struct {
		name        string
		do          func(*PKI) error
		stage       Stage
		sets        int
		first, last int // index of the set whose certificate is good, of the one that signs
	}{
		{"announce", (*PKI).Announce, Announced, 2, 0, 0},
		{"switch", (*PKI).Switch, Switched, 2, 0, 1},
		{"retire", (*PKI).Retire, Settled, 1, 1, 0},
	}
	trust, step := [][]byte{p.Trust()}, uint64(0)
	for _, s := range steps {
		for _, other := range steps {
			if other.name != s.name {
				if err := other.do(p); !errors.Is(err, ErrStage) {
					t.Fatalf("%s instead of %s: %v", other.name, s.name, err)
				}
			}
		}
		before := p.SignKeys()
		must(t, s.do(p))
		again, err := Open(dir, time.Now)
		must(t, err)
		for _, k := range []*PKI{p, again} {
			if k.Stage() != s.stage || len(k.Roots()) != s.sets || len(k.SignKeys()) != s.sets || k.Signer() != wire.KeyID(k.SignKeys()[s.last]) {
				t.Fatalf("after %s: %s, %d roots, %d keys", s.name, k.Stage(), len(k.Roots()), len(k.SignKeys()))
			}
			if !bytes.Equal(k.Root(), k.Roots()[s.last]) {
				t.Errorf("after %s a new terminal pins another root than that of its issuer", s.name)
			}
			for _, was := range trust {
				if bytes.Equal(was, k.Trust()) {
					t.Errorf("after %s terminals are not told of anything new", s.name)
				}
			}
			if !bytes.Equal(k.Trust(), p.Trust()) {
				t.Errorf("after %s the folder says something else than the program", s.name)
			}
			// Whoever believed a key before this step follows by the signed set alone.
			env, err := k.KeySet()
			must(t, err)
			set, err := wire.Open[wire.KeySet](env, wire.DomainKeys, keysOf(before)...)
			must(t, err)
			if set.Step <= step || len(set.SignKeys) != s.sets {
				t.Errorf("after %s the set of keys is %d of step %d", s.name, len(set.SignKeys), set.Step)
			}
			if k == again {
				step = set.Step
			}
			cs := chainOf(t, old)
			if err := k.verifyClient(cs, func(string, string) error { return nil }); (err == nil) != (s.first == 0) {
				t.Errorf("after %s a certificate of the first issuer: %v", s.name, err)
			}
		}
		trust = append(trust, p.Trust())
	}
	// The power may go before the old keys are erased: the next start does it.
	if _, err := os.Stat(filepath.Join(dir, fileRootKey.of(1))); err != nil {
		t.Fatalf("nothing is left to erase: %v", err)
	}
	again, err := Open(dir, time.Now)
	must(t, err)
	must(t, again.Sweep())
	if err := Init(dir, time.Now()); err == nil {
		t.Error("new keys are made over those of a rollover")
	}
	for _, f := range []part{fileRootKey, fileIssuerKey, fileSign, fileRoot} {
		if _, err := os.Stat(filepath.Join(dir, f.of(1))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", f.of(1))
		}
	}
	e, err := p.SignPermit(wire.Permit{ID: "p"})
	must(t, err)
	if _, changed := p.Reseal(e); changed {
		t.Error("what the present key signed is signed again")
	}
	must(t, p.Announce())
	must(t, p.Switch())
	if again, changed := p.Reseal(e); !changed || again.Verify(p.SignKeys()[1], wire.DomainPermit) != nil || !bytes.Equal(again.Payload, e.Payload) {
		t.Error("what the old key signed is not signed again as it was")
	}
}

// TestRolloverCut cuts the power in the middle of the announcement: keys were
// made and do not count, and the next attempt goes over them.
func TestRolloverCut(t *testing.T) {
	p, dir := fresh(t)
	must(t, makeSet(dir, 2, time.Now()))
	must(t, os.Remove(filepath.Join(dir, fileRoot.of(2))))
	again, err := Open(dir, time.Now)
	must(t, err)
	if again.Stage() != Settled || !bytes.Equal(again.Trust(), p.Trust()) {
		t.Fatalf("half a set counts: %s", again.Stage())
	}
	must(t, again.Announce())
	must(t, again.Abandon())
	if again.Stage() != Settled || len(again.Roots()) != 1 {
		t.Errorf("after giving up: %s", again.Stage())
	}
	must(t, again.Announce())
	for _, damage := range []string{`{`, `{"active":3,"believed":[1,2]}`, `{"active":1,"believed":[]}`, `{"active":2,"believed":[2,1]}`, `{"active":1,"believed":[1,7]}`} {
		must(t, os.WriteFile(filepath.Join(dir, filePhase), []byte(damage), 0o600))
		if _, err := Open(dir, time.Now); err == nil {
			t.Errorf("%s is taken for a phase", damage)
		}
	}
}

func chainOf(t *testing.T, c tls.Certificate) []*x509.Certificate {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	must(t, err)
	return []*x509.Certificate{leaf}
}

func keysOf(raw [][]byte) []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	for _, k := range raw {
		keys = append(keys, k)
	}
	return keys
}

package certificate

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"borne/controller/wire"
)

func TestOpen(t *testing.T) {
	key := seed(3)
	keys := [][]byte{seed(4).Public().(ed25519.PublicKey), key.Public().(ed25519.PublicKey)}
	good := Certificate{Format: 1, Name: "Collège du Lac", Month: "2026-03"}
	file := func(key ed25519.PrivateKey, d wire.Domain) []byte {
		e, err := wire.Seal(key, d, good)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	c, digest, err := Open(file(key, wire.DomainCertificate), keys)
	if err != nil || c.Name != good.Name || len(digest) != 64 {
		t.Errorf("%+v %s %v", c, digest, err)
	}
	for name, bad := range map[string][]byte{
		"a changed payload": []byte(strings.Replace(string(file(key, wire.DomainCertificate)), `"payload":"eyJ`, `"payload":"eyAi`, 1)),
		"another domain":    file(key, wire.DomainReceipt),
		"no JSON":           []byte("%PDF-1.7"),
		"empty":             nil,
	} {
		if _, _, err := Open(bad, keys); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnotherKey: a file of a key that is not known is read, and not believed.
func TestAnotherKey(t *testing.T) {
	e, err := wire.Seal(seed(5), wire.DomainCertificate, Certificate{Month: "2026-03"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if c, digest, err := Open(file, [][]byte{seed(3).Public().(ed25519.PublicKey)}); !errors.Is(err, ErrKey) || len(digest) != 64 || c.Month != "2026-03" {
		t.Errorf("%+v %s %v", c, digest, err)
	}
}

func TestPrinted(t *testing.T) {
	want := strings.Repeat("0a", 32)
	for _, s := range []string{want, strings.ToUpper(want), " " + want[:16] + " " + want[16:] + "\n"} {
		if got, err := Printed(s); err != nil || got != want {
			t.Errorf("Printed(%q) = %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", want[1:], want + "00", strings.Repeat("zz", 32)} {
		if got, err := Printed(s); err == nil {
			t.Errorf("Printed(%q) = %q", s, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	keys := [][]byte{seed(3).Public().(ed25519.PublicKey)}
	e, err := wire.Seal(seed(3), wire.DomainCertificate, Certificate{Month: "2026-03"})
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"kid":"","domain":"borne/certificate/1","payload":"e30=","sig":""}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		var got wire.Envelope
		if c, digest, err := Open(file, keys); err == nil && (json.Unmarshal(file, &got) != nil || string(got.Payload) != string(e.Payload)) {
			t.Errorf("a file that nobody signed is read as %+v %s", c, digest)
		}
	})
}

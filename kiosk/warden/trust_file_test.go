package warden

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"borne/controller/wire"
)

// TestTrustVersion reads a file of before there were versions, and lets alone what a
// newer program wrote.
func TestTrustVersion(t *testing.T) {
	state := t.TempDir()
	key := controllerKey().Public().(ed25519.PublicKey)
	if err := Trust(state, wire.KeySet{Step: 3, SignKeys: [][]byte{key}}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(trustPath(state))
	if err != nil || !strings.HasPrefix(string(b), `{"version":1,"step":3,`) {
		t.Errorf("it is written as %s, %v", b, err)
	}
	const body = `"step":3,"signKeys":["%s"]}`
	for begin, want := range map[string]string{`{`: "", `{"version":0,`: "", `{"version":1,`: "", `{"version":2,`: "install the newer", `{"version":-1,`: "install the newer", `{"version":"1",`: "enrol the terminal again"} {
		text := begin + fmt.Sprintf(body, base64.StdEncoding.EncodeToString(key))
		if err := os.WriteFile(trustPath(state), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readTrust(state)
		switch {
		case want == "" && (err != nil || got.Step != 3 || len(got.verifiers()) != 1):
			t.Errorf("%s: %+v, %v", begin, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", begin, err)
		}
	}
}

func FuzzTrust(f *testing.F) {
	key := base64.StdEncoding.EncodeToString(controllerKey().Public().(ed25519.PublicKey))
	f.Add([]byte(`{"version":1,"step":1,"signKeys":["` + key + `"]}`))
	f.Add([]byte(`{"signKeys":["` + key + `","AA=="]}`))
	f.Add([]byte(`{"version":2,"signKeys":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseTrust(b)
		if err != nil {
			return
		}
		if n := len(got.verifiers()); n == 0 || n > wire.MaxSignKeys {
			t.Fatalf("%d keys are believed", n)
		}
		for _, k := range got.verifiers() {
			if len(k) != ed25519.PublicKeySize {
				t.Fatalf("a key of %d bytes is believed", len(k))
			}
		}
	})
}

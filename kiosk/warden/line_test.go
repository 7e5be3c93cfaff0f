package warden

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"testing"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// TestALineIsTakenFromASignedPolicyAlone: whoever took the agent chooses no Wi-Fi.
func TestALineIsTakenFromASignedPolicyAlone(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var set []string
	var fails error
	w := &warden{c: Config{State: t.TempDir(), Log: slog.New(slog.DiscardHandler), Line: func(_ context.Context, l policy.Line) error {
		set = append(set, l.WiFi.SSID)
		return fails
	}}}
	if err := Trust(w.c.State, wire.KeySet{SignKeys: [][]byte{pub}}); err != nil {
		t.Fatal(err)
	}
	ask := func(by ed25519.PrivateKey, ssid string) string {
		t.Helper()
		p := policy.Default()
		p.Version, p.Network.Line.WiFi.SSID = 2, ssid
		e, err := wire.Seal(by, wire.DomainPolicy, p)
		if err != nil {
			t.Fatal(err)
		}
		a := w.line(t.Context(), sandbox.Request{ID: 7, Line: &sandbox.Line{Policy: &e}})
		if a.ID != 7 {
			t.Errorf("answer to %d", a.ID)
		}
		return a.Error
	}
	if e := ask(key, "college"); e != "" {
		t.Error(e)
	}
	if e := ask(stranger, "trap"); e == "" {
		t.Error("anybody's policy sets the Wi-Fi")
	}
	if a := w.line(t.Context(), sandbox.Request{ID: 8, Line: &sandbox.Line{}}); a.Error != "" {
		t.Error(a.Error)
	}
	fails = errors.New("cannot: no device")
	if e := ask(key, "far"); e != fails.Error() {
		t.Errorf("%q", e)
	}
	if len(set) != 3 || set[0] != "college" || set[1] != "" || set[2] != "far" {
		t.Errorf("set %q", set)
	}
	w.lining.Lock() // another is under way
	if e := ask(key, "college"); e != errLineBusy.Error() {
		t.Errorf("%q", e)
	}
	w.lining.Unlock()
	// A terminal that leaves its network as it was installed says so, and only then.
	w.c.Line = nil
	if e := ask(key, ""); e != "" {
		t.Error(e)
	}
	if e := ask(key, "college"); e != errNoLine.Error() {
		t.Errorf("%q", e)
	}
}

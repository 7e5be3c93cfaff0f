package network

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/kiosk/network/nmtest"
)

// TestARealNetworkManagerTakesOurProfiles: NetworkManager itself, on a cable of its own,
// takes a profile of ours into use, then a wrong one, by which the controller cannot be
// reached, then the one before again; without any, the one that was installed is back.
func TestARealNetworkManagerTakesOurProfiles(t *testing.T) {
	b := nmtest.Enter(t)
	if b == nil {
		return
	}
	s := New(Config{Dir: b.Dir, Secrets: b.Secrets, Tool: b.Nmcli})
	line := func(address, gateway string) (l policy.Line) {
		l.Wired = policy.Wired{Managed: true, IPv4: policy.IPv4{Address: address, Gateway: gateway, DNS: []string{gateway}}}
		return l
	}
	set := func(l policy.Line) {
		t.Helper()
		if err := s.Set(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	is := func(address string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !b.Has(address); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the cable has not %s: %s", address, b.Ask("device", "show", "cable"))
			}
		}
	}
	good, wrong := line("10.77.0.2/24", nmtest.House), line("10.88.0.2/24", "10.88.0.1")
	set(good)
	is("10.77.0.2/24")
	if err := b.Reach(t.Context()); err != nil {
		t.Errorf("by the good one: %v", err)
	}
	if got := b.Ask("-g", "GENERAL.CONNECTION", "device", "show", "cable"); got != cable {
		t.Errorf("%q is in use", got)
	}
	set(wrong)
	is("10.88.0.2/24")
	if b.Has("10.77.0.2/24") || b.Reach(t.Context()) == nil {
		t.Error("the controller is reached by the wrong one")
	}
	set(good)
	is("10.77.0.2/24")
	if err := b.Reach(t.Context()); err != nil {
		t.Errorf("put back: %v", err)
	}
	// A network of 802.1X and a Wi-Fi are read whole, with their secrets.
	all := college()
	all.Wired.Managed = true
	all.Wired.EAP = policy.EAP{Method: policy.EAPPEAP, Identity: "poste; 1=\\x", CA: authorityPEM(t), Server: "radius.example.net", Secret: "radius"}
	for name, text := range map[string]string{"wifi-college": "S3CRS3CR", "radius": " m;d\\p=\"é "} {
		if err := os.WriteFile(filepath.Join(b.Secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unread := New(Config{Dir: b.Dir, Secrets: b.Secrets, Tool: "true"}) // writes, and brings nothing up
	if err := unread.Set(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	b.Ask("connection", "reload")
	for field, want := range map[string]string{"802-1x.identity": all.Wired.EAP.Identity, "802-1x.password": " m;d\\p=\"é ", "802-1x.eap": "peap", "802-1x.phase2-auth": "mschapv2"} {
		if got := b.Ask("-s", "-e", "no", "-g", field, "connection", "show", cable); got != strings.TrimSpace(want) {
			t.Errorf("%s is read as %q, want %q", field, got, want)
		}
	}
	for field, want := range map[string]string{"802-11-wireless.ssid": all.WiFi.SSID, "802-11-wireless-security.psk": "S3CRS3CR", "802-11-wireless-security.key-mgmt": "wpa-psk"} {
		if got := b.Ask("-s", "-e", "no", "-g", field, "connection", "show", wifi); got != want {
			t.Errorf("%s is read as %q, want %q", field, got, want)
		}
	}
	// Nobody answers on this cable, and there is no radio: to bring them up fails, and
	// what was there before all is what is left when rules want nothing.
	all.Wired.EAP.Identity, all.WiFi.SSID = "another", "Another"
	if err := s.Set(t.Context(), all); err == nil || !strings.Contains(err.Error(), "nmcli") {
		t.Errorf("without a server and without a radio: %v", err)
	}
	set(policy.Line{})
	is(nmtest.Installed)
	if got := b.Ask("-g", "NAME", "connection", "show"); strings.Contains(got, "borne") {
		t.Errorf("connections of ours stay: %q", got)
	}
}

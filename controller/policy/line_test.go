package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

func managed() Line {
	ip := IPv4{Address: "10.1.2.30/24", Gateway: "10.1.2.1", DNS: []string{"10.1.2.2"}}
	return Line{Proxy: "http://proxy.exemple.fr:3128", Wired: Wired{Managed: true, IPv4: ip},
		WiFi: WiFi{SSID: "Collège", Security: SecurityPSK, Secret: "wifi-college"}}
}

func TestALineIsChecked(t *testing.T) {
	for field, change := range map[string]func(*Line){
		"":                    func(*Line) {},
		" direct":             func(l *Line) { l.Proxy = Direct },
		" none":               func(l *Line) { *l = Line{} },
		"proxy":               func(l *Line) { l.Proxy = "http://user:word@10.1.2.3:3128" },
		"proxy ":              func(l *Line) { l.Proxy = "http://127.0.0.1:3128" },
		"proxy  ":             func(l *Line) { l.Proxy = "https://10.1.2.3:3128" },
		"proxy   ":            func(l *Line) { l.Proxy = "http://10.1.2.3" },
		"proxy    ":           func(l *Line) { l.Proxy = "http://a b:3128" },
		"wired.managed":       func(l *Line) { l.Wired.Managed = false },
		"wired.ipv4.address":  func(l *Line) { l.Wired.IPv4.Address = "10.1.2.0/24" },
		"wired.ipv4.address ": func(l *Line) { l.Wired.IPv4.Address = "169.254.1.1/16" },
		"wired.ipv4.gateway":  func(l *Line) { l.Wired.IPv4.Gateway = "10.1.3.1" },
		"wired.ipv4.gateway ": func(l *Line) { l.Wired.IPv4.Address = "" },
		"wired.ipv4.dns":      func(l *Line) { l.Wired.IPv4.DNS = []string{"127.0.0.1"} },
		"wired.ipv4.dns ":     func(l *Line) { l.Wired.IPv4.DNS = nil },
		"wired.eap.ca": func(l *Line) {
			l.Wired.EAP = EAP{Method: EAPPEAP, Identity: "p", Server: "radius.exemple.fr", Secret: "r"}
		},
		"wired.eap.method": func(l *Line) { l.Wired.EAP = EAP{Identity: "p"} },
		"wifi.ssid":        func(l *Line) { l.WiFi.SSID = "" },
		"wifi.ssid ":       func(l *Line) { l.WiFi.SSID = "a\nb" },
		"wifi.ssid  ":      func(l *Line) { l.WiFi.SSID = strings.Repeat("é", 17) },
		"wifi.secret":      func(l *Line) { l.WiFi.Secret = "Mot de passe !" },
		"wifi.secret ":     func(l *Line) { l.WiFi.Secret = "../shadow" },
		"wifi.secret  ":    func(l *Line) { l.WiFi.Security = SecurityOpen },
		"wifi.security":    func(l *Line) { l.WiFi.Security = "wep" },
		"wifi.eap.method":  func(l *Line) { l.WiFi.Security = SecurityEAP },
	} {
		l := managed()
		change(&l)
		found := (Network{Line: l}).Problems()
		if want := strings.TrimSpace(field); field == want && want == "" || strings.HasPrefix(field, " ") {
			if len(found) > 0 {
				t.Errorf("%q: %+v", field, found)
			}
		} else if len(found) != 1 || found[0].Field != "network.line."+want {
			t.Errorf("%q: %+v", field, found)
		}
	}
}

// TestWhatATrialIsAbout: what leads the same way has one key, whatever else differs.
func TestWhatATrialIsAbout(t *testing.T) {
	a := Network{Line: managed(), Proxy: "http://10.1.2.3:3128", Reasons: []Because{{"x", "y"}}}
	b := a
	b.Reasons, b.Resolver, b.Private, b.Line.WiFi.IPv4.DNS = nil, "10.1.2.9", []string{"10.0.0.0/8"}, []string{}
	if a.TrialKey() != b.TrialKey() {
		t.Error("reasons, a resolver or a range make another way")
	}
	raw, err := json.Marshal(a) // over the wire
	if err != nil {
		t.Fatal(err)
	}
	var c Network
	if err := json.Unmarshal(raw, &c); err != nil || a.TrialKey() != c.TrialKey() {
		t.Errorf("over the wire it is another: %v", err)
	}
	for name, change := range map[string]func(*Network){"proxy": func(n *Network) { n.Line.Proxy = Direct }, "sessions": func(n *Network) { n.Proxy = "" },
		"wifi": func(n *Network) { n.Line.WiFi.Hidden = true }} {
		d := a
		change(&d)
		if d.TrialKey() == a.TrialKey() {
			t.Errorf("%s: the same", name)
		}
		if same := d.Line.SameLink(a.Line); same != (name != "wifi") {
			t.Errorf("%s: same link %v", name, same)
		}
	}
}

package browser

import (
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
)

func decoded(t *testing.T, b []byte, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func list(m map[string]any, name string) (out []string) {
	all, _ := m[name].([]any)
	for _, v := range all {
		out = append(out, v.(string))
	}
	return out
}

func testCA(t *testing.T) string {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
}

func TestSessionPolicyFollowsTheRules(t *testing.T) {
	p := policy.Default()
	b, err := SessionPolicy(SessionPolicyInput{Policy: p, Lang: "fr-x-facile"})
	open := decoded(t, b, err)
	if a := list(open, "URLAllowlist"); !slices.Contains(a, "https://*") || !slices.Contains(a, "https://.portail.borne.invalid") || !slices.Contains(a, "https://.canari.borne.invalid") {
		t.Errorf("open web: %v", a)
	}
	for _, closed := range []string{"*", "chrome://*", "file://*", "view-source:*", "localhost", "127.0.0.1"} {
		if !slices.Contains(list(open, "URLBlocklist"), closed) {
			t.Errorf("%s is not blocked", closed)
		}
	}
	if l := list(open, "ForcedLanguages"); !slices.Equal(l, []string{"fr", "en"}) {
		t.Errorf("languages %v", l)
	}
	again, _ := SessionPolicy(SessionPolicyInput{Policy: p, Lang: "fr-x-facile"})
	if string(again) != string(b) {
		t.Error("the same rules give other bytes")
	}
	if open["PrintingEnabled"] != false || open["AllowFileSelectionDialogs"] != true || open["DownloadRestrictions"] != 4.0 ||
		open["BlockThirdPartyCookies"] != false || open["DefaultPopupsSetting"] != 1.0 || open["VideoCaptureAllowed"] != false {
		t.Errorf("default rules give %s", b)
	}
	if ps := open["ProxySettings"].(map[string]any); ps["ProxyMode"] != "direct" {
		t.Errorf("proxy %v", ps)
	}

	p.Web = policy.Web{Allowed: []string{"caf.fr"}, Blocked: []string{"jeux.caf.fr"}, Camera: true}
	p.Printing.Enabled = true
	p.Network = policy.Network{Proxy: "http://proxy.college.example:3128", CA: []string{testCA(t)}}
	b, err = SessionPolicy(SessionPolicyInput{Policy: p, Lang: "ar", Printer: true, Downloads: "/home/x"})
	narrow := decoded(t, b, err)
	if a := list(narrow, "URLAllowlist"); slices.Contains(a, "https://*") || !slices.Contains(a, "caf.fr") {
		t.Errorf("narrow web: %v", a)
	}
	if !slices.Contains(list(narrow, "URLBlocklist"), "jeux.caf.fr") || narrow["PrintingEnabled"] != true || narrow["DownloadRestrictions"] != 3.0 ||
		narrow["AllowFileSelectionDialogs"] != false || narrow["DefaultPopupsSetting"] != 2.0 || narrow["VideoCaptureAllowed"] != true ||
		narrow["BlockThirdPartyCookies"] != true || narrow["DownloadDirectory"] != "/home/x" || narrow["DefaultSearchProviderEnabled"] != false {
		t.Errorf("narrow rules give %s", b)
	}
	if ps := narrow["ProxySettings"].(map[string]any); ps["ProxyServer"] != "proxy.college.example:3128" {
		t.Errorf("proxy %v", ps)
	}
	if len(list(narrow, "CACertificates")) != 1 || !slices.Equal(list(narrow, "ForcedLanguages"), []string{"ar", "fr", "en"}) {
		t.Errorf("roots and languages: %s", b)
	}
}

func TestSessionPolicyRefuses(t *testing.T) {
	for name, n := range map[string]policy.Network{
		"proxy and PAC":    {Proxy: "http://p:1", PAC: "http://p/x.pac"},
		"proxy by name":    {Proxy: "p:3128"},
		"PAC from a file":  {PAC: "file:///etc/passwd"},
		"root not PEM":     {CA: []string{"hello"}},
		"a private key":    {CA: []string{string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}))}},
		"a hundred roots":  {CA: []string{strings.Repeat(testCA(t), 100)}},
		"PAC with no host": {PAC: "http:///x.pac"},
	} {
		p := policy.Default()
		p.Network = n
		if _, err := SessionPolicy(SessionPolicyInput{Policy: p}); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPoliciesAreWhollyAccepted asks the real browser.
func TestPoliciesAreWhollyAccepted(t *testing.T) {
	needChromium(t)
	full := policy.Default()
	full.Web = policy.Web{Allowed: []string{"caf.fr"}, Blocked: []string{"jeux.caf.fr"}, Camera: true, Downloads: true}
	full.Printing.Enabled = true
	full.Network = policy.Network{Proxy: "http://192.0.2.1:3128", CA: []string{testCA(t)}}
	pac := policy.Default()
	pac.Network.PAC = "http://192.0.2.1/proxy.pac"
	inline := policy.Default()
	inline.Network.PAC = "data:application/x-ns-proxy-autoconfig;base64,ZnVuY3Rpb24gRmluZFByb3h5Rm9yVVJMKCl7cmV0dXJuICJESVJFQ1QifQ=="
	session := func(p policy.Policy) []byte {
		b, err := SessionPolicy(SessionPolicyInput{Policy: p, Printer: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	bogus := decoded(t, session(policy.Default()), nil)
	bogus["BorneNoSuchPolicy"] = true
	bogus["IncognitoModeAvailability"] = "a sentence"
	withBogus, _ := encode(bogus)
	display := startDisplay(t)
	for _, c := range []struct {
		name   string
		policy []byte
		want   []string
	}{
		{"default", session(policy.Default()), nil},
		{"everything set", session(full), nil},
		{"a PAC file in the rules", session(inline), nil},
		{"PAC", session(pac), nil},
		{"with two mistakes", withBogus, []string{"BorneNoSuchPolicy", "IncognitoModeAvailability"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			probe, err := ProbePolicy(c.policy)
			if err != nil {
				t.Fatal(err)
			}
			b := startChromium(t, display, probe, "about:blank")
			rejected, err := CheckPolicy(testContext(t, 30*time.Second), b.pipe, c.policy)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(rejected, c.want) {
				t.Fatalf("rejected %v, want %v", rejected, c.want)
			}
		})
	}
}

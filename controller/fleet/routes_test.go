package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"borne/controller/store"
)

// TestRoutesByWhoAsks walks every route of the terminals' listener with every
// kind of client. What a client may reach is said here a second time, by hand.
func TestRoutesByWhoAsks(t *testing.T) {
	w := newWorld(t, nil)
	good, revoked, foreign := enrolled(w), enrolled(w), enrolled(newWorld(t, nil))
	w.decide(func(tx store.Tx) error { _, err := Revoke(tx, revoked.resp.Terminal, w.now()); return err })
	foreign.w = w
	stolen := *good // its certificate, which is public, without its key
	var err error
	stolen.tls, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)

	want := map[string]map[string]string{ // passed: the route's own code answers
		"GET /v1/uplink":         {"nobody": "403", "good": "passed"},
		"POST /v1/enrol":         {"nobody": "passed", "good": "passed"},
		"POST /v1/renew":         {"nobody": "403", "good": "passed"},
		"GET /v1/lists/{digest}": {"nobody": "403", "good": "passed"},
	}
	for _, route := range Routes() {
		name := route.Method + " " + route.Path
		row, ok := want[name]
		if !ok {
			t.Errorf("%s is in no row of this test", name)
			continue
		}
		delete(want, name)
		for who, x := range map[string]*terminal{"nobody": newTerminal(w), "good": good, "revoked": revoked, "foreign": foreign, "stolen": &stolen} {
			cfg := x.config()
			if who == "foreign" || who == "stolen" { // it would not trust this controller either
				cfg.InsecureSkipVerify = true
			}
			got := ask(t, w, cfg, route)
			if should := row[who]; should == "" && got != "cut" || should != "" && got != should {
				t.Errorf("%s by %s: %s, want %q", name, who, got, should)
			}
		}
	}
	for name := range want {
		t.Errorf("%s is not served", name)
	}
}

// ask tells how a client that sends an empty request fares: cut in the
// handshake, 403 for want of a certificate, or passed.
func ask(t *testing.T, w *world, cfg *tls.Config, route Route) string {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	path := strings.ReplaceAll(route.Path, "{digest}", strings.Repeat("0", 64))
	req, err := http.NewRequestWithContext(t.Context(), route.Method, "https://"+w.addr+path, strings.NewReader(""))
	must(t, err)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return "cut"
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode == http.StatusForbidden && strings.Contains(string(b), "certificate is needed") {
		return "403"
	}
	return "passed"
}

package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func ours() Trust {
	return Trust{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("127.0.0.1/32")}}
}

func TestWhoAsks(t *testing.T) {
	for _, c := range []struct{ name, peer, forwarded, want string }{
		{"nobody's word", "192.0.2.9:4000", "198.51.100.1", "192.0.2.9"},
		{"the proxy's", "10.0.0.2:4000", "198.51.100.1", "198.51.100.1"},
		{"the client's own lie", "10.0.0.2:4000", "203.0.113.7, 198.51.100.1", "198.51.100.1"},
		{"the client says it is a proxy", "10.0.0.2:4000", "10.9.9.9, 198.51.100.1", "198.51.100.1"},
		{"two proxies", "10.0.0.2:4000", "198.51.100.1, 10.0.0.3", "198.51.100.1"},
		{"only proxies", "10.0.0.2:4000", "10.0.0.4, 10.0.0.3", "10.0.0.4"},
		{"the proxy's own", "10.0.0.2:4000", "", "10.0.0.2"},
		{"IPv6", "[fd00::1]:4000", "2001:db8::5", "2001:db8::5"},
		{"a port", "10.0.0.2:4000", "198.51.100.1:5000", "198.51.100.1"},
		{"IPv6 with a port", "10.0.0.2:4000", "[2001:db8::5]:5000", "2001:db8::5"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.2]:4000", "::ffff:198.51.100.1", "198.51.100.1"},
		{"no address", "10.0.0.2:4000", "unknown", ""},
		{"a lie behind the truth", "10.0.0.2:4000", "x, 198.51.100.1", "198.51.100.1"},
		{"line ends", "10.0.0.2:4000", "198.51.100.1\r\nX: y", ""},
		{"too long", "10.0.0.2:4000", strings.Repeat("198.51.100.1,", 200), ""},
		{"too many", "10.0.0.2:4000", strings.Repeat("1.1.1.1,", 40) + "1.1.1.1", ""},
		{"a socket that is no proxy's", "@", "198.51.100.1", ""},
	} {
		got, err := ours().Client(c.peer, []string{c.forwarded})
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if got, err := (Trust{Socket: true}).Client("@", []string{"198.51.100.1"}); got != "198.51.100.1" || err != nil {
		t.Errorf("behind a socket: %q, %v", got, err)
	}
}

func TestHandler(t *testing.T) {
	ask := func(peer, method string, header ...string) (seen *http.Request, status int, to string) {
		r := httptest.NewRequest(method, "/x?y=z", nil)
		r.RemoteAddr = peer
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		ours().Handler("https://bornes.example.fr", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(w, r)
		return seen, w.Code, w.Header().Get("Location")
	}
	if r, _, _ := ask("10.0.0.2:1", "POST", "X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "https"); r == nil || r.RemoteAddr != "198.51.100.1:0" || r.Header.Get("X-Forwarded-For") != "" {
		t.Errorf("the proxy's request arrives as %+v", r)
	}
	if r, _, _ := ask("192.0.2.9:1", "GET", "X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "http", "Forwarded", "for=x", "X-Real-IP", "y"); r == nil || r.RemoteAddr != "192.0.2.9:1" || len(r.Header) != 0 {
		t.Errorf("somebody's request arrives as %+v", r)
	}
	if r, status, to := ask("10.0.0.2:1", "GET", "X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "http"); r != nil || status != 308 || to != "https://bornes.example.fr/" {
		t.Errorf("without TLS: %d to %q", status, to)
	}
	for _, h := range [][]string{{"X-Forwarded-Proto", "http"}, {"X-Forwarded-Proto", "https", "X-Forwarded-Proto", "http"}, {"X-Forwarded-Proto", "https,http"}} {
		if r, status, _ := ask("10.0.0.2:1", "POST", append(h, "X-Forwarded-For", "198.51.100.1")...); r != nil || status != 403 {
			t.Errorf("%q: %d", h, status)
		}
	}
	if r, status, _ := ask("10.0.0.2:1", "GET", "X-Forwarded-For", "somebody"); r != nil || status != 400 {
		t.Errorf("nonsense: %d", status)
	}
}

func FuzzClient(f *testing.F) {
	f.Add("10.0.0.2:1", "198.51.100.1, 10.0.0.3")
	f.Add("@", "[::1]:2,,")
	f.Add("192.0.2.1:4", "x")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		got, err := ours().Client(peer, []string{forwarded})
		if err != nil {
			return
		}
		a, bad := netip.ParseAddr(got)
		if bad != nil || a.Zone() != "" || a.Is4In6() {
			t.Errorf("%q, %q: %q is no plain address", peer, forwarded, got)
		}
		if p, bad := addr(peer); bad == nil && !ours().has(p) && got != p.String() {
			t.Errorf("%q is believed: %q", peer, got)
		}
	})
}

package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// site serves over TLS on loopback, and the fetcher that trusts it.
func site(t *testing.T, h http.HandlerFunc) (*httptest.Server, *Fetcher) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	f := New(Config{MaxBytes: 1 << 20, Agent: "Borne/test", Private: true, Roots: roots})
	t.Cleanup(f.Close)
	return s, f
}

func TestGet(t *testing.T) {
	var asked atomic.Int32
	s, f := site(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.UserAgent() != "Borne/test" {
			t.Errorf("it calls itself %q", r.UserAgent())
		}
		if r.Header.Get("If-None-Match") == `"v1"` && r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Thu, 26 Nov 2026 02:00:00 GMT")
		w.Write([]byte("BEGIN:VCALENDAR"))
	})
	got, err := f.Get(t.Context(), s.URL+"/Zone-A.ics", "", "")
	if err != nil || string(got.Body) != "BEGIN:VCALENDAR" || got.Same {
		t.Fatalf("%+v, %v", got, err)
	}
	again, err := f.Get(t.Context(), s.URL+"/Zone-A.ics", got.ETag, got.Modified)
	if err != nil || !again.Same || again.ETag != `"v1"` || len(again.Body) != 0 || asked.Load() != 2 {
		t.Fatalf("%+v, %v", again, err)
	}
}

func TestRefused(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("plain HTTP was asked") }))
	defer inside.Close()
	var big bytes.Buffer
	z := gzip.NewWriter(&big)
	z.Write(make([]byte, 3<<20))
	z.Close()
	s, f := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/big":
			w.Write(make([]byte, 1<<20+1))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(big.Bytes())
		case "/just":
			w.Write(make([]byte, 1<<20))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://example.org/", http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/short":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
		case "/same":
			w.WriteHeader(http.StatusNotModified) // nobody asked whether it is
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
		case "/ok":
			http.Redirect(w, r, "/just", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	for path, want := range map[string]string{"/big": "trop gros", "/bomb": "trop gros", "/loop": "trop de renvois", "/plain": "https://", "/file": "https://",
		"/short": "n’a pas répondu", "/same": "réponse 304", "/500": "réponse 500", "/none": "Il n’y a rien"} {
		_, err := f.Get(t.Context(), s.URL+path, "", "")
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.French(), want) || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	for _, path := range []string{"/just", "/ok"} {
		if got, err := f.Get(t.Context(), s.URL+path, "", ""); err != nil || len(got.Body) != 1<<20 {
			t.Errorf("%s: %d bytes, %v", path, len(got.Body), err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Get(ctx, s.URL+"/just", "", ""); err == nil {
		t.Error("it goes on after its context")
	}
	// A certificate that nobody knows.
	strict := New(Config{MaxBytes: 1, Private: true})
	defer strict.Close()
	if _, err := strict.Get(t.Context(), s.URL+"/just", "", ""); err == nil || !strings.Contains(err.Error(), "certificat") {
		t.Errorf("an unknown certificate: %v", err)
	}

	// Without the right to private networks nothing inside is reached: not by its
	// number, not by a name that leads there, not by a redirect.
	shut := New(Config{MaxBytes: 1 << 20})
	defer shut.Close()
	for _, address := range []string{s.URL, inside.URL, "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://10.1.2.3/", "https://[::ffff:192.168.1.1]/",
		"https://169.254.169.254/latest", "https://[fd00::1]/", "https://100.64.0.1/", "https://0.0.0.0/", "https://[64:ff9b::a00:1]/", "ftp://example.org/", "example.org", "", "https://", "https://u:p@example.org/",
		"https://example.org:8443/", "https://" + strings.Repeat("a", maxAddress), "https://exa mple.org/", "javascript:alert(1)"} {
		_, err := shut.Get(t.Context(), address, "", "")
		var e *Error
		if !errors.As(err, &e) || shut.Check(address) == nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := shut.Check("https://data.education.gouv.fr/api/explore/v2.1/catalog/datasets/fr-en-calendrier-scolaire/exports/json?refine=zones%3AZone%20A"); err != nil {
		t.Error(err)
	}
	// What is dialled decides, whatever the name said.
	for address, ok := range map[string]bool{"127.0.0.1:443": false, "[::1]:443": false, "192.168.0.1:443": false, "[::ffff:10.0.0.1]:443": false, "198.51.100.7:443": false, "[::ffff:100.64.0.1]:443": false,
		"185.24.184.10:443": true, "[2a01:cb00::1]:443": true, "nonsense": false} {
		if err := shut.control(t.Context(), "tcp", address, nil); (err == nil) != ok {
			t.Errorf("dial %s: %v", address, err)
		}
	}
	res, err := shut.plain.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "https://"))
	if err == nil {
		res.Close()
		t.Error("a private address was dialled")
	}
	if got := told(err).(*Error); !strings.Contains(got.Sentence, "réseau privé") {
		t.Errorf("%v", got)
	}
}

// TestProxy goes through the Département's proxy, where that alone knows names.
func TestProxy(t *testing.T) {
	var connect atomic.Value
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connect.Store(r.Method + " " + r.Host)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer p.Close()
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := New(Config{MaxBytes: 1, Proxy: u, Decides: true})
	defer f.Close()
	if _, err := f.Get(t.Context(), "https://data.education.gouv.fr/x", "", ""); err == nil {
		t.Error("it came through")
	}
	if got := fmt.Sprint(connect.Load()); got != "CONNECT data.education.gouv.fr:443" {
		t.Errorf("the proxy was asked %q", got)
	}
	if err := f.Check("https://10.0.0.1/"); err == nil {
		t.Error("a proxy leads inside")
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"https://example.org/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/", "https://exa\x00mple/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fetcher := New(Config{MaxBytes: 1})
		defer fetcher.Close()
		if fetcher.Check(s) != nil {
			return
		}
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || u.Scheme != "https" || u.Hostname() == "" {
			t.Fatalf("%q is allowed", s)
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !public(ip) {
			t.Fatalf("%q is allowed", s)
		}
	})
}

package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// names is a real name server on loopback. Each answer is the next of its list, and
// the last of it again and again.
func names(t *testing.T, answers map[string][]string) (*net.Resolver, *atomic.Int32) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked atomic.Int32
	ready := make(chan struct{})
	srv := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		mu.Lock()
		defer mu.Unlock()
		m := new(dns.Msg).SetReply(q)
		question := q.Question[0]
		list := answers[question.Name]
		switch {
		case list == nil:
			m.Rcode = dns.RcodeNameError
		case list[0] == "broken":
			m.Rcode = dns.RcodeServerFailure
		case question.Qtype == dns.TypeA:
			asked.Add(1)
			for _, a := range strings.Fields(list[0]) {
				if ip := netip.MustParseAddr(a); ip.Is4() {
					m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: ip.AsSlice()})
				}
			}
			if len(list) > 1 {
				answers[question.Name] = list[1:]
			}
		case question.Qtype == dns.TypeAAAA:
			for _, a := range strings.Fields(list[0]) {
				if ip := netip.MustParseAddr(a); ip.Is6() {
					m.Answer = append(m.Answer, &dns.AAAA{Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET}, AAAA: ip.AsSlice()})
				}
			}
		}
		w.WriteMsg(m)
	})}
	go srv.ActivateAndServe()
	<-ready
	t.Cleanup(func() { srv.Shutdown() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}, &asked
}

// connects is a real proxy on loopback. It writes down where it is asked to connect to,
// and connects to one server whatever that is: a public address is not reached here.
func connects(t *testing.T, server string) (proxy *url.URL, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	var running sync.WaitGroup
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.Method+" "+r.Host)
		mu.Unlock()
		far, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			far.Close()
			return
		}
		io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		running.Add(2)
		go func() { defer running.Done(); io.Copy(far, near); far.Close() }()
		go func() { defer running.Done(); io.Copy(near, far); near.Close() }()
	}))
	t.Cleanup(func() { p.Close(); running.Wait() })
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, func() []string { mu.Lock(); defer mu.Unlock(); return append([]string{}, all...) }
}

// TestPinned has the proxy connect to addresses that were looked at, and to nothing
// inside: by its name, by a redirect, or by a name that leads elsewhere a moment later.
func TestPinned(t *testing.T) {
	// The certificate of httptest is for example.com.
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inside" {
			http.Redirect(w, r, "https://inside.example.com/", http.StatusFound)
			return
		}
		io.Copy(w, r.Body)
		io.WriteString(w, r.Host+" "+r.TLS.ServerName)
	}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	proxy, asked := connects(t, s.Listener.Addr().String())
	local, lookups := names(t, map[string][]string{
		"example.com.": {"2a01:cb00::1 185.24.184.10"}, "turns.example.com.": {"185.24.184.10", "10.0.0.1"}, "inside.example.com.": {"10.0.0.1"}, "both.example.com.": {"185.24.184.10 192.168.1.1"},
		"six.example.com.": {"185.24.184.10 fd00::1"}, "mapped.example.com.": {"::ffff:127.0.0.1"}, "broken.example.com.": {"broken"}, "empty.example.com.": {""}})
	f := New(Config{MaxBytes: 1 << 10, Proxy: proxy, Resolver: local, Roots: roots})
	defer f.Close()
	got, err := f.Get(t.Context(), "https://example.com/x", "", "")
	if err != nil || string(got.Body) != "example.com example.com" {
		t.Fatalf("%q, %v", got.Body, err)
	}
	if err := f.Post(t.Context(), "https://example.com:443/x", http.Header{}, []byte("body")); err != nil {
		t.Error(err)
	}
	// At the second look the name leads inside: what the first one said is what was used.
	if got, err := f.Get(t.Context(), "https://turns.example.com/x", "", ""); err != nil || string(got.Body) != "turns.example.com turns.example.com" {
		t.Errorf("%q, %v", got.Body, err)
	}
	if n := lookups.Load(); n != 3 {
		t.Errorf("%d lookups for 3 requests", n)
	}
	before := asked()
	if strings.Join(before, ", ") != "CONNECT 185.24.184.10:443, CONNECT 185.24.184.10:443, CONNECT 185.24.184.10:443" {
		t.Errorf("the proxy was asked %q", before)
	}
	for address, want := range map[string]string{"https://turns.example.com/x": "réseau privé", "https://inside.example.com/": "réseau privé", "https://both.example.com/": "réseau privé", "https://six.example.com/": "réseau privé",
		"https://mapped.example.com/": "réseau privé", "https://broken.example.com/": "proxy_decides", "https://none.example.com/": "proxy_decides", "https://empty.example.com/": "proxy_decides", "https://10.0.0.1/": "réseau privé"} {
		var e *Error
		if _, err := f.Get(t.Context(), address, "", ""); !errors.As(err, &e) || !strings.Contains(e.French(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
		if err := f.Post(t.Context(), address, http.Header{}, []byte("body")); !errors.As(err, &e) || !strings.Contains(e.French(), want) {
			t.Errorf("post to %s: %v, want %q", address, err, want)
		}
	}
	if now := asked(); len(now) != len(before) {
		t.Errorf("the proxy was asked %q", now[len(before):])
	}
	var e *Error
	if _, err := f.Get(t.Context(), "https://example.com/inside", "", ""); !errors.As(err, &e) || !strings.Contains(e.French(), "réseau privé") {
		t.Errorf("a redirect inside: %v", err)
	}
	if now := asked(); len(now) != len(before)+1 {
		t.Errorf("the proxy was asked %q", now[len(before):])
	}
	// The certificate is the name's, not the address's.
	strict := New(Config{MaxBytes: 1 << 10, Proxy: proxy, Resolver: local})
	defer strict.Close()
	if _, err := strict.Get(t.Context(), "https://example.com/x", "", ""); err == nil || !strings.Contains(err.Error(), "certificat") {
		t.Errorf("an unknown certificate: %v", err)
	}
	// Where the administrator says so, the proxy has the name.
	decides := New(Config{MaxBytes: 1 << 10, Proxy: proxy, Decides: true, Resolver: local, Roots: roots})
	defer decides.Close()
	if _, err := decides.Get(t.Context(), "https://none.example.com/", "", ""); err != nil {
		t.Error(err)
	}
	if now := asked(); now[len(now)-1] != "CONNECT none.example.com:443" {
		t.Errorf("the proxy was asked %q", now)
	}
}

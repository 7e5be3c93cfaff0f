package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/store"
)

// TestBehindAProxy serves on a Unix socket, as a reverse proxy reaches it: the address
// of who logs in is the proxy's word, and under any other name nobody is served.
func TestBehindAProxy(t *testing.T) {
	state := fresh(t)
	c := settings(t, state)
	sock := filepath.Join(filepath.Dir(state), "console.sock")
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\n[console]\nlisten = %q\nurl = \"https://bornes.example.fr\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n", state, "unix:"+sock))
	if err != nil {
		t.Fatal(err)
	}
	c.Config = cfg
	// One that was left by a controller that was killed is no obstacle.
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: sock, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	s, stop := running(t, c)
	if fi, err := os.Stat(sock); err != nil || fi.Mode().Perm() != 0o660 {
		t.Fatalf("the socket: %v, %v", fi, err)
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", sock)
	}}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r := s.Do(ctx, Request{Op: OpLink})
	base, token, _ := strings.Cut(strings.Split(r.Text, "\n")[0], "/#login=")
	if base != "https://bornes.example.fr" {
		t.Fatalf("the link is %q", r.Text)
	}
	ask := func(method, path, body string, header ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, "http://bornes.example.fr"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"X-Borne": "1", "Origin": "https://bornes.example.fr", "Content-Type": "application/json", "X-Forwarded-For": "203.0.113.9, 198.51.100.23", "X-Forwarded-Proto": "https"} {
			req.Header.Set(k, v)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				req.Host = header[i+1]
			}
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return res
	}
	for want, header := range map[int][]string{421: {"Host", "evil.example"}, 308: {"X-Forwarded-Proto", "http"}, 400: {"X-Forwarded-For", "somebody"}} {
		if res := ask("GET", "/api/login", "", header...); res.StatusCode != want {
			t.Errorf("%q: %s, want %d", header, res.Status, want)
		}
	}
	res := ask("POST", "/api/login/link", `{"token":"`+token+`"}`)
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Set-Cookie"), "__Host-borne=") || !strings.Contains(res.Header.Get("Set-Cookie"), "Secure") {
		t.Fatalf("login: %s %v", res.Status, res.Header)
	}
	found := false
	err = s.st.View(ctx, func(tx store.Tx) error {
		for e, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			found = found || e.Row.Action == "login" && e.Row.Detail == "link 198.51.100.23"
		}
		return nil
	})
	if err != nil || !found {
		t.Errorf("the audit does not say where the login came from: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(sock); err == nil {
		t.Error("the socket is left")
	}
}

func TestSocketTakesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &front{cfg: config.Config{Console: config.Console{Listen: "unix:" + path}}}
	if _, err := f.listen(); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in its place: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "x" {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestSecurityTxt(t *testing.T) {
	state := fresh(t)
	c := settings(t, state)
	now := time.Now()
	c.Now = func() time.Time { return now }
	c.Security = config.Security{Contact: []string{"mailto:securite@example.fr", "https://www.example.fr/securite"}, Expires: now.AddDate(0, 6, 0).UTC().Truncate(24 * time.Hour), Languages: "fr, en"}
	s, _ := running(t, c)
	at := s.ConsoleURL() + "/.well-known/security.txt"
	text := get(t, http.DefaultClient, at)
	end := c.Security.Expires.Add(24*time.Hour - time.Second).Format(time.RFC3339)
	if text != "Contact: mailto:securite@example.fr\nContact: https://www.example.fr/securite\nExpires: "+end+"\nPreferred-Languages: fr, en\n" {
		t.Errorf("%q", text)
	}
	if err := checkSecurity(c.Security, now); err != nil {
		t.Error(err)
	}
	for months, want := range map[int]string{5: "ends on", 7: "ended on", -10: "more than a year"} {
		if err := checkSecurity(c.Security, now.AddDate(0, months, 15)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("in %d months: %v", months, err)
		}
	}
	now = now.AddDate(0, 7, 0)
	res, err := http.Get(at)
	if err != nil || res.StatusCode != 404 {
		t.Fatalf("after its end: %v, %v", res, err)
	}
	res.Body.Close()
	if r := s.Do(ctx, Request{Op: OpCheck}); !r.Found || !strings.Contains(r.Text, "security.txt ended") {
		t.Errorf("check says %q", r.Text)
	}
}

// TestCrowd opens connections until there is no room from one address, and finds it
// again when they leave; a proxy has no limit of its own.
func TestCrowd(t *testing.T) {
	c := newCrowd(nil, func(peer string) bool { return strings.HasPrefix(peer, "10.0.0.1:") })
	for i := range maxOpenOne {
		if _, ok := c.enter(fmt.Sprintf("192.0.2.1:%d", i+1)); !ok {
			t.Fatalf("no room for %d", i)
		}
	}
	if _, ok := c.enter("192.0.2.1:9"); ok {
		t.Error("one address has all it wants")
	}
	if _, ok := c.enter("192.0.2.2:9"); !ok {
		t.Error("another one has no room")
	}
	for i := range 2 * maxOpenOne {
		if _, ok := c.enter(fmt.Sprintf("10.0.0.1:%d", i+1)); !ok {
			t.Fatal("a proxy is one address among others")
		}
	}
	six := 0
	for i := range 2 * maxOpenOne { // one network of IPv6 is one
		if _, ok := c.enter(fmt.Sprintf("[2001:db8::%x]:1", i+1)); ok {
			six++
		}
	}
	if six != maxOpenOne {
		t.Errorf("one network of IPv6 has %d", six)
	}
	who, _ := c.enter("192.0.2.3:1")
	c.leave(who)
	if len(c.by) != 3 {
		t.Errorf("%d addresses are known", len(c.by))
	}
	for c.all < maxOpen {
		c.enter("10.0.0.1:1")
	}
	if _, ok := c.enter("192.0.2.4:1"); ok {
		t.Error("there is room for more than all")
	}
}

func TestCrowdClosesForReal(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(ln, func(string) bool { return false })
	defer c.Close()
	for range maxOpenOne {
		c.enter("127.0.0.1:1")
	}
	got := make(chan net.Conn)
	go func() {
		conn, err := c.Accept()
		if err == nil {
			got <- conn
		}
	}()
	first, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	first.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := first.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("one too many is held: %v", err)
	}
	c.leave(netip.MustParseAddr("127.0.0.1"))
	second, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	conn := <-got
	conn.Close()
	conn.Close() // leaves once
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all != maxOpenOne-1 {
		t.Errorf("%d are counted", c.all)
	}
}

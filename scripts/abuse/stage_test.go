// Package abuse attacks the console's API as somebody would who means it: a real
// controller process, over TLS, with two places' worth of data, and requests that
// no page of the console makes. All of them are refused, and nothing changes.
package abuse

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"borne/controller/accounts"
)

// soon bounds every wait: what takes longer does not happen.
const soon = 90 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// target is the controller that is attacked.
type target struct {
	t       *testing.T
	dir     string
	program string
	config  string
	addr    string // of the console
	url     string
	roots   *x509.CertPool
	mu      sync.Mutex
	log     bytes.Buffer
	cookies map[string]string
}

// start builds the program, fills a store with two places, and serves it.
func start(t *testing.T) *target {
	t.Helper()
	dir, err := os.MkdirTemp("", "borne") // short: a socket lies below it
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	g := &target{t: t, dir: dir, program: filepath.Join(dir, "borne-controller"), config: filepath.Join(dir, "c.toml"), cookies: map[string]string{}}
	build := exec.Command("go", "build", "-o", g.program, "borne/controller")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the controller: %v\n%s", err, out)
	}
	g.certify()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := ln.Addr().(*net.TCPAddr).Port // free a moment ago: the console's address is in its configuration
	must(t, ln.Close())
	g.addr, g.url = fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("https://localhost:%d", port)
	text := fmt.Sprintf("state = %q\nlog = \"json\"\nlog_level = \"debug\"\n[console]\nlisten = %q\nurl = %q\ncert = %q\nkey = %q\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n",
		filepath.Join(dir, "s"), g.addr, g.url, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	must(t, os.WriteFile(g.config, []byte(text), 0o600))
	g.run("init")
	seed(t, filepath.Join(dir, "s"))
	g.serve()
	return g
}

// certify makes a certificate of the test's own.
func (g *target) certify() {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(g.t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(g.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(g.t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(g.t, os.WriteFile(filepath.Join(g.dir, "cert.pem"), cert, 0o600))
	must(g.t, os.WriteFile(filepath.Join(g.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	g.roots = x509.NewCertPool()
	g.roots.AppendCertsFromPEM(cert)
}

// run is one command, as people type it.
func (g *target) run(args ...string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	out, err := exec.CommandContext(ctx, g.program, append(args, "-config", g.config)...).CombinedOutput()
	if err != nil {
		g.t.Fatalf("borne-controller %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (g *target) serve() {
	g.t.Helper()
	cmd := exec.Command(g.program, "serve", "-config", g.config)
	out, err := cmd.StderrPipe()
	must(g.t, err)
	must(g.t, cmd.Start())
	ended, ready := make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(ended)
		for in := bufio.NewScanner(out); in.Scan(); {
			var line struct{ Msg string }
			if json.Unmarshal(in.Bytes(), &line) == nil && line.Msg == "ready" {
				ready <- struct{}{}
			}
			g.mu.Lock()
			if g.log.Len() < 1<<20 {
				fmt.Fprintln(&g.log, in.Text())
			}
			g.mu.Unlock()
		}
		io.Copy(io.Discard, out)
		cmd.Wait()
	}()
	g.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(soon):
			cmd.Process.Kill()
			g.t.Error("the controller does not end")
		}
	})
	select {
	case <-ready:
	case <-ended:
		g.t.Fatalf("the controller ended:\n%s", g.logged())
	case <-time.After(soon):
		g.t.Fatal("the controller does not get ready")
	}
}

func (g *target) logged() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.String()
}

// as logs somebody in, once, and returns the cookie. No site: all of them.
func (g *target) as(role accounts.Role, site string) string {
	g.t.Helper()
	who := string(role) + " " + site
	if c, ok := g.cookies[who]; ok {
		return c
	}
	args := []string{"user", "link", "-name", "Camille " + who, "-role", string(role)}
	if site == "" {
		args = append(args, "-all")
	} else {
		args = append(args, "-sites", site)
	}
	_, token, ok := strings.Cut(strings.Split(g.run(args...), "\n")[0], "/#login=")
	if !ok {
		g.t.Fatal("no link")
	}
	a := g.do(ask{method: "POST", path: "/api/login/link", body: `{"token":"` + token + `"}`})
	for _, c := range a.cookies {
		if c.Name == "__Host-borne" {
			g.cookies[who] = c.Value
		}
	}
	if a.status != 200 || g.cookies[who] == "" {
		g.t.Fatalf("no login as %s: %d %s", who, a.status, a.body)
	}
	return g.cookies[who]
}

// ask is one request; header has pairs, an empty value takes one away.
type ask struct {
	cookie, method, path, body string
	header                     []string
}

type answer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

// do sends a request as the console would, except for what the ask changes. Whoever sends more than is taken may have the connection cut under their
// hands before they read why: they ask again, and some answer has to come.
func (g *target) do(q ask) answer {
	g.t.Helper()
	for try := 1; ; try++ {
		a, err := g.once(q)
		if cut := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE); cut && len(q.body) > 64<<10 && try < 10 {
			continue
		}
		must(g.t, err)
		return a
	}
}

func (g *target) once(q ask) (answer, error) {
	g.t.Helper()
	req, err := http.NewRequest(q.method, g.url+q.path, strings.NewReader(q.body))
	must(g.t, err)
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Origin", g.url)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if q.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "__Host-borne", Value: q.cookie})
	}
	for i := 0; i < len(q.header); i += 2 {
		switch k, v := q.header[i], q.header[i+1]; {
		case k == "Host":
			req.Host = v
		case v == "":
			req.Header.Del(k)
		default:
			req.Header.Set(k, v)
		}
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.roots}, DisableKeepAlives: true, DialContext: g.dial}
	res, err := (&http.Client{Transport: tr, Timeout: soon, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	return answer{res.StatusCode, res.Header, res.Cookies(), string(b)}, err
}

func (g *target) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", g.addr)
}

// raw sends bytes as they are, and returns what comes back until the end.
func (g *target) raw(request string) string {
	g.t.Helper()
	c := g.connect()
	defer c.Close()
	_, err := io.WriteString(c, request)
	must(g.t, err)
	b, _ := io.ReadAll(io.LimitReader(c, 1<<20)) // a reset is an answer too
	return string(b)
}

// connect opens one connection.
func (g *target) connect() *tls.Conn {
	g.t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: soon}, "tcp", g.addr, &tls.Config{RootCAs: g.roots, ServerName: "localhost"})
	must(g.t, err)
	must(g.t, c.SetDeadline(time.Now().Add(soon)))
	return c
}

// head is where the audit ends: it moves when anything is done.
func (g *target) head() string {
	g.t.Helper()
	_, head, _ := strings.Cut(g.run("audit", "verify"), "head ")
	return strings.TrimSpace(head)
}

// untouched runs attacks that may change nothing.
func (g *target) untouched(attack func()) {
	g.t.Helper()
	before := g.head()
	attack()
	if after := g.head(); after != before {
		g.t.Errorf("the audit went from %.12s to %.12s: something was done", before, after)
	}
}

// problem tells what is wrong with a refusal: one is a sentence that people read,
// and says nothing of the inside.
func (a answer) problem(statuses ...int) string {
	ok := false
	for _, s := range statuses {
		ok = ok || a.status == s
	}
	var p struct {
		Title, Detail string
		Status        int
	}
	switch {
	case !ok:
		return fmt.Sprintf("%d, want one of %v: %.300s", a.status, statuses, a.body)
	case !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json"):
		return fmt.Sprintf("%d with %q: %.200s", a.status, a.header.Get("Content-Type"), a.body)
	case json.Unmarshal([]byte(a.body), &p) != nil || p.Status != a.status || p.Detail == "":
		return "no problem document: " + a.body
	case strings.Contains(a.body, "goroutine") || strings.Contains(a.body, ".go:") || strings.Contains(a.body, "json:"):
		return "it tells of the inside: " + a.body
	}
	return ""
}

// Package oidctest runs a real OpenID provider (panva's oidc-provider) for
// tests, set up by the rules of ProConnect, and goes through its pages.
package oidctest

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Secret is the secret of each client.
const Secret = "a-secret-of-the-tests-and-of-nothing-else"

// Clients of the provider: userinfo signed with RSA, with a curve, and plain.
const (
	Client     = "borne"
	ClientEC   = "borne-ec"
	ClientJSON = "borne-json"
)

// Claims are what the provider says of somebody.
type Claims struct {
	Email    string `json:"email,omitempty"`
	Verified *bool  `json:"email_verified,omitempty"`
}

const within = 30 * time.Second

// Start runs the provider until the test ends, and returns its issuer. people are
// named by their login, which is their subject too.
func Start(t testing.TB, root string, people map[string]Claims, back, out string) (issuer string) {
	t.Helper()
	ui, err := filepath.Abs(filepath.Join(root, "ui"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(ui, "node_modules", "oidc-provider")); err != nil {
		t.Skip("SKIP: no OpenID provider to log in at: oidc-provider is missing (npm ci in ui/)")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("SKIP: no OpenID provider to log in at: node is missing")
	}
	cmd := exec.Command("node", filepath.Join(ui, "scripts", "oidc-provider.mjs"))
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	cmd.Env = append(os.Environ(), "PEOPLE="+text(people), "SECRET="+Secret, "BACK="+text([]string{back}), "OUT="+text([]string{out}))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(within, func() { cmd.Process.Kill() }) // it never said where it is
	lines := bufio.NewScanner(stdout)
	if lines.Scan() {
		issuer = lines.Text()
	}
	late.Stop()
	t.Cleanup(func() {
		in.Close() // it ends with its input
		hung := time.AfterFunc(within, func() { cmd.Process.Kill() })
		defer hung.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the provider: %v\n%s", err, said.String())
		}
		if t.Failed() {
			t.Logf("the provider said:\n%s", said.String())
		}
	})
	if issuer == "" {
		t.Fatalf("the provider does not start: %s", said.String())
	}
	return issuer
}

// Login goes through the provider's pages as somebody, and returns the query that
// it sends the browser back with. An empty login gives up.
func Login(t testing.TB, address, login string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: within, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequest(http.MethodGet, address, nil)
	for hop := 0; err == nil && hop < 10; hop++ {
		var res *http.Response
		if res, err = c.Do(req); err != nil {
			break
		}
		b, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		res.Body.Close()
		next, e := res.Location()
		switch {
		case e == nil && next.Host != issuer.Host:
			return next.Query()
		case e == nil:
			req, err = http.NewRequest(http.MethodGet, next.String(), nil)
		case res.StatusCode == http.StatusOK && strings.Contains(string(b), `name="login"`):
			form := url.Values{"login": {login}}
			if login == "" {
				form.Set("cancel", "1")
			}
			req, err = http.NewRequest(http.MethodPost, req.URL.String(), strings.NewReader(form.Encode()))
			if err == nil {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
		default:
			t.Fatalf("the provider answers %s to %s: %s", res.Status, req.URL, b)
		}
	}
	t.Fatalf("the provider sends nobody back: %v", err)
	return nil
}

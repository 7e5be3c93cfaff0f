package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/config"
	"borne/controller/demo"
	"borne/controller/store"
	"borne/controller/wire"
)

var ctx = context.Background()

func settings(t *testing.T, state string) Config {
	t.Helper()
	c, err := config.Parse([]byte(fmt.Sprintf("state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n", state)))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Config: c, Version: "test"}
}

// fresh is a state folder with a new controller. Socket paths are short, so it
// does not lie where t.TempDir would put it.
func fresh(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "borne")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	state := filepath.Join(dir, "s")
	if err := Init(ctx, state, "Test", time.Now()); err != nil {
		t.Fatal(err)
	}
	return state
}

// running starts a controller; stop ends it and returns what Run returned.
func running(t *testing.T, c Config) (s *Server, stop func() error) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(run) }()
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			return errors.New("it does not stop")
		}
	}
	t.Cleanup(func() { stop() })
	return s, stop
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %s %v", url, res.Status, err)
	}
	return string(b)
}

// login goes the way of a person: link from the command line, then the cookie.
func login(t *testing.T, s *Server) *http.Client {
	t.Helper()
	r, ok, err := Call(ctx, s.cfg.State, Request{Op: OpLink})
	if err != nil || !ok || r.Error != "" {
		t.Fatalf("%+v, %v, %v", r, ok, err)
	}
	url, token, found := strings.Cut(strings.Split(r.Text, "\n")[0], "/#login=")
	if !found || url != s.ConsoleURL() {
		t.Fatalf("the link is %q, the console %q", r.Text, s.ConsoleURL())
	}
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	req, _ := http.NewRequest("POST", url+"/api/login/link", strings.NewReader(`{"token":"`+token+`"}`))
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", url)
	res, err := c.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("login: %v, %v", res, err)
	}
	res.Body.Close()
	return c
}

func TestServesAndStops(t *testing.T) {
	state := fresh(t)
	c := settings(t, state)
	sock := filepath.Join(state, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: sock, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	c.Env = func(k string) string {
		return map[string]string{"NOTIFY_SOCKET": sock, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())}[k]
	}
	said := make(chan string, 10000)
	go func() {
		for b := make([]byte, 100); ; {
			n, err := manager.Read(b)
			if err != nil {
				return
			}
			said <- string(b[:n])
		}
	}()
	told := func(want string) {
		t.Helper()
		for late := time.After(10 * time.Second); ; {
			select {
			case got := <-said:
				if got == want {
					return
				}
			case <-late:
				t.Fatalf("the service manager was not told %s", want)
			}
		}
	}
	s, stop := running(t, c)
	told("READY=1")
	told("WATCHDOG=1")
	person := login(t, s)
	if r, _, err := Call(ctx, state, Request{Op: OpSeedDemo}); err != nil || r.Error != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if f := get(t, person, s.ConsoleURL()+"/api/fleet"); !strings.Contains(f, "Collège Raoul Blanchard") || !strings.Contains(f, `"state":"waiting"`) {
		t.Errorf("the fleet: %.300s", f)
	}
	if h := get(t, person, s.ConsoleURL()+"/healthz"); h != "ok\n" {
		t.Errorf("health: %q", h)
	}
	m := get(t, http.DefaultClient, "http://"+s.MetricsAddr()+"/metrics")
	if !strings.Contains(m, `borne_terminals{state="waiting"} 11`) || !strings.Contains(m, "borne_generation 1") || !strings.Contains(m, "borne_uplinks 0") || !strings.Contains(m, `borne_console_requests_total{kind="api",status="2xx"}`) {
		t.Errorf("metrics: %s", m)
	}
	for _, secret := range []string{"demo-", "Blanchard", "Administrateur"} {
		if strings.Contains(m, secret) {
			t.Errorf("the metrics tell %q", secret)
		}
	}
	// The terminals' listener speaks TLS 1.3 and shows no console.
	tr := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if res, err := tr.Get("https://" + s.TerminalsAddr() + "/api/fleet"); err != nil || res.StatusCode != 404 || res.TLS.Version != tls.VersionTLS13 {
		t.Errorf("the terminals' listener: %v, %v", res, err)
	}
	if _, err := New(settings(t, state)); err == nil || !strings.Contains(err.Error(), "another borne-controller") {
		t.Errorf("a second controller on the same state: %v", err)
	}
	// An open live feed does not hold the stop up.
	feed, err := person.Get(s.ConsoleURL() + "/api/live")
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Body.Close()
	before := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if d := time.Since(before); d > stopWithin {
		t.Errorf("stopping took %v", d)
	}
	told("STOPPING=1")
	if _, ok, err := Call(ctx, state, Request{Op: OpCheck}); ok || err != nil {
		t.Errorf("a stopped controller answers: %v, %v", ok, err)
	}
	r, err := Offline(ctx, settings(t, state), Request{Op: OpAudit})
	if err != nil || r.Found || !strings.Contains(r.Text, "holds") {
		t.Errorf("the audit, offline: %+v, %v", r, err)
	}
}

// TestBehindATLSProxy: the process speaks plain HTTP on loopback, and people
// reach it over TLS all the same.
func TestBehindATLSProxy(t *testing.T) {
	for url, want := range map[string]string{"https://bornes.example.fr": "max-age=31536000", "http://bornes.example.fr": "", "": ""} {
		c := settings(t, fresh(t))
		c.Console.URL = url
		s, stop := running(t, c)
		res, err := http.Get("http://" + s.addr("console") + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("reached at %q: %q, want %q", url, got, want)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestStopsWhenAListenerFails(t *testing.T) {
	s, err := New(settings(t, fresh(t)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for _, l := range s.listeners {
		if l.name == "console" {
			l.ln.Close()
		}
	}
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "cannot serve console") {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it serves on without its console")
	}
}

func TestAddressTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	state := fresh(t)
	c := settings(t, state)
	c.Console.Listen = ln.Addr().String()
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "cannot listen for console") {
		t.Errorf("New: %v", err)
	}
	// What was opened is closed again.
	s, err := New(settings(t, state))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestNothingToOpen(t *testing.T) {
	if _, err := New(settings(t, t.TempDir())); err == nil || !strings.Contains(err.Error(), "borne-controller init") {
		t.Errorf("an empty folder: %v", err)
	}
	state := fresh(t)
	if err := Init(ctx, state, "", time.Now()); !errors.Is(err, ErrExists) {
		t.Errorf("Init again: %v", err)
	}
	if err := os.Chmod(state, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(settings(t, state)); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a folder for all: %v", err)
	}
}

func setting(t *testing.T, st store.Store) (s store.Setting) {
	t.Helper()
	err := st.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Setting](tx, store.SettingController)
		s = it.Row
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lastDeed is the newest entry of the audit whose action begins so: a controller
// that starts writes its own meanwhile.
func lastDeed(t *testing.T, s *Server, action string) (e store.Item[store.AuditEntry]) {
	t.Helper()
	err := s.st.View(ctx, func(tx store.Tx) error {
		for it, err := range store.List[store.AuditEntry](tx, "", "", true) {
			if err != nil {
				return err
			}
			if strings.HasPrefix(it.Row.Action, action) {
				e = it
				return nil
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOrdersAreAuditedOrRefused(t *testing.T) {
	s, _ := running(t, settings(t, fresh(t)))
	if r := s.Do(ctx, Request{Op: OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	order := func(kind wire.CommandKind) (string, error) {
		return s.terminals.Order(ctx, api.Order{Terminal: demo.Terminal, Kind: kind, Text: "Bonjour", Reason: "essai", By: "u1"})
	}
	if _, err := order(wire.CmdMessage); !errors.Is(err, api.ErrRefused) {
		t.Errorf("a command to a terminal that waits: %v", err)
	}
	err := s.st.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, demo.Terminal, func(it *store.Item[store.Terminal]) error { it.Row.State = store.StateActive; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := order(wire.CmdLift); !errors.Is(err, api.ErrRefused) {
		t.Errorf("lifting what is not in quarantine: %v", err)
	}
	id, err := order(wire.CmdMessage)
	if err != nil {
		t.Fatal(err)
	}
	err = s.st.View(ctx, func(tx store.Tx) error {
		c, err := store.Get[store.CommandRow](tx, id)
		if err != nil {
			return err
		}
		e := lastDeed(t, s, "command")
		if c.Row.By != "u1" || c.Row.Text != "Bonjour" || e.Row.Action != "command" || e.Row.Actor != "u1" || e.Site != demo.Site || e.Row.Detail != "message: essai" {
			t.Errorf("%+v, %+v", c.Row, e)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAHoldIsSignedWithItsEnd, which is not further than a day, and lapses with it.
func TestAHoldIsSignedWithItsEnd(t *testing.T) {
	s, _ := running(t, settings(t, fresh(t)))
	if r := s.Do(ctx, Request{Op: OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	err := s.st.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, demo.Terminal, func(it *store.Item[store.Terminal]) error { it.Row.State = store.StateActive; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	hold := func(until time.Time) (store.CommandRow, wire.Command, error) {
		t.Helper()
		id, err := s.terminals.Order(ctx, api.Order{Terminal: demo.Terminal, Kind: wire.CmdAwake, Until: until, By: "u1"})
		if err != nil {
			return store.CommandRow{}, wire.Command{}, err
		}
		var c store.Item[store.CommandRow]
		if err := s.st.View(ctx, func(tx store.Tx) (err error) { c, err = store.Get[store.CommandRow](tx, id); return err }); err != nil {
			t.Fatal(err)
		}
		var signed wire.Command
		if err := json.Unmarshal(c.Row.Envelope.Payload, &signed); err != nil {
			t.Fatal(err)
		}
		return c.Row, signed, nil
	}
	now := time.Now().UTC()
	until := now.Add(3 * time.Hour)
	if row, signed, err := hold(until); err != nil || !signed.Until.Equal(until) || !row.NotAfter.Equal(until) || lastDeed(t, s, "command").Row.Detail != "awake "+until.Format(time.RFC3339) {
		t.Errorf("%+v, %+v, %v; %q", row, signed, err, lastDeed(t, s, "command").Row.Detail)
	}
	if row, signed, err := hold(time.Time{}); err != nil || !signed.Until.IsZero() || !row.NotAfter.After(now) {
		t.Errorf("released: %+v, %+v, %v", row, signed, err)
	}
	if _, _, err := hold(now.Add(25 * time.Hour)); err == nil || !strings.Contains(err.Error(), "longer than a day") {
		t.Errorf("for more than a day: %v", err)
	}
}

// TestWhatBecomesOfATerminalIsAudited: also what no person asked for.
func TestWhatBecomesOfATerminalIsAudited(t *testing.T) {
	s, _ := running(t, settings(t, fresh(t)))
	if r := s.Do(ctx, Request{Op: OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	head := func() store.Item[store.AuditEntry] { t.Helper(); return lastDeed(t, s, "terminal.") }
	err := s.st.Decide(ctx, func(tx store.Tx) error {
		return s.rules.Quarantine(tx, demo.Terminal, wire.QuarReceiptMissing, "no receipt", "")
	})
	if e := head(); err != nil || e.Row.Action != "terminal.quarantined" || e.Row.Actor != audit.Controller || e.Row.Target != demo.Terminal ||
		e.Row.Detail != string(wire.QuarReceiptMissing) || e.Site != demo.Site {
		t.Errorf("quarantine: %v, %+v", err, e)
	}
	if err := s.terminals.Revoke(ctx, demo.Terminal, "u1"); err != nil {
		t.Fatal(err)
	}
	if e := head(); e.Row.Action != "terminal.revoked" || e.Row.Actor != "u1" {
		t.Errorf("revocation: %+v", e)
	}
	err = s.st.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, demo.Terminal, func(it *store.Item[store.Terminal]) error {
			it.Row.State, it.Row.Serials = store.StateActive, []string{"01"}
			return nil
		})
	})
	if r := s.Do(ctx, Request{Op: OpRevoke, Args: map[string]string{"terminal": demo.Terminal}}); err != nil || r.Error != "" {
		t.Fatalf("%v, %+v", err, r)
	}
	if e := head(); e.Row.Action != "terminal.revoked" || e.Row.Actor != audit.Controller {
		t.Errorf("revocation by the machine's administrator: %+v", e)
	}
	err = s.st.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, demo.Terminal)
		if it.Row.State != store.StateRevoked || len(it.Row.Serials) > 0 || len(it.Row.Revoked) != 1 {
			t.Errorf("a revoked terminal: %+v", it.Row)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	record := auditor(s.now)
	for _, what := range []string{"enrolled", "replaced", "released", "forgotten"} {
		err := s.st.Decide(ctx, func(tx store.Tx) error { return record(tx, what, store.Item[store.Terminal]{}, "u1") })
		if (err != nil) != (what == "forgotten") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSecretsThatOthersMayReadAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("s3cret\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := secret(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others may read: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := secret(path); err != nil || got != "s3cret" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRequests(t *testing.T) {
	state := fresh(t)
	c := settings(t, state)
	s, stop := running(t, c)
	for _, r := range []Request{
		{Op: "format-disk"}, {Op: OpLink, Args: map[string]string{"name": "Ada", "role": "king"}},
		{Op: OpLink, Args: map[string]string{"name": "Ada", "role": "reception"}}, {Op: OpEnrol, Args: map[string]string{"terminal": "none"}},
		{Op: OpAudit, Args: map[string]string{"head": "1"}},
	} {
		if got, ok, err := Call(ctx, state, r); err != nil || !ok || got.Error == "" {
			t.Errorf("%+v gives %+v, %v, %v", r, got, ok, err)
		}
	}
	if r := s.Do(ctx, Request{Op: OpCheck}); !r.Found || !strings.Contains(r.Text, "user link") {
		t.Errorf("a check without an administrator: %+v", r)
	}
	login(t, s)
	if r := s.Do(ctx, Request{Op: OpCheck}); r.Found {
		t.Errorf("a check: %+v", r)
	}
	if r := s.Do(ctx, Request{Op: OpLink, Args: map[string]string{"name": "Ada", "role": "dpo", "all": "true"}}); r.Error != "" {
		t.Error(r.Error)
	}
	// A link opens the account as it is: another role is refused, an address is kept.
	if r := s.Do(ctx, Request{Op: OpLink, Args: map[string]string{"name": "Ada", "role": "observer"}}); !strings.Contains(r.Error, "is dpo on") {
		t.Errorf("a link with another role: %+v", r)
	}
	if r := s.Do(ctx, Request{Op: OpLink, Args: map[string]string{"name": "Ada", "role": "dpo", "email": "ada@example.fr"}}); r.Error != "" {
		t.Error(r.Error)
	}
	err := s.st.View(ctx, func(tx store.Tx) error {
		for it, err := range store.List[store.User](tx, "", "", false) {
			if err != nil || it.Row.Name == "Ada" && it.Row.Email != "ada@example.fr" {
				t.Errorf("%+v, %v", it, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(socketPath(state)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the control socket: %v, %v", st, err)
	}
	// Somebody who changes the audit is found.
	err = s.st.Decide(ctx, func(tx store.Tx) error {
		e, err := store.First(store.List[store.AuditEntry](tx, "", "", false))
		if err != nil {
			return err
		}
		e.Row.Actor = audit.Controller + "!"
		return store.Put(tx, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Do(ctx, Request{Op: OpAudit}); !r.Found || !strings.Contains(r.Text, "entry 1") {
		t.Errorf("a changed audit: %+v", r)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c.Demo = false
	if r, err := Offline(ctx, c, Request{Op: OpSeedDemo}); err != nil || !strings.Contains(r.Error, "demo = true") {
		t.Errorf("a demonstration in a real controller: %+v, %v", r, err)
	}
}

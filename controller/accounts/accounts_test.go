package accounts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

type world struct {
	*accounts.Service
	st  store.Store
	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time        { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
func (w *world) advance(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

func start(t *testing.T) *world {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{st: st, now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	w.Service = accounts.New(st, accounts.Options{Issuer: "i", Now: w.clock})
	return w
}

var ctx = context.Background()

func (w *world) user(t *testing.T, role accounts.Role) string {
	t.Helper()
	id, err := w.Create(ctx, audit.Controller, accounts.NewUser{Name: "Ada Morel", Role: role, All: true})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) login(t *testing.T, id string) string {
	t.Helper()
	token, _, err := w.Link(ctx, audit.Controller, id)
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, err := w.Redeem(ctx, token, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

func TestLinkWorksOnce(t *testing.T) {
	w := start(t)
	token, _, err := w.Link(ctx, audit.Controller, w.user(t, accounts.Administrator))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 5 {
		wg.Go(func() {
			_, _, err := w.Redeem(ctx, token, "192.0.2.1")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, accounts.ErrLink) {
				t.Errorf("a used link gives %v", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 5 came in with one link", won)
	}
}

func TestLinkExpiresAndIsReplaced(t *testing.T) {
	w := start(t)
	id := w.user(t, accounts.Administrator)
	old, _, _ := w.Link(ctx, audit.Controller, id)
	token, expires, _ := w.Link(ctx, audit.Controller, id)
	if _, _, err := w.Redeem(ctx, old, "a"); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("a link that was replaced gives %v", err)
	}
	if got := expires.Sub(w.clock()); got != 15*time.Minute {
		t.Errorf("a link lives %v", got)
	}
	w.advance(15 * time.Minute)
	if _, _, err := w.Redeem(ctx, token, "a"); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("an expired link gives %v", err)
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", 22), strings.Repeat("A", 5000)} {
		if _, _, err := w.Redeem(ctx, bad, "b"); !errors.Is(err, accounts.ErrLink) {
			t.Errorf("token %.5q gives %v", bad, err)
		}
	}
}

func TestTokensAreNotStored(t *testing.T) {
	w := start(t)
	id := w.user(t, accounts.Administrator)
	cookie := w.login(t, id)
	token, _, _ := w.Link(ctx, audit.Controller, id)
	err := w.st.View(ctx, func(tx store.Tx) error {
		for _, r := range store.Rows() {
			for m, doc := range tx.List(r.Table(), "", "", false) {
				b, _ := json.Marshal(m)
				if s := string(b) + string(doc); strings.Contains(s, cookie) || strings.Contains(s, token) {
					t.Errorf("table %s holds a secret: %s", r.Table(), s)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// A link is no session, nor the other way round.
	if _, err := w.Authenticate(ctx, token); !errors.Is(err, accounts.ErrLogin) {
		t.Errorf("a link's token as a cookie gives %v", err)
	}
	if _, _, err := w.Redeem(ctx, cookie, "a"); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("a cookie as a link gives %v", err)
	}
}

func TestSessionEndsIdleAndAbsolutely(t *testing.T) {
	w := start(t)
	id := w.user(t, accounts.Observer)
	cookie := w.login(t, id)
	w.advance(2*time.Hour - time.Second)
	if _, err := w.Peek(ctx, cookie); err != nil {
		t.Fatalf("just before the idle end: %v", err)
	}
	w.advance(time.Second)
	if _, err := w.Authenticate(ctx, cookie); !errors.Is(err, accounts.ErrLogin) {
		t.Errorf("after two idle hours: %v", err)
	}
	cookie = w.login(t, id)
	for i := range 12 {
		p, err := w.Authenticate(ctx, cookie)
		if err != nil || p.ID != id {
			t.Fatalf("in hour %d: %v", i, err)
		}
		w.advance(time.Hour)
	}
	if _, err := w.Authenticate(ctx, cookie); !errors.Is(err, accounts.ErrLogin) {
		t.Errorf("after twelve busy hours: %v", err)
	}
}

func TestLogoutAndDisabledAccount(t *testing.T) {
	w := start(t)
	id := w.user(t, accounts.Reception)
	cookie, other := w.login(t, id), w.login(t, id)
	p, err := w.Authenticate(ctx, cookie)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Logout(ctx, p); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(ctx, cookie); !errors.Is(err, accounts.ErrLogin) {
		t.Errorf("after the logout: %v", err)
	}
	if _, err := w.Authenticate(ctx, other); err != nil {
		t.Errorf("the other session: %v", err)
	}
	link, _, err := w.Link(ctx, audit.Controller, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Disable(ctx, audit.Controller, id); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Redeem(ctx, link, "192.0.2.1"); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("a link made before: %v", err)
	}
	if err := w.st.View(ctx, func(tx store.Tx) error {
		if it, err := store.First(store.Find[store.Login](tx, "user", id)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session is left: %+v, %v", it, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	root := w.user(t, accounts.Administrator)
	if err := w.Disable(ctx, audit.Controller, root); err == nil {
		t.Error("the last administrator locks everybody out")
	}
	w.user(t, accounts.Administrator)
	if err := w.Disable(ctx, audit.Controller, root); err != nil {
		t.Errorf("one administrator of two: %v", err)
	}
	if _, err := w.Authenticate(ctx, other); !errors.Is(err, accounts.ErrLogin) {
		t.Errorf("a disabled account: %v", err)
	}
	if _, _, err := w.Link(ctx, audit.Controller, id); err == nil {
		t.Error("a disabled account gets a link")
	}
}

// TestWrongAttemptsAreLimited, and whoever tries locks nobody else out: behind
// a proxy everybody has the same address.
func TestWrongAttemptsAreLimited(t *testing.T) {
	w := start(t)
	id := w.user(t, accounts.Administrator)
	wrong := strings.Repeat("A", 22)
	try := func(from string, want error) {
		t.Helper()
		if _, _, err := w.Redeem(ctx, wrong, from); !errors.Is(err, want) {
			t.Errorf("a wrong token from %s: %v, want %v", from, err, want)
		}
	}
	for i := range 10 {
		try("192.0.2.7", accounts.ErrLink)
		try(fmt.Sprintf("2001:db8::%x", i+1), accounts.ErrLink)
	}
	try("192.0.2.7", accounts.ErrRate)
	try("2001:db8::ffff", accounts.ErrRate) // the same network
	try("2001:db8:0:1::1", accounts.ErrLink)
	try("192.0.2.8", accounts.ErrLink)
	token, _, _ := w.Link(ctx, audit.Controller, id)
	if _, _, err := w.Redeem(ctx, token, "192.0.2.7"); err != nil {
		t.Errorf("a good link from an address that tried too often: %v", err)
	}
	if _, _, err := w.Redeem(ctx, token, "192.0.2.7"); !errors.Is(err, accounts.ErrRate) {
		t.Errorf("the same link again: %v", err)
	}
}

func TestAccountsAreRefused(t *testing.T) {
	w := start(t)
	for name, u := range map[string]accounts.NewUser{
		"no name":         {Role: accounts.Observer, All: true},
		"no role":         {Name: "A", All: true},
		"unknown role":    {Name: "A", Role: "root", All: true},
		"nowhere":         {Name: "A", Role: accounts.Reception},
		"both":            {Name: "A", Role: accounts.Reception, All: true, Sites: []string{"s"}},
		"unknown site":    {Name: "A", Role: accounts.Reception, Sites: []string{"s"}},
		"no mail address": {Name: "A", Role: accounts.Reception, All: true, Email: "x"},
	} {
		if _, err := w.Create(ctx, "u", u); err == nil {
			t.Errorf("%s: the account is made", name)
		}
	}
}

func TestScope(t *testing.T) {
	p := accounts.Person{Role: accounts.Correspondant, Sites: []string{"a"}}
	for _, c := range []struct {
		site  string
		roles []accounts.Role
		want  bool
	}{
		{"a", []accounts.Role{accounts.Correspondant}, true},
		{"b", []accounts.Role{accounts.Correspondant}, false},
		{"", []accounts.Role{accounts.Correspondant}, false},
		{"a", []accounts.Role{accounts.Administrator}, false},
		{"a", nil, false},
	} {
		if got := p.Holds(c.site, c.roles...); got != c.want {
			t.Errorf("Holds(%q, %v) = %v", c.site, c.roles, got)
		}
	}
	if !(accounts.Person{Role: accounts.Observer}).Holds("b", accounts.Observer) {
		t.Error("a role everywhere is not held on a site")
	}
}

func TestSweep(t *testing.T) {
	w := start(t)
	id := w.user(t, accounts.Administrator)
	w.login(t, id)
	count := func() (n int) {
		if err := w.st.Decide(ctx, func(tx store.Tx) (err error) { n, err = accounts.Sweep(tx, w.clock()); return err }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 1 { // the used link; the session lives
		t.Errorf("%d rows went, want the used link", n)
	}
	w.advance(13 * time.Hour)
	if n := count(); n != 1 {
		t.Errorf("%d rows went, want the session", n)
	}
}

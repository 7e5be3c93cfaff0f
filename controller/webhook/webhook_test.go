package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/controller/fetch"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

const key = "a-key-that-nobody-logs"

// system is another system that takes posts, and can refuse them.
type system struct {
	*httptest.Server
	t      *testing.T
	mu     sync.Mutex
	status int
	to     string // redirects there
	got    []string
	at     []time.Time
}

func (s *system) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var at, sum string
	for _, part := range strings.Split(r.Header.Get("Borne-Signature"), ",") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "t":
			at = value
		case "v1":
			sum = value
		}
	}
	m := hmac.New(sha256.New, []byte(key+"/h/0"))
	io.WriteString(m, at+"."+string(body))
	if sum != hex.EncodeToString(m.Sum(nil)) || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Borne-Delivery") == "" {
		s.t.Errorf("%s %v does not prove who sent it", r.Method, r.Header)
	}
	unix, _ := strconv.ParseInt(at, 10, 64)
	s.at = append(s.at, time.Unix(unix, 0))
	s.got = append(s.got, string(body))
	if s.to != "" {
		http.Redirect(w, r, s.to, http.StatusTemporaryRedirect)
		return
	}
	w.WriteHeader(s.status)
	fmt.Fprint(w, strings.Repeat("what it says is not read ", 1000))
}

func (s *system) set(status int, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.to = status, to
}

func (s *system) bodies() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.got, " ")
}

type world struct {
	t   *testing.T
	dir string
	st  store.Store
	s   *Sender
	sys *system
	now time.Time
	log bytes.Buffer
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), sys: &system{t: t, status: http.StatusOK}}
	w.sys.Server = httptest.NewTLSServer(w.sys)
	t.Cleanup(w.sys.Close)
	w.open()
	t.Cleanup(func() { w.st.Close() })
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Hook]{Meta: store.Meta{ID: "h"}, Row: store.Hook{Name: "Supervision", Address: w.sys.URL + "/in?token=s3cret", On: true}})
	})
	return w
}

// open opens the store, as after a restart.
func (w *world) open() {
	w.t.Helper()
	if w.st != nil {
		if err := w.st.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	if w.st, err = bolt.Open(bolt.Config{Dir: w.dir, Journal: 64 << 10}); err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(w.sys.Certificate())
	post := fetch.New(fetch.Config{Private: true, Roots: roots})
	w.t.Cleanup(post.Close)
	w.s = &Sender{Store: w.st, Post: post, Key: func(id string, turn int) []byte { return fmt.Appendf(nil, "%s/%s/%d", key, id, turn) },
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(&w.log, nil))}
}

func (w *world) decide(fn func(store.Tx) error) {
	w.t.Helper()
	if err := w.st.Decide(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) queue(body string, test bool) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error { return Queue(tx, body, "h", []byte(body), test, w.now) })
	w.now = w.now.Add(time.Second)
}

func (w *world) round() {
	w.t.Helper()
	if err := w.s.round(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) waiting() (all []store.HookPost) {
	w.decide(func(tx store.Tx) error {
		all = nil
		for it, err := range store.List[store.HookPost](tx, "", "", false) {
			if err != nil {
				return err
			}
			all = append(all, it.Row)
		}
		return nil
	})
	return all
}

func (w *world) hook() (h store.Hook) {
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Hook](tx, "h")
		h = it.Row
		return err
	})
	return h
}

func TestPostsArriveOnceInTheirOrder(t *testing.T) {
	w := start(t)
	w.queue("one", false)
	w.queue("two", false)
	w.open() // a restart loses nothing
	w.round()
	w.round()
	if got := w.sys.bodies(); got != "one two" || len(w.waiting()) != 0 {
		t.Errorf("%q, %d wait", got, len(w.waiting()))
	}
	if h := w.hook(); !h.Sent.Equal(w.now) || h.Error != "" || !h.Failed.IsZero() {
		t.Errorf("%+v", h)
	}
	for _, at := range w.sys.at {
		if !at.Equal(w.now) {
			t.Errorf("signed as of %s", at)
		}
	}
}

func TestWhoRefusesIsTriedAgainAndTheRestWaits(t *testing.T) {
	w := start(t)
	w.sys.set(http.StatusServiceUnavailable, "")
	w.queue("one", false)
	w.queue("two", false)
	w.round()
	w.round() // not yet
	if got := w.sys.bodies(); got != "one" {
		t.Fatalf("%q: it did not wait, or another overtook it", got)
	}
	if h := w.hook(); !h.Failed.Equal(w.now) || !strings.Contains(h.Error, "503") {
		t.Errorf("%+v", h)
	}
	w.queue("try", true) // by hand: at once, and once
	w.round()
	w.round()
	if got := w.sys.bodies(); got != "one try" || len(w.waiting()) != 2 {
		t.Errorf("%q, %d wait", got, len(w.waiting()))
	}
	var waits []time.Duration
	for range 8 {
		next := w.waiting()[0].Next
		waits = append(waits, next.Sub(w.now).Truncate(time.Minute))
		w.now = next
		w.round()
	}
	if waits[len(waits)-1] != maxWait || waits[1] >= waits[3] {
		t.Errorf("it waits %v between attempts", waits)
	}
	w.sys.set(http.StatusNoContent, "")
	w.now = w.waiting()[0].Next
	w.round()
	if got := w.sys.bodies(); !strings.HasSuffix(got, " one two") || len(w.waiting()) != 0 {
		t.Errorf("%q, %d wait", got, len(w.waiting()))
	}
	if h := w.hook(); h.Error != "" || !h.Failed.IsZero() {
		t.Errorf("%+v", h)
	}
	for _, s := range []string{"s3cret", key, "one", w.sys.Listener.Addr().String()} {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("the log tells %q: %s", s, w.log.String())
		}
	}
	if !strings.Contains(w.log.String(), "503") {
		t.Errorf("the log does not tell why: %s", w.log.String())
	}
}

func TestNobodyWaitsForEver(t *testing.T) {
	w := start(t)
	w.sys.set(http.StatusInternalServerError, "")
	w.queue("one", false)
	w.now = w.now.Add(giveUp + time.Minute)
	w.round()
	if len(w.waiting()) != 0 || w.sys.bodies() != "" {
		t.Errorf("a day later %d wait", len(w.waiting()))
	}
	w.queue("two", false)
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "h", func(h *store.Item[store.Hook]) error { h.Row.On = false; return nil })
	})
	w.round()
	if len(w.waiting()) != 0 || w.sys.bodies() != "" {
		t.Error("one that is turned off is told")
	}
	w.decide(func(tx store.Tx) error {
		for i := range maxWaiting {
			if err := Queue(tx, fmt.Sprint(i), "h", []byte("x"), false, w.now); err != nil {
				return err
			}
		}
		if err := Queue(tx, "more", "h", []byte("x"), false, w.now); err == nil {
			t.Error("what waits has no bound")
		}
		if err := Queue(tx, "big", "other", make([]byte, MaxBody+1), false, w.now); err == nil {
			t.Error("a post has no bound")
		}
		return nil
	})
}

func TestASignedPostIsForOneAddress(t *testing.T) {
	w := start(t)
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it followed a redirect") }))
	defer other.Close()
	w.sys.set(0, other.URL)
	w.queue("one", false)
	w.round()
	if h := w.hook(); !strings.Contains(h.Error, "307") || len(w.waiting()) != 1 {
		t.Errorf("%+v", h)
	}
	closed := fetch.New(fetch.Config{}) // as a controller is: the private network is not its to ask
	defer closed.Close()
	w.s.Post, w.now = closed, w.waiting()[0].Next
	n := w.sys.bodies()
	w.round()
	if h := w.hook(); !strings.Contains(h.Error, "réseau privé") || w.sys.bodies() != n {
		t.Errorf("%+v", h)
	}
}

func TestRunSendsAndEnds(t *testing.T) {
	w := start(t)
	w.s.Look = 5 * time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.queue("one", false)
	go func() { defer close(done); w.s.Run(ctx) }()
	for w.sys.bodies() == "" {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-done
}

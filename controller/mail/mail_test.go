package mail

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"borne/controller/store"
	"borne/controller/store/bolt"
)

// post is a mail server that keeps what it gets.
type post struct {
	mu     sync.Mutex
	got    []string
	to     []string
	busy   bool
	strict bool // it refuses who the mail is for, and repeats them
	logins int
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &letter{p: p}, nil }

type letter struct {
	p    *post
	auth bool
}

func (l *letter) AuthMechanisms() []string { return []string{sasl.Plain} }

func (l *letter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "borne" || password != "secret" {
			return errors.New("who are you?")
		}
		l.auth = true
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		l.p.logins++
		return nil
	}), nil
}

func (l *letter) Mail(string, *smtp.MailOptions) error {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if !l.auth {
		return smtp.ErrAuthRequired
	}
	if l.p.busy {
		return &smtp.SMTPError{Code: 451, Message: "try again later"}
	}
	return nil
}

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.p.strict {
		return &smtp.SMTPError{Code: 550, Message: "no such user: " + to}
	}
	l.p.to = append(l.p.to, to)
	return nil
}

func (l *letter) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.p.got = append(l.p.got, string(b))
	return err
}

func (l *letter) Reset()        {}
func (l *letter) Logout() error { return nil }

func (p *post) letters() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.got...)
}

// serve starts a mail server over STARTTLS, with a certificate of its own.
func serve(t *testing.T, p *post) Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	s := smtp.NewServer(p)
	s.Domain = "localhost"
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { s.Close(); <-done })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return Server{Address: "localhost:" + port, From: "bornes@example.org", User: "borne", Password: "secret", TLS: StartTLS, Roots: roots}
}

type world struct {
	t   *testing.T
	st  store.Store
	now time.Time
	s   *Sender
}

func start(t *testing.T, to Server) *world {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Journal: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, st: st, now: time.Date(2026, 12, 1, 17, 1, 0, 0, time.UTC)}
	w.s = &Sender{Store: st, Server: to, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)}
	return w
}

func (w *world) queue(id, to string) {
	w.t.Helper()
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		return Queue(tx, store.Meta{ID: id}, to, "L’alarme est encore en service", "Bonjour,\n\nÀ 18\u00a0h.\n", w.now)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) round() {
	w.t.Helper()
	if err := w.s.round(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) outbox() (all []store.Item[store.Mail]) {
	w.t.Helper()
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		for it, err := range store.List[store.Mail](tx, "", "", false) {
			if err != nil {
				return err
			}
			all = append(all, it)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestMailIsSentOnceAndItsAddressForgotten(t *testing.T) {
	p := &post{}
	w := start(t, serve(t, p))
	w.queue("a", "loge@example.org")
	w.queue("a", "loge@example.org")
	w.round()
	w.round()
	w.queue("a", "loge@example.org") // the same again, once it was sent
	w.round()
	got := p.letters()
	if len(got) != 1 || p.to[0] != "loge@example.org" || p.logins != 1 || !strings.Contains(got[0], "From: <bornes@example.org>") {
		t.Fatalf("%d letters to %v: %q", len(got), p.to, got)
	}
	all := w.outbox()
	if len(all) != 1 || all[0].Row.To != "" || all[0].Row.Text != "" || all[0].Row.Sent.IsZero() {
		t.Errorf("kept: %+v", all)
	}
	w.now = w.now.Add(keepSent + time.Minute)
	w.round()
	if all := w.outbox(); len(all) != 0 {
		t.Errorf("kept for ever: %+v", all)
	}
}

func TestServerThatIsBusyIsTriedAgain(t *testing.T) {
	p := &post{busy: true}
	w := start(t, serve(t, p))
	w.queue("a", "loge@example.org")
	w.round()
	first := w.outbox()[0].Row
	if first.Tries != 1 || !first.Next.After(w.now) || len(p.letters()) != 0 {
		t.Fatalf("%+v", first)
	}
	w.round() // not yet
	if w.outbox()[0].Row.Tries != 1 {
		t.Error("it did not wait")
	}
	p.mu.Lock()
	p.busy = false
	p.mu.Unlock()
	w.now = first.Next
	w.round()
	if len(p.letters()) != 1 {
		t.Errorf("%+v", w.outbox())
	}
	// Nobody needs to know a day later.
	p.mu.Lock()
	p.busy = true
	p.mu.Unlock()
	w.queue("b", "loge@example.org")
	w.now = w.now.Add(giveUp + time.Minute)
	w.round()
	for _, it := range w.outbox() {
		if it.ID == "b" {
			t.Errorf("kept: %+v", it)
		}
	}
}

func TestNothingIsSentUnprotected(t *testing.T) {
	p := &post{}
	to := serve(t, p)
	to.Roots = x509.NewCertPool() // a stranger's certificate
	var log bytes.Buffer
	w := start(t, to)
	w.s.Log = slog.New(slog.NewTextHandler(&log, nil))
	w.queue("a", "loge@example.org")
	w.round()
	if len(p.letters()) != 0 || p.logins != 0 || w.outbox()[0].Row.Tries != 1 || !strings.Contains(log.String(), "certificate") {
		t.Errorf("%d letters, %d logins, %s", len(p.letters()), p.logins, log.String())
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "loge@") {
		t.Errorf("the log tells %s", log.String())
	}
}

// TestTheLogNamesNobody: what a server answers repeats who the mail is for.
func TestTheLogNamesNobody(t *testing.T) {
	p := &post{strict: true}
	var log bytes.Buffer
	w := start(t, serve(t, p))
	w.s.Log = slog.New(slog.NewTextHandler(&log, nil))
	w.queue("a", "loge@example.org")
	w.queue("b", "Mme Durand loge@@example.org")
	w.round()
	for _, s := range []string{"loge", "Durand"} {
		if strings.Contains(log.String(), s) {
			t.Errorf("the log tells %s", log.String())
		}
	}
	if !strings.Contains(log.String(), "550") || strings.Count(log.String(), "cannot be sent yet") != 2 {
		t.Errorf("the log does not tell what is wrong: %s", log.String())
	}
}

func TestRunSendsAndEnds(t *testing.T) {
	p := &post{}
	w := start(t, serve(t, p))
	w.s.Look = 5 * time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.s.Run(ctx); close(done) }()
	w.queue("a", "loge@example.org")
	for len(p.letters()) == 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-done
}

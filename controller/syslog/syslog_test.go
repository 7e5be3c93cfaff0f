package syslog_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/controller/syslog"
)

const soon = 20 * time.Second

// collector is a real TLS receiver that reads frames as RFC 5425 has them.
type collector struct {
	t     *testing.T
	ln    net.Listener
	got   chan string
	mu    sync.Mutex
	conns []net.Conn
}

func pair(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func listen(t *testing.T, addr string, cert tls.Certificate) *collector {
	t.Helper()
	ln, err := tls.Listen("tcp", addr, &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{t: t, ln: ln, got: make(chan string, 1<<14)}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			go c.read(conn)
		}
	}()
	t.Cleanup(c.close)
	return c
}

func (c *collector) read(conn net.Conn) {
	for r := bufio.NewReader(conn); ; {
		head, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, " "))
		if err != nil || n > 8192 {
			c.t.Errorf("a frame of %q bytes", head)
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		c.got <- string(b)
	}
}

func (c *collector) close() {
	c.ln.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.conns {
		x.Close()
	}
}

func (c *collector) next() string {
	c.t.Helper()
	select {
	case m := <-c.got:
		return m
	case <-time.After(soon):
		c.t.Fatal("nothing arrives")
		return ""
	}
}

func start(t *testing.T, cfg syslog.Config) *syslog.Sender {
	t.Helper()
	cfg.Wait, cfg.Look = 5*time.Millisecond, 5*time.Millisecond
	cfg.Host, cfg.App = "controller.example.fr", "borne-controller"
	s := syslog.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(soon):
			t.Error("it does not end")
		}
	})
	return s
}

// message is RFC 5424's grammar, as far as it is used.
var message = regexp.MustCompile(`^<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]{1,255} [!-~]{1,48} - [!-~]{1,32} (?:-|\[borne@32473(?: [!-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])(?: \x{feff}[^\n\r]*)?$`)

func TestEventsArrive(t *testing.T) {
	cert, roots := pair(t)
	c := listen(t, "127.0.0.1:0", cert)
	s := start(t, syslog.Config{Address: c.ln.Addr().String(), TLS: &tls.Config{RootCAs: roots}})
	s.Send(syslog.Event{At: time.Unix(0, 0), Severity: syslog.Warning, ID: "terminal.refused", Params: []syslog.Param{{Name: "reason", Value: `a "b" ] \`}}, Text: "été\nforged"})
	got := c.next()
	if want := `<84>1 1970-01-01T00:00:00.000Z controller.example.fr borne-controller - terminal.refused [borne@32473 reason="a \"b\" \] \\"] ` + "\ufeffété forged"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestForeignCollectorHearsNothing: another certificate is no collector's.
func TestForeignCollectorHearsNothing(t *testing.T) {
	cert, _ := pair(t)
	_, roots := pair(t)
	c := listen(t, "127.0.0.1:0", cert)
	fails := make(chan struct{}, 100)
	s := syslog.New(syslog.Config{Address: c.ln.Addr().String(), TLS: &tls.Config{RootCAs: roots}, Wait: time.Millisecond, Source: func(context.Context, uint64, int) ([]syslog.Event, uint64, error) {
		fails <- struct{}{}
		return nil, 0, nil
	}})
	s.Send(syslog.Event{ID: "secret"})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond) // several attempts
	defer cancel()
	s.Run(ctx)
	if len(c.got) > 0 || len(fails) > 0 {
		t.Error("it spoke to a foreign collector")
	}
}

// TestCollectorAway: the source's events all arrive in order when it is back,
// others up to the queue's bound, and the collector is told how many did not fit.
func TestCollectorAway(t *testing.T) {
	cert, roots := pair(t)
	c := listen(t, "127.0.0.1:0", cert)
	addr := c.ln.Addr().String()
	var mu sync.Mutex
	recorded := 3
	source := func(_ context.Context, after uint64, n int) (all []syslog.Event, last uint64, err error) {
		mu.Lock()
		defer mu.Unlock()
		for i := after + 1; i <= uint64(recorded) && len(all) < n; i++ {
			all, last = append(all, syslog.Event{ID: "audit", Params: []syslog.Param{{Name: "seq", Value: fmt.Sprint(i)}}}), i
		}
		return all, last, nil
	}
	s := start(t, syslog.Config{Address: addr, TLS: &tls.Config{RootCAs: roots}, Source: source})
	for range recorded {
		c.next()
	}
	c.close()
	for end := time.Now().Add(soon); s.Connected(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not notice that the collector went")
		}
	}
	mu.Lock()
	recorded = 1000
	mu.Unlock()
	const sent = 3000
	for i := range sent {
		s.Send(syslog.Event{ID: "live", Params: []syslog.Param{{Name: "n", Value: fmt.Sprint(i)}}})
	}
	if s.Dropped() == 0 {
		t.Fatal("nothing was dropped: the queue has no bound")
	}
	c = listen(t, addr, cert)
	seqs, live, told := map[string]bool{}, 0, uint64(0)
	last := 0
	number := regexp.MustCompile(`(?:seq|count)="(\d+)"`)
	for len(seqs) < recorded || uint64(live)+told < sent {
		m := c.next()
		if !message.MatchString(m) {
			t.Fatalf("no message of RFC 5424: %q", m)
		}
		switch f := strings.Fields(m)[5]; f {
		case "audit":
			n, _ := strconv.Atoi(number.FindStringSubmatch(m)[1])
			if n > last+1 && last != 0 || n <= last && !seqs[fmt.Sprint(n)] {
				t.Fatalf("entry %d after %d", n, last)
			}
			last = n
			seqs[fmt.Sprint(n)] = true
		case "live":
			live++
		case "syslog.dropped":
			n, _ := strconv.ParseUint(number.FindStringSubmatch(m)[1], 10, 64)
			told += n
		}
	}
	if told != s.Dropped() || uint64(live)+told != sent {
		t.Errorf("%d live, %d told of as dropped, of %d; %d were", live, told, sent, s.Dropped())
	}
}

func FuzzFormat(f *testing.F) {
	f.Add("terminal.refused", "reason", `a"]\`, "text\n<1>1 - forged")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, id, name, value, text string) {
		m := syslog.Format(syslog.Event{At: time.Unix(0, 0), Severity: syslog.Notice, ID: id, Params: []syslog.Param{{Name: name, Value: value}}, Text: text}, "h", "a")
		if !message.Match(m) || len(m) > 8192 {
			t.Errorf("%d bytes: %q", len(m), m)
		}
	})
}

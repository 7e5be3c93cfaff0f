package uplink

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/wire"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// run starts a link to c, and stops it at the test's end.
func run(t *testing.T, c *controller, o *outbox, edit func(*Config)) *Link {
	t.Helper()
	folder, err := OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Outbox: o, Identity: now(t, c.root, c.url), Folder: folder, Build: "test", Boot: "b1",
		BackoffMin: time.Millisecond, BackoffMax: 2 * time.Millisecond}
	if edit != nil {
		edit(&cfg)
	}
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return l
}

// until reads events until one is wanted.
func until(t *testing.T, l *Link, want func(Event) bool) Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-l.Events():
			if want(e) {
				return e
			}
		case <-deadline:
			t.Fatal("the event did not come")
		}
	}
}

func offline(t *testing.T, l *Link) error {
	t.Helper()
	return until(t, l, func(e Event) bool { return e.Offline != nil }).Offline.Err
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestHelloWelcomeAndEvents(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	o := newOutbox(0, 0)
	wall := time.Now().Add(-time.Minute)
	l := run(t, c, o, func(c *Config) {
		c.Sim = true
		c.Wall = func() (time.Time, bool) { return wall, true }
	})
	p := c.next()
	if h := p.hello; h.Protocol != wire.Protocol || h.MinProtocol != wire.MinProtocol || h.Build != "test" || h.Boot != "b1" || !h.Sim ||
		!h.Wall.Equal(wall) || !h.WallTrusted || h.PermitsLeft != 3 || h.Policy != 4 {
		t.Errorf("hello: %+v", h)
	}
	p.welcome(7, 0)
	if e := until(t, l, func(Event) bool { return true }); e.Clock == nil || e.Clock.Wall.IsZero() || e.Clock.Round <= 0 {
		t.Errorf("first event %+v, want the clock", e)
	}
	if e := until(t, l, func(Event) bool { return true }); e.Welcome == nil || e.Welcome.Epoch != 7 {
		t.Errorf("second event %+v, want the welcome", e)
	}
	if len(o.welcomed) != 1 {
		t.Errorf("the outbox was welcomed %d times", len(o.welcomed))
	}
	env := wire.Envelope{Kid: "k", Domain: wire.DomainPolicy, Payload: []byte("p"), Sig: []byte("s")}
	p.ws.WriteMessage(websocket.TextMessage, []byte(`{"somethingNew":{"x":1}}`)) // ignored
	p.send(wire.Message{Policy: &env})
	p.send(wire.Message{Permits: []wire.Envelope{env, env}})
	p.send(wire.Message{Command: &env})
	p.send(wire.Message{Space: &wire.Space{OtherFree: true}})
	for i, ok := range []func(Event) bool{
		func(e Event) bool { return e.Policy != nil && string(e.Policy.Payload) == "p" },
		func(e Event) bool { return len(e.Permits) == 2 },
		func(e Event) bool { return e.Command != nil },
		func(e Event) bool { return e.Space != nil && e.Space.OtherFree },
	} {
		if e := until(t, l, func(Event) bool { return true }); !ok(e) {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}

// TestTheLedgerIsAsked: a question goes out once a connection is welcomed, and
// one that waits is dropped with its connection, whose loss is told.
func TestTheLedgerIsAsked(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	l := run(t, c, newOutbox(0, 0), nil)
	p := c.next()
	if l.Ask(wire.PrintAsk{Job: "early"}) {
		t.Error("a question is taken before the welcome")
	}
	p.welcome(1, 0)
	until(t, l, func(e Event) bool { return e.Welcome != nil })
	if !l.Ask(wire.PrintAsk{Job: "one", Session: "s", Units: 300}) {
		t.Fatal("no question is taken once welcomed")
	}
	var asked *wire.PrintAsk
	for asked == nil {
		m, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		asked = m.Ask
	}
	if asked.Job != "one" || asked.Session != "s" || asked.Units != 300 {
		t.Errorf("asked %+v", asked)
	}
	p.send(wire.Message{Answer: &wire.PrintAnswer{Job: "one", Granted: true, Left: 700}})
	if e := until(t, l, func(e Event) bool { return e.Answer != nil }); e.Answer.Job != "one" || !e.Answer.Granted || e.Answer.Left != 700 {
		t.Errorf("answer %+v", e.Answer)
	}
	p.ws.Close()
	until(t, l, func(e Event) bool { return e.Offline != nil })
	if l.Ask(wire.PrintAsk{Job: "late"}) {
		t.Error("a question is taken without a connection")
	}
}

func TestRecordsAreSentInAWindowAndAcknowledged(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	o := newOutbox(1, 25)
	run(t, c, o, func(c *Config) { c.Window = 10 })
	p := c.next()
	p.welcome(1, 5)
	b := p.batch()
	if b.Epoch != 1 || len(b.Records) != 10 || b.Records[0].Seq != 6 {
		t.Fatalf("first batch: epoch %d, %d records", b.Epoch, len(b.Records))
	}
	// Nothing more until an ack: the next message is what that ack lets through.
	p.send(wire.Message{Ack: &wire.Ack{Epoch: 1, Seq: 15}})
	if b := p.batch(); b.Records[0].Seq != 16 || len(b.Records) != 10 {
		t.Fatalf("second batch: %d records from %d", len(b.Records), b.Records[0].Seq)
	}
	p.send(wire.Message{Ack: &wire.Ack{Epoch: 1, Seq: 25}})
	eventually(t, "the ack was not kept", func() bool { return o.ackedTo() == 25 })
	o.add(`{"new":1}`)
	if b := p.batch(); len(b.Records) != 1 || b.Records[0].Seq != 26 {
		t.Errorf("a record written later: %+v", b)
	}
	p.send(wire.Message{Ack: &wire.Ack{Epoch: 9, Seq: 99}}) // of another epoch
	p.send(wire.Message{Ack: &wire.Ack{Epoch: 1, Seq: 26}})
	eventually(t, "the last ack was not kept", func() bool { return o.ackedTo() == 26 })
}

func TestLargeRecordsAreSplitIntoFrames(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	o := newOutbox(1, 0)
	for range 9 {
		o.add(`"` + strings.Repeat("x", wire.MaxRecord-2) + `"`)
	}
	run(t, c, o, nil)
	p := c.next()
	p.welcome(1, 0)
	batches := 0
	for last := uint64(0); last < 9; batches++ {
		b := p.batch() // Decode refuses a frame past the limit
		if b.Records[0].Seq != last+1 {
			t.Fatalf("a batch begins with %d after %d", b.Records[0].Seq, last)
		}
		last = b.Records[len(b.Records)-1].Seq
	}
	if batches < 3 {
		t.Errorf("%d batches: they cannot fit", batches)
	}
}

func TestReconnectRewindsToTheCursor(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	o := newOutbox(1, 6)
	l := run(t, c, o, nil)
	p := c.next()
	p.welcome(1, 0)
	p.batch()
	p.send(wire.Message{Ack: &wire.Ack{Epoch: 1, Seq: 6}})
	eventually(t, "not acked", func() bool { return o.ackedTo() == 6 })
	p.ws.Close()
	if err := offline(t, l); err == nil {
		t.Error("offline without a reason")
	}
	// The controller was restored from a backup: its cursor went back.
	p = c.next()
	p.welcome(1, 2)
	if b := p.batch(); b.Records[0].Seq != 3 || len(b.Records) != 4 {
		t.Errorf("after the rewind: %d records from %d", len(b.Records), b.Records[0].Seq)
	}
	p.ws.Close()
	// A new epoch is granted: the records get their new place first.
	p = c.next()
	p.welcome(2, 0)
	if b := p.batch(); b.Epoch != 2 || b.Records[0].Epoch != 2 || b.Records[0].Seq != 1 {
		t.Errorf("in the new epoch: %+v", b)
	}
}

func TestLatestStatusWins(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	l := run(t, c, newOutbox(1, 0), nil)
	l.Send(wire.Status{Phase: "old"})
	l.Send(wire.Status{Phase: "welcome"})
	p := c.next()
	p.welcome(1, 0)
	if m, err := p.read(); err != nil || m.Status == nil || m.Status.Phase != "welcome" {
		t.Fatalf("%+v, %v", m.Status, err)
	}
	l.Send(wire.Status{Phase: "active"})
	for phase := ""; phase != "active"; {
		m, err := p.read()
		if err != nil || m.Status == nil {
			t.Fatalf("%+v, %v", m, err)
		}
		phase = m.Status.Phase
	}
	p.ws.Close()
	p = c.next() // and again with each connection
	p.welcome(1, 0)
	if m, err := p.read(); err != nil || m.Status == nil || m.Status.Phase != "active" {
		t.Errorf("after reconnecting: %+v, %v", m.Status, err)
	}
}

func TestBadPeersAreLeft(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	l := run(t, c, newOutbox(1, 0), nil)
	for name, bad := range map[string]func(*peer){
		"not a welcome":  func(p *peer) { p.send(wire.Message{Ack: &wire.Ack{}}) },
		"no epoch":       func(p *peer) { p.welcome(0, 0) },
		"newer protocol": func(p *peer) { p.send(wire.Message{Welcome: &wire.Welcome{Protocol: 99, Epoch: 1}}) },
		"no JSON":        func(p *peer) { p.ws.WriteMessage(websocket.TextMessage, []byte("{")) },
		"binary":         func(p *peer) { p.ws.WriteMessage(websocket.BinaryMessage, []byte("{}")) },
		"hello in turn":  func(p *peer) { p.welcome(1, 0); p.send(wire.Message{Hello: &wire.Hello{}}) },
		"frame too long": func(p *peer) {
			p.welcome(1, 0)
			p.ws.WriteMessage(websocket.TextMessage, []byte(`{"x":"`+strings.Repeat("x", wire.MaxFrame)+`"}`))
		},
	} {
		bad(c.next())
		if err := offline(t, l); err == nil {
			t.Errorf("%s: no reason", name)
		}
	}
	c.next().welcome(1, 0)
	until(t, l, func(e Event) bool { return e.Welcome != nil })
}

func TestSilentPeerIsLeft(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	l := run(t, c, newOutbox(1, 0), func(c *Config) { c.PingEvery, c.DeadAfter = 5*time.Millisecond, 100*time.Millisecond })
	p := c.next()
	p.welcome(1, 0)
	// The peer reads nothing, so that no pong comes back.
	if err := offline(t, l); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("%v", err)
	}
}

func TestPeerThatNeverAcknowledgesIsLeft(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	l := run(t, c, newOutbox(1, 3), func(c *Config) { c.PingEvery, c.DeadAfter = 5*time.Millisecond, 100*time.Millisecond })
	p := c.next()
	p.welcome(1, 0)
	go func() {
		for { // reading answers pings
			if _, _, err := p.ws.ReadMessage(); err != nil {
				return
			}
		}
	}()
	if err := offline(t, l); err == nil || !strings.Contains(err.Error(), "acknowledged nothing") {
		t.Errorf("%v", err)
	}
}

func TestReaderThatStopsLosesTheConnection(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	l := run(t, c, newOutbox(1, 0), func(c *Config) { c.HandOver = 20 * time.Millisecond })
	p := c.next()
	p.welcome(1, 0)
	for range cap(l.events) + 10 {
		if b, _ := wire.Encode(wire.Message{Space: &wire.Space{}}); p.ws.WriteMessage(websocket.TextMessage, b) != nil {
			break
		}
	}
	// The connection is given up, and comes back for as long as nobody reads;
	// once somebody does, it stays.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	hello := make(chan int)
	go func() {
		b, _ := wire.Encode(wire.Message{Welcome: &wire.Welcome{Protocol: 1, Epoch: 1, Time: time.Now()}})
		for n := 1; ; n++ {
			select {
			case p := <-c.conns:
				p.ws.WriteMessage(websocket.TextMessage, b)
			case <-ctx.Done():
				return
			}
			select {
			case hello <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	for range 3 {
		select {
		case <-hello:
		case <-time.After(patience):
			t.Fatal("the connection was not given up")
		}
	}
	go func() {
		for {
			select {
			case <-hello:
			case <-ctx.Done():
				return
			}
		}
	}()
	until(t, l, func(e Event) bool { return e.Welcome != nil && e.Welcome.Epoch == 1 && len(l.events) == 0 })
}

func TestBackoffGrowsAndIsReset(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	slept := make(chan time.Duration)
	dials := make(chan error)
	l := run(t, c, newOutbox(1, 0), func(cfg *Config) {
		cfg.BackoffMin, cfg.BackoffMax = time.Second, 16*time.Second
		cfg.Route.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			select {
			case err := <-dials:
				if err != nil {
					return nil, err
				}
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		cfg.Sleep = func(ctx context.Context, d time.Duration) error {
			if d > 16*time.Second { // the renewal's
				<-ctx.Done()
				return ctx.Err()
			}
			select {
			case slept <- d:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	go func() { // nobody minds the events here
		for range l.Events() {
		}
	}()
	within := func(d, most time.Duration) {
		t.Helper()
		if d < most/2 || d > most {
			t.Errorf("waited %v, want between %v and %v", d, most/2, most)
		}
	}
	for _, most := range []time.Duration{1, 2, 4, 8, 16, 16, 16} {
		dials <- errors.New("no network")
		within(<-slept, most*time.Second)
	}
	dials <- nil
	p := c.next()
	p.welcome(1, 0)
	p.ws.Close()
	within(<-slept, time.Second)
	dials <- errors.New("no network")
	within(<-slept, 2*time.Second)
}

func TestSwitchCutsAndMends(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	s := NewSwitch(nil)
	l := run(t, c, newOutbox(1, 0), func(cfg *Config) { cfg.Route.Dial = s.Dial })
	c.next().welcome(1, 0)
	until(t, l, func(e Event) bool { return e.Welcome != nil })
	s.Set(false)
	if s.On() {
		t.Error("on after the cut")
	}
	offline(t, l)
	if err := offline(t, l); !errors.Is(err, ErrCut) {
		t.Errorf("while cut: %v", err)
	}
	s.Set(true)
	c.next().welcome(1, 0)
	until(t, l, func(e Event) bool { return e.Welcome != nil })
}

func TestThroughAProxy(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	px := startProxy(t, "Basic "+base64.StdEncoding.EncodeToString([]byte("école:p@ss")), nil)
	with := func(user *url.Userinfo) *Link {
		return run(t, c, newOutbox(1, 0), func(cfg *Config) { cfg.Route.Proxy = &url.URL{Scheme: "http", Host: px.addr, User: user} })
	}
	for _, user := range []*url.Userinfo{nil, url.UserPassword("école", "wrong")} {
		if err := offline(t, with(user)); !errors.Is(err, ErrProxyAuth) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("user %v: %v", user, err)
		}
	}
	l := with(url.UserPassword("école", "p@ss"))
	c.next().welcome(1, 0)
	until(t, l, func(e Event) bool { return e.Welcome != nil })
	px.mu.Lock()
	defer px.mu.Unlock()
	if len(px.tunnels) == 0 || px.tunnels[0] != strings.TrimPrefix(c.url, "https://") {
		t.Errorf("tunnels: %v", px.tunnels)
	}
}

func TestInterceptingProxyIsNamed(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	filter := newAuthority(t, "Filtrage académique CA", "Rectorat")
	fake := filter.server(t, serverName, "127.0.0.1")
	px := startProxy(t, "", &fake)
	l := run(t, c, newOutbox(1, 0), func(cfg *Config) { cfg.Route.Proxy = &url.URL{Scheme: "http", Host: px.addr} })
	err := offline(t, l)
	var caught *InterceptedError
	if !errors.As(err, &caught) || caught.Host != "127.0.0.1" || caught.Issuer != "Filtrage académique CA, Rectorat" {
		t.Errorf("%v", err)
	}
	if len(c.conns) != 0 {
		t.Error("the terminal said hello to it")
	}
}

func TestRevokedTerminalIsTold(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	c.revoked = true
	if err := offline(t, run(t, c, newOutbox(1, 0), nil)); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestClockThatWentBackStillVerifies(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	past := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for floor, works := range map[time.Time]bool{past: false, time.Now(): true, time.Now().AddDate(50, 0, 0): false} {
		l := run(t, c, newOutbox(1, 0), func(cfg *Config) {
			cfg.Wall = func() (time.Time, bool) { return past, false }
			cfg.Floor = func() time.Time { return floor }
		})
		if !works {
			if err := offline(t, l); !strings.Contains(err.Error(), "check the clock") {
				t.Errorf("floor %v: %v", floor, err)
			}
			continue
		}
		c.next().welcome(1, 0)
		until(t, l, func(e Event) bool { return e.Welcome != nil })
	}
}

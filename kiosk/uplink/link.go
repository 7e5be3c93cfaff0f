package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"borne/controller/wire"
)

// Config is what a Link needs. Outbox, Identity and Folder are required.
type Config struct {
	Outbox   Outbox
	Identity Identity
	Folder   *Folder // keeps renewed certificates
	Route    Route
	Build    string
	Boot     string // random id of this boot
	Sim      bool
	Trust    []byte // Identity.Trust, once everyone here works by it; empty: the controller is not told
	// Wall returns the wall time and whether it is trusted; nil: the system's, not trusted.
	Wall func() (time.Time, bool)
	// Floor returns the latest time that is certainly past: the build's, or the
	// last one journaled. Certificates are never verified at an earlier one.
	Floor func() time.Time
	// Sleep waits; nil: a timer. Tests replace it to see the backoff.
	Sleep func(ctx context.Context, d time.Duration) error
	Log   *slog.Logger // nil: discarded

	// Zero values take the defaults below.
	BackoffMin time.Duration // 1 s
	BackoffMax time.Duration // 1 min
	PingEvery  time.Duration // 25 s
	DeadAfter  time.Duration // 70 s without any byte, and longest wait for an ack
	Window     int           // records sent and not yet acknowledged, 512
	HandOver   time.Duration // longest wait for the reader of Events, 30 s
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.BackoffMin, time.Second)
	set(&c.BackoffMax, time.Minute)
	set(&c.PingEvery, 25*time.Second)
	set(&c.DeadAfter, 70*time.Second)
	set(&c.HandOver, 30*time.Second)
	if c.Window <= 0 {
		c.Window = 4 * wire.MaxBatch
	}
	if c.Wall == nil {
		c.Wall = func() (time.Time, bool) { return time.Now(), false }
	}
	if c.Floor == nil {
		c.Floor = func() time.Time { return time.Time{} }
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Link is the connection to the controller, kept up for as long as Run runs.
type Link struct {
	cfg    Config
	events chan Event
	poke   chan struct{}     // a new status is there
	asks   chan wire.Message // questions
	stale  chan struct{}     // the controller wants something else believed
	rolled chan struct{}     // closed once a renewal brought something else to believe

	roll   sync.Once // of rolled
	mu     sync.Mutex
	id     Identity
	up     bool // welcomed, and questions can be sent
	status *wire.Status
	heard  time.Time // latest time the controller told
	route  Route
	way    uint64 // which route it is
	drop   func() // ends the connection that came by the route before; nil: none runs
}

// New makes a link; Run starts it.
func New(c Config) (*Link, error) {
	if c.Outbox == nil || c.Folder == nil {
		return nil, errors.New("cannot make the uplink: it needs an outbox and the identity's folder")
	}
	if err := c.Identity.check(); err != nil {
		return nil, fmt.Errorf("cannot make the uplink: %w", err)
	}
	return &Link{cfg: c.withDefaults(), route: c.Route, id: c.Identity, events: make(chan Event, 64), poke: make(chan struct{}, 1), asks: make(chan wire.Message, maxAsks), stale: make(chan struct{}, 1), rolled: make(chan struct{})}, nil
}

// Events yields what the controller says. A reader that stops reading for
// HandOver loses the connection, and gets everything again with the next one.
func (l *Link) Events() <-chan Event { return l.events }

// Send tells the controller the state now. Only the last one counts; it is sent
// at once, and again with each new connection.
func (l *Link) Send(s wire.Status) {
	l.mu.Lock()
	l.status = &s
	l.mu.Unlock()
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// maxAsks bounds the questions that wait to be sent.
const maxAsks = 8

// Ask asks the ledger, which answers by an event, once. It tells whether the
// question is on its way; without a connection, or when too many wait, it is
// not. One that is lost with its connection is not asked again here.
func (l *Link) Ask(a wire.PrintAsk) bool { return l.ask(wire.Message{Ask: &a}) }

// AskBadge asks the directory about a badge or a code, on the terms of Ask.
func (l *Link) AskBadge(a wire.BadgeAsk) bool { return l.ask(wire.Message{Badge: &a}) }

func (l *Link) ask(m wire.Message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up {
		return false
	}
	select {
	case l.asks <- m:
		return true
	default:
		return false
	}
}

// connected lets questions be asked, or drops those that wait: whoever asked
// them was told of the loss.
func (l *Link) connected(up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.up = up; len(l.asks) > 0; {
		<-l.asks
	}
}

// Identity returns the identity in use, after renewals.
func (l *Link) Identity() Identity {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// Rolled is closed once a renewal brought other roots, signing keys or another
// issuer. They count from the next start on: whoever verifies signatures holds
// the keys that this link was made with.
func (l *Link) Rolled() <-chan struct{} { return l.rolled }

// Via takes another way to the controller from now on: the connection is made
// anew at once, through proxy or, with nil, without one. Events of the way are
// marked with what it returns.
func (l *Link) Via(proxy *url.URL) (way uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.route.Proxy = proxy
	l.way++
	if l.drop != nil {
		l.drop()
	}
	return l.way
}

// path is the way in use.
func (l *Link) path() Route {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.route
}

// errMoved is why a connection ends that came by the way before.
var errMoved = errors.New("another way to the controller is taken")

// Run keeps the connection up until ctx ends, and returns ctx's error.
func (l *Link) Run(ctx context.Context) error {
	n := 0
	for {
		var err error
		if n, err = l.attempt(ctx, n); err != nil {
			return err
		}
	}
}

// attempt connects once, by the way that counts now, and waits after the loss of
// it. It returns the number of the next one.
func (l *Link) attempt(ctx context.Context, n int) (next int, err error) {
	round, end := context.WithCancel(ctx)
	defer end()
	l.mu.Lock()
	way := l.way
	l.drop = end
	l.mu.Unlock()
	welcomed, err := l.once(round, way)
	if ctx.Err() != nil {
		return n, ctx.Err()
	}
	if welcomed {
		n = 0
	}
	wait := l.backoff(n)
	if round.Err() != nil {
		err, wait = errMoved, 0
	}
	l.cfg.Log.Warn("controller not connected", "err", err, "retry", wait)
	if e := l.emit(ctx, Event{Offline: &Offline{Err: err, Retry: wait}, Way: way}); e != nil && ctx.Err() == nil {
		l.cfg.Log.Error("nobody reads the uplink's events", "err", e)
	}
	if round.Err() == nil {
		if err := l.cfg.Sleep(round, wait); err != nil && round.Err() == nil {
			return n, err
		}
	}
	if ctx.Err() != nil {
		return n, ctx.Err()
	}
	if round.Err() != nil {
		return 0, nil
	}
	return n + 1, nil
}

// backoff is between half of and the whole of BackoffMin·2^attempt, at most
// BackoffMax: a restarted controller is not met by all its terminals at once.
func (l *Link) backoff(attempt int) time.Duration {
	d := l.cfg.BackoffMax
	if attempt < 20 {
		d = min(d, l.cfg.BackoffMin<<attempt)
	}
	return d/2 + rand.N(d/2+1)
}

// verifyAt is the time to verify certificates at.
func (l *Link) verifyAt() time.Time {
	now, _ := l.cfg.Wall()
	if f := l.cfg.Floor(); f.After(now) {
		now = f
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard.After(now) {
		now = l.heard
	}
	return now
}

// emit hands an event over, without waiting for ever.
func (l *Link) emit(ctx context.Context, e Event) error {
	select {
	case l.events <- e:
		return nil
	default:
	}
	t := time.NewTimer(l.cfg.HandOver)
	defer t.Stop()
	select {
	case l.events <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return errors.New("cannot hand over what the controller said: the agent does not read")
	}
}

// renewals renews the certificate when it is due, and when the controller told
// that keys were rolled over, for as long as a connection lasts.
func (l *Link) renewals(ctx context.Context) {
	stale := false
	for {
		select {
		case <-l.stale:
			stale = true
		default:
		}
		id, now := l.Identity(), l.verifyAt()
		wait := min(time.Hour, id.due().Sub(now))
		if wait <= 0 || stale {
			wait = 10 * time.Minute // until the next attempt
			next, err := Renew(ctx, l.path(), l.cfg.Folder, id, now)
			if err != nil {
				l.cfg.Log.Warn("certificate not renewed", "err", err, "retry", wait)
			}
			if next.Key != id.Key {
				stale = false
				l.mu.Lock()
				l.id = next
				if !bytes.Equal(next.Trust(), l.cfg.Identity.Trust()) {
					l.roll.Do(func() { close(l.rolled) })
				}
				l.mu.Unlock()
				_, until := next.Lifetime()
				l.cfg.Log.Info("certificate renewed", "until", until)
			}
		}
		if l.cfg.Sleep(ctx, wait) != nil {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

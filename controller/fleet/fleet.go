// Package fleet keeps the terminals' connections: enrolment, hello and resume,
// records and their acknowledgement, policy, permits and commands.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"crypto/tls"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// Config is what the fleet needs. Durations have defaults for a real network.
type Config struct {
	Store store.Store
	Rules *compliance.Rules
	PKI   *pki.PKI
	Log   *slog.Logger
	Now   func() time.Time
	// Holder turns h1 of a badge into a pseudonym, before anything is stored.
	Holder func(tx store.Tx, h1 []byte, at time.Time) (string, error)

	Ping   time.Duration // between heartbeats; 20 s
	Dead   time.Duration // silence after which a connection is over; 60 s
	Write  time.Duration // for one frame; 10 s
	Tick   time.Duration // between looks at deadlines and unanswered commands; 30 s
	Probe  time.Duration // for an older connection of the same terminal to show that it lives; 3 s
	Queue  int           // frames that wait for a slow terminal; 64
	Enrols rate.Limit    // enrolments a second over all addresses; 5. An address has a tenth

	// Refused is told why a connection was ended by its own fault: for metrics.
	Refused func(why string)
}

// LiveState is what is known of a terminal beyond its rows.
type LiveState struct {
	Online   bool
	Status   wire.Status // last one; kept while offline
	Since    time.Time   // when its phase was first seen
	LastSeen time.Time
	Boot     string
}

// Fleet serves the terminals.
type Fleet struct {
	cfg      Config
	upgrader websocket.Upgrader
	limit    *limiter
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[string]*conn
	live   map[string]LiveState
	subs   map[chan string]bool
}

// New returns a fleet without connections.
func New(cfg Config) *Fleet {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.Ping, 20*time.Second)
	def(&cfg.Dead, 60*time.Second)
	def(&cfg.Write, 10*time.Second)
	def(&cfg.Tick, 30*time.Second)
	def(&cfg.Probe, 3*time.Second)
	if cfg.Queue == 0 {
		cfg.Queue = 64
	}
	if cfg.Enrols == 0 {
		cfg.Enrols = 5
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Refused == nil {
		cfg.Refused = func(string) {}
	}
	if cfg.Holder == nil {
		cfg.Holder = monthly(cfg.Now)
	}
	f := &Fleet{cfg: cfg, limit: newLimiter(cfg.Enrols, cfg.Now), conns: map[string]*conn{}, live: map[string]LiveState{}, subs: map[chan string]bool{},
		// Small buffers, and writers shared: thousands of terminals are mostly silent.
		upgrader: websocket.Upgrader{ReadBufferSize: 2048, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{}, HandshakeTimeout: 10 * time.Second,
			CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "" }}} // no browser belongs here
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

// TLS returns the listener's configuration.
func (f *Fleet) TLS() *tls.Config { return f.cfg.PKI.ServerTLS(f.check) }

// check tells whether a terminal's certificate is good now.
func (f *Fleet) check(terminal, serial string) error {
	return f.cfg.Store.View(f.ctx, func(tx store.Tx) error {
		t, err := store.Get[store.Terminal](tx, terminal)
		if err != nil {
			return err
		}
		if t.Row.State == store.StateRevoked || !slices.Contains(t.Row.Serials, serial) {
			return pki.ErrRevoked
		}
		return nil
	})
}

// Handler serves the terminals' listener.
func (f *Fleet) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET "+wire.PathUplink, f.uplink)
	m.HandleFunc("POST "+wire.PathEnrol, f.enrol)
	m.HandleFunc("POST "+wire.PathRenew, f.renew)
	return m
}

// Close ends every connection and waits for them.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	for _, c := range f.conns {
		c.end(websocket.CloseGoingAway, "the controller stops")
	}
	f.mu.Unlock()
	f.stop()
	f.running.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		close(s)
		delete(f.subs, s)
	}
}

// Live returns what is known of a terminal now, and whether anything is.
func (f *Fleet) Live(terminal string) (LiveState, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.live[terminal]
	return l, ok
}

// Subscribe yields the ids of terminals that changed. A reader that is too slow
// finds the channel closed, and reads everything anew.
func (f *Fleet) Subscribe() (<-chan string, func()) {
	ch := make(chan string, 1024)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		close(ch)
		return ch, func() {}
	}
	f.subs[ch] = true
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.subs[ch] {
			delete(f.subs, ch)
			close(ch)
		}
	}
}

// Changed tells subscribers of a terminal whose rows changed.
func (f *Fleet) Changed(terminal string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(terminal)
}

// tell needs f.mu.
func (f *Fleet) tell(terminal string) {
	for ch := range f.subs {
		select {
		case ch <- terminal:
		default:
			delete(f.subs, ch)
			close(ch)
		}
	}
}

// Command records a command and sends it at once when the terminal is there.
func (f *Fleet) Command(ctx context.Context, terminal string, c wire.Command, by string) (id string, err error) {
	err = f.cfg.Store.Decide(ctx, func(tx store.Tx) error {
		id, err = f.cfg.Rules.Command(tx, terminal, c, by)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("cannot command %s: %w", terminal, err)
	}
	f.Wake(terminal)
	return id, nil
}

// Wake makes the connections of these terminals (of all, without any) look
// again at what their terminal should have: policy, permits, commands.
func (f *Fleet) Wake(terminals ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(terminals) == 0 {
		for _, c := range f.conns {
			c.poke()
		}
	}
	for _, t := range terminals {
		if c := f.conns[t]; c != nil {
			c.poke()
		}
		f.tell(t)
	}
}

// PushPolicy sends the policy that now holds to these terminals, or to all.
func (f *Fleet) PushPolicy(_ context.Context, terminals ...string) { f.Wake(terminals...) }

// Revoke makes a terminal's certificates worthless and ends its connection.
func (f *Fleet) Revoke(ctx context.Context, terminal string) error {
	err := f.cfg.Store.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, terminal, func(t *store.Item[store.Terminal]) error {
			t.Row.State, t.Row.Since = store.StateRevoked, f.cfg.Now().UTC()
			t.Row.Revoked, t.Row.Serials = append(t.Row.Revoked, t.Row.Serials...), nil
			return compliance.VoidPermits(tx, terminal)
		})
	})
	if err != nil {
		return fmt.Errorf("cannot revoke %s: %w", terminal, err)
	}
	f.drop(terminal, "revoked")
	return nil
}

func (f *Fleet) drop(terminal, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.conns[terminal]; c != nil {
		c.end(websocket.ClosePolicyViolation, why)
	}
	f.tell(terminal)
}

// join makes c the connection of its terminal. An older one of another boot
// that still answers is another machine with the same keys: both stop.
func (f *Fleet) join(c *conn) error {
	f.mu.Lock()
	old := f.conns[c.terminal]
	f.mu.Unlock()
	if old != nil && old.boot != c.boot && old.alive(f.cfg.Probe) {
		if err := f.cfg.Store.Decide(f.ctx, func(tx store.Tx) error {
			return f.cfg.Rules.Quarantine(tx, c.terminal, wire.QuarClone, "two machines were connected at once", "")
		}); err != nil {
			return err
		}
		old.end(websocket.ClosePolicyViolation, string(wire.QuarClone))
		f.Changed(c.terminal)
		return errClone
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errors.New("the controller stops")
	}
	if old := f.conns[c.terminal]; old != nil {
		old.end(websocket.CloseNormalClosure, "replaced by a newer connection")
	}
	f.conns[c.terminal] = c
	l := f.live[c.terminal]
	l.Online, l.LastSeen, l.Boot = true, f.cfg.Now().UTC(), c.boot
	f.live[c.terminal] = l
	f.tell(c.terminal)
	return nil
}

var errClone = errors.New("two machines share this identity")

func (f *Fleet) leave(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[c.terminal] != c {
		return
	}
	delete(f.conns, c.terminal)
	l := f.live[c.terminal]
	l.Online, l.LastSeen = false, f.cfg.Now().UTC()
	f.live[c.terminal] = l
	f.tell(c.terminal)
	f.neighbours(c.space)
}

// status keeps a terminal's state, and tells its neighbours whether one is free.
func (f *Fleet) status(c *conn, s wire.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[c.terminal] != c {
		return
	}
	l := f.live[c.terminal]
	if l.Status.Phase != s.Phase || l.Since.IsZero() {
		l.Since = f.cfg.Now().UTC()
	}
	l.Status, l.LastSeen = s, f.cfg.Now().UTC()
	f.live[c.terminal] = l
	f.tell(c.terminal)
	f.neighbours(c.space)
}

// phaseFree is session.Phase's name for a terminal that waits for a person.
const phaseFree = "welcome"

// neighbours needs f.mu.
func (f *Fleet) neighbours(space string) {
	var here []*conn
	free := 0
	for _, c := range f.conns {
		if c.space == space {
			here = append(here, c)
			if f.live[c.terminal].Status.Phase == phaseFree {
				free++
			}
		}
	}
	for _, c := range here {
		others := free
		if f.live[c.terminal].Status.Phase == phaseFree {
			others--
		}
		if other := others > 0; c.otherFree != other {
			c.otherFree = other
			c.send(wire.Message{Space: &wire.Space{OtherFree: other}})
		}
	}
}

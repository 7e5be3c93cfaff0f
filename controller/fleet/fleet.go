// Package fleet keeps the terminals' connections: enrolment, hello and resume,
// records and their acknowledgement, policy, permits and commands.
package fleet

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

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
	Rules *compliance.Rules // its Apply is the store's Applier
	PKI   *pki.PKI
	Log   *slog.Logger
	Now   func() time.Time
	// Holder turns h1 of a badge into the bytes of a pseudonym, before anything
	// is stored; the session keeps them in hex. Nil: sessions have no holder.
	Holder func(tx store.Tx, h1 []byte, at time.Time) (string, error)
	// Account turns h1 of a print job's end into the ledger's account, before
	// anything is stored. Nil: jobs have no account.
	Account func(tx store.Tx, terminal string, p wire.Printed, at time.Time) ([]byte, error)
	// Ask answers what a terminal asks of the print ledger. Nil: nobody does.
	Ask func(tx store.Tx, terminal string, a wire.PrintAsk) (wire.PrintAnswer, error)
	// Badge answers what a terminal asks of the directory. Nil: nobody does.
	Badge func(tx store.Tx, terminal string, a wire.BadgeAsk) (wire.BadgeAnswer, error)
	// Lists opens a list of names by its digest. Nil: there is none.
	Lists func(digest string) (io.ReadSeekCloser, error)
	// Audit keeps that a terminal was "enrolled", "replaced" or "revoked", in the
	// transaction that does it; by is the user who asked, if known. May be nil.
	Audit func(tx store.Tx, action string, t store.Item[store.Terminal], by string) error

	Ping   time.Duration // between heartbeats; 20 s
	Dead   time.Duration // silence after which a connection is over; 60 s
	Write  time.Duration // for one frame, for the hello, and for a request's body; 10 s
	Tick   time.Duration // between looks at deadlines and unanswered commands; 30 s
	Sweep  time.Duration // between looks at the commands of absent terminals; 1 min
	Probe  time.Duration // for an older connection of the same terminal to show that it lives; 3 s
	Queue  int           // frames that wait for a slow terminal; 64
	Enrols rate.Limit    // enrolments a second over all addresses; 5. An address has a tenth

	// Ticker makes the tickers of Tick and Sweep; nil: time.NewTicker. Connected
	// time is counted by the times that it yields.
	Ticker func(d time.Duration) (ticks <-chan time.Time, stop func())
	// Refused is told why a connection was ended by its own fault: for metrics.
	// It must not call the fleet.
	Refused func(why string)
}

func (cfg Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&cfg.Ping, 20*time.Second)
	def(&cfg.Dead, 60*time.Second)
	def(&cfg.Write, 10*time.Second)
	def(&cfg.Tick, 30*time.Second)
	def(&cfg.Sweep, time.Minute)
	def(&cfg.Probe, 3*time.Second)
	if cfg.Queue <= 0 {
		cfg.Queue = 64
	}
	if cfg.Enrols <= 0 {
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
	if cfg.Audit == nil {
		cfg.Audit = func(store.Tx, string, store.Item[store.Terminal], string) error { return nil }
	}
	if cfg.Ticker == nil {
		cfg.Ticker = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	return cfg
}

// Fleet serves the terminals.
type Fleet struct {
	cfg      Config
	upgrader websocket.Upgrader
	enrols   *limiter
	renewals *limiter
	policies policies
	lists    chan struct{} // places of those who fetch a list
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	counts   counts

	mu     sync.Mutex
	closed bool
	open   map[*conn]bool   // every socket, also before its hello
	conns  map[string]*conn // welcomed, by terminal
	live   map[string]LiveState
	subs   map[*subscription]bool
	spaces map[wire.Space]*websocket.PreparedMessage // each of the four
}

// New returns a fleet without connections. Close ends it.
func New(cfg Config) *Fleet {
	cfg = cfg.withDefaults()
	f := &Fleet{cfg: cfg, lists: make(chan struct{}, maxFetches), enrols: newLimiter(cfg.Enrols, cfg.Enrols/10, burst, cfg.Now), renewals: newLimiter(cfg.Enrols, rate.Every(renewEvery), renewBurst, cfg.Now),
		open: map[*conn]bool{}, conns: map[string]*conn{}, live: map[string]LiveState{}, subs: map[*subscription]bool{},
		// Small buffers, and writers shared: thousands of terminals are mostly silent.
		upgrader: websocket.Upgrader{ReadBufferSize: 2048, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{}, HandshakeTimeout: 10 * time.Second,
			CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "" }}} // no browser belongs here
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.spaces = map[wire.Space]*websocket.PreparedMessage{}
	for _, s := range []wire.Space{{}, {OtherFree: true}, {Armed: true}, {OtherFree: true, Armed: true}} {
		b, err := wire.Encode(wire.Message{Space: &s})
		if err == nil {
			f.spaces[s], err = websocket.NewPreparedMessage(websocket.TextMessage, b)
		}
		if err != nil {
			panic(fmt.Sprintf("cannot prepare a constant message: %v", err)) // a bug of this build
		}
	}
	f.running.Go(f.sweep)
	return f
}

// TLS returns the listener's configuration.
func (f *Fleet) TLS() *tls.Config { return f.cfg.PKI.ServerTLS(f.check) }

// check tells whether a terminal's certificate is good now.
func (f *Fleet) check(terminal, serial string) error {
	return f.cfg.Store.View(f.ctx, func(tx store.Tx) error {
		_, err := trusted(tx, terminal, serial)
		return err
	})
}

// Close ends every connection, waits for them, and keeps when each terminal was
// last seen.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		c.end(websocket.CloseGoingAway, "the controller stops")
	}
	f.mu.Unlock()
	f.stop()
	f.running.Wait()
	if err := f.remember(); err != nil {
		f.cfg.Log.Warn("when terminals were last seen is not kept", "err", err)
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

// Revoke makes a terminal's certificates and permits worthless, and ends its
// connection.
func (f *Fleet) Revoke(ctx context.Context, terminal, by string) error {
	err := f.cfg.Store.Decide(ctx, func(tx store.Tx) error {
		t, err := Revoke(tx, terminal, f.cfg.Now())
		if err != nil {
			return err
		}
		return f.cfg.Audit(tx, "revoked", t, by)
	})
	if err != nil {
		return fmt.Errorf("cannot revoke %s: %w", terminal, err)
	}
	f.drop(terminal, "revoked")
	return nil
}

// Reconnect ends every connection: the terminals come back by themselves, each
// after a pause of its own, and hear what they are to believe now.
func (f *Fleet) Reconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.end(websocket.CloseServiceRestart, "the keys changed")
	}
}

// Greet makes one say hello again: what its screens say of its place has changed.
func (f *Fleet) Greet(terminal string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.conns[terminal]; c != nil {
		c.end(websocket.CloseServiceRestart, "its place changed")
	}
}

func (f *Fleet) drop(terminal, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.conns[terminal]; c != nil {
		c.end(websocket.ClosePolicyViolation, why)
	}
	f.tell(terminal)
}

// sweep expires the commands of terminals that are not there: staff then see
// what never arrived. Connected ones look after their own.
func (f *Fleet) sweep() {
	ticks, stop := f.cfg.Ticker(f.cfg.Sweep)
	defer stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-ticks:
			if err := f.expire(); err != nil && f.ctx.Err() == nil {
				f.cfg.Log.Error("cannot expire commands", "err", err)
			}
		}
	}
}

func (f *Fleet) expire() error {
	var late []string
	now := f.cfg.Now().UTC()
	err := f.cfg.Store.View(f.ctx, func(tx store.Tx) error {
		late = late[:0]
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			for c, err := range store.Find[store.CommandRow](tx, "open", t.ID) {
				if err != nil {
					return err
				}
				if now.After(c.Row.NotAfter) {
					late = append(late, t.ID)
					break
				}
			}
		}
		return nil
	})
	if err != nil || len(late) == 0 {
		return err
	}
	if err := f.cfg.Store.Decide(f.ctx, func(tx store.Tx) error {
		for _, id := range late {
			if _, err := f.cfg.Rules.OpenCommands(tx, id); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for _, id := range late {
		f.Changed(id)
	}
	return nil
}

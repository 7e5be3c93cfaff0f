package fleet

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// frame is what waits to be written: bytes of this connection alone, or a
// message that many connections get.
type frame struct {
	text   []byte
	shared *websocket.PreparedMessage
}

// conn is one terminal's connection: a reader and a writer.
type conn struct {
	f        *Fleet
	ws       *websocket.Conn
	log      *slog.Logger
	terminal string
	serial   string
	ends     time.Time // of its certificate
	boot     string

	out   chan frame    // bounded: a terminal that does not read is dropped
	wake  chan struct{} // look again at what the terminal should have
	pong  chan struct{}
	gone  chan struct{} // closed when the connection is over
	once  sync.Once
	blame sync.Once
	dirty atomic.Bool // records came that subscribers have not heard of

	asks   chan wire.Message // questions, bounded
	mayAsk *rate.Limiter     // about printing; of the reader alone
	mayTap *rate.Limiter     // about badges; of the reader alone

	// Guarded by Fleet.mu.
	welcomed bool // nothing may be queued before the welcome
	space    string
	free     bool
	armed    bool       // its alarm is
	others   wire.Space // as it was last told

	// Of the reader alone: the isolation last kept in the terminal's row.
	level   wire.Level
	missing []string
	wakes   *time.Time // when its row says that it wakes; nil: not known yet

	// Of the writer alone.
	policy   [sha256.Size]byte // digest of the text last sent
	permits  map[string]bool
	commands map[string]time.Time
	rest     time.Duration // connected time that was not counted yet
}

func (f *Fleet) uplink(w http.ResponseWriter, r *http.Request) {
	cert := r.TLS.PeerCertificates[0]
	ws, err := f.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	c := &conn{f: f, ws: ws, terminal: cert.Subject.CommonName, serial: pki.Serial(cert), ends: cert.NotAfter.UTC(), out: make(chan frame, f.cfg.Queue),
		wake: make(chan struct{}, 1), pong: make(chan struct{}, 1), gone: make(chan struct{}), permits: map[string]bool{}, commands: map[string]time.Time{},
		asks: make(chan wire.Message, asksWaiting), mayAsk: rate.NewLimiter(asksPerSecond, asksBurst), mayTap: rate.NewLimiter(tapsPerSecond, tapsBurst)}
	c.log = f.cfg.Log.With("terminal", c.terminal)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		ws.Close()
		return
	}
	f.open[c] = true
	// A fresh goroutine: this one keeps net/http's buffers for as long as it lives.
	f.running.Go(c.serve)
}

// Until a closed connection is cut off, and what it may still send.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

// end closes the connection and tells the other side why. It never blocks.
func (c *conn) end(code int, why string) {
	c.once.Do(func() {
		close(c.gone)
		c.f.running.Go(func() {
			cut := time.AfterFunc(lingerTime, func() { c.ws.Close() })
			defer cut.Stop()
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(lingerTime/2))
			// Closing with unread bytes would reset the connection, and the reason
			// would be lost on its way.
			_, _ = io.CopyN(io.Discard, c.ws.NetConn(), lingerBytes)
			c.ws.Close()
		})
	})
}

func (c *conn) over() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// fault ends the connection by the terminal's own fault.
func (c *conn) fault(code int, why string, err error) {
	// Not asking over(): gorilla closes by itself at an oversized frame, and the
	// writer may notice that before the reader gets here.
	c.blame.Do(func() {
		c.log.Warn("connection refused", "why", why, "err", err)
		c.f.cfg.Refused(why)
	})
	c.end(code, why)
}

func (c *conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// send queues a message of this terminal.
func (c *conn) send(m wire.Message) {
	b, err := wire.Encode(m)
	if err != nil {
		c.log.Error("cannot send", "err", err)
		return
	}
	c.queue(frame{text: b})
}

// queue never blocks: a queue that is full ends the connection.
func (c *conn) queue(fr frame) {
	if c.over() {
		return
	}
	select {
	case c.out <- fr:
	default:
		c.fault(websocket.ClosePolicyViolation, "slow", fmt.Errorf("%d messages wait for it", cap(c.out)))
	}
}

// alive pings, and waits for the answer.
func (c *conn) alive(within time.Duration) bool {
	select {
	case <-c.pong: // of a heartbeat
	default:
	}
	if c.ws.WriteControl(websocket.PingMessage, []byte("alive?"), time.Now().Add(within)) != nil {
		return false
	}
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-c.pong:
		return true
	case <-c.gone:
		return false
	case <-t.C:
		return false
	}
}

// hear moves the deadline of the next byte.
func (c *conn) hear(d time.Duration) { _ = c.ws.SetReadDeadline(time.Now().Add(d)) }

// serve reads for as long as the connection lasts.
func (c *conn) serve() {
	defer func() {
		c.end(websocket.CloseNormalClosure, "")
		c.f.mu.Lock()
		delete(c.f.open, c)
		c.f.mu.Unlock()
		c.settled()
	}()
	c.ws.SetReadLimit(wire.MaxFrame)
	c.ws.SetPongHandler(func(string) error {
		c.hear(c.f.cfg.Dead)
		select {
		case c.pong <- struct{}{}:
		default:
		}
		return nil
	})
	c.hear(c.f.cfg.Write)
	m, err := c.read()
	if err != nil {
		return
	}
	if m.Hello == nil {
		c.fault(websocket.CloseProtocolError, "hello", errors.New("the first message is no hello"))
		return
	}
	if err := c.hello(*m.Hello); err != nil {
		if c.f.ctx.Err() == nil {
			c.log.Warn("cannot welcome", "err", err)
		}
		return
	}
	c.f.running.Go(c.write) // it leaves the fleet when it ends
	if c.f.cfg.Ask != nil || c.f.cfg.Badge != nil {
		c.f.running.Go(c.answers)
	}
	for {
		c.hear(c.f.cfg.Dead)
		m, err := c.read()
		if err != nil || c.over() {
			return
		}
		switch {
		case m.Batch != nil:
			if err := c.batch(*m.Batch); err != nil {
				if c.f.ctx.Err() == nil {
					c.log.Error("cannot take records", "err", err)
				}
				c.end(websocket.CloseTryAgainLater, "the records could not be stored") // the terminal keeps them
				return
			}
		case m.Status != nil:
			c.f.status(c, *m.Status)
			c.measured(*m.Status)
			c.slept(*m.Status)
		case m.Ask != nil && c.f.cfg.Ask != nil:
			c.ask(m, c.mayAsk)
		case m.Badge != nil && c.f.cfg.Badge != nil:
			c.ask(m, c.mayTap)
		} // anything else comes from a newer terminal, or is not its to say
	}
}

// settled tells subscribers of the last records once they are applied: the
// writer, which usually does, may be gone.
func (c *conn) settled() {
	if !c.dirty.Swap(false) {
		return
	}
	// Decide waits until everything acknowledged is applied.
	if err := c.f.cfg.Store.Decide(c.f.ctx, func(store.Tx) error { return nil }); err != nil {
		return // the controller stops, or has said what is wrong
	}
	c.f.Changed(c.terminal)
}

// read reads one message. Frames that pass a limit end the connection.
func (c *conn) read() (wire.Message, error) {
	kind, b, err := c.ws.ReadMessage()
	if errors.Is(err, websocket.ErrReadLimit) {
		c.fault(websocket.CloseMessageTooBig, "oversized", err)
		return wire.Message{}, err
	}
	if err != nil {
		return wire.Message{}, err
	}
	if kind != websocket.TextMessage {
		err := fmt.Errorf("a binary message: %w", wire.ErrFrame)
		c.fault(websocket.CloseUnsupportedData, "frame", err)
		return wire.Message{}, err
	}
	m, err := wire.Decode(b)
	if err != nil {
		c.fault(websocket.ClosePolicyViolation, "frame", err)
	}
	return m, err
}

// write sends what is queued, heartbeats, and what the terminal should have.
func (c *conn) write() {
	ping := time.NewTicker(c.f.cfg.Ping)
	defer ping.Stop()
	ticks, stop := c.f.cfg.Ticker(c.f.cfg.Tick)
	defer stop()
	last := time.Now()
	defer func() { c.f.leave(c, max(0, time.Since(last))+c.rest) }()
	c.rest = c.f.uncounted(c.terminal)
	c.poke()
	for !c.over() {
		var err error
		select {
		case <-c.gone:
			return
		case fr := <-c.out:
			_ = c.ws.SetWriteDeadline(time.Now().Add(c.f.cfg.Write))
			if fr.shared != nil {
				err = c.ws.WritePreparedMessage(fr.shared)
			} else {
				err = c.ws.WriteMessage(websocket.TextMessage, fr.text)
			}
		case <-ping.C:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.f.cfg.Write))
		case <-c.wake:
			c.refresh()
		case now := <-ticks:
			c.rest += max(0, now.Sub(last))
			last = now
			c.refresh()
		}
		if err != nil {
			c.end(websocket.CloseAbnormalClosure, "")
			return
		}
	}
}

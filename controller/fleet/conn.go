package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// conn is one terminal's connection: a reader and a writer.
type conn struct {
	f        *Fleet
	ws       *websocket.Conn
	log      *slog.Logger
	terminal string
	serial   string
	space    string
	boot     string

	out  chan []byte   // bounded: a terminal that does not read is dropped
	wake chan struct{} // look again at what the terminal should have
	pong chan struct{}
	gone chan struct{} // closed when the connection is over
	once sync.Once

	otherFree bool // guarded by Fleet.mu

	// Of the writer alone.
	policy   uint64
	permits  map[string]bool
	commands map[string]time.Time
	owes     bool
}

func (f *Fleet) uplink(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		problem(w, http.StatusForbidden, "request", "a terminal's certificate is needed here: enrol first")
		return
	}
	cert := r.TLS.PeerCertificates[0]
	ws, err := f.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	c := &conn{f: f, ws: ws, terminal: cert.Subject.CommonName, serial: pki.Serial(cert), out: make(chan []byte, f.cfg.Queue),
		wake: make(chan struct{}, 1), pong: make(chan struct{}, 1), gone: make(chan struct{}), permits: map[string]bool{}, commands: map[string]time.Time{}}
	c.log = f.cfg.Log.With("terminal", c.terminal)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		ws.Close()
		return
	}
	// A fresh goroutine: this one keeps net/http's buffers for as long as it lives.
	f.running.Go(c.serve)
}

// end closes the connection and tells the other side why. It never blocks.
func (c *conn) end(code int, why string) {
	c.once.Do(func() {
		close(c.gone)
		c.f.running.Go(func() {
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(time.Second))
			c.ws.Close()
		})
	})
}

// fault ends the connection by the terminal's own fault.
func (c *conn) fault(code int, why string, err error) {
	c.log.Warn("connection refused", "why", why, "err", err)
	c.f.cfg.Refused(why)
	c.end(code, why)
}

func (c *conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// send queues a message; a queue that is full ends the connection.
func (c *conn) send(m wire.Message) {
	b, err := wire.Encode(m)
	if err != nil {
		c.log.Error("cannot send", "err", err)
		return
	}
	select {
	case c.out <- b:
	case <-c.gone:
	default:
		c.log.Warn("connection dropped: the terminal does not read")
		c.f.cfg.Refused("slow")
		c.end(websocket.ClosePolicyViolation, "too slow")
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

func (c *conn) serve() {
	defer c.end(websocket.CloseNormalClosure, "")
	c.ws.SetReadLimit(wire.MaxFrame)
	hear := func() { _ = c.ws.SetReadDeadline(time.Now().Add(c.f.cfg.Dead)) }
	hear()
	c.ws.SetPongHandler(func(string) error {
		hear()
		select {
		case c.pong <- struct{}{}:
		default:
		}
		return nil
	})
	m, err := c.read()
	if err != nil {
		return
	}
	if m.Hello == nil {
		c.fault(websocket.CloseProtocolError, "hello", errors.New("the first message is no hello"))
		return
	}
	if err := c.hello(*m.Hello); err != nil {
		c.log.Warn("cannot welcome", "err", err)
		return
	}
	defer c.f.leave(c)
	c.f.running.Go(c.write)
	for {
		hear()
		m, err := c.read()
		if err != nil {
			return
		}
		switch {
		case m.Batch != nil:
			if err := c.batch(*m.Batch); err != nil {
				c.log.Error("cannot take records", "err", err)
				c.end(websocket.CloseTryAgainLater, "the records could not be stored") // the terminal keeps them
				return
			}
		case m.Status != nil:
			c.f.status(c, *m.Status)
		}
	}
}

// read reads one message. Frames that pass a limit end the connection.
func (c *conn) read() (wire.Message, error) {
	_, b, err := c.ws.ReadMessage()
	if errors.Is(err, websocket.ErrReadLimit) {
		c.fault(websocket.CloseMessageTooBig, "oversized", err)
		return wire.Message{}, err
	}
	if err != nil {
		return wire.Message{}, err
	}
	m, err := wire.Decode(b)
	if err != nil {
		c.fault(websocket.ClosePolicyViolation, "frame", err)
	}
	return m, err
}

func (c *conn) hello(h wire.Hello) error {
	if h.Protocol < wire.MinProtocol || h.MinProtocol > wire.Protocol {
		c.fault(websocket.ClosePolicyViolation, "protocol", fmt.Errorf("it speaks %d to %d, this controller %d to %d", h.MinProtocol, h.Protocol, wire.MinProtocol, wire.Protocol))
		return errors.New("no common protocol")
	}
	c.boot = h.Boot
	if err := c.f.join(c); err != nil {
		if errors.Is(err, errClone) {
			c.fault(websocket.ClosePolicyViolation, string(wire.QuarClone), err)
		}
		return err
	}
	var w wire.Welcome
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
		t, err := store.Get[store.Terminal](tx, c.terminal)
		if err != nil {
			return err
		}
		// The handshake may be older than a revocation.
		if !slices.Contains(t.Row.Serials, c.serial) || t.Row.State == store.StateRevoked {
			return pki.ErrRevoked
		}
		c.space = t.Row.Space
		w, err = c.f.cfg.Rules.Hello(tx, c.terminal, h)
		return err
	})
	if err != nil {
		c.end(websocket.CloseTryAgainLater, "not welcome now")
		c.f.leave(c)
		return err
	}
	c.policy = h.Policy
	c.send(wire.Message{Welcome: &w})
	c.f.mu.Lock()
	c.f.neighbours(c.space)
	c.f.mu.Unlock()
	return nil
}

// batch makes records durable, then acknowledges them.
func (c *conn) batch(b wire.Batch) error {
	decides := false
	for i, r := range b.Records {
		switch r.Kind {
		case wire.KindBegun:
			body, err := c.pseudonym(r)
			if err != nil {
				return err
			}
			b.Records[i].Body, decides = body, true
		case wire.KindReceipt, wire.KindCommand:
			decides = true
		}
	}
	cur, err := c.f.cfg.Store.Ingest(c.f.ctx, c.terminal, b)
	if err != nil {
		return err
	}
	c.send(wire.Message{Ack: &wire.Ack{Epoch: cur.Epoch, Seq: cur.Seq}})
	if decides {
		c.poke()
	}
	c.f.Changed(c.terminal)
	return nil
}

// pseudonym takes h1 out of a begin before anything is stored. What cannot be
// read is emptied: it could hold h1.
func (c *conn) pseudonym(r wire.Record) (json.RawMessage, error) {
	var b wire.Begun
	if json.Unmarshal(r.Body, &b) != nil {
		return json.RawMessage(`{}`), nil
	}
	if len(b.Holder) > 0 {
		h1 := b.Holder
		if err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
			p, err := c.f.cfg.Holder(tx, h1, r.At)
			b.Holder = []byte(p)
			return err
		}); err != nil {
			return nil, fmt.Errorf("cannot make a pseudonym: %w", err)
		}
	}
	return json.Marshal(b)
}

// write sends what is queued, heartbeats, and what the terminal should have.
func (c *conn) write() {
	ping, tick := time.NewTicker(c.f.cfg.Ping), time.NewTicker(c.f.cfg.Tick)
	defer ping.Stop()
	defer tick.Stop()
	c.poke()
	last := time.Now()
	for {
		var err error
		select {
		case <-c.gone:
			return
		case b := <-c.out:
			_ = c.ws.SetWriteDeadline(time.Now().Add(c.f.cfg.Write))
			err = c.ws.WriteMessage(websocket.TextMessage, b)
		case <-ping.C:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.f.cfg.Write))
		case <-c.wake:
			c.refresh(0)
		case <-tick.C:
			d := time.Since(last)
			last = last.Add(d)
			c.refresh(d)
		}
		if err != nil {
			c.end(websocket.CloseAbnormalClosure, "")
			return
		}
	}
}

// refresh sends policy, permits and commands that the terminal lacks. passed is
// connected time since the last call.
func (c *conn) refresh(passed time.Duration) {
	var msgs []wire.Message
	state, policyVersion, granted, sent := store.TerminalState(""), c.policy, map[string]bool{}, map[string]time.Time{}
	now := time.Now()
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
		msgs, policyVersion, granted, sent = nil, c.policy, map[string]bool{}, map[string]time.Time{}
		if passed > 0 {
			if err := c.f.cfg.Rules.Connected(tx, c.terminal, passed); err != nil {
				return err
			}
		}
		t, err := store.Get[store.Terminal](tx, c.terminal)
		if err != nil {
			return err
		}
		if state = t.Row.State; state == store.StateRevoked || !slices.Contains(t.Row.Serials, c.serial) {
			return pki.ErrRevoked
		}
		p, err := compliance.Effective(tx, t)
		if err != nil {
			c.log.Error("no policy can be sent", "err", err)
		} else if p.Version != c.policy {
			env, err := c.f.cfg.PKI.SignPolicy(p)
			if err != nil {
				return err
			}
			policyVersion = p.Version
			msgs = append(msgs, wire.Message{Policy: &env})
		}
		permits, err := c.f.cfg.Rules.GrantPermits(tx, c.terminal)
		if err != nil {
			return err
		}
		fresh := false
		for _, e := range permits {
			granted[string(e.Sig)] = true
			fresh = fresh || !c.permits[string(e.Sig)]
		}
		if fresh {
			msgs = append(msgs, wire.Message{Permits: permits})
		}
		commands, err := c.f.cfg.Rules.OpenCommands(tx, c.terminal)
		if err != nil {
			return err
		}
		for _, cmd := range commands {
			if at, ok := c.commands[cmd.ID]; ok && now.Sub(at) < c.f.cfg.Tick/2 {
				sent[cmd.ID] = at
				continue
			}
			if cmd.Row.Status == store.CommandPending {
				cmd.Row.Status, cmd.Row.Changed = store.CommandDelivered, c.f.cfg.Now().UTC()
				if err := store.Put(tx, cmd); err != nil {
					return err
				}
			}
			sent[cmd.ID] = now
			msgs = append(msgs, wire.Message{Command: &cmd.Row.Envelope})
		}
		return nil
	})
	switch {
	case errors.Is(err, pki.ErrRevoked):
		c.end(websocket.ClosePolicyViolation, "revoked")
		return
	case err != nil:
		c.log.Error("cannot look after the terminal", "err", err)
		return
	}
	c.policy, c.permits, c.commands = policyVersion, granted, sent
	for _, m := range msgs {
		c.send(m)
	}
	if len(msgs) > 0 {
		c.f.Changed(c.terminal)
	}
}

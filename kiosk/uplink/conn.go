package uplink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/wire"
)

const (
	writeWithin   = 15 * time.Second
	welcomeWithin = 15 * time.Second
	frameMargin   = 1 << 10 // of MaxFrame, for what stands around the records
)

// once connects, and serves the connection until it is lost. welcomed tells
// that the controller had accepted it.
func (l *Link) once(ctx context.Context, way uint64) (welcomed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	ws, err := l.upgrade(ctx)
	if err != nil {
		return false, err
	}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { ws.Close() })() // a blocked read or write ends with ctx
	c := &conn{link: l, ws: ws, way: way, acks: make(chan wire.Ack, 1)}
	defer l.connected(false)
	if err := c.open(ctx); err != nil {
		return false, err
	}
	failed := make(chan error, 1)
	wait.Go(func() { failed <- c.receive(ctx) })
	wait.Go(func() { l.renewals(ctx) })
	return true, c.serve(ctx, failed)
}

// upgrade opens TLS and the WebSocket in it.
func (l *Link) upgrade(ctx context.Context) (*websocket.Conn, error) {
	id := l.Identity()
	u, err := endpoint(id.Controller)
	if err != nil {
		return nil, err
	}
	tc, err := l.path().trusted(ctx, id, l.verifyAt())
	if err != nil {
		return nil, err
	}
	d := websocket.Dialer{
		HandshakeTimeout:  handshakeWithin,
		ReadBufferSize:    4 << 10,
		WriteBufferSize:   4 << 10,
		NetDialTLSContext: func(context.Context, string, string) (net.Conn, error) { return tc, nil },
	}
	ws, resp, err := d.DialContext(ctx, "wss://"+u.Host+wire.PathUplink, nil)
	if err != nil {
		tc.Close()
		if resp != nil && resp.StatusCode == http.StatusForbidden {
			return nil, fmt.Errorf("%w: it answers %s", ErrRefused, resp.Status)
		}
		if resp != nil {
			return nil, fmt.Errorf("cannot open the uplink: the controller answers %s", resp.Status)
		}
		return nil, fmt.Errorf("cannot open the uplink: %w", refusal(err))
	}
	ws.SetReadLimit(wire.MaxFrame)
	return ws, nil
}

// conn is one connection. receive is its only reader, serve its only writer
// (but for pongs, which gorilla lets be written beside).
type conn struct {
	link  *Link
	ws    *websocket.Conn
	way   uint64
	epoch uint64
	sent  uint64 // last seq sent

	acks chan wire.Ack // latest only
}

// open exchanges hello and welcome.
func (c *conn) open(ctx context.Context) error {
	l := c.link
	h, err := l.cfg.Outbox.Hello()
	if err != nil {
		return fmt.Errorf("cannot say hello: %w", err)
	}
	h.Protocol, h.MinProtocol, h.Build, h.Boot, h.Sim = wire.Protocol, wire.MinProtocol, l.cfg.Build, l.cfg.Boot, l.cfg.Sim
	h.Wall, h.WallTrusted = l.cfg.Wall()
	h.Trust = l.cfg.Trust // what was renewed since counts from the next start
	asked := time.Now()
	if err := c.write(wire.Message{Hello: &h}); err != nil {
		return err
	}
	c.ws.SetReadDeadline(asked.Add(welcomeWithin))
	m, err := c.read()
	if err != nil {
		return fmt.Errorf("cannot get the controller's welcome: %w", err)
	}
	w := m.Welcome
	switch {
	case w == nil:
		return errors.New("cannot go on: the controller's first message is no welcome")
	case w.Protocol < wire.MinProtocol || w.Protocol > wire.Protocol:
		return fmt.Errorf("cannot go on: the controller speaks protocol %d, this terminal %d to %d; update the older of them", w.Protocol, wire.MinProtocol, wire.Protocol)
	case w.Epoch == 0:
		return errors.New("cannot go on: the controller grants no epoch")
	}
	round := time.Since(asked)
	if err := l.cfg.Outbox.Welcomed(*w); err != nil {
		return fmt.Errorf("cannot keep the controller's welcome: %w", err)
	}
	c.epoch, c.sent = w.Epoch, w.Cursor
	select {
	case <-l.stale: // of an earlier welcome
	default:
	}
	if len(w.Trust) > 0 && !bytes.Equal(w.Trust, l.Identity().Trust()) {
		l.stale <- struct{}{}
	}
	l.mu.Lock()
	if w.Time.After(l.heard) {
		l.heard = w.Time
	}
	l.mu.Unlock()
	l.cfg.Log.Info("controller connected", "epoch", w.Epoch, "cursor", w.Cursor, "generation", w.Generation)
	l.connected(true) // before the agent hears of it
	if err := l.emit(ctx, Event{Clock: &Clock{Wall: w.Time, Round: round}}); err != nil {
		return err
	}
	return l.emit(ctx, Event{Welcome: w, Way: c.way})
}

// alive moves the deadline of the next byte.
func (c *conn) alive() { c.ws.SetReadDeadline(time.Now().Add(c.link.cfg.DeadAfter)) }

// receive reads messages until the connection fails.
func (c *conn) receive(ctx context.Context) error {
	c.ws.SetPongHandler(func(string) error { c.alive(); return nil })
	c.ws.SetPingHandler(func(data string) error {
		c.alive()
		err := c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeWithin))
		if errors.Is(err, websocket.ErrCloseSent) {
			return nil
		}
		return err
	})
	for {
		c.alive()
		m, err := c.read()
		if err != nil {
			return fmt.Errorf("the connection was lost: %w", err)
		}
		if m.Ack != nil {
			if err := c.acked(*m.Ack); err != nil {
				return err
			}
			continue
		}
		var e Event
		switch {
		case m.Policy != nil:
			e.Policy = m.Policy
		case m.Permits != nil:
			e.Permits = m.Permits
		case m.Command != nil:
			e.Command = m.Command
		case m.Space != nil:
			e.Space = m.Space
		case m.Answer != nil:
			e.Answer = m.Answer
		case m.Admit != nil:
			e.Admit = m.Admit
		case m.Known(): // hello, welcome, batch or status: not the controller's to say now
			return fmt.Errorf("cannot go on: the controller sent a message out of turn: %w", wire.ErrFrame)
		default:
			continue // from a newer controller
		}
		if err := c.link.emit(ctx, e); err != nil {
			return err
		}
	}
}

// acked keeps an acknowledgement, then lets serve send on.
func (c *conn) acked(a wire.Ack) error {
	if err := c.link.cfg.Outbox.Acked(a.Epoch, a.Seq); err != nil {
		return fmt.Errorf("cannot keep the controller's ack: %w", err)
	}
	if a.Epoch != c.epoch {
		return nil
	}
	for { // one place, and the latest ack in it: they are cumulative
		select {
		case c.acks <- a:
			return nil
		case <-c.acks:
		}
	}
}

func (c *conn) read() (wire.Message, error) {
	kind, b, err := c.ws.ReadMessage()
	if err != nil {
		return wire.Message{}, refusal(err)
	}
	if kind != websocket.TextMessage {
		return wire.Message{}, fmt.Errorf("a binary message: %w", wire.ErrFrame)
	}
	return wire.Decode(b)
}

func (c *conn) write(m wire.Message) error {
	b, err := wire.Encode(m)
	if err != nil {
		return err
	}
	c.ws.SetWriteDeadline(time.Now().Add(writeWithin))
	if err := c.ws.WriteMessage(websocket.TextMessage, b); err != nil {
		return fmt.Errorf("cannot write to the controller: %w", refusal(err))
	}
	return nil
}

// flight is one batch that is not acknowledged yet.
type flight struct {
	last uint64
	n    int
}

// serve sends records, statuses and pings until the connection fails.
func (c *conn) serve(ctx context.Context, failed <-chan error) error {
	cfg := c.link.cfg
	ping := time.NewTicker(cfg.PingEvery)
	defer ping.Stop()
	var flights []flight
	inFlight, moved := 0, time.Now()
	news := true // a status to send: the last one, which a new connection does not know
	for {
		for inFlight < cfg.Window {
			n, err := c.batch(cfg.Window - inFlight)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if len(flights) == 0 {
				moved = time.Now()
			}
			flights, inFlight = append(flights, flight{c.sent, n}), inFlight+n
		}
		if news {
			news = false
			if err := c.status(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
			return ctx.Err()
		case err := <-failed:
			return err
		case a := <-c.acks:
			moved = time.Now()
			for len(flights) > 0 && flights[0].last <= a.Seq {
				inFlight -= flights[0].n
				flights = flights[1:]
			}
		case <-cfg.Outbox.Changed():
		case <-c.link.poke:
			news = true
		case m := <-c.link.asks:
			if err := c.write(m); err != nil {
				return err
			}
		case <-ping.C:
			if len(flights) > 0 && time.Since(moved) > cfg.DeadAfter {
				return fmt.Errorf("the controller has acknowledged nothing for %s", cfg.DeadAfter)
			}
			if err := c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin)); err != nil {
				return fmt.Errorf("cannot write to the controller: %w", err)
			}
		}
	}
}

// batch sends at most limit of the next records and returns how many.
func (c *conn) batch(limit int) (int, error) {
	recs, err := c.link.cfg.Outbox.After(c.sent, min(limit, wire.MaxBatch))
	if err != nil {
		return 0, fmt.Errorf("cannot read the records to send: %w", err)
	}
	size, n := frameMargin, 0
	for _, r := range recs {
		if r.Epoch != c.epoch || r.Seq <= c.sent {
			return 0, fmt.Errorf("cannot send record %d of epoch %d after %d of epoch %d", r.Seq, r.Epoch, c.sent, c.epoch)
		}
		b, err := json.Marshal(r)
		if err != nil {
			return 0, fmt.Errorf("cannot send record %d: %w", r.Seq, err)
		}
		if size += len(b) + 1; size > wire.MaxFrame && n > 0 {
			break
		}
		n++
	}
	if n == 0 {
		return 0, nil
	}
	if err := c.write(wire.Message{Batch: &wire.Batch{Epoch: c.epoch, Records: recs[:n]}}); err != nil {
		return 0, err
	}
	c.sent = recs[n-1].Seq
	return n, nil
}

func (c *conn) status() error {
	c.link.mu.Lock()
	s := c.link.status
	c.link.mu.Unlock()
	if s == nil {
		return nil
	}
	return c.write(wire.Message{Status: s})
}

package fleet

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/store"
	"borne/controller/wire"
)

var errCut = errors.New("the cable is out")

// cable is a TCP connection that breaks after some more bytes were sent.
type cable struct {
	net.Conn
	mu   sync.Mutex
	left int // bytes until it breaks; -1: never
}

func (c *cable) breakAfter(n int) { c.mu.Lock(); c.left = n; c.mu.Unlock() }

func (c *cable) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left < 0 || len(b) <= c.left {
		if c.left >= 0 {
			c.left -= len(b)
		}
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:c.left])
	c.Conn.Close()
	return n, errCut
}

// wired connects over a cable.
func (x *terminal) wired(h wire.Hello) (*websocket.Conn, *cable, wire.Welcome) {
	x.w.t.Helper()
	raw, err := net.Dial("tcp", x.w.addr)
	must(x.w.t, err)
	line := &cable{Conn: raw, left: -1}
	d := websocket.Dialer{HandshakeTimeout: patience, NetDialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return tls.Client(line, x.config()), nil
	}}
	ws, _, err := d.Dial("wss://"+x.w.addr+wire.PathUplink, nil)
	must(x.w.t, err)
	x.w.t.Cleanup(func() { ws.Close() })
	must(x.w.t, ws.SetReadDeadline(time.Now().Add(patience)))
	h.Protocol, h.MinProtocol = wire.Protocol, wire.MinProtocol
	must(x.w.t, ws.WriteJSON(wire.Message{Hello: &h}))
	var m wire.Message
	must(x.w.t, ws.ReadJSON(&m))
	if m.Welcome == nil {
		x.w.t.Fatalf("the first message is no welcome: %+v", m)
	}
	return ws, line, *m.Welcome
}

// The line breaks within each batch, before its last byte or before its ack.
func TestExactlyOnceAcrossBrokenLines(t *testing.T) {
	const total = 24
	w := newWorld(t, nil)
	x := enrolled(w)
	var all []any
	for range total {
		all = append(all, wire.Refused{Reason: wire.RefuseClosed})
	}
	cursor := uint64(0)
	for try := 0; cursor < total; try++ {
		if try > 3*total {
			t.Fatalf("after %d lines only %d records are known", try, cursor)
		}
		ws, line, hi := x.wired(wire.Hello{Boot: "b", Epoch: min(1, uint64(try)), Seq: total})
		if hi.Epoch != 1 || hi.Cursor < cursor || hi.Quarantine != "" {
			t.Fatalf("welcome %+v after %d records were acknowledged", hi, cursor)
		}
		cursor = hi.Cursor
		n := min(4, total-cursor)
		if n == 0 {
			break
		}
		msg, err := wire.Encode(batch(1, cursor+1, wire.KindRefused, all[:n]...))
		must(t, err)
		switch try % 3 {
		case 0: // in the middle of the frame
			line.breakAfter(len(msg) / 2)
			if ws.WriteMessage(websocket.TextMessage, msg) == nil {
				t.Fatal("the line did not break")
			}
		case 1: // sent, and the ack is not heard
			must(t, ws.WriteMessage(websocket.TextMessage, msg))
			line.Close()
		case 2: // sent twice, and the ack is heard
			must(t, ws.WriteMessage(websocket.TextMessage, msg))
			must(t, ws.WriteMessage(websocket.TextMessage, msg))
			for cursor < hi.Cursor+n {
				var m wire.Message
				must(t, ws.ReadJSON(&m))
				if m.Ack != nil {
					cursor = m.Ack.Seq
				}
			}
			line.Close()
		}
	}
	w.decide(func(tx store.Tx) error {
		rows, refusals := 0, 0
		for r, err := range store.Find[store.RecordRow](tx, "terminal", x.resp.Terminal) {
			must(t, err)
			if r.Row.Record.Kind == wire.KindRefused {
				rows++
			}
		}
		for r, err := range store.List[store.Rollup](tx, "", "", false) {
			must(t, err)
			refusals += r.Row.Refusals
		}
		cur, err := tx.Cursor(x.resp.Terminal)
		if rows != total || refusals != total || cur != (store.Cursor{Epoch: 1, Seq: total}) {
			t.Errorf("%d rows and %d refusals of %d records; cursor %+v", rows, refusals, total, cur)
		}
		return err
	})
}

func TestHello(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	must(t, p.ws.WriteMessage(websocket.TextMessage, []byte(`{"weather":{"rain":true}}`))) // of a newer terminal
	p.send(wire.Message{Ack: &wire.Ack{Epoch: 1, Seq: 9}})                                 // not its to say
	p.send(batch(1, 1, "x", 1, 2, 3))
	if got := p.ack(); got.Seq != 3 {
		t.Errorf("ack %+v", got)
	}
	p = x.connect(wire.Hello{Boot: "b", Epoch: 1, Seq: 3})
	if got := p.welcome(); got.Epoch != 1 || got.Cursor != 3 || got.Quarantine != "" {
		t.Errorf("welcome back %+v", got)
	}
	p = x.connect(wire.Hello{Boot: "b", Epoch: 1, Seq: 2}) // an older journal
	if got := p.welcome(); got.Epoch != 2 || got.Cursor != 0 || got.Quarantine != string(wire.QuarRolledBack) {
		t.Errorf("welcome of a journal that was rolled back: %+v", got)
	}
	p.send(batch(1, 4, "x", 1)) // of the epoch before
	p.closed()
	if !websocket.IsCloseError(p.err, websocket.CloseTryAgainLater) {
		t.Errorf("records of another epoch: %v", p.err)
	}
	p = x.connect(wire.Hello{Boot: "b", Epoch: 2})
	p.welcome()
	p.send(batch(2, 1, "x", 4))
	if got := p.ack(); got != (wire.Ack{Epoch: 2, Seq: 1}) {
		t.Errorf("ack %+v", got)
	}
	ws, err := x.dial()
	must(t, err)
	defer ws.Close()
	must(t, ws.WriteMessage(websocket.TextMessage, []byte(`{"status":{"phase":"welcome"}}`)))
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseProtocolError) {
		t.Errorf("a status before the hello: %v", err)
	}
}

func TestFramesThatAreRefusedSayWhy(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	for name, c := range map[string]struct {
		kind int
		body []byte
		want int
	}{
		"oversized": {websocket.TextMessage, bytes.Repeat([]byte(" "), wire.MaxFrame+1), websocket.CloseMessageTooBig},
		"huge":      {websocket.TextMessage, bytes.Repeat([]byte(" "), 10*wire.MaxFrame), websocket.CloseMessageTooBig},
		"binary":    {websocket.BinaryMessage, []byte(`{}`), websocket.CloseUnsupportedData},
		"no JSON":   {websocket.TextMessage, []byte(`{`), websocket.ClosePolicyViolation},
	} {
		p := x.connect(wire.Hello{Boot: "b"})
		p.welcome()
		_ = p.ws.WriteMessage(c.kind, c.body) // the other side may hang up meanwhile
		p.closed()
		if !websocket.IsCloseError(p.err, c.want) {
			t.Errorf("%s: %v, want code %d", name, p.err, c.want)
		}
	}
}

func TestTerminalThatDoesNotReadIsDropped(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Queue = 4; c.Tick = time.Hour })
	x, y := enrolled(w), enrolled(w)
	other := y.connect(wire.Hello{Boot: "y"})
	other.welcome()
	x.wired(wire.Hello{Boot: "x"}) // and reads no further
	w.f.mu.Lock()
	c := w.f.conns[x.resp.Terminal]
	w.f.mu.Unlock()
	big := strings.Repeat("x", 200<<10)
	for limit := time.Now().Add(patience); !c.over(); {
		if time.Now().After(limit) {
			t.Fatal("it is never dropped")
		}
		c.send(wire.Message{Command: &wire.Envelope{Kid: big}})
	}
	if got := <-w.refused; got != "slow" {
		t.Errorf("refused for %q", got)
	}
	other.send(batch(1, 1, "x", 1))
	other.ack()
}

func tick(t *testing.T, to chan<- time.Time, at time.Time) {
	t.Helper()
	select {
	case to <- at:
	case <-time.After(patience):
		t.Fatal("nobody takes the tick")
	}
}

func TestCommandsUntilDoneOrExpired(t *testing.T) {
	sweep := make(chan time.Time)
	w := newWorld(t, func(c *Config) {
		c.Tick = time.Hour
		c.Ticker = func(d time.Duration) (<-chan time.Time, func()) {
			if d == time.Hour {
				return nil, func() {}
			}
			return sweep, func() {}
		}
	})
	x := enrolled(w)
	isCommand := func(id string) func(wire.Message) bool {
		return func(m wire.Message) bool {
			if m.Command == nil {
				return false
			}
			c, err := wire.Open[wire.Command](*m.Command, wire.DomainCommand, x.resp.SignKeys[0])
			if err != nil || c.ID != id {
				t.Errorf("command %s (%v), want %s", c.ID, err, id)
			}
			return true
		}
	}
	id, err := w.f.Command(t.Context(), x.resp.Terminal, wire.Command{Kind: wire.CmdEnd}, "u1")
	must(t, err)
	if got := w.command(id); got.Status != store.CommandPending {
		t.Errorf("before it is there: %s", got.Status)
	}
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	p.until("command", isCommand(id))
	if got := w.command(id); got.Status != store.CommandDelivered {
		t.Errorf("delivered: %s", got.Status)
	}
	p = x.connect(wire.Hello{Boot: "b", Epoch: 1}) // it is not done: it comes again
	p.welcome()
	p.until("command again", isCommand(id))
	p.send(batch(1, 1, wire.KindCommand, wire.CommandDone{ID: id, Reason: "no session is open"}))
	p.ack()
	if got := w.command(id); got.Status != store.CommandRefused || got.Answer != "no session is open" {
		t.Errorf("refused: %+v", got)
	}

	// One that is never answered, and one for a terminal that never comes.
	id, err = w.f.Command(t.Context(), x.resp.Terminal, wire.Command{Kind: wire.CmdMessage, Text: "Bonjour"}, "u1")
	must(t, err)
	p.until("message", isCommand(id))
	y := enrolled(w)
	absent, err := w.f.Command(t.Context(), y.resp.Terminal, wire.Command{Kind: wire.CmdMessage, Text: "Bonjour"}, "u1")
	must(t, err)
	changes, cancel := w.f.Subscribe()
	defer cancel()
	tick(t, sweep, time.Now())
	tick(t, sweep, time.Now()) // the first look is over
	if got := w.command(absent); got.Status != store.CommandPending {
		t.Errorf("before its time is over: %s", got.Status)
	}
	w.late.Store(int64(time.Hour))
	tick(t, sweep, time.Now())
	waitFor(t, changes, func() bool { return w.command(absent).Status == store.CommandExpired })
	if got := w.command(id); got.Status != store.CommandExpired {
		t.Errorf("delivered and never answered: %s", got.Status)
	}
	p = x.connect(wire.Hello{Boot: "b", Epoch: 1, Seq: 1})
	p.welcome()
	p.until("permits", func(m wire.Message) bool {
		if m.Command != nil {
			t.Error("an expired command is sent")
		}
		return len(m.Permits) > 0
	})
	if _, err := w.f.Command(t.Context(), "t-none", wire.Command{Kind: wire.CmdEnd}, "u1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a terminal that is not there: %v", err)
	}
}

// What could not be stored is not acknowledged, and the terminal keeps it.
func TestNoAckWithoutTheStore(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Tick = time.Hour })
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	p.until("permits", func(m wire.Message) bool { return len(m.Permits) > 0 })
	must(t, w.st.Close())
	p.send(batch(1, 1, "x", 1))
	for m := range p.msgs {
		if m.Ack != nil {
			t.Errorf("ack %+v of records that lie nowhere", m.Ack)
		}
	}
	if !websocket.IsCloseError(p.err, websocket.CloseTryAgainLater) {
		t.Errorf("it ends with %v", p.err)
	}
}

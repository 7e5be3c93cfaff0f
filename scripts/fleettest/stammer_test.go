package fleettest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"path/filepath"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/wire"
	"borne/kiosk/uplink"
)

// stammer says again what the controller has already, while the agent is off:
// as a network does that repeats itself, or somebody who recorded it. The
// controller must acknowledge it, and count nothing twice.
func (x *terminal) stammer() {
	x.t.Helper()
	j, err := x.Peek()
	must(x.t, err)
	h, err := j.Hello()
	must(x.t, err)
	all, err := j.After(0, 1<<20)
	must(x.t, err)
	must(x.t, j.Close())
	ws := x.raw()
	defer ws.Close()
	h.Protocol, h.MinProtocol, h.Boot, h.Build, h.Sim, h.Wall = wire.Protocol, wire.MinProtocol, x.name+"-stammer", "test", true, time.Now()
	x.say(ws, wire.Message{Hello: &h})
	w := x.hear(ws, func(m wire.Message) bool { return m.Welcome != nil }).Welcome
	if w.Epoch != h.Epoch || w.Cursor > h.Seq || w.Cursor == 0 {
		x.t.Fatalf("%s: the controller is at %d/%d, the journal at %d/%d", x.name, w.Epoch, w.Cursor, h.Epoch, h.Seq)
	}
	for all = all[:w.Cursor]; len(all) > 0; {
		some := all[:min(len(all), wire.MaxBatch)]
		all = all[len(some):]
		x.say(ws, wire.Message{Batch: &wire.Batch{Epoch: h.Epoch, Records: some}})
		ack := x.hear(ws, func(m wire.Message) bool { return m.Ack != nil }).Ack
		if ack.Seq != w.Cursor {
			x.t.Fatalf("%s: a repetition is acknowledged at %d, not %d", x.name, ack.Seq, w.Cursor)
		}
	}
}

// raw is a WebSocket with the terminal's identity and without its agent.
func (x *terminal) raw() *websocket.Conn {
	x.t.Helper()
	folder, err := uplink.OpenFolder(filepath.Join(x.dir, "identity"))
	must(x.t, err)
	id, err := folder.Load()
	must(x.t, err)
	roots := x509.NewCertPool()
	for _, der := range id.Roots {
		c, err := x509.ParseCertificate(der)
		must(x.t, err)
		roots.AddCert(c)
	}
	d := websocket.Dialer{HandshakeTimeout: soon,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) { return x.dial(ctx, network, addr) },
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, ServerName: id.ServerName, RootCAs: roots,
			Certificates: []tls.Certificate{{Certificate: append([][]byte{id.Cert}, id.Chain...), PrivateKey: id.Key}}}}
	ws, _, err := d.Dial("wss://controller.example"+wire.PathUplink, nil)
	must(x.t, err)
	must(x.t, ws.SetReadDeadline(time.Now().Add(soon)))
	return ws
}

func (x *terminal) say(ws *websocket.Conn, m wire.Message) {
	x.t.Helper()
	b, err := wire.Encode(m)
	must(x.t, err)
	must(x.t, ws.WriteMessage(websocket.TextMessage, b))
}

func (x *terminal) hear(ws *websocket.Conn, ok func(wire.Message) bool) wire.Message {
	x.t.Helper()
	for {
		_, b, err := ws.ReadMessage()
		if err != nil {
			x.t.Fatalf("%s: %v", x.name, err)
		}
		m, err := wire.Decode(b)
		must(x.t, err)
		if ok(m) {
			return m
		}
	}
}

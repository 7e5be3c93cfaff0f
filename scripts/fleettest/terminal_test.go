package fleettest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
	"borne/kiosk/agent"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/journal"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// prefetch is how many sessions a terminal may open without the controller.
const prefetch = 4

// logger writes to the test's output when FLEET_LOG says so.
func logger(t *testing.T) *slog.Logger {
	if os.Getenv("FLEET_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// world is a controller with one site, and the terminals of the test.
type world struct {
	t       *testing.T
	ctl     *controller
	console *console
	site    string
	space   string
	serial  int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ctl: newController(t)}
	w.console = &console{ctl: w.ctl}
	w.site = w.console.site("Collège Raoul Blanchard")
	w.space = w.console.space(w.site, "Hall")
	w.console.rule(w.site, func(p *policy.Policy) {
		p.Hours.Always = true
		p.Access.AnyBadge = true
		p.Permits.Prefetch = prefetch
	})
	return w
}

// terminal is a real agent, with what is around it on its machine.
type terminal struct {
	*agenttest.Terminal
	w        *world
	t        *testing.T
	id, name string
	dir      string
	key      ed25519.PrivateKey // of the warden's receipts
	net      *uplink.Switch
	slow     atomic.Bool
	proxies  map[string]*proxy // by address, on its network
	ip       net.IP
	disk     *agenttest.Disk
	starts   int
	badge    bool                     // held by whoever is at the charter
	parts    func(*agenttest.Options) // of its machine besides the usual; nil: none
	trust    []byte                   // what it believes in its present life
	linked   chan struct{}            // closed when the link of the present life has ended
	truth    truth
}

// machine is a new machine: no identity, no journal, its own warden.
func (w *world) machine(name string) *terminal {
	w.t.Helper()
	w.serial++
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(w.t, err)
	x := &terminal{w: w, t: w.t, name: name, dir: w.t.TempDir(), key: key, ip: net.IPv4(127, 0, 1, byte(w.serial)), disk: &agenttest.Disk{}, truth: newTruth()}
	x.net = uplink.NewSwitch(func(ctx context.Context, network, addr string) (net.Conn, error) {
		return w.ctl.gate.Dial(context.WithValue(ctx, from{}, x.ip), network, addr)
	})
	return x
}

// enrol gives the machine its identity, with a code of the console.
func (x *terminal) enrol(code string) error {
	folder, err := uplink.OpenFolder(filepath.Join(x.dir, "identity"))
	if err != nil {
		return err
	}
	id, err := uplink.Enrol(context.Background(), uplink.EnrolConfig{Route: uplink.Route{Dial: x.dial}, Folder: folder, Controller: "https://controller.example",
		Code: code, Machine: "stub", Build: "test", Sim: true, ReceiptCSR: func(context.Context) ([]byte, error) {
			return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, x.key)
		}})
	if err != nil {
		return err
	}
	x.assemble(id)
	return nil
}

// assemble puts a terminal together around an identity.
func (x *terminal) assemble(id uplink.Identity) {
	x.id = id.Terminal
	o := agenttest.Options{Dir: x.dir, Terminal: id.Terminal, ReceiptKey: x.key, SignKeys: id.Verifiers(), Start: time.Now(),
		Sim: true, Uplink: x.link, Disk: x.disk, Log: logger(x.t).With("terminal", x.name)}
	if x.parts != nil {
		x.parts(&o)
	}
	x.Terminal = agenttest.New(o)
	x.t.Cleanup(x.off)
}

// clone is a second machine, switched off, with a copy of this one's disk as it is
// now, whether this one runs or not.
func (x *terminal) clone() *terminal {
	x.t.Helper()
	y := x.w.machine(x.name + " (copy)")
	y.key = x.key
	for _, name := range []string{"journal.db", "identity/identity.json"} {
		must(x.t, copyFile(filepath.Join(x.dir, name), filepath.Join(y.dir, name)))
	}
	y.assemble(y.identity())
	y.Warden = x.Warden.Twin()
	return y
}

// link is the agent's uplink in one of its lives.
func (x *terminal) link(ctx context.Context, j *journal.Journal) (agent.Uplink, error) {
	folder, err := uplink.OpenFolder(filepath.Join(x.dir, "identity"))
	if err != nil {
		return nil, err
	}
	id, err := folder.Load()
	if err != nil {
		return nil, err
	}
	x.starts++
	l, err := uplink.New(uplink.Config{Outbox: j, Identity: id, Trust: id.Trust(), Folder: folder, Route: uplink.Route{Dial: x.dial}, Build: "test",
		Boot: fmt.Sprintf("%s-%p-%d", x.name, x, x.starts), Sim: true, Wall: x.Clock.Now, Floor: j.Floor, Log: logger(x.t).With("terminal", x.name),
		BackoffMin: 10 * time.Millisecond, BackoffMax: 200 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	x.linked = done
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	return l, nil
}

func (x *terminal) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p := x.proxies[addr]; p != nil {
		return p.dial(ctx, x)
	}
	c, err := x.net.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &slowConn{c, &x.slow}, nil
}

// slowConn is a line over which bytes drip while it is slow.
type slowConn struct {
	net.Conn
	slow *atomic.Bool
}

func (c *slowConn) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b
		if c.slow.Load() {
			piece = b[:min(len(b), 200)]
			time.Sleep(2 * time.Millisecond) // this is the weather: nothing waits for it
		}
		m, err := c.Conn.Write(piece)
		if n += m; err != nil {
			return n, err
		}
		b = b[m:]
	}
	return n, nil
}

func (x *terminal) on() {
	x.t.Helper()
	id := x.identity()
	x.Believe(id.Verifiers())
	x.trust = id.Trust()
	if err := x.Start(); err != nil {
		x.t.Fatalf("%s: %v", x.name, err)
	}
}

// identity is the one on its disk.
func (x *terminal) identity() uplink.Identity {
	x.t.Helper()
	folder, err := uplink.OpenFolder(filepath.Join(x.dir, "identity"))
	must(x.t, err)
	id, err := folder.Load()
	must(x.t, err)
	return id
}

// off ends it without any cleanup, if it runs.
func (x *terminal) off() {
	if x.linked == nil {
		return
	}
	select {
	case <-x.Ended():
		x.Journal.Close() // closed already after a kill
	default:
		x.Kill()
	}
	<-x.linked
}

// kill cuts the power.
func (x *terminal) kill() {
	x.t.Helper()
	if err := x.Kill(); err != nil {
		x.t.Fatalf("%s: %v", x.name, err)
	}
	<-x.linked
}

// install makes, enrols and starts a new terminal, and waits until it serves.
func (w *world) install(name string) *terminal {
	w.t.Helper()
	x := w.machine(name)
	must(w.t, x.enrol(w.console.code(w.site, w.space, name, "")))
	x.on()
	x.serves()
	return x
}

// sync returns when everything the agent was told is on its screen.
func (x *terminal) sync() { x.Tick(0); x.Tick(0) }

func (x *terminal) screen() shell.View {
	v, _ := x.Shell.View()
	return v
}

// see waits for a screen; time stands still.
func (x *terminal) see(want ...shell.Screen) shell.View {
	x.t.Helper()
	return x.wait(fmt.Sprint(want), func(v shell.View) bool {
		for _, s := range want {
			if v.Screen == s {
				return true
			}
		}
		return false
	})
}

func (x *terminal) wait(what string, ok func(shell.View) bool) shell.View {
	x.t.Helper()
	v, err := x.Wait(soon, ok)
	if err != nil {
		x.t.Fatalf("%s waits for %s: %v", x.name, what, err)
	}
	return v
}

// until waits for what no screen tells.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// serves waits until somebody may begin, and all its permits are there.
func (x *terminal) serves() {
	x.t.Helper()
	x.settle()
	until(x.t, x.name+" holds its permits", func() bool { h, err := x.Journal.Hello(); return err == nil && h.PermitsLeft == prefetch })
	x.Tick(time.Second)
	x.see(shell.Welcome)
}

// delivered waits until the controller has every record, and has applied it.
func (x *terminal) delivered() {
	x.t.Helper()
	until(x.t, x.name+" has delivered its records", func() bool { return x.Journal.Unacked() == 0 })
	must(x.t, x.w.ctl.store().Decide(context.Background(), func(store.Tx) error { return nil }))
}

// row is what the controller knows of the terminal.
func (x *terminal) row() (it store.Item[store.Terminal]) {
	x.t.Helper()
	must(x.t, x.w.ctl.store().View(context.Background(), func(tx store.Tx) (err error) {
		it, err = store.Get[store.Terminal](tx, x.id)
		return err
	}))
	return it
}

// records are all that the agent wrote in its present epoch.
func (x *terminal) records() []wire.Record {
	x.t.Helper()
	all, err := x.Journal.After(0, 1<<20)
	must(x.t, err)
	return all
}

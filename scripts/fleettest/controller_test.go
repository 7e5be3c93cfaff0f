package fleettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/server"
	"borne/controller/store"
	"borne/kiosk/uplink"
)

// soon bounds every wait: what takes longer does not happen.
const soon = 30 * time.Second

// controller is a real controller, its files, and the network before it. It can
// be killed, opened again from its files, and restored from a backup.
type controller struct {
	t    *testing.T
	dir  string
	gate *uplink.Switch // every terminal's way to it

	restored bool   // from a backup, at least once
	config   string // sections that its configuration has beside the usual ones, from the next start on

	// passed is how much time pass has let go by.
	passed atomic.Int64

	mu    sync.Mutex
	life  int    // how often it was started
	state string // folder of the present life
	srv   *server.Server
	// process is where one listens that is a process of its own; empty: none is.
	process string
	end     context.CancelFunc
	done    chan error
}

func newController(t *testing.T) *controller {
	t.Helper()
	// The control socket's path must stay short: not t.TempDir.
	dir, err := os.MkdirTemp("", "fleet")
	must(t, err)
	c := &controller{t: t, dir: dir}
	c.gate = uplink.NewSwitch(c.dial)
	t.Cleanup(func() {
		c.gate.Set(false)
		c.leave()
		os.RemoveAll(dir)
	})
	c.state = c.folder()
	must(t, server.Init(context.Background(), c.state, "Haute-Savoie", time.Now()))
	c.start()
	return c
}

func (c *controller) folder() string {
	c.life++
	return filepath.Join(c.dir, fmt.Sprint(c.life))
}

// from is the address that a terminal dials from: each has its own.
type from struct{}

func (c *controller) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	c.mu.Lock()
	srv, at := c.srv, c.process
	c.mu.Unlock()
	if srv != nil {
		at = srv.TerminalsAddr()
	}
	if at == "" {
		return nil, errors.New("connection refused: the controller is down")
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	if ip, ok := ctx.Value(from{}).(net.IP); ok {
		d.LocalAddr = &net.TCPAddr{IP: ip}
	}
	return d.DialContext(ctx, network, at)
}

// start opens the controller on its present files and lets terminals in.
func (c *controller) start() {
	c.t.Helper()
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n%s", c.state, c.config))
	must(c.t, err)
	srv, err := server.New(server.Config{Config: cfg, Version: "fleettest", Log: logger(c.t), Ticker: c.ticker})
	must(c.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	c.mu.Lock()
	c.srv, c.end, c.done = srv, cancel, done
	c.mu.Unlock()
	c.gate.Set(true)
}

// ticker is the real one, but that it can be told that time has passed.
func (c *controller) ticker(d time.Duration) (<-chan time.Time, func()) {
	before := c.passed.Load() // nobody was connected then
	real, ticks, gone := time.NewTicker(min(d, 100*time.Millisecond)), make(chan time.Time), make(chan struct{})
	go func() {
		var last time.Time // that it yielded, each d of time
		for {
			select {
			case <-gone:
				return
			case now := <-real.C:
				if now = now.Add(time.Duration(c.passed.Load() - before)); now.Sub(last) < d {
					continue
				}
				select {
				case ticks <- now:
					last = now
				case <-gone:
					return
				}
			}
		}
	}()
	return ticks, sync.OnceFunc(func() { real.Stop(); close(gone) })
}

// pass lets every terminal that is connected have been so for some time more.
func (c *controller) pass(d time.Duration) { c.passed.Add(int64(d)) }

// store is the one of the present life.
func (c *controller) store() store.Store {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.srv.Store()
}

func (c *controller) server() *server.Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.srv
}

// leave ends the present life, whose files nobody reads any more.
func (c *controller) leave() {
	c.mu.Lock()
	srv, end, done := c.srv, c.end, c.done
	c.srv = nil
	c.mu.Unlock()
	if srv == nil {
		return
	}
	end()
	select {
	case <-done:
	case <-time.After(soon):
		c.t.Error("the controller does not end")
	}
}

var errPower = errors.New("the power is cut")

// kill cuts the power: what goes on is the disk as it was at that very moment.
// While the copy is made no transaction can be committed, so records that are
// acknowledged meanwhile are in the ingest journal alone, as after a real kill;
// the network goes before the journal is read, so no terminal has heard of more
// than what is in it.
func (c *controller) kill() {
	c.t.Helper()
	next := c.folder()
	err := c.store().Decide(context.Background(), func(store.Tx) error {
		if err := os.RemoveAll(next); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(c.state, "store", "borne.db"), filepath.Join(next, "store", "borne.db")); err != nil {
			return err
		}
		c.gate.Set(false)
		if err := copyFile(filepath.Join(c.state, "store", "ingest.journal"), filepath.Join(next, "store", "ingest.journal")); err != nil {
			return err
		}
		keys, err := os.ReadDir(filepath.Join(c.state, "keys"))
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := copyFile(filepath.Join(c.state, "keys", k.Name()), filepath.Join(next, "keys", k.Name())); err != nil {
				return err
			}
		}
		return errPower
	})
	if !errors.Is(err, errPower) {
		c.t.Fatalf("killing the controller: %v", err)
	}
	c.leave()
	c.state = next
}

// backup is what an administrator would keep.
func (c *controller) backup() []byte {
	c.t.Helper()
	var b bytes.Buffer
	ok, err := server.FetchBackup(context.Background(), c.state, &b)
	if err != nil || !ok {
		c.t.Fatalf("backup: %v, served %v", err, ok)
	}
	return b.Bytes()
}

// restore loses the present controller and puts a backup in an empty folder.
func (c *controller) restore(backup []byte) {
	c.t.Helper()
	c.restored = true
	c.gate.Set(false)
	c.leave()
	c.state = c.folder()
	_, err := server.Restore(context.Background(), server.Config{Config: config.Config{State: c.state}}, server.Restoration{Backup: bytes.NewReader(backup)})
	must(c.t, err)
	c.start()
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"borne/controller/policy"
	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/hw/supervise"
	"borne/kiosk/journal"
	"borne/kiosk/sandbox"
	"borne/kiosk/shell"
	"borne/kiosk/stage"
	"borne/kiosk/uplink"
)

// Roles of devices in the configuration.
const (
	RoleReader = "badge-reader"
	RoleCase   = "case"
)

// Real is what a terminal's agent is made of outside tests. Folder, Warden,
// Display, Files and Portal are required.
type Real struct {
	Folder    string   // the agent's own, that outlives a restart
	Warden    *os.File // socket to the warden; taken over
	Display   string   // ":N"
	Authority string   // file with its cookie
	Files     fs.FS    // the shell's pages
	Portal    func(p policy.Policy, lang string) ([]byte, error)
	Devices   map[string]hw.Device
	Route     uplink.Route
	Sim       bool
	Bench     func(ctx context.Context, t Simulated) error // with Sim; runs until ctx ends; may be nil
	Build     string
	Machine   string
	Beat      func() // called by the session's owner; may be nil
	Log       *slog.Logger
}

// Simulated is what the bench of a simulated terminal works on.
type Simulated struct {
	Hardware *sim.Bench
	Stage    *stage.Stage
}

// stopIn lies below the time that the warden gives the agent to end.
const stopIn = 13 * time.Second

// Run runs a real terminal's agent until ctx ends.
func Run(ctx context.Context, r Real) error {
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the parts live until the agent has ended
	h := &house{real: r, log: r.Log, fatal: make(chan error, 4), clock: newRealClock()}
	defer func() {
		cancel()
		h.close()
	}()
	if err := h.build(ctx, inner); err != nil {
		return err
	}
	a, err := New(h.config, h.parts)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// house holds the parts while the agent runs.
type house struct {
	real   Real
	log    *slog.Logger
	clock  *realClock
	fatal  chan error
	config Config
	parts  Parts
	stage  *stage.Stage
	closer []func() error
	wg     sync.WaitGroup
}

func (h *house) close() {
	for i := len(h.closer) - 1; i >= 0; i-- {
		if err := h.closer[i](); err != nil {
			h.log.Debug("a part did not close well", "error", err)
		}
	}
}

func (h *house) build(ctx, inner context.Context) error {
	r := h.real
	boot := rand.Text()
	h.config = Config{Build: r.Build, Boot: boot, Machine: r.Machine, Sim: r.Sim, State: r.Folder, StopIn: stopIn, Log: h.log}
	client, err := sandbox.NewClient(r.Warden)
	if err != nil {
		return err
	}
	h.closer = append(h.closer, client.Close)
	j, err := journal.Open(filepath.Join(r.Folder, "journal.db"), journal.Options{Clock: h.clock})
	if err != nil {
		return err
	}
	h.closer = append(h.closer, j.Close)
	if h.stage, err = stage.Open(ctx, stage.Config{Display: r.Display, Authority: r.Authority, BarHeight: shell.BarHeight, Log: h.log}); err != nil {
		return err
	}
	h.closer = append(h.closer, h.stage.Close)
	pages, err := shell.New(r.Files, h.log)
	if err != nil {
		return err
	}
	h.guard(inner, func() error { return pages.Serve(inner) })
	ticker := time.NewTicker(time.Second)
	h.closer = append(h.closer, func() error { ticker.Stop(); return nil })
	h.parts = Parts{Warden: client, Browser: opener{h.log}, Stage: h.stage, Shell: pages, Journal: j, Clock: h.clock, Ticks: ticker.C,
		Pages: &shellPages{warden: client, server: pages, stage: h.stage, log: h.log}, Fatal: h.fatal, Beat: r.Beat,
		Prepare: preparer(h.stage, r.Portal)}
	h.guard(inner, func() error {
		select {
		case err := <-h.stage.Gone():
			return err
		case <-inner.Done():
			return nil
		}
	})
	id, enrolled, err := h.connect(inner, j, boot)
	if err != nil {
		return err
	}
	if enrolled {
		h.config.Terminal = id.Terminal
		for _, k := range id.SignKeys {
			h.config.SignKeys = append(h.config.SignKeys, ed25519.PublicKey(k))
		}
	}
	return h.hardware(inner, id.BadgeKey)
}

// guard runs f beside the agent; its error ends the agent.
func (h *house) guard(inner context.Context, f func() error) {
	h.wg.Go(func() {
		if err := f(); err != nil && inner.Err() == nil {
			h.fatal <- err
		}
	})
}

// errEnrolled ends an agent that had no identity, so that the next one has it.
var errEnrolled = errors.New("the terminal was enrolled meanwhile; the agent starts again with its identity")

// connect makes the uplink, or waits for the identity.
func (h *house) connect(inner context.Context, j *journal.Journal, boot string) (uplink.Identity, bool, error) {
	folder, err := uplink.OpenFolder(filepath.Join(h.real.Folder, "identity"))
	if err != nil {
		return uplink.Identity{}, false, err
	}
	id, err := folder.Load()
	if errors.Is(err, uplink.ErrNotEnrolled) {
		h.log.Warn("this terminal is not enrolled: make a code in the console, then run borne-kiosk enrol CODE")
		h.guard(inner, func() error {
			for {
				if h.clock.Sleep(inner, 2*time.Second) != nil {
					return nil
				}
				if _, err := folder.Load(); !errors.Is(err, uplink.ErrNotEnrolled) {
					return errEnrolled
				}
			}
		})
		return uplink.Identity{}, false, nil
	}
	if err != nil {
		return id, false, err
	}
	link, err := uplink.New(uplink.Config{Outbox: j, Identity: id, Folder: folder, Route: h.real.Route, Build: h.real.Build, Boot: boot,
		Sim: h.real.Sim, Wall: h.clock.Now, Floor: func() time.Time { return later(j.Floor(), clock.BuildTime()) }, Log: h.log})
	if err != nil {
		return id, false, err
	}
	h.parts.Uplink = link
	h.guard(inner, func() error { return link.Run(inner) })
	return id, true, nil
}

// hardware opens what is configured. A device that is missing is told, and the
// agent works without it.
func (h *house) hardware(inner context.Context, secret []byte) error {
	if len(secret) == 0 { // not enrolled: what is read can be compared with nothing, and opens nothing
		secret = make([]byte, hw.MinBadgeKey)
		rand.Read(secret) // never fails since Go 1.24
	}
	key, err := hw.NewBadgeKey(secret)
	if err != nil {
		return err
	}
	env := devices.Env{Clock: h.clock.Monotonic, Key: key, Log: h.log}
	if h.real.Sim {
		env.Bench = sim.NewBench(h.clock.Monotonic, 1)
		if h.real.Bench != nil {
			h.guard(inner, func() error { return h.real.Bench(inner, Simulated{Hardware: env.Bench, Stage: h.stage}) })
		}
	}
	status := make(chan hw.Status, 16)
	h.parts.Devices = status
	watch := func(s *supervise.Supervisor) {
		h.wg.Go(func() {
			for {
				select {
				case st, ok := <-s.Status():
					if !ok {
						return
					}
					select {
					case status <- st:
					case <-inner.Done():
						return
					}
				case <-inner.Done():
					return
				}
			}
		})
	}
	if d, ok := h.real.Devices[RoleReader]; ok {
		r, err := supervise.StartReader(inner, supervise.Config{Name: RoleReader, Device: d.String(), Clock: h.clock.Monotonic, Log: h.log},
			func(ctx context.Context) (hw.Reader, error) { return devices.OpenReader(ctx, d, env) })
		if err != nil {
			return err
		}
		h.parts.Taps = r.Taps()
		watch(r.Supervisor)
	}
	if d, ok := h.real.Devices[RoleCase]; ok {
		in, err := supervise.StartInput(inner, supervise.Config{Name: RoleCase, Device: d.String(), Clock: h.clock.Monotonic, Log: h.log},
			func(ctx context.Context) (hw.Input, error) { return devices.OpenInput(ctx, d, env) })
		if err != nil {
			return err
		}
		h.parts.Case = in.Levels()
		watch(in.Supervisor)
	}
	return nil
}

// preparer makes the request for a sandbox on this stage.
func preparer(s *stage.Stage, portal func(policy.Policy, string) ([]byte, error)) Preparer {
	return func(p policy.Policy, lang string) (sandbox.Prepare, error) {
		html, err := portal(p, lang)
		if err != nil {
			return sandbox.Prepare{}, err
		}
		managed, err := sessionPolicy(p, lang)
		if err != nil {
			return sandbox.Prepare{}, err
		}
		proxy := ""
		if p.Network.Proxy != "" {
			u, err := url.Parse(p.Network.Proxy)
			if err != nil {
				return sandbox.Prepare{}, fmt.Errorf("cannot use the proxy of the policy: %w", err)
			}
			proxy = u.Host
		}
		w, height := s.Size()
		return sandbox.Prepare{Profile: p.Profile, Lang: lang, Browser: managed, Home: "about:blank", Portal: html,
			Limits:   sandbox.Limits{MemoryMB: p.Isolation.MemoryMB, TmpfsMB: p.Isolation.TmpfsMB, MaxProcs: p.Isolation.MaxProcs},
			Network:  sandbox.Network{Resolver: p.Network.Resolver, Private: p.Network.Private, Proxy: proxy},
			Keyboard: sandbox.Keyboard{Layout: p.Keyboard.Layout, Variant: p.Keyboard.Variant, NumLock: p.Keyboard.NumLock},
			Width:    w, Height: height, Window: s.Container()}, nil
	}
}

// realClock is the machine's clock, and the controller's once it has told it.
type realClock struct {
	clock.Monotonic
	system clock.System

	mu    sync.Mutex
	heard *reference
}

func newRealClock() *realClock {
	return &realClock{Monotonic: clock.NewMonotonic(), system: clock.NewSystem(clock.BuildTime())}
}

// Mono is the time since the process began.
func (c *realClock) Mono() time.Duration { return c.Monotonic.Now() }

// Hear takes a time that was told over an authenticated connection.
func (c *realClock) Hear(wall time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = &reference{wall: wall, mono: c.Mono()}
}

// Now is the wall time, and whether it can be trusted.
func (c *realClock) Now() (time.Time, bool) {
	wall, trusted := c.system.Now()
	if trusted {
		return wall, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard == nil {
		return wall, false
	}
	return c.heard.wall.Add(c.Mono() - c.heard.mono), true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

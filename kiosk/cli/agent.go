package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"borne/controller/wire"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/kiosk/agent"
	"borne/kiosk/bench"
	"borne/kiosk/config"
	"borne/kiosk/energy"
	"borne/kiosk/journal"
	"borne/kiosk/lists"
	"borne/kiosk/notify"
	"borne/kiosk/printer"
	"borne/kiosk/sandbox"
	"borne/kiosk/shell"
	"borne/kiosk/stage"
	"borne/kiosk/uplink"
	"borne/ui/catalogues"
	"borne/ui/terminal"

	"golang.org/x/sys/unix"
)

const (
	// wardenFD is the warden's socket, as it starts the agent.
	wardenFD = 3
	// doorFile, in the run folder, is where an agent that is a unit of its own collects its end.
	doorFile = "agent.sock"
	// doorLimit is how long that agent asks there: longer than a warden takes to
	// destroy what an earlier one left.
	doorLimit = time.Minute
	// setupLimit is how long the warden may take to say what there is to work with.
	setupLimit = 30 * time.Second
)

// enrolledEvery is how often an agent that is not enrolled looks whether it is.
const enrolledEvery = 3 * time.Second

// agentHeap is what the collector aims at when the agent has taken more for a
// moment: little of it lives long, and boards are small.
const agentHeap = 20 << 20

// runAgent is the unprivileged role. It assembles the parts that agent.Agent
// works with. The warden starts it, or the service manager does, beside the warden.
func runAgent(ctx context.Context, c *call) error {
	debug.SetMemoryLimit(agentHeap)
	// Filters of a print queue run with the same user: they must not read or change this process.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot keep others of the same user out of the agent: %w", err)
	}
	manager := notify.FromEnv()
	client, setup, err := reachWarden(ctx, c.flag("door"))
	if err != nil {
		return err
	}
	defer client.Close()
	if c.cfg, err = config.Parse(setup.Config, setup.Sim); err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", setup.Scratch); err != nil {
		return fmt.Errorf("cannot use the folder for passing files: %w", err)
	}
	c.log = newLog(c.Stderr, c.cfg.LogJSON, c.cfg.LogLevel).With("role", "agent")
	// What follows must outlive ctx: when it ends, the agent still wipes and shows it.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	mono := clock.NewMonotonic()
	t := newTimes(backed(c, mono), mono)
	j, err := journal.Open(filepath.Join(c.cfg.State, "agent", "journal.db"), journal.Options{Clock: t})
	if err != nil {
		return err
	}
	defer j.Close()
	st, err := stage.Open(life, stage.Config{Display: setup.Display, Authority: setup.Authority, BarHeight: shell.BarHeight, Backdrop: backdrop(), Log: c.log})
	if err != nil {
		return err
	}
	defer st.Close()
	files, err := terminal.Files()
	if err != nil {
		return fmt.Errorf("cannot read the shell's pages: %w", err)
	}
	if _, err := fs.Stat(files, terminal.Shell); err != nil {
		return fmt.Errorf("cannot show anything: this program was built without its pages; build it with make: %w", err)
	}
	srv, err := shell.New(files, c.log)
	if err != nil {
		return err
	}
	fatal, restart := make(chan error, 4), make(chan error, 4)
	tell := func(to chan<- error) func(func() error) {
		return func(what func() error) {
			go func() {
				if err := what(); err != nil && life.Err() == nil {
					select {
					case to <- err:
					default:
					}
				}
			}()
		}
	}
	watch, renew := tell(fatal), tell(restart)
	watch(func() error { return srv.Serve(life) })
	watch(func() error {
		select {
		case err := <-st.Gone():
			return err
		case <-life.Done():
			return nil
		}
	})
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	names, err := lists.Open(lists.Config{Dir: filepath.Join(c.cfg.State, "agent", "lists"), Log: c.log})
	if err != nil {
		return err
	}
	width, height := st.Size()
	_, screen := st.ScreenSize()
	p := agent.Parts{Warden: client, Browser: opener{log: c.log}, Stage: st, Shell: srv, Journal: j, Clock: t, Ticks: ticks.C, Fatal: fatal, Restart: restart, Lists: names,
		Pages:   &pages{warden: client, server: srv, width: width, height: screen, log: c.log},
		Prepare: preparer(width, height), Windows: st.Containers(), Spare: spare(c), Probe: rejected(c.cfg.Printer != ""), Check: checkPolicy()}
	p.Power = machinePower{toWarden{client}}
	p.Printers = Printers(filepath.Join(c.cfg.State, "agent"), c.cfg.Printer, printer.Dial)
	switch pr, err := printerOf(ctx, c, setup.Scratch); {
	case err != nil: // people can still do everything else
		c.log.Error("nothing can be printed", "err", err)
	case pr != nil:
		defer pr.Close()
		p.Printer = pr
	}
	if _, err := os.Stat(c.cfg.Chromium); err != nil {
		c.log.Error("no browser; install it, or correct chromium in the configuration", "err", err)
		p.Fault = wire.OutBrowser
	}
	// Without a browser nothing will ever be shown; being up is then to tell staff so.
	up := sync.OnceFunc(func() {
		if err := manager.Send(notify.Ready); err != nil {
			c.log.Warn("service manager not told", "err", err)
		}
	})
	p.Beat = beat(life, client, func() bool {
		shown := srv.Connected() || p.Fault == wire.OutBrowser
		if shown {
			up()
		}
		return shown
	})
	cfg := agent.Config{Proxy: c.cfg.Proxy, Trial: c.cfg.Trial, Build: c.Version, Boot: bootID(), Machine: machine(firmware()...), Sim: c.cfg.Sim, State: c.cfg.State, Log: c.log}

	var hardware *sim.Bench
	network := uplink.NewSwitch(nil)
	var saves atomic.Pointer[energy.State]
	route := uplink.Route{Proxy: c.cfg.Proxy}
	if c.cfg.Sim {
		hardware, route.Dial = sim.NewBench(t.mono, 1), network.Dial
		p.Saves = func(s energy.State) { saves.Store(&s) }
		b, err := bench.New(bench.Config{Hardware: hardware, Network: network, Files: files, Listen: c.cfg.SimListen, Log: c.log,
			Saving: func() bench.Saving { return savingOf(saves.Load()) },
			Stage:  func() bench.Stage { return st },
			// Without a chance to tidy up, as when the mains go: every role ends, and the service manager starts them again.
			Power: func() {
				ctx, cancel := context.WithTimeout(life, 5*time.Second)
				defer cancel()
				if _, _, err := client.Do(ctx, sandbox.Request{Power: &sandbox.Power{}}); err != nil && !errors.Is(err, sandbox.ErrClosed) {
					c.log.Error("the power stays on", "err", err)
				}
			}})
		if err != nil {
			return err
		}
		c.log.Info("simulator's bench", "url", b.URL())
		watch(func() error { return b.Serve(life) })
	}
	folder, err := uplink.OpenFolder(filepath.Join(c.cfg.State, "agent", "identity"))
	if err != nil {
		return err
	}
	id, err := folder.Load()
	switch {
	case errors.Is(err, uplink.ErrNotEnrolled):
		c.log.Warn("nobody can begin a session yet", "err", err)
		renew(func() error { return enrolled(life, folder) })
	case err != nil:
		return err
	default:
		cfg.Terminal, cfg.SignKeys = id.Terminal, id.Verifiers()
		n := joining{id: id, trust: id.Trust(), folder: folder, route: route, journal: j, names: names, times: t, boot: cfg.Boot, watch: watch, renew: renew}
		if id.KeySet != nil { // the warden follows a rollover before it is asked for anything by new keys
			if _, _, err := client.Do(life, sandbox.Request{Believe: &sandbox.Believe{Keys: *id.KeySet}}); err != nil {
				// The controller must not take this terminal for one that has followed.
				c.log.Error("the warden does not believe the controller's keys", "err", err)
				n.trust = nil
				renew(func() error { return again(life, err) })
			}
		}
		if err := join(life, c, &p, n); err != nil {
			return err
		}
	}
	if err := devicesOf(life, c, &p, hardware, devices.Display{X11: setup.Display, Authority: setup.Authority}, t.mono, id.BadgeKey); err != nil {
		return err
	}
	a, err := agent.New(cfg, p)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// reachWarden connects to the warden that started this process, or to the one
// behind door, and asks what there is to work with.
func reachWarden(ctx context.Context, door string) (*sandbox.Client, sandbox.Setup, error) {
	var f *os.File
	if door == "" {
		f = os.NewFile(wardenFD, "warden")
	} else {
		wait, cancel := context.WithTimeout(ctx, doorLimit)
		defer cancel()
		var err error
		if f, err = sandbox.Collect(wait, door); err != nil {
			return nil, sandbox.Setup{}, err
		}
	}
	client, err := sandbox.NewClient(f)
	if err != nil {
		return nil, sandbox.Setup{}, err
	}
	wait, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	a, files, err := client.Do(wait, sandbox.Request{Start: &sandbox.Start{}})
	sandbox.CloseAll(files)
	if err == nil && a.Setup == nil {
		err = errors.New("cannot start: the warden does not say what there is to work with")
	}
	if err != nil {
		client.Close()
		return nil, sandbox.Setup{}, err
	}
	return client, *a.Setup, nil
}

// enrolled ends, with an error that has the agent started again, once there is
// an identity.
func enrolled(ctx context.Context, f *uplink.Folder) error {
	t := time.NewTicker(enrolledEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if _, err := f.Load(); err == nil {
				return errors.New("cannot go on without the identity that was just given: starting again with it")
			}
		}
	}
}

// again ends, with an error that has the agent started again, after a while.
func again(ctx context.Context, why error) error {
	t := time.NewTimer(againAfter)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-t.C:
		return why
	}
}

const againAfter = 10 * time.Minute

// replaced ends, with an error that has the agent started again, once somebody
// enrolled this terminal anew: what lies in the folder is not what link works
// with. A renewal is in both places within a moment.
func replaced(ctx context.Context, f *uplink.Folder, link *uplink.Link) error {
	t := time.NewTicker(enrolledEvery)
	defer t.Stop()
	differs := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			id, err := f.Load()
			if differs++; err != nil || bytes.Equal(id.Cert, link.Identity().Cert) {
				differs = 0
			}
			if differs > 1 {
				return errors.New("cannot go on with an identity that was replaced: starting again with the new one")
			}
		}
	}
}

type joining struct {
	id      uplink.Identity
	trust   []byte // told to the controller; empty: it is not
	folder  *uplink.Folder
	route   uplink.Route
	journal *journal.Journal
	names   *lists.Keeper
	times   *times
	boot    string
	watch   func(func() error) // its error ends the agent at once
	renew   func(func() error) // its error does so once nobody is disturbed
}

// join starts the uplink.
func join(ctx context.Context, c *call, p *agent.Parts, n joining) error {
	built := clock.BuildTime()
	link, err := uplink.New(uplink.Config{Outbox: n.journal, Identity: n.id, Trust: n.trust, Folder: n.folder, Route: n.route, Build: c.Version, Boot: n.boot,
		Sim: c.cfg.Sim, Wall: n.times.Now, Log: c.log, Floor: func() time.Time {
			if f := n.journal.Floor(); f.After(built) {
				return f
			}
			return built
		}})
	if err != nil {
		return err
	}
	p.Line = lineOf{p.Warden}
	p.Uplink, p.Ways, p.Knock = link, link, knock(n.route.Dial)
	n.watch(func() error { return link.Run(ctx) })
	n.watch(func() error { return n.names.Run(ctx, link.FetchList) })
	n.renew(func() error { return replaced(ctx, n.folder, link) })
	n.renew(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-link.Rolled():
			return errors.New("cannot go on with keys that were replaced: starting again with the new ones")
		}
	})
	return nil
}

// lineOf asks the warden for the cable and the Wi-Fi of rules.
type lineOf struct{ warden agent.Warden }

func (l lineOf) SetLine(ctx context.Context, r agent.Rules) error {
	ctx, cancel := context.WithTimeout(ctx, lineWithin)
	defer cancel()
	var ask sandbox.Line
	if r.Version > 0 {
		ask.Policy = &r.Signed
	}
	_, files, err := l.warden.Do(ctx, sandbox.Request{Line: &ask})
	sandbox.CloseAll(files)
	return err
}

// lineWithin bounds what the warden needs: NetworkManager's own limits, twice.
const lineWithin = 3 * time.Minute

// knock tries whether a proxy of sessions takes connections: they reach it over the
// terminal's own network.
func knock(dial uplink.DialFunc) agent.Knocker {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, door string) error {
		ctx, cancel := context.WithTimeout(ctx, knockWithin)
		defer cancel()
		c, err := dial(ctx, "tcp", door)
		if err != nil {
			return fmt.Errorf("cannot reach the proxy %s: %w", door, err)
		}
		return c.Close()
	}
}

const knockWithin = 5 * time.Second

// backdrop is what people read where the shell is not: it is just starting, or it
// cannot, and then nothing else would tell them.
func backdrop() []string {
	var lines []string
	for _, key := range []string{"backdrop.wait", "backdrop.broken", "backdrop.help"} {
		lines = append(lines, catalogues.Text(catalogues.French, key, nil))
	}
	return lines
}

func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"borne/hw/clock"
	"borne/hw/usb"
	"borne/kiosk/doctor"
	"borne/kiosk/sandbox"
	"borne/kiosk/stage"
	"borne/kiosk/uplink"
	"borne/kiosk/warden"
)

// runDoctor prints each check, and fails when something is to be mended.
func runDoctor(ctx context.Context, c *call) error {
	wrong, err := doctor.Run(ctx, c.Stdout, checkups(c))
	if err != nil {
		return err
	}
	if wrong > 0 {
		return errSaid
	}
	return nil
}

func checkups(c *call) []doctor.Check {
	wall := clock.NewSystem(clock.BuildTime())
	target := target(c, wall.Now)
	host := ""
	if u, err := url.Parse(target.Controller); err == nil {
		host = u.Hostname()
	}
	dial := (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	list := []doctor.Check{
		{Name: "horloge", Look: func(context.Context) doctor.Finding { return doctor.Clock(wall.Now, clock.BuildTime()) }},
		{Name: "noms (DNS)", Look: func(ctx context.Context) doctor.Finding {
			return doctor.DNS(ctx, net.DefaultResolver.LookupHost, host, c.cfg.Proxy != nil)
		}},
		{Name: "proxy", Look: func(ctx context.Context) doctor.Finding { return doctor.Proxy(ctx, dial, c.cfg.Proxy) }},
		{Name: "contrôleur et TLS", Look: func(ctx context.Context) doctor.Finding { return doctor.Controller(ctx, target) }},
		{Name: "clés du contrôleur", Look: func(context.Context) doctor.Finding {
			return doctor.Keys(os.Geteuid() == 0, target.Enrolled, warden.Believes(c.cfg.State))
		}},
		{Name: "Chromium", Look: func(ctx context.Context) doctor.Finding { return doctor.Chromium(ctx, output, c.cfg.Chromium) }},
		{Name: "affichage (X)", Look: func(context.Context) doctor.Finding { return doctor.Display(exec.LookPath, c.cfg.Display) }},
		{Name: "mémoire", Look: func(context.Context) doctor.Finding {
			mb, err := memoryMB("/")
			return doctor.Memory(mb, err, c.cfg.StandbyMB)
		}},
		{Name: "isolation", Look: func(ctx context.Context) doctor.Finding {
			return doctor.Isolation(ctx, doctor.Surveys{Root: os.Geteuid() == 0, Running: func() bool { return running(c) },
				Last:    func() (sandbox.Surveyed, error) { return warden.LastSurvey(c.cfg.Run) },
				Measure: func(ctx context.Context) (sandbox.Surveyed, error) { return survey(ctx, c) }})
		}},
		{Name: "verrouillage", Look: func(context.Context) doctor.Finding { return doctor.Lockdown("/", c.cfg.Display) }},
		{Name: "ports USB", Look: func(context.Context) doctor.Finding {
			return doctor.USB(usb.Sys, c.cfg.USB != nil, c.cfg.Sim, running(c))
		}},
		{Name: "imprimante", Look: func(ctx context.Context) doctor.Finding { return doctor.Printer(ctx, lookAtPrinter(c)) }},
	}
	roles := make([]string, 0, len(c.cfg.Devices))
	for r := range c.cfg.Devices {
		roles = append(roles, r)
	}
	slices.Sort(roles)
	for _, r := range roles {
		list = append(list, doctor.Check{Name: r, Look: func(context.Context) doctor.Finding { return doctor.Device(os.Stat, c.cfg.Devices[r], c.cfg.UIDBase) }})
	}
	return list
}

// target tells what is known of the controller. Only root and the agent may
// read the identity: anybody else sees a terminal that is not enrolled.
func target(c *call, now func() (time.Time, bool)) doctor.Target {
	route := uplink.Route{Proxy: c.cfg.Proxy}
	t := doctor.Target{Controller: c.cfg.Controller}
	dir := filepath.Join(c.cfg.State, "agent", "identity")
	if _, err := os.Stat(dir); err == nil {
		if folder, err := uplink.OpenFolder(dir); err == nil {
			if id, err := folder.Load(); err == nil {
				t.Enrolled, t.Controller = true, id.Controller
				t.Probe = func(ctx context.Context) error {
					at, _ := now()
					return uplink.Probe(ctx, route, id, at)
				}
			}
		}
	}
	t.Reach = func(ctx context.Context) (string, error) { return uplink.Reach(ctx, route, t.Controller) }
	return t
}

// survey measures isolation on a display of its own.
func survey(ctx context.Context, c *call) (sandbox.Surveyed, error) {
	if running(c) {
		return sandbox.Surveyed{}, errors.New("cannot measure isolation: the terminal runs")
	}
	dir, err := os.MkdirTemp("", "borne-doctor-")
	if err != nil {
		return sandbox.Surveyed{}, fmt.Errorf("cannot measure isolation: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return sandbox.Surveyed{}, fmt.Errorf("cannot measure isolation: %w", err)
	}
	// Neither the terminal's state nor its mark may change by being looked at.
	x, err := stage.Start(ctx, stage.ServerConfig{Kind: "xvfb", Width: c.cfg.Width, Height: c.cfg.Height, Dir: dir,
		UID: c.cfg.UIDBase + 2, Clients: []int{c.cfg.UIDBase}, Log: c.log})
	if err != nil {
		return sandbox.Surveyed{}, err
	}
	defer x.Stop()
	return warden.Survey(ctx, warden.Config{State: filepath.Join(dir, "state"), Run: filepath.Join(dir, "run"), UIDBase: c.cfg.UIDBase,
		Net: c.cfg.Net, Resolver: c.cfg.Resolver, Chromium: c.cfg.Chromium, Build: c.Version, Log: c.log,
		Display: warden.Display{Name: x.Display(), Authority: x.Authority(c.cfg.UIDBase)}})
}

// running tells whether a terminal works here. Measuring beside one would end
// its session: a warden's start ends every process of its users.
func running(c *call) bool {
	return held(filepath.Join(c.cfg.State, "warden", "lock")) || busy("/proc", c.cfg.UIDBase, c.cfg.UIDBase+uidCount-1)
}

// uidCount is how many users a terminal has.
const uidCount = 110

// busy tells whether a process of one of the users from…to lives.
func busy(proc string, from, to int) bool {
	dirs, err := os.ReadDir(proc)
	if err != nil {
		return true // not known: rather no measure than a lost session
	}
	for _, d := range dirs {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		if st, err := os.Stat(filepath.Join(proc, d.Name())); err == nil {
			if uid := ownerOf(st); uid >= from && uid <= to {
				return true
			}
		}
	}
	return false
}

// held tells whether a running terminal has locked path.
func held(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close() // lets go of the lock again
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8"}
	return cmd.Output()
}

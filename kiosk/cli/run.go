package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"borne/controller/policy"
	"borne/hw/clock"
	"borne/kiosk/count"
	"borne/kiosk/network"
	"borne/kiosk/notify"
	"borne/kiosk/preview"
	"borne/kiosk/sandbox"
	"borne/kiosk/stage"
	"borne/kiosk/warden"
)

// run is the warden: it starts the display and the agent, and guards the sandboxes.
func run(ctx context.Context, c *call) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot run: %w", errRoot)
	}
	n := notify.FromEnv()
	if err := alone(c.cfg.State); err != nil { // before anything of the other one's is touched
		return err
	}
	if err := claim(c.cfg.State, c.cfg.Sim); err != nil {
		return err
	}
	if err := ownFolder(filepath.Join(c.cfg.State, "agent"), c.cfg.UIDBase); err != nil {
		return err
	}
	if err := os.MkdirAll(c.cfg.Run, 0o755); err != nil {
		return fmt.Errorf("cannot make the run folder: %w", err)
	}
	places := filepath.Join(c.cfg.Run, "display")
	if err := os.MkdirAll(places, 0o755); err != nil {
		return fmt.Errorf("cannot make the display's folder: %w", err)
	}
	// The agent's passing files lie where the wipe expects them, and go with each start.
	scratch := filepath.Join(c.cfg.Run, "agent")
	if err := ownFolder(scratch, c.cfg.UIDBase); err != nil {
		return err
	}
	if err := empty(scratch); err != nil {
		return err
	}
	agentUID, shellUID := c.cfg.UIDBase, c.cfg.UIDBase+1
	// The display outlives ctx: the agent still shows the last wipe while it stops.
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	x, err := stage.Start(alive, stage.ServerConfig{Kind: c.cfg.Display, Width: c.cfg.Width, Height: c.cfg.Height, Dir: places,
		UID: c.cfg.UIDBase + 2, Clients: []int{agentUID, shellUID}, Log: c.log})
	if err != nil {
		return err
	}
	defer x.Stop()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { // nothing can be shown without it: end, and be started again
		select {
		case <-x.Done():
			stop(x.Err())
		case <-alive.Done():
		}
	}()
	ready := sync.OnceFunc(func() {
		if err := n.Send(notify.Ready); err != nil {
			c.log.Warn("service manager not told", "err", err)
		}
	})
	agentLife := newPulse(clock.NewMonotonic().Now, func() { // its first screen is there: the terminal is up
		c.log.Info("ready")
		ready()
	})
	who := warden.Agent{Argv: []string{"/proc/self/exe", roleAgent}, Env: []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/"}}
	if c.apart() {
		// This service is up when the agent's may start; that one is, when its first screen is shown.
		who = warden.Agent{Door: filepath.Join(c.cfg.Run, doorFile), Open: ready}
	}
	who.Setup = sandbox.Setup{Config: c.text, Sim: c.cfg.Sim, Display: x.Display(), Authority: x.Authority(agentUID), Scratch: scratch}
	go n.Watch(ctx, agentLife.well)
	news, ports, err := guardPorts(ctx, c)
	if err != nil {
		return err
	}
	err = warden.Run(ctx, warden.Config{
		State: c.cfg.State, Run: c.cfg.Run, UIDBase: c.cfg.UIDBase, Net: c.cfg.Net, Resolver: c.cfg.Resolver, Chromium: c.cfg.Chromium,
		Display: warden.Display{Name: x.Display(), Authority: x.Authority(agentUID)},
		Agent:   who,
		DNS:     []string{roleDNS},
		Press:   []string{rolePress},
		Count:   []string{count.Role},
		Preview: []string{preview.Role},
		Plan:    planner(c.cfg.Printer != ""),
		Line:    liner(c),
		Beat:    agentLife.beat,
		News:    news, Ports: ports,
		Clock: waker(c),
		Build: c.Version, Sim: c.cfg.Sim, Log: c.log,
	})
	n.Send(notify.Stopping)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return err
}

// liner sets the cable and the Wi-Fi as rules say. A simulated terminal is
// somebody's own computer.
func liner(c *call) func(context.Context, policy.Line) error {
	if c.cfg.Sim || c.cfg.Profiles == "" {
		return nil
	}
	return network.New(network.Config{Dir: c.cfg.Profiles, Secrets: c.cfg.Secrets, Log: c.log}).Set
}

// alone refuses a state folder that another terminal works in. One that was
// just killed may hold it for a moment more.
func alone(state string) error {
	path := filepath.Join(state, "warden", "lock")
	for end := time.Now().Add(time.Second); held(path); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("cannot run on %s: a terminal already works there; stop it first, or name another state folder in the configuration", state)
		}
	}
	return nil
}

// empty clears a folder. The folder itself stays: the unit of the agent shows
// it to the agent alone.
func empty(dir string) error {
	list, err := os.ReadDir(dir)
	for _, e := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	if err != nil {
		return fmt.Errorf("cannot clear %s: %w", dir, err)
	}
	return nil
}

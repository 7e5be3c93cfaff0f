package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"borne/hw"
	"borne/hw/card"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/health"
	"borne/hw/rtc"
	"borne/hw/sim"
	"borne/hw/supervise"
	"borne/hw/watchdog"
	"borne/kiosk/agent"
)

// badgesCounted is how many badges' counters a terminal remembers: more than
// pass in a day.
const badgesCounted = 4096

// sickAfter is how long the agent may stand still before the machine's watchdog
// is no longer fed.
const sickAfter = 20 * time.Second

// hands puts the configured devices under supervision and gives the agent their
// events. A device that is missing or wrong is reported; it stops nothing.
type hands struct {
	*call
	env     devices.Env
	status  chan hw.Status
	screens []hw.Device
}

// devicesOf starts what the configuration names, until ctx ends.
func devicesOf(ctx context.Context, c *call, p *agent.Parts, bench *sim.Bench, display devices.Display, mono clock.Monotonic, secret []byte) error {
	h := &hands{call: c, env: devices.Env{Bench: bench, Clock: mono, Log: c.log, Display: display}, status: make(chan hw.Status, 16)}
	p.Devices = h.status
	if err := h.badges(secret); err != nil {
		return err
	}
	if err := devices.Conflicts(c.cfg.Devices); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Devices)) {
		if err := h.start(ctx, p, name, c.cfg.Devices[name]); err != nil {
			return err
		}
	}
	h.screen(ctx, p)
	return h.board(ctx)
}

// badges makes what readers need: the key for pseudonyms, once enrolled, and
// what cards are asked to prove.
func (h *hands) badges(secret []byte) error {
	if len(secret) == 0 {
		return nil
	}
	key, err := hw.NewBadgeKey(secret)
	if err != nil {
		return err
	}
	h.env.Key = key
	keys, have, err := badgeKeys(h.call)
	if err != nil || !have {
		return err
	}
	counters, err := card.NewCounters(badgesCounted)
	if err != nil {
		return err
	}
	p, err := card.NewProver(keys, card.Options{Badge: key, Counters: counters})
	if err != nil {
		return err
	}
	h.env.Prove = p
	return nil
}

// badgeKeys reads the file that the configuration names; a simulated terminal
// without one has the published demonstration keys.
func badgeKeys(c *call) (keys card.Keys, have bool, err error) {
	switch {
	case c.cfg.BadgeKeys != "":
		keys, err = card.ReadKeys(c.cfg.BadgeKeys)
		if demo, e := sim.DemoKeys(); err == nil && !c.cfg.Sim && (e != nil || reflect.DeepEqual(keys, demo)) {
			err = fmt.Errorf("cannot use badge_keys %s: they are published, for demonstrations; make keys of your own", c.cfg.BadgeKeys)
		}
	case c.cfg.Sim:
		keys, err = sim.DemoKeys()
	default:
		return card.Keys{}, false, nil
	}
	return keys, err == nil, err
}

// start supervises one device. Errors are the configuration's.
func (h *hands) start(ctx context.Context, p *agent.Parts, name string, d hw.Device) error {
	role, err := hw.RoleOf(name)
	if err == nil {
		err = role.Fits(d)
	}
	if err == nil {
		err = devices.Check(d)
	}
	if err != nil {
		return err
	}
	cfg := supervise.Config{Name: name, Device: d.String(), Clock: h.env.Clock, Log: h.log}
	switch role.Kind {
	case hw.KindReader:
		if h.env.Key == nil {
			return nil // no key, no pseudonym: badges wait for enrolment
		}
		r, err := supervise.StartReader(ctx, cfg, func(ctx context.Context) (hw.Reader, error) { return devices.OpenReader(ctx, d, h.env) })
		if err != nil {
			return err
		}
		p.Taps = r.Taps()
		h.follow(ctx, r.Supervisor)
	case hw.KindInput:
		in, err := supervise.StartInput(ctx, cfg, func(ctx context.Context) (hw.Input, error) { return devices.OpenInput(ctx, d, h.env) })
		if err != nil {
			return err
		}
		*map[string]*<-chan hw.Level{"case": &p.Case, "call": &p.Call, "alarm": &p.Alarm}[role.Name] = in.Levels()
		h.follow(ctx, in.Supervisor)
	case hw.KindOutput:
		out, err := supervise.StartOutput(ctx, cfg, func(ctx context.Context) (hw.Output, error) { return devices.OpenOutput(ctx, d, h.env) })
		if err != nil {
			return err
		}
		*map[string]*agent.Output{"light": &p.Light, "buzzer": &p.Buzzer}[role.Name] = out
		h.follow(ctx, out.Supervisor)
	case hw.KindScreen:
		h.screens = append(h.screens, d) // in the order of their names
	case hw.KindWatchdog:
		h.watch(ctx, p, name, d)
	case hw.KindClock: // see backed: it is needed before everything else
	}
	return nil
}

// follow reports a supervised device's health.
func (h *hands) follow(ctx context.Context, s *supervise.Supervisor) {
	go func() {
		for st := range s.Status() {
			h.tell(ctx, st)
		}
	}()
}

func (h *hands) tell(ctx context.Context, st hw.Status) {
	select {
	case h.status <- st:
	case <-ctx.Done():
	}
}

// fate reports a device that nobody supervises.
func (h *hands) fate(ctx context.Context, name string, d hw.Device, err error) {
	st := hw.Status{Name: name, Device: d.String(), Health: hw.Ready}
	if err != nil {
		h.log.Error("a device cannot be used", "name", name, "err", err)
		st.Health, st.Err = hw.Faulted, err.Error()
		if errors.Is(err, hw.ErrAbsent) {
			st.Health = hw.Degraded // it was asked for: its absence is told
		}
	}
	go h.tell(ctx, st)
}

// screen opens the ways to darken the display.
func (h *hands) screen(ctx context.Context, p *agent.Parts) {
	if len(h.screens) == 0 {
		return
	}
	chain, err := devices.OpenScreens(h.screens, false, h.env)
	h.fate(ctx, "screen-1", h.screens[0], err)
	if err != nil {
		return
	}
	p.Screen = chain
	context.AfterFunc(ctx, func() {
		if err := chain.Close(); err != nil {
			h.log.Warn("a way to darken the display does not close", "err", err)
		}
	})
}

// watch feeds the machine's watchdog as long as the agent lives.
func (h *hands) watch(ctx context.Context, p *agent.Parts, name string, d hw.Device) {
	w, err := devices.OpenWatchdog(d, h.env)
	h.fate(ctx, name, d, err)
	if err != nil {
		return
	}
	var last atomic.Int64
	last.Store(int64(h.env.Clock.Now()))
	before := p.Beat
	p.Beat = func() {
		last.Store(int64(h.env.Clock.Now()))
		if before != nil {
			before()
		}
	}
	go func() {
		err := watchdog.Guard(ctx, w, h.env.Clock, func(context.Context) error {
			if still := h.env.Clock.Now() - time.Duration(last.Load()); still > sickAfter {
				return fmt.Errorf("cannot feed the watchdog: the agent stands still for %v", still.Round(time.Second))
			}
			return nil
		}, h.log)
		if err != nil {
			h.log.Warn("the watchdog does not stop", "err", err)
		}
	}()
}

// board reports the health of the machine itself, as if each alarm were a device.
func (h *hands) board(ctx context.Context) error {
	if h.cfg.Sim { // somebody's own computer
		return nil
	}
	reports, err := health.Watch(ctx, health.Options{State: h.cfg.State})
	if err != nil {
		return err
	}
	go func() {
		for r := range reports {
			h.tell(ctx, boardStatus(r))
		}
	}()
	return nil
}

// boardStatus makes a device's status of an alarm.
func boardStatus(r health.Report) hw.Status {
	st := hw.Status{Name: string(r.Code), Device: r.Subject, Health: hw.Ready}
	switch r.State {
	case hw.On:
		st.Health, st.Err = hw.Degraded, r.Code.Fix()
	case hw.Unknown:
		st.Health, st.Err = hw.Degraded, "cannot be read any more"
	}
	return st
}

// backed is the machine's clock, with the real-time clock that the configuration
// names to vouch for it.
func backed(c *call, mono clock.Monotonic) clock.System {
	built := clock.BuildTime()
	s := clock.NewSystem(built)
	d, ok := c.cfg.Devices["clock"]
	if !ok {
		return s
	}
	r, err := devices.OpenRTC(d, devices.Env{Clock: mono, Log: c.log})
	if err != nil {
		c.log.Error("a device cannot be used", "name", "clock", "err", err)
		return s
	}
	return s.Backed(rtc.NewVoucher(r, built, mono).Vouch)
}

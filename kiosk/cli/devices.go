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
	"borne/hw/screen"
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
// events. A device that is missing or wrong is told of; it stops nothing.
type hands struct {
	*call
	env     devices.Env
	status  chan hw.Status
	screens map[string]hw.Device // by role
}

// devicesOf starts what the configuration names, until ctx ends.
func devicesOf(ctx context.Context, c *call, p *agent.Parts, bench *sim.Bench, display devices.Display, mono clock.Monotonic, secret []byte) error {
	h := &hands{call: c, env: devices.Env{Bench: bench, Clock: mono, Log: c.log, Display: display}, status: make(chan hw.Status, 16), screens: map[string]hw.Device{}}
	p.Devices = h.status
	if err := h.badges(ctx, secret); err != nil {
		return err
	}
	accepted := map[string]hw.Device{}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Devices)) {
		d := c.cfg.Devices[name]
		accepted[name] = d
		err := devices.Conflicts(accepted)
		if err == nil {
			err = h.start(ctx, p, name, d)
		}
		if err != nil {
			delete(accepted, name)
			h.fate(ctx, name, d, err)
		}
	}
	h.screen(ctx, p)
	return h.board(ctx)
}

// badges makes what readers need: the key for pseudonyms, once enrolled, and
// what cards are asked to prove. Without the keys' file badges count as numbers,
// which a policy that asks for proof refuses.
func (h *hands) badges(ctx context.Context, secret []byte) error {
	if len(secret) == 0 {
		return nil
	}
	key, err := hw.NewBadgeKey(secret)
	if err != nil {
		return err
	}
	h.env.Key = key
	h.env.Prove, err = prover(h.call, key)
	if err != nil {
		h.log.Error("badges cannot prove anything", "err", err)
		go h.tell(ctx, hw.Status{Name: "badge-keys", Health: hw.Faulted, Err: err.Error()})
	}
	return nil
}

// prover is nil where no keys are configured.
func prover(c *call, key hw.BadgeKey) (hw.Prover, error) {
	keys, have, err := badgeKeys(c)
	if err != nil || !have {
		return nil, err
	}
	counters, err := card.NewCounters(badgesCounted)
	if err != nil {
		return nil, err
	}
	p, err := card.NewProver(keys, card.Options{Badge: key, Counters: counters})
	if err != nil {
		return nil, err // not p: a nil *Prover is not a nil hw.Prover
	}
	return p, nil
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

// start supervises one device. Its errors are the configuration's: opening goes on
// in the background.
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
	if err := h.script(ctx, d); err != nil {
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
		*map[string]*<-chan hw.Level{"case": &p.Case, "call": &p.Call, "alarm": &p.Alarm, "presence": &p.Presence}[role.Name] = in.Levels()
		h.follow(ctx, in.Supervisor)
	case hw.KindOutput:
		out, err := supervise.StartOutput(ctx, cfg, func(ctx context.Context) (hw.Output, error) { return devices.OpenOutput(ctx, d, h.env) })
		if err != nil {
			return err
		}
		*map[string]*agent.Output{"light": &p.Light, "buzzer": &p.Buzzer, "mains": &p.Mains}[role.Name] = out
		h.follow(ctx, out.Supervisor)
	case hw.KindMeter:
		m, err := supervise.StartMeter(ctx, cfg, func(ctx context.Context) (hw.Meter, error) { return devices.OpenMeter(ctx, d, h.env) })
		if err != nil {
			return err
		}
		p.Meter = m
		h.follow(ctx, m.Supervisor)
	case hw.KindScreen:
		h.screens[name] = d
	case hw.KindWatchdog:
		return h.watch(ctx, p, name, d)
	case hw.KindClock: // it vouches already, see backed; here its fate is told
		return h.clock(ctx, p, name, d)
	}
	return nil
}

// clock gives the agent the alarm that can start the terminal. A real one is set
// by the warden: its attributes are root's.
func (h *hands) clock(ctx context.Context, p *agent.Parts, name string, d hw.Device) error {
	if d.Sim {
		a, err := devices.OpenAlarm(d, h.env)
		if err != nil {
			return err
		}
		p.Wake = benchAlarm{a}
		h.fate(ctx, name, d, nil)
		return nil
	}
	r, err := devices.OpenRTC(d, h.env)
	if err == nil {
		_, err = r.Time()
	}
	if err != nil {
		return err
	}
	if m, ok := p.Power.(machinePower); ok && !h.cfg.Sim {
		p.Wake = m
	}
	h.fate(ctx, name, d, nil)
	return nil
}

// script plays what a simulated device's script says.
func (h *hands) script(ctx context.Context, d hw.Device) error {
	path, ok := d.Options["script"]
	if !ok {
		return nil
	}
	s, err := sim.ReadScript(path)
	if err != nil {
		return err
	}
	go func() {
		if err := s.Play(ctx, h.env.Bench); err != nil && ctx.Err() == nil {
			h.log.Error("the simulator's script stops", "device", d, "err", err)
		}
	}()
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

// screen opens the ways to darken the display. One that cannot be opened leaves
// the others.
func (h *hands) screen(ctx context.Context, p *agent.Parts) {
	var ways []hw.Device
	roles := map[string]string{} // by device name
	for _, role := range slices.Sorted(maps.Keys(h.screens)) {
		d := h.screens[role]
		if !isOutput(d) { // a relay would click; it is supervised, and told of by the chain
			alone, err := devices.OpenScreen(d, h.env)
			if err == nil {
				err = alone.Close()
			}
			if err != nil {
				h.fate(ctx, role, d, err)
				continue
			}
		}
		ways, roles[d.String()] = append(ways, d), role
	}
	if len(ways) == 0 {
		return
	}
	chain, err := devices.OpenScreens(ways, false, h.env)
	for _, d := range ways {
		h.fate(ctx, roles[d.String()], d, err)
	}
	if err != nil {
		return
	}
	p.Screen = &toldScreen{Chain: chain, tell: func(r screen.Result) { h.tell(ctx, screenStatus(roles[r.Method], r)) }}
	context.AfterFunc(ctx, func() {
		if err := chain.Close(); err != nil {
			h.log.Warn("a way to darken the display does not close", "err", err)
		}
	})
}

// isOutput tells a relay from what darkens a display by itself.
func isOutput(d hw.Device) bool { return hw.Role{Kind: hw.KindOutput}.Fits(d) == nil }

// toldScreen tells, after each change, how each way did.
type toldScreen struct {
	*screen.Chain
	tell func(screen.Result)
}

func (t *toldScreen) Light(ctx context.Context, on bool) (hw.Level, error) {
	level, err := t.Chain.Light(ctx, on)
	for _, r := range t.Chain.Report() {
		if !r.Pending {
			t.tell(r)
		}
	}
	return level, err
}

// screenStatus makes a device's status of what a way to darken did.
func screenStatus(role string, r screen.Result) hw.Status {
	st := hw.Status{Name: role, Device: r.Method, Health: hw.Ready}
	switch {
	case r.Err != nil:
		st.Health, st.Err = hw.Degraded, r.Err.Error()
	case !r.Verified:
		st.Health, st.Err = hw.Degraded, "the change could not be verified: the screen reads "+r.Level.String()
	}
	return st
}

// watch feeds the machine's watchdog as long as the agent lives.
func (h *hands) watch(ctx context.Context, p *agent.Parts, name string, d hw.Device) error {
	w, err := devices.OpenWatchdog(d, h.env)
	if err != nil {
		return err
	}
	h.fate(ctx, name, d, nil)
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
	return nil
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
		alarms := alarms{}
		for r := range reports {
			h.tell(ctx, alarms.merge(r))
		}
	}()
	return nil
}

// alarms holds the last report of each subject: a device's status stands for all
// subjects of one code, by the worst of them.
type alarms map[health.Code]map[string]health.Report

func (a alarms) merge(r health.Report) hw.Status {
	if a[r.Code] == nil {
		a[r.Code] = map[string]health.Report{}
	}
	a[r.Code][r.Subject] = r
	worst := r
	rank := map[hw.Level]int{hw.Off: 0, hw.Unknown: 1, hw.On: 2}
	for _, subject := range slices.Sorted(maps.Keys(a[r.Code])) {
		if o := a[r.Code][subject]; rank[o.State] > rank[worst.State] {
			worst = o
		}
	}
	return boardStatus(worst)
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
	if !ok || d.Sim {
		return s
	}
	r, err := devices.OpenRTC(d, devices.Env{Clock: mono, Log: c.log})
	if err != nil {
		return s // devicesOf tells
	}
	return s.Backed(rtc.NewVoucher(r, built, mono).Vouch)
}

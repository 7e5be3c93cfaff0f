package cli

import (
	"context"
	"errors"
	"time"

	"borne/hw"
	"borne/hw/devices"
	"borne/kiosk/bench"
	"borne/kiosk/energy"
	"borne/kiosk/sandbox"
	"borne/kiosk/warden"
)

// machinePower is the warden's rights over the machine, as kiosk/energy asks for
// them: the agent has none.
type machinePower struct{ client asker }

// asker asks the warden; sandbox.Client is one.
type asker interface {
	do(ctx context.Context, r sandbox.Request) (sandbox.Powered, error)
}

// toWarden asks over the agent's connection.
type toWarden struct{ *sandbox.Client }

func (w toWarden) do(ctx context.Context, r sandbox.Request) (sandbox.Powered, error) {
	a, files, err := w.Do(ctx, r)
	sandbox.CloseAll(files)
	switch {
	case err != nil:
		return sandbox.Powered{}, err
	case a.Power == nil:
		return sandbox.Powered{}, errors.New("cannot tell what became of the machine's power: the warden does not say")
	}
	return *a.Power, nil
}

// Govern implements energy.Power.
func (m machinePower) Govern(ctx context.Context, low bool) (string, error) {
	p, err := m.client.do(ctx, sandbox.Request{Govern: &sandbox.Govern{Low: low}})
	return p.Governor, err
}

// Halt implements energy.Power.
func (m machinePower) Halt(ctx context.Context, wakeAt time.Time) (bool, error) {
	p, err := m.client.do(ctx, sandbox.Request{Halt: &sandbox.Halt{WakeAt: wakeAt}})
	return p.Sim, err
}

// Set implements energy.Alarm by the machine's own clock.
func (m machinePower) Set(ctx context.Context, at time.Time) (time.Time, error) {
	p, err := m.client.do(ctx, sandbox.Request{Wake: &sandbox.Wake{At: at}})
	return p.Alarm, err
}

// Clear implements energy.Alarm.
func (m machinePower) Clear(ctx context.Context) error {
	_, err := m.client.do(ctx, sandbox.Request{Wake: &sandbox.Wake{}})
	return err
}

// benchAlarm is the simulated clock's, which answers at once.
type benchAlarm struct{ clock devices.Alarm }

func (b benchAlarm) Set(_ context.Context, at time.Time) (time.Time, error) {
	if _, err := b.clock.SetAlarm(at); err != nil {
		return time.Time{}, err
	}
	got, ok, err := b.clock.Alarm()
	if err == nil && !ok {
		err = errors.New("cannot use the alarm: it does not read back")
	}
	return got, err
}

func (b benchAlarm) Clear(context.Context) error { return b.clock.ClearAlarm() }

// savingOf is a state of saving as the bench shows it; nil: nothing is known yet.
func savingOf(s *energy.State) bench.Saving {
	if s == nil {
		return bench.Saving{Relay: "none"}
	}
	b := bench.Saving{Power: string(s.Power), Relay: map[hw.Level]string{hw.On: "on", hw.Off: "off"}[s.Relay], Governor: s.Governor, Wakes: s.Wakes, Alarm: s.Alarm}
	if b.Relay == "" {
		b.Relay = "none"
	}
	if s.Off {
		b.Power = "off"
	}
	return b
}

// waker is the clock that the warden sets alarms of: the machine's own, and none
// on a simulated terminal.
func waker(c *call) warden.Waker {
	d, ok := c.cfg.Devices["clock"]
	if !ok || d.Sim || c.cfg.Sim {
		return nil
	}
	a, err := devices.OpenAlarm(d, devices.Env{Log: c.log})
	if err != nil {
		c.log.Warn("nothing can start this machine again: it is never switched off", "err", err)
		return nil
	}
	return a
}

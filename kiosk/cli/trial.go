package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
)

const (
	// still is how long a badge that stays must not be told again.
	still = 2 * time.Second
	// shown is how long an output or a screen stays as it was switched, to be seen.
	shown = time.Second
)

// testEnv is what devices need when they are tried alone. The key is of the
// moment: what is printed can be compared with nothing.
func testEnv(c *call, mono clock.Monotonic) (devices.Env, error) {
	secret := make([]byte, hw.MinBadgeKey)
	rand.Read(secret)
	key, err := hw.NewBadgeKey(secret)
	if err != nil {
		return devices.Env{}, err
	}
	env := devices.Env{Clock: mono, Key: key, Log: c.log}
	if strings.HasPrefix(c.cfg.Display, ":") {
		env.Display = devices.Display{X11: c.cfg.Display, Authority: os.Getenv("XAUTHORITY")}
	}
	if env.Prove, err = prover(c, key); err != nil {
		return env, err
	}
	if c.cfg.Sim {
		env.Bench = sim.NewBench(mono, 1)
	}
	return env, nil
}

// trial is one device being tried; each step is a line that a correspondent can read.
type trial struct {
	*call
	role   string
	device hw.Device
	env    devices.Env
}

func (t *trial) ok(format string, a ...any) {
	fmt.Fprintf(t.Stdout, "  bon     "+format+"\n", a...)
}

func (t *trial) run(ctx context.Context) error {
	fmt.Fprintf(t.Stdout, "%s, %s\n", roleName(t.role), t.device)
	role, err := hw.RoleOf(t.role)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*testWithin)
	defer cancel()
	switch role.Kind {
	case hw.KindReader:
		return t.reader(ctx)
	case hw.KindInput:
		return t.input(ctx)
	case hw.KindOutput:
		return t.output(ctx)
	case hw.KindScreen:
		if isOutput(t.device) { // the relay alone: a monitor's mains are not cut twice within minutes
			return t.output(ctx)
		}
		if t.device.Path == "auto" && t.env.Display == (devices.Display{}) {
			t.ok("se vérifie quand le poste marche : son état est alors dans la console")
			return nil
		}
		return t.screen(ctx)
	case hw.KindClock:
		return t.clock()
	case hw.KindWatchdog: // one that cannot be stopped would restart the machine
		if err := devices.Present(t.device); err != nil {
			return err
		}
		t.ok("là ; il n'est pas armé pour un essai")
	case hw.KindMeter:
		return t.meter(ctx)
	}
	return nil
}

// meter reads twice: the counter must not fall.
func (t *trial) meter(ctx context.Context) error {
	m, err := devices.OpenMeter(ctx, t.device, t.env)
	if err != nil {
		return err
	}
	defer m.Close()
	first, err := m.Read(ctx)
	if err != nil {
		return err
	}
	if err := t.env.Clock.Sleep(ctx, shown); err != nil {
		return err
	}
	second, err := m.Read(ctx)
	switch {
	case err != nil:
		return err
	case second.Wh < first.Wh:
		return fmt.Errorf("cannot trust meter %s: its counter fell from %.1f to %.1f Wh", t.device, first.Wh, second.Wh)
	case math.IsNaN(second.Watts):
		t.ok("il a compté %.1f Wh depuis sa mise en service", second.Wh)
	default:
		t.ok("il a compté %.1f Wh depuis sa mise en service ; %.1f W en ce moment", second.Wh, second.Watts)
	}
	return nil
}

// reader wants a badge twice, and nothing while it stays.
func (t *trial) reader(ctx context.Context) error {
	r, err := devices.OpenReader(ctx, t.device, t.env)
	if err != nil {
		return err
	}
	defer r.Close()
	t.ok("ouvert")
	first, err := t.badge(ctx, r, "Posez un badge et laissez-le…", func(b *sim.Bench) error { return b.Tap(0, []byte{0x04, 0xA1, 0xB2, 0xC3}) })
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, still)
	defer cancel()
	switch _, err := r.Next(wait); {
	case err == nil:
		return errors.New("cannot trust the reader: it tells a badge that stays twice, or another one came; keep one badge still, and the reader away from metal")
	case wait.Err() == nil:
		return err
	}
	t.ok("un badge qui reste n'est compté qu'une fois")
	if t.env.Bench != nil {
		t.env.Bench.Lift()
		wait, cancel := context.WithTimeout(ctx, still)
		defer cancel()
		if _, err := r.Next(wait); err == nil {
			return errors.New("cannot trust the reader: it tells a badge that was taken away")
		} else if wait.Err() == nil {
			return err
		}
	}
	second, err := t.badge(ctx, r, "Retirez-le, puis posez-le de nouveau…", func(b *sim.Bench) error { return b.Tap(0, []byte{0x04, 0xA1, 0xB2, 0xC3}) })
	if err != nil {
		return err
	}
	if !first.Random && second.Key != first.Key {
		return errors.New("cannot tell: the second reading differs from the first; use one and the same badge for both")
	}
	t.ok("lu de nouveau, identique")
	return nil
}

func (t *trial) badge(ctx context.Context, r hw.Reader, ask string, simulated func(*sim.Bench) error) (hw.Badge, error) {
	fmt.Fprintf(t.Stdout, "          %s\n", ask)
	if t.env.Bench != nil {
		if err := simulated(t.env.Bench); err != nil {
			return hw.Badge{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, testWithin)
	defer cancel()
	tap, err := r.Next(ctx)
	if err != nil {
		return hw.Badge{}, fmt.Errorf("cannot read a badge (hold one to the reader within %s): %w", testWithin, err)
	}
	for _, b := range tap.Badges {
		t.ok("badge de %d octets lu ; %s", b.Bytes, provenWords(b))
	}
	return tap.Badges[0], nil
}

// provenWords tells a correspondent how far a badge can be trusted.
func provenWords(b hw.Badge) string {
	switch {
	case b.Suspect:
		return "il prétend avoir nos clés et répond faux : c'est peut-être une copie"
	case b.Random:
		return "son numéro change à chaque fois : il ne peut pas servir"
	case b.Assurance == hw.AssuranceMutual:
		return "il a prouvé ses clés"
	case b.Assurance == hw.AssuranceDynamic:
		return "il a prouvé son message"
	case b.Assurance == hw.AssuranceTruncated:
		return "numéro tronqué par le lecteur : assurance la plus faible"
	}
	return "numéro seul : il se copie"
}

func (t *trial) input(ctx context.Context) error {
	in, err := devices.OpenInput(ctx, t.device, t.env)
	if err != nil {
		return err
	}
	defer in.Close()
	ctx, cancel := context.WithTimeout(ctx, testWithin)
	defer cancel()
	levels, err := in.Watch(ctx)
	if err != nil {
		return err
	}
	level, ok := <-levels
	if !ok || level == hw.Unknown {
		return fmt.Errorf("cannot read %s: its state is unknown; check its wires", t.device)
	}
	t.ok("lu : %s", levelWord(level))
	if t.env.Bench != nil {
		return nil
	}
	fmt.Fprintf(t.Stdout, "          Actionnez-le (%s au plus)…\n", testWithin)
	for level == hw.Unknown || ok {
		next, more := <-levels
		if !more {
			return fmt.Errorf("cannot see %s change: nothing moved within %s; if you did move it, check its wires", t.device, testWithin)
		}
		if next != hw.Unknown && next != level {
			t.ok("changement vu : %s", levelWord(next))
			return nil
		}
	}
	return nil
}

func levelWord(l hw.Level) string {
	return map[hw.Level]string{hw.On: "actif", hw.Off: "au repos", hw.Unknown: "inconnu"}[l]
}

func (t *trial) output(ctx context.Context) error {
	o, err := devices.OpenOutput(ctx, t.device, t.env)
	if err != nil {
		return err
	}
	defer o.Close()
	for _, l := range []hw.Level{hw.On, hw.Off} {
		read, err := o.Set(ctx, l)
		switch {
		case err != nil:
			return err
		case read == hw.Unknown:
			t.ok("%s, sans relecture possible", levelWord(l))
		case read != l:
			return fmt.Errorf("cannot switch %s: it was told %s and reads %s; check its wires", t.device, l, read)
		default:
			t.ok("%s, relu", levelWord(l))
		}
		if err := t.env.Clock.Sleep(ctx, shown); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) screen(ctx context.Context) error {
	s, err := devices.OpenScreen(t.device, t.env)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, on := range []bool{false, true} {
		read, err := s.Light(ctx, on)
		if err != nil {
			return err
		}
		want := map[bool]hw.Level{true: hw.On, false: hw.Off}[on]
		word := map[bool]string{true: "allumé", false: "éteint"}[on]
		switch read {
		case want:
			t.ok("%s, vérifié", word)
		case hw.Unknown:
			t.ok("%s, sans vérification possible : regardez l'écran", word)
		default:
			return fmt.Errorf("cannot switch %s: the screen reads %s", t.device, read)
		}
		if err := t.env.Clock.Sleep(ctx, shown); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) clock() error {
	if t.device.Sim {
		t.ok("simulée : elle n’a qu’un réveil")
		return t.alarm()
	}
	r, err := devices.OpenRTC(t.device, t.env)
	if err != nil {
		return err
	}
	at, err := r.Time()
	if err != nil {
		return err
	}
	battery, err := r.Battery()
	if err != nil {
		return err
	}
	t.ok("il est %s (UTC) ; pile : %s", at.UTC().Format("02/01/2006 15:04:05"), battery)
	return t.alarm()
}

// alarm sets the alarm that starts a machine, reads it back, and leaves it as it
// was. A clock without one is no failure: the terminal then stays on at night.
func (t *trial) alarm() error {
	clock, err := devices.OpenAlarm(t.device, t.env)
	if err != nil {
		return err
	}
	before, set, err := clock.Alarm()
	if err != nil {
		t.ok("pas de réveil : ce poste restera en veille la nuit, sans s’arrêter (%v)", err)
		return nil
	}
	_, tried := clock.SetAlarm(time.Now().Add(alarmTrial))
	if set && before.After(time.Now()) {
		_, err = clock.SetAlarm(before)
	} else if tried == nil {
		err = clock.ClearAlarm()
	}
	if tried != nil {
		t.ok("le réveil ne tient pas : ce poste restera en veille la nuit, sans s’arrêter (%v)", tried)
		return err
	}
	t.ok("le réveil se règle et se relit ; qu’il allume la machine se voit en l’éteignant")
	return err
}

// alarmTrial is far enough that a trial which is killed starts nothing at once.
const alarmTrial = time.Hour

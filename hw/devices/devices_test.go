package devices_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/card"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
)

func parse(t *testing.T, name string) hw.Device {
	t.Helper()
	d, err := hw.ParseDevice(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func env(t *testing.T) devices.Env {
	t.Helper()
	key, err := hw.NewBadgeKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewMonotonic()
	return devices.Env{Bench: sim.NewBench(clk, 1), Clock: clk, Key: key}
}

// In real time, as the binary runs it.
func TestTapInRealTime(t *testing.T) {
	e := env(t)
	d := parse(t, "sim:mfrc522?poll=20ms&clock=4MHz&gain=48&rst=GPIO25")
	if err := devices.Check(d); err != nil {
		t.Fatal(err)
	}
	r, err := devices.OpenReader(t.Context(), d, e)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, uids := range [][][]byte{{{1, 2, 3, 4}}, {{4, 1, 2, 3, 4, 5, 6}, {4, 1, 2, 3, 4, 5, 6, 7, 8, 9}}} {
		if err := e.Bench.Tap(0, uids...); err != nil {
			t.Fatal(err)
		}
		tap, err := r.Next(t.Context())
		if err != nil || len(tap.Badges) != len(uids) {
			t.Fatalf("%d badges, error %v; want %d", len(tap.Badges), err, len(uids))
		}
	}
}

// The bench's cards, in real time: what is held out while the reader looks.
func TestBadgesThatProveInRealTime(t *testing.T) {
	e := env(t)
	keys, err := sim.DemoKeys()
	if err != nil {
		t.Fatal(err)
	}
	counters, err := card.NewCounters(16)
	if err != nil {
		t.Fatal(err)
	}
	if e.Prove, err = card.NewProver(keys, card.Options{Badge: e.Key, Counters: counters}); err != nil {
		t.Fatal(err)
	}
	r, err := devices.OpenReader(t.Context(), parse(t, "sim:mfrc522?poll=20ms"), e)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i, c := range []struct {
		kind string
		want hw.Badge
	}{
		{sim.KindNTAG424, hw.Badge{Assurance: hw.AssuranceMutual}},
		{sim.KindNTAG424Random, hw.Badge{Assurance: hw.AssuranceMutual}},
		{sim.KindNTAG424Clone, hw.Badge{Assurance: hw.AssuranceUID, Suspect: true}},
		{sim.KindUID, hw.Badge{Assurance: hw.AssuranceUID}},
	} {
		uid := []byte{4, 1, 2, 3, 4, 5, byte(i)}
		if err := e.Bench.TapKind(0, c.kind, uid); err != nil {
			t.Fatal(err)
		}
		tap, err := r.Next(t.Context())
		c.want.Key, c.want.Bytes = e.Key(uid), len(uid)
		if err != nil || len(tap.Badges) != 1 || tap.Badges[0] != c.want {
			t.Fatalf("%s: %+v, error %v; want %+v", c.kind, tap.Badges, err, c.want)
		}
	}
}

func TestUnpluggedReaderIsAbsent(t *testing.T) {
	e := env(t)
	e.Bench.UnplugReader()
	if _, err := devices.OpenReader(t.Context(), parse(t, "sim:mfrc522"), e); !errors.Is(err, hw.ErrAbsent) {
		t.Fatalf("error %v, want hw.ErrAbsent", err)
	}
}

func TestBadOptionsAreNamed(t *testing.T) {
	for name, want := range map[string]string{
		"sim:mfrc522?clock=fast":                  "option clock=fast must be a frequency between 100kHz and 10MHz",
		"sim:mfrc522?clock=40MHz":                 "option clock=40MHz",
		"sim:mfrc522?gain=40":                     "option gain=40 must be one of [18 23 33 38 43 48]",
		"sim:mfrc522?poll=5":                      "option poll=5 must be a duration between 20ms and 2s",
		"sim:mfrc522?rst=25":                      "option rst=25 must be a GPIO line",
		"mfrc522:/dev/spidev0.0?rst=25":           "option rst=25 must be a GPIO line",
		"mfrc522:/dev/spidev0.0?clock=0&gain=48":  "option clock=0",
		"mfrc522:/dev/spidev0.0?poll=1h&gain=48":  "option poll=1h",
		"mfrc522:/dev/spidev0.0?gain=048&poll=1s": "option gain=048",
	} {
		d := parse(t, name)
		for _, err := range []error{devices.Check(d), func() error { _, err := devices.OpenReader(t.Context(), d, env(t)); return err }()} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: error %v, want one that says %q", name, err, want)
			}
		}
	}
}

func TestWrongDevices(t *testing.T) {
	e := env(t)
	for name, want := range map[string]string{
		"mfrc522:/dev/spidev999.99": "does not exist; enable SPI",
		"sim:case":                  "cannot use device \"sim:case\" as a badge reader",
	} {
		_, err := devices.OpenReader(t.Context(), parse(t, name), e)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
	}
	if _, err := devices.OpenReader(t.Context(), parse(t, "mfrc522:/dev/spidev999.99"), e); !errors.Is(err, hw.ErrAbsent) {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
	e.Bench = nil
	if _, err := devices.OpenReader(t.Context(), parse(t, "sim:mfrc522"), e); err == nil || !strings.Contains(err.Error(), "-sim") {
		t.Errorf("error %v, want one about -sim", err)
	}
}

func TestOtherDevices(t *testing.T) {
	e := env(t)
	e.Bench.OpenCase()
	e.Bench.PressCall()
	for _, name := range []string{"sim:case", "sim:call"} {
		in, err := devices.OpenInput(t.Context(), parse(t, name), e)
		if err != nil {
			t.Fatal(err)
		}
		ch, err := in.Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l := <-ch; l != hw.On {
			t.Errorf("%s reads %v", name, l)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
	out, err := devices.OpenOutput(t.Context(), parse(t, "sim:output?name=relay"), e)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := out.Set(t.Context(), hw.On); err != nil || l != hw.On {
		t.Errorf("Set = %v, %v", l, err)
	}
	if _, err := devices.OpenOutput(t.Context(), parse(t, "sim:output"), e); err == nil || !strings.Contains(err.Error(), "option name is missing") {
		t.Errorf("error %v", err)
	}
	s, err := devices.OpenScreen(parse(t, "sim:screen"), e)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := s.Light(t.Context(), false); err != nil || l != hw.Off {
		t.Errorf("Light = %v, %v", l, err)
	}
	if st := e.Bench.State(); st.Screen != "off" || st.Outputs["relay"] != "on" {
		t.Errorf("state %+v", st)
	}
}

// A reader that polls an empty field must cost next to nothing. The benchmark
// reports it: real time passes, CPU time should not.
func BenchmarkIdlePolling(b *testing.B) {
	key, err := hw.NewBadgeKey(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	clk := clock.NewMonotonic()
	d, err := hw.ParseDevice("sim:mfrc522?poll=100ms")
	if err != nil {
		b.Fatal(err)
	}
	e := devices.Env{Bench: sim.NewBench(clk, 1), Clock: clk, Key: key}
	r, err := devices.OpenReader(b.Context(), d, e)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	cpu, wall := cpuTime(b), clk.Now()
	ctx, cancel := contextAfter(b, 3*time.Second)
	defer cancel()
	if _, err := r.Next(ctx); !errors.Is(err, ctx.Err()) {
		b.Fatal(err)
	}
	b.ReportMetric(100*float64(cpuTime(b)-cpu)/float64(clk.Now()-wall), "%CPU")
	b.ReportMetric(float64(e.Bench.Chip().Transfers())/(clk.Now()-wall).Seconds(), "transfers/s")
}

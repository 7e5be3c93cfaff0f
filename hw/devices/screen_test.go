package devices_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/screen"
	"borne/hw/sim"
)

func TestScreensInOrder(t *testing.T) {
	bench := sim.NewBench(sim.NewVirtualClock(), 1)
	e := devices.Env{Bench: bench, Clock: clock.NewMonotonic(), Display: devices.Display{X11: ":99999", Authority: filepath.Join(t.TempDir(), "none")}}
	ways := []hw.Device{parse(t, "x11:auto"), parse(t, "sim:screen"), parse(t, "sim:output?name=mains")}
	c, err := devices.OpenScreens(ways, true, e)
	if err != nil {
		t.Fatal(err)
	}
	// The X display is not there, and the mains have not been on for long enough to be cut.
	// It is dark all the same, and is told when the mains may be asked again.
	var soon *screen.TooSoonError
	if l, err := c.Light(t.Context(), false); !errors.As(err, &soon) || l != hw.Off {
		t.Errorf("dark: %v, %v", l, err)
	}
	r := c.Report()
	if len(r) != 3 || r[0].Method != "x11:auto" || r[0].Err == nil || !strings.Contains(r[0].Err.Error(), ":99999") || !r[1].Verified ||
		r[2].Err == nil || !strings.Contains(r[2].Err.Error(), "mains") {
		t.Errorf("report %+v", r)
	}
	if st := bench.State(); st.Screen != "off" || st.Outputs["mains"] == "on" {
		t.Errorf("bench %+v", st)
	}
	// The relay is opened in the background.
	for end := time.Now().Add(10 * time.Second); bench.State().Outputs["mains"] != "on"; runtime.Gosched() {
		if l, err := c.Light(t.Context(), true); err == nil || l != hw.Unknown {
			t.Fatalf("lit although one way failed: %v, %v", l, err)
		}
		if time.Now().After(end) {
			t.Fatal("the mains stay off")
		}
	}
	if st := bench.State(); st.Screen != "on" {
		t.Errorf("bench %+v", st)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if l, err := c.Light(t.Context(), true); err == nil || l != hw.Unknown {
		t.Errorf("a closed display was lit: %v, %v", l, err)
	}
}

// A relay whose chip is not there leaves the other ways as they are.
func TestScreenWithoutItsRelay(t *testing.T) {
	bench := sim.NewBench(sim.NewVirtualClock(), 1)
	e := devices.Env{Bench: bench, Clock: clock.NewMonotonic()}
	goroutines := runtime.NumGoroutine()
	c, err := devices.OpenScreens([]hw.Device{parse(t, "sim:screen"), parse(t, "gpio:no-such-chip/17")}, false, e)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := c.Light(t.Context(), false); err != nil || l != hw.Off {
		t.Errorf("dark: %v, %v", l, err)
	}
	if l, err := c.Light(t.Context(), true); err != nil || l != hw.On {
		t.Errorf("lit: %v, %v", l, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

func TestScreensThatCannotBe(t *testing.T) {
	bench := devices.Env{Bench: sim.NewBench(sim.NewVirtualClock(), 1), Clock: clock.NewMonotonic()}
	for _, c := range []struct {
		names []string
		env   devices.Env
		want  string
	}{
		{nil, bench, "give 1 to 8"},
		{[]string{"x11:auto"}, bench, "no X display of its own"},
		{[]string{"wlr:auto"}, bench, "no Wayland compositor of its own"},
		{[]string{"x11::0?authority=cookie"}, bench, "a file's whole path"},
		{[]string{"sim:screen"}, devices.Env{}, "need the -sim flag"},
		{[]string{"sim:case"}, bench, `cannot use device "sim:case" as a screen`},
		{[]string{"gpio:auto/17?safe=maybe"}, bench, "safe=maybe"},
		{[]string{"sim:output?name=mains", "cec:/dev/cec0", "cec:/dev/cec0"}, bench, "a name of its own"},
	} {
		var ways []hw.Device
		for _, n := range c.names {
			ways = append(ways, parse(t, n))
		}
		if s, err := devices.OpenScreens(ways, false, c.env); s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.names, err, c.want)
		}
	}
	if err := devices.Check(parse(t, "x11::0?authority=cookie")); err == nil {
		t.Error("Check takes a cookie without a path")
	}
	// What is not there now may be there later: opening does not fail, using does.
	s, err := devices.OpenScreen(parse(t, "backlight:no_such_panel"), bench)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Light(t.Context(), false); !errors.Is(err, hw.ErrAbsent) {
		t.Errorf("%v", err)
	}
}

package gpio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"borne/hw"
)

type still struct{}

func (still) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// change is a level of the scripted wire from a moment on.
type change struct {
	at   time.Duration
	on   bool
	mute bool // the kernel's queue was full: no event
}

// script is a wire whose time passes only in Edge.
type script struct {
	mu      sync.Mutex
	t       time.Duration
	on      bool
	changes []change
	last    error // after the changes; nil: Edge waits until Close
	closed  chan struct{}
	once    sync.Once

	stuck  bool // Set has no effect
	sets   []bool
	setErr error
}

func newScript(last error, changes ...change) *script {
	return &script{changes: changes, last: last, closed: make(chan struct{})}
}

func (s *script) now() time.Duration { s.mu.Lock(); defer s.mu.Unlock(); return s.t }
func (s *script) Close() error       { s.once.Do(func() { close(s.closed) }); return nil }
func (s *script) Get() (bool, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.on, nil }
func (s *script) Set(on bool) error {
	s.sets = append(s.sets, on)
	if !s.stuck {
		s.on = on
	}
	return s.setErr
}

func (s *script) Edge(wait time.Duration) (time.Duration, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.t + wait
	for len(s.changes) > 0 && s.changes[0].at <= end {
		c := s.changes[0]
		s.changes = s.changes[1:]
		s.t, s.on = max(s.t, c.at), c.on
		if !c.mute {
			return c.at, true, nil
		}
	}
	if len(s.changes) == 0 && s.t > 0 && end-s.t >= heartbeat { // a whole quiet heartbeat: the end
		if s.last != nil {
			return 0, false, s.last
		}
		s.mu.Unlock()
		<-s.closed
		s.mu.Lock()
		return 0, false, hw.ErrClosed
	}
	s.t = end
	return 0, false, nil
}

const ms = time.Millisecond

func TestDebounceByEventTimes(t *testing.T) {
	gone := fmt.Errorf("%w: its GPIO chip is gone", hw.ErrAbsent)
	for name, c := range map[string]struct {
		changes []change
		want    string
	}{
		"a clean press":              {[]change{{100 * ms, true, false}, {500 * ms, false, false}}, "off on off unknown"},
		"bounces are one press":      {[]change{{100 * ms, true, false}, {102 * ms, false, false}, {104 * ms, true, false}, {110 * ms, false, false}, {112 * ms, true, false}}, "off on unknown"},
		"a spike is nothing":         {[]change{{100 * ms, true, false}, {105 * ms, false, false}}, "off unknown"},
		"chatter that lasts":         {[]change{{100 * ms, true, false}, {125 * ms, false, false}, {150 * ms, true, false}, {175 * ms, false, false}, {200 * ms, true, false}}, "off on unknown"},
		"two presses":                {[]change{{100 * ms, true, false}, {140 * ms, false, false}, {180 * ms, true, false}}, "off on off on unknown"},
		"an edge the kernel dropped": {[]change{{100 * ms, true, true}}, "off on unknown"},
		"the last edge was dropped":  {[]change{{100 * ms, true, false}, {500 * ms, false, true}}, "off on off unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScript(gone, c.changes...)
			hold := make(chan struct{})
			in, err := openInput(&held{script: w, hold: hold}, 30*ms, w.now, Options{Name: "contact", Clock: still{}})
			if err != nil {
				t.Fatal(err)
			}
			ch, err := in.Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			close(hold)
			var got []string
			for l := range ch {
				got = append(got, l.String())
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("levels %s, want %s", g, c.want)
			}
			if err := in.Close(); !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "cannot read contact contact") {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// held lets a test watch before the first edge.
type held struct {
	*script
	hold chan struct{}
}

func (h *held) Edge(wait time.Duration) (time.Duration, bool, error) {
	<-h.hold
	return h.script.Edge(wait)
}

func TestSlowWatcherKeepsTheNewest(t *testing.T) {
	var changes []change
	for n := range 4*watchQueue + 1 { // the last level is on
		changes = append(changes, change{at: time.Duration(n+1) * 100 * ms, on: n%2 == 0})
	}
	w := newScript(errors.New("the end"), changes...)
	hold := make(chan struct{})
	in, err := openInput(&held{script: w, hold: hold}, 30*ms, w.now, Options{Name: "contact", Clock: still{}})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := in.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	close(hold)
	<-in.done
	var got []hw.Level
	for l := range ch {
		got = append(got, l)
	}
	if n := len(got); n != watchQueue || got[n-1] != hw.Unknown || got[n-2] != hw.On {
		t.Errorf("%d levels were left, the last %v", n, got[max(0, n-3):])
	}
	_ = in.Close()
}

func TestOutputThatSomethingElseDrives(t *testing.T) {
	w := newScript(nil)
	w.stuck = true
	o, err := openOutput(t.Context(), w, Options{Name: "relay", Safe: hw.Off, Clock: still{}})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := o.Set(t.Context(), hw.On); l != hw.Off || err == nil || !strings.Contains(err.Error(), "cannot switch output relay on: it reads back off") {
		t.Errorf("Set = %v, %v", l, err)
	}
	w.on = true
	if _, err := openOutput(t.Context(), w, Options{Name: "relay", Safe: hw.Off, Clock: still{}}); err == nil || !strings.Contains(err.Error(), "short circuit") {
		t.Errorf("opening a line that is held on: %v", err)
	}
}

func TestOutputClosesSafe(t *testing.T) {
	for _, safe := range []hw.Level{hw.Off, hw.On} {
		w := newScript(nil)
		w.on = safe == hw.On
		o, err := openOutput(t.Context(), w, Options{Name: "relay", Safe: safe, Clock: still{}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Set(t.Context(), hw.On); err != nil {
			t.Fatal(err)
		}
		w.setErr = fmt.Errorf("%w: gone", hw.ErrAbsent)
		err = o.Close()
		if w.sets[len(w.sets)-1] != (safe == hw.On) || !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "in its safe state, "+safe.String()) {
			t.Errorf("safe=%v: set %v, error %v", safe, w.sets, err)
		}
		select {
		case <-w.closed:
		default:
			t.Error("the line is still held")
		}
	}
}

func TestReleased(t *testing.T) {
	sys := func(module, value string) fstest.MapFS {
		return fstest.MapFS{"module/" + module + "/parameters/persist_gpio_outputs": {Data: []byte(value)}}
	}
	for _, c := range []struct {
		label string
		sys   fstest.MapFS
		want  Release
	}{
		{"pinctrl-bcm2711", sys("pinctrl_bcm2835", "Y\n"), ReleaseKeeps},
		{"pinctrl-bcm2835", sys("pinctrl_bcm2835", "N\n"), ReleaseInput},
		{"pinctrl-bcm2835", fstest.MapFS{}, ReleaseInput},
		{"pinctrl-rp1", sys("pinctrl_rp1", "Y\n"), ReleaseKeeps},
		{"pinctrl-rp1", fstest.MapFS{}, ReleaseKeeps},
		{"pinctrl-rp1", sys("pinctrl_rp1", "N\n"), ReleaseInput},
		{"pinctrl-rp1", sys("pinctrl_rp1", "?"), ReleaseUnknown},
		{"ftdi-cbus", sys("pinctrl_bcm2835", "Y\n"), ReleaseUnknown},
	} {
		if got := released(c.sys, c.label); got != c.want {
			t.Errorf("%s with %v: %v, want %v", c.label, c.sys, got, c.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for in, pin := range map[string]string{
		"auto/17":                   "header/GPIO17",
		"auto/GPIO17":               "header/GPIO17",
		"pinctrl-bcm2711/17":        "header/GPIO17",
		"pinctrl-rp1/GPIO17":        "header/GPIO17",
		"gpiochip0/17":              "gpiochip0/17",
		"gpiochip0/017":             "gpiochip0/17",
		"ftdi-cbus/3":               "ftdi-cbus/3",
		"pinctrl-bcm2711/SPI_MISO":  "pinctrl-bcm2711/SPI_MISO",
		"pinctrl-bcm2711/RGMII_TXC": "pinctrl-bcm2711/RGMII_TXC",
	} {
		a, err := ParseAddress(in)
		if err != nil || a.Pin() != pin || a.String() != in {
			t.Errorf("%s: %v, pin %s, error %v; want %s", in, a, a.Pin(), err, pin)
		}
	}
	for _, in := range []string{"", "17", "auto/", "/17", "a/b/c", "auto/1 7", "auto/" + strings.Repeat("x", 32), "../x"} {
		if a, err := ParseAddress(in); err == nil || !strings.Contains(err.Error(), "CHIP/LINE") {
			t.Errorf("%q is %v, error %v", in, a, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("auto/GPIO17")
	f.Add("pinctrl-bcm2711/17")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if a.String() != s || a.Pin() == "" {
			t.Fatalf("%q is %+v", s, a)
		}
		if n, ok := a.Header(); ok && (n < 0 || n > 99) {
			t.Fatalf("%q is line %d", s, n)
		}
	})
}

// On a machine without GPIO chips each opening says so. With some, other tests
// are in charge.
func TestNoChip(t *testing.T) {
	chips, err := Chips()
	if err != nil || len(chips) > 0 {
		t.Skipf("SKIP: this machine has GPIO chips (%v, %v)", chips, err)
	}
	o := Options{Clock: still{}}
	_, out := OpenOutput(t.Context(), Address{Auto, "17"}, o)
	_, in := OpenInput(t.Context(), Address{"gpiochip0", "17"}, o)
	_, pin := OpenPin(Address{"pinctrl-rp1", "GPIO25"})
	for _, err := range []error{out, in, pin} {
		if !errors.Is(err, hw.ErrAbsent) || !strings.HasPrefix(err.Error(), "cannot open ") {
			t.Errorf("error %v, want hw.ErrAbsent", err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]Options{
		"Options.Clock is nil":   {},
		"option debounce is 2s":  {Clock: still{}, Debounce: 2 * time.Second},
		"option debounce is 1µs": {Clock: still{}, Debounce: time.Microsecond},
	} {
		if _, err := OpenInput(t.Context(), Address{Auto, "17"}, o); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "auto/17") {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

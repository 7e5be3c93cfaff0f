package gpio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/gpio"
	"borne/hw/hwtest"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"
)

func options() gpio.Options { return gpio.Options{Clock: clock.NewMonotonic()} }

func TestKernelOutput(t *testing.T) {
	needSim(t)
	for name, c := range map[string]struct {
		low  bool
		safe hw.Level
	}{
		"active high, safe off": {false, hw.Off}, "active low, safe off": {true, hw.Off},
		"active high, safe on": {false, hw.On}, "active low, safe on": {true, hw.On},
	} {
		t.Run(name, func(t *testing.T) {
			hwtest.OutputSuite{Open: func(t *testing.T) *hwtest.OutputRig {
				chip := newChip(t, "suite")
				// The simulator releases a line to its pull, which here is the safe level's.
				chip.pull(2, (c.safe == hw.On) != c.low)
				opts := options()
				opts.ActiveLow, opts.Safe = c.low, c.safe
				o, err := gpio.OpenOutput(t.Context(), chip.address("2"), opts)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { o.Close() })
				return &hwtest.OutputRig{Output: o, Safe: c.safe, Unplug: chip.unplug, Load: func() hw.Level {
					if (chip.value(2) == "1") != c.low {
						return hw.On
					}
					return hw.Off
				}}
			}}.Run(t)
		})
	}
}

// The kernel records each level that it drives: an opening must show one only.
func TestKernelOutputHasNoGlitch(t *testing.T) {
	const tracing = "/sys/kernel/tracing"
	chip := newChip(t, "glitch")
	if err := unix.Mount("none", tracing, "tracefs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		t.Fatal(err)
	}
	write(t, tracing+"/events/gpio/enable", "1")
	defer func() { write(t, tracing+"/events/gpio/enable", "0") }()
	for _, low := range []bool{false, true} {
		for _, safe := range []hw.Level{hw.Off, hw.On} {
			chip.pull(2, (safe == hw.On) != low)
			write(t, tracing+"/trace", "")
			opts := options()
			opts.ActiveLow, opts.Safe = low, safe
			o, err := gpio.OpenOutput(t.Context(), chip.address("GPIO2"), opts)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.Set(t.Context(), hw.On); err != nil {
				t.Fatal(err)
			}
			if _, err := o.Set(t.Context(), hw.Off); err != nil {
				t.Fatal(err)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			physical := func(l hw.Level) string {
				if (l == hw.On) != low {
					return "1"
				}
				return "0"
			}
			want := physical(safe) + physical(hw.On) + physical(hw.Off) + physical(safe)
			got := ""
			for line := range strings.Lines(read(t, tracing+"/trace")) {
				if _, rest, ok := strings.Cut(line, "gpio_value: "); ok { // "506 set 1"
					if f := strings.Fields(rest); len(f) == 3 && f[1] == "set" {
						got += f[2]
					}
				}
			}
			if got != want {
				t.Errorf("active low %v, safe %v: the kernel drove %q, want %q", low, safe, got, want)
			}
		}
	}
}

func TestKernelInput(t *testing.T) {
	needSim(t)
	for name, low := range map[string]bool{"active high": false, "active low": true} {
		t.Run(name, func(t *testing.T) {
			hwtest.InputSuite{Open: func(t *testing.T) *hwtest.InputRig {
				chip := newChip(t, "suite")
				drive := func(l hw.Level) { chip.pull(1, (l == hw.On) != low) }
				drive(hw.Off)
				opts := options()
				opts.ActiveLow, opts.Debounce = low, 500*time.Millisecond // long against a busy machine's pauses
				in, err := gpio.OpenInput(t.Context(), chip.address("GPIO1"), opts)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { in.Close() })
				return &hwtest.InputRig{Input: in, Drive: drive, Unplug: chip.unplug, Bounce: func(l hw.Level) {
					for range 20 { // as slowly as a contact's springs swing
						drive(l)
						time.Sleep(2 * time.Millisecond)
						drive(hw.On + hw.Off - l)
						time.Sleep(2 * time.Millisecond)
					}
					drive(l)
				}}
			}}.Run(t)
		})
	}
}

func TestKernelNoDebounce(t *testing.T) {
	chip := newChip(t, "raw")
	opts := options()
	opts.Debounce = gpio.NoDebounce
	in, err := gpio.OpenInput(t.Context(), chip.address("1"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	ch, err := in.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-ch
	for n := range 20 {
		chip.pull(1, n%2 == 0)
		if l := <-ch; (l == hw.On) != (n%2 == 0) {
			t.Fatalf("change %d: %v", n, l)
		}
	}
}

// A pull that is asked for holds an open contact.
func TestKernelBias(t *testing.T) {
	chip := newChip(t, "bias")
	for bias, want := range map[gpio.Bias]hw.Level{gpio.BiasUp: hw.On, gpio.BiasDown: hw.Off} {
		opts := options()
		opts.Bias = bias
		in, err := gpio.OpenInput(t.Context(), chip.address("6"), opts)
		if err != nil {
			t.Fatal(err)
		}
		ch, err := in.Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l := <-ch; l != want {
			t.Errorf("pull %d: %v, want %v", bias, l, want)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKernelPin(t *testing.T) {
	chip := newChip(t, "pinctrl-bcm2711") // found as auto, too
	p, err := gpio.OpenPin(gpio.Address{Chip: gpio.Auto, Line: "GPIO7"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Name() != "GPIO7" || p.Number() != 7 || p.Function() != "" || p.String() != "auto/GPIO7" {
		t.Errorf("pin %s %s %d %q", p, p.Name(), p.Number(), p.Function())
	}
	chip.pull(7, true)
	for n, l := range []periph.Level{periph.High, periph.Low, periph.High} {
		if err := p.Out(l); err != nil {
			t.Fatal(err)
		}
		if f := p.Function(); chip.value(7) != map[periph.Level]string{true: "1", false: "0"}[l] || f != "Out/"+l.String() || p.Read() != l {
			t.Errorf("%d: Out(%v) drives %s, function %s, read %v", n, l, chip.value(7), f, p.Read())
		}
	}
	if err := p.In(periph.PullUp, periph.FallingEdge); err != nil {
		t.Fatal(err)
	}
	if p.Pull() != periph.PullUp || p.Function() != "In" || p.WaitForEdge(0) {
		t.Errorf("pull %v, function %s", p.Pull(), p.Function())
	}
	edge := make(chan bool)
	go func() { edge <- p.WaitForEdge(-1) }()
	chip.pull(7, false)
	if !<-edge {
		t.Error("the edge was missed")
	}
	chip.pull(7, true)
	if p.WaitForEdge(20 * time.Millisecond) {
		t.Error("a rising edge was taken for a falling one")
	}
	go func() { edge <- p.WaitForEdge(-1) }()
	if err := p.Halt(); err != nil {
		t.Fatal(err)
	}
	if <-edge {
		t.Error("Halt is no edge")
	}
	if err := p.PWM(periph.DutyHalf, 1); err == nil {
		t.Error("there is no PWM")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Out(periph.High); !errors.Is(err, hw.ErrClosed) {
		t.Errorf("Out after Close: %v", err)
	}
}

func TestKernelNamesAndErrors(t *testing.T) {
	chip := newChip(t, "pinctrl-rp1")
	held, err := gpio.OpenOutput(t.Context(), chip.address("2"), options())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	name := filepath.Base(chip.lines)
	for in, want := range map[string]string{
		"pinctrl-rp1/2":      `line 2 of chip ` + name + ` (pinctrl-rp1) is in use by "borne"`,
		"auto/GPIO2":         `is in use by "borne"`,
		name + "/GPIO2":      `is in use by "borne"`,
		"pinctrl-rp1/8":      "has the lines 0 to 7, and no 8",
		"pinctrl-rp1/DOOR":   `no line named "DOOR"; write its number, 0 to 7`,
		"pinctrl-rp1/GPIO3":  `two lines named "GPIO3": 3 and 5`,
		"pinctrl-rp1/GPIO40": `no line named "GPIO40"`,
		"nowhere/1":          "no GPIO chip has the label nowhere; this machine has " + name + " (pinctrl-rp1)",
		"gpiochip99/1":       "/dev/gpiochip99 does not exist",
	} {
		a, err := gpio.ParseAddress(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gpio.OpenInput(t.Context(), a, options()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cannot open contact "+in) {
			t.Errorf("%s: error %v, want one that says %q", in, err, want)
		}
	}
	// Named for its other function, and still GPIO4 of the header.
	in, err := gpio.OpenInput(t.Context(), gpio.Address{Chip: gpio.Auto, Line: "GPIO4"}, options())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	// Raspberry Pi OS links another name to the chip: still one chip.
	if err := os.Symlink("/dev/"+name, "/dev/gpiochip77"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove("/dev/gpiochip77")
	if _, err := gpio.OpenPin(gpio.Address{Chip: gpio.Auto, Line: "1"}); err != nil {
		t.Error(err)
	}
	newChip(t, "pinctrl-rp1")
	if _, err := gpio.OpenPin(gpio.Address{Chip: gpio.Auto, Line: "1"}); err == nil || !strings.Contains(err.Error(), `two chips have the label "pinctrl-rp1"`) {
		t.Errorf("two chips of one label: %v", err)
	}
}

// A killed holder closes nothing. gpio-sim lets go like a Pi with strict_gpiod:
// the line follows its pull.
func TestKernelKilledHolder(t *testing.T) {
	if os.Getenv("BORNE_HOLD") != "" {
		o, err := gpio.OpenOutput(t.Context(), gpio.Address{Chip: "killed", Line: "2"}, options())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Set(t.Context(), hw.On); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held")
		time.Sleep(time.Hour)
		runtime.KeepAlive(o)
		return
	}
	chip := newChip(t, "killed")
	chip.pull(2, false)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKernelKilledHolder$")
	cmd.Env = append(os.Environ(), "BORNE_HOLD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "held\n" {
		t.Fatalf("the holder says %q, %v", said, err)
	}
	if v := chip.value(2); v != "1" {
		t.Errorf("the holder does not hold: the line is %s", v)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if chip.value(2) != "0" {
		t.Error("a released line does not follow its pull")
	}
	o, err := gpio.OpenOutput(t.Context(), chip.address("2"), options())
	if err != nil {
		t.Fatalf("the line is still taken: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// Nothing stays behind, whichever way it ends.
func TestKernelNothingStays(t *testing.T) {
	chip := newChip(t, "leak")
	use := func() {
		in, err := gpio.OpenInput(t.Context(), chip.address("1"), options())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			if _, err := in.Watch(ctx); err != nil {
				t.Fatal(err)
			}
		}
		o, err := gpio.OpenOutput(t.Context(), chip.address("2"), options())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gpio.OpenOutput(t.Context(), chip.address("2"), options()); err == nil {
			t.Fatal("taken twice")
		}
		if err := errors.Join(in.Close(), o.Close()); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	use()
	files, routines := descriptors(t), runtime.NumGoroutine()
	for range 50 {
		use()
	}
	if n := descriptors(t); n != files {
		t.Errorf("%d descriptors, %d before", n, files)
	}
	for n := 0; runtime.NumGoroutine() > routines && n < 1e5; n++ {
		runtime.Gosched() // those on their way out
	}
	if n := runtime.NumGoroutine(); n > routines {
		t.Errorf("%d goroutines, %d before", n, routines)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

// Package devices opens devices by their configured names: real drivers over
// Linux's device nodes, simulated ones on a bench.
package devices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"borne/hw"
	"borne/hw/gpio"
	"borne/hw/mfrc522"
	"borne/hw/sim"

	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"
)

// Clock is the process's monotonic time.
type Clock interface {
	Now() time.Duration
	Sleep(ctx context.Context, d time.Duration) error
}

// Env is what devices need besides their names.
type Env struct {
	Bench *sim.Bench   // nil: simulated devices are refused
	Clock Clock        // shared with the bench and the supervisors
	Key   hw.BadgeKey  // of the group of sites; needed by readers
	Prove hw.Prover    // what badges prove; nil: their UIDs are all that counts
	Log   *slog.Logger // nil: silent

	Display Display // where x11:auto and wlr:auto are
}

// Check says whether a device's options can be used, without opening it.
func Check(d hw.Device) error {
	if path, ok := d.Options["script"]; ok { // what happens on the bench: see sim.Script
		if !d.Sim {
			return fmt.Errorf("cannot use device %q: option script is the simulator's; remove it", d)
		}
		if _, err := sim.ReadScript(path); err != nil {
			return fmt.Errorf("cannot use device %q: %w", d, err)
		}
	}
	switch d.Driver {
	case "mfrc522":
		_, err := readerOptions(d)
		return err
	case "gpio":
		_, _, err := gpioOptions(d)
		return err
	case "pn532":
		_, err := pn532Options(d)
		return err
	case "wedge":
		_, err := wedgeOptions(d)
		return err
	case "watchdog":
		_, err := watchdogOptions(d)
		return err
	case "meter", "shelly1", "shelly2", "tasmota":
		return checkMeter(d)
	}
	return checkScreen(d)
}

// OpenReader opens a badge reader.
func OpenReader(ctx context.Context, d hw.Device, env Env) (hw.Reader, error) {
	if err := env.usable(d, "badge reader", "mfrc522", "wedge", "pcsc", "pn532"); err != nil {
		return nil, err
	}
	switch d.Driver {
	case "wedge":
		return openWedge(d, env)
	case "pcsc":
		return openPCSC(ctx, d, env)
	case "pn532":
		return openPN532(ctx, d, env)
	}
	opts, err := readerOptions(d)
	if err != nil {
		return nil, err
	}
	opts.Clock, opts.Log, opts.Prove = env.Clock, env.Log, env.Prove
	port, reset, err := openSPI(d, env)
	if err != nil {
		return nil, err
	}
	opts.Reset = reset
	r, err := mfrc522.Open(ctx, port, opts, env.Key)
	if err != nil {
		return nil, err // not r: a nil *Reader is not a nil hw.Reader
	}
	return r, nil
}

// OpenInput opens a contact.
func OpenInput(ctx context.Context, d hw.Device, env Env) (hw.Input, error) {
	if err := env.usable(d, "contact", "alarm", "case", "call", "gpio", "presence"); err != nil {
		return nil, err
	}
	switch d.Driver {
	case "alarm":
		return env.Bench.Alarm(), nil
	case "presence":
		return env.Bench.Presence(), nil
	case "case":
		return env.Bench.Case(), nil
	case "gpio":
		return openGPIOInput(ctx, d, env)
	}
	return env.Bench.Call(), nil
}

// outputDrivers are what OpenOutput opens.
func outputDrivers() []string { return []string{"output", "gpio"} }

// OpenOutput opens a relay, light or buzzer.
func OpenOutput(ctx context.Context, d hw.Device, env Env) (hw.Output, error) {
	if err := env.usable(d, "output", outputDrivers()...); err != nil {
		return nil, err
	}
	if d.Driver == "gpio" {
		return openGPIOOutput(ctx, d, env)
	}
	name := d.Options["name"]
	if name == "" {
		return nil, fmt.Errorf("cannot open device %q: option name is missing; write sim:output?name=relay", d)
	}
	return env.Bench.Output(name)
}

// usable refuses a device of another kind, and a simulated one without a bench.
func (e Env) usable(d hw.Device, kind string, drivers ...string) error {
	for _, n := range drivers {
		if d.Driver != n {
			continue
		}
		if d.Sim && e.Bench == nil {
			return fmt.Errorf("cannot open device %q: simulated devices need the -sim flag; configure a real one or start with -sim", d)
		}
		return nil
	}
	return fmt.Errorf("cannot use device %q as a %s: use one with driver %s", d, kind, strings.Join(drivers, " or "))
}

// readerOptions reads a reader's options.
func readerOptions(d hw.Device) (mfrc522.Options, error) {
	o := mfrc522.Options{Name: d.String()}
	bad := func(opt, want string) (mfrc522.Options, error) {
		return o, fmt.Errorf("cannot use device %q: option %s=%s must be %s", d, opt, d.Options[opt], want)
	}
	if v, ok := d.Options["clock"]; ok {
		if err := o.Frequency.Set(v); err != nil || o.Frequency < mfrc522.MinFrequency || o.Frequency > mfrc522.MaxFrequency {
			return bad("clock", "a frequency between 100kHz and 10MHz, for example 4MHz")
		}
	}
	if v, ok := d.Options["gain"]; ok {
		for _, g := range mfrc522.Gains() {
			if v == strconv.Itoa(g) {
				o.GainDB = g
			}
		}
		if o.GainDB == 0 {
			return bad("gain", fmt.Sprintf("one of %v (dB)", mfrc522.Gains()))
		}
	}
	if v, ok := d.Options["poll"]; ok {
		p, err := time.ParseDuration(v)
		if err != nil || p < mfrc522.MinPoll || p > mfrc522.MaxPoll {
			return bad("poll", "a duration between 20ms and 2s, for example 100ms")
		}
		o.Poll = p
	}
	if v, ok := d.Options["rst"]; ok {
		if !regexp.MustCompile(`^GPIO[0-9]{1,3}$`).MatchString(v) {
			return bad("rst", "a GPIO line, for example GPIO25")
		}
	}
	return o, nil
}

// openSPI opens the port, and the reset pin when it is configured.
func openSPI(d hw.Device, env Env) (spi.PortCloser, periph.PinOut, error) {
	if d.Sim {
		port, err := env.Bench.OpenReader()
		if err != nil || d.Options["rst"] == "" {
			return port, nil, err
		}
		return port, env.Bench.ResetPin(), nil
	}
	bus, cs, err := spidev(d)
	if err != nil {
		return nil, nil, err
	}
	// sysfs does not wrap the system's error: ask first what it would be.
	f, err := os.OpenFile(d.Path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("cannot open device %q: %w: %s does not exist; enable SPI (dtparam=spi=on in config.txt on a Pi) and restart", d, hw.ErrAbsent, d.Path)
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, fmt.Errorf("cannot open device %q: %w; give %s to the agent's user with a udev rule (see the README)", d, err, d.Path)
	case err != nil:
		return nil, nil, fmt.Errorf("cannot open device %q: %w", d, err)
	}
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("cannot open device %q: %w", d, err)
	}
	port, err := sysfs.NewSPI(bus, cs)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open device %q: %w", d, err)
	}
	if d.Options["rst"] == "" {
		return port, nil, nil
	}
	pin, err := gpio.OpenPin(gpio.Address{Chip: gpio.Auto, Line: d.Options["rst"]})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot open device %q: option rst=%s: %w", d, d.Options["rst"], err), port.Close())
	}
	return portWithPin{port, pin}, pin, nil
}

// spidev takes bus and chip select from a node's name.
func spidev(d hw.Device) (bus, cs int, err error) {
	m := regexp.MustCompile(`^/dev/spidev([0-9]{1,3})\.([0-9]{1,2})$`).FindStringSubmatch(d.Path)
	if m == nil {
		return 0, 0, fmt.Errorf("cannot use device %q: path %s must be /dev/spidevBUS.SELECT, for example /dev/spidev0.0", d, d.Path)
	}
	if bus, err = strconv.Atoi(m[1]); err != nil {
		return 0, 0, err
	}
	cs, err = strconv.Atoi(m[2])
	return bus, cs, err
}

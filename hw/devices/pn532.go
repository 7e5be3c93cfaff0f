package devices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"borne/hw"
	"borne/hw/gpio"
	"borne/hw/pn532"

	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"
)

// pn532Bus is which of its buses a PN532 is on: spi, i2c or uart.
func pn532Bus(d hw.Device) string {
	switch {
	case d.Sim && d.Options["bus"] == "":
		return "spi"
	case d.Sim:
		return d.Options["bus"]
	case strings.HasPrefix(d.Path, "/dev/spidev"):
		return "spi"
	case strings.HasPrefix(d.Path, "/dev/i2c-"):
		return "i2c"
	}
	return "uart"
}

// pn532Options reads a PN532's options.
func pn532Options(d hw.Device) (pn532.Options, error) {
	o := pn532.Options{Name: d.String()}
	bad := func(opt, want string) (pn532.Options, error) {
		return o, fmt.Errorf("cannot use device %q: option %s=%s must be %s", d, opt, d.Options[opt], want)
	}
	bus := pn532Bus(d)
	switch {
	case d.Options["bus"] != "" && !d.Sim:
		return o, fmt.Errorf("cannot use device %q: option bus is for sim:pn532; remove it, the path says which bus it is", d)
	case bus != "spi" && bus != "i2c" && bus != "uart":
		return bad("bus", "one of spi, i2c, uart")
	}
	if v, ok := d.Options["clock"]; ok {
		if bus != "spi" {
			return o, fmt.Errorf("cannot use device %q: option clock is for SPI; remove it", d)
		}
		if err := o.Frequency.Set(v); err != nil || o.Frequency < pn532.MinFrequency || o.Frequency > pn532.MaxFrequency {
			return bad("clock", "a frequency between 100kHz and 5MHz, for example 1MHz")
		}
	}
	if v, ok := d.Options["poll"]; ok {
		p, err := time.ParseDuration(v)
		if err != nil || p < pn532.MinPoll || p > pn532.MaxPoll {
			return bad("poll", "a duration between 20ms and 2s, for example 100ms")
		}
		o.Poll = p
	}
	if v, ok := d.Options["retries"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > pn532.MaxRetries || v != strconv.Itoa(n) {
			return bad("retries", "a number between 1 and 10")
		}
		o.Retries = n
	}
	if v, ok := d.Options["rst"]; ok && !regexp.MustCompile(`^GPIO[0-9]{1,3}$`).MatchString(v) {
		return bad("rst", "a GPIO line, for example GPIO25")
	}
	return o, nil
}

func openPN532(ctx context.Context, d hw.Device, env Env) (hw.Reader, error) {
	o, err := pn532Options(d)
	if err != nil {
		return nil, err
	}
	o.Clock, o.Log, o.Prove = env.Clock, env.Log, env.Prove
	port, err := pn532Port(d, env)
	if err != nil {
		return nil, err
	}
	close := port.Close
	if v := d.Options["rst"]; v != "" {
		if o.Reset, close, err = pn532Reset(d, env, v); err != nil {
			return nil, errors.Join(err, port.Close())
		}
		close = both(port.Close, close)
	}
	var r *pn532.Reader
	switch p := port.(type) {
	case spi.PortCloser:
		r, err = pn532.OpenSPI(ctx, spiClosing{p, close}, o, env.Key)
	case i2c.BusCloser:
		r, err = pn532.OpenI2C(ctx, i2cClosing{p, close}, o, env.Key)
	case pn532.Serial:
		r, err = pn532.OpenUART(ctx, uartClosing{p, close}, o, env.Key)
	}
	if err != nil {
		return nil, err // not r: a nil *Reader is not a nil hw.Reader
	}
	return r, nil
}

// closer is any of the three ports.
type closer interface {
	Close() error
	String() string
}

// The ports whose Close also closes the reset pin.
type (
	spiClosing struct {
		spi.PortCloser
		close func() error
	}
	i2cClosing struct {
		i2c.BusCloser
		close func() error
	}
	uartClosing struct {
		pn532.Serial
		close func() error
	}
)

func (c spiClosing) Close() error  { return c.close() }
func (c i2cClosing) Close() error  { return c.close() }
func (c uartClosing) Close() error { return c.close() }

func both(a, b func() error) func() error {
	return func() error { return errors.Join(a(), b()) }
}

// pn532Reset opens the reset line.
func pn532Reset(d hw.Device, env Env, line string) (periph.PinOut, func() error, error) {
	if d.Sim {
		return env.Bench.PN532().ResetPin(), func() error { return nil }, nil
	}
	pin, err := gpio.OpenPin(gpio.Address{Chip: gpio.Auto, Line: line})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open device %q: option rst=%s: %w", d, line, err)
	}
	return pin, pin.Close, nil
}

// pn532Port opens the bus.
func pn532Port(d hw.Device, env Env) (closer, error) {
	bus := pn532Bus(d)
	if d.Sim {
		chip := env.Bench.OpenPN532()
		switch bus {
		case "spi":
			return chip.OpenSPI()
		case "i2c":
			return chip.OpenI2C()
		}
		return chip.OpenUART()
	}
	switch bus {
	case "spi":
		nr, cs, err := spidev(d)
		if err == nil {
			err = nodeUsable(d, "SPI (dtparam=spi=on in config.txt on a Pi)")
		}
		if err != nil {
			return nil, err
		}
		p, err := sysfs.NewSPI(nr, cs)
		if err != nil {
			return nil, fmt.Errorf("cannot open device %q: %w", d, err)
		}
		return p, nil
	case "i2c":
		nr, err := strconv.Atoi(strings.TrimPrefix(d.Path, "/dev/i2c-"))
		if err == nil {
			err = nodeUsable(d, "I²C (dtparam=i2c_arm=on in config.txt and the module i2c-dev on a Pi)")
		}
		if err != nil {
			return nil, err
		}
		p, err := sysfs.NewI2C(nr)
		if err != nil {
			return nil, fmt.Errorf("cannot open device %q: %w", d, err)
		}
		return p, nil
	}
	p, err := pn532.OpenSerial(d.Path)
	if err != nil {
		return nil, fmt.Errorf("cannot open device %q: %w", d, err)
	}
	return p, nil
}

// nodeUsable asks what opening a node says, which sysfs does not wrap.
func nodeUsable(d hw.Device, enable string) error {
	f, err := os.OpenFile(d.Path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot open device %q: %w: %s does not exist; enable %s and restart", d, hw.ErrAbsent, d.Path, enable)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot open device %q: %w; give %s to the agent's user with a udev rule (see the README)", d, err, d.Path)
	case err != nil:
		return fmt.Errorf("cannot open device %q: %w", d, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("cannot open device %q: %w", d, err)
	}
	return nil
}

package devices

import (
	"context"
	"errors"
	"fmt"
	"time"

	"borne/hw"
	"borne/hw/gpio"

	"periph.io/x/conn/v3/spi"
)

// gpioOptions reads the name of a GPIO line and its options, those of outputs
// and of contacts alike.
func gpioOptions(d hw.Device) (gpio.Address, gpio.Options, error) {
	o := gpio.Options{Name: d.String()}
	bad := func(opt, want string) (gpio.Address, gpio.Options, error) {
		return gpio.Address{}, o, fmt.Errorf("cannot use device %q: option %s=%s must be %s", d, opt, d.Options[opt], want)
	}
	a, err := gpio.ParseAddress(d.Path)
	if err != nil {
		return a, o, fmt.Errorf("cannot use device %q: %w", d, err)
	}
	switch v := d.Options["active"]; v {
	case "", "high":
	case "low":
		o.ActiveLow = true
	default:
		return bad("active", "low (on is 0 V: most relay boards) or high")
	}
	switch v := d.Options["pull"]; v {
	case "":
	case "up":
		o.Bias = gpio.BiasUp
	case "down":
		o.Bias = gpio.BiasDown
	case "off":
		o.Bias = gpio.BiasOff
	default:
		return bad("pull", "up, down or off")
	}
	switch v := d.Options["safe"]; v {
	case "":
	case "off":
		o.Safe = hw.Off
	case "on":
		o.Safe = hw.On
	default:
		return bad("safe", "off or on: the output's level while the agent does not run")
	}
	switch v := d.Options["debounce"]; v {
	case "":
	case "0":
		o.Debounce = gpio.NoDebounce
	default:
		p, err := time.ParseDuration(v)
		if err != nil || p < gpio.MinDebounce || p > gpio.MaxDebounce {
			return bad("debounce", fmt.Sprintf("0 or a duration between %v and %v, for example %v", gpio.MinDebounce, gpio.MaxDebounce, gpio.DefaultDebounce))
		}
		o.Debounce = p
	}
	if d.Options["safe"] != "" && d.Options["debounce"] != "" {
		return a, o, fmt.Errorf("cannot use device %q: option safe is for outputs and debounce for contacts; remove one", d)
	}
	return a, o, nil
}

func openGPIOOutput(ctx context.Context, d hw.Device, env Env) (hw.Output, error) {
	a, o, err := gpioOptions(d)
	if err != nil {
		return nil, err
	}
	if d.Options["debounce"] != "" {
		return nil, fmt.Errorf("cannot use device %q as an output: option debounce is for contacts; remove it", d)
	}
	o.Clock, o.Log = env.Clock, env.Log
	out, err := gpio.OpenOutput(ctx, a, o)
	if err != nil {
		return nil, err // not out: a nil *Output is not a nil hw.Output
	}
	return out, nil
}

func openGPIOInput(ctx context.Context, d hw.Device, env Env) (hw.Input, error) {
	a, o, err := gpioOptions(d)
	if err != nil {
		return nil, err
	}
	if d.Options["safe"] != "" {
		return nil, fmt.Errorf("cannot use device %q as a contact: option safe is for outputs; remove it", d)
	}
	o.Clock, o.Log = env.Clock, env.Log
	in, err := gpio.OpenInput(ctx, a, o)
	if err != nil {
		return nil, err
	}
	return in, nil
}

// portWithPin is a port and the reader's reset pin: its driver closes both.
type portWithPin struct {
	spi.PortCloser
	pin *gpio.Pin
}

func (p portWithPin) Close() error { return errors.Join(p.PortCloser.Close(), p.pin.Close()) }

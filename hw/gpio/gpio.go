// Package gpio drives single lines of the kernel's GPIO chips (the character
// device, Linux 5.10 or newer): outputs such as relays, lights and buzzers,
// inputs such as contacts and buttons, and pins for the chips' drivers.
//
// # What an output does when the agent is not there
//
// A relay takes the level of option safe when it is opened (direction and level
// in one request: nothing else shows in between), and again when it is closed.
// A process that is killed closes nothing; its line is released by the kernel,
// and what the pin does then is the chip driver's own:
//
//   - Pi 3 and 4 (pinctrl-bcm2835, -bcm2711): mainline kernels turn the pin into
//     an input, so that the relay follows the board's pull resistor. Raspberry
//     Pi's kernel keeps the level instead (persist_gpio_outputs=Y), unless
//     config.txt has dtparam=strict_gpiod.
//   - Pi 5 (pinctrl-rp1): the same parameter, of pinctrl_rp1; its first kernels, which
//     do not have it, keep the level.
//   - While the board boots each pin is an input with the pull of its reset state
//     (GPIO0 to 8 up, the others down), whatever the software wants.
//
// Released reads which of them holds here. So a relay that must be safe has a
// resistor towards its safe level and strict_gpiod; where the kernel keeps the
// level, the next opening puts the line to safe first. A chip that is unplugged
// (a USB expander) loses its lines' power: its hardware decides.
package gpio

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"borne/hw"
)

// Clock is the time that outputs and inputs live in.
type Clock interface {
	Sleep(ctx context.Context, d time.Duration) error
}

// Options tune a line. Zero values take the defaults; Clock is required.
type Options struct {
	Name      string // for errors and logs; default: the address
	ActiveLow bool   // On is a low level: most relay boards
	Bias      Bias   // default: left as it is
	Clock     Clock
	Log       *slog.Logger // nil: silent

	Safe     hw.Level      // outputs: level when opened and closed; default hw.Off
	Debounce time.Duration // inputs: a level counts once it stayed so long; default 30 ms, NoDebounce: at once
}

// Limits of Options.Debounce.
const (
	DefaultDebounce = 30 * time.Millisecond
	MinDebounce     = time.Millisecond
	MaxDebounce     = time.Second
	NoDebounce      = time.Duration(-1)
)

func (o Options) withDefaults(a Address) (Options, error) {
	if o.Name == "" {
		o.Name = a.String()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Safe == hw.Unknown {
		o.Safe = hw.Off
	}
	if o.Debounce == 0 {
		o.Debounce = DefaultDebounce
	}
	switch {
	case o.Clock == nil:
		return o, fmt.Errorf("cannot open %s: Options.Clock is nil; give it the process's clock", o.Name)
	case o.Debounce != NoDebounce && (o.Debounce < MinDebounce || o.Debounce > MaxDebounce):
		return o, fmt.Errorf("cannot open %s: option debounce is %v; it must be between %v and %v", o.Name, o.Debounce, MinDebounce, MaxDebounce)
	}
	return o, nil
}

func level(on bool) hw.Level {
	if on {
		return hw.On
	}
	return hw.Off
}

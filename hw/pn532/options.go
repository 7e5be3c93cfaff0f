package pn532

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"borne/hw"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// Clock is the time the driver lives in: monotonic, since the process began.
type Clock interface {
	Now() time.Duration
	// Sleep returns early, with the context's error, when ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options tune a reader. Zero values take the defaults; Clock is required.
type Options struct {
	Name       string           // for errors and logs; default: the port's name
	Frequency  physic.Frequency // SPI clock, 100 kHz to 5 MHz (PN532/C1 data sheet, 8.3.6); default 1 MHz
	Poll       time.Duration    // from one look at the field to the next, 20 ms to 2 s; default 100 ms
	Retries    int              // of the chip's when no card answers, 1 to 10 (7.3.1, item 5); default 2
	LeaveAfter int              // looks without a card before it has left, 1 to 50; default 3
	Reset      gpio.PinOut      // RSTPDN; nil when it is not wired
	Prove      hw.Prover        // what cards prove beyond their UIDs; nil: nothing is asked
	Clock      Clock
	Log        *slog.Logger // nil: silent
}

// Limits of Options.
const (
	MinFrequency = 100 * physic.KiloHertz
	MaxFrequency = 5 * physic.MegaHertz
	MinPoll      = 20 * time.Millisecond
	MaxPoll      = 2 * time.Second
	MaxRetries   = 10
)

func (o Options) withDefaults(port string) (Options, error) {
	if o.Name == "" {
		o.Name = port
	}
	if o.Frequency == 0 {
		o.Frequency = physic.MegaHertz
	}
	if o.Poll == 0 {
		o.Poll = 100 * time.Millisecond
	}
	if o.Retries == 0 {
		o.Retries = 2
	}
	if o.LeaveAfter == 0 {
		o.LeaveAfter = 3
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	bad := func(opt, want string, got any) (Options, error) {
		return o, fmt.Errorf("cannot open reader %s: option %s is %v; it must be %s", o.Name, opt, got, want)
	}
	switch {
	case o.Clock == nil:
		return o, fmt.Errorf("cannot open reader %s: Options.Clock is nil; give it the process's monotonic clock", o.Name)
	case o.Frequency < MinFrequency || o.Frequency > MaxFrequency:
		return bad("clock", "between 100kHz and 5MHz", o.Frequency)
	case o.Poll < MinPoll || o.Poll > MaxPoll:
		return bad("poll", "between 20ms and 2s", o.Poll)
	case o.Retries < 1 || o.Retries > MaxRetries:
		return bad("retries", "between 1 and 10", o.Retries)
	case o.LeaveAfter < 1 || o.LeaveAfter > 50:
		return bad("LeaveAfter", "between 1 and 50", o.LeaveAfter)
	}
	return o, nil
}

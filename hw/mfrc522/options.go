package mfrc522

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
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
	Frequency  physic.Frequency // SPI clock, 100 kHz to 10 MHz (8.1.2); default 4 MHz
	GainDB     int              // receiver gain in dB: 18, 23, 33, 38, 43 or 48 (9.3.3.6); default 38
	Poll       time.Duration    // from one look at the field to the next, 20 ms to 2 s; default 100 ms
	LeaveAfter int              // looks without a card before it has left, 1 to 50; default 3
	Reset      gpio.PinOut      // NRSTPD; nil when it is not wired
	Prove      hw.Prover        // what cards prove beyond their UIDs; nil: nothing is asked
	Clock      Clock
	Log        *slog.Logger // nil: silent
}

// Gains lists the receiver gains the chip has, in dB.
func Gains() []int { return []int{18, 23, 33, 38, 43, 48} }

// Limits of Options.
const (
	MinFrequency = 100 * physic.KiloHertz
	MaxFrequency = 10 * physic.MegaHertz
	MinPoll      = 20 * time.Millisecond
	MaxPoll      = 2 * time.Second
)

// gainBits maps dB to RxGain[2:0] in RFCfgReg (9.3.3.6).
func gainBits(db int) byte {
	switch db {
	case 18:
		return 2 << 4
	case 23:
		return 3 << 4
	case 33:
		return 4 << 4
	case 43:
		return 6 << 4
	case 48:
		return 7 << 4
	}
	return 5 << 4 // 38 dB
}

func (o Options) withDefaults(port string) (Options, error) {
	if o.Name == "" {
		o.Name = port
	}
	if o.Frequency == 0 {
		o.Frequency = 4 * physic.MegaHertz
	}
	if o.GainDB == 0 {
		o.GainDB = 38
	}
	if o.Poll == 0 {
		o.Poll = 100 * time.Millisecond
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
		return bad("clock", "between 100kHz and 10MHz", o.Frequency)
	case !slices.Contains(Gains(), o.GainDB):
		return bad("gain", fmt.Sprintf("one of %v dB", Gains()), o.GainDB)
	case o.Poll < MinPoll || o.Poll > MaxPoll:
		return bad("poll", "between 20ms and 2s", o.Poll)
	case o.LeaveAfter < 1 || o.LeaveAfter > 50:
		return bad("LeaveAfter", "between 1 and 50", o.LeaveAfter)
	}
	return o, nil
}

package hw

import (
	"context"
	"errors"
)

// Energy is one reading of a meter.
type Energy struct {
	Wh    float64 // since the meter's own start: it only rises, until somebody resets the meter
	Watts float64 // now; NaN when the meter does not tell
}

// ErrMeterReset: the meter's counter fell since the last reading, because it was
// reset or replaced, or forgot it without power as the older ones do. What it counted between the two is not known.
var ErrMeterReset = errors.New("the meter's counter went back")

// Meter measures what a terminal draws from the mains. A counter that cannot be
// read is an error, never 0.
type Meter interface {
	Read(ctx context.Context) (Energy, error)
	Close() error
}

package warden

import "time"

// laps times the steps of a wipe, for its line in the log.
type laps struct {
	last time.Time
	log  []any
}

func startLaps() *laps { return &laps{last: time.Now()} }

// lap ends the step name.
func (l *laps) lap(name string) {
	now := time.Now()
	l.log = append(l.log, name, now.Sub(l.last).Round(100*time.Microsecond))
	l.last = now
}

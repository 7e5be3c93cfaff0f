package energy

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"borne/controller/wire"
)

// Kind is what a stretch of time counts as.
type Kind uint8

// Kinds.
const (
	Lit    Kind = iota // on, with its screen on or dimmed
	Dark               // on, with its screen off
	Low                // on, in low power
	Halted             // off by plan
	Off                // off for another reason
	kinds
)

// Tally adds up what a terminal did since a moment. It is pure.
type Tally struct {
	From  time.Time            `json:"from"`
	Spent [kinds]time.Duration `json:"spent"`
	Meter float64              `json:"meter,omitempty"` // as it read at From, in Wh; 0: not
}

// Add counts a stretch.
func (t *Tally) Add(k Kind, d time.Duration) {
	if d > 0 && k < kinds {
		t.Spent[k] += d
	}
}

// Total is all that was counted.
func (t Tally) Total() time.Duration { return total(t.Spent) }

func total(spent [kinds]time.Duration) (all time.Duration) {
	for _, d := range spent {
		all += d
	}
	return all
}

// Use is the record of it, up to a moment at which the meter reads meter (0: it
// does not). Its whole seconds add up to those counted.
func (t Tally) Use(to time.Time, meter float64) wire.EnergyUse {
	var whole [kinds]int
	left := int(t.Total() / time.Second)
	most := Lit
	for k, d := range t.Spent {
		whole[k] = int(d / time.Second)
		left -= whole[k]
		if d > t.Spent[most] {
			most = Kind(k)
		}
	}
	whole[most] += left
	u := wire.EnergyUse{From: t.From.UTC(), To: to.UTC(), Lit: whole[Lit], Dark: whole[Dark], Low: whole[Low], Halted: whole[Halted], Off: whole[Off]}
	if t.Meter > 0 && meter >= t.Meter { // one that was replaced began anew
		u.Wh = meter - t.Meter
	}
	return u
}

// Beat is what the journal keeps of a tally under way, so that a power cut loses
// minutes and not hours.
type Beat struct {
	Tally
	At   time.Time `json:"at"`             // it is counted up to here
	Boot string    `json:"boot"`           // of the machine
	Halt bool      `json:"halt,omitempty"` // the next thing was to go off by plan
	Sure bool      `json:"sure,omitempty"` // From and At are of a clock that could be trusted
	// Since is what later runs counted that never knew the time.
	Since [kinds]time.Duration `json:"since,omitzero"`
}

// Then is the beat with a run behind it that has not known the time so far.
func (b Beat) Then(run Tally) Beat {
	left := maxGap - b.Total() - total(b.Since) // DecodeBeat takes no more
	for k, d := range run.Spent {
		d = max(0, min(d, left))
		b.Since[k] += d
		left -= d
	}
	return b
}

// Adrift is what was counted by a beat whose clock nobody trusted, set right before
// start: how long it was is known, and when is not.
func (b Beat) Adrift(start time.Time) (t Tally, ok bool) {
	if t = b.both(); b.Sure || t.Total() == 0 {
		return t, false
	}
	t.From = start.Add(-t.Total())
	return t, true
}

// both is the tally with what came since.
func (b Beat) both() Tally {
	t := b.Tally
	for k, d := range b.Since {
		t.Add(Kind(k), d)
	}
	return t
}

// maxGap is the longest that a terminal is believed to have been off: what is
// longer is more likely a clock that was wrong.
const maxGap = 400 * 24 * time.Hour

// clockSlip is how much less than the runs counted the wall clock may say.
const clockSlip = time.Minute

// Resume closes an earlier run's tally at the start of this one: what lies
// between is off, by plan or not; or, when the machine never stopped, lit: a
// program that is started again has its screen on. ok is false when there is
// nothing to tell: the beat's clock could not be trusted, or the clock stands
// before it, or far behind it.
func (b Beat) Resume(start time.Time, sameBoot bool) (t Tally, ok bool) {
	t = b.both()
	gap := start.Sub(b.At) - total(b.Since)
	if !b.Sure || b.From.IsZero() || gap < -clockSlip || gap > maxGap {
		return t, false
	}
	switch {
	case sameBoot:
		t.Add(Lit, gap)
	case b.Halt && total(b.Since) == 0: // else it was off more than once, and nobody knows how long by plan
		t.Add(Halted, gap)
	default:
		t.Add(Off, gap)
	}
	return t, true
}

// Encode returns the beat's bytes.
func (b Beat) Encode() ([]byte, error) {
	out, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("cannot encode what was saved: %w", err)
	}
	return out, nil
}

// maxBeat bounds what DecodeBeat reads.
const maxBeat = 4 << 10

// DecodeBeat reads what Encode wrote, and refuses what it never does.
func DecodeBeat(in []byte) (Beat, error) {
	var b Beat
	if len(in) > maxBeat {
		return b, fmt.Errorf("cannot read what was saved: %d bytes pass the limit of %d", len(in), maxBeat)
	}
	if err := json.Unmarshal(in, &b); err != nil {
		return Beat{}, fmt.Errorf("cannot read what was saved: %w", err)
	}
	var all time.Duration
	for _, d := range slices.Concat(b.Spent[:], b.Since[:]) {
		if all += d; d < 0 || d > maxGap || all > maxGap {
			return Beat{}, fmt.Errorf("cannot read what was saved: %v is no stretch of time", d)
		}
	}
	if b.Meter < 0 {
		return Beat{}, fmt.Errorf("cannot read what was saved: the meter reads %v Wh", b.Meter)
	}
	return b, nil
}

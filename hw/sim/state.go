package sim

import (
	"encoding/hex"
	"maps"
	"time"

	"borne/hw"
)

// State is what the bench's page shows. UIDs in it are simulated ones.
type State struct {
	Reader  ReaderState       `json:"reader"`
	Case    string            `json:"case"`    // "open", "closed", "unknown"
	Call    string            `json:"call"`    // "pressed", "released", "unknown"
	Alarm   string            `json:"alarm"`   // "armed", "disarmed", "unknown"
	Present string            `json:"present"` // "there", "nobody", "unknown"
	Screen  string            `json:"screen"`  // "on", "off", "unknown"
	Outputs map[string]string `json:"outputs"` // "on", "off", "unknown" by name
	Printer PrinterState      `json:"printer"`
	Meter   MeterState        `json:"meter"`
}

// MeterState is the simulated energy meter.
type MeterState struct {
	Wh    float64 `json:"wh"`
	Watts float64 `json:"watts"`
}

// ReaderState is the simulated badge reader.
type ReaderState struct {
	Plugged bool     `json:"plugged"`
	Open    bool     `json:"open"`  // the agent has it open
	Field   bool     `json:"field"` // its antenna is on at this instant
	UIDs    []string `json:"uids"`  // held out now, lower-case hexadecimal
}

// PrinterState is the simulated printer's condition.
type PrinterState struct {
	Jam   bool `json:"jam"`
	Paper bool `json:"paper"`
}

// State returns a snapshot that shares nothing with the bench.
func (b *Bench) State() State {
	s := State{
		Reader:  b.reader().state(),
		Case:    word(b.box.get(), "open", "closed"),
		Call:    word(b.call.get(), "pressed", "released"),
		Alarm:   word(b.alarm.get(), "armed", "disarmed"),
		Present: word(b.stands.get(), "there", "nobody"),
		Screen:  word(b.screen.get(), "on", "off"),
		Outputs: map[string]string{},
	}
	b.mu.Lock()
	outputs := maps.Clone(b.outputs)
	b.mu.Unlock()
	for n, o := range outputs {
		s.Outputs[n] = word(o.get(), "on", "off")
	}
	s.Printer.Jam, s.Printer.Paper = b.Printer()
	s.Meter.Wh, s.Meter.Watts = b.meter.Counted()
	return s
}

func word(l hw.Level, on, off string) string {
	switch l {
	case hw.On:
		return on
	case hw.Off:
		return off
	}
	return "unknown"
}

func (c *MFRC522) state() ReaderState {
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return ReaderState{Plugged: c.plugged, Open: c.ports > 0, Field: c.plugged && c.antenna(), UIDs: c.uids(now)}
}

// uids are the cards' in the field.
func (c *ether) uids(now time.Duration) []string {
	out := []string{}
	for _, k := range c.cards {
		if k.in(now) {
			out = append(out, hex.EncodeToString(k.UID))
		}
	}
	return out
}

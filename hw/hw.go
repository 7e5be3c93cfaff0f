// Package hw holds the contracts between a terminal's agent and its devices:
// value types, events and errors. It contains no implementation; drivers live
// in the folders below it, simulators in hw/sim.
//
// "Unknown" is a value of its own everywhere: a door contact whose wire was
// cut is Unknown, never closed.
package hw

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"
)

// Badge is what leaves hw of a card: never its raw UID.
type Badge struct {
	// Key is HMAC-SHA256(site group's key, UID), the "h1" of the data inventory.
	Key [32]byte
	// Bytes is the UID's length: 4, 7 or 10 (ISO/IEC 14443-3).
	Bytes int
	// Random tells a UID that changes at each reading (first byte 0x08, single size).
	Random bool
	// Assurance is what the reading proves.
	Assurance Assurance
	// Counter is the card's own count of readings, which only rises; 0 when it has none.
	Counter uint32
	// Suspect: the card claims keys and answers wrongly. Its Assurance is then AssuranceUID at most.
	Suspect bool
}

// LogValue keeps even the keyed pseudonym out of logs but for a short prefix.
func (b Badge) LogValue() slog.Value { return slog.StringValue(hex.EncodeToString(b.Key[:3]) + "…") }

// Assurance says how hard a badge is to copy.
type Assurance uint8

// Assurance levels, weakest first.
const (
	AssuranceTruncated Assurance = iota // a reader that cuts the UID
	AssuranceUID                        // a UID: copyable
	AssuranceDynamic                    // NTAG 424 DNA SUN message
	AssuranceMutual                     // mutual authentication
)

// Link carries ISO/IEC 7816-4 commands to the one card that is selected, and
// its answers, status word included. An error means that the card or the reader
// is lost, never that the card refused.
type Link interface {
	Transmit(ctx context.Context, apdu []byte) ([]byte, error)
}

// Proof is what a card has proven.
type Proof struct {
	Assurance Assurance
	UID       []byte // the real one where the card showed a random one; nil: as shown. Zeroed by its receiver
	Counter   uint32
	Suspect   bool
}

// Prover finds out what a card proves. A card without our keys proves its UID
// alone, which is no error; errors are the Link's.
type Prover interface {
	Prove(ctx context.Context, card Link, uid []byte) (Proof, error)
}

// Tap is one reading: the cards that were in the field together.
type Tap struct {
	At     time.Duration // monotonic, since the process began
	Badges []Badge       // one, or several when people hold out a whole purse
}

// Reader yields taps. Next blocks until cards newly enter the field, the
// context ends, or the reader fails; after an error the supervisor reopens it.
type Reader interface {
	Next(ctx context.Context) (Tap, error)
	Close() error
}

// Level is the state of an input or output.
type Level uint8

// Levels. The zero value is Unknown.
const (
	Unknown Level = iota
	Off
	On
)

// Output is a relay, light or buzzer. Set verifies by reading back where the
// hardware allows, and then returns the level read.
type Output interface {
	Set(ctx context.Context, l Level) (Level, error)
	Close() error
}

// Input is a contact: case tamper, call-staff button, presence, door.
type Input interface {
	// Watch sends the level now and after each debounced change, until ctx ends.
	// A lost device sends Unknown.
	Watch(ctx context.Context) (<-chan Level, error)
	Close() error
}

// Screen switches the display's light. Lit reads back; Unknown when it cannot.
type Screen interface {
	Light(ctx context.Context, on bool) (Level, error)
}

// Clock tells the wall time and whether it can be trusted (NTP or an RTC).
type Clock interface {
	Now() (wall time.Time, trusted bool)
}

// Health is a supervised device's state.
type Health uint8

// Health states, in the order a device goes through them.
const (
	Absent Health = iota
	Opening
	Ready
	Degraded
	Faulted
)

// Status reports a supervised device's health to the agent.
type Status struct {
	Name   string // role on this terminal: "badge-reader", "case", "relay-peripherals"
	Device string // URL-like device name from the configuration
	Health Health
	Err    string // sentence in English for staff logs; empty when healthy
}

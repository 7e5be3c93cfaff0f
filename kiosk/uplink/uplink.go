// Package uplink is the terminal's one connection to the controller: who the
// terminal is, how it is enrolled and renewed, and a WebSocket over mutual TLS
// that carries records up and policy, permits and commands down.
//
// It decides nothing: signatures of what comes down are checked by the reader
// of Events, and what goes up is what the Outbox holds.
package uplink

import (
	"time"

	"borne/controller/wire"
)

// Outbox holds the records that the controller does not have yet, and where
// this terminal stands. The journal is one. Its methods are called from one
// goroutine of the link, beside whoever writes records.
type Outbox interface {
	Records
	Position
}

// Records gives what is to be sent.
type Records interface {
	// After returns at most limit records of the current epoch whose seq is
	// greater than seq, in order and without gaps between them; none when there
	// are no more. Records already acknowledged are returned as well as long as
	// they are kept, for a controller that was restored.
	After(seq uint64, limit int) ([]wire.Record, error)
	// Changed receives (capacity 1, never closed) when a record was written
	// since the last receive.
	Changed() <-chan struct{}
}

// Position says where this terminal stands, and keeps what the controller says.
type Position interface {
	// Hello returns Epoch, Seq, Chain, Policy and PermitsLeft; the link fills
	// in the other fields.
	Hello() (wire.Hello, error)
	// Welcomed makes the controller's answer durable before anything is sent.
	// When w.Epoch differs from the current epoch, every record that was not
	// acknowledged gets its new place first: epoch w.Epoch, seq from w.Cursor+1
	// on, in the same order. The link then sends After(w.Cursor, …).
	Welcomed(w wire.Welcome) error
	// Acked says that every record up to seq of epoch is durable at the
	// controller. An epoch that is not the current one is ignored.
	Acked(epoch, seq uint64) error
}

// Event is something the controller said, or the loss of it: exactly one field
// but Way is set. Envelopes are as they came: not verified.
type Event struct {
	Clock   *Clock            // always followed by Welcome
	Welcome *wire.Welcome     // connected, and Outbox.Welcomed has returned
	Policy  *wire.Envelope    // wire.DomainPolicy
	Permits []wire.Envelope   // wire.DomainPermit; never nil when it is the field set
	Command *wire.Envelope    // wire.DomainCommand
	Space   *wire.Space       //
	Answer  *wire.PrintAnswer // to Ask
	Admit   *wire.BadgeAnswer // to AskBadge
	Offline *Offline          // the connection was lost or could not be made
	Way     uint64            // of Welcome and Offline: by which way (Link.Via), 0 for the first
}

// Clock is the wall time that the controller told over the authenticated
// connection.
type Clock struct {
	Wall  time.Time     // the controller's, when it answered
	Round time.Duration // between asking and reading the answer: the error is below it
}

// Offline tells why there is no connection. It is sent once for each failure.
type Offline struct {
	Err   error
	Retry time.Duration // until the next attempt
}

package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Protocol versions this build speaks. A controller serves every version from
// MinProtocol on; the lower of both sides' Protocol is used.
const (
	Protocol    = 1
	MinProtocol = 1
)

// Limits on foreign bytes.
const (
	MaxFrame   = 256 << 10 // bytes of one WebSocket message
	MaxBatch   = 128       // records in one Batch
	MaxRecord  = 64 << 10  // bytes of one record's body
	MaxPermits = 64        // permits in one message
	MaxText    = 500       // bytes of a text shown to a person
)

// Path of the terminals' WebSocket and of enrolment, on the terminals' listener.
const (
	PathUplink = "/v1/uplink"
	PathEnrol  = "/v1/enrol"
	PathRenew  = "/v1/renew"
	PathLists  = "/v1/lists/" // and a list's digest
)

// Message is one WebSocket text message: exactly one field is set. A message
// with none of the fields known here comes from a newer peer and is ignored.
type Message struct {
	// From the terminal.
	Hello  *Hello    `json:"hello,omitempty"`
	Batch  *Batch    `json:"batch,omitempty"`
	Status *Status   `json:"status,omitempty"`
	Ask    *PrintAsk `json:"ask,omitempty"`
	Badge  *BadgeAsk `json:"badge,omitempty"`
	// From the controller.
	Welcome *Welcome     `json:"welcome,omitempty"`
	Ack     *Ack         `json:"ack,omitempty"`
	Policy  *Envelope    `json:"policy,omitempty"`
	Permits []Envelope   `json:"permits,omitempty"`
	Command *Envelope    `json:"command,omitempty"`
	Space   *Space       `json:"space,omitempty"`
	Answer  *PrintAnswer `json:"answer,omitempty"`
	Admit   *BadgeAnswer `json:"admit,omitempty"`
}

// Hello opens a connection.
type Hello struct {
	Protocol    int       `json:"protocol"`
	MinProtocol int       `json:"minProtocol"`
	Epoch       uint64    `json:"epoch"` // 0 until the controller grants one
	Seq         uint64    `json:"seq"`   // last record written, 0 for none
	Chain       ChainHead `json:"chain"` // last receipt signed
	Policy      uint64    `json:"policy"`
	PermitsLeft int       `json:"permitsLeft"`
	Build       string    `json:"build"`
	Boot        string    `json:"boot"` // random id of this boot
	Wall        time.Time `json:"wall"`
	WallTrusted bool      `json:"wallTrusted"`
	Sim         bool      `json:"sim,omitempty"`
	Trust       []byte    `json:"trust,omitempty"` // TrustDigest of what is in use; older agents do not say
}

// ChainHead is where a terminal's chain of receipts stands.
type ChainHead struct {
	Segment uint64 `json:"segment"` // +1 at each challenge that names a break
	Index   uint64 `json:"index"`   // of the last receipt in the segment; 0: none yet
	Digest  []byte `json:"digest"`  // Envelope.Digest of the last receipt; empty: none yet
}

// Welcome answers Hello. The terminal sends again every record after Cursor.
type Welcome struct {
	Protocol   int       `json:"protocol"`
	Generation uint64    `json:"generation"` // +1 at each restore of the controller
	Epoch      uint64    `json:"epoch"`      // differs from Hello's when a new one is granted
	Cursor     uint64    `json:"cursor"`     // last seq of Epoch that is durable here
	Time       time.Time `json:"time"`
	Terminal   string    `json:"terminal"` // its name for staff
	Site       string    `json:"site"`     // shown on the welcome screen
	Place      string    `json:"space"`
	Contact    string    `json:"contact,omitempty"`    // whom people there ask for help: a role, in French
	Phone      string    `json:"phone,omitempty"`      // of the site, for who gets no answer
	Quarantine string    `json:"quarantine,omitempty"` // reason code; empty when free
	Trust      []byte    `json:"trust,omitempty"`      // TrustDigest of what to believe now: a terminal that holds something else renews
}

// Batch carries records upward, in order.
type Batch struct {
	Epoch   uint64   `json:"epoch"`
	Records []Record `json:"records"`
}

// Ack says that every record up to Seq of Epoch is durable.
type Ack struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Status is the terminal's state now; only the last one matters.
type Status struct {
	Phase   string         `json:"phase"`            // session.Phase's name
	Reason  string         `json:"reason,omitempty"` // reason code when closed or out of service
	Session string         `json:"session,omitempty"`
	Left    int            `json:"left,omitempty"` // seconds of session left
	Policy  uint64         `json:"policy"`         // version applied
	Refused string         `json:"refused,omitempty"`
	Permits int            `json:"permits"`
	Level   Level          `json:"level,omitempty"` // isolation last measured
	Missing []string       `json:"missing,omitempty"`
	Devices []Device       `json:"devices,omitempty"`
	Armed   bool           `json:"armed,omitempty"` // its own contact says that the building's alarm is
	Metrics StatusGauges   `json:"metrics"`
	Printer *Printer       `json:"printer,omitempty"` // nil: none is configured
	Prints  []PrintWaiting `json:"prints,omitempty"`  // that staff may release
	Power   *PowerState    `json:"power,omitempty"`   // nil: an agent that does not tell
	Help    *HelpCall      `json:"help,omitempty"`    // somebody there waits for help
}

// HelpCall is somebody at a terminal who asks for help, until they have it or go.
type HelpCall struct {
	ID     string    `json:"id"`     // random, of this call: ValidHelpID
	At     time.Time `json:"at"`     // by the terminal's clock
	Coming bool      `json:"coming"` // staff answered: the person reads that somebody comes
	Times  int       `json:"times"`  // they pressed, half a minute apart at least
}

// ValidHelpID tells whether id has the form of a call's: 16 hexadecimal digits.
func ValidHelpID(id string) bool {
	for _, r := range id {
		if !('0' <= r && r <= '9' || 'a' <= r && r <= 'f') {
			return false
		}
	}
	return len(id) == 16
}

// StatusGauges are small health figures.
type StatusGauges struct {
	Unacked   uint64 `json:"unacked"`
	DiskFree  uint64 `json:"diskFree"` // bytes on the state's file system
	ClockSure bool   `json:"clockSure"`
}

// Device is the health of one device, as staff see it.
type Device struct {
	Name   string `json:"name" inventory:"its role;none-personal;technical"`
	Device string `json:"device" inventory:"driver and address;none-personal;technical"`
	Health string `json:"health" inventory:"how it is;none-personal;technical"` // absent, opening, ready, degraded, faulted
	Error  string `json:"error,omitempty" inventory:"what is wrong;none-personal;technical"`
}

// Space tells a terminal about its neighbours: whether another one of its
// space is free, so that a person may stay longer, and whether one has a contact
// that says that the alarm against intruders is armed, so that nobody begins.
type Space struct {
	OtherFree bool `json:"otherFree"`
	Armed     bool `json:"armed,omitempty"` // another terminal says that the building's alarm is armed
}

// ErrFrame reports bytes that are no message.
var ErrFrame = errors.New("not a message of this protocol")

// Encode returns m's bytes, or an error when they pass MaxFrame.
func Encode(m Message) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("cannot encode message: %w", err)
	}
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("cannot encode message: %d bytes pass the limit of %d: %w", len(b), MaxFrame, ErrFrame)
	}
	return b, nil
}

// Decode reads one message and checks every limit. Unknown fields are ignored.
func Decode(b []byte) (Message, error) {
	var m Message
	if len(b) > MaxFrame {
		return m, fmt.Errorf("cannot decode message: %d bytes pass the limit of %d: %w", len(b), MaxFrame, ErrFrame)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return Message{}, fmt.Errorf("cannot decode message: %w: %w", ErrFrame, err)
	}
	n := 0
	for _, set := range []bool{m.Hello != nil, m.Batch != nil, m.Status != nil, m.Welcome != nil, m.Ack != nil,
		m.Policy != nil, m.Permits != nil, m.Command != nil, m.Space != nil, m.Ask != nil, m.Answer != nil,
		m.Badge != nil, m.Admit != nil} {
		if set {
			n++
		}
	}
	if n > 1 {
		return Message{}, fmt.Errorf("cannot decode message: %d kinds in one message: %w", n, ErrFrame)
	}
	if m.Permits != nil && len(m.Permits) == 0 {
		return Message{}, fmt.Errorf("cannot decode message: permits without one: %w", ErrFrame)
	}
	if len(m.Permits) > MaxPermits {
		return Message{}, fmt.Errorf("cannot decode message: %d permits pass the limit of %d: %w", len(m.Permits), MaxPermits, ErrFrame)
	}
	if m.Batch != nil {
		if err := m.Batch.check(); err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

// Known tells whether the message holds anything this build understands.
func (m Message) Known() bool {
	return m.Hello != nil || m.Batch != nil || m.Status != nil || m.Welcome != nil || m.Ack != nil ||
		m.Policy != nil || m.Permits != nil || m.Command != nil || m.Space != nil || m.Ask != nil || m.Answer != nil ||
		m.Badge != nil || m.Admit != nil
}

func (b *Batch) check() error {
	if len(b.Records) == 0 || len(b.Records) > MaxBatch {
		return fmt.Errorf("cannot decode batch: %d records, want 1 to %d: %w", len(b.Records), MaxBatch, ErrFrame)
	}
	for i, r := range b.Records {
		switch {
		case r.Epoch != b.Epoch:
			return fmt.Errorf("cannot decode batch: record of epoch %d in a batch of epoch %d: %w", r.Epoch, b.Epoch, ErrFrame)
		case r.Seq == 0 || (i > 0 && r.Seq != b.Records[i-1].Seq+1):
			return fmt.Errorf("cannot decode batch: seq %d is out of order: %w", r.Seq, ErrFrame)
		case len(r.Body) > MaxRecord:
			return fmt.Errorf("cannot decode batch: a body of %d bytes passes the limit of %d: %w", len(r.Body), MaxRecord, ErrFrame)
		case r.Kind == "" || len(r.Kind) > 40:
			return fmt.Errorf("cannot decode batch: record kind %.40q: %w", r.Kind, ErrFrame)
		}
	}
	return nil
}

// Package printjob is what the session's printer (the role press) and the agent
// say to each other, and how pages become impressions and sheets. The press
// holds the document; the agent never sees a byte of it.
package printjob

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Limits on foreign bytes.
const (
	MaxFrame  = 16 << 10 // bytes of one frame
	MaxPages  = 10000    // of one document
	MaxCopies = 99
	MaxRanges = 64
)

// FromPress is one frame of the press: exactly one field is set.
type FromPress struct {
	Offer     *Offer     `json:"offer,omitempty"`
	Refused   *Refused   `json:"refused,omitempty"`
	Withdrawn *Withdrawn `json:"withdrawn,omitempty"`
	Dial      *Dial      `json:"dial,omitempty"`
	Sent      *Sent      `json:"sent,omitempty"`
	Shown     *Shown     `json:"shown,omitempty"`
}

// Offer is a document that was received whole and counted, and waits for a
// decision. Job is the press's own number, rising from 1.
type Offer struct {
	Job    int    `json:"job"`
	Format Format `json:"format"`
	Pages  int    `json:"pages"`  // that a walk through the document found
	Ticket Ticket `json:"ticket"` // as the person's program asked
}

// Format is what a document is.
type Format string

// Formats, as IPP names them.
const (
	PDF  Format = "application/pdf"
	JPEG Format = "image/jpeg"
	PWG  Format = "image/pwg-raster"
	URF  Format = "image/urf"
)

// Refused is a document that cannot be printed. It is erased already.
type Refused struct {
	Job int `json:"job"`
	Why Why `json:"why"`
}

// Why is why a document was refused or could not be sent: a code that the
// person reads as a sentence (key "print.<code>" of the catalogues).
type Why string

// Why a document is refused before anybody is asked.
const (
	WhyUnreadable Why = "unreadable"  // it cannot be counted
	WhyEncrypted  Why = "encrypted"   // it wants a password
	WhyTooBig     Why = "too-big"     // more bytes than are taken
	WhyTooMany    Why = "too-many"    // more pages than are taken
	WhyFormat     Why = "format"      // no document of a kind that is printed here
	WhyFull       Why = "full"        // too many documents wait
	WhyNoPrinter  Why = "no-printer"  // the printer cannot be reached
	WhyRejected   Why = "rejected"    // the printer did not take it
	WhyCut        Why = "cut"         // the connection broke while it was sent
	WhyUntrusted  Why = "untrusted"   // the printer shows another certificate than before
	WhyNotHere    Why = "not-allowed" // printing is not allowed here
)

// Withdrawn is a job that the person's program cancelled.
type Withdrawn struct {
	Job int `json:"job"`
}

// Dial asks for a connection to the printer: the agent answers with Dialled and
// the connection's descriptor beside it. The session's own network reaches no
// printer.
type Dial struct {
	ID int `json:"id"`
}

// Sent tells what became of Submit.
type Sent struct {
	Job    int    `json:"job"`
	Remote int    `json:"remote,omitempty"` // the printer's number; 0: it did not take the job
	Why    Why    `json:"why,omitempty"`    // with Remote 0
	Unsure bool   `json:"unsure,omitempty"` // bytes were sent, and no answer came: it may be printing
	Pin    []byte `json:"pin,omitempty"`    // SHA-256 of the printer's public key, when there was TLS
}

// Shown tells that the first pages are painted, or cannot be (Pages 0).
type Shown struct {
	Job   int `json:"job"`
	Pages int `json:"pages"`
}

// ToPress is one frame of the agent: exactly one field is set.
type ToPress struct {
	Printer *Printer `json:"printer,omitempty"`
	Show    *Show    `json:"show,omitempty"`
	Submit  *Submit  `json:"submit,omitempty"`
	Status  *Status  `json:"status,omitempty"`
	Drop    *Drop    `json:"drop,omitempty"`
	Dialled *Dialled `json:"dialled,omitempty"`
}

// Printer is what can be printed here now: the press tells it to the session's
// programs. Without one it accepts no job.
type Printer struct {
	Accepting bool     `json:"accepting"`
	Why       Why      `json:"why,omitempty"` // when it does not accept
	Formats   []Format `json:"formats"`
	Colour    bool     `json:"colour"`
	Duplex    bool     `json:"duplex"`
	Copies    int      `json:"copies"`  // at most
	Reasons   []string `json:"reasons"` // printer-state-reasons of the real one (RFC 8011 §5.4.12)
}

// Show paints the first pages of a job on the session's display; Job 0 takes
// them away.
type Show struct {
	Job    int `json:"job"`
	Width  int `json:"width"` // pixels of the display's left part that is in sight
	Height int `json:"height"`
}

// Submit sends a document to the printer, with the ticket that was decided.
type Submit struct {
	Job    int    `json:"job"`
	Name   string `json:"name"` // neutral: what the printer and its log see
	URI    string `json:"uri"`  // ipp:// or ipps://
	Pin    []byte `json:"pin,omitempty"`
	Ticket Ticket `json:"ticket"`
}

// Status is how a job stands, for programs that ask.
type Status struct {
	Job         int    `json:"job"`
	State       State  `json:"state"`
	Impressions int    `json:"impressions"` // printed so far
	Why         string `json:"why,omitempty"`
}

// State is a job's state as IPP knows it (RFC 8011 §5.3.7).
type State int

// States.
const (
	Pending    State = 3
	Held       State = 4
	Processing State = 5
	Stopped    State = 6
	Canceled   State = 7
	Aborted    State = 8
	Completed  State = 9
)

// Over tells whether a job's state never changes again.
func (s State) Over() bool { return s >= Canceled }

// Drop erases a job's document. Gently: what is being sent at this moment goes on,
// so that the printer gets no half of it, and nothing is sent again.
type Drop struct {
	Job    int  `json:"job"`
	Gently bool `json:"gently,omitempty"`
}

// Dialled answers Dial; the descriptor comes beside it unless Err is set.
type Dialled struct {
	ID  int `json:"id"`
	Err Why `json:"err,omitempty"`
}

// ErrFrame reports bytes that are no frame.
var ErrFrame = errors.New("not a frame of this protocol")

// Encode returns the bytes of a FromPress or a ToPress.
func Encode[T FromPress | ToPress](v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a frame about printing: %w", err)
	}
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("cannot encode a frame about printing: %d bytes, the limit is %d: %w", len(b), MaxFrame, ErrFrame)
	}
	return b, nil
}

// DecodeFromPress reads a frame of the press, which a hostile document may have
// taken over: every value is bounded.
func DecodeFromPress(b []byte) (FromPress, error) {
	var f FromPress
	if err := decode(b, &f); err != nil {
		return FromPress{}, err
	}
	n := 0
	for _, set := range []bool{f.Offer != nil, f.Refused != nil, f.Withdrawn != nil, f.Dial != nil, f.Sent != nil, f.Shown != nil} {
		if set {
			n++
		}
	}
	bad := n != 1
	if o := f.Offer; o != nil {
		bad = bad || o.Job < 1 || o.Pages < 1 || o.Pages > MaxPages || !o.Ticket.valid() ||
			o.Format != PDF && o.Format != JPEG && o.Format != PWG && o.Format != URF
	}
	if s := f.Sent; s != nil {
		bad = bad || s.Job < 1 || s.Remote < 0 || len(s.Pin) > 64 || len(s.Why) > 32
	}
	if r := f.Refused; r != nil {
		bad = bad || r.Job < 0 || len(r.Why) > 32
	}
	if w := f.Withdrawn; w != nil {
		bad = bad || w.Job < 1
	}
	if s := f.Shown; s != nil {
		bad = bad || s.Job < 1 || s.Pages < 0 || s.Pages > MaxPages
	}
	if bad {
		return FromPress{}, fmt.Errorf("cannot read what the press says: %w", ErrFrame)
	}
	return f, nil
}

// DecodeToPress reads a frame of the agent.
func DecodeToPress(b []byte) (ToPress, error) {
	var f ToPress
	if err := decode(b, &f); err != nil {
		return ToPress{}, err
	}
	n := 0
	for _, set := range []bool{f.Printer != nil, f.Show != nil, f.Submit != nil, f.Status != nil, f.Drop != nil, f.Dialled != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return ToPress{}, fmt.Errorf("cannot read what the agent says: %d verbs, want 1: %w", n, ErrFrame)
	}
	return f, nil
}

func decode(b []byte, v any) error {
	if len(b) > MaxFrame {
		return fmt.Errorf("cannot decode a frame about printing: %d bytes, the limit is %d: %w", len(b), MaxFrame, ErrFrame)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cannot decode a frame about printing: %w: %w", ErrFrame, err)
	}
	return nil
}

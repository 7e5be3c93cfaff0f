// Package count counts the pages of documents that strangers made, and draws
// small pictures of their first pages. It is a role in a session's sandbox with a
// user of its own: each document is given to a fresh process that can do nothing
// but read it, and that may die of it.
package count

import (
	"encoding/json"
	"fmt"
	"slices"

	"borne/kiosk/ppm"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// Roles of this program that the package needs, as arguments.
const (
	Role      = "counter"
	ChildRole = "counter-child"
)

// maxFrame bounds what the two sides say to each other.
const maxFrame = 1 << 10

// maxArea bounds a picture, in pixels.
const maxArea = 4 << 20

// request comes with the document's descriptor. Page 0 asks for the number of pages.
type request struct {
	Page   int `json:"page,omitempty"`
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
}

func (r request) valid() bool {
	if r.Page == 0 {
		return r.Width == 0 && r.Height == 0
	}
	return r.Page > 0 && r.Page <= printjob.MaxPages && r.Width > 0 && r.Height > 0 && r.Width <= ppm.MaxSide && r.Height <= ppm.MaxSide &&
		side(r)*side(r) <= maxArea
}

// side is the longest that a picture's side may be.
func side(r request) int { return max(r.Width, r.Height) }

// answer has a number of pages, or comes with a picture's descriptor, or says why not.
type answer struct {
	Format printjob.Format `json:"format,omitempty"`
	Pages  int             `json:"pages,omitempty"`
	Why    printjob.Why    `json:"why,omitempty"`
}

func refuse(why printjob.Why) answer { return answer{Why: why} }

// counted tells whether a is what may be said of a document.
func (a answer) counted() bool {
	return a.Why == "" && a.Pages > 0 && a.Pages <= printjob.MaxPages &&
		slices.Contains([]printjob.Format{printjob.PDF, printjob.JPEG, printjob.PWG, printjob.URF}, a.Format)
}

// refused tells whether a is a refusal that a document may have earned.
func (a answer) refused() bool {
	return a.Pages == 0 && slices.Contains([]printjob.Why{printjob.WhyUnreadable, printjob.WhyEncrypted, printjob.WhyTooMany, printjob.WhyFormat, printjob.WhyTooBig, printjob.WhyFull}, a.Why)
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || len(b) > maxFrame {
		return nil, fmt.Errorf("cannot encode a frame about counting: %w", sandbox.ErrFrame)
	}
	return b, nil
}

func decode(b []byte, v any) error {
	if len(b) > maxFrame {
		return fmt.Errorf("cannot read a frame about counting: %d bytes: %w", len(b), sandbox.ErrFrame)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cannot read a frame about counting: %w", sandbox.ErrFrame)
	}
	return nil
}

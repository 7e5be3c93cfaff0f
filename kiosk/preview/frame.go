// Package preview shows a person the first pages of what is to be printed, on
// the display of their session alone: it dies with the session. The counter's
// capped children draw the pages, the press hands the pictures on, and the role
// preview, which reads no document, paints them over the browser.
package preview

import (
	"encoding/json"
	"fmt"

	"borne/kiosk/sandbox"
)

// Role is the argument that makes this program the painter.
const Role = "preview"

// maxFrame bounds what the two sides say to each other.
const maxFrame = 1 << 10

// request comes with a picture's descriptor for each page. They stay in sight
// until the connection ends.
type request struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

func (r request) valid() bool {
	return r.Width > 0 && r.Height > 0 && r.Width <= maxSide && r.Height <= maxSide && places(r.Width, r.Height, 1) != nil
}

// answer says whether they are painted.
type answer struct {
	Painted bool `json:"painted"`
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || len(b) > maxFrame {
		return nil, fmt.Errorf("cannot encode a frame about the first pages: %w", sandbox.ErrFrame)
	}
	return b, nil
}

func decode(b []byte, v any) error {
	if len(b) > maxFrame {
		return fmt.Errorf("cannot read a frame about the first pages: %d bytes: %w", len(b), sandbox.ErrFrame)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cannot read a frame about the first pages: %w", sandbox.ErrFrame)
	}
	return nil
}

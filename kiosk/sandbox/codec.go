package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrFrame reports bytes that are no request, or no answer, of this protocol.
var ErrFrame = errors.New("not a frame of this protocol")

// verbs counts the verbs that r sets.
func (r Request) verbs() int {
	n := 0
	for _, set := range []bool{r.Prepare != nil, r.Admit != nil, r.Wipe != nil, r.Sign != nil,
		r.Forget != nil, r.Shell != nil, r.Survey != nil, r.CSR != nil, r.Beat != nil, r.Power != nil, r.Start != nil, r.Ports != nil, r.Believe != nil,
		r.Govern != nil, r.Wake != nil, r.Halt != nil, r.Line != nil} {
		if set {
			n++
		}
	}
	return n
}

// EncodeRequest returns r's bytes. It refuses a request without exactly one
// verb, or one of more than MaxFrame bytes.
func EncodeRequest(r Request) ([]byte, error) {
	if n := r.verbs(); n != 1 {
		return nil, fmt.Errorf("cannot encode request: %d verbs, want 1: %w", n, ErrFrame)
	}
	return encode("request", r)
}

// DecodeRequest reads one request. It is the warden's reader, and so a strict
// one: exactly one verb, no unknown field, nothing behind it.
func DecodeRequest(b []byte) (Request, error) {
	var r Request
	if err := decode("request", b, &r, true); err != nil {
		return Request{}, err
	}
	if n := r.verbs(); n != 1 {
		return Request{}, fmt.Errorf("cannot decode request: %d verbs, want 1: %w", n, ErrFrame)
	}
	if r.ID == 0 {
		return Request{}, fmt.Errorf("cannot decode request: id 0 is for events: %w", ErrFrame)
	}
	return r, nil
}

// EncodeAnswer returns a's bytes, at most MaxFrame.
func EncodeAnswer(a Answer) ([]byte, error) { return encode("answer", a) }

// DecodeAnswer reads one answer or event. Unknown fields are ignored: the
// agent may be older than the warden for the length of an update.
func DecodeAnswer(b []byte) (Answer, error) {
	var a Answer
	if err := decode("answer", b, &a, false); err != nil {
		return Answer{}, err
	}
	if (a.ID == 0) != (a.Event != nil) {
		return Answer{}, fmt.Errorf("cannot decode answer: id %d with event %t: %w", a.ID, a.Event != nil, ErrFrame)
	}
	return a, nil
}

func encode(what string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode %s: %w", what, err)
	}
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("cannot encode %s: %d bytes pass the limit of %d: %w", what, len(b), MaxFrame, ErrFrame)
	}
	return b, nil
}

func decode(what string, b []byte, v any, strict bool) error {
	if len(b) > MaxFrame {
		return fmt.Errorf("cannot decode %s: %d bytes pass the limit of %d: %w", what, len(b), MaxFrame, ErrFrame)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("cannot decode %s: %w: %w", what, ErrFrame, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("cannot decode %s: bytes behind it: %w", what, ErrFrame)
	}
	return nil
}

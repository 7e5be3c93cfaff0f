// Package ipp reads and makes IPP messages (RFC 8010) within limits, for the
// session's printer and for the client of the real one. The codec itself is
// goipp: it takes a message of any size and follows collections as deep as they
// go, so every foreign byte passes here first.
package ipp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/OpenPrinting/goipp"
)

// Limits on foreign bytes.
const (
	MaxRequest = 64 << 10  // attributes of a request, its header included
	MaxAnswer  = 512 << 10 // of an answer: a real printer's media-col-database alone may pass 100 KiB
	MaxDepth   = 8         // collections within collections; the standards know three
	maxValues  = 32 << 10  // values of a message: goipp takes about a hundred bytes for each
)

// Errors of Decode and DecodeAnswer.
var (
	ErrTooLong = errors.New("the attributes are longer than the limit")
	ErrTooDeep = errors.New("collections nest deeper than the limit")
	ErrFormat  = errors.New("not an IPP message")
)

// Decode reads the attributes of a request from r, and not one byte more: what
// follows them is the document.
func Decode(r io.Reader) (*goipp.Message, error) {
	return decode(r, MaxRequest, goipp.DecoderOptions{})
}

// DecodeAnswer reads what a printer answers. Real printers break the rules in
// known ways, which goipp forgives.
func DecodeAnswer(r io.Reader) (*goipp.Message, error) {
	return decode(r, MaxAnswer, goipp.DecoderOptions{EnableWorkarounds: true})
}

func decode(r io.Reader, limit int, opt goipp.DecoderOptions) (*goipp.Message, error) {
	s := scanner{r: r, left: limit}
	if err := s.scan(); err != nil {
		return nil, fmt.Errorf("cannot read an IPP message: %w", err)
	}
	m := new(goipp.Message)
	if err := m.DecodeEx(&s.seen, opt); err != nil {
		return nil, fmt.Errorf("cannot read an IPP message: %w: %w", ErrFormat, err)
	}
	return m, nil
}

// scanner walks over the frame of a message (RFC 8010 §3.1) without a look into
// its values, and keeps what it has seen for goipp.
type scanner struct {
	r      io.Reader
	seen   bytes.Buffer
	left   int
	depth  int
	values int
}

func (s *scanner) scan() error {
	if _, err := s.take(8); err != nil { // version, operation or status, request-id
		return err
	}
	for {
		b, err := s.take(1)
		if err != nil {
			return err
		}
		switch tag := goipp.Tag(b[0]); {
		case tag == goipp.TagEnd:
			if s.depth != 0 {
				return fmt.Errorf("%w: a collection has no end", ErrFormat)
			}
			return nil
		case tag.IsDelimiter():
		default:
			if err := s.value(tag); err != nil {
				return err
			}
		}
	}
}

// value passes over a name and a value, each with its length before it.
func (s *scanner) value(tag goipp.Tag) error {
	if s.values++; s.values > maxValues {
		return ErrTooLong
	}
	switch tag {
	case goipp.TagBeginCollection:
		if s.depth++; s.depth > MaxDepth {
			return ErrTooDeep
		}
	case goipp.TagEndCollection:
		if s.depth--; s.depth < 0 {
			return fmt.Errorf("%w: a collection ends that never began", ErrFormat)
		}
	}
	for range 2 {
		b, err := s.take(2)
		if err != nil {
			return err
		}
		if _, err := s.take(int(binary.BigEndian.Uint16(b))); err != nil {
			return err
		}
	}
	return nil
}

// take reads n bytes. What it returns is good until the next call.
func (s *scanner) take(n int) ([]byte, error) {
	if n > s.left {
		return nil, ErrTooLong
	}
	s.left -= n
	from := s.seen.Len()
	got, err := s.seen.ReadFrom(&io.LimitedReader{R: s.r, N: int64(n)})
	if err != nil {
		return nil, fmt.Errorf("the message cannot be read: %w", err)
	}
	if got < int64(n) {
		return nil, fmt.Errorf("%w: it ends early", ErrFormat)
	}
	return s.seen.Bytes()[from:], nil
}

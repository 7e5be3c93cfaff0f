// Package raster reads documents that are pictures of pages already: PWG
// Raster (PWG 5102.4) and Apple Raster (URF), which share their compression. It
// counts pages by their own headers, because the number that a document says it
// has may be anything, and holds one line of one page at most.
package raster

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Why a document is not counted.
var (
	ErrBroken  = errors.New("the document is damaged; make it anew")
	ErrTooMany = errors.New("the document has too many pages; print a part of it")
)

// Limits of a page.
const (
	maxSide = 1 << 17 // pixels: more than a metre and a half at 2,400 a inch
	maxLine = 1 << 20 // bytes
	maxBits = 128     // of a pixel
)

// Kind is how a document is written.
type Kind int

// Kinds.
const (
	None   Kind = iota
	PWG         // RaS2: compressed
	PWGRaw      // RaS3: as it is
	URF
)

var magics = map[Kind]string{PWG: "RaS2", PWGRaw: "RaS3", URF: "UNIRAST\x00"}

// Is tells how b, the first bytes of a document, say that it is written.
func Is(b []byte) Kind {
	for k, m := range magics {
		if bytes.HasPrefix(b, []byte(m)) {
			return k
		}
	}
	return None
}

// Page is what a page's header says.
type Page struct {
	Width, Height int // pixels
	Bits          int // of a pixel
	Line          int // bytes
	Space         Space
}

// Space is what the numbers of a pixel mean.
type Space int

// Spaces that a picture is made from.
const (
	Other Space = iota
	Gray        // 0 is black
	Black       // 0 is white
	RGB
)

// Count counts the pages in r, of which the first bytes say kind.
func Count(r io.Reader, kind Kind, most int) (int, error) {
	n := 0
	err := pages(r, kind, func(*reader, Page) error {
		if n++; n > most {
			return ErrTooMany
		}
		return nil
	})
	if err == nil && n == 0 {
		err = ErrBroken
	}
	if err != nil {
		return 0, fmt.Errorf("cannot count the pages of a raster: %w", err)
	}
	return n, nil
}

var errDone = errors.New("enough pages")

// First calls begin with the first page's header and then line with each
// different line of it and how many times it comes.
func First(r io.Reader, kind Kind, begin func(Page) error, line func(b []byte, times int)) error {
	err := pages(r, kind, func(d *reader, p Page) error {
		if err := begin(p); err != nil {
			return err
		}
		if err := d.lines(p, line); err != nil {
			return err
		}
		return errDone
	})
	if errors.Is(err, errDone) {
		return nil
	}
	if err == nil {
		err = ErrBroken
	}
	return fmt.Errorf("cannot read the first page of a raster: %w", err)
}

// reader reads one document.
type reader struct {
	*bufio.Reader
	kind Kind
	line []byte
	done bool // the page's lines were read
}

// pages calls f with each header; lines that f does not read are passed over.
func pages(r io.Reader, kind Kind, f func(*reader, Page) error) error {
	d := &reader{Reader: bufio.NewReaderSize(r, 64<<10), kind: kind}
	head := len(magics[kind])
	if kind == URF {
		head += 4 // the number of pages, as it is said
	}
	if _, err := d.Discard(head); err != nil {
		return ErrBroken
	}
	for {
		if _, err := d.Peek(1); err == io.EOF {
			return nil
		}
		p, err := d.header()
		if err != nil {
			return err
		}
		d.done = false
		if err := f(d, p); err != nil {
			return err
		}
		if !d.done {
			if err := d.lines(p, nil); err != nil {
				return err
			}
		}
	}
}

func (d *reader) header() (Page, error) {
	var p Page
	if d.kind == URF {
		var h [32]byte
		if _, err := io.ReadFull(d, h[:]); err != nil {
			return p, ErrBroken
		}
		p = Page{Width: int(binary.BigEndian.Uint32(h[12:])), Height: int(binary.BigEndian.Uint32(h[16:])), Bits: int(h[0]),
			Space: map[byte]Space{0: Gray, 1: RGB, 4: Gray, 5: RGB}[h[1]]}
		if p.Bits < 8 || p.Bits%8 != 0 || p.Width > maxSide {
			return p, ErrBroken
		}
		p.Line = p.Width * p.Bits / 8
	} else {
		var h [1796]byte // PWG 5102.4 table 2
		if _, err := io.ReadFull(d, h[:]); err != nil {
			return p, ErrBroken
		}
		u := func(at int) int { return int(binary.BigEndian.Uint32(h[at:])) }
		p = Page{Width: u(372), Height: u(376), Bits: u(388), Line: u(392),
			Space: map[int]Space{0: Gray, 1: RGB, 3: Black, 18: Gray, 19: RGB, 20: RGB}[u(400)]}
		if u(396) != 0 || p.Line < (p.Width*p.Bits+7)/8 { // chunky is the only order
			return p, ErrBroken
		}
	}
	if p.Width < 1 || p.Height < 1 || p.Width > maxSide || p.Height > maxSide || p.Bits < 1 || p.Bits > maxBits || p.Line < 1 || p.Line > maxLine {
		return p, ErrBroken
	}
	return p, nil
}

// lines reads a page's lines. Without f they are only passed over.
func (d *reader) lines(p Page, f func([]byte, int)) error {
	d.done = true
	if f != nil {
		d.line = make([]byte, p.Line)
	}
	if d.kind == PWGRaw {
		return d.raw(p, f)
	}
	size := max(p.Bits/8, 1)
	for y := 0; y < p.Height; {
		times, err := d.ReadByte()
		if err != nil {
			return ErrBroken
		}
		if y += int(times) + 1; y > p.Height {
			return ErrBroken
		}
		if f == nil {
			err = d.pass(p.Line, size)
		} else {
			err = d.unpack(size)
		}
		if err != nil {
			return err
		}
		if f != nil {
			f(d.line, int(times)+1)
		}
	}
	return nil
}

func (d *reader) raw(p Page, f func([]byte, int)) error {
	for range p.Height {
		if f == nil {
			if _, err := d.Discard(p.Line); err != nil {
				return ErrBroken
			}
			continue
		}
		if _, err := io.ReadFull(d, d.line); err != nil {
			return ErrBroken
		}
		f(d.line, 1)
	}
	return nil
}

// run reads what begins a run of pixels: how many bytes of the line it makes,
// and how many of them follow. To the end of the line is left.
func (d *reader) run(size, left int) (makes, follow int, err error) {
	c, err := d.ReadByte()
	if err != nil {
		return 0, 0, ErrBroken
	}
	switch {
	case c < 128:
		makes, follow = (int(c)+1)*size, size
	case c == 128:
		return left, 0, nil
	default:
		makes = (257 - int(c)) * size
		follow = makes
	}
	if makes > left {
		return 0, 0, ErrBroken
	}
	return makes, follow, nil
}

func (d *reader) pass(line, size int) error {
	for left := line; left > 0; {
		makes, follow, err := d.run(size, left)
		if err != nil {
			return err
		}
		if _, err := d.Discard(follow); err != nil {
			return ErrBroken
		}
		left -= makes
	}
	return nil
}

func (d *reader) unpack(size int) error {
	for rest := d.line; len(rest) > 0; {
		makes, follow, err := d.run(size, len(rest))
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(d, rest[:follow]); err != nil {
			return ErrBroken
		}
		if follow == 0 {
			for i := range rest {
				rest[i] = 0xff // white
			}
		}
		for n := follow; n > 0 && n < makes; n *= 2 {
			copy(rest[n:makes], rest[:n])
		}
		rest = rest[makes:]
	}
	return nil
}

// Package pdf counts the pages of a PDF that nobody vouches for (ISO 32000-2).
// It reads no more than the cross-references and the page tree, walks the tree
// itself because /Count may say anything, and holds no more than some tens of
// megabytes whatever the document is.
//
// It is ours because nothing that is kept can be bounded: pdfcpu v0.15.0
// decodes each object stream whole, and takes 2 GB and 8 s for a document of
// 1.2 MB before it refuses.
package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Why a document is not counted.
var (
	ErrBroken    = errors.New("the document is damaged; make it anew")
	ErrEncrypted = errors.New("the document wants a password; save it without one")
	ErrTooMany   = errors.New("the document has too many pages; print a part of it")
)

// Limits on what a document may make us hold or do.
const (
	maxSize      = 1 << 31  // bytes: offsets are kept in 32 bits
	maxObject    = 1 << 22  // highest number of an object
	maxSections  = 4096     // of cross-references
	maxValues    = 400_000  // in one object
	maxNesting   = 100      // arrays and dictionaries in one another
	maxString    = 1024     // bytes kept of a string: only those about encryption are looked at
	maxDecoded   = 8 << 20  // bytes of one object stream; what lies behind is not there
	maxCached    = 16 << 20 // bytes of object streams kept
	maxInside    = 400_000  // objects in an object stream
	maxVisits    = 200_000  // nodes of the page tree, each as often as it is referred to
	headerIn     = 1024     // bytes in which the header begins (ISO 32000-1, annex H.3.4.1)
	tailIn       = 2048     // bytes at the end in which startxref is looked for
	maxRow       = 1 << 20  // bytes of a row of a predictor
	maxUnpacking = 3        // object streams decoded for one another
	maxPending   = 4        // children that wait, times the pages allowed
	magic        = "%PDF-"
	startOfXref  = "startxref"
)

// Is tells whether b, the first bytes of a document, begin a PDF.
func Is(b []byte) bool { return bytes.Contains(b[:min(len(b), headerIn)], []byte(magic)) }

// Count counts the pages of the document of size bytes in r, as a printer
// would: a page that is referred to twice is two. More than most is ErrTooMany.
func Count(r io.ReaderAt, size int64, most int) (int, error) {
	n, err := count(r, size, most)
	if err != nil {
		return 0, fmt.Errorf("cannot count the pages of a PDF: %w", err)
	}
	return n, nil
}

func count(r io.ReaderAt, size int64, most int) (int, error) {
	if size > maxSize {
		return 0, ErrBroken
	}
	head := make([]byte, min(headerIn, size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return 0, fmt.Errorf("cannot read it: %w", err)
	}
	at := bytes.Index(head, []byte(magic))
	if at < 0 {
		return 0, ErrBroken
	}
	// Offsets count from the header where something precedes it, as most
	// readers have it, or from the first byte, as some writers have it.
	bases := []int64{int64(at)}
	if at > 0 {
		bases = append(bases, 0)
	}
	counted := 0
	for _, base := range bases {
		d := &document{src: r, size: size, base: base}
		n, err := d.pages(d.read, most)
		switch {
		case errors.Is(err, ErrBroken):
			continue
		case err != nil:
			return 0, err
		case counted > 0 && n != counted:
			return 0, ErrBroken // two documents, and a printer prints one of them
		}
		counted = n
	}
	if counted > 0 {
		return counted, nil
	}
	d := &document{src: r, size: size}
	return d.pages(d.repair, most)
}

// document is one that is being counted.
type document struct {
	src     io.ReaderAt
	size    int64
	base    int64 // what offsets count from
	table   table
	root    any
	encrypt any
	id      []byte
	crypt   *security
	streams map[int]*objects // decoded object streams
	held    int              // their bytes
	depth   int              // object streams being decoded for one another
}

func (d *document) pages(read func() error, most int) (int, error) {
	if err := read(); err != nil {
		return 0, err
	}
	if d.encrypt != nil {
		enc, err := d.dict(d.encrypt)
		if err != nil {
			return 0, err
		}
		if d.crypt, err = newSecurity(d, enc, d.id); err != nil {
			return 0, err
		}
	}
	return d.walk(most)
}

// dict is the dictionary that v is or refers to.
func (d *document) dict(v any) (dict, error) {
	v, err := d.resolve(v)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(dict); ok {
		return m, nil
	}
	return nil, ErrBroken
}

// integer is the whole number that v is or refers to, if it is from 0 to most.
func (d *document) integer(v any, most int64) (int, error) {
	v, err := d.resolve(v)
	if err != nil {
		return 0, err
	}
	if n, ok := v.(int64); ok && n >= 0 && n <= most {
		return int(n), nil
	}
	return 0, ErrBroken
}

// resolve follows references.
func (d *document) resolve(v any) (any, error) {
	for range 16 {
		r, ok := v.(ref)
		if !ok {
			return v, nil
		}
		var err error
		if v, err = d.load(int(r)); err != nil {
			return nil, err
		}
	}
	return nil, ErrBroken
}

// load reads an object; one that is nowhere is null (7.3.10).
func (d *document) load(number int) (any, error) {
	switch e := d.table.get(number); e.kind {
	case inFile:
		l := newLexer(d.src, d.base+int64(e.at))
		if n, ok := l.header(); !ok || n != number {
			return nil, ErrBroken
		}
		return l.object()
	case inStream:
		return d.inside(int(e.at), int(e.index), number)
	}
	return nil, nil
}

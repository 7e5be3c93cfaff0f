package pdf

import (
	"bytes"
	"io"
)

// kind is where an object is.
type kind uint8

const (
	unknown  kind = iota // no section named it yet
	free                 // there is none
	inFile               // at an offset
	inStream             // in an object stream, at an index
)

type entry struct {
	at    uint32 // offset, or the stream's number
	index uint32
	kind  kind
}

// table is the cross-references, in chunks: a document may name one object in
// a million.
type table struct{ chunks map[int]*[chunk]entry }

const chunk = 256

func (t *table) get(number int) entry {
	if c := t.chunks[number/chunk]; c != nil && number >= 0 {
		return c[number%chunk]
	}
	return entry{}
}

// set keeps what was set before: newer sections are read first.
func (t *table) set(number int, e entry) {
	if t.get(number).kind == unknown {
		t.replace(number, e)
	}
}

func (t *table) replace(number int, e entry) {
	if number < 0 || number > maxObject {
		return
	}
	c := t.chunks[number/chunk]
	if c == nil {
		if c = new([chunk]entry); t.chunks == nil {
			t.chunks = map[int]*[chunk]entry{}
		}
		t.chunks[number/chunk] = c
	}
	c[number%chunk] = e
}

// read reads all cross-reference sections, the newest first (7.5.4 to 7.5.8).
func (d *document) read() error {
	tail := make([]byte, min(tailIn, d.size))
	if _, err := d.src.ReadAt(tail, d.size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	i := bytes.LastIndex(tail, []byte(startOfXref))
	if i < 0 {
		return ErrBroken
	}
	at, ok := newLexer(bytes.NewReader(tail), int64(i+len(startOfXref))).whole()
	seen := map[int64]bool{}
	for n := 0; ok; n++ {
		if seen[at] || n == maxSections {
			return ErrBroken
		}
		seen[at] = true
		trailer, err := d.section(at)
		if err != nil {
			return err
		}
		d.trailer(trailer)
		switch prev := trailer["Prev"].(type) {
		case nil:
			ok = false
		case int64:
			at = prev
		case float64: // some write it so
			at = int64(prev)
		default:
			return ErrBroken
		}
	}
	if d.root == nil {
		return ErrBroken
	}
	return nil
}

// trailer keeps what a trailer says, unless a newer one said it.
func (d *document) trailer(t dict) {
	if d.root == nil {
		d.root = t["Root"]
	}
	if d.encrypt == nil {
		d.encrypt = t["Encrypt"]
	}
	if ids, ok := t["ID"].(array); ok && d.id == nil && len(ids) > 0 {
		if id, ok := ids[0].(text); ok {
			d.id = id
		}
	}
}

// section reads one section, table or stream, and returns its trailer.
func (d *document) section(at int64) (dict, error) {
	if at < 0 || at >= d.size {
		return nil, ErrBroken
	}
	l := newLexer(d.src, d.base+at)
	l.space()
	if isDigit(l.peek()) {
		return d.sectionStream(l)
	}
	if l.word() != "xref" {
		return nil, ErrBroken
	}
	var hidden []int
	for {
		l.space()
		if !isDigit(l.peek()) {
			break
		}
		first, ok1 := l.whole()
		n, ok2 := l.whole()
		if !ok1 || !ok2 || first > maxObject || n > maxObject {
			return nil, ErrBroken
		}
		for number := first; number < first+n; number++ {
			at, ok1 := l.whole()
			gen, ok2 := l.whole()
			l.space()
			c := l.next()
			switch {
			case !ok1 || !ok2 || c != 'n' && c != 'f':
				return nil, ErrBroken
			case c == 'f' || at == 0:
				hidden = append(hidden, int(number))
			case at < d.size:
				d.table.set(int(number), entry{uint32(at), uint32(min(gen, 65535)), inFile})
			}
		}
	}
	if l.word() != "trailer" {
		return nil, ErrBroken
	}
	v, err := l.value(0)
	if err != nil {
		return nil, err
	}
	t, ok := v.(dict)
	if !ok {
		return nil, ErrBroken
	}
	// A hybrid file frees in the table, for old readers, what the stream beside
	// it knows (7.5.8.4).
	if at, ok := t["XRefStm"].(int64); ok && at > 0 && at < d.size {
		if _, err := d.sectionStream(newLexer(d.src, d.base+at)); err != nil {
			return nil, err
		}
	}
	for _, number := range hidden {
		d.table.set(number, entry{kind: free})
	}
	return t, nil
}

// sectionStream reads a cross-reference stream (7.5.8).
func (d *document) sectionStream(l *lexer) (dict, error) {
	if _, ok := l.header(); !ok {
		return nil, ErrBroken
	}
	v, err := l.object()
	if err != nil {
		return nil, err
	}
	s, ok := v.(stream)
	if !ok || s.dict["Type"] != name("XRef") {
		return nil, ErrBroken
	}
	width, ok := s.dict["W"].(array)
	if !ok || len(width) != 3 {
		return nil, ErrBroken
	}
	var w [3]int
	for i, v := range width {
		n, ok := v.(int64)
		if !ok || n < 0 || n > 8 {
			return nil, ErrBroken
		}
		w[i] = int(n)
	}
	index, ok := s.dict["Index"].(array)
	if !ok {
		index = array{int64(0), s.dict["Size"]}
	}
	r, err := d.decode(s, true)
	if err != nil {
		return nil, err
	}
	row := make([]byte, w[0]+w[1]+w[2])
	if len(row) == 0 {
		return nil, ErrBroken
	}
	for ; len(index) >= 2; index = index[2:] {
		first, ok1 := index[0].(int64)
		n, ok2 := index[1].(int64)
		if !ok1 || !ok2 || first < 0 || n < 0 || first > maxObject || n > maxObject {
			return nil, ErrBroken
		}
		for number := int(first); number < int(first+n); number++ {
			if _, err := io.ReadFull(r, row); err != nil {
				// Some say more than there is; what is missing is not there.
				return s.dict, nil
			}
			d.tableRow(number, row, w)
		}
	}
	return s.dict, nil
}

func (d *document) tableRow(number int, row []byte, w [3]int) {
	var f [3]uint64
	for i, n := range w {
		for range n {
			f[i], row = f[i]<<8|uint64(row[0]), row[1:]
		}
	}
	if w[0] == 0 {
		f[0] = 1 // table 17
	}
	switch {
	case f[0] == 0:
		d.table.set(number, entry{kind: free})
	case f[0] == 1 && f[1] < uint64(d.size):
		d.table.set(number, entry{uint32(f[1]), uint32(min(f[2], 65535)), inFile})
	case f[0] == 2 && f[1] <= maxObject && f[2] <= maxInside:
		d.table.set(number, entry{uint32(f[1]), uint32(f[2]), inStream})
	}
}

package pdf

import (
	"bufio"
	"bytes"
	"compress/flate"
	"io"
)

// objects is a decoded object stream (7.5.7).
type objects struct {
	data    []byte // from the first object on
	numbers []uint32
	at      []uint32 // in data
}

// inside reads object number out of the stream that holds it.
func (d *document) inside(in, index, number int) (any, error) {
	o := d.streams[in]
	if o == nil {
		var err error
		if o, err = d.unpack(in); err != nil {
			return nil, err
		}
		if d.held += len(o.data) + 8*len(o.numbers); d.held > maxCached || d.streams == nil {
			d.streams, d.held = map[int]*objects{}, len(o.data)+8*len(o.numbers)
		}
		d.streams[in] = o
	}
	if index >= len(o.numbers) || int(o.numbers[index]) != number {
		return nil, ErrBroken
	}
	at := int64(o.at[index])
	if at >= int64(len(o.data)) {
		return nil, ErrBroken
	}
	v, err := newLexer(bytes.NewReader(o.data), at).value(0)
	if _, bad := v.(keyword); bad {
		return nil, ErrBroken
	}
	return v, err
}

// unpack decodes an object stream: as much of it as may be held.
func (d *document) unpack(number int) (*objects, error) {
	if d.table.get(number).kind != inFile { // no stream is in a stream
		return nil, ErrBroken
	}
	// Its own dictionary may name an object that is in it.
	if d.depth++; d.depth > maxUnpacking {
		return nil, ErrBroken
	}
	defer func() { d.depth-- }()
	v, err := d.load(number)
	if err != nil {
		return nil, err
	}
	s, ok := v.(stream)
	if !ok || s.dict["Type"] != name("ObjStm") {
		return nil, ErrBroken
	}
	n, err := d.integer(s.dict["N"], maxInside)
	if err != nil {
		return nil, err
	}
	first, err := d.integer(s.dict["First"], maxDecoded)
	if err != nil {
		return nil, err
	}
	r, err := d.decode(s, false)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxDecoded))
	if err != nil || len(data) < first {
		return nil, ErrBroken
	}
	o := &objects{data: data[first:]}
	l := newLexer(bytes.NewReader(data[:first]), 0)
	for range n {
		number, ok1 := l.whole()
		at, ok2 := l.whole()
		if !ok1 || !ok2 || number > maxObject || at > maxDecoded {
			return nil, ErrBroken
		}
		o.numbers, o.at = append(o.numbers, uint32(number)), append(o.at, uint32(at))
	}
	return o, nil
}

// decode returns the reader of a stream's bytes, which ends where they cannot
// be decoded any further, as other readers do. Streams of cross-references are
// never encrypted (7.5.8.2).
func (d *document) decode(s stream, plain bool) (io.Reader, error) {
	length, err := d.length(s, plain)
	if err != nil {
		return nil, err
	}
	var r io.Reader = bufio.NewReaderSize(io.NewSectionReader(d.src, s.at, length), 16<<10)
	if d.crypt != nil && !plain {
		if r, err = d.crypt.reader(r, s.number, s.gen); err != nil {
			return nil, err
		}
	}
	filter, params := s.dict["Filter"], s.dict["DecodeParms"]
	if a, ok := filter.(array); ok {
		if len(a) > 1 {
			return nil, ErrBroken // nobody packs objects twice
		}
		filter = nil
		if len(a) == 1 {
			filter = a[0]
		}
		if p, ok := params.(array); ok && len(p) > 0 {
			params = p[0]
		}
	}
	if plain { // references cannot be followed while they are being read
		if _, is := filter.(ref); is {
			return nil, ErrBroken
		}
	}
	if filter, err = d.resolve(filter); err != nil {
		return nil, err
	}
	switch filter {
	case nil:
		return r, nil
	case name("FlateDecode"), name("Fl"):
		var head [2]byte // RFC 1950 §2.2
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, ErrBroken
		}
		if head[0]&0x0f != 8 || head[1]&0x20 != 0 {
			return nil, ErrBroken
		}
		return d.predict(lenient{flate.NewReader(r)}, params)
	}
	return nil, ErrBroken
}

// lenient ends where its reader fails.
type lenient struct{ r io.Reader }

func (l lenient) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// length is a stream's. Where it lies, the stream ends with its last word.
func (d *document) length(s stream, plain bool) (int64, error) {
	v := s.dict["Length"]
	if _, is := v.(ref); is && plain {
		v = nil
	}
	n, err := d.integer(v, d.size)
	if err == nil && s.at+int64(n) <= d.size {
		l := newLexer(d.src, s.at+int64(n))
		l.space()
		if l.peek() == 'e' && l.word() == "endstream" {
			return int64(n), nil
		}
	}
	if end := find(d.src, s.at, "endstream"); end >= 0 {
		return end - s.at, nil
	}
	return max(d.size-s.at, 0), nil
}

// find is where word comes first from at on; -1 when it does not.
func find(r io.ReaderAt, at int64, word string) int64 {
	for buf := make([]byte, 2<<10); ; {
		n, err := r.ReadAt(buf, at)
		if i := bytes.Index(buf[:n], []byte(word)); i >= 0 {
			return at + int64(i)
		}
		if err != nil || n < len(word) {
			return -1
		}
		at += int64(n - len(word) + 1)
		if len(buf) < 64<<10 { // mostly it is near
			buf = make([]byte, 4*len(buf))
		}
	}
}

// predict undoes a predictor (7.4.4.4).
func (d *document) predict(r io.Reader, params any) (io.Reader, error) {
	if params == nil {
		return r, nil
	}
	p, ok := params.(dict)
	if !ok {
		return nil, ErrBroken
	}
	get := func(key name, otherwise int64) int64 {
		if v, ok := p[key].(int64); ok {
			return v
		}
		return otherwise
	}
	kind, colours, bits, columns := get("Predictor", 1), get("Colors", 1), get("BitsPerComponent", 8), get("Columns", 1)
	if kind == 1 {
		return r, nil
	}
	if kind < 10 || kind > 15 || colours < 1 || colours > 32 || bits < 1 || bits > 16 || columns < 1 || columns > maxRow {
		return nil, ErrBroken
	}
	size := (colours*bits*columns + 7) / 8
	if size > maxRow {
		return nil, ErrBroken
	}
	return &png{r: r, step: int(max(colours*bits/8, 1)), row: make([]byte, size+1), above: make([]byte, size)}, nil
}

// png undoes the filters of PNG (ISO/IEC 15948 §9).
type png struct {
	r          io.Reader
	step       int
	row, above []byte // row begins with its filter
	rest       []byte
}

func (p *png) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		if _, err := io.ReadFull(p.r, p.row); err != nil {
			return 0, io.EOF
		}
		cur := p.row[1:]
		for i := range cur {
			var left, corner byte
			if i >= p.step {
				left, corner = cur[i-p.step], p.above[i-p.step]
			}
			switch p.row[0] {
			case 1:
				cur[i] += left
			case 2:
				cur[i] += p.above[i]
			case 3:
				cur[i] += byte((int(left) + int(p.above[i])) / 2)
			case 4:
				cur[i] += paeth(left, p.above[i], corner)
			}
		}
		copy(p.above, cur)
		p.rest = p.above
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func paeth(a, b, c byte) byte {
	pa, pb, pc := abs(int(b)-int(c)), abs(int(a)-int(c)), abs(int(a)+int(b)-2*int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

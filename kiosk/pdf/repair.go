package pdf

import (
	"bytes"
	"math"
)

// look is how much of an object says what it is.
const look = 512

// repair makes the cross-references anew from the objects themselves, when
// those that are there do not hold; a later object stands for an earlier one of
// its number.
func (d *document) repair() error {
	s := &scan{d: d}
	for s.step() {
	}
	for _, number := range s.packed {
		if err := d.adopt(number); err != nil {
			return err
		}
	}
	if d.root == nil && s.catalog > 0 {
		d.root = ref(s.catalog)
	}
	if d.root == nil {
		return ErrBroken
	}
	return nil
}

// adopt enters the objects of an object stream.
func (d *document) adopt(number int) error {
	if d.encrypt != nil && d.crypt == nil {
		enc, err := d.dict(d.encrypt)
		if err != nil {
			return err
		}
		if d.crypt, err = newSecurity(d, enc, d.id); err != nil {
			return err
		}
	}
	o, err := d.unpack(number)
	if err != nil {
		return nil // it was replaced by something else, or it is torn: its objects are missing
	}
	for i, n := range o.numbers {
		if e := d.table.get(int(n)); e.kind != inFile || e.at < d.table.get(number).at {
			d.table.replace(int(n), entry{uint32(number), uint32(i), inStream})
		}
	}
	return nil
}

// scan looks through the file for objects and trailers. What lies in streams is
// passed over: a document may carry another.
type scan struct {
	d       *document
	at      int64
	next    [3]int64 // where each word of scanned comes next; behind at, unless it was passed
	packed  []int    // object streams, in the order of the file
	catalog int
	open    bool // no stream ends any more
}

var scanned = [3]string{"obj", "stream", "trailer"}

func (s *scan) step() bool {
	best := -1
	for i, word := range scanned {
		if s.next[i] < s.at || s.at == 0 && s.next[i] == 0 {
			if s.next[i] = find(s.d.src, s.at, word); s.next[i] < 0 {
				s.next[i] = math.MaxInt64
			}
		}
		if s.next[i] != math.MaxInt64 && (best < 0 || s.next[i] < s.next[best]) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	at := s.next[best]
	s.at = at + int64(len(scanned[best]))
	switch best {
	case 0:
		s.object(at)
	case 1:
		if s.open {
			break
		}
		if end := find(s.d.src, s.at, "endstream"); end >= 0 {
			s.at = end + int64(len("endstream"))
		} else {
			s.open = true
		}
	case 2:
		if v, err := newLexer(s.d.src, s.at).value(0); err == nil {
			if t, ok := v.(dict); ok {
				s.trailer(t)
			}
		}
	}
	return true
}

// trailer takes the last of each word: a later trailer is a newer one.
func (s *scan) trailer(t dict) {
	newer := document{}
	newer.trailer(t)
	if newer.root != nil {
		s.d.root = newer.root
	}
	if newer.encrypt != nil {
		s.d.encrypt = newer.encrypt
	}
	if newer.id != nil {
		s.d.id = newer.id
	}
}

// object enters the object whose word "obj" is at.
func (s *scan) object(at int64) {
	var b [24]byte
	from := max(at-int64(len(b)), 0)
	n, _ := s.d.src.ReadAt(b[:at-from], from)
	gap := b[:n]
	// "12 0 ", backwards.
	i := len(gap)
	back := func(is func(int) bool) int {
		k := i
		for i > 0 && is(int(gap[i-1])) {
			i--
		}
		return k - i
	}
	if back(isSpace) == 0 || back(isDigit) == 0 || back(isSpace) == 0 || back(isDigit) == 0 {
		return
	}
	start := from + int64(i)
	l := newLexer(s.d.src, start)
	number, ok := l.header()
	if !ok || number == 0 {
		return
	}
	s.d.table.replace(number, entry{uint32(start - s.d.base), 0, inFile})
	var head [look]byte
	n, _ = s.d.src.ReadAt(head[:], s.at)
	h := head[:n]
	if end := bytes.Index(h, []byte("endobj")); end >= 0 {
		h = h[:end]
	}
	switch {
	case bytes.Contains(h, []byte("/ObjStm")):
		s.packed = append(s.packed, number)
	case bytes.Contains(h, []byte("/XRef")):
		if v, err := l.object(); err == nil {
			if x, ok := v.(stream); ok && x.dict["Type"] == name("XRef") {
				s.trailer(x.dict)
			}
		}
	case bytes.Contains(h, []byte("/Catalog")):
		s.catalog = number
	}
}

package pdf

import (
	"io"
	"strconv"
)

// Values of a document: nil, bool, int64, float64, text, name, array, dict,
// ref, stream, and keyword for a word that is none of them.
type (
	name    string
	text    []byte
	array   []any
	dict    map[name]any
	ref     int // the object's number; generations do not tell objects apart
	keyword string
)

// stream is a dictionary with bytes behind it, which begin at at.
type stream struct {
	number int
	gen    int
	dict   dict
	at     int64
}

// lexer reads values from at on (7.2, 7.3).
type lexer struct {
	src    io.ReaderAt
	at     int64 // of store[0]
	pos, n int
	number int // of the object whose header was read
	gen    int
	left   int // values that may still come
	store  [4096]byte
}

func newLexer(src io.ReaderAt, at int64) *lexer { return &lexer{src: src, at: at, left: maxValues} }

func (l *lexer) offset() int64 { return l.at + int64(l.pos) }

func (l *lexer) seek(at int64) {
	if at >= l.at && at <= l.at+int64(l.n) {
		l.pos = int(at - l.at)
		return
	}
	l.at, l.pos, l.n = at, 0, 0
}

// peek is the next byte, or -1 at the end.
func (l *lexer) peek() int {
	if l.pos == l.n {
		l.at, l.pos, l.n = l.at+int64(l.n), 0, 0
		if l.at < 0 {
			return -1
		}
		if l.n, _ = l.src.ReadAt(l.store[:], l.at); l.n <= 0 {
			l.n = 0
			return -1
		}
	}
	return int(l.store[l.pos])
}

func (l *lexer) next() int {
	c := l.peek()
	if c >= 0 {
		l.pos++
	}
	return c
}

func isSpace(c int) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c int) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func isDigit(c int) bool { return c >= '0' && c <= '9' }

// space skips white space and comments.
func (l *lexer) space() {
	for {
		switch c := l.peek(); {
		case isSpace(c):
			l.pos++
		case c == '%':
			for c >= 0 && c != '\n' && c != '\r' {
				c = l.next()
			}
		default:
			return
		}
	}
}

// word reads up to the next space or delimiter; a long one is cut.
func (l *lexer) word() string {
	var b [64]byte
	w := b[:0]
	for c := l.peek(); c >= 0 && !isSpace(c) && !isDelimiter(c); c = l.peek() {
		if len(w) < cap(w) {
			w = append(w, byte(c))
		}
		l.pos++
	}
	return string(w)
}

// whole reads a whole number that is not negative.
func (l *lexer) whole() (int64, bool) {
	l.space()
	n, digits := int64(0), 0
	for c := l.peek(); isDigit(c); c = l.peek() {
		if digits++; digits > 18 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
		l.pos++
	}
	return n, digits > 0
}

// header reads "12 0 obj".
func (l *lexer) header() (number int, ok bool) {
	n, ok1 := l.whole()
	g, ok2 := l.whole()
	if !ok1 || !ok2 || n > maxObject {
		return 0, false
	}
	l.space()
	for _, c := range "obj" {
		if l.next() != int(c) {
			return 0, false
		}
	}
	l.number, l.gen = int(n), int(g)
	return int(n), true
}

// object reads what follows a header: a value, or a stream.
func (l *lexer) object() (any, error) {
	v, err := l.value(0)
	if err != nil {
		return nil, err
	}
	if k, ok := v.(keyword); ok {
		if k == "endobj" {
			return nil, nil
		}
		return nil, ErrBroken
	}
	m, ok := v.(dict)
	if !ok {
		return v, nil
	}
	l.space()
	if l.peek() != 's' || l.word() != "stream" {
		return v, nil
	}
	// The word ends with a line feed, with or without a carriage return (7.3.8.1).
	if l.peek() == '\r' {
		l.pos++
	}
	if l.peek() == '\n' {
		l.pos++
	}
	return stream{l.number, l.gen, m, l.offset()}, nil
}

func (l *lexer) value(depth int) (any, error) {
	if l.left--; l.left < 0 || depth > maxNesting {
		return nil, ErrBroken
	}
	l.space()
	switch c := l.peek(); {
	case c < 0:
		return nil, ErrBroken
	case c == '/':
		return l.name(), nil
	case c == '(':
		return l.literal()
	case c == '[':
		return l.array(depth)
	case c == '<':
		l.pos++
		if l.peek() == '<' {
			l.pos++
			return l.dict(depth)
		}
		return l.hex()
	case isDigit(c) || c == '+' || c == '-' || c == '.':
		return l.numberOrRef()
	case isDelimiter(c):
		return nil, ErrBroken
	}
	switch w := l.word(); w {
	case "null":
		return nil, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return keyword(w), nil
	}
}

func (l *lexer) numberOrRef() (any, error) {
	w := l.word()
	n, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return float64(0), nil // readers take what is no number for one
		}
		return f, nil
	}
	if n < 0 || n > maxObject || !isSpace(l.peek()) && l.peek() != '%' {
		return n, nil
	}
	// "12 0 R" is a reference.
	back := l.offset()
	if _, ok := l.whole(); ok {
		l.space()
		if l.peek() == 'R' && l.word() == "R" {
			return ref(n), nil
		}
	}
	l.seek(back)
	return n, nil
}

func (l *lexer) name() name {
	l.pos++
	var w []byte
	for c := l.peek(); c >= 0 && !isSpace(c) && !isDelimiter(c); c = l.peek() {
		l.pos++
		if c == '#' { // two hexadecimal digits (7.3.5)
			if hi := fromHex(l.peek()); hi >= 0 {
				l.pos++
				if lo := fromHex(l.peek()); lo >= 0 {
					l.pos++
					c = hi<<4 | lo
				} else {
					w = append(w, '#')
					c = int(l.store[l.pos-1])
				}
			}
		}
		if len(w) < 128 {
			w = append(w, byte(c))
		}
	}
	return name(w)
}

func fromHex(c int) int {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return -1
}

func (l *lexer) hex() (any, error) {
	var b text
	half := -1
	for {
		c := l.next()
		if c < 0 {
			return nil, ErrBroken
		}
		if c == '>' {
			if half >= 0 {
				b = b.with(half << 4)
			}
			return b, nil
		}
		h := fromHex(c)
		switch {
		case h < 0:
		case half < 0:
			half = h
		default:
			b, half = b.with(half<<4|h), -1
		}
	}
}

func (t text) with(c int) text {
	if len(t) == maxString {
		return t
	}
	return append(t, byte(c))
}

// escapes are what follows a backslash (7.3.4.2, table 3).
var escapes = map[int]int{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}

func (l *lexer) literal() (any, error) {
	l.pos++
	var b text
	for open := 1; ; {
		c := l.next()
		switch c {
		case -1:
			return nil, ErrBroken
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return b, nil
			}
		case '\\':
			c = l.next()
			if e, ok := escapes[c]; ok {
				c = e
				break
			}
			if c == '\r' || c == '\n' { // the line goes on
				if c == '\r' && l.peek() == '\n' {
					l.pos++
				}
				continue
			}
			if c >= '0' && c <= '7' {
				c -= '0'
				for range 2 {
					if o := l.peek(); o >= '0' && o <= '7' {
						c = c<<3 | (o - '0')
						l.pos++
					}
				}
			}
		case '\r':
			if l.peek() == '\n' {
				l.pos++
			}
			c = '\n'
		}
		b = b.with(c)
	}
}

func (l *lexer) array(depth int) (any, error) {
	l.pos++
	a := array{}
	for {
		l.space()
		if l.peek() == ']' {
			l.pos++
			return a, nil
		}
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, bad := v.(keyword); bad {
			return nil, ErrBroken
		}
		a = append(a, v)
	}
}

func (l *lexer) dict(depth int) (any, error) {
	m := dict{}
	for {
		l.space()
		switch l.peek() {
		case '>':
			l.pos++
			if l.next() != '>' {
				return nil, ErrBroken
			}
			return m, nil
		case '/':
		default:
			return nil, ErrBroken
		}
		key := l.name()
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, bad := v.(keyword); bad {
			return nil, ErrBroken
		}
		if _, twice := m[key]; twice {
			switch key {
			// Some readers take the first and some the last: what is
			// counted must be what is printed.
			case "Type", "Kids", "Pages", "Root", "Encrypt", "N", "First", "W", "Index":
				return nil, ErrBroken
			}
		}
		m[key] = v
	}
}

package scan

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"unicode/utf16"
)

// Shortest is the fewest letters of a marker: each of its forms then holds a
// whole word of eight bytes wherever it begins, which is what the search reads.
const Shortest = 16

// Hit is one place where the marker was found.
type Hit struct {
	Place string // path, or "pid 12 (chromium) 7f00…-7f01… [heap]"
	As    string // the form found: utf-8, utf-16…
	Rest  string // letters that follow the marker there, at most longest
}

// String leaves out what was found: whoever prints a hit would plant it.
func (h Hit) String() string { return h.Place + " as " + h.As }

// Result is what was looked at, and what was found.
type Result struct {
	Hits    []Hit
	Looked  int   // files or processes
	Bytes   int64 // read
	Skipped []string
}

// Add takes another result in.
func (r *Result) Add(o Result) {
	r.Hits = append(r.Hits, o.Hits...)
	r.Looked += o.Looked
	r.Bytes += o.Bytes
	r.Skipped = append(r.Skipped, o.Skipped...)
}

// Finder finds one marker in whatever form programs hold text.
type Finder struct {
	forms  []form
	words  map[uint64][]word
	filter [1024]uint64 // one bit for each hash of a word
}

// form is one way to write the marker, and to read what follows it.
type form struct {
	name  string
	bytes []byte
	rest  func(found []byte) string // from where bytes begin
}

// word says that a form holds these eight bytes at an offset.
type word struct{ form, at int }

const (
	chunk   = 1 << 20
	overlap = 512 // bytes kept from one chunk to the next: a marker in any form, with what follows
	longest = 32  // letters of a rest
)

// New makes a finder. The marker is of plain letters and digits, at least
// Shortest of them.
func New(marker string) *Finder {
	f := &Finder{forms: forms(marker), words: map[uint64][]word{}}
	for i, m := range f.forms {
		for at := range 8 {
			if at+8 > len(m.bytes) {
				break
			}
			w := binary.LittleEndian.Uint64(m.bytes[at:])
			f.words[w] = append(f.words[w], word{i, at})
			h := hash(w)
			f.filter[h>>6] |= 1 << (h & 63)
		}
	}
	return f
}

func hash(w uint64) uint64 { return w * 0x9E3779B97F4A7C15 >> 48 }

// Forms names what a finder knows.
func (f *Finder) Forms() (names []string) {
	for _, m := range f.forms {
		names = append(names, m.name)
	}
	return names
}

func forms(marker string) []form {
	letters := func(s string) string {
		for i := range len(s) {
			if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') || i == longest {
				return s[:i]
			}
		}
		return s
	}
	every := func(step int) func([]byte) string { // a letter each step bytes
		return func(b []byte) string {
			var s []byte
			for i := len(marker) * step; i < len(b); i += step {
				for _, zero := range b[i+1 : min(i+step, len(b))] {
					if zero != 0 {
						return letters(string(s))
					}
				}
				s = append(s, b[i])
			}
			return letters(string(s))
		}
	}
	wide := func(step int) (out []byte) {
		for _, u := range utf16.Encode([]rune(marker)) {
			out = append(out, byte(u), byte(u>>8))
			out = append(out, make([]byte, step-2)...)
		}
		return out
	}
	fromHex := func(b []byte) string {
		n := 0
		for n < len(b) && strings.IndexByte("0123456789abcdefABCDEF", b[n]) >= 0 {
			n++
		}
		text, err := hex.DecodeString(string(b[:n&^1]))
		if err != nil || len(text) < len(marker) {
			return ""
		}
		return letters(string(text[len(marker):]))
	}
	percent := func(b []byte) string {
		n := 0
		for n+3 <= len(b) && b[n] == '%' {
			n += 3
		}
		text, err := url.PathUnescape(string(b[:n]))
		if err != nil || len(text) < len(marker) {
			return ""
		}
		return letters(text[len(marker):])
	}
	var lower, upper strings.Builder
	for _, c := range []byte(marker) {
		lower.WriteString("%" + hex.EncodeToString([]byte{c}))
		upper.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	all := []form{
		{"utf-8", []byte(marker), every(1)},
		{"utf-16", wide(2), every(2)},
		{"utf-32", wide(4), every(4)},
		{"hex", []byte(hex.EncodeToString([]byte(marker))), fromHex},
		{"HEX", []byte(strings.ToUpper(hex.EncodeToString([]byte(marker)))), fromHex},
		{"percent", []byte(lower.String()), percent},
		{"PERCENT", []byte(upper.String()), percent},
	}
	// Three bytes become four letters: what stands before decides on which of
	// them the marker begins. The letters that the marker alone decides are looked for.
	for before := range 3 {
		skip := (3 - before) % 3
		whole := marker[skip:]
		whole = whole[:len(whole)/3*3]
		all = append(all, form{"base64/" + string(rune('0'+before)), []byte(base64.StdEncoding.EncodeToString([]byte(whole))), func(b []byte) string {
			n := 0
			for n < len(b) && (b[n] >= 'A' && b[n] <= 'Z' || b[n] >= 'a' && b[n] <= 'z' || b[n] >= '0' && b[n] <= '9' || b[n] == '+' || b[n] == '/') {
				n++
			}
			text, err := base64.RawStdEncoding.DecodeString(string(b[:n&^3]))
			if err != nil || len(text) < len(marker)-skip {
				return ""
			}
			return letters(string(text[len(marker)-skip:]))
		}})
	}
	return all
}

// find calls hit for each place of b in which a form begins.
func (f *Finder) find(b []byte, hit func(form, at int)) {
	for i := 0; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if w == 0 {
			continue
		}
		if h := hash(w); f.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, x := range f.words[w] {
			at, want := i-x.at, f.forms[x.form].bytes
			if at >= 0 && at+len(want) <= len(b) && string(b[at:at+len(want)]) == string(want) {
				hit(x.form, at)
			}
		}
	}
}

// found is one hit inside of one place.
type found struct{ as, rest string }

// stream reads r to its end and returns what occurs in it, each once. buf is
// overlap+chunk bytes long.
func (f *Finder) stream(r io.Reader, buf []byte) (all []found, n int64, err error) {
	seen := map[found]bool{}
	have := 0
	for {
		m, err := io.ReadFull(r, buf[have:])
		n += int64(m)
		have += m
		last := err != nil
		f.find(buf[:have], func(form, at int) {
			// What follows may not be read yet: the next round sees it whole.
			if !last && at+overlap > have {
				return
			}
			x := found{f.forms[form].name, f.forms[form].rest(buf[at:min(have, at+overlap)])}
			if !seen[x] {
				seen[x] = true
				all = append(all, x)
			}
		})
		if last {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = nil
			}
			return all, n, err
		}
		keep := min(overlap, have)
		copy(buf, buf[have-keep:have])
		have = keep
	}
}

// name searches the name of a file.
func (f *Finder) name(s string) (all []found) {
	f.find(append([]byte(s), 0, 0, 0, 0, 0, 0, 0, 0), func(form, at int) {
		all = append(all, found{"name, " + f.forms[form].name, f.forms[form].rest([]byte(s)[at:])})
	})
	return all
}

// crew shares work out to as many goroutines as there are processors. A job may
// give out more.
type crew struct {
	mu      sync.Mutex
	more    *sync.Cond
	jobs    []func(buf []byte)
	waiting int
	size    int
}

func newCrew() *crew {
	c := &crew{size: runtime.GOMAXPROCS(0)}
	c.more = sync.NewCond(&c.mu)
	return c
}

func (c *crew) give(job func(buf []byte)) {
	c.mu.Lock()
	c.jobs = append(c.jobs, job)
	c.mu.Unlock()
	c.more.Signal()
}

// run returns when every job is done.
func (c *crew) run() {
	var all sync.WaitGroup
	for range c.size {
		all.Go(func() {
			buf := make([]byte, overlap+chunk)
			for {
				c.mu.Lock()
				for len(c.jobs) == 0 {
					if c.waiting++; c.waiting == c.size {
						c.more.Broadcast()
						c.mu.Unlock()
						return
					}
					c.more.Wait()
					if c.waiting == c.size && len(c.jobs) == 0 {
						c.mu.Unlock()
						return
					}
					c.waiting--
				}
				job := c.jobs[len(c.jobs)-1]
				c.jobs = c.jobs[:len(c.jobs)-1]
				c.mu.Unlock()
				job(buf)
			}
		})
	}
	all.Wait()
}

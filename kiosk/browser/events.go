package browser

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxQueued bounds the events that wait for one subscriber.
const maxQueued = 4096

// errSlow ends a subscription whose owner does not read.
var errSlow = errors.New("cannot keep the browser's events: too many wait to be read")

// Subscription delivers chosen events in order. C is closed when the pipe
// ends, when Close is called, or when the owner lags 4,096 events behind: a
// lost event would be a tab or a crash unseen, so it is an end instead.
type Subscription struct {
	C    <-chan Event
	c    chan Event
	want map[string]bool
	p    *Pipe
	once sync.Once
	err  error
}

// Subscribe delivers the named events from now on.
func (p *Pipe) Subscribe(methods ...string) *Subscription {
	s := &Subscription{c: make(chan Event, maxQueued), want: map[string]bool{}, p: p}
	s.C = s.c
	for _, m := range methods {
		s.want[m] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		s.end(p.err)
		return s
	}
	p.subs[s] = struct{}{}
	return s
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	delete(s.p.subs, s)
	s.end(ErrClosed)
}

// Err says why C was closed.
func (s *Subscription) Err() error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return s.err
}

// put and end run under the pipe's lock.
func (s *Subscription) put(e Event) bool {
	select {
	case s.c <- e:
		return true
	default:
		s.end(errSlow)
		return false
	}
}

func (s *Subscription) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.c)
	})
}

// frameReader splits a stream into NUL-ended messages of at most max bytes.
// What a browser says may quote a person's pages, so nothing read is left in
// the buffer: next overwrites the message that it gave before, and growing
// overwrites the old buffer.
type frameReader struct {
	r          io.Reader
	max        int
	buf        []byte
	start, end int // unread bytes are buf[start:end]
	given      int // length of the message that next gave, before start
}

const frameBuffer = 64 << 10

func newFrameReader(r io.Reader, max int) *frameReader {
	return &frameReader{r: r, max: max, buf: make([]byte, min(frameBuffer, max+1))}
}

// next returns one message without its NUL; it is valid until the next call.
// A stream that ends inside a message is io.ErrUnexpectedEOF.
func (f *frameReader) next() ([]byte, error) {
	f.forget()
	searched := 0
	for {
		if i := bytes.IndexByte(f.buf[f.start+searched:f.end], 0); i >= 0 {
			msg := f.buf[f.start : f.start+searched+i]
			f.start += len(msg) + 1
			f.given = len(msg) + 1
			return msg, nil
		}
		searched = f.end - f.start
		if searched > f.max {
			f.wipe()
			return nil, fmt.Errorf("%w (a message passes %d bytes)", ErrClosed, f.max)
		}
		f.makeRoom()
		n, err := f.r.Read(f.buf[f.end:])
		f.end += n
		if n > 0 {
			continue
		}
		switch {
		case err == nil:
			err = io.ErrNoProgress // a pipe in order never does this
		case errors.Is(err, io.EOF) && searched > 0:
			err = io.ErrUnexpectedEOF
		}
		f.wipe()
		return nil, err
	}
}

// forget overwrites the message given before.
func (f *frameReader) forget() {
	clear(f.buf[f.start-f.given : f.start])
	f.given = 0
	if f.start == f.end {
		f.start, f.end = 0, 0
		if len(f.buf) > 1<<20 {
			f.buf = make([]byte, min(frameBuffer, f.max+1)) // clear already: one large message is not held for ever
		}
	}
}

// makeRoom moves unread bytes to the front and grows the buffer when full.
func (f *frameReader) makeRoom() {
	if f.end < len(f.buf) {
		return
	}
	old := f.buf
	to := old
	if f.start == 0 {
		to = make([]byte, min(2*len(old), f.max+1))
	}
	n := copy(to, old[f.start:f.end])
	if f.start == 0 {
		clear(old)
	} else {
		clear(old[n:])
	}
	f.buf, f.start, f.end = to, 0, n
}

func (f *frameReader) wipe() {
	clear(f.buf)
	f.start, f.end, f.given = 0, 0, 0
}

// Package browser drives the terminal's two Chromium processes over their
// DevTools debugging pipes: the shell (through lorca, behind a stand-in
// executable) and each session's browser. It also builds the managed policy
// and the portal page that a session opens on. It starts no browser: whoever
// isolates one hands over the two descriptors of its pipe.
package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// MaxMessage bounds one message from a browser, in bytes: a screenshot of
	// a large display fits, a runaway page's answer does not.
	MaxMessage = 32 << 20
	// callDeadline bounds a call whose context has no deadline of its own.
	callDeadline = 10 * time.Second
	// writeDeadline bounds the writing of one command; a browser that does not
	// read for so long is lost.
	writeDeadline = 5 * time.Second
)

// ErrClosed says that the browser's end of the pipe is gone, or that the pipe
// was closed here.
var ErrClosed = errors.New("cannot talk to the browser: its debugging pipe is closed; start it again")

// Event is something that a browser reports unasked.
type Event struct {
	Method  string
	Session string // CDP session id; empty for the browser itself
	Params  json.RawMessage
}

// RemoteError is a browser's refusal of one call. The browser's own message may
// quote page text, so it is not kept.
type RemoteError struct {
	Method string `json:"-"`
	Code   int    `json:"code"` // JSON-RPC
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("cannot do %s in the browser: it answered code %d", e.Method, e.Code)
}

// Pipe speaks the Chrome DevTools Protocol over --remote-debugging-pipe: JSON
// messages, each ended by a NUL byte. It is safe for concurrent use and owns
// one goroutine, which ends with the pipe.
type Pipe struct {
	w      *os.File
	r      *os.File
	wmu    sync.Mutex // one command at a time on the wire
	mu     sync.Mutex
	nextID int64
	calls  map[int64]chan frame
	subs   map[*Subscription]struct{}
	err    error
	done   chan struct{}
}

// frame is one message of either kind.
type frame struct {
	ID        int64           `json:"id"`
	SessionID string          `json:"sessionId"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	Result    json.RawMessage `json:"result"`
	Error     *RemoteError    `json:"error"`
}

// command is one message to the browser.
type command struct {
	ID        int64  `json:"id"`
	SessionID string `json:"sessionId,omitempty"`
	Method    string `json:"method"`
	Params    any    `json:"params,omitempty"`
}

// NewPipe takes over r (the browser's answers) and w (commands to it): it
// closes both when the pipe ends.
func NewPipe(r, w *os.File) (*Pipe, error) {
	pr, err := pollable(r)
	if err != nil {
		w.Close()
		return nil, err
	}
	pw, err := pollable(w)
	if err != nil {
		pr.Close()
		return nil, err
	}
	p := &Pipe{r: pr, w: pw, calls: map[int64]chan frame{}, subs: map[*Subscription]struct{}{}, done: make(chan struct{})}
	go p.read()
	return p, nil
}

// pollable replaces f by a descriptor in non-blocking mode: only then do
// deadlines work, and does Close wake a pending Read. Descriptors that arrive
// over SCM_RIGHTS are in blocking mode.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("cannot use the browser's debugging pipe: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(old uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, dupErr = syscall.Dup(int(old)); dupErr == nil {
			syscall.CloseOnExec(fd)
			dupErr = syscall.SetNonblock(fd, true)
		}
	})
	if err = errors.Join(err, dupErr); err != nil {
		if fd >= 0 {
			syscall.Close(fd)
		}
		return nil, fmt.Errorf("cannot use the browser's debugging pipe: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Call runs one command in a CDP session ("" is the browser itself) and
// decodes its result into out, which may be nil. It returns by ctx's deadline,
// or after ten seconds when ctx has none.
func (p *Pipe) Call(ctx context.Context, session, method string, params, out any) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callDeadline)
		defer cancel()
	}
	answer := make(chan frame, 1)
	p.mu.Lock()
	if p.err != nil {
		p.mu.Unlock()
		return p.Err()
	}
	p.nextID++
	id := p.nextID
	p.calls[id] = answer
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.calls, id)
		p.mu.Unlock()
		select {
		case late := <-answer: // after the deadline: nobody reads it
			clear(late.Result)
		default:
		}
	}()
	b, err := json.Marshal(command{ID: id, SessionID: session, Method: method, Params: params})
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", method, err)
	}
	if err := p.write(append(b, 0)); err != nil {
		return fmt.Errorf("cannot send %s: %w", method, err)
	}
	select {
	case f := <-answer:
		if f.Error != nil {
			f.Error.Method = method
			return f.Error
		}
		defer clear(f.Result) // it may quote a page
		if out == nil || len(f.Result) == 0 {
			return nil
		}
		if err := json.Unmarshal(f.Result, out); err != nil {
			return fmt.Errorf("cannot read the answer to %s: %w", method, err)
		}
		return nil
	case <-p.done:
		return p.Err()
	case <-ctx.Done():
		return fmt.Errorf("cannot wait longer for %s: %w", method, ctx.Err())
	}
}

func (p *Pipe) write(b []byte) error {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	if err := p.w.SetWriteDeadline(time.Now().Add(writeDeadline)); err != nil {
		return err
	}
	if _, err := p.w.Write(b); err != nil {
		// Half a message may be out: the stream cannot be mended.
		p.fail(fmt.Errorf("%w (%v)", ErrClosed, err))
		return p.Err()
	}
	return nil
}

// Done is closed when the pipe has ended; Err then says why.
func (p *Pipe) Done() <-chan struct{} { return p.done }

// Err says why the pipe ended, and nil while it lives.
func (p *Pipe) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close ends the pipe. Chromium exits when its debugging pipe closes.
func (p *Pipe) Close() error {
	p.fail(ErrClosed)
	return nil
}

func (p *Pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	p.err = err
	close(p.done)
	for s := range p.subs {
		s.end(err)
	}
	p.subs = nil
	p.w.Close()
	p.r.Close()
}

func (p *Pipe) read() {
	fr := newFrameReader(p.r, MaxMessage)
	for {
		b, err := fr.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = ErrClosed
			} else if !errors.Is(err, ErrClosed) {
				err = fmt.Errorf("%w (%v)", ErrClosed, err)
			}
			p.fail(err)
			return
		}
		var f frame
		if json.Unmarshal(b, &f) != nil {
			p.fail(fmt.Errorf("%w (a message was not JSON)", ErrClosed))
			return
		}
		p.deliver(f)
	}
}

func (p *Pipe) deliver(f frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.calls[f.ID]; ok && f.ID != 0 {
		delete(p.calls, f.ID)
		c <- f // has room for its one answer
		return
	}
	defer clear(f.Result)
	defer clear(f.Params)
	if f.ID != 0 {
		return // nobody waits for it any more
	}
	for s := range p.subs {
		if s.want[f.Method] && !s.put(Event{Method: f.Method, Session: f.SessionID, Params: bytes.Clone(f.Params)}) {
			delete(p.subs, s)
		}
	}
}

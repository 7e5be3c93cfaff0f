// Package wedge reads USB badge readers that type like a keyboard, through evdev.
//
// The device is grabbed (EVIOCGRAB): what it types reaches nobody else, so that
// no card's number ends in a page. If the agent is killed the kernel lets go of
// the grab with it, and a card held out then types into whatever has the focus:
// give the reader's node to the agent's user and tell the display server to
// ignore it (LIBINPUT_IGNORE_DEVICE in a udev rule) where that matters.
//
// go-evdev would do, but for two things: its errors drop the system's number, by
// which a reader that was unplugged is told from one that is refused, and its
// tables of names weigh more than this driver. Its uinput half types in the tests.
package wedge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"borne/hw"

	"golang.org/x/sys/unix"
)

// Clock is the time that taps are told in: monotonic, since the process began.
type Clock interface{ Now() time.Duration }

// Options tune a reader. Zero values take the defaults; Clock is required.
type Options struct {
	Name   string        // for errors and logs; default: the path
	Format Format        // default Dec10
	End    End           // default EndEnter
	Gap    time.Duration // between two keys of one number at most, 20 ms to 1 s; default 150 ms
	Clock  Clock
	Log    *slog.Logger // nil: silent
}

// Limits of Options.Gap.
const (
	MinGap     = 20 * time.Millisecond
	MaxGap     = time.Second
	DefaultGap = 150 * time.Millisecond
)

const (
	// heartbeat is how often a quiet reader is looked at.
	heartbeat = time.Second
	// sameVisit: some readers type a card that stays again and again.
	sameVisit = 1500 * time.Millisecond
)

func (o Options) withDefaults(path string) (Options, error) {
	if o.Name == "" {
		o.Name = path
	}
	if o.Format == "" {
		o.Format = Dec10
	}
	if o.End == "" {
		o.End = EndEnter
	}
	if o.Gap == 0 {
		o.Gap = DefaultGap
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Clock == nil:
		return o, fmt.Errorf("cannot open reader %s: Options.Clock is nil; give it the process's monotonic clock", o.Name)
	case !slices.Contains(Formats(), o.Format):
		return o, fmt.Errorf("cannot open reader %s: option format is %q; it must be one of %v", o.Name, o.Format, Formats())
	case !slices.Contains(Ends(), o.End):
		return o, fmt.Errorf("cannot open reader %s: option end is %q; it must be one of %v", o.Name, o.End, Ends())
	case o.Gap < MinGap || o.Gap > MaxGap:
		return o, fmt.Errorf("cannot open reader %s: option gap is %v; it must be between %v and %v", o.Name, o.Gap, MinGap, MaxGap)
	}
	return o, nil
}

// Reader is an open keyboard wedge. Next is for one goroutine at a time; Close
// and Beat are for any.
type Reader struct {
	f      *os.File
	opts   Options
	key    hw.BadgeKey
	typist typist
	buf    [64 * eventSize]byte
	rest   []byte // of buf, not looked at yet

	lastKey [32]byte // the badge of the last tap, and when it was typed last
	lastAt  time.Duration
	tapped  bool

	beat   atomic.Int64
	closed atomic.Bool
}

var _ hw.Reader = (*Reader)(nil)

// Open grabs the keyboard at path. key must not keep the UID.
func Open(path string, opts Options, key hw.BadgeKey) (*Reader, error) {
	opts, err := opts.withDefaults(path)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, fmt.Errorf("cannot open reader %s: no badge key; enrol the terminal first", opts.Name)
	}
	f, err := grab(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open reader %s: %w", opts.Name, err)
	}
	opts.Log.Debug("reader open", "reader", opts.Name, "format", string(opts.Format), "end", string(opts.End))
	return newReader(f, opts, key), nil
}

func newReader(f *os.File, opts Options, key hw.BadgeKey) *Reader {
	r := &Reader{f: f, opts: opts, key: key, typist: typist{end: opts.End, gap: opts.Gap}}
	r.beat.Store(int64(opts.Clock.Now()))
	return r
}

// Beat is when the reader was last seen to be there, on its clock.
func (r *Reader) Beat() time.Duration { return time.Duration(r.beat.Load()) }

// Close lets go of the keyboard. A blocked Next returns hw.ErrClosed.
func (r *Reader) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.f.Close()
}

// Next implements hw.Reader. What is typed and is no number in the reader's
// format is logged without its digits, and passed over.
func (r *Reader) Next(ctx context.Context) (hw.Tap, error) {
	if err := ctx.Err(); err != nil {
		return hw.Tap{}, err
	}
	// A deadline in the past ends a read that waits.
	defer context.AfterFunc(ctx, func() { _ = r.f.SetReadDeadline(time.Unix(1, 0)) })()
	for {
		if err := ctx.Err(); err != nil {
			return hw.Tap{}, err
		}
		done, err := r.read(ctx)
		if err != nil {
			r.typist.reset()
			if ctx.Err() != nil {
				return hw.Tap{}, ctx.Err()
			}
			return hw.Tap{}, fmt.Errorf("cannot read badges on %s: %w", r.opts.Name, err)
		}
		r.beat.Store(int64(r.opts.Clock.Now()))
		if !done {
			continue
		}
		if b, ok := r.badge(); ok {
			return hw.Tap{At: r.opts.Clock.Now(), Badges: []hw.Badge{b}}, nil
		}
	}
}

// read takes events until one completes a number, or the time for it has passed.
func (r *Reader) read(ctx context.Context) (done bool, err error) {
	for len(r.rest) >= eventSize {
		e := parseEvent(r.rest)
		if r.opts.End == EndTimeout && r.typist.late(e) {
			return true, nil // it is the next number's: it stays
		}
		clear(r.rest[:eventSize]) // a key's code is a digit of the UID
		r.rest = r.rest[eventSize:]
		if r.typist.key(e) {
			return true, nil
		}
	}
	wait := heartbeat
	if r.typist.pending() {
		wait = r.opts.Gap
	}
	deadline := time.Now().Add(wait)
	if err := r.f.SetReadDeadline(deadline); err != nil {
		return false, r.lost(err)
	}
	if ctx.Err() != nil { // it ended before the deadline was set, which has undone its own
		return false, ctx.Err()
	}
	n, err := r.f.Read(r.buf[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if time.Now().Before(deadline) {
			return false, nil // a context that has ended: this one's, or the last Next's
		}
		// The poller does not look once the deadline has passed, and we may have been
		// slow ourselves: keys that wait belong to the number.
		if n, err = r.look(); errors.Is(err, unix.EAGAIN) {
			return r.silence(), nil
		}
	}
	if err != nil {
		return false, r.lost(err)
	}
	if n == 0 {
		return false, io.ErrUnexpectedEOF
	}
	r.rest = r.buf[:n]
	return false, nil
}

// look reads what is there without waiting.
func (r *Reader) look() (n int, err error) {
	conn, err := r.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := conn.Control(func(fd uintptr) { n, err = unix.Read(int(fd), r.buf[:]) }); cerr != nil {
		return 0, cerr
	}
	return max(n, 0), err
}

// silence says what a pause means to what was typed before it.
func (r *Reader) silence() (done bool) {
	if !r.typist.pending() || r.opts.End == EndTimeout {
		return r.typist.pending()
	}
	r.opts.Log.Warn("a badge reader typed a number without its end; check option end", "reader", r.opts.Name, "end", string(r.opts.End))
	r.typist.reset()
	return false
}

// badge makes a badge of what was typed; ok is false when it is none, or the one
// that has just been read.
func (r *Reader) badge() (b hw.Badge, ok bool) {
	var u [uidMax]byte
	defer clear(u[:])
	defer r.typist.reset()
	typed, err := r.typist.take()
	n := 0
	if err == nil {
		n, err = r.opts.Format.decode(typed, &u)
	}
	if err != nil {
		r.opts.Log.Warn("a badge reader typed what is no card's number; check option format", "reader", r.opts.Name, "format", string(r.opts.Format), "why", err)
		return b, false
	}
	f := r.opts.Format
	// Four bytes are a random UID (ISO/IEC 14443-3, 6.5.4) only where they are a whole
	// UID: what is left of a longer one, or of a 125 kHz number, may begin with 08, too.
	random := (f == Hex || f == HexRev) && n == 4 && u[0] == 0x08
	b = hw.Badge{Key: r.key(u[:n:n]), Bytes: n, Random: random, Assurance: f.Assurance()}
	again := r.tapped && b.Key == r.lastKey && r.typist.last-r.lastAt < sameVisit
	r.lastKey, r.lastAt, r.tapped = b.Key, r.typist.last, true
	if !again {
		r.opts.Log.Debug("badge typed", "reader", r.opts.Name)
	}
	return b, !again
}

// lost turns what the system says of a keyboard that is gone into hw's errors.
func (r *Reader) lost(err error) error {
	switch {
	case r.closed.Load():
		return hw.ErrClosed
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: it was unplugged: %w", hw.ErrAbsent, err)
	}
	return err
}

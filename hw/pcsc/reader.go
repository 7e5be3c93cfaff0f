// Package pcsc reads badges through pcsc-lite's daemon, pcscd, and turns them
// into hw.Badges. It speaks the daemon's own protocol on its Unix socket, so that
// no C library is needed.
//
// It starts no goroutine and polls no card: Next waits for pcscd to tell of a
// change, and every two seconds asks it whether it lives. Cards are shared with
// other programs and left as they are. Raw UIDs live while one card is being
// read, in buffers that are zeroed after.
package pcsc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"borne/hw"
)

const (
	// heartbeat is how often a quiet daemon is asked whether it lives: one message
	// each way.
	heartbeat = 2 * time.Second
	// A card at the field's edge is asked again.
	maxTries = 3
	retryGap = 100 * time.Millisecond
)

// Reader is an open PC/SC reader. Next is for one goroutine at a time; Close and
// Beat are for any.
type Reader struct {
	opts   Options
	key    hw.BadgeKey
	reader string // its whole name
	beat   atomic.Int64

	mu     sync.Mutex // of the two below
	client *client    // nil: an ended context has spoilt it
	closed bool

	looked   bool
	visits   uint32        // pcscd's count at the visit that was dealt with last
	inField  bool          // and that is on
	trying   uint32        // the count at the visit whose card did not answer
	tries    int           // how often, so far
	tapped   bool          // and last is its badge
	last     hw.Badge      // of the visit that is on, or was
	lastSeen time.Duration // when a card was last known to be there
}

var _ hw.Reader = (*Reader)(nil)

// Open finds the reader. key must not keep the UID.
func Open(ctx context.Context, opts Options, key hw.BadgeKey) (*Reader, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, fmt.Errorf("cannot open reader %s: no badge key; enrol the terminal first", opts.Name)
	}
	r := &Reader{opts: opts, key: key}
	c, err := dial(ctx, opts.Socket, r.alive)
	if err != nil {
		return nil, fmt.Errorf("cannot open reader %s: %w", opts.Name, err)
	}
	r.client = c
	all, err := c.watch(ctx)
	var s readerState
	if err == nil {
		s, err = pick(all, opts.Match)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open reader %s: %w", opts.Name, err), c.close())
	}
	r.reader = s.name
	opts.Log.Debug("reader open", "reader", opts.Name, "pcsc_name", s.name, "readers", len(all))
	return r, nil
}

// Beat is when pcscd last answered, on the reader's clock.
func (r *Reader) Beat() time.Duration { return time.Duration(r.beat.Load()) }

func (r *Reader) alive() { r.beat.Store(int64(r.opts.Clock.Now())) }

// Close ends the connection. A blocked Next returns hw.ErrClosed.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.client == nil {
		return nil
	}
	return r.client.close()
}

// Next implements hw.Reader. A reader that was unplugged and a pcscd that has
// ended are hw.ErrAbsent.
func (r *Reader) Next(ctx context.Context) (hw.Tap, error) {
	for {
		if err := ctx.Err(); err != nil {
			return hw.Tap{}, err
		}
		b, err := r.step(ctx)
		switch {
		case err == nil && b != nil:
			r.opts.Log.Debug("badge entered the field", "reader", r.opts.Name)
			return hw.Tap{At: r.opts.Clock.Now(), Badges: []hw.Badge{*b}}, nil
		case err == nil:
		case r.isClosed():
			return hw.Tap{}, fmt.Errorf("cannot read badges on %s: %w", r.opts.Name, hw.ErrClosed)
		case ctx.Err() != nil:
			return hw.Tap{}, ctx.Err()
		default:
			return hw.Tap{}, fmt.Errorf("cannot read badges on %s: %w", r.opts.Name, err)
		}
	}
}

func (r *Reader) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// step waits for the reader's next change, and looks at it. It returns the badge
// of a card that has entered.
func (r *Reader) step(ctx context.Context) (*hw.Badge, error) {
	c, err := r.connected(ctx)
	if err != nil {
		return nil, err
	}
	b, err := r.look(ctx, c)
	if ctx.Err() != nil && c.broken { // also when the card was read
		r.spoil(c)
	}
	return b, err
}

func (r *Reader) look(ctx context.Context, c *client) (*hw.Badge, error) {
	if r.looked && c.waiting {
		// After a heartbeat without a change it is looked all the same, which pcscd has to answer.
		if _, err := c.changed(ctx, heartbeat); err != nil {
			return nil, err
		}
	}
	all, err := c.watch(ctx)
	if err != nil {
		return nil, err
	}
	r.looked = true
	i := slices.IndexFunc(all, func(s readerState) bool { return s.name == r.reader })
	if i < 0 {
		return nil, fmt.Errorf("%w: the reader was unplugged", hw.ErrAbsent)
	}
	return r.track(ctx, c, all[i])
}

// track follows the visits of cards, and reads those that have come.
func (r *Reader) track(ctx context.Context, c *client, s readerState) (*hw.Badge, error) {
	now := r.opts.Clock.Now()
	same := r.inField && s.visits == r.visits
	if !s.present {
		if r.inField {
			r.lastSeen = now
		}
		r.inField, r.tries = false, 0
		return nil, nil
	}
	if same {
		r.lastSeen = now
		return nil, nil
	}
	if s.visits != r.trying {
		r.trying, r.tries = s.visits, 0
	}
	r.tries++
	b, err := r.read(ctx, c)
	switch {
	case err == nil:
	case ctx.Err() != nil, c.broken, errors.Is(err, hw.ErrAbsent):
		return nil, err
	case r.tries < maxTries:
		return nil, r.opts.Clock.Sleep(ctx, retryGap)
	default:
		// Of a visit, not of the reader: once is enough.
		r.opts.Log.Warn("a card cannot be read", "reader", r.opts.Name, "why", err)
	}
	again := err == nil && r.tapped && now-r.lastSeen < r.opts.Leave && (b.Key == r.last.Key || b.Random && r.last.Random)
	r.visits, r.inField, r.tries, r.lastSeen = s.visits, true, 0, now
	if err != nil || again {
		return nil, nil
	}
	r.last, r.tapped = b, true
	return &b, nil
}

// connected returns the connection, made anew if need be.
func (r *Reader) connected(ctx context.Context) (*client, error) {
	r.mu.Lock()
	c, closed := r.client, r.closed
	r.mu.Unlock()
	if closed {
		return nil, hw.ErrClosed
	}
	if c != nil {
		return c, nil
	}
	c, err := dial(ctx, r.opts.Socket, r.alive)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.Join(hw.ErrClosed, c.close())
	}
	r.client = c
	return c, nil
}

func (r *Reader) spoil(c *client) {
	_ = c.close() // its only use is over
	r.mu.Lock()
	defer r.mu.Unlock()
	r.client = nil
}

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Client is the agent's side. Safe for concurrent use.
type Client struct {
	conn   *Conn
	events chan Event
	done   chan struct{}

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan reply
	closed  bool
}

type reply struct {
	answer Answer
	files  []*os.File
}

// NewClient speaks to the warden over f (descriptor 3 of the agent's process),
// which it takes over.
func NewClient(f *os.File) (*Client, error) {
	conn, err := FromFile(f)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the warden: %w", err)
	}
	c := &Client{conn: conn, events: make(chan Event, 16), done: make(chan struct{}), waiting: map[uint64]chan reply{}}
	go c.read()
	return c, nil
}

// Do asks for one verb and waits for its answer until ctx ends. The files are
// the caller's. An Answer.Error comes back as the error, with the Answer. The
// error is ErrClosed when the warden is gone: every sandbox died with it.
func (c *Client) Do(ctx context.Context, r Request) (Answer, []*os.File, error) {
	ch := make(chan reply, 1)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return Answer{}, nil, fmt.Errorf("cannot ask the warden: %w", ErrClosed)
	}
	c.next++
	r.ID = c.next
	c.waiting[r.ID] = ch
	c.mu.Unlock()
	defer c.forget(r.ID, ch)

	b, err := EncodeRequest(r)
	if err != nil {
		return Answer{}, nil, err
	}
	if err := c.conn.Send(b); err != nil {
		return Answer{}, nil, fmt.Errorf("cannot ask the warden: %w", err)
	}
	select {
	case rep := <-ch:
		if rep.answer.Error != "" {
			CloseAll(rep.files)
			return rep.answer, nil, errors.New(rep.answer.Error)
		}
		return rep.answer, rep.files, nil
	case <-ctx.Done():
		return Answer{}, nil, fmt.Errorf("cannot wait for the warden: %w", ctx.Err())
	case <-c.done:
		return Answer{}, nil, fmt.Errorf("cannot ask the warden: %w", ErrClosed)
	}
}

// forget drops a request; an answer that came meanwhile must not leak files.
func (c *Client) forget(id uint64, ch chan reply) {
	c.mu.Lock()
	delete(c.waiting, id)
	c.mu.Unlock()
	select {
	case rep := <-ch:
		CloseAll(rep.files)
	default:
	}
}

// Events delivers what the warden saw unasked. It is closed when the warden is
// gone. When nobody reads, the oldest are dropped.
func (c *Client) Events() <-chan Event { return c.events }

// Close ends the connection; the warden then destroys every sandbox.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.done
	return err
}

func (c *Client) read() {
	defer func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		close(c.done)
		close(c.events)
		c.conn.Close()
	}()
	buf := make([]byte, MaxFrame+1)
	for {
		b, files, err := c.conn.Receive(buf)
		if errors.Is(err, ErrFrame) {
			continue
		}
		if err != nil {
			return
		}
		a, err := DecodeAnswer(b)
		if err != nil {
			CloseAll(files)
			continue
		}
		if a.Event != nil {
			CloseAll(files)
			c.event(*a.Event)
			continue
		}
		c.mu.Lock()
		ch := c.waiting[a.ID]
		delete(c.waiting, a.ID)
		if ch != nil {
			ch <- reply{a, files} // room for one; under the lock, so that forget sees it
		}
		c.mu.Unlock()
		if ch == nil {
			CloseAll(files) // too late: its deadline has passed
		}
	}
}

func (c *Client) event(e Event) {
	for {
		select {
		case c.events <- e:
			return
		default:
		}
		select {
		case <-c.events:
		default:
		}
	}
}

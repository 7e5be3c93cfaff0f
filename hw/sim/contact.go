package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"borne/hw"
)

// contactQueue bounds what a slow watcher can leave unread; the newest levels win.
const contactQueue = 64

// contact is a simulated hw.Input. Its hw.Level is what the agent sees.
type contact struct {
	name string

	mu       sync.Mutex
	level    hw.Level
	watchers map[chan hw.Level]struct{}
}

func newContact(name string, level hw.Level) *contact {
	return &contact{name: name, level: level, watchers: map[chan hw.Level]struct{}{}}
}

func (c *contact) get() hw.Level {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.level
}

func (c *contact) set(l hw.Level) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l == c.level {
		return
	}
	c.level = l
	for ch := range c.watchers {
		for sent := false; !sent; {
			select {
			case ch <- l:
				sent = true
			default: // full: the oldest level goes
				select {
				case <-ch:
				default:
				}
			}
		}
	}
}

// input is one opening of a contact.
type input struct {
	c      *contact
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

func (c *contact) open() hw.Input {
	ctx, cancel := context.WithCancel(context.Background())
	return &input{c: c, ctx: ctx, cancel: cancel}
}

// Watch implements hw.Input; the channel is closed when ctx ends or the input is closed.
func (i *input) Watch(ctx context.Context) (<-chan hw.Level, error) {
	if i.ctx.Err() != nil {
		return nil, fmt.Errorf("cannot watch %s: %w", i.c.name, hw.ErrClosed)
	}
	ch := make(chan hw.Level, contactQueue)
	i.c.mu.Lock()
	ch <- i.c.level
	i.c.watchers[ch] = struct{}{}
	i.c.mu.Unlock()
	var once sync.Once
	end := func() {
		once.Do(func() {
			i.c.mu.Lock()
			defer i.c.mu.Unlock()
			delete(i.c.watchers, ch)
			close(ch)
		})
	}
	stop := context.AfterFunc(ctx, end)
	context.AfterFunc(i.ctx, func() { stop(); end() })
	return ch, nil
}

// Close implements hw.Input.
func (i *input) Close() error {
	i.cancel()
	return nil
}

// lamp is what a simulated output switches, and a screen's light.
type lamp struct {
	mu    sync.Mutex
	level hw.Level
}

func (l *lamp) get() hw.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

// Set switches the lamp and reads it back.
func (l *lamp) Set(ctx context.Context, to hw.Level) (hw.Level, error) {
	if err := ctx.Err(); err != nil {
		return hw.Unknown, err
	}
	if to != hw.On && to != hw.Off {
		return l.get(), errors.New("cannot set an output to unknown; ask for on or off")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level = to
	return l.level, nil
}

// output is one opening of a simulated output.
type output struct {
	lamp   *lamp
	closed atomic.Bool
}

// Set implements hw.Output.
func (o *output) Set(ctx context.Context, to hw.Level) (hw.Level, error) {
	if o.closed.Load() {
		return hw.Unknown, fmt.Errorf("cannot switch a simulated output: %w", hw.ErrClosed)
	}
	return o.lamp.Set(ctx, to)
}

// Close implements hw.Output: off is the safe level.
func (o *output) Close() error {
	if o.closed.Swap(true) {
		return nil
	}
	_, err := o.lamp.Set(context.Background(), hw.Off)
	return err
}

// screen is a simulated hw.Screen.
type screen struct{ lamp *lamp }

// Light implements hw.Screen.
func (s screen) Light(ctx context.Context, on bool) (hw.Level, error) {
	l := hw.Off
	if on {
		l = hw.On
	}
	return s.lamp.Set(ctx, l)
}

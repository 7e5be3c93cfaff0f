package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"

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

// lamp is a simulated output that reads back, and a screen's light.
type lamp struct {
	mu    sync.Mutex
	level hw.Level
}

func (l *lamp) get() hw.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

// Set implements hw.Output.
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

// Close implements hw.Output; a real relay keeps its level too.
func (l *lamp) Close() error { return nil }

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

package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/supervise"
)

// hub is what a reader, a contact and a relay hang on, together: a USB hub that
// is pulled out. Each opening holds a real descriptor.
type hub struct {
	mu   sync.Mutex
	gone chan struct{} // closed when it is pulled out; nil: it is not there
	open int
	taps chan hw.Tap
}

func (h *hub) plug() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = make(chan struct{})
}

func (h *hub) pull() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.gone)
	h.gone = nil
}

func (h *hub) opened() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// socket is one opening of one device, whichever it is.
type socket struct {
	h      *hub
	gone   chan struct{}
	node   *os.File
	closed sync.Once
	ended  context.Context
	end    context.CancelFunc
}

func (h *hub) connect() (*socket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone == nil {
		return nil, fmt.Errorf("cannot open the device: %w", hw.ErrAbsent)
	}
	node, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	h.open++
	s := &socket{h: h, gone: h.gone, node: node}
	s.ended, s.end = context.WithCancel(context.Background())
	return s, nil
}

func (s *socket) Close() (err error) {
	s.closed.Do(func() {
		s.end()
		err = s.node.Close()
		s.h.mu.Lock()
		s.h.open--
		s.h.mu.Unlock()
	})
	return err
}

func (s *socket) Next(ctx context.Context) (hw.Tap, error) {
	select {
	case t := <-s.h.taps:
		return t, nil
	case <-s.gone:
		return hw.Tap{}, syscall.EIO
	case <-ctx.Done():
		return hw.Tap{}, ctx.Err()
	}
}

func (s *socket) Watch(ctx context.Context) (<-chan hw.Level, error) {
	ch := make(chan hw.Level, 1)
	ch <- hw.Off
	go func() {
		defer close(ch)
		select {
		case <-s.gone:
		case <-ctx.Done():
		case <-s.ended.Done():
		}
	}()
	return ch, nil
}

func (s *socket) Set(_ context.Context, l hw.Level) (hw.Level, error) {
	select {
	case <-s.gone:
		return hw.Unknown, syscall.EIO
	default:
		return l, nil
	}
}

// opener opens a socket as one kind of device.
func opener[D any](h *hub, as func(*socket) D) func(context.Context) (D, error) {
	return func(context.Context) (D, error) {
		s, err := h.connect()
		if err != nil {
			var none D
			return none, err
		}
		return as(s), nil
	}
}

func TestThousandUnplugsOfEverything(t *testing.T) {
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	synctest.Test(t, func(t *testing.T) { // fails by itself when a goroutine stays
		h := &hub{taps: make(chan hw.Tap)}
		clk := clock.NewMonotonic()
		cfg := func(name string) supervise.Config { return supervise.Config{Name: name, Device: "hub", Clock: clk} }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		reader, err := supervise.StartReader(ctx, cfg("badge-reader"), opener(h, func(s *socket) hw.Reader { return s }))
		if err != nil {
			t.Fatal(err)
		}
		input, err := supervise.StartInput(ctx, cfg("case"), opener(h, func(s *socket) hw.Input { return s }))
		if err != nil {
			t.Fatal(err)
		}
		output, err := supervise.StartOutput(ctx, cfg("relay"), opener(h, func(s *socket) hw.Output { return s }))
		if err != nil {
			t.Fatal(err)
		}
		level := func(want hw.Level) {
			t.Helper()
			select {
			case l := <-input.Levels():
				if l != want {
					t.Fatalf("level %v, want %v", l, want)
				}
			case <-time.After(10 * time.Minute):
				t.Fatalf("level %v did not come", want)
			}
		}
		level(hw.Unknown)
		statuses := [](<-chan hw.Status){reader.Status(), input.Status(), output.Status()}
		all := func(want hw.Health) {
			t.Helper()
			limit := time.After(10 * time.Minute)
			for _, s := range statuses {
				for got := hw.Health(255); got != want; {
					select {
					case st := <-s:
						got = st.Health
					case <-limit:
						t.Fatalf("health %v did not come", want)
					}
				}
			}
		}
		for i := range 1000 {
			h.plug()
			all(hw.Ready)
			level(hw.Off)
			if n := h.opened(); n != 3 {
				t.Fatalf("cycle %d: %d devices are open", i, n)
			}
			go func() { h.taps <- hw.Tap{At: time.Duration(i)} }()
			if tap := <-reader.Taps(); tap.At != time.Duration(i) {
				t.Fatalf("cycle %d: tap %v", i, tap.At)
			}
			if l, err := output.Set(ctx, hw.On); err != nil || l != hw.On {
				t.Fatalf("cycle %d: %v, %v", i, l, err)
			}
			h.pull()
			level(hw.Unknown)
			if l, err := output.Set(ctx, hw.On); l != hw.Unknown || err == nil || !errors.Is(err, syscall.EIO) && !errors.Is(err, hw.ErrAbsent) {
				t.Fatalf("cycle %d: a relay that is not there: %v, %v", i, l, err)
			}
			all(hw.Absent)
			if n := h.opened(); n != 0 {
				t.Fatalf("cycle %d: %d devices are open that are not there", i, n)
			}
		}
		cancel()
		for _, done := range []<-chan struct{}{reader.Done(), input.Done(), output.Done()} {
			<-done
		}
		if n := h.opened(); n != 0 {
			t.Errorf("%d devices are left open", n)
		}
	})
	settled(t, goroutines)
	if n := descriptors(t); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

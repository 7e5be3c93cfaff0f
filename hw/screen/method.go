package screen

import (
	"context"
	"fmt"
	"sync"
	"time"

	"borne/hw"
)

// Method is one way to switch the display.
type Method struct {
	Name    string // device name, for reports
	Screen  hw.Screen
	Timeout time.Duration // of one change; 0: SlowChange
	Close   func() error  // with the chain; nil: nothing to close
}

// SlowChange is the longest that a television takes.
const SlowChange = 12 * time.Second

// Result is what one method did last.
type Result struct {
	Method   string
	On       bool     // what was asked
	Pending  bool     // it is still under way: what follows is not known yet
	Level    hw.Level // what was read back; Unknown: it cannot be, or it failed
	Verified bool     // the level read is the one asked
	Err      error
	Took     time.Duration
}

// request is one change asked of a method.
type request struct {
	on   bool
	done chan struct{} // closed when result is set
	Result
}

func (q *request) finish(l hw.Level, err error) {
	q.Level, q.Err = l, err
	q.Verified = err == nil && l == wanted(q.on)
	close(q.done)
}

// worker carries out one method's requests one after the other. A method that
// hangs holds nobody up, and when it comes back, what was asked last is done
// last: a late darkening never stays after a touch.
type worker struct {
	Method
	life context.Context // of the chain
	tell func(Result)    // of each change that was carried out, before its asker knows

	mu     sync.Mutex
	now    *request // nil: idle
	next   *request // nil: none
	cancel context.CancelFunc
	last   *Result // nil: never used
	idle   sync.WaitGroup
	once   sync.Once // closes
}

// ask begins a change, or joins the same one when it is under way. It does not wait.
func (w *worker) ask(on bool) *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next != nil && w.next.on == on {
		return w.next
	}
	if w.next == nil && w.now != nil && w.now.on == on {
		return w.now
	}
	q := &request{on: on, done: make(chan struct{}), Result: Result{Method: w.Name, On: on}}
	if err := w.life.Err(); err != nil {
		q.finish(hw.Unknown, fmt.Errorf("cannot %s by %s: %w", word(on), w.Name, hw.ErrClosed))
		return q
	}
	if w.now == nil {
		w.now = q
		w.idle.Add(1)
		go w.work(q)
		return q
	}
	if w.next != nil {
		w.next.finish(hw.Unknown, ErrSuperseded)
	}
	w.next = q
	if w.now.on != on && w.cancel != nil { // nil: it has not begun, and will look at next
		w.cancel()
	}
	return q
}

// work carries requests out until none is left.
func (w *worker) work(q *request) {
	defer w.idle.Done()
	for q != nil {
		ctx, cancel := context.WithTimeout(w.life, w.Timeout)
		w.mu.Lock()
		w.cancel = cancel
		if w.next != nil && w.next.on != q.on {
			cancel() // asked in between
		}
		w.mu.Unlock()
		began := time.Now()
		l, err := w.Screen.Light(ctx, q.on)
		cancel()
		r := q.Result
		r.Level, r.Err, r.Took, r.Verified = l, err, time.Since(began), err == nil && l == wanted(q.on)
		w.tell(r)
		w.mu.Lock()
		q.Took = r.Took
		q.finish(l, err)
		w.last = &q.Result
		q, w.now, w.next = w.next, w.next, nil
		w.mu.Unlock()
	}
}

// report is what the method did last, or what it is doing.
func (w *worker) report() (Result, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.now != nil:
		return Result{Method: w.Name, On: w.now.on, Pending: true}, true
	case w.last != nil:
		return *w.last, true
	}
	return Result{}, false
}

// end waits until the method is idle, and closes it once; its life has ended.
func (w *worker) end() error {
	w.mu.Lock()
	busy := w.now != nil // whoever asks after this is refused
	w.mu.Unlock()
	if busy {
		w.idle.Wait()
	}
	var err error
	w.once.Do(func() {
		if w.Close != nil {
			err = w.Close()
		}
	})
	return err
}

// wait waits for a request, the method's own time at the longest.
func (w *worker) wait(ctx context.Context, q *request) Result {
	t := time.NewTimer(w.Timeout + time.Second) // one that minds its context has ended by then
	defer t.Stop()
	late := Result{Method: w.Name, On: q.on}
	select {
	case <-q.done:
		return q.Result
	case <-t.C:
		late.Err = fmt.Errorf("cannot %s by %s: no answer within %v", word(q.on), w.Name, w.Timeout)
	case <-ctx.Done():
		late.Err = fmt.Errorf("cannot wait for %s any longer: %w", w.Name, context.Cause(ctx))
	}
	return late
}

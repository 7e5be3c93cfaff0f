package warden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"borne/kiosk/sandbox"
)

// maxQueue bounds requests that wait; the agent has one or two at a time.
const maxQueue = 16

// serve answers the agent's requests, in order, until its connection ends.
func (w *warden) serve(ctx context.Context, conn *sandbox.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := &queue{jobs: make(chan job, maxQueue)}
	q.fresh(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for j := range q.jobs {
			w.answer(conn, j)
		}
	})
	wg.Go(func() {
		for {
			var e sandbox.Event
			select {
			case e = <-w.events:
			case e = <-w.hits:
			case <-ctx.Done():
				return
			}
			if b, err := sandbox.EncodeAnswer(sandbox.Answer{Event: &e}); err == nil {
				conn.Send(b)
			}
		}
	})
	buf := make([]byte, sandbox.MaxFrame+1)
	for {
		b, files, err := conn.Receive(buf)
		sandbox.CloseAll(files) // no verb takes any
		if errors.Is(err, sandbox.ErrFrame) {
			w.c.Log.Warn("a request is refused", "error", err)
			continue
		}
		if err != nil {
			break
		}
		r, err := sandbox.DecodeRequest(b)
		if err != nil {
			w.c.Log.Warn("a request is refused", "error", err)
			continue // without an id there is nobody to answer
		}
		if r.Wipe != nil {
			q.interrupt(ctx) // a wipe never waits for a browser to start
		}
		if r.Line != nil {
			wg.Go(func() { w.send(conn, w.line(ctx, r)) })
			continue
		}
		if a, done := w.atOnce(r); done {
			a.ID = r.ID
			w.send(conn, a)
			continue
		}
		if !q.push(r) {
			w.send(conn, sandbox.Answer{ID: r.ID, Error: "cannot serve: too many requests wait"})
		}
	}
	cancel()
	close(q.jobs)
	wg.Wait()
}

// atOnce serves what must not wait behind a browser that starts.
func (w *warden) atOnce(r sandbox.Request) (sandbox.Answer, bool) {
	switch {
	case r.Beat != nil:
		if w.c.Beat != nil {
			w.c.Beat(r.Beat.Shown)
		}
	case r.Ports != nil:
		w.ports(r.Ports.Open)
	case r.Start != nil:
		return sandbox.Answer{Setup: &w.c.Agent.Setup}, true
	case r.Power != nil:
		if !w.c.Sim { // this is root's own word, not the agent's
			w.c.Log.Warn("a verb failed", "error", errPower)
			return sandbox.Answer{Error: errPower.Error()}, true
		}
		w.cut()
	case r.Govern != nil: // whoever comes finds it fast again, and waits behind nothing
		if w.c.Sim { // somebody's own computer
			return w.powered(w.speed.pretend(r.Govern.Low), nil), true
		}
		now, err := w.speed.set(r.Govern.Low)
		return w.powered(&sandbox.Powered{Governor: now}, err), true
	default:
		return sandbox.Answer{}, false
	}
	return sandbox.Answer{}, true
}

// powered answers what concerns the machine's power.
func (w *warden) powered(p *sandbox.Powered, err error) sandbox.Answer {
	if err != nil {
		w.c.Log.Warn("a verb failed", "error", err)
		return sandbox.Answer{Power: p, Error: err.Error()}
	}
	return sandbox.Answer{Power: p}
}

// ports tells whoever guards the ports.
func (w *warden) ports(open bool) {
	if w.c.Ports != nil {
		w.c.Ports(open)
	}
}

var errPower = errors.New("cannot cut the power: this terminal is not simulated")

// cutPower ends this process without any chance to tidy up. Every other role
// dies with it.
func cutPower() { syscall.Kill(os.Getpid(), syscall.SIGKILL) }

// queue holds requests in order. What builds sandboxes carries a context that
// a wipe ends, whether it runs or waits.
type queue struct {
	jobs   chan job
	build  context.Context
	cancel context.CancelFunc
}

type job struct {
	ctx context.Context
	r   sandbox.Request
}

func (q *queue) fresh(ctx context.Context) { q.build, q.cancel = context.WithCancel(ctx) }

func (q *queue) interrupt(ctx context.Context) {
	q.cancel()
	q.fresh(ctx)
}

func (q *queue) push(r sandbox.Request) bool {
	select {
	case q.jobs <- job{q.build, r}:
		return true
	default:
		return false
	}
}

func (w *warden) answer(conn *sandbox.Conn, j job) {
	a, files := w.handle(j.ctx, j.r)
	a.ID = j.r.ID
	w.send(conn, a, files...)
	sandbox.CloseAll(files)
}

func (w *warden) send(conn *sandbox.Conn, a sandbox.Answer, files ...*os.File) {
	b, err := sandbox.EncodeAnswer(a)
	if err != nil {
		b, err = sandbox.EncodeAnswer(sandbox.Answer{ID: a.ID, Error: err.Error()})
		files = nil
	}
	if err == nil {
		err = conn.Send(b, files...)
	}
	if err != nil && !errors.Is(err, sandbox.ErrClosed) {
		w.c.Log.Error("an answer is lost", "error", err)
	}
}

// handle serves one request. A panic would take every role down with it; it
// becomes an error, and the agent's next step is a wipe.
func (w *warden) handle(ctx context.Context, r sandbox.Request) (a sandbox.Answer, files []*os.File) {
	defer func() {
		if p := recover(); p != nil {
			w.c.Log.Error("a verb panicked", "panic", p, "stack", string(debug.Stack()))
			sandbox.CloseAll(files)
			a, files = sandbox.Answer{Error: fmt.Sprintf("cannot serve: the warden failed: %v", p)}, nil
		}
	}()
	var err error
	switch {
	case r.Prepare != nil:
		if err = ctx.Err(); err == nil {
			a.Sandbox, files, err = w.ordered(ctx, *r.Prepare)
		}
	case r.Admit != nil:
		a.Sandbox, err = w.admit(ctx, *r.Admit)
	case r.Wipe != nil:
		a.Wiped, err = w.wipe(context.WithoutCancel(ctx), *r.Wipe)
	case r.Sign != nil:
		env, head, e := w.ledger.sign(*r.Sign)
		if err = e; e == nil {
			a.Receipt, a.Head = &env, &head
		}
	case r.Forget != nil:
		err = w.ledger.forget(r.Forget.Permit)
		head := w.ledger.head()
		a.Head = &head
	case r.Shell != nil:
		files, err = w.openShell(ctx, *r.Shell)
	case r.Survey != nil:
		if err = ctx.Err(); err == nil {
			a.Survey, err = w.survey(ctx)
			head := w.ledger.head()
			a.Head = &head
		}
	case r.CSR != nil:
		a.CSR, err = w.ledger.csr()
	case r.Believe != nil:
		err = w.believe(*r.Believe)
	case r.Wake != nil:
		a.Power, err = w.wake(*r.Wake)
	case r.Halt != nil: // behind whatever was asked before: no wipe is cut short
		a.Power, err = w.halt(context.WithoutCancel(ctx), *r.Halt)
	}
	if err != nil {
		w.c.Log.Warn("a verb failed", "error", err)
		a.Error = err.Error()
	}
	return a, files
}

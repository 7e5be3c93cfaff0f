package press

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// outbox bounds the frames that wait for the agent. A job makes a handful, so
// that an agent who reads never lets it fill.
const outbox = 256

var errNoConnection = errors.New("the agent gives no connection to the printer")

// link is the channel to the agent.
type link struct {
	conn    *sandbox.Conn
	out     chan printjob.FromPress
	dials   map[int]chan dialled // under Press.mu
	dialled int                  // number of the last one
}

type dialled struct {
	f   *os.File
	why printjob.Why
}

// full tells that the agent does not read: no job may begin.
func (l *link) full() bool { return len(l.out) > outbox/2 }

// Attach takes the agent's orders over conn until it ends, or ctx does; it
// closes conn. Without an agent nobody decides: what waits is erased then.
func (p *Press) Attach(ctx context.Context, conn *sandbox.Conn) error {
	l := &link{conn: conn, out: make(chan printjob.FromPress, outbox), dials: map[int]chan dialled{}}
	defer conn.Close()
	p.mu.Lock()
	if p.agent != nil || p.ctx.Err() != nil {
		p.mu.Unlock()
		return errors.New("cannot listen to the agent: there is one already, or the printer is closed")
	}
	p.agent = l
	p.mu.Unlock()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	written := make(chan struct{})
	go func() {
		defer close(written)
		for f := range l.out {
			b, err := printjob.Encode(f)
			if err == nil {
				err = conn.Send(b)
			}
			if err != nil {
				conn.Close() // which ends the loop below
			}
		}
	}()
	defer func() {
		p.detach(l)
		conn.Close() // a frame that nobody reads must not hold the writer
		<-written
	}()
	buf := make([]byte, sandbox.MaxFrame+1)
	for {
		b, files, err := conn.Receive(buf)
		if errors.Is(err, sandbox.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot listen to the agent: %w", err)
		}
		f, err := printjob.DecodeToPress(b)
		if err != nil {
			sandbox.CloseAll(files)
			return err
		}
		p.obey(l, f, files)
	}
}

// detach forgets the agent, and what only the agent could decide.
func (p *Press) detach(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agent = nil
	p.set(printjob.Printer{})
	for _, j := range p.jobs {
		if j.phase < sending {
			p.end(j, printjob.Aborted, "aborted-by-system", saysNobody)
		}
	}
	for id, c := range l.dials {
		delete(l.dials, id)
		c <- dialled{why: printjob.WhyNoPrinter}
	}
	close(l.out)
}

// tell sends a frame to the agent. The lock is held, so that frames leave in the
// order in which things happened.
func (p *Press) tell(f printjob.FromPress) {
	if p.agent == nil {
		return
	}
	select {
	case p.agent.out <- f:
	default:
		p.agent.conn.Close() // it does not read, whatever it is
	}
}

func (p *Press) obey(l *link, f printjob.ToPress, files []*os.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Dialled != nil {
		c, ok := l.dials[f.Dialled.ID]
		if ok {
			delete(l.dials, f.Dialled.ID)
			d := dialled{why: f.Dialled.Err}
			if d.why == "" && len(files) > 0 {
				d.f, files = files[0], files[1:]
			} else if d.why == "" {
				d.why = printjob.WhyNoPrinter
			}
			c <- d
		}
	}
	sandbox.CloseAll(files)
	switch {
	case f.Printer != nil:
		p.set(*f.Printer)
	case f.Submit != nil:
		p.submit(l, *f.Submit)
	case f.Show != nil:
		p.show(*f.Show)
	case f.Status != nil:
		p.status(*f.Status)
	case f.Drop != nil:
		p.dropJob(*f.Drop)
	}
}

// set is what can be printed from now on.
func (p *Press) set(can printjob.Printer) {
	p.can, p.changed = can, time.Now()
}

// status is how a job stands, as the real printer says.
func (p *Press) status(s printjob.Status) {
	j := p.find(s.Job)
	if j == nil || j.phase < offered || j.phase == over && !j.dropped {
		return
	}
	j.done = max(j.done, s.Impressions)
	says := sentence(printjob.Why(s.Why))
	tell := func(reason, otherwise string) {
		if says == "" {
			says = otherwise
		}
		if s.State.Over() {
			p.end(j, s.State, reason, says)
			j.dropped = false
		} else if j.phase != over {
			j.state, j.reason, j.says = s.State, reason, says
		}
	}
	switch s.State {
	case printjob.Pending:
		tell("none", saysSending)
	case printjob.Held:
		tell("job-held-for-authorization", saysAsked)
	case printjob.Processing:
		if j.begun.IsZero() {
			j.begun = time.Now()
		}
		tell("job-printing", saysPrints)
	case printjob.Stopped:
		tell("printer-stopped", saysStopped)
	case printjob.Canceled:
		tell("job-canceled-by-user", saysGone)
	case printjob.Aborted:
		tell("aborted-by-system", saysFailed)
	case printjob.Completed:
		tell("job-completed-successfully", saysDone)
	}
}

// dropJob erases a document. A job that the printer has goes on; another one is
// cancelled.
func (p *Press) dropJob(d printjob.Drop) {
	j := p.find(d.Job)
	if j == nil || j.phase < offered || j.phase == over {
		return
	}
	switch {
	case j.phase == sent:
		p.erase(j)
		return
	case j.phase == sending && d.Gently:
		p.abandon(j)
		return
	}
	p.end(j, printjob.Canceled, "job-canceled-by-user", saysGone)
	j.dropped = true
}

// show lets the viewer paint a document. What it paints is on the display of the
// session alone.
func (p *Press) show(s printjob.Show) {
	j := p.find(s.Job)
	if p.c.Viewer == nil || p.ctx.Err() != nil || s.Job != 0 && (j == nil || j.doc == nil || j.phase < offered) {
		if s.Job > 0 {
			p.tell(printjob.FromPress{Shown: &printjob.Shown{Job: s.Job}})
		}
		return
	}
	var d *document
	pages := 0
	if s.Job != 0 {
		d, pages = j.doc, j.pages
		d.held++
	}
	p.work.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, showWithin)
		defer cancel()
		var f *os.File
		if d != nil {
			f = d.f
			defer p.release(d)
		}
		n, err := p.c.Viewer.Show(ctx, f, pages, s)
		if err != nil {
			p.c.Log.Warn("a document is not shown", "job", s.Job, "error", err)
			n = 0
		}
		if s.Job > 0 {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.tell(printjob.FromPress{Shown: &printjob.Shown{Job: s.Job, Pages: n}})
		}
	})
}

// connect asks the agent for a connection to the printer.
func (p *Press) connect(ctx context.Context, l *link) (net.Conn, error) {
	p.mu.Lock()
	if p.agent != l {
		p.mu.Unlock()
		return nil, printjob.Fail(printjob.WhyNoPrinter, errNoConnection)
	}
	l.dialled++
	id, c := l.dialled, make(chan dialled, 1)
	l.dials[id] = c
	p.tell(printjob.FromPress{Dial: &printjob.Dial{ID: id}})
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var d dialled
	select {
	case d = <-c:
	case <-ctx.Done():
		p.mu.Lock()
		delete(l.dials, id)
		p.mu.Unlock()
		select {
		case d = <-c: // it came at the last moment
		default:
			return nil, printjob.Fail(printjob.WhyNoPrinter, errNoConnection)
		}
	}
	if d.f == nil {
		return nil, printjob.Fail(d.why, errNoConnection)
	}
	defer d.f.Close()
	conn, err := net.FileConn(d.f)
	if err != nil {
		return nil, printjob.Fail(printjob.WhyNoPrinter, fmt.Errorf("cannot use the connection to the printer: %w", err))
	}
	return conn, nil
}

package press

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"borne/kiosk/printer"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// Approve stands in for the agent at its end of the channel, for tests of the
// protocol: it says yes to every job, and has them printed one after the other
// by the printer at uri. No session ever has it: the agent is at that end.
func Approve(ctx context.Context, conn *sandbox.Conn, uri string) error {
	defer conn.Close()
	c, err := printer.NewClient(printer.Target{URI: uri}, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	can, err := c.Capabilities(ctx, "")
	if err != nil {
		return fmt.Errorf("cannot ask the printer what it can do: %w", err)
	}
	a := &approver{conn: conn, c: c, uri: uri}
	if err := a.say(printjob.ToPress{Printer: &printjob.Printer{Accepting: true, Formats: can.Formats, Colour: can.Colour, Duplex: can.Duplex(), Copies: can.Copies}}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	heard, over, ended := make(chan printjob.FromPress), make(chan printjob.Status), make(chan error, 1)
	go func() { ended <- a.listen(ctx, heard) }()
	for {
		var err error
		select {
		case f := <-heard:
			err = a.hear(ctx, f, over)
		case s := <-over:
			err = a.over(s)
		case err = <-ended:
			return err
		}
		if err != nil {
			return err
		}
	}
}

// followEvery is short: a test waits, and its printer is beside it.
const followEvery = 20 * time.Millisecond

type approver struct {
	conn    *sandbox.Conn
	c       *printer.Client
	uri     string
	waiting []printjob.Offer // the first one is being printed
	remote  int              // its number at the printer; 0: none yet
}

func (a *approver) say(f printjob.ToPress, files ...*os.File) error {
	b, err := printjob.Encode(f)
	if err != nil {
		return err
	}
	return a.conn.Send(b, files...)
}

func (a *approver) listen(ctx context.Context, heard chan<- printjob.FromPress) error {
	for {
		b, files, err := a.conn.Receive(make([]byte, sandbox.MaxFrame+1))
		sandbox.CloseAll(files)
		if errors.Is(err, sandbox.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		f, err := printjob.DecodeFromPress(b)
		if err != nil {
			return err
		}
		select {
		case heard <- f:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *approver) hear(ctx context.Context, f printjob.FromPress, over chan<- printjob.Status) error {
	switch {
	case f.Offer != nil:
		a.waiting = append(a.waiting, *f.Offer)
		if len(a.waiting) == 1 {
			return a.next()
		}
	case f.Dial != nil:
		return a.dial(ctx, f.Dial.ID)
	case f.Withdrawn != nil:
		if len(a.waiting) > 0 && a.waiting[0].Job == f.Withdrawn.Job && a.remote > 0 {
			return a.c.Cancel(ctx, a.remote, "")
		}
	case f.Sent != nil:
		a.remote = f.Sent.Remote
		go a.follow(ctx, *f.Sent, over)
	}
	return nil
}

func (a *approver) next() error {
	o := a.waiting[0]
	return a.say(printjob.ToPress{Submit: &printjob.Submit{Job: o.Job, Name: fmt.Sprintf("borne-%d", o.Job), URI: a.uri, Ticket: o.Ticket}})
}

func (a *approver) dial(ctx context.Context, id int) error {
	conn, err := printer.Dial(ctx, a.uri)
	if err != nil {
		return a.say(printjob.ToPress{Dialled: &printjob.Dialled{ID: id, Err: printjob.WhyNoPrinter}})
	}
	defer conn.Close()
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return errors.New("cannot hand the connection to the printer over: it is not TCP")
	}
	f, err := t.File()
	if err != nil {
		return fmt.Errorf("cannot hand the connection to the printer over: %w", err)
	}
	defer f.Close()
	return a.say(printjob.ToPress{Dialled: &printjob.Dialled{ID: id}}, f)
}

// follow waits until a job is over, and tells how it ended.
func (a *approver) follow(ctx context.Context, sent printjob.Sent, over chan<- printjob.Status) {
	s := printjob.Status{Job: sent.Job, State: printjob.Aborted, Why: string(sent.Why)}
	for sent.Remote > 0 {
		j, err := a.c.Job(ctx, sent.Remote, "")
		if err != nil {
			break
		}
		if s.State, s.Impressions = j.State, max(j.Impressions, 0); j.State.Over() {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(followEvery):
		}
	}
	select {
	case over <- s:
	case <-ctx.Done():
	}
}

// over begins the next job.
func (a *approver) over(s printjob.Status) error {
	if err := a.say(printjob.ToPress{Status: &s}); err != nil {
		return err
	}
	if a.waiting, a.remote = a.waiting[1:], 0; len(a.waiting) > 0 {
		return a.next()
	}
	return nil
}

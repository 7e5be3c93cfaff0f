package agenttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"borne/controller/wire"
	"borne/kiosk/agent"
	"borne/kiosk/printing"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// Press is the test's end of the channel to the press of one sandbox.
type Press struct {
	conn *sandbox.Conn
	got  chan printjob.ToPress

	lines chan *os.File // connections to the printer that came, the last few
}

// newPress makes one, and what the agent gets.
func newPress() (*Press, []*os.File, error) {
	conn, theirs, err := sandbox.Pair()
	if err != nil {
		return nil, nil, err
	}
	var files []*os.File
	for range 2 { // a browser's pipe, which no stub reads
		f, err := os.Open(os.DevNull)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	p := &Press{conn: conn, got: make(chan printjob.ToPress, 256), lines: make(chan *os.File, 1)}
	go func() {
		defer close(p.got)
		buf := make([]byte, sandbox.MaxFrame+1)
		for {
			b, files, err := conn.Receive(buf)
			if err != nil {
				sandbox.CloseAll(files)
				return
			}
			f, err := printjob.DecodeToPress(b)
			if err == nil && f.Dialled != nil && len(files) == 1 {
				select {
				case p.lines <- files[0]:
					files = nil
				default: // nobody sends
				}
			}
			sandbox.CloseAll(files)
			if err == nil {
				p.got <- f
			}
		}
	}()
	return p, append(files, theirs), nil
}

// Say sends a frame to the agent.
func (p *Press) Say(f printjob.FromPress) error {
	b, err := printjob.Encode(f)
	if err != nil {
		return err
	}
	return p.conn.Send(b)
}

// Line is the connection to the printer that the agent gave last; nil: none. It is
// the caller's to close.
func (p *Press) Line() *os.File {
	select {
	case f := <-p.lines:
		return f
	default:
		return nil
	}
}

// Offer offers a document of some pages, as the press's job n.
func (p *Press) Offer(n, pages int, t printjob.Ticket) error {
	return p.Say(printjob.FromPress{Offer: &printjob.Offer{Job: n, Format: printjob.PDF, Pages: pages, Ticket: t}})
}

// Await returns the next frame that is wanted, and drops those before it.
func (p *Press) Await(within time.Duration, want func(printjob.ToPress) bool) (printjob.ToPress, error) {
	limit := time.After(within)
	for {
		select {
		case f, ok := <-p.got:
			if !ok {
				return f, errors.New("the agent has ended the channel")
			}
			if want(f) {
				return f, nil
			}
		case <-limit:
			return printjob.ToPress{}, fmt.Errorf("nothing of the kind within %s", within)
		}
	}
}

// Ended waits until the channel is closed.
func (p *Press) Ended(within time.Duration) bool {
	_, err := p.Await(within, func(printjob.ToPress) bool { return false })
	return err != nil && err.Error() == "the agent has ended the channel"
}

// Printer is a printer without paper: the test says what it does.
type Printer struct {
	mu     sync.Mutex
	look   agent.PrinterLook
	err    error // of the next looks
	jobs   map[int]*printerJob
	last   int
	cancel []int
	kept   []byte
	closed int
	looks  int
}

type printerJob struct {
	name string
	at   printing.Progress
	news chan struct{}
}

// NewPrinter makes one that is ready, prints both sides and colour.
func NewPrinter() *Printer {
	return &Printer{jobs: map[int]*printerJob{}, look: agent.PrinterLook{Status: wire.Printer{State: wire.PrinterReady, Model: "Stub"},
		Ready: printing.PrinterReady{Accepting: true, Colour: true, Duplex: true, Copies: 9}, Formats: []printjob.Format{printjob.PDF}}}
}

// Take is a job that arrives; its number.
func (p *Printer) Take(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	p.jobs[p.last] = &printerJob{name: name, at: printing.Progress{State: printjob.Processing}, news: make(chan struct{})}
	return p.last
}

// Tell says how a job stands from now on.
func (p *Printer) Tell(id int, at printing.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j := p.jobs[id]
	j.at = at
	close(j.news)
	j.news = make(chan struct{})
}

// Names lists the jobs that arrived, in order.
func (p *Printer) Names() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := 1; id <= p.last; id++ {
		all = append(all, p.jobs[id].name)
	}
	return all
}

// Cancelled lists the jobs that were to be stopped.
func (p *Printer) Cancelled() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.cancel...)
}

// Look is what SetLook said.
func (p *Printer) Look(context.Context) (agent.PrinterLook, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	if p.err != nil {
		return agent.PrinterLook{}, p.err
	}
	return p.look, nil
}

// Looks counts those.
func (p *Printer) Looks() int { p.mu.Lock(); defer p.mu.Unlock(); return p.looks }

// SetStatus says how it is from now on.
func (p *Printer) SetStatus(s wire.Printer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look.Status, p.look.Ready.Reasons = s, s.Reasons
}

// SetError makes looks fail; nil: no more.
func (p *Printer) SetError(err error) { p.mu.Lock(); p.err = err; p.mu.Unlock() }

// Close does nothing: it is the test's.
func (p *Printer) Close() error { p.mu.Lock(); p.closed++; p.mu.Unlock(); return nil }

// Closed tells how often nobody needed it any more.
func (p *Printer) Closed() int { p.mu.Lock(); defer p.mu.Unlock(); return p.closed }

// URI is its address.
func (p *Printer) URI() string { return "ipp://printer.invalid/ipp/print" }

// Dial gives one end of a pair.
func (p *Printer) Dial(context.Context) (*os.File, error) {
	a, b, err := sandbox.PairFiles()
	if err == nil {
		b.Close()
	}
	return a, err
}

// Pin is what Keep was given.
func (p *Printer) Pin() []byte { p.mu.Lock(); defer p.mu.Unlock(); return p.kept }

// Keep keeps a pin.
func (p *Printer) Keep(pin []byte) { p.mu.Lock(); defer p.mu.Unlock(); p.kept = pin }

// Follow tells what Tell says, until the job is over.
func (p *Printer) Follow(ctx context.Context, id int, name string, tell func(printing.Progress)) error {
	for {
		p.mu.Lock()
		j := p.jobs[id]
		if j == nil || j.name != name {
			p.mu.Unlock()
			return agent.ErrNoJob
		}
		at, news := j.at, j.news
		p.mu.Unlock()
		tell(at)
		if at.State.Over() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Find looks for a job by its name.
func (p *Printer) Find(_ context.Context, name string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, j := range p.jobs {
		if j.name == name {
			return id, nil
		}
	}
	return 0, agent.ErrNoJob
}

// Cancel takes note.
func (p *Printer) Cancel(_ context.Context, id int, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel = append(p.cancel, id)
	return nil
}

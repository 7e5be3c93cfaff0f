package printer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// Order is one document to print.
type Order struct {
	Name   string // neutral, and the job's own: the printer shows it, and Find looks for it
	Format printjob.Format
	Ticket printjob.Ticket
	Doc    io.ReaderAt // read in blocks, never held
	Size   int64
}

// Submit sends a document once, over conn, which it closes. With an error the
// result tells what is known: Unsure, or else nothing was printed. ErrBusy: the
// same may be tried again, over another connection.
func Submit(ctx context.Context, conn net.Conn, t Target, o Order) (printjob.Sent, error) {
	c, err := NewClient(t, once(conn))
	if err != nil {
		conn.Close()
		return printjob.Sent{Why: printjob.WhyNoPrinter}, err
	}
	defer c.Close()
	return c.submit(ctx, o, new(sending))
}

// Pauses between two attempts at a busy printer: the second is twice the first,
// and so on, each made longer or shorter by up to half.
const (
	firstPause = 500 * time.Millisecond
	longPause  = 10 * time.Second
)

// Deliver sends a document, and again while the printer is busy, until ctx ends.
func Deliver(ctx context.Context, dial DialFunc, t Target, o Order) (printjob.Sent, error) {
	c, err := NewClient(t, dial)
	if err != nil {
		return printjob.Sent{Why: printjob.WhyNoPrinter}, err
	}
	defer c.Close()
	s := new(sending)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		sent, err := c.submit(ctx, o, s)
		if err == nil || sent.Unsure || !errors.Is(err, ErrBusy) || !rest(ctx, pause) {
			return sent, err
		}
	}
}

// rest waits for about d. False: ctx ended.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sending is what is known between two attempts.
type sending struct{ can *Capabilities }

func (c *Client) submit(ctx context.Context, o Order, s *sending) (printjob.Sent, error) {
	if s.can == nil {
		can, err := c.Capabilities(ctx, o.Format)
		if err != nil {
			return printjob.Sent{Why: why(err, printjob.WhyNoPrinter), Pin: c.Pin()}, err
		}
		s.can = &can
	}
	if err := s.can.Check(o.Format, o.Ticket); err != nil {
		return printjob.Sent{Why: why(err, printjob.WhyRejected), Pin: c.Pin()}, fmt.Errorf("cannot print: %w", err)
	}
	send := c.printJob
	if !s.can.PrintJob {
		send = c.createJob
	}
	doc := &document{r: io.NewSectionReader(o.Doc, 0, o.Size), size: o.Size}
	id, err := send(ctx, o, s.can.attributes(o.Ticket), doc)
	if err == nil {
		return printjob.Sent{Remote: id, Pin: c.Pin()}, nil
	}
	sent := printjob.Sent{Pin: c.Pin()}
	if doc.sent > 0 && !certain(err) {
		sent.Unsure, sent.Why = true, printjob.WhyCut
		return sent, fmt.Errorf("%w: %w", ErrUnsure, err)
	}
	sent.Why = why(err, printjob.WhyRejected)
	return sent, fmt.Errorf("cannot hand the document to the printer: %w", err)
}

// certain tells that after this error nothing was printed, though bytes of the
// document left. A printer that refuses a job has not made one (RFC 8011
// §4.2.1.2); only what breaks inside of it says nothing about its paper.
func certain(err error) bool {
	var s *StatusError
	if errors.As(err, &s) {
		switch s.Status {
		case goipp.StatusErrorInternal, goipp.StatusErrorDevice, goipp.StatusErrorTemporary, goipp.StatusErrorJobCanceled:
			return false
		}
		return true
	}
	var h *httpError
	return errors.As(err, &h) && (h.code < 500 || h.code == 503)
}

// why is the code of an error, or else otherwise.
func why(err error, otherwise printjob.Why) printjob.Why {
	var can *CannotError
	switch {
	case errors.Is(err, ErrUntrusted):
		return printjob.WhyUntrusted
	case errors.As(err, &can) && can.What == "format":
		return printjob.WhyFormat
	case errors.Is(err, errClosed):
		return printjob.WhyCut
	}
	var s *StatusError
	if errors.As(err, &s) {
		if s.Status == goipp.StatusErrorDocumentFormatNotSupported {
			return printjob.WhyFormat
		}
		return printjob.WhyRejected
	}
	return otherwise
}

// printJob sends it in one request (RFC 8011 §4.2.1). It has no document-name:
// nobody's title leaves the house.
func (c *Client) printJob(ctx context.Context, o Order, template ipp.Attributes, doc *document) (int, error) {
	m, err := c.call(ctx, goipp.OpPrintJob, func(m *goipp.Message) {
		m.Operation.Add(ipp.Name("requesting-user-name", user))
		m.Operation.Add(ipp.Name("job-name", o.Name))
		m.Operation.Add(ipp.Mime("document-format", string(o.Format)))
		m.Job = template
	}, doc)
	if err != nil {
		return 0, err
	}
	return jobID(m)
}

// createJob sends it in two (RFC 8011 §4.2.4 and §4.3.1). A job whose document
// never left is taken away again.
func (c *Client) createJob(ctx context.Context, o Order, template ipp.Attributes, doc *document) (int, error) {
	m, err := c.ask(ctx, goipp.OpCreateJob, func(m *goipp.Message) {
		m.Operation.Add(ipp.Name("requesting-user-name", user))
		m.Operation.Add(ipp.Name("job-name", o.Name))
		m.Job = template
	})
	if err != nil {
		return 0, err
	}
	id, err := jobID(m)
	if err != nil {
		return 0, err
	}
	_, err = c.call(ctx, goipp.OpSendDocument, func(m *goipp.Message) {
		m.Operation.Add(ipp.Integer("job-id", id))
		m.Operation.Add(ipp.Name("requesting-user-name", user))
		m.Operation.Add(ipp.Mime("document-format", string(o.Format)))
		m.Operation.Add(ipp.Boolean("last-document", true))
	}, doc)
	if err != nil && (doc.sent == 0 || certain(err)) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		defer cancel()
		c.Cancel(ctx, id, "") // else the printer waits for a document, and takes no other job meanwhile
	}
	return id, err
}

func jobID(m *goipp.Message) (int, error) {
	id, ok := ipp.Int(m.Job, "job-id")
	if !ok || id < 1 {
		return 0, fmt.Errorf("%w: it took a job and tells no number", ErrAnswer)
	}
	return id, nil
}

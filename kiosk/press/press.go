// Package press is the session's printer as the session sees it: an IPP
// Everywhere printer (RFC 8010, RFC 8011, PWG 5100.14) on a Unix socket, in a
// process of its own that dies with the session, and every document with it. It
// takes a document, has it counted, offers it to the agent, and sends exactly
// the counted bytes to the real printer once the agent says so, over a
// connection that the agent dialled.
package press

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"borne/kiosk/printjob"
)

// Limits on foreign bytes and on time.
const (
	maxHeader    = 16 << 10
	headerWithin = 5 * time.Second
	bodyWithin   = 2 * time.Minute  // for a whole document
	answerWithin = 30 * time.Second // to be taken by the program
	countWithin  = time.Minute
	openWithin   = time.Minute      // for the document of a job that was created (multiple-operation-time-out)
	dialWithin   = 30 * time.Second // for the agent's connection
	sendWithin   = 10 * time.Minute
	showWithin   = 30 * time.Second
	maxJobs      = 64 // that are told of; the oldest that are over are forgotten
)

// Send sends a document to the real printer, over connections that dial makes;
// with an error it tells what is known (printer.Deliver).
type Send func(ctx context.Context, dial func(context.Context) (net.Conn, error), s printjob.Submit, format printjob.Format,
	doc io.ReaderAt, size int64) (printjob.Sent, error)

// Viewer paints the first of a document's pages on the session's display. Without
// a document it takes them away.
type Viewer interface {
	Show(ctx context.Context, doc *os.File, pages int, show printjob.Show) (painted int, err error)
}

// Config is what a press is made of. Numbers that are 0 get their default.
type Config struct {
	Host        string           // in addresses: "localhost", or where TCP is served
	Counter     printjob.Counter // nil: no job is accepted
	Send        Send             // nil: printer.Deliver
	Viewer      Viewer           // nil: nothing is shown
	MaxDocument int64            // bytes of one document, decompressed; 64 MiB
	MaxHeld     int64            // bytes of all documents; 96 MiB
	MaxWaiting  int              // jobs that are not sent yet; 8
	Log         *slog.Logger
}

// Press is the printer of one session.
type Press struct {
	c     Config
	start time.Time
	uuid  string
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	work  sync.WaitGroup // requests, and what was begun for jobs
	open  time.Duration  // openWithin; tests are in a hurry
	body  time.Duration  // bodyWithin

	mu      sync.Mutex
	jobs    []*job // rising numbers
	last    int    // number of the newest job
	held    int64  // bytes of all documents
	can     printjob.Printer
	changed time.Time // of the printer's state
	agent   *link     // nil: nobody decides
}

// New makes a printer that takes nothing yet: Attach it to the agent, and Serve.
func New(c Config) *Press {
	if c.Host == "" {
		c.Host = "localhost"
	}
	if c.MaxDocument == 0 {
		c.MaxDocument = 64 << 20
	}
	if c.MaxHeld == 0 {
		c.MaxHeld = max(96<<20, c.MaxDocument)
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 8
	}
	if c.Send == nil {
		c.Send = deliver
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &Press{c: c, start: time.Now(), changed: time.Now(), uuid: newUUID(), open: openWithin, body: bodyWithin}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// newUUID is another one each time: programs may keep it, and it must not tell
// two sessions of the same terminal.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562 §5.4
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Serve answers on ln until ctx ends; it then returns nil.
func (p *Press) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: p.Handler(), ReadHeaderTimeout: headerWithin, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(p.c.Log.Handler(), slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the session's printer: %w", err)
	}
	return nil
}

// Close ends what is under way and erases every document.
func (p *Press) Close() {
	p.stop()
	p.mu.Lock()
	for _, j := range p.jobs {
		if !j.state.Over() {
			p.end(j, printjob.Aborted, "aborted-by-system", "")
		}
	}
	agent := p.agent
	p.mu.Unlock()
	if agent != nil {
		agent.conn.Close()
	}
	p.work.Wait()
}

// accepts tells whether jobs are taken now. The lock is held.
func (p *Press) accepts() bool {
	return p.agent != nil && p.can.Accepting && p.c.Counter != nil
}

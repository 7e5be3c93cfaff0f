package printer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"borne/kiosk/ipp"

	"github.com/OpenPrinting/goipp"
)

// Limits on what a printer may take and give.
const (
	stall      = 5 * time.Minute // without a byte that moves: paper is out, and its memory is full
	goOn       = time.Second     // how long the document waits for "100 Continue"
	lastWord   = 2 * time.Second // for an answer once writing failed
	maxAnswer  = ipp.MaxAnswer + 128<<10
	maxInterim = 16
	block      = 32 << 10 // of a document on its way
)

// link is one connection: HTTP/1.1 (RFC 9112), one request after the other.
type link struct {
	conn  net.Conn
	left  *io.LimitedReader // under in: what the printer may still say
	in    *bufio.Reader
	to    address
	used  time.Time
	reuse bool // it has answered before: a failure may only mean that it got tired of waiting
	dead  bool // no further request
}

func newLink(conn net.Conn, to address) *link {
	left := &io.LimitedReader{R: conn}
	return &link{conn: conn, left: left, in: bufio.NewReaderSize(left, 4<<10), to: to}
}

// document is what follows the attributes.
type document struct {
	r    io.Reader
	size int64 // -1: as long as it is
	sent int64 // bytes that left
}

// do sends a request and reads its answer. Ends of ctx close the connection.
func (l *link) do(ctx context.Context, m *goipp.Message, doc *document) (*goipp.Message, error) {
	head, err := l.head(m, doc)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	defer func() { l.used, l.reuse = time.Now(), true }()
	answer, err := l.exchange(head, m.RequestID, doc)
	if err != nil {
		if l.dead = true; ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	return answer, err
}

// head is the request up to the document.
func (l *link) head(m *goipp.Message, doc *document) ([]byte, error) {
	attrs, err := m.EncodeBytes()
	if err != nil {
		return nil, fmt.Errorf("cannot encode a request: %w", err)
	}
	b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nAccept: %[3]s\r\n", l.to.path, l.to.host, goipp.ContentType)
	switch {
	case doc == nil:
		b = fmt.Appendf(b, "Content-Length: %d\r\n\r\n", len(attrs))
	case doc.size >= 0:
		b = fmt.Appendf(b, "Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", int64(len(attrs))+doc.size)
	default:
		b = fmt.Appendf(b, "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n%x\r\n", len(attrs))
		attrs = append(attrs, "\r\n"...)
	}
	return append(b, attrs...), nil
}

func (l *link) exchange(head []byte, id uint32, doc *document) (*goipp.Message, error) {
	l.conn.SetDeadline(time.Now().Add(stall))
	if _, err := l.conn.Write(head); err != nil {
		return nil, fmt.Errorf("%w: %w", errClosed, err)
	}
	if doc == nil {
		return l.read(id, nil)
	}
	// The printer may answer at any time: before the document, which is then not
	// sent, and in the middle of it.
	w := &waiting{again: make(chan struct{}, maxInterim), answered: make(chan struct{})}
	go func() {
		defer close(w.answered)
		w.m, w.err = l.read(id, w.again)
	}()
	patience := time.NewTimer(goOn)
	defer patience.Stop()
	select {
	case <-w.answered:
	case <-w.again:
	case <-patience.C: // it does not know Expect (RFC 9110 §10.1.1)
	}
	err := l.send(doc, w.refused)
	switch {
	case err != nil:
		// Whoever answers and hangs up makes writing fail: the answer counts.
		l.conn.SetReadDeadline(time.Now().Add(lastWord))
	case !w.refused():
		l.conn.SetReadDeadline(time.Now().Add(stall))
	}
	<-w.answered
	if w.err != nil {
		l.dead = true // what was not sent is still owed
		if err != nil && errors.Is(w.err, errClosed) {
			return nil, err
		}
		return nil, w.err
	}
	return w.m, err
}

// waiting is the answer to a request whose document is on its way.
type waiting struct {
	again    chan struct{} // "100 Continue" came
	answered chan struct{} // closed; only then m and err may be read
	m        *goipp.Message
	err      error
}

// refused tells whether the answer is there, and nobody wants the document.
func (w *waiting) refused() bool {
	select {
	case <-w.answered:
		return w.err != nil
	default:
		return false
	}
}

// send writes the document until refused says that nobody wants the rest.
func (l *link) send(doc *document, refused func() bool) error {
	chunked := doc.size < 0
	buf := make([]byte, block+16)
	for end := false; !end; {
		if refused() {
			return nil
		}
		n, err := io.ReadFull(doc.r, buf[8:8+block])
		end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			l.conn.Close()
			return fmt.Errorf("cannot read the document: %w", err)
		}
		out := buf[8 : 8+n]
		if chunked && n > 0 {
			size := strconv.FormatInt(int64(n), 16) + "\r\n"
			copy(buf[8-len(size):], size)
			out = append(buf[8-len(size):8+n], "\r\n"...)
		}
		if chunked && end {
			out = append(out, "0\r\n\r\n"...)
		}
		// A reader of answers waits as long as bytes move.
		l.conn.SetDeadline(time.Now().Add(stall))
		doc.sent += int64(n) // some of them may leave, even if writing fails
		if len(out) == 0 {
			break
		}
		if _, err := l.conn.Write(out); err != nil {
			return fmt.Errorf("%w: %w", errClosed, err)
		}
	}
	if doc.size >= 0 && doc.sent < doc.size {
		l.conn.Close()
		return errors.New("cannot read the document: it ends early")
	}
	return nil
}

// read reads the answer to request id; interim ones (1xx) are told.
func (l *link) read(id uint32, interim chan<- struct{}) (*goipp.Message, error) {
	l.left.N = maxAnswer
	for range maxInterim {
		resp, err := http.ReadResponse(l.in, &http.Request{Method: http.MethodPost})
		if err != nil {
			if l.left.N <= 0 {
				return nil, fmt.Errorf("%w: it is too long", ErrAnswer)
			}
			var op *net.OpError
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) || errors.Is(err, net.ErrClosed) {
				return nil, fmt.Errorf("%w: %w", errClosed, err)
			}
			return nil, fmt.Errorf("%w: it is no HTTP", ErrAnswer)
		}
		if resp.StatusCode >= 200 {
			return l.body(resp, id)
		}
		if interim != nil {
			interim <- struct{}{}
		}
	}
	return nil, fmt.Errorf("%w: it never comes to its end", ErrAnswer)
}

// body reads an answer's IPP message.
func (l *link) body(resp *http.Response, id uint32) (*goipp.Message, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, &httpError{resp.StatusCode}
	}
	m, err := ipp.DecodeAnswer(resp.Body)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w in the middle of an answer", errClosed)
		}
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if m.RequestID != id {
		return nil, fmt.Errorf("%w: it answers another request", ErrAnswer)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Close {
		l.dead = true
	}
	if s := goipp.Status(m.Code); s >= 0x100 { // RFC 8011 §B.1: below are the kinds of success
		return nil, &StatusError{s}
	}
	return m, nil
}

// httpError is an HTTP status instead of an IPP answer.
type httpError struct{ code int }

func (e *httpError) Error() string {
	why := ""
	switch {
	case e.code >= 300 && e.code < 400:
		why = "; it sends us elsewhere, where nobody goes: name its address itself"
	case e.code == http.StatusUnauthorized, e.code == http.StatusForbidden:
		why = "; it wants a password: allow printing without one for this terminal"
	case e.code == http.StatusNotFound:
		why = "; is the path of its address right? Most have /ipp/print"
	case e.code == http.StatusUpgradeRequired:
		why = "; it wants encryption: name it ipps://"
	}
	return fmt.Sprintf("the printer answers HTTP %d%s", e.code, why)
}

// Is tells that the same request may be sent again, or is no good.
func (e *httpError) Is(target error) bool {
	return target == ErrBusy && e.code == http.StatusServiceUnavailable || target == ErrAnswer && e.code != http.StatusServiceUnavailable
}

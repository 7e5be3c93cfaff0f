package press

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
)

// language of what people read here.
const language = "fr"

// request is one operation, and the document behind its attributes.
type request struct {
	*goipp.Message
	body   io.Reader // at most MaxDocument bytes as they come, and one more
	unread func()    // ends a read of the body that is under way
}

// Handler answers IPP requests, and hands the queue's PPD out.
func (p *Press) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", p.post)
	mux.HandleFunc("GET /printers/"+queue+".ppd", p.ppd)
	mux.HandleFunc("GET /icon.png", icon)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, printerInfo+"\n")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Close waits for who is here.
		p.mu.Lock()
		if p.ctx.Err() != nil {
			p.mu.Unlock()
			http.Error(w, "the session is over", http.StatusServiceUnavailable)
			return
		}
		p.work.Add(1)
		p.mu.Unlock()
		defer p.work.Done()
		mux.ServeHTTP(w, r)
	})
}

func (p *Press) post(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != goipp.ContentType {
		http.Error(w, "this is an IPP printer", http.StatusBadRequest)
		return
	}
	// One deadline for all that comes: a program that dribbles gets no more time than another.
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Now().Add(p.body))
	m, err := ipp.Decode(r.Body)
	if errors.Is(err, ipp.ErrTooLong) || errors.Is(err, ipp.ErrTooDeep) {
		w.Header().Set("Connection", "close")
		http.Error(w, "the attributes are too long", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		w.Header().Set("Connection", "close")
		http.Error(w, "not an IPP request", http.StatusBadRequest)
		return
	}
	body := &io.LimitedReader{R: r.Body, N: p.c.MaxDocument + 1}
	a := p.answer(&request{m, body, func() { rc.SetReadDeadline(time.Unix(1, 0)) }})
	// A program writes its whole document before it looks for the answer.
	if _, err := io.Copy(io.Discard, body); err != nil || body.N <= 0 {
		w.Header().Set("Connection", "close")
	}
	b, err := a.EncodeBytes()
	if err != nil {
		p.c.Log.Error("an answer cannot be written", "error", err)
		http.Error(w, "cannot answer", http.StatusInternalServerError)
		return
	}
	rc.SetWriteDeadline(time.Now().Add(answerWithin))
	w.Header().Set("Content-Type", goipp.ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	io.Copy(w, bytes.NewReader(b))
}

// respond begins an answer.
func (r *request) respond(s goipp.Status, text string) *goipp.Message {
	return ipp.Answer(r.Message, s, language, text)
}

// str returns an operation attribute.
func (r *request) str(name, otherwise string) string {
	if s, ok := ipp.String(r.Operation, name); ok {
		return s
	}
	return otherwise
}

// user is what the program calls its person. Nobody vouches for it, and nothing
// hangs on it: all who print here share the session.
func (r *request) user() string {
	return ipp.Cut(r.str("requesting-user-name", "anonymous"), ipp.MaxName)
}

// check holds the request to what RFC 8011 §4.1 asks of each; nil is well.
func (r *request) check() *goipp.Message {
	if v := r.Version.Major(); v != 1 && v != 2 {
		return r.respond(goipp.StatusErrorVersionNotSupported, "")
	}
	a := r.Operation
	if r.RequestID == 0 || len(a) < 2 || a[0].Name != "attributes-charset" || a[1].Name != "attributes-natural-language" {
		return r.respond(goipp.StatusErrorBadRequest, "")
	}
	if c := strings.ToLower(r.str("attributes-charset", "")); c != "utf-8" && c != "us-ascii" {
		return r.respond(goipp.StatusErrorCharset, "")
	}
	return nil
}

// target tells whether the request is about this printer, and about which of its
// jobs (0: none), as printer-uri, job-uri and job-id say (RFC 8011 §4.1.5).
func (r *request) target() (job int, status goipp.Status) {
	printer, ok := ipp.String(r.Operation, "printer-uri")
	uri, byURI := ipp.String(r.Operation, "job-uri")
	id, byID := ipp.Int(r.Operation, "job-id")
	switch {
	case !ok && !byURI:
		return 0, goipp.StatusErrorBadRequest
	case ok && !known(path(printer)):
		return 0, goipp.StatusErrorNotFound
	case byURI:
		n, err := strconv.Atoi(strings.TrimPrefix(path(uri), "/jobs/"))
		if err != nil || n < 1 {
			return 0, goipp.StatusErrorNotFound
		}
		return n, goipp.StatusOk
	case byID:
		return max(id, -1), goipp.StatusOk
	}
	return 0, goipp.StatusOk
}

// path is that of an address, without a look at who is named before it: a
// program may call this machine as it likes.
func path(uri string) string {
	_, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// known tells whether a path is this printer's: its own, the one that IPP
// Everywhere proposes, or what CUPS's programs say for all that there are.
func known(path string) bool {
	switch path {
	case "/printers/" + queue, "/ipp/print", "/", "/printers/", "/jobs", "/jobs/":
		return true
	}
	return false
}

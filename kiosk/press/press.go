// Package press is the session's printer as the session sees it: an IPP
// server (RFC 8010, RFC 8011) on a Unix socket, in a process of its own that
// dies with the session. It tells what printer it is and, for now, turns every
// job down with a sentence for the person.
package press

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	ipp "github.com/OpenPrinting/goipp"
)

// Limits on foreign bytes. A collection nests by about ten bytes a level, so
// the cap on the attributes also bounds how deep the decoder goes.
const (
	MaxAttributes = 64 << 10
	maxHeader     = 16 << 10
	maxConns      = 16
)

// Refusal is what a person reads in the browser's print dialogue.
const Refusal = "L'impression n'est pas encore possible sur cet ordinateur. Demandez à l'accueil, on vous aidera volontiers."

// UIDs are the users who may print, both ends included.
type UIDs struct{ From, To int }

// Serve answers on ln, a listening Unix socket, until ctx ends; it then
// returns nil. Connections of other users are closed unanswered.
func Serve(ctx context.Context, ln net.Listener, allowed UIDs, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	srv := &http.Server{Handler: Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	err := srv.Serve(&listener{Listener: ln, allowed: allowed, log: log, slots: make(chan struct{}, maxConns)})
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the session's printer: %w", err)
	}
	return nil
}

// Listen makes the socket at path, which a person's programs may connect to;
// Serve looks at who they are.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the printer's socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot make the printer's socket: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		ln.Close()
		return nil, fmt.Errorf("cannot open the printer's socket to the session: %w", err)
	}
	return ln, nil
}

type listener struct {
	net.Listener
	allowed UIDs
	log     *slog.Logger
	slots   chan struct{}
}

// Accept returns the next connection of an allowed user, never more than
// maxConns at once.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peer(c)
		if err != nil || uid < l.allowed.From || uid > l.allowed.To {
			l.log.Warn("connection to the session's printer refused", "uid", uid, "err", err)
			c.Close()
			continue
		}
		select {
		case l.slots <- struct{}{}:
			return &counted{Conn: c, slots: l.slots}, nil
		default:
			c.Close()
		}
	}
}

// counted gives its slot back once.
type counted struct {
	net.Conn
	slots chan struct{}
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	if !errors.Is(err, net.ErrClosed) {
		<-c.slots
	}
	return err
}

// peer asks the kernel whose process is at the other end.
func peer(c net.Conn) (int, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return -1, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid := -1
	var got error
	err = raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if got = err; err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(err, got)
}

// Handler answers IPP requests.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != ipp.ContentType {
			http.Error(w, "this is an IPP printer", http.StatusBadRequest)
			return
		}
		var req ipp.Message
		in := &io.LimitedReader{R: r.Body, N: MaxAttributes}
		if err := req.Decode(in); err != nil {
			if in.N <= 0 {
				http.Error(w, "the attributes are too long", http.StatusRequestEntityTooLarge)
				return
			}
			http.Error(w, "not an IPP request", http.StatusBadRequest)
			return
		}
		// What follows the attributes is the document: it is never read.
		b, err := answer(&req).EncodeBytes()
		if err != nil {
			http.Error(w, "cannot answer", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", ipp.ContentType)
		w.Header().Set("Connection", "close") // a refused document still in the pipe is no next request
		w.Write(b)
	})
}

func answer(req *ipp.Message) *ipp.Message {
	respond := func(s ipp.Status, text string) *ipp.Message {
		m := ipp.NewResponse(ipp.MakeVersion(2, 0), s, req.RequestID)
		m.Operation.Add(ipp.MakeAttribute("attributes-charset", ipp.TagCharset, ipp.String("utf-8")))
		m.Operation.Add(ipp.MakeAttribute("attributes-natural-language", ipp.TagLanguage, ipp.String("fr")))
		if text != "" {
			m.Operation.Add(ipp.MakeAttribute("status-message", ipp.TagText, ipp.String(text)))
		}
		return m
	}
	if req.Version.Major() != 1 && req.Version.Major() != 2 {
		return respond(ipp.StatusErrorVersionNotSupported, "")
	}
	if !charsetFirst(req.Operation) || req.RequestID == 0 {
		return respond(ipp.StatusErrorBadRequest, "")
	}
	switch ipp.Op(req.Code) {
	case ipp.OpGetPrinterAttributes, ipp.OpCupsGetDefault, ipp.OpCupsGetPrinters:
		m := respond(ipp.StatusOk, "")
		m.Printer = printer()
		return m
	case ipp.OpValidateJob, ipp.OpPrintJob, ipp.OpCreateJob:
		return respond(ipp.StatusErrorNotAcceptingJobs, Refusal)
	case ipp.OpGetJobs:
		return respond(ipp.StatusOk, "") // there are none
	}
	return respond(ipp.StatusErrorOperationNotSupported, "")
}

// charsetFirst checks what RFC 8011 §4.1.4 asks of every request.
func charsetFirst(a ipp.Attributes) bool {
	return len(a) >= 2 && a[0].Name == "attributes-charset" && a[1].Name == "attributes-natural-language"
}

func printer() ipp.Attributes {
	const uri = "ipp://localhost/printers/borne"
	var a ipp.Attributes
	add := func(name string, tag ipp.Tag, v ipp.Value, more ...ipp.Value) {
		attr := ipp.MakeAttribute(name, tag, v)
		for _, m := range more {
			attr.Values.Add(tag, m)
		}
		a.Add(attr)
	}
	str := func(s string) ipp.Value { return ipp.String(s) }
	num := func(n int) ipp.Value { return ipp.Integer(n) }
	add("printer-uri-supported", ipp.TagURI, str(uri))
	add("uri-security-supported", ipp.TagKeyword, str("none"))
	add("uri-authentication-supported", ipp.TagKeyword, str("none"))
	add("printer-name", ipp.TagName, str("borne"))
	add("printer-info", ipp.TagText, str("Imprimante de l'accueil"))
	add("printer-make-and-model", ipp.TagText, str("Borne"))
	add("printer-state", ipp.TagEnum, num(5)) // stopped
	add("printer-state-reasons", ipp.TagKeyword, str("paused"))
	add("printer-state-message", ipp.TagText, str(Refusal))
	add("printer-is-accepting-jobs", ipp.TagBoolean, ipp.Boolean(false))
	add("queued-job-count", ipp.TagInteger, num(0))
	add("printer-up-time", ipp.TagInteger, num(1))
	add("ipp-versions-supported", ipp.TagKeyword, str("1.1"), str("2.0"))
	add("operations-supported", ipp.TagEnum, num(int(ipp.OpPrintJob)), num(int(ipp.OpValidateJob)), num(int(ipp.OpCreateJob)),
		num(int(ipp.OpGetJobs)), num(int(ipp.OpGetPrinterAttributes)))
	add("charset-configured", ipp.TagCharset, str("utf-8"))
	add("charset-supported", ipp.TagCharset, str("utf-8"))
	add("natural-language-configured", ipp.TagLanguage, str("fr"))
	add("generated-natural-language-supported", ipp.TagLanguage, str("fr"))
	add("document-format-default", ipp.TagMimeType, str("application/pdf"))
	add("document-format-supported", ipp.TagMimeType, str("application/pdf"))
	add("pdl-override-supported", ipp.TagKeyword, str("not-attempted"))
	add("compression-supported", ipp.TagKeyword, str("none"))
	add("media-default", ipp.TagKeyword, str("iso_a4_210x297mm"))
	add("media-supported", ipp.TagKeyword, str("iso_a4_210x297mm"))
	add("sides-default", ipp.TagKeyword, str("one-sided"))
	add("sides-supported", ipp.TagKeyword, str("one-sided"), str("two-sided-long-edge"))
	return a
}

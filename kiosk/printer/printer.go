// Package printer is the client of the real printer: it sends documents
// (Submit, Deliver), and asks how jobs and the printer stand (Client). It speaks
// IPP (RFC 8010, RFC 8011) over HTTP/1.1 by hand, because the press may not dial
// and must know which byte of a document left the house. A printer's key is
// pinned on first use: its certificate was signed by nobody that one could ask.
// Whatever a printer answers is foreign.
package printer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"
)

// Errors of this package; StatusError and CannotError are two more.
var (
	ErrBusy      = errors.New("the printer takes no job now")                                 // the same bytes may be sent again
	ErrUntrusted = errors.New("the printer shows another key than before")                    // nothing was sent
	ErrAnswer    = errors.New("what the printer answers cannot be used")                      //
	ErrUnsure    = errors.New("a document was sent, and nobody knows what became of it")      // the job may be printing
	ErrNoJob     = errors.New("the printer does not know this job")                           //
	ErrAddress   = errors.New("not a printer's address: ipp://host/path or ipps://host/path") //
	errClosed    = errors.New("the printer closed the connection")
)

// StatusError is an IPP status that is no success (RFC 8011 §B.1).
type StatusError struct{ Status goipp.Status }

func (e *StatusError) Error() string { return "the printer answers " + e.Status.String() }

// Is makes the statuses after which the same job may be sent again ErrBusy, and
// those of an unknown job ErrNoJob.
func (e *StatusError) Is(target error) bool {
	switch e.Status {
	case goipp.StatusErrorBusy, goipp.StatusErrorNotAcceptingJobs, goipp.StatusErrorServiceUnavailable, goipp.StatusErrorTooManyJobs:
		return target == ErrBusy
	case goipp.StatusErrorNotFound, goipp.StatusErrorGone:
		return target == ErrNoJob
	}
	return false
}

// Target is one printer.
type Target struct {
	URI string // ipp:// or ipps://
	Pin []byte // SHA-256 of its public key; nil: the first one is taken

	// Queue is set when a CUPS queue stands before the printer: its counts are
	// guesses, and it forgets each job at its end. It is the number of the
	// subscription that tells how jobs ended.
	Queue int
}

// DialFunc connects to a printer. TLS, if any, is made here, over what it returns.
type DialFunc func(ctx context.Context) (net.Conn, error)

const dialTime = 10 * time.Second

// Dial connects to the printer of that address, without TLS: whoever speaks to
// it makes that.
func Dial(ctx context.Context, uri string) (net.Conn, error) {
	a, err := parse(uri)
	if err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", a.dial)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the printer; is it on, and on the network? %w", err)
	}
	return c, nil
}

// address is a printer's address, taken apart.
type address struct {
	uri    string // as the attribute printer-uri has it
	host   string // of the HTTP header
	name   string // of the host, for TLS
	dial   string // host:port
	path   string
	secure bool
}

func parse(uri string) (address, error) {
	u, err := url.Parse(uri)
	if err != nil || len(uri) > 512 || u.Scheme != "ipp" && u.Scheme != "ipps" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return address{}, fmt.Errorf("cannot use the address of the printer: %w", ErrAddress)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ipp/print" // IPP Everywhere, PWG 5100.14 §4.2.1
	}
	port := u.Port()
	if port == "" {
		port = "631" // both schemes: RFC 3510 §2.1, RFC 7472 §4.2
	}
	return address{uri: u.String(), host: net.JoinHostPort(u.Hostname(), port), name: u.Hostname(), dial: net.JoinHostPort(u.Hostname(), port),
		path: u.EscapedPath(), secure: u.Scheme == "ipps"}, nil
}

// word makes a keyword of what a printer says, or "" (RFC 8011 §5.1.4).
func word(s string) string {
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_')
	}) {
		return ""
	}
	return s
}

// words keeps what are keywords, at most 32 of them, and no "none".
func words(all []string) []string {
	var out []string
	for _, s := range all {
		if s = word(s); s != "" && s != "none" && len(out) < 32 {
			out = append(out, s)
		}
	}
	return out
}

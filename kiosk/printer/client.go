package printer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"borne/kiosk/ipp"

	"github.com/OpenPrinting/goipp"
)

const (
	askTime  = 20 * time.Second // for one question; a printer that sleeps takes some to wake up
	idle     = 5 * time.Second  // after which a connection is not used again
	language = "fr"
	user     = "borne" // requesting-user-name: nobody's
)

// Client asks one printer. Its methods may be called from several goroutines;
// the printer sees one request at a time. Close gives its connection back.
type Client struct {
	dial DialFunc
	to   address

	one     chan struct{} // holds a token while a request is under way
	link    *link
	version goipp.Version
	next    uint32

	estimate bool // a CUPS queue stands before the printer
	events   int  // its subscription

	mu     sync.Mutex
	pin    []byte
	broken map[failure]bool // jobs of a queue that ended so
}

// NewClient returns a client of t. A nil dial connects to the host that t names.
func NewClient(t Target, dial DialFunc) (*Client, error) {
	to, err := parse(t.URI)
	if err != nil {
		return nil, err
	}
	if dial == nil {
		dial = func(ctx context.Context) (net.Conn, error) { return Dial(ctx, t.URI) }
	}
	return &Client{dial: dial, to: to, one: make(chan struct{}, 1), version: goipp.MakeVersion(2, 0), pin: t.Pin,
		estimate: t.Queue > 0, events: t.Queue, broken: map[failure]bool{}}, nil
}

// Pin is the SHA-256 of the printer's public key: the one that was given, or the
// first one seen. Nil without TLS, or before the first connection.
func (c *Client) Pin() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pin
}

// Close closes the connection. The client may be used again.
func (c *Client) Close() error {
	c.one <- struct{}{}
	defer func() { <-c.one }()
	c.drop()
	return nil
}

func (c *Client) drop() {
	if c.link != nil {
		c.link.conn.Close()
		c.link = nil
	}
}

// connect returns the connection that is there, or a new one.
func (c *Client) connect(ctx context.Context) error {
	if c.link != nil && (c.link.dead || time.Since(c.link.used) > idle) {
		c.drop()
	}
	if c.link != nil {
		return nil
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	if c.to.secure {
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		over, pin, err := secure(ctx, conn, c.to.name, c.Pin())
		if err != nil {
			conn.Close()
			return err
		}
		conn = over
		c.mu.Lock()
		c.pin = pin
		c.mu.Unlock()
	}
	c.link = newLink(conn, c.to)
	return nil
}

// ask sends a request without a document, and again where that is harmless: each
// of ours only asks, or may be repeated.
func (c *Client) ask(ctx context.Context, op goipp.Op, fill func(m *goipp.Message)) (*goipp.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return c.call(ctx, op, fill, nil)
}

// call sends one request. A connection that turns out to be closed is replaced
// once, and an older version of IPP is tried once, as long as no byte of a
// document left.
func (c *Client) call(ctx context.Context, op goipp.Op, fill func(m *goipp.Message), doc *document) (*goipp.Message, error) {
	select {
	case c.one <- struct{}{}:
		defer func() { <-c.one }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for renewed, older := false, false; ; {
		if err := c.connect(ctx); err != nil {
			return nil, err
		}
		reused := c.link.reuse
		m, err := c.link.do(ctx, c.request(op, fill), doc)
		if c.link.dead {
			c.drop()
		}
		switch {
		case err == nil:
			return m, nil
		case doc != nil && doc.sent > 0:
		case errors.Is(err, errClosed) && reused && !renewed && ctx.Err() == nil:
			renewed = true
			continue
		case outdated(err) && !older && c.version.Major() == 2:
			older, c.version = true, goipp.MakeVersion(1, 1)
			continue
		}
		return nil, err
	}
}

// outdated tells that a printer may not speak our version of IPP (RFC 8011
// §4.1.8). Some say so in HTTP: ippeveprinter -V 1.1 does.
func outdated(err error) bool {
	var s *StatusError
	var h *httpError
	return errors.As(err, &s) && s.Status == goipp.StatusErrorVersionNotSupported || errors.As(err, &h) && h.code == http.StatusBadRequest
}

func (c *Client) request(op goipp.Op, fill func(m *goipp.Message)) *goipp.Message {
	c.next = c.next%0x7fffffff + 1 // positive: RFC 8011 §4.1.2
	m := ipp.Request(op, c.next, language)
	m.Version = c.version
	m.Operation.Add(ipp.URI("printer-uri", c.to.uri))
	fill(m)
	return m
}

// once is a DialFunc for a connection that is there already.
func once(conn net.Conn) DialFunc {
	return func(context.Context) (net.Conn, error) {
		if conn == nil {
			return nil, fmt.Errorf("cannot go on with the printer: %w, and this one may not be replaced", errClosed)
		}
		c := conn
		conn = nil
		return c, nil
	}
}

// Package x11 connects to an X display of this machine, with a cookie of our own
// choice, and puts pictures there.
package x11

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jezek/xgb"
)

// Sockets is where local displays listen.
const Sockets = "/tmp/.X11-unix"

// connectWithin bounds the handshake.
const connectWithin = 20 * time.Second

var displayName = regexp.MustCompile(`^:[0-9]{1,5}$`)

// IsDisplay tells whether s names a local display.
func IsDisplay(s string) bool { return displayName.MatchString(s) }

// Dial connects to a local display, ":N", with the cookie of an X authority file; an
// empty path is no cookie. xgb would take it from the environment
// only, so the connection puts it into the handshake by itself.
func Dial(ctx context.Context, display, authority string) (*xgb.Conn, error) {
	if !IsDisplay(display) {
		return nil, fmt.Errorf("cannot connect to display %q: it is not of the form :N", display)
	}
	var cookie []byte
	if authority != "" {
		var err error
		if cookie, err = Cookie(authority, Number(display)); err != nil {
			return nil, err
		}
	}
	return Connect(ctx, display, cookie)
}

// Connect is Dial with the cookie itself; nil for none.
func Connect(ctx context.Context, display string, cookie []byte) (*xgb.Conn, error) {
	// It would print the environment's missing authority, and the end of every
	// connection, past our own log.
	xgb.Logger.SetOutput(discard{})
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", filepath.Join(Sockets, "X"+Number(display)))
	if err != nil {
		return nil, fmt.Errorf("cannot connect to display %s: %w", display, err)
	}
	deadline := time.Now().Add(connectWithin)
	if t, ok := ctx.Deadline(); ok && t.Before(deadline) {
		deadline = t
	}
	c.SetDeadline(deadline)
	x, err := xgb.NewConnNet(&handshake{Conn: c, cookie: cookie})
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("cannot connect to display %s: %w", display, err)
	}
	c.SetDeadline(time.Time{})
	return x, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// handshake replaces the first thing written, the connection's setup, by one
// that carries the cookie.
type handshake struct {
	net.Conn
	cookie []byte
	begun  bool
}

func (h *handshake) Write(p []byte) (int, error) {
	if h.begun {
		return h.Conn.Write(p)
	}
	h.begun = true
	name := ""
	if h.cookie != nil {
		name = cookieName
	}
	b := make([]byte, 12+xgb.Pad(len(name))+xgb.Pad(len(h.cookie)))
	b[0] = 'l' // little-endian
	xgb.Put16(b[2:], 11)
	xgb.Put16(b[6:], uint16(len(name)))
	xgb.Put16(b[8:], uint16(len(h.cookie)))
	copy(b[12:], name)
	copy(b[12+xgb.Pad(len(name)):], h.cookie)
	if _, err := h.Conn.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Number is the number in a display's name: "0" of ":0.0".
func Number(display string) string {
	_, n, _ := strings.Cut(display, ":")
	n, _, _ = strings.Cut(n, ".")
	return n
}

package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"time"

	"borne/hw"
)

// x11Limit bounds one change on an X server, which answers within
// milliseconds unless another client has grabbed it.
const x11Limit = 2 * time.Second

// Requests of the core protocol and of DPMS 1.1 ("X Display Power Management
// Signaling Extension Protocol", 2.x).
const (
	queryExtension  = 98
	dpmsCapable     = 1
	dpmsSetTimeouts = 3
	dpmsEnable      = 4
	dpmsDisable     = 5
	dpmsForceLevel  = 6
	dpmsInfo        = 7

	levelOn  = 0
	levelOff = 3
)

// X11 switches the display of an X server by DPMS. Any key or touch lights it
// again, by the server's own hand.
//
// It speaks the six requests it needs itself: the client library keeps four
// goroutines a connection, without deadlines, and takes its cookie from the
// environment.
type X11 struct {
	Display   string // ":N"
	Authority string // file with its cookie; empty: none
	sockets   string // folder of the servers' sockets; empty: the usual one
}

// Light implements hw.Screen.
func (x X11) Light(ctx context.Context, on bool) (hw.Level, error) {
	l, err := x.light(ctx, on)
	if err != nil {
		return hw.Unknown, fmt.Errorf("cannot %s display %s by DPMS: %w", word(on), x.Display, err)
	}
	return l, nil
}

func (x X11) light(ctx context.Context, on bool) (hw.Level, error) {
	if !regexp.MustCompile(`^:[0-9]{1,5}$`).MatchString(x.Display) {
		return hw.Unknown, errors.New("it is not of the form :N")
	}
	number := x.Display[1:]
	var cookie []byte
	if x.Authority != "" {
		var err error
		if cookie, err = readCookie(x.Authority, number); err != nil {
			return hw.Unknown, err
		}
		defer clear(cookie)
	}
	dir := x.sockets
	if dir == "" {
		dir = "/tmp/.X11-unix"
	}
	c, end, err := dialUnix(ctx, filepath.Join(dir, "X"+number), x11Limit)
	if err != nil {
		return hw.Unknown, fmt.Errorf("%w; is its server running?", err)
	}
	defer end()
	return talkX11(c, cookie, on)
}

// talkX11 is the whole conversation on a fresh connection.
func talkX11(c io.ReadWriter, cookie []byte, on bool) (hw.Level, error) {
	w := &xwire{c: c}
	if err := w.setup(cookie); err != nil {
		return hw.Unknown, err
	}
	const name = "DPMS"
	r, err := w.ask(queryExtension, 0, append([]byte{byte(len(name)), 0, 0, 0}, name...))
	if err != nil {
		return hw.Unknown, err
	}
	if r[8] == 0 {
		return hw.Unknown, errors.New("its server has no DPMS; use another way in its place")
	}
	w.major = r[9]
	if r, err = w.ask(w.major, dpmsCapable, nil); err != nil {
		return hw.Unknown, err
	}
	if r[8] == 0 {
		return hw.Unknown, errors.New("its server's driver has no DPMS; use another way in its place")
	}
	level := []byte{levelOff, 0, 0, 0}
	if on {
		level[0] = levelOn
	}
	// Timeouts of zero: the agent decides, never the server's own timers.
	// ForceLevel is refused unless DPMS is enabled.
	for _, q := range []struct {
		minor byte
		body  []byte
	}{{dpmsSetTimeouts, make([]byte, 8)}, {dpmsEnable, nil}, {dpmsForceLevel, level}} {
		if err := w.send(w.major, q.minor, q.body); err != nil {
			return hw.Unknown, err
		}
	}
	if r, err = w.ask(w.major, dpmsInfo, nil); err != nil {
		return hw.Unknown, err
	}
	got := hw.Off // standby and suspend are dark too
	if le.Uint16(r[8:]) == levelOn || r[10] == 0 {
		got = hw.On
	}
	if !on {
		return got, nil
	}
	if err := w.send(w.major, dpmsDisable, nil); err != nil {
		return hw.Unknown, err
	}
	// A round trip: a server drops the requests of a client that is gone.
	if _, err = w.ask(w.major, dpmsInfo, nil); err != nil {
		return hw.Unknown, err
	}
	return got, nil
}

// xwire is a connection of little-endian byte order.
type xwire struct {
	c     io.ReadWriter
	seq   uint16
	major byte // of DPMS
}

// maxStray bounds what the server may say besides the answers that are waited for.
const maxStray = 256

// setup opens the connection ("X Window System Protocol", 8).
func (w *xwire) setup(cookie []byte) error {
	name := ""
	if cookie != nil {
		name = cookieName
	}
	b := make([]byte, 12, 64)
	b[0], b[2] = 'l', 11
	b[6], b[8] = byte(len(name)), byte(len(cookie))
	b = pad(append(b, name...))
	b = pad(append(b, cookie...))
	_, err := w.c.Write(b)
	clear(b)
	if err != nil {
		return err
	}
	var head [8]byte
	if err := readFull(w.c, head[:]); err != nil {
		return err
	}
	body := make([]byte, 4*int(le.Uint16(head[6:]))) // 256 KiB at most
	if err := readFull(w.c, body); err != nil {
		return err
	}
	switch head[0] {
	case 1:
		return nil
	case 0:
		return fmt.Errorf("its server refuses us: %.100q", body[:min(int(head[1]), len(body))])
	}
	return errors.New("its server refuses us: it wants another way to log in")
}

func pad(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }

// send sends a request without an answer.
func (w *xwire) send(major, minor byte, body []byte) error {
	b := make([]byte, 4, 16)
	b[0], b[1] = major, minor
	b = pad(append(b, body...))
	le.PutUint16(b[2:], uint16(len(b)/4))
	w.seq++
	_, err := w.c.Write(b)
	return err
}

// ask sends a request and returns its answer's 32 bytes. An error of any
// request since the last answer comes first.
func (w *xwire) ask(major, minor byte, body []byte) ([]byte, error) {
	if err := w.send(major, minor, body); err != nil {
		return nil, err
	}
	b := make([]byte, 32)
	for range maxStray {
		if err := readFull(w.c, b); err != nil {
			return nil, err
		}
		more := 4 * int64(le.Uint32(b[4:]))
		switch b[0] {
		case 0:
			return nil, fmt.Errorf("its server refuses request %d.%d: error %d", b[10], b[8], b[1])
		case 1:
			if more > 1<<16 {
				return nil, fmt.Errorf("its server sends an answer of %d bytes", more)
			}
			if _, err := io.CopyN(io.Discard, w.c, more); err != nil {
				return nil, err
			}
			if le.Uint16(b[2:]) != w.seq {
				return nil, errors.New("its server answers another request")
			}
			return b, nil
		case 35: // GenericEvent is the only event with more than 32 bytes
			if more > 1<<16 {
				return nil, fmt.Errorf("its server sends an event of %d bytes", more)
			}
			if _, err := io.CopyN(io.Discard, w.c, more); err != nil {
				return nil, err
			}
		}
	}
	return nil, errors.New("its server sends events that were not asked for, and no answer")
}

// Package screen darkens a terminal's display and brings it back: by X11's DPMS,
// a Wayland compositor's output power, HDMI-CEC, the backlight or the mains.
// Each way is an hw.Screen that reads back what it did; a Chain tries them in a
// configured order.
package screen

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"borne/hw"
)

// ErrSuperseded: the opposite was asked meanwhile.
var ErrSuperseded = errors.New("the opposite was asked meanwhile")

// le is the byte order of both X11 and Wayland as we speak them.
var le = binary.LittleEndian

// wanted is the level that a request should read back.
func wanted(on bool) hw.Level {
	if on {
		return hw.On
	}
	return hw.Off
}

// word says what is tried, for errors.
func word(on bool) string {
	if on {
		return "light"
	}
	return "darken"
}

// dialUnix connects to a socket whose every read and write ends with ctx, and
// at the latest after limit.
func dialUnix(ctx context.Context, path string, limit time.Duration) (net.Conn, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	end := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // long past: wakes a blocked read
	return c, func() {
		end()
		cancel()
		_ = c.Close() // nothing is owed to it
	}, nil
}

// sleep waits for d, or returns ctx's error when it ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readFull is io.ReadFull that never says io.EOF, which would look like an end that was foreseen.
func readFull(r io.Reader, b []byte) error {
	if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	return nil
}

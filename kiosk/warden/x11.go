package warden

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The few X11 requests that the warden needs (X Window System Protocol, X
// Version 11, Release 7.7). The server at the other end is a session's, and so
// a foreign one: every length is capped, and every step has a deadline.

const (
	atomCutBuffer0 = 9
	atomString     = 31
	maxSetup       = 256 << 10
	xLimit         = 3 * time.Second
)

// display is a connection to an X server.
type display struct {
	c    net.Conn
	root uint32
	base uint32 // of the ids that this client may use
}

// dialX connects to the server behind a Unix socket.
func dialX(path string, cookie []byte) (*display, error) {
	c, err := net.DialTimeout("unix", path, xLimit)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the display: %w", err)
	}
	d := &display{c: c}
	c.SetDeadline(time.Now().Add(xLimit))
	if err := d.setup(cookie); err != nil {
		c.Close()
		return nil, err
	}
	return d, nil
}

func (d *display) close() { d.c.Close() }

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (d *display) setup(cookie []byte) error {
	name := cookieName
	if cookie == nil {
		name = ""
	}
	b := []byte{'l', 0, 11, 0, 0, 0}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(cookie)))
	b = append(b, 0, 0)
	b = pad(append(b, name...))
	b = pad(append(b, cookie...))
	if _, err := d.c.Write(b); err != nil {
		return fmt.Errorf("cannot greet the display: %w", err)
	}
	var head [8]byte
	if _, err := io.ReadFull(d.c, head[:]); err != nil {
		return fmt.Errorf("cannot greet the display: %w", err)
	}
	n := 4 * int(binary.LittleEndian.Uint16(head[6:]))
	if n > maxSetup {
		return fmt.Errorf("cannot greet the display: %d bytes of setup", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(d.c, body); err != nil {
		return fmt.Errorf("cannot greet the display: %w", err)
	}
	if head[0] != 1 {
		return errors.New("cannot greet the display: it refuses the cookie")
	}
	return d.parseSetup(body)
}

func (d *display) parseSetup(b []byte) error {
	short := errors.New("cannot greet the display: its setup is too short")
	if len(b) < 32 {
		return short
	}
	d.base = binary.LittleEndian.Uint32(b[4:])
	vendor, formats := int(binary.LittleEndian.Uint16(b[16:])), int(b[21])
	at := 32 + (vendor+3)/4*4 + 8*formats
	if b[20] == 0 || len(b) < at+4 {
		return short
	}
	d.root = binary.LittleEndian.Uint32(b[at:])
	return nil
}

// window makes an unmapped window: nobody sees what is drawn in it.
func (d *display) window(width, height int) (uint32, error) {
	id := d.base | 1
	b := []byte{1, 0, 8, 0} // CreateWindow, depth from the parent, length 8
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint32(b, d.root)
	for _, v := range []int{0, 0, width, height, 0, 1} { // x, y, w, h, border, InputOutput
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	b = binary.LittleEndian.AppendUint32(b, 0) // visual from the parent
	b = binary.LittleEndian.AppendUint32(b, 0) // no attributes
	if err := d.send(b); err != nil {
		return 0, err
	}
	return id, d.sync()
}

// setCutBuffer puts value where every X server keeps it: a property of the
// root window, in the server's own memory.
func (d *display) setCutBuffer(value string) error {
	text := pad([]byte(value))
	b := []byte{18, 0} // ChangeProperty, replace
	b = binary.LittleEndian.AppendUint16(b, uint16(6+len(text)/4))
	for _, v := range []uint32{d.root, atomCutBuffer0, atomString} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, 8, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	if err := d.send(append(b, text...)); err != nil {
		return err
	}
	got, err := d.cutBuffer(len(text))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, []byte(value)) {
		return errors.New("cannot plant on the display: the server does not hold it")
	}
	return nil
}

// cutBuffer reads the property back, at most n bytes.
func (d *display) cutBuffer(n int) ([]byte, error) {
	b := []byte{20, 0, 6, 0} // GetProperty
	for _, v := range []uint32{d.root, atomCutBuffer0, atomString, 0, uint32(n / 4)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	if err := d.send(b); err != nil {
		return nil, err
	}
	head, body, err := d.reply(4 * ((n + 3) / 4))
	if err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(head[16:])) * int(head[1]) / 8
	if size > len(body) {
		return nil, errors.New("cannot read from the display: a short reply")
	}
	return body[:size], nil
}

// sync waits until the server has done all that was asked (GetInputFocus).
func (d *display) sync() error {
	if err := d.send([]byte{43, 0, 1, 0}); err != nil {
		return err
	}
	_, _, err := d.reply(0)
	return err
}

func (d *display) send(b []byte) error {
	d.c.SetDeadline(time.Now().Add(xLimit))
	if _, err := d.c.Write(b); err != nil {
		return fmt.Errorf("cannot ask the display: %w", err)
	}
	return nil
}

// reply reads up to the next reply or error; events are skipped.
func (d *display) reply(most int) ([]byte, []byte, error) {
	for range 1000 {
		head := make([]byte, 32)
		if _, err := io.ReadFull(d.c, head); err != nil {
			return nil, nil, fmt.Errorf("cannot hear the display: %w", err)
		}
		switch head[0] {
		case 0:
			return nil, nil, fmt.Errorf("cannot ask the display: X error %d", head[1])
		case 1:
			n := int64(binary.LittleEndian.Uint32(head[4:])) * 4
			if n > int64(most) {
				return nil, nil, fmt.Errorf("cannot hear the display: a reply of %d bytes", n)
			}
			body := make([]byte, n)
			if _, err := io.ReadFull(d.c, body); err != nil {
				return nil, nil, fmt.Errorf("cannot hear the display: %w", err)
			}
			return head, body, nil
		case 35: // GenericEvent has a body
			return nil, nil, errors.New("cannot hear the display: an event that nobody asked for")
		}
	}
	return nil, nil, errors.New("cannot hear the display: only events come")
}

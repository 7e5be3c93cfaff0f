package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"borne/hw"
)

const (
	// wlrLimit bounds one change on a compositor.
	wlrLimit = 2 * time.Second
	// wlrSettle is how long a compositor may take to report a mode that it has
	// acknowledged: it commits to the display at its own pace.
	wlrSettle = 500 * time.Millisecond

	maxOutputs = 16
)

// Interfaces and opcodes of wayland.xml and wlr-output-power-management-unstable-v1.xml.
const (
	powerManager = "zwlr_output_power_manager_v1"
	output       = "wl_output"

	displayID, registryID, callbackID, managerID = 1, 2, 3, 4

	displaySync, displayGetRegistry = 0, 1 // requests
	displayError                    = 0    // event
	registryBind, registryGlobal    = 0, 0 // request, event
	managerGetOutputPower           = 0
	powerSetMode                    = 0
	powerMode, powerFailed          = 0, 1 // events
)

// Wlr switches all outputs of a Wayland compositor that offers
// wlr-output-power-management (sway, labwc, wayfire). A mode outlives our
// connection.
type Wlr struct {
	Socket string // path
}

// Light implements hw.Screen.
func (w Wlr) Light(ctx context.Context, on bool) (hw.Level, error) {
	l, err := w.light(ctx, on)
	if err != nil {
		return hw.Unknown, fmt.Errorf("cannot %s the outputs of compositor %s: %w", word(on), w.Socket, err)
	}
	return l, nil
}

func (w Wlr) light(ctx context.Context, on bool) (hw.Level, error) {
	c, end, err := dialUnix(ctx, w.Socket, wlrLimit)
	if err != nil {
		return hw.Unknown, fmt.Errorf("%w; is it running?", err)
	}
	defer end()
	p := power{wire: wire{c: c}, modes: map[uint32]hw.Level{}}
	if err := p.ask(on); err != nil {
		return hw.Unknown, err
	}
	if p.level(on) != wanted(on) {
		settled := time.Now().Add(wlrSettle)
		if d, ok := ctx.Deadline(); ok && d.Before(settled) {
			settled = d
		}
		if err := c.SetReadDeadline(settled); err != nil {
			return hw.Unknown, err
		}
		for p.level(on) != wanted(on) {
			if err := p.step(); errors.Is(err, os.ErrDeadlineExceeded) {
				break // what was read last stands
			} else if err != nil {
				return hw.Unknown, err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return hw.Unknown, err
	}
	return p.level(on), nil
}

// power is one conversation with a compositor.
type power struct {
	wire
	manager uint32
	outputs []uint32            // globals' names
	modes   map[uint32]hw.Level // by the id of the output's power object
	next    uint32              // id
	waiting uint32              // callback; 0: none
}

// ask sets every output's mode and reads until the compositor has seen that.
func (p *power) ask(on bool) error {
	if err := errors.Join(p.request(displayID, displayGetRegistry, uint32(registryID)), p.sync(callbackID)); err != nil {
		return err
	}
	if p.manager == 0 {
		return errors.New("it does not offer " + powerManager + "; use another way in its place")
	}
	if len(p.outputs) == 0 {
		return errors.New("it has no output")
	}
	if err := p.request(registryID, registryBind, p.manager, powerManager, uint32(1), uint32(managerID)); err != nil {
		return err
	}
	mode := uint32(0)
	if on {
		mode = 1
	}
	p.next = managerID + 1
	for _, name := range p.outputs {
		out, pow := p.next, p.next+1
		p.next += 2
		p.modes[pow] = hw.Unknown
		err := errors.Join(
			p.request(registryID, registryBind, name, output, uint32(1), out),
			p.request(managerID, managerGetOutputPower, pow, out),
			p.request(pow, powerSetMode, mode))
		if err != nil {
			return err
		}
	}
	return p.sync(p.next)
}

// sync waits until everything sent before has been seen.
func (p *power) sync(id uint32) error {
	if err := p.request(displayID, displaySync, id); err != nil {
		return err
	}
	p.waiting = id
	for p.waiting != 0 {
		if err := p.step(); err != nil {
			return err
		}
	}
	return nil
}

// step reads one event.
func (p *power) step() error {
	id, op, args, err := p.event()
	if err != nil {
		return err
	}
	switch {
	case id == displayID && op == displayError:
		return protocolError(args)
	case id == registryID && op == registryGlobal:
		name, what, err := global(args)
		switch {
		case err != nil:
			return err
		case what == powerManager:
			p.manager = name
		case what == output && len(p.outputs) < maxOutputs && p.next == 0: // one that is plugged in later is the next change's
			p.outputs = append(p.outputs, name)
		}
	case id == p.waiting:
		p.waiting = 0
	default:
		if _, ours := p.modes[id]; !ours {
			return nil
		}
		switch {
		case op == powerFailed: // another client owns it, or it was unplugged
			p.modes[id] = hw.Unknown
		case op == powerMode && len(args) >= 4:
			p.modes[id] = wanted(le.Uint32(args) == 1)
		}
	}
	return nil
}

// level is On when all outputs are lit and Off when all are dark. Of outputs
// that differ, the one that is not as asked tells.
func (p *power) level(on bool) hw.Level {
	all := slices.Sorted(maps.Values(p.modes)) // Unknown, Off, On
	switch {
	case len(all) == 0 || all[0] == hw.Unknown:
		return hw.Unknown
	case on:
		return all[0]
	}
	return all[len(all)-1]
}

// Limits of what a compositor sends.
const (
	maxMessage = 4096 // libwayland's own
	maxEvents  = 4096
)

// wire is the byte layer of the Wayland protocol ("Wire Format"): 32-bit words
// in the machine's order; every board that we run on is little-endian.
type wire struct {
	c      io.ReadWriter
	events int
	buf    [maxMessage]byte
}

// request sends words and strings.
func (w *wire) request(id uint32, op uint16, args ...any) error {
	b := make([]byte, 8, 64)
	le.PutUint32(b, id)
	for _, a := range args {
		switch v := a.(type) {
		case uint32:
			b = le.AppendUint32(b, v)
		case string:
			b = le.AppendUint32(b, uint32(len(v)+1))
			b = pad(append(append(b, v...), 0))
		}
	}
	le.PutUint32(b[4:], uint32(len(b))<<16|uint32(op))
	_, err := w.c.Write(b)
	return err
}

// event reads one event; its arguments are good until the next.
func (w *wire) event() (id uint32, op uint16, args []byte, err error) {
	if w.events++; w.events > maxEvents {
		return 0, 0, nil, errors.New("it sends events without end")
	}
	if err := readFull(w.c, w.buf[:8]); err != nil {
		return 0, 0, nil, err
	}
	id, size := le.Uint32(w.buf[:]), le.Uint32(w.buf[4:])
	n := int(size >> 16)
	if n < 8 || n > maxMessage || n%4 != 0 {
		return 0, 0, nil, fmt.Errorf("it sends an event of %d bytes", n)
	}
	args = w.buf[8:n]
	return id, uint16(size), args, readFull(w.c, args)
}

// global reads a registry's announcement: name, interface, version.
func global(b []byte) (name uint32, what string, err error) {
	if len(b) >= 4 {
		what, err = text(b[4:])
		return le.Uint32(b), what, err
	}
	return 0, "", errors.New("it announces a global that is cut off")
}

// text reads a string: its length with a final zero, then both.
func text(b []byte) (string, error) {
	if len(b) < 4 {
		return "", errors.New("it sends a string that is cut off")
	}
	n := le.Uint32(b)
	if n == 0 || uint64(n) > uint64(len(b)-4) {
		return "", errors.New("it sends a string that is cut off")
	}
	return string(b[4 : 4+n-1]), nil
}

func protocolError(b []byte) error {
	if len(b) < 8 {
		return errors.New("it ends the conversation")
	}
	why, _ := text(b[8:]) // its code says as much
	return fmt.Errorf("it ends the conversation: error %d of object %d: %.100q", le.Uint32(b[4:]), le.Uint32(b), why)
}

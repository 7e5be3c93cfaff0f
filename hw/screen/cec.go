package screen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"borne/hw"
)

// Kernel interface, linux/cec.h; the same numbers on every board. Sizes and
// offsets are those of struct cec_msg and struct cec_log_addrs.
const (
	cecGetCaps     = 0xc04c6100 // CEC_ADAP_G_CAPS
	cecGetPhysAddr = 0x80026101 // CEC_ADAP_G_PHYS_ADDR
	cecGetLogAddrs = 0x805c6103 // CEC_ADAP_G_LOG_ADDRS
	cecSetLogAddrs = 0xc05c6104 // CEC_ADAP_S_LOG_ADDRS
	cecTransmit    = 0xc0386105 // CEC_TRANSMIT

	capsSize, logAddrsSize, msgSize = 76, 92, 56

	capLogAddrs = 1 << 1
	capTransmit = 1 << 2
	noPhysAddr  = 0xffff

	txOK, rxOK, rxTimeout, rxAbort = 1, 1, 2, 4
)

// Messages of HDMI 1.4, supplement 1 (CEC), table 7 and after.
const (
	imageViewOn       = 0x04
	standby           = 0x36
	activeSource      = 0x82
	givePowerStatus   = 0x8f
	reportPowerStatus = 0x90

	addrTV, addrBroadcast = 0, 15

	powerOn, powerStandby = 0, 1 // 2 and 3: on its way
)

const (
	// cecAsk is how long between questions to a television that is on its way.
	cecAsk = 250 * time.Millisecond
	// cecLimit is how long one is given to get there.
	cecLimit = 10 * time.Second
)

// CEC switches a television or monitor through HDMI's control wire. Waking one
// also makes it show our input.
type CEC struct {
	Path string                          // /dev/cecN
	open func(string) (cecDevice, error) // nil: the kernel's
}

// cecDevice is an open adapter, at the border of the kernel.
type cecDevice interface {
	ioctl(request uint32, arg []byte) error
	Close() error
}

// Light implements hw.Screen. It reads back until the television is where it
// was sent or ctx ends, for some take seconds. One that never tells its state
// is Unknown.
func (c CEC) Light(ctx context.Context, on bool) (hw.Level, error) {
	l, err := c.light(ctx, on)
	if err != nil {
		return hw.Unknown, fmt.Errorf("cannot %s the screen by HDMI-CEC on %s: %w", word(on), c.Path, err)
	}
	return l, nil
}

func (c CEC) light(ctx context.Context, on bool) (hw.Level, error) {
	if err := ctx.Err(); err != nil {
		return hw.Unknown, err
	}
	open := c.open
	if open == nil {
		open = openCEC
	}
	dev, err := open(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hw.Unknown, fmt.Errorf("%w: this board has no such adapter, or its driver is not loaded (vc4-kms-v3d on a Pi)", hw.ErrAbsent)
	case errors.Is(err, fs.ErrPermission):
		return hw.Unknown, fmt.Errorf("%w; add the agent's user to group video", err)
	case err != nil:
		return hw.Unknown, err
	}
	defer dev.Close()
	t := cecTalk{dev: dev}
	if err := t.begin(); err != nil {
		return hw.Unknown, err
	}
	if on {
		err = errors.Join(t.send(addrTV, imageViewOn), t.send(addrBroadcast, activeSource, byte(t.phys>>8), byte(t.phys)))
	} else {
		err = t.send(addrTV, standby)
	}
	if err != nil {
		return hw.Unknown, err
	}
	ctx, cancel := context.WithTimeout(ctx, cecLimit)
	defer cancel()
	for {
		l, moving, err := t.power()
		if err != nil {
			return hw.Unknown, err
		}
		if l == wanted(on) || l == hw.Unknown && !moving || sleep(ctx, cecAsk) != nil {
			return l, nil
		}
	}
}

// cecTalk is one conversation.
type cecTalk struct {
	dev  cecDevice
	own  byte // our logical address
	phys uint16
}

// begin makes sure that the adapter can send, and has an address to send from.
// An address that another program claimed serves us too; ours stays claimed
// when we leave, so that the next change is quick.
func (t *cecTalk) begin() error {
	caps := make([]byte, capsSize)
	if err := t.dev.ioctl(cecGetCaps, caps); err != nil {
		return err
	}
	can := binary.NativeEndian.Uint32(caps[68:])
	if can&capTransmit == 0 {
		return errors.New("its adapter cannot send; use another way in its place")
	}
	phys := make([]byte, 2)
	if err := t.dev.ioctl(cecGetPhysAddr, phys); err != nil {
		return err
	}
	if t.phys = binary.NativeEndian.Uint16(phys); t.phys == noPhysAddr {
		return errors.New("no screen is plugged into its HDMI socket, or it has no CEC")
	}
	a := make([]byte, logAddrsSize)
	if err := t.dev.ioctl(cecGetLogAddrs, a); err != nil {
		return err
	}
	if binary.NativeEndian.Uint16(a[4:]) == 0 {
		if can&capLogAddrs == 0 {
			return errors.New("its adapter has no address, and takes none from us")
		}
		clear(a)
		a[6], a[7] = 5, 1                                      // CEC 1.4, one address
		binary.NativeEndian.PutUint32(a[8:], 0xffffffff)       // no vendor
		copy(a[16:31], "Borne")                                // shown on the screen's list of inputs
		a[31], a[35], a[39] = 4, 3, 0x10                       // a playback device, in the three ways it is said
		if err := t.dev.ioctl(cecSetLogAddrs, a); err != nil { // blocks until claimed
			return err
		}
		if binary.NativeEndian.Uint16(a[4:]) == 0 {
			return errors.New("no address is free on its wire")
		}
	}
	if t.own = a[0]; t.own > 15 {
		return fmt.Errorf("its adapter has address %d, which is none", t.own)
	}
	return nil
}

// message lays out struct cec_msg.
func (t *cecTalk) message(to, opcode byte, operands ...byte) []byte {
	m := make([]byte, msgSize)
	binary.NativeEndian.PutUint32(m[16:], uint32(2+len(operands)))
	m[32], m[33] = t.own<<4|to, opcode
	copy(m[34:48], operands)
	return m
}

// send sends a message that has no answer. The kernel waits for the wire, with
// its own limit of a few seconds.
func (t *cecTalk) send(to, opcode byte, operands ...byte) error {
	m := t.message(to, opcode, operands...)
	if err := t.dev.ioctl(cecTransmit, m); err != nil {
		return err
	}
	if m[50]&txOK == 0 {
		return fmt.Errorf("message %#02x was not taken (status %#02x): the screen has no CEC, or it is switched off in its menu", opcode, m[50])
	}
	return nil
}

// power asks for the state; moving says that it is changing.
func (t *cecTalk) power() (l hw.Level, moving bool, err error) {
	m := t.message(addrTV, givePowerStatus)
	binary.NativeEndian.PutUint32(m[20:], 1000) // ms: the longest that an answer may take (CEC 9.2)
	m[48] = reportPowerStatus
	if err := t.dev.ioctl(cecTransmit, m); err != nil {
		return hw.Unknown, false, err
	}
	n := binary.NativeEndian.Uint32(m[16:])
	switch {
	case m[50]&txOK == 0, m[49]&(rxTimeout|rxAbort) != 0:
		return hw.Unknown, false, nil // some are deaf in standby, some never tell
	case m[49]&rxOK == 0, n != 3, m[32]>>4 != addrTV, m[33] != reportPowerStatus:
		return hw.Unknown, false, fmt.Errorf("its answer of %d bytes about its power makes no sense", n)
	}
	switch m[34] {
	case powerOn:
		return hw.On, false, nil
	case powerStandby:
		return hw.Off, false, nil
	case 2, 3:
		return hw.Unknown, true, nil
	}
	return hw.Unknown, false, fmt.Errorf("its power status %d is none", m[34])
}

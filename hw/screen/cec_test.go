package screen

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"borne/hw"
)

// tv is a television behind an adapter, at the border of the kernel.
type tv struct {
	t         *testing.T
	caps      uint32
	phys      uint16
	addrs     byte // our address; 0: none yet
	power     byte
	takes     int // questions about its power before it has changed
	mute      bool
	absent    bool
	odd       byte // a power status that is none
	seen      []string
	closed    int
	claimFail bool
}

func (v *tv) Close() error { v.closed++; return nil }

func (v *tv) ioctl(request uint32, a []byte) error {
	switch request {
	case cecGetCaps:
		le.PutUint32(a[68:], v.caps)
	case cecGetPhysAddr:
		le.PutUint16(a, v.phys)
	case cecGetLogAddrs, cecSetLogAddrs:
		if request == cecSetLogAddrs {
			if a[7] != 1 || a[31] != 4 || a[35] != 3 || !bytes.HasPrefix(a[16:31], []byte("Borne\x00")) || le.Uint32(a[8:]) != 0xffffffff {
				v.t.Errorf("claims %x", a)
			}
			v.seen = append(v.seen, "claim")
			if v.claimFail {
				return nil
			}
			v.addrs = 4
		}
		if v.addrs != 0 {
			a[0] = v.addrs
			le.PutUint16(a[4:], 1<<v.addrs)
		}
	case cecTransmit:
		v.transmit(a)
	default:
		v.t.Errorf("ioctl %#x", request)
	}
	return nil
}

func (v *tv) transmit(a []byte) {
	n := le.Uint32(a[16:])
	if a[32]>>4 != v.addrs || n < 2 || n > 16 {
		v.t.Errorf("message %x from a wrong address", a[32:48])
	}
	if v.absent {
		a[50] = 1<<2 | 1<<5 // not acknowledged, retries used up
		return
	}
	a[50] = txOK
	switch a[33] {
	case imageViewOn:
		v.seen = append(v.seen, "wake")
		v.power = 2
	case activeSource:
		if a[32]&15 != addrBroadcast || n != 4 || uint16(a[34])<<8|uint16(a[35]) != v.phys {
			v.t.Errorf("active source %x", a[32:48])
		}
		v.seen = append(v.seen, "source")
	case standby:
		v.seen = append(v.seen, "sleep")
		v.power = 3
	case givePowerStatus:
		if le.Uint32(a[20:]) != 1000 || a[48] != reportPowerStatus || a[32]&15 != addrTV {
			v.t.Errorf("question %x", a)
		}
		if v.mute {
			a[48], a[49] = 0, rxTimeout
			return
		}
		if v.takes--; v.takes < 0 && v.power >= 2 {
			v.power -= 2
		}
		le.PutUint32(a[16:], 3)
		a[49], a[32], a[33], a[34] = rxOK, v.addrs, reportPowerStatus, v.power|v.odd
	default:
		v.t.Errorf("message %x", a[32:48])
	}
}

// What is below the border, the kernel's own work, could not be tried here: the
// kernel has no CEC, not even a virtual one.
func TestCEC(t *testing.T) {
	const can = capLogAddrs | capTransmit
	for _, c := range []struct {
		name string
		tv   tv
		on   bool
		want hw.Level
		seen string
		err  string
	}{
		{"wake", tv{caps: can, phys: 0x1000}, true, hw.On, "claim wake source", ""},
		{"sleep", tv{caps: can, phys: 0x1000, addrs: 8}, false, hw.Off, "sleep", ""},
		{"takes seconds", tv{caps: can, phys: 0x1000, takes: 12}, true, hw.On, "claim wake source", ""},
		{"takes for ever", tv{caps: can, phys: 0x1000, takes: 1000}, true, hw.Unknown, "claim wake source", ""},
		{"never tells", tv{caps: can, phys: 0x2000, mute: true}, false, hw.Unknown, "claim sleep", ""},
		{"nobody there", tv{caps: can, phys: 0x1000, absent: true}, false, hw.Unknown, "claim", "0x36 was not taken (status 0x24)"},
		{"no cable", tv{caps: can, phys: noPhysAddr}, true, hw.Unknown, "", "no screen is plugged"},
		{"cannot send", tv{caps: capLogAddrs, phys: 0x1000}, true, hw.Unknown, "", "cannot send"},
		{"takes no address", tv{caps: capTransmit, phys: 0x1000}, true, hw.Unknown, "", "takes none"},
		{"no address free", tv{caps: can, phys: 0x1000, claimFail: true}, true, hw.Unknown, "claim", "no address is free"},
		{"nonsense", tv{caps: can, phys: 0x1000, odd: 0x40}, true, hw.Unknown, "claim wake source", "is none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &c.tv
				v.t = t
				l, err := CEC{Path: "/dev/cec0", open: func(string) (cecDevice, error) { return v, nil }}.Light(t.Context(), c.on)
				if l != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, %v", l, err)
				}
				if got := strings.Join(v.seen, " "); got != c.seen {
					t.Errorf("it saw %q, want %q", got, c.seen)
				}
				if v.closed != 1 {
					t.Errorf("closed %d times", v.closed)
				}
			})
		})
	}
}

func TestCECWithoutAdapter(t *testing.T) {
	if _, err := (CEC{Path: filepath.Join(t.TempDir(), "cec0")}).Light(t.Context(), true); !errors.Is(err, hw.ErrAbsent) {
		t.Errorf("%v", err)
	}
	// A file that is no adapter: the kernel's answer to a real ioctl.
	if _, err := (CEC{Path: os.DevNull}).Light(t.Context(), true); !errors.Is(err, syscall.ENOTTY) {
		t.Errorf("%v", err)
	}
}

func FuzzCECPower(f *testing.F) {
	f.Add([]byte{1, 4, 0x90, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, _, err := (&cecTalk{own: 4, dev: answer(b)}).power()
		if err != nil && l != hw.Unknown {
			t.Fatalf("%v with %v", l, err)
		}
	})
}

// answer overwrites whatever it is asked.
type answer []byte

func (a answer) ioctl(_ uint32, b []byte) error { copy(b[min(len(b), 16):], a); return nil }
func (a answer) Close() error                   { return nil }

package wedge_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/wedge"

	"github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"
)

// keyboard is a reader of the kernel's uinput, which this test types on.
type keyboard struct {
	t    *testing.T
	dev  *evdev.InputDevice
	path string
	gone bool
}

// plug plugs a keyboard with these keys. It skips where there is no uinput.
func plug(t *testing.T, keys ...evdev.EvCode) *keyboard {
	t.Helper()
	if f, err := os.OpenFile("/dev/uinput", os.O_WRONLY, 0); err != nil {
		t.Skip("SKIP: no /dev/uinput that can be used here; scripts/hw-kernel has one")
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := filepath.Glob("/dev/input/event*")
	if err != nil {
		t.Fatal(err)
	}
	dev, err := evdev.CreateDevice("Sycreader", evdev.InputID{BusType: 3, Vendor: 0xffff, Product: 0x35}, map[evdev.EvType][]evdev.EvCode{evdev.EV_KEY: keys})
	if err != nil {
		t.Fatal(err)
	}
	k := &keyboard{t: t, dev: dev}
	t.Cleanup(k.unplug)
	after, err := filepath.Glob("/dev/input/event*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range after {
		if !strings.Contains(strings.Join(before, " ")+" ", p+" ") {
			k.path = p
		}
	}
	if k.path == "" {
		t.Fatalf("no new event device among %v", after)
	}
	return k
}

func digits() []evdev.EvCode {
	return []evdev.EvCode{evdev.KEY_1, evdev.KEY_2, evdev.KEY_3, evdev.KEY_4, evdev.KEY_5, evdev.KEY_6, evdev.KEY_7, evdev.KEY_8, evdev.KEY_9, evdev.KEY_0,
		evdev.KEY_A, evdev.KEY_B, evdev.KEY_C, evdev.KEY_D, evdev.KEY_E, evdev.KEY_F, evdev.KEY_ENTER}
}

func (k *keyboard) unplug() {
	if k.gone {
		return
	}
	k.gone = true
	if err := errors.Join(evdev.DestroyDevice(k.dev), k.dev.Close()); err != nil {
		k.t.Error(err)
	}
}

func (k *keyboard) types(s string) {
	k.t.Helper()
	for _, r := range s {
		code, ok := map[rune]evdev.EvCode{'\n': evdev.KEY_ENTER, '0': evdev.KEY_0, 'A': evdev.KEY_A, 'B': evdev.KEY_B, 'C': evdev.KEY_C, 'D': evdev.KEY_D, 'E': evdev.KEY_E, 'F': evdev.KEY_F}[r]
		if !ok {
			code = evdev.KEY_1 + evdev.EvCode(r-'1')
		}
		for _, v := range []int32{1, 0} {
			for _, e := range []evdev.InputEvent{{Type: evdev.EV_KEY, Code: code, Value: v}, {Type: evdev.EV_SYN}} {
				if err := k.dev.WriteOne(&e); err != nil {
					k.t.Fatal(err)
				}
			}
		}
	}
}

func key(t *testing.T) hw.BadgeKey {
	t.Helper()
	k, err := hw.NewBadgeKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t *testing.T, path string, f wedge.Format) *wedge.Reader {
	t.Helper()
	r, err := wedge.Open(path, wedge.Options{Format: f, Gap: wedge.MaxGap, Clock: clock.NewMonotonic()}, key(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// reads reads the card of these four bytes.
func reads(t *testing.T, r *wedge.Reader, uid ...byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tap, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(tap.Badges) != 1 || tap.Badges[0].Key != key(t)(uid) || tap.Badges[0].Bytes != len(uid) {
		t.Fatalf("another card was read: %+v", tap)
	}
}

// What is typed reaches us and nobody else: here, somebody who has the same node
// open, as a display server has.
func TestKernelGrab(t *testing.T) {
	k := plug(t, digits()...)
	server, err := os.OpenFile(k.path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	hears := func() bool {
		fd := int(server.Fd()) // blocking from here on
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		var buf [4096]byte
		n, err := unix.Read(fd, buf[:])
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		return n > 0
	}
	k.types("1")
	if !hears() {
		t.Fatal("nobody hears the keyboard before it is grabbed: this test would see no grab")
	}
	r := open(t, k.path, wedge.Dec10)
	k.types("0004158902\n")
	reads(t, r, 0x00, 0x3F, 0x75, 0xB6)
	if hears() {
		t.Error("somebody else heard the number")
	}
	if _, err := wedge.Open(k.path, wedge.Options{Clock: clock.NewMonotonic()}, key(t)); err == nil || !strings.Contains(err.Error(), "another program has grabbed it") {
		t.Errorf("grabbed twice: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	k.types("1")
	if !hears() {
		t.Error("a reader that was closed keeps its keyboard")
	}
}

func TestKernelTypes(t *testing.T) {
	k := plug(t, digits()...)
	r := open(t, k.path, wedge.Hex)
	for n := range byte(30) {
		k.types(fmt.Sprintf("04958CAA5C5E%02X\n", n))
		reads(t, r, 0x04, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, n)
	}
	// What was typed before we came is nobody's number.
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	k.types("0495")
	r = open(t, k.path, wedge.Hex)
	k.types("04958CAA\n")
	reads(t, r, 0x04, 0x95, 0x8C, 0xAA)
}

// More keys at once than the kernel keeps: some numbers are lost, and none is made
// of two.
func TestKernelOverrun(t *testing.T) {
	k := plug(t, digits()...)
	r := open(t, k.path, wedge.Hex)
	for range 50 {
		k.types("0102030405060708090A")
	}
	k.types("\n00000001\n")
	for range 50 {
		k.types("1122334455")
	}
	// After a pause that ends whatever was begun.
	late := time.AfterFunc(2*wedge.MaxGap, func() { k.types("00000002\n") })
	defer late.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		tap, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		switch tap.Badges[0].Key {
		case key(t)([]byte{0, 0, 0, 1}): // it was whole, if we were quick
		case key(t)([]byte{0, 0, 0, 2}):
			return
		default:
			t.Fatal("a card was read that was never typed")
		}
	}
}

func TestKernelUnplugged(t *testing.T) {
	k := plug(t, digits()...)
	r := open(t, k.path, wedge.Dec10)
	ended := make(chan error)
	go func() { _, err := r.Next(t.Context()); ended <- err }()
	k.unplug()
	if err := <-ended; !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "cannot read badges on "+k.path) {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := wedge.Open(k.path, wedge.Options{Clock: clock.NewMonotonic()}, key(t)); !errors.Is(err, hw.ErrAbsent) {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
}

func TestKernelNotAReader(t *testing.T) {
	k := plug(t, evdev.BTN_LEFT, evdev.BTN_RIGHT)
	if _, err := wedge.Open(k.path, wedge.Options{Clock: clock.NewMonotonic()}, key(t)); err == nil || !strings.Contains(err.Error(), k.path+" has no digit keys") {
		t.Errorf("a mouse was taken for a reader: %v", err)
	}
}

func TestKernelNothingStays(t *testing.T) {
	k := plug(t, digits()...)
	use := func() {
		r := open(t, k.path, wedge.Dec10)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	use()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	routines := runtime.NumGoroutine()
	for range 50 {
		use()
	}
	after, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; runtime.NumGoroutine() > routines && n < 1e5; n++ {
		runtime.Gosched() // those on their way out
	}
	if len(after) != len(files) || runtime.NumGoroutine() > routines {
		t.Errorf("%d descriptors and %d goroutines, %d and %d before", len(after), runtime.NumGoroutine(), len(files), routines)
	}
}

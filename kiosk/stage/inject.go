package stage

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// maxTyped bounds one Type.
const maxTyped = 1024

// Key presses and releases one key with modifiers, "ctrl+w" or "Return":
// for the simulator only. It reaches whatever has the keyboard.
func (s *Stage) Key(combo string) error {
	parts := strings.Split(combo, "+")
	name := parts[len(parts)-1]
	if strings.HasSuffix(combo, "++") || combo == "+" {
		name = "+"
	}
	var mods []xproto.Keysym
	for _, m := range parts[:len(parts)-1] {
		switch m {
		case "ctrl":
			mods = append(mods, 0xffe3)
		case "shift":
			mods = append(mods, 0xffe1)
		case "alt":
			mods = append(mods, 0xffe9)
		case "":
		default:
			return fmt.Errorf("cannot press %q: modifiers are ctrl, shift and alt", combo)
		}
	}
	sym, ok := namedKey(name)
	if !ok {
		return fmt.Errorf("cannot press %q: no such key", combo)
	}
	return s.press(append(mods, sym)...)
}

// namedKey gives a key's keysym, by the names that browsers use too.
func namedKey(name string) (xproto.Keysym, bool) {
	if r := []rune(name); len(r) == 1 {
		return runeKey(r[0]), true
	}
	var n int
	if c, err := fmt.Sscanf(name, "F%d", &n); err == nil && c == 1 && n >= 1 && n <= 12 {
		return keyF1 + xproto.Keysym(n-1), true
	}
	sym, ok := map[string]xproto.Keysym{"Enter": keyReturn, "Return": keyReturn, "Tab": keyTab, "Escape": keyEscape, "BackSpace": 0xff08,
		"Backspace": 0xff08, "Delete": keyDelete, "Home": keyHome, "End": 0xff57, "ArrowLeft": keyLeft, "ArrowUp": 0xff52,
		"ArrowRight": keyRight, "ArrowDown": 0xff54, "PageUp": 0xff55, "PageDown": 0xff56}[name]
	return sym, ok
}

// runeKey is the keysym of a character: Latin-1 as it is, others by the
// Unicode rule of X11/keysymdef.h.
func runeKey(r rune) xproto.Keysym {
	if r < 0x100 {
		return xproto.Keysym(r)
	}
	return 0x1000000 | xproto.Keysym(r)
}

// Type types text: for the simulator only. A character that the layout has on
// no key is an error, and nothing is typed.
func (s *Stage) Type(text string) error {
	if len(text) > maxTyped {
		return fmt.Errorf("cannot type more than %d bytes at once", maxTyped)
	}
	var all [][]xproto.Keysym
	for _, r := range text {
		sym := runeKey(r)
		if r == '\n' {
			sym = keyReturn
		}
		s.mu.Lock()
		_, shifted, ok := s.keys.find(sym)
		s.mu.Unlock()
		switch {
		case !ok:
			return fmt.Errorf("cannot type %q: the keyboard's layout has no key for it", r)
		case shifted:
			all = append(all, []xproto.Keysym{0xffe1, sym})
		default:
			all = append(all, []xproto.Keysym{sym})
		}
	}
	for _, keys := range all {
		if err := s.press(keys...); err != nil {
			return err
		}
	}
	return nil
}

var errNoTest = errors.New("cannot press keys by program: the display lacks XTEST")

// press presses keys in order and releases them in reverse.
func (s *Stage) press(syms ...xproto.Keysym) error {
	if !s.test {
		return errNoTest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var codes []xproto.Keycode
	for _, sym := range syms {
		code, _, ok := s.keys.find(sym)
		if !ok {
			return fmt.Errorf("cannot press key %#x: the keyboard's layout does not have it", uint32(sym))
		}
		codes = append(codes, code)
	}
	for _, c := range codes {
		xtest.FakeInput(s.x, xproto.KeyPress, byte(c), 0, s.root, 0, 0, 0)
	}
	for i := len(codes) - 1; i >= 0; i-- {
		xtest.FakeInput(s.x, xproto.KeyRelease, byte(codes[i]), 0, s.root, 0, 0, 0)
	}
	return s.sync()
}

// Click moves the pointer to (x, y) and clicks a button (1 left, 2 middle,
// 3 right, 4 and 5 the wheel): for the simulator only.
func (s *Stage) Click(x, y int, button byte) error {
	if button < 1 || button > 5 {
		return fmt.Errorf("cannot click button %d: buttons are 1 to 5", button)
	}
	if err := s.Move(x, y); err != nil {
		return err
	}
	xtest.FakeInput(s.x, xproto.ButtonPress, button, 0, s.root, 0, 0, 0)
	xtest.FakeInput(s.x, xproto.ButtonRelease, button, 0, s.root, 0, 0, 0)
	return s.sync()
}

// Move moves the pointer: for the simulator only.
func (s *Stage) Move(x, y int) error {
	if !s.test {
		return errNoTest
	}
	w, h := s.ScreenSize()
	if x < 0 || y < 0 || x >= w || y >= h {
		return fmt.Errorf("cannot move the pointer to (%d, %d): the screen is %d by %d", x, y, w, h)
	}
	xtest.FakeInput(s.x, xproto.MotionNotify, 0, 0, s.root, int16(x), int16(y), 0)
	return s.sync()
}

// Screenshot gives what the screen shows: for the simulator and tests only.
func (s *Stage) Screenshot() (*image.RGBA, error) {
	if s.screen.RootDepth != 24 && s.screen.RootDepth != 32 {
		return nil, fmt.Errorf("cannot take a picture of a display with depth %d", s.screen.RootDepth)
	}
	w, h := s.ScreenSize()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	const strip = 128 // rows at once: one answer for the whole screen would hold everything else up
	for y := 0; y < h; y += strip {
		n := min(strip, h-y)
		r, err := xproto.GetImage(s.x, xproto.ImageFormatZPixmap, xproto.Drawable(s.root), 0, int16(y), uint16(w), uint16(n), 0xffffffff).Reply()
		if err != nil {
			return nil, s.lost(err)
		}
		if len(r.Data) < 4*w*n {
			return nil, errors.New("cannot take a picture of the display: the server sent too little")
		}
		for i := range w * n {
			p := r.Data[4*i:]
			img.SetRGBA(i%w, y+i/w, color.RGBA{R: p[2], G: p[1], B: p[0], A: 255})
		}
	}
	return img, nil
}

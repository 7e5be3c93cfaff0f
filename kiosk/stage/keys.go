package stage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"

	"github.com/jezek/xgb/xproto"
)

// Keysyms, from X11/keysymdef.h.
const (
	keyTab     = 0xff09
	keyReturn  = 0xff0d
	keyEscape  = 0xff1b
	keyMenu    = 0xff67
	keyPrint   = 0xff61
	keyDelete  = 0xffff
	keyF1      = 0xffbe
	keyNumLock = 0xff7f
	keyHome    = 0xff50
	keyLeft    = 0xff51
	keyRight   = 0xff53
)

const (
	ctrl  = xproto.ModMaskControl
	shift = xproto.ModMaskShift
	alt   = xproto.ModMask1
)

// grab is a key that the shell's browser must not see.
type grab struct {
	mods uint16
	sym  xproto.Keysym
}

// shellGrabs is what Chromium acts on in a window without tabs: new windows,
// printing, saving, searching, closing, developer tools, help, zoom, history.
// They are taken on the shell's windows only: a session has its own rules.
func shellGrabs() []grab {
	var g []grab
	for _, c := range "tnwoshupfgdjrlkeq+-0=&" {
		g = append(g, grab{ctrl, xproto.Keysym(c)}, grab{ctrl | shift, xproto.Keysym(c)})
	}
	for _, c := range "icbmya" {
		g = append(g, grab{ctrl | shift, xproto.Keysym(c)})
	}
	for f := range xproto.Keysym(12) {
		for _, mods := range []uint16{0, ctrl, shift, alt, ctrl | alt} {
			g = append(g, grab{mods, keyF1 + f})
		}
	}
	for _, sym := range []xproto.Keysym{keyTab, keyEscape, ' '} {
		g = append(g, grab{alt, sym}, grab{alt | shift, sym}, grab{ctrl | alt, sym})
	}
	for _, sym := range []xproto.Keysym{keyHome, keyLeft, keyRight, 'd', 'e', 'f'} {
		g = append(g, grab{alt, sym}, grab{alt | shift, sym})
	}
	return append(g, grab{shift, keyEscape}, grab{ctrl, keyEscape}, grab{ctrl, keyTab}, grab{ctrl | shift, keyTab},
		grab{0, keyMenu}, grab{0, keyPrint}, grab{ctrl, keyPrint}, grab{ctrl | shift, keyDelete}, grab{ctrl | alt, keyDelete})
}

// keymap is the server's: for each keycode its keysyms.
type keymap struct {
	first xproto.Keycode
	per   int
	syms  []xproto.Keysym
}

func (s *Stage) readKeymap() error {
	setup := xproto.Setup(s.x)
	n := byte(setup.MaxKeycode-setup.MinKeycode) + 1
	r, err := xproto.GetKeyboardMapping(s.x, setup.MinKeycode, n).Reply()
	if err != nil {
		return fmt.Errorf("cannot read the keyboard's layout: %w", err)
	}
	s.keys = keymap{first: setup.MinKeycode, per: int(r.KeysymsPerKeycode), syms: r.Keysyms}
	return nil
}

// find gives the key that makes sym, and whether it needs Shift.
func (k keymap) find(sym xproto.Keysym) (code xproto.Keycode, shifted, ok bool) {
	for level := range 2 {
		for i := 0; i+level < len(k.syms); i += k.per {
			if k.syms[i+level] == sym && level < k.per {
				return k.first + xproto.Keycode(i/k.per), level == 1, true
			}
		}
	}
	return 0, false, false
}

// grabKeys takes the shell's forbidden keys on one of its windows: passive
// grabs that nobody answers. Caps Lock and Num Lock count as modifiers in X.
func (s *Stage) grabKeys(w xproto.Window) {
	xproto.UngrabKey(s.x, xproto.GrabAny, w, xproto.ModMaskAny)
	type key struct {
		code xproto.Keycode
		mods uint16
	}
	done := map[key]bool{}
	for _, g := range shellGrabs() {
		code, _, ok := s.keys.find(g.sym)
		if !ok {
			continue
		}
		for _, locks := range []uint16{0, xproto.ModMaskLock, xproto.ModMask2, xproto.ModMaskLock | xproto.ModMask2} {
			k := key{code, g.mods | locks}
			if done[k] {
				continue
			}
			done[k] = true
			xproto.GrabKey(s.x, false, w, k.mods, code, xproto.GrabModeAsync, xproto.GrabModeAsync)
		}
	}
}

// remapKeys follows a change of layout: letters have moved.
func (s *Stage) remapKeys() {
	if err := s.readKeymap(); err != nil {
		s.log.Warn("keyboard layout not read", "error", err)
		return
	}
	if s.main != 0 {
		s.grabKeys(s.main)
	}
	for _, w := range s.popups {
		s.grabKeys(w)
	}
}

var layoutName = regexp.MustCompile(`^[a-z]{2,8}$`)
var variantName = regexp.MustCompile(`^[a-z0-9_-]{0,32}$`)

// SetKeyboard sets the display's layout (XKB names: "fr" is AZERTY) and Num
// Lock. The layout is loaded by setxkbmap, with this process's environment of
// display and authority replaced by the given ones.
func (s *Stage) SetKeyboard(ctx context.Context, display, authority, layout, variant string, numLock bool) error {
	if !layoutName.MatchString(layout) || !variantName.MatchString(variant) {
		return fmt.Errorf("cannot set keyboard layout %q, variant %q: they are not XKB names", layout, variant)
	}
	args := []string{"-layout", layout, "-option", "", "-option", "srvrkeys:none"}
	if variant != "" {
		args = append(args, "-variant", variant)
	}
	cmd := exec.CommandContext(ctx, "setxkbmap", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DISPLAY=" + display, "XAUTHORITY=" + authority}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot set keyboard layout %q (%.200s); setxkbmap is in Debian's x11-xkb-utils: %w", layout, out, err)
	}
	s.mu.Lock()
	s.remapKeys()
	s.mu.Unlock()
	return s.setNumLock(numLock)
}

// setNumLock presses Num Lock once when its state is not the wanted one.
func (s *Stage) setNumLock(on bool) error {
	p, err := xproto.QueryPointer(s.x, s.root).Reply()
	if err != nil {
		return s.lost(err)
	}
	if (p.Mask&xproto.ModMask2 != 0) == on {
		return nil
	}
	return s.press(keyNumLock)
}

package preview

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"sync"
	"sync/atomic"

	"borne/kiosk/x11"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// screen is the session's display.
type screen struct {
	x    *xgb.Conn
	info *xproto.ScreenInfo
	gone chan struct{} // closed when the display is
	once sync.Once
	top  atomic.Uint32 // the newest window: it alone is kept on top
	log  *slog.Logger

	painting sync.Mutex
}

// window is what is in sight.
type window struct{ id xproto.Window }

func open(ctx context.Context, c Config) (*screen, error) {
	x, err := x11.Dial(ctx, c.Display, c.Authority)
	if err != nil {
		return nil, fmt.Errorf("cannot show first pages: %w", err)
	}
	s := &screen{x: x, info: xproto.Setup(x).DefaultScreen(x), gone: make(chan struct{}), log: c.Log}
	go s.watch()
	return s, nil
}

func (s *screen) close() {
	s.once.Do(s.x.Close)
	<-s.gone
}

// input is what the window takes of the pointer and of the keyboard (see mute)
// and nobody gets: the browser below it is out of reach while it is out of sight.
const input = xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease | xproto.EventMaskKeyPress | xproto.EventMaskKeyRelease | xproto.EventMaskPointerMotion

// show covers the upper left part of the display with img. The window manager
// is not asked (override-redirect): it would give the window the keyboard.
func (s *screen) show(img *image.RGBA) (*window, error) {
	pix, err := x11.Pixmap(s.x, s.info, img)
	if err != nil {
		return nil, err
	}
	defer xproto.FreePixmap(s.x, pix) // the window keeps what it shows, and the server paints it by itself
	id, err := xproto.NewWindowId(s.x)
	if err != nil {
		return nil, fmt.Errorf("cannot show first pages: %w", err)
	}
	// Values come in the order of their bits (X protocol, CreateWindow).
	err = xproto.CreateWindowChecked(s.x, s.info.RootDepth, id, s.info.Root, 0, 0, uint16(img.Rect.Dx()), uint16(img.Rect.Dy()), 0,
		xproto.WindowClassInputOutput, s.info.RootVisual, xproto.CwBackPixmap|xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{uint32(pix), 1, input | xproto.EventMaskVisibilityChange}).Check()
	if err != nil {
		return nil, fmt.Errorf("cannot show first pages: %w", err)
	}
	w := &window{id}
	s.top.Store(uint32(id))
	if err := xproto.MapWindowChecked(s.x, id).Check(); err != nil {
		s.take(w)
		return nil, fmt.Errorf("cannot show first pages: %w", err)
	}
	s.mute(w)
	return w, nil
}

// mute takes the keyboard from the browser, which has the focus wherever the
// pointer is, until the window is gone: the server then gives it back by itself
// (X protocol, GrabKeyboard). Pages are shown even while a program has grabbed it.
func (s *screen) mute(w *window) {
	r, err := xproto.GrabKeyboard(s.x, false, w.id, xproto.TimeCurrentTime, xproto.GrabModeAsync, xproto.GrabModeAsync).Reply()
	if err != nil || r.Status != xproto.GrabStatusSuccess {
		s.log.Warn("cannot keep the keyboard from the session while first pages are shown: another program holds it", "error", err)
	}
}

// take takes a window away; nil is none.
func (s *screen) take(w *window) {
	if w != nil {
		xproto.DestroyWindowChecked(s.x, w.id).Check() // without a display it is gone already
	}
}

// watch keeps the newest window on top, until the display ends. Two that both
// came up again would do so without end.
func (s *screen) watch() {
	defer close(s.gone)
	for {
		e, err := s.x.WaitForEvent()
		if e == nil && err == nil {
			s.once.Do(s.x.Close)
			return
		}
		if v, ok := e.(xproto.VisibilityNotifyEvent); ok && v.State != xproto.VisibilityUnobscured && uint32(v.Window) == s.top.Load() {
			xproto.ConfigureWindow(s.x, v.Window, xproto.ConfigWindowStackMode, []uint32{xproto.StackModeAbove})
		}
	}
}

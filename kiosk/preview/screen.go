package preview

import (
	"context"
	"fmt"
	"image"
	"sync"

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
}

// window is what is in sight.
type window struct{ id xproto.Window }

func open(ctx context.Context, display, authority string) (*screen, error) {
	x, err := x11.Dial(ctx, display, authority)
	if err != nil {
		return nil, fmt.Errorf("cannot show first pages: %w", err)
	}
	s := &screen{x: x, info: xproto.Setup(x).DefaultScreen(x), gone: make(chan struct{})}
	go s.watch()
	return s, nil
}

func (s *screen) close() {
	s.once.Do(s.x.Close)
	<-s.gone
}

// input is what the window takes and nobody gets: the browser below it is out
// of reach while it is out of sight.
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
	if err := xproto.MapWindowChecked(s.x, id).Check(); err != nil {
		s.take(w)
		return nil, fmt.Errorf("cannot show first pages: %w", err)
	}
	return w, nil
}

// take takes a window away; nil is none.
func (s *screen) take(w *window) {
	if w != nil {
		xproto.DestroyWindowChecked(s.x, w.id).Check() // without a display it is gone already
	}
}

// watch keeps windows on top, until the display ends.
func (s *screen) watch() {
	defer close(s.gone)
	for {
		e, err := s.x.WaitForEvent()
		if e == nil && err == nil {
			s.once.Do(s.x.Close)
			return
		}
		if v, ok := e.(xproto.VisibilityNotifyEvent); ok && v.State != xproto.VisibilityUnobscured {
			xproto.ConfigureWindow(s.x, v.Window, xproto.ConfigWindowStackMode, []uint32{xproto.StackModeAbove})
		}
	}
}

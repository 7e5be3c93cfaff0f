package stage

import (
	"slices"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// maxPopups bounds the shell's extra windows that are kept track of.
const maxPopups = 32

// events is the window manager: one goroutine, until the connection ends.
func (s *Stage) events() {
	defer close(s.gone)
	defer close(s.done)
	for {
		ev, xerr := s.x.WaitForEvent()
		if ev == nil && xerr == nil {
			s.mu.Lock()
			closed := s.closed
			s.mu.Unlock()
			if !closed {
				s.log.Error("outer display lost")
				s.gone <- ErrLost
			}
			return
		}
		if xerr != nil {
			// A window may go at any moment between two requests.
			s.log.Debug("display refused a request", "error", xerr)
			continue
		}
		s.mu.Lock()
		s.handle(ev)
		s.mu.Unlock()
	}
}

func (s *Stage) handle(ev xgb.Event) {
	switch e := ev.(type) {
	case xproto.MapRequestEvent:
		s.mapped(e.Window)
	case xproto.ConfigureRequestEvent:
		s.configured(e)
	case xproto.UnmapNotifyEvent:
		if e.Event == s.root {
			s.left(e.Window)
		}
	case xproto.DestroyNotifyEvent:
		s.left(e.Window)
	case xproto.MapNotifyEvent:
		if e.Event == s.container {
			s.child = e.Window
			s.refocus()
		}
	case xproto.MappingNotifyEvent:
		if e.Request != xproto.MappingPointer {
			s.remapKeys()
		}
	case xproto.ClientMessageEvent:
		if e.Type == s.atoms["_NET_WM_STATE"] && e.Window == s.main {
			s.fill(s.main) // it stays full screen, whatever it asks
		}
	}
}

// mapped places a new window. The first is the shell's, which fills the
// screen; what it opens besides is centred above it. Windows that place
// themselves (menus, tooltips) do not come here.
func (s *Stage) mapped(w xproto.Window) {
	if s.contains(w) || w == s.main || slices.Contains(s.popups, w) {
		xproto.MapWindow(s.x, w)
		return
	}
	xproto.ChangeWindowAttributes(s.x, w, xproto.CwEventMask, []uint32{xproto.EventMaskStructureNotify})
	s.setProperty(w, "WM_STATE", s.atoms["WM_STATE"], 1, 0) // NormalState, no icon
	if s.main == 0 && !s.transient(w) {
		s.main = w
		s.fill(w)
		s.grabKeys(w)
		xproto.MapWindow(s.x, w)
	} else {
		if len(s.popups) >= maxPopups {
			return // unmapped, it does no harm
		}
		s.popups = append(s.popups, w)
		s.centre(w)
		s.grabKeys(w)
		xproto.MapWindow(s.x, w)
		if s.session {
			xproto.ConfigureWindow(s.x, s.container, xproto.ConfigWindowStackMode, []uint32{xproto.StackModeAbove})
		}
	}
	s.refocus()
}

func (s *Stage) transient(w xproto.Window) bool {
	r, err := xproto.GetProperty(s.x, false, w, xproto.AtomWmTransientFor, xproto.AtomWindow, 0, 1).Reply()
	return err == nil && r.Format == 32 && len(r.Value) == 4 && xgb.Get32(r.Value) != 0
}

// fill gives the shell's window the whole screen, at the bottom.
func (s *Stage) fill(w xproto.Window) {
	width, height := s.ScreenSize()
	s.setProperty(w, "_NET_WM_STATE", xproto.AtomAtom, uint32(s.atoms["_NET_WM_STATE_FULLSCREEN"]))
	xproto.ConfigureWindow(s.x, w, xproto.ConfigWindowX|xproto.ConfigWindowY|xproto.ConfigWindowWidth|xproto.ConfigWindowHeight|
		xproto.ConfigWindowBorderWidth|xproto.ConfigWindowStackMode,
		[]uint32{0, 0, uint32(width), uint32(height), 0, xproto.StackModeBelow})
	s.tell(w, 0, 0, width, height)
}

// tell sends the ConfigureNotify that ICCCM 4.1.5 asks of a window manager.
func (s *Stage) tell(w xproto.Window, x, y, width, height int) {
	n := xproto.ConfigureNotifyEvent{Event: w, Window: w, X: int16(x), Y: int16(y), Width: uint16(width), Height: uint16(height)}
	xproto.SendEvent(s.x, false, w, xproto.EventMaskStructureNotify, string(n.Bytes()))
}

// centre puts a window of the shell's in the middle, whole.
func (s *Stage) centre(w xproto.Window) {
	g, err := xproto.GetGeometry(s.x, xproto.Drawable(w)).Reply()
	if err != nil {
		return
	}
	s.centreAt(w, int(g.Width), int(g.Height))
}

func (s *Stage) centreAt(w xproto.Window, width, height int) {
	W, H := s.ScreenSize()
	width, height = max(1, min(width, W)), max(1, min(height, H))
	x, y := (W-width)/2, (H-height)/2
	xproto.ConfigureWindow(s.x, w, xproto.ConfigWindowX|xproto.ConfigWindowY|xproto.ConfigWindowWidth|xproto.ConfigWindowHeight|xproto.ConfigWindowBorderWidth,
		[]uint32{uint32(x), uint32(y), uint32(width), uint32(height), 0})
	s.tell(w, x, y, width, height)
}

func (s *Stage) configured(e xproto.ConfigureRequestEvent) {
	switch {
	case e.Window == s.main:
		s.fill(s.main)
	case slices.Contains(s.popups, e.Window):
		s.centreAt(e.Window, int(e.Width), int(e.Height))
	case !s.contains(e.Window):
		// Not mapped yet: it may have what it asks, and is placed when it is.
		xproto.ConfigureWindow(s.x, e.Window, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight, []uint32{uint32(e.Width), uint32(e.Height)})
	}
}

// left forgets a window that is gone.
func (s *Stage) left(w xproto.Window) {
	switch {
	case w == s.main:
		s.main = 0
	case w == s.child:
		s.child = 0
	default:
		i := slices.Index(s.popups, w)
		if i < 0 {
			return
		}
		s.popups = slices.Delete(s.popups, i, i+1)
	}
	s.refocus()
}

// refocus gives the keyboard to what the person sees.
func (s *Stage) refocus() {
	to := s.main
	switch {
	case s.session && s.child != 0:
		to = s.child
	case s.session:
		to = s.container // until the session's display opens its window
	case len(s.popups) > 0:
		to = s.popups[len(s.popups)-1]
	}
	if to == 0 {
		to = s.root
	}
	xproto.SetInputFocus(s.x, xproto.InputFocusPointerRoot, to, xproto.TimeCurrentTime)
	s.setProperty(s.root, "_NET_ACTIVE_WINDOW", xproto.AtomWindow, uint32(to))
}

// lastChild is the session's display inside the container; 0 for none.
func (s *Stage) lastChild() xproto.Window {
	tree, err := xproto.QueryTree(s.x, s.container).Reply()
	if err != nil || len(tree.Children) == 0 {
		return 0
	}
	return tree.Children[len(tree.Children)-1]
}

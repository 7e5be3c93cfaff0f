package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"borne/kiosk/x11"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/dpms"
	"github.com/jezek/xgb/screensaver"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// ErrLost says that the display's server is gone.
var ErrLost = errors.New("cannot use the display any longer: its server is gone; restart the terminal's service")

// Config says which display to manage.
type Config struct {
	Display   string   // ":N"
	Authority string   // file with its cookie; empty for none
	BarHeight int      // pixels at the top that the session never covers
	Backdrop  []string // what is read where no window is: while the shell starts, and when it cannot
	Log       *slog.Logger
}

// Stage is the outer display, managed. Its methods are safe for concurrent use.
type Stage struct {
	x         *xgb.Conn
	log       *slog.Logger
	root      xproto.Window
	screen    *xproto.ScreenInfo
	container xproto.Window    // the session's that was shown last
	all       [2]xproto.Window // one for a session, one for the standby beside it
	bar       int
	test      bool // XTEST is there
	gone      chan error
	done      chan struct{}

	mu       sync.Mutex
	main     xproto.Window // the shell's window; 0 while there is none
	popups   []xproto.Window
	session  bool          // the session is shown
	child    xproto.Window // the session's display inside the container
	atoms    map[string]xproto.Atom
	keys     keymap
	closed   bool
	closeOne sync.Once
}

// Open connects to the display and becomes its window manager. It shows the
// shell, as soon as the shell opens a window.
func Open(ctx context.Context, cfg Config) (*Stage, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	x, err := x11.Dial(ctx, cfg.Display, cfg.Authority)
	if err != nil {
		return nil, err
	}
	setup := xproto.Setup(x)
	screen := setup.DefaultScreen(x)
	s := &Stage{x: x, log: cfg.Log, root: screen.Root, screen: screen, bar: cfg.BarHeight,
		gone: make(chan error, 1), done: make(chan struct{}), atoms: map[string]xproto.Atom{}}
	if err := s.manage(); err != nil {
		x.Close()
		return nil, err
	}
	if len(cfg.Backdrop) > 0 {
		if err := s.paint(cfg.Backdrop); err != nil {
			cfg.Log.Warn("people see an empty screen while there is no shell", "error", err)
		}
	}
	go s.events()
	return s, nil
}

func (s *Stage) manage() error {
	const mask = xproto.EventMaskSubstructureRedirect | xproto.EventMaskSubstructureNotify
	err := xproto.ChangeWindowAttributesChecked(s.x, s.root, xproto.CwEventMask|xproto.CwBackPixel,
		[]uint32{s.screen.WhitePixel, mask}).Check()
	if err != nil {
		return fmt.Errorf("cannot manage the display: another window manager runs there: %w", err)
	}
	xproto.ClearArea(s.x, false, s.root, 0, 0, 0, 0)
	if err := screensaver.Init(s.x); err != nil {
		return fmt.Errorf("cannot tell when the terminal is idle: the display lacks MIT-SCREEN-SAVER: %w", err)
	}
	s.test = xtest.Init(s.x) == nil
	// The agent decides what the screen shows, never the server's own timer.
	xproto.SetScreenSaver(s.x, 0, 0, xproto.BlankingNotPreferred, xproto.ExposuresNotAllowed)
	if dpms.Init(s.x) == nil {
		dpms.Disable(s.x)
	}
	for _, name := range []string{"WM_STATE", "_NET_SUPPORTED", "_NET_SUPPORTING_WM_CHECK", "_NET_WM_NAME", "UTF8_STRING",
		"_NET_WM_STATE", "_NET_WM_STATE_FULLSCREEN", "_NET_ACTIVE_WINDOW"} {
		a, err := xproto.InternAtom(s.x, false, uint16(len(name)), name).Reply()
		if err != nil {
			return fmt.Errorf("cannot manage the display: %w", err)
		}
		s.atoms[name] = a.Atom
	}
	if err := s.announce(); err != nil {
		return err
	}
	for i := range s.all {
		var err error
		if s.all[i], err = s.makeContainer(); err != nil {
			return err
		}
	}
	s.container = s.all[0]
	if err := s.readKeymap(); err != nil {
		return err
	}
	return s.adopt()
}

// announce tells clients that a window manager runs: Chromium asks for a full
// screen only of one that says it can.
func (s *Stage) announce() error {
	w, err := xproto.NewWindowId(s.x)
	if err != nil {
		return fmt.Errorf("cannot manage the display: %w", err)
	}
	xproto.CreateWindow(s.x, 0, w, s.root, -1, -1, 1, 1, 0, xproto.WindowClassInputOnly, 0, 0, nil)
	for _, to := range []xproto.Window{w, s.root} {
		s.setProperty(to, "_NET_SUPPORTING_WM_CHECK", xproto.AtomWindow, uint32(w))
	}
	xproto.ChangeProperty(s.x, xproto.PropModeReplace, w, s.atoms["_NET_WM_NAME"], s.atoms["UTF8_STRING"], 8, 5, []byte("borne"))
	s.setProperty(s.root, "_NET_SUPPORTED", xproto.AtomAtom, uint32(s.atoms["_NET_SUPPORTING_WM_CHECK"]),
		uint32(s.atoms["_NET_WM_STATE"]), uint32(s.atoms["_NET_WM_STATE_FULLSCREEN"]), uint32(s.atoms["_NET_ACTIVE_WINDOW"]))
	return nil
}

func (s *Stage) setProperty(w xproto.Window, name string, kind xproto.Atom, values ...uint32) {
	b := make([]byte, 4*len(values))
	for i, v := range values {
		xgb.Put32(b[4*i:], v)
	}
	xproto.ChangeProperty(s.x, xproto.PropModeReplace, w, s.atoms[name], kind, 32, uint32(len(values)), b)
}

// makeContainer makes a window that a session's display is drawn into.
func (s *Stage) makeContainer() (xproto.Window, error) {
	w, err := xproto.NewWindowId(s.x)
	if err != nil {
		return 0, fmt.Errorf("cannot make the session's window: %w", err)
	}
	width, height := s.Size()
	err = xproto.CreateWindowChecked(s.x, s.screen.RootDepth, w, s.root, 0, int16(s.bar), uint16(width), uint16(height), 0,
		xproto.WindowClassInputOutput, s.screen.RootVisual, xproto.CwBackPixel|xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{s.screen.WhitePixel, 1, xproto.EventMaskSubstructureNotify}).Check()
	if err != nil {
		return 0, fmt.Errorf("cannot make the session's window: %w", err)
	}
	return w, nil
}

// adopt manages the windows that were there before: the shell's, after the
// agent alone was restarted.
func (s *Stage) adopt() error {
	tree, err := xproto.QueryTree(s.x, s.root).Reply()
	if err != nil {
		return fmt.Errorf("cannot manage the display: %w", err)
	}
	for _, w := range tree.Children {
		a, err := xproto.GetWindowAttributes(s.x, w).Reply()
		if err != nil || a.OverrideRedirect || a.MapState == xproto.MapStateUnmapped || a.Class == xproto.WindowClassInputOnly {
			continue
		}
		s.mapped(w)
	}
	return nil
}

// Containers are the ids of the windows that sessions' displays are drawn into:
// one for a session, one for the standby beside it. They live as long as the stage.
func (s *Stage) Containers() []uint32 { return []uint32{uint32(s.all[0]), uint32(s.all[1])} }

// Size is a container's, in pixels: the screen without the bar.
func (s *Stage) Size() (width, height int) {
	w, h := s.ScreenSize()
	return w, h - s.bar
}

// ScreenSize is the whole screen's, in pixels.
func (s *Stage) ScreenSize() (width, height int) {
	return int(s.screen.WidthInPixels), int(s.screen.HeightInPixels)
}

// ShowSession shows the session that is drawn into container, below the bar,
// and gives it the keyboard.
func (s *Stage) ShowSession(container uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.contains(xproto.Window(container)) {
		return fmt.Errorf("cannot show the session: window %d is none of the display's containers", container)
	}
	s.session = true
	s.place(xproto.Window(container), 0)
	s.child = s.lastChild()
	s.refocus()
	return s.sync()
}

// ShowBeside shows a session's display from column left on, below the bar,
// beside the shell's page, which has the keyboard. Only what the display shows
// in its own left part is then in sight: the first pages of what is to be printed.
func (s *Stage) ShowBeside(container uint32, left int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.contains(xproto.Window(container)) {
		return fmt.Errorf("cannot show the session: window %d is none of the display's containers", container)
	}
	if width, _ := s.Size(); left < 0 || left >= width {
		return fmt.Errorf("cannot show the session from column %d on: the screen has %d", left, width)
	}
	s.session = false
	s.place(xproto.Window(container), left)
	s.refocus()
	return s.sync()
}

// place maps a container above all others. The caller holds mu.
func (s *Stage) place(w xproto.Window, left int) {
	if s.container != w {
		xproto.UnmapWindow(s.x, s.container)
	}
	s.container = w
	xproto.ConfigureWindow(s.x, w, xproto.ConfigWindowX|xproto.ConfigWindowStackMode, []uint32{uint32(left), xproto.StackModeAbove})
	xproto.MapWindow(s.x, w)
}

// ShowShell takes the session out of sight and gives the shell the keyboard.
func (s *Stage) ShowShell() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = false
	xproto.UnmapWindow(s.x, s.container)
	s.refocus()
	return s.sync()
}

func (s *Stage) contains(w xproto.Window) bool { return slices.Contains(s.all[:], w) }

// Idle is how long no key and no pointer has moved on the display.
func (s *Stage) Idle() (time.Duration, error) {
	r, err := screensaver.QueryInfo(s.x, xproto.Drawable(s.root)).Reply()
	if err != nil {
		return 0, s.lost(err)
	}
	return time.Duration(r.MsSinceUserInput) * time.Millisecond, nil
}

// sync waits until the server has done what was asked before.
func (s *Stage) sync() error {
	if _, err := xproto.GetInputFocus(s.x).Reply(); err != nil {
		return s.lost(err)
	}
	return nil
}

// lost tells a dead connection from a refusal.
func (s *Stage) lost(err error) error {
	select {
	case <-s.done:
		return fmt.Errorf("%w (%v)", ErrLost, err)
	default:
		return fmt.Errorf("cannot use the display: %w", err)
	}
}

// Gone yields ErrLost, once, when the display's server is gone.
func (s *Stage) Gone() <-chan error { return s.gone }

// Close leaves the display as it is; the container goes.
func (s *Stage) Close() error {
	s.closeOne.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.x.Close()
	})
	<-s.done
	return nil
}

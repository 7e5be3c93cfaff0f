package escape

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// window is one that can be seen.
type window struct {
	id         xproto.Window
	class      string
	title      string
	x, y, w, h int
	override   bool // it placed itself: a menu, a tooltip
	depth      int  // below the root
}

func (w window) String() string {
	return fmt.Sprintf("%s %q %dx%d+%d+%d", w.class, w.title, w.w, w.h, w.x, w.y)
}

// screen is a connection to one of the displays.
type screen struct {
	x    *xgb.Conn
	root xproto.Window
	w, h int
	dead atomic.Bool
	keys map[rune]string // for xdotool: the code of the key, with its modifier
}

// cookieName is the one method of X servers here.
const cookieName = "MIT-MAGIC-COOKIE-1"

// greeting puts the cookie into the first thing written, the setup.
type greeting struct {
	net.Conn
	cookie []byte
	begun  bool
}

func (g *greeting) Write(p []byte) (int, error) {
	if g.begun || g.cookie == nil {
		return g.Conn.Write(p)
	}
	g.begun = true
	b := make([]byte, 12+xgb.Pad(len(cookieName))+xgb.Pad(len(g.cookie)))
	b[0] = 'l'
	xgb.Put16(b[2:], 11)
	xgb.Put16(b[6:], uint16(len(cookieName)))
	xgb.Put16(b[8:], uint16(len(g.cookie)))
	copy(b[12:], cookieName)
	copy(b[12+xgb.Pad(len(cookieName)):], g.cookie)
	_, err := g.Conn.Write(b)
	return len(p), err
}

// openScreen connects to the X server behind a socket.
func openScreen(socket string, cookie []byte) (*screen, error) {
	c, err := net.DialTimeout("unix", socket, 3*time.Second)
	if err != nil {
		return nil, fmt.Errorf("cannot look at the display: %w", err)
	}
	c.SetDeadline(time.Now().Add(5 * time.Second))
	x, err := xgb.NewConnNet(&greeting{Conn: c, cookie: cookie})
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("cannot look at the display: %w", err)
	}
	c.SetDeadline(time.Time{})
	d := xproto.Setup(x).DefaultScreen(x)
	s := &screen{x: x, root: d.Root, w: int(d.WidthInPixels), h: int(d.HeightInPixels)}
	return s, s.readKeys()
}

// readKeys reads the layout: which key makes each printable character.
func (s *screen) readKeys() error {
	setup := xproto.Setup(s.x)
	r, err := xproto.GetKeyboardMapping(s.x, setup.MinKeycode, byte(setup.MaxKeycode-setup.MinKeycode)+1).Reply()
	if err != nil {
		return fmt.Errorf("cannot read the keyboard's layout: %w", err)
	}
	s.keys = map[rune]string{}
	per := int(r.KeysymsPerKeycode)
	for level, with := range []string{"", "shift+", "", "", "ISO_Level3_Shift+"} { // columns 2 and 3 are another group's
		if level >= per || level == 2 || level == 3 {
			continue
		}
		for i := 0; i+level < len(r.Keysyms); i += per {
			c := rune(r.Keysyms[i+level])
			if c >= ' ' && c < 256 && s.keys[c] == "" {
				s.keys[c] = with + strconv.Itoa(int(setup.MinKeycode)+i/per)
			}
		}
	}
	return nil
}

// key is how xdotool is told to make a character.
func (s *screen) key(c rune) string {
	if k := s.keys[c]; k != "" {
		return k
	}
	panic(failure{fmt.Errorf("no key makes %q", c)})
}

// ask bounds a question to the server: xgb waits for ever for the answer of one
// that has just died.
func ask[T any](s *screen, question func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	if s.dead.Load() {
		return none, errors.New("the display is gone")
	}
	c := make(chan answer, 1)
	go func() {
		v, err := question()
		c <- answer{v, err}
	}()
	select {
	case a := <-c:
		return a.v, a.err
	case <-time.After(4 * time.Second):
		s.dead.Store(true)
		return none, errors.New("the display does not answer")
	}
}

func (s *screen) image(x, y, w, h int) (*xproto.GetImageReply, error) {
	return ask(s, func() (*xproto.GetImageReply, error) {
		return xproto.GetImage(s.x, xproto.ImageFormatZPixmap, xproto.Drawable(s.root), int16(x), int16(y), uint16(w), uint16(h), ^uint32(0)).Reply()
	})
}

// windows lists what can be seen, the lowest first.
func (s *screen) windows() []window { return s.below(s.root, 0, 0, 0) }

func (s *screen) below(parent xproto.Window, x, y, depth int) []window {
	tree, err := ask(s, func() (*xproto.QueryTreeReply, error) { return xproto.QueryTree(s.x, parent).Reply() })
	if err != nil {
		return nil
	}
	var all []window
	for _, id := range tree.Children {
		a, err := ask(s, func() (*xproto.GetWindowAttributesReply, error) { return xproto.GetWindowAttributes(s.x, id).Reply() })
		if err != nil || a.MapState != xproto.MapStateViewable || a.Class == xproto.WindowClassInputOnly {
			continue
		}
		g, err := ask(s, func() (*xproto.GetGeometryReply, error) { return xproto.GetGeometry(s.x, xproto.Drawable(id)).Reply() })
		if err != nil {
			continue
		}
		w := window{id: id, x: x + int(g.X), y: y + int(g.Y), w: int(g.Width), h: int(g.Height), override: a.OverrideRedirect, depth: depth}
		w.class = strings.Trim(strings.ReplaceAll(s.property(id, "WM_CLASS"), "\x00", " "), " ")
		if w.title = s.property(id, "_NET_WM_NAME"); w.title == "" {
			w.title = s.property(id, "WM_NAME")
		}
		all = append(all, w)
		if depth < 2 {
			all = append(all, s.below(id, w.x, w.y, depth+1)...)
		}
	}
	return all
}

func (s *screen) atom(name string) xproto.Atom {
	a, err := ask(s, func() (*xproto.InternAtomReply, error) {
		return xproto.InternAtom(s.x, false, uint16(len(name)), name).Reply()
	})
	if err != nil {
		return 0
	}
	return a.Atom
}

func (s *screen) property(w xproto.Window, name string) string {
	atom := s.atom(name)
	p, err := ask(s, func() (*xproto.GetPropertyReply, error) {
		return xproto.GetProperty(s.x, false, w, atom, xproto.GetPropertyTypeAny, 0, 256).Reply()
	})
	if err != nil {
		return ""
	}
	return string(p.Value)
}

// clients are the windows of programs, frames left out, and what placed itself.
func (s *screen) clients() []window {
	return slices.DeleteFunc(s.windows(), func(w window) bool {
		if w.w < 4 || w.h < 4 {
			return true
		}
		return w.class == "" && w.title == ""
	})
}

// shows counts the pixels of an area, of every eighth row and column, that have
// the colour of the hostile pages.
func (s *screen) shows(x, y, w, h int) (hits, looked int) {
	i, err := s.image(x, y, w, h)
	if err != nil {
		return 0, 0
	}
	for row := 0; row < h; row += 8 {
		for col := 0; col < w; col += 8 {
			at := 4 * (row*w + col)
			if at+3 >= len(i.Data) {
				break
			}
			looked++
			if i.Data[at] > 240 && i.Data[at+1] < 16 && i.Data[at+2] > 240 {
				hits++
			}
		}
	}
	return hits, looked
}

func (s *screen) close() { s.x.Close() }

// picture writes what the display shows, for whoever looks into a failure.
func (s *screen) picture(path string) error {
	i, err := s.image(0, 0, s.w, s.h)
	if err != nil {
		return err
	}
	p := image.NewRGBA(image.Rect(0, 0, s.w, s.h))
	for at := 0; at+3 < len(i.Data) && at+3 < len(p.Pix); at += 4 {
		p.Pix[at], p.Pix[at+1], p.Pix[at+2], p.Pix[at+3] = i.Data[at+2], i.Data[at+1], i.Data[at], 255
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return png.Encode(f, p)
}

// sample takes points of the display, enough to tell one screen from another.
func (s *screen) sample() []byte {
	i, err := s.image(0, 0, s.w, s.h)
	if err != nil {
		return nil
	}
	var points []byte
	for at := 0; at+3 < len(i.Data); at += 4 * 97 {
		points = append(points, i.Data[at:at+3]...)
	}
	return points
}

// colours counts different colours on the display, up to four.
func (s *screen) colours() int {
	seen := map[[3]byte]bool{}
	for points := s.sample(); len(points) >= 3 && len(seen) < 4; points = points[3:] {
		seen[[3]byte(points)] = true
	}
	return len(seen)
}

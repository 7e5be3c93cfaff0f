package preview

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/peer"
	"borne/kiosk/ppm"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
	"borne/kiosk/sealed"
	"borne/kiosk/x11"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// patience bounds the wait for what must come; it is no measure.
const patience = 20 * time.Second

// display starts a real X server with a cookie, and gives its name and the
// cookie's file.
func display(t *testing.T) (name, authority string) {
	t.Helper()
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Skip("SKIP: Xvfb is missing; run scripts/setup")
	}
	authority = filepath.Join(t.TempDir(), "authority")
	if err := x11.WriteAuthority(authority, bytes.Repeat([]byte{7}, x11.CookieLen), os.Getuid()); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ended, begun := make(chan struct{}), make(chan error)
	c := exec.Command("Xvfb", "-displayfd", "3", "-auth", authority, "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset")
	c.ExtraFiles = []*os.File{w}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() { // from a thread that stays: the parent's death is its own
		defer close(ended)
		runtime.LockOSThread()
		err := c.Start()
		begun <- err
		if err == nil {
			c.Wait()
		}
	}()
	err = <-begun
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); <-ended })
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb names no display: %v", err)
	}
	return ":" + strings.TrimSpace(number), authority
}

// bed is a painter on a real display, with a red window below its own.
type bed struct {
	t      *testing.T
	path   string
	x      *xgb.Conn // another program's
	root   xproto.Window
	ended  chan error
	cancel context.CancelFunc
}

func newBed(t *testing.T, allowed peer.UIDs) *bed {
	t.Helper()
	name, authority := display(t)
	ctx, cancel := context.WithCancel(context.Background())
	x, err := x11.Dial(ctx, name, authority)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, path: filepath.Join(t.TempDir(), "preview.sock"), x: x, root: xproto.Setup(x).DefaultScreen(x).Root, ended: make(chan error, 1), cancel: cancel}
	t.Cleanup(x.Close)
	b.window(0xff0000)
	ln, err := Listen(b.path, allowed, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { b.ended <- Serve(ctx, ln, Config{Display: name, Authority: authority}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

// window opens one over the whole display.
func (b *bed) window(colour uint32) {
	b.t.Helper()
	id, err := xproto.NewWindowId(b.x)
	if err != nil {
		b.t.Fatal(err)
	}
	xproto.CreateWindow(b.x, 24, id, b.root, 0, 0, 800, 600, 0, xproto.WindowClassInputOutput, xproto.Setup(b.x).DefaultScreen(b.x).RootVisual, xproto.CwBackPixel, []uint32{colour})
	if err := xproto.MapWindowChecked(b.x, id).Check(); err != nil {
		b.t.Fatal(err)
	}
}

// at is the colour of a pixel in sight.
func (b *bed) at(x, y int) color.RGBA { return b.look().RGBAAt(x, y) }

// look is a picture of the display.
func (b *bed) look() *image.RGBA {
	b.t.Helper()
	r, err := xproto.GetImage(b.x, xproto.ImageFormatZPixmap, xproto.Drawable(b.root), 0, 0, 800, 600, 1<<32-1).Reply()
	if err != nil {
		b.t.Fatal(err)
	}
	out := image.NewRGBA(image.Rect(0, 0, 800, 600))
	for i := range 800 * 600 {
		p := r.Data[4*i:]
		out.Pix[4*i], out.Pix[4*i+1], out.Pix[4*i+2], out.Pix[4*i+3] = p[2], p[1], p[0], 0xff
	}
	return out
}

func (b *bed) until(what string, done func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain until %s", what)
		}
	}
}

var (
	red  = color.RGBA{0xff, 0, 0, 0xff}
	here = peer.UIDs{From: os.Getuid(), To: os.Getuid()}
)

// painter draws page n as an upright sheet of a colour of its own.
type painter struct {
	pages int
	asked []string
}

func colourOf(page int) color.RGBA { return color.RGBA{0, uint8(40 * page), 0xff, 0xff} }

func (p *painter) Render(_ context.Context, _ *os.File, page, width, height int) (image.Image, error) {
	p.asked = append(p.asked, fmt.Sprintf("%d %d×%d", page, width, height))
	if page > p.pages {
		return nil, errors.New("no such page")
	}
	w, h := ppm.Inside(2100, 2970, width, height)
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		c := colourOf(page)
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = c.R, c.G, c.B, c.A
	}
	return m, nil
}

func document(t *testing.T) *os.File {
	t.Helper()
	f, err := sealed.Make("document", func(w io.Writer) error { _, err := w.Write([]byte("%PDF")); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestPagesCoverTheSession(t *testing.T) {
	b := newBed(t, here)
	doc, p := document(t), &painter{pages: 6}
	c := New(b.path, p)
	defer c.Close()
	if got := b.at(10, 10); got != red {
		t.Fatalf("the session is %v", got)
	}
	n, err := c.Show(patient(t), doc, 6, printjob.Show{Job: 1, Width: 400, Height: 500})
	if err != nil || n != 4 {
		t.Fatalf("%d pages, %v", n, err)
	}
	seen := b.look()
	save(t, "preview.png", seen)
	for i, place := range places(400, 500, 4) {
		mid := place.Min.Add(place.Size().Div(2))
		if got := seen.RGBAAt(mid.X, mid.Y); got != colourOf(i+1) {
			t.Errorf("page %d at %v is %v, want %v", i+1, mid, got, colourOf(i+1))
		}
	}
	if got := seen.RGBAAt(2, 2); got != ground {
		t.Errorf("the corner is %v", got)
	}
	if seen.RGBAAt(401, 10) != red || seen.RGBAAt(10, 501) != red {
		t.Error("more is covered than was asked for")
	}
	if len(p.asked) != 4 || !strings.HasPrefix(p.asked[3], "4 ") {
		t.Errorf("drawn: %v", p.asked)
	}

	// What opens meanwhile stays below.
	b.window(0xffffff)
	b.until("the pages are on top again", func() bool { return b.at(2, 2) == ground })
	if b.at(600, 300) == red {
		t.Error("the new window is not there: this proves nothing")
	}

	// Another document takes the place of the first.
	if n, err = c.Show(patient(t), doc, 1, printjob.Show{Job: 2, Width: 300, Height: 500}); err != nil || n != 1 {
		t.Fatalf("%d pages, %v", n, err)
	}
	b.until("the first one's pages are gone", func() bool { return b.at(350, 10) != ground })
	if b.at(150, 250) != colourOf(1) {
		t.Error("the page of the second is not seen")
	}

	if _, err = c.Show(patient(t), nil, 0, printjob.Show{}); err != nil {
		t.Fatal(err)
	}
	b.until("nothing of them is seen", func() bool { return b.at(150, 250) == color.RGBA{0xff, 0xff, 0xff, 0xff} })
	if left := b.windows(); left != 2 {
		t.Errorf("%d windows are left, want the session's 2", left)
	}
}

func (b *bed) windows() int {
	b.t.Helper()
	r, err := xproto.QueryTree(b.x, b.root).Reply()
	if err != nil {
		b.t.Fatal(err)
	}
	return len(r.Children)
}

func TestPagesGoWithWhoeverShowedThem(t *testing.T) {
	b := newBed(t, here)
	c := New(b.path, &painter{pages: 1})
	if n, err := c.Show(patient(t), document(t), 1, printjob.Show{Job: 1, Width: 400, Height: 500}); err != nil || n != 1 {
		t.Fatalf("%d pages, %v", n, err)
	}
	if b.at(2, 2) != ground {
		t.Fatal("nothing is shown")
	}
	c.Close() // as a press that dies
	b.until("nothing is left", func() bool { return b.at(2, 2) == red && b.windows() == 1 })
}

func TestAPageThatCannotBeDrawn(t *testing.T) {
	b := newBed(t, here)
	c := New(b.path, &painter{pages: 2})
	defer c.Close()
	if n, err := c.Show(patient(t), document(t), 9, printjob.Show{Job: 1, Width: 400, Height: 500}); err != nil || n != 2 {
		t.Errorf("%d pages, %v: two can be drawn", n, err)
	}
	c.render = &painter{}
	if n, err := c.Show(patient(t), document(t), 9, printjob.Show{Job: 1, Width: 400, Height: 500}); err == nil || n != 0 {
		t.Errorf("%d pages, %v: none can be drawn", n, err)
	}
	b.until("nothing is shown", func() bool { return b.at(2, 2) == red })
	for _, s := range []printjob.Show{{Width: 0, Height: 5}, {Width: 60, Height: 60}, {Width: maxSide + 1, Height: 500}, {Width: -1, Height: -1}} {
		if _, err := c.Show(patient(t), document(t), 1, s); err == nil {
			t.Errorf("%+v is painted", s)
		}
	}
}

func TestHostilePictures(t *testing.T) {
	b := newBed(t, here)
	picture := func(s string) *os.File {
		f, err := sealed.Make("x", func(w io.Writer) error { _, err := io.WriteString(w, s); return err })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	open, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	io.WriteString(open, "P6\n1 1\n255\nabc")
	good := "P6\n1 1\n255\nabc"
	for name, c := range map[string]struct {
		frame string
		files []*os.File
		want  bool
	}{
		"good":             {`{"width":400,"height":500}`, []*os.File{picture(good)}, true},
		"not sealed":       {`{"width":400,"height":500}`, []*os.File{open}, false},
		"no picture":       {`{"width":400,"height":500}`, nil, false},
		"cut short":        {`{"width":400,"height":500}`, []*os.File{picture("P6\n9 9\n255\nabc")}, false},
		"too large":        {`{"width":400,"height":500}`, []*os.File{picture("P6\n401 1\n255\n" + strings.Repeat("a", 1203))}, false},
		"one bad":          {`{"width":400,"height":500}`, []*os.File{picture(good), picture("P5")}, false},
		"huge":             {`{"width":400000,"height":500}`, []*os.File{picture(good)}, false},
		"below nothing":    {`{"width":-4,"height":500}`, []*os.File{picture(good)}, false},
		"no frame":         {`[]`, []*os.File{picture(good)}, false},
		"a frame too long": {`{"width":400,"height":500,"x":"` + strings.Repeat("a", maxFrame) + `"}`, []*os.File{picture(good)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := net.Dial("unixpacket", b.path)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			conn, err := peer.Frames(u)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Send([]byte(c.frame), c.files...); err != nil {
				t.Fatal(err)
			}
			a, _, err := conn.Receive(make([]byte, sandbox.MaxFrame+1))
			var got answer
			if err == nil {
				err = decode(a, &got)
			}
			if err != nil || got.Painted != c.want {
				t.Errorf("%s, %v", a, err)
			}
		})
	}
	b.until("all of them are gone", func() bool { return b.windows() == 1 })
}

func TestOthersShowNothing(t *testing.T) {
	b := newBed(t, peer.UIDs{From: os.Getuid() + 1, To: os.Getuid() + 9})
	c := New(b.path, &painter{pages: 1})
	defer c.Close()
	if _, err := c.Show(patient(t), document(t), 1, printjob.Show{Job: 1, Width: 400, Height: 500}); err == nil {
		t.Error("another user shows something")
	}
	if b.windows() != 1 {
		t.Error("a window is there")
	}
}

func TestPlaces(t *testing.T) {
	for _, size := range []image.Point{{563, 728}, {600, 952}, {280, 400}, {100, 100}} {
		for n := 1; n <= 6; n++ {
			all := places(size.X, size.Y, n)
			if len(all) != min(n, maxPages) {
				t.Fatalf("%v: %d places for %d pages", size, len(all), n)
			}
			for i, r := range all {
				if r.Empty() || !r.In(image.Rectangle{Max: size}) {
					t.Errorf("%v: page %d is at %v", size, i+1, r)
				}
				for j, q := range all[:i] {
					if r.Overlaps(q) {
						t.Errorf("%v: pages %d and %d overlap: %v %v", size, j+1, i+1, q, r)
					}
				}
			}
		}
	}
	if places(90, 90, 1) != nil {
		t.Error("too small a place is used")
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"width":400,"height":500}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r request
		if decode(b, &r) != nil || !r.valid() {
			return
		}
		for n := 1; n <= maxPages; n++ {
			for _, p := range places(r.Width, r.Height, n) {
				if !p.In(image.Rect(0, 0, r.Width, r.Height)) {
					t.Fatalf("%+v: %v", r, p)
				}
			}
		}
	})
}

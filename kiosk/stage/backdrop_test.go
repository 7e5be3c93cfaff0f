package stage

import (
	"image"
	"image/png"
	"os"
	"testing"

	"github.com/jezek/xgb/xproto"
)

// TestBackdrop looks at the screen before any window, under one, and after it.
func TestBackdrop(t *testing.T) {
	srv := startServer(t, "xvfb")
	s, err := Open(testContext(t), Config{Display: srv.Display(), Authority: srv.Authority(os.Getuid()), BarHeight: 72,
		Backdrop: []string{"Un instant, l’ordinateur se prépare…", "Si cet écran reste, l’ordinateur est en panne.", "Adressez-vous à l’accueil."}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	shot := func() *image.RGBA {
		t.Helper()
		img, err := s.Screenshot()
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	first := shot()
	if path := os.Getenv("STAGE_PICTURE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, first); err != nil {
			t.Fatal(err)
		}
	}
	ink := dark(first, first.Bounds())
	if ink < 2000 || ink > 800*600/4 {
		t.Fatalf("%d dark pixels: no text", ink)
	}
	if b := first.Bounds(); dark(first, image.Rect(0, 0, b.Dx()/40, b.Dy())) > 0 || dark(first, image.Rect(b.Dx()-b.Dx()/40, 0, b.Dx(), b.Dy())) > 0 {
		t.Error("the text touches the edge")
	}
	c := newClient(t, srv)
	w := c.window(s.root, 0, 0, 800, 600, rgb(green))
	eventually(t, "the shell's window covers it", func() bool { return dark(shot(), first.Bounds()) == 0 })
	xproto.DestroyWindow(c.x, w)
	eventually(t, "it is there again", func() bool { return dark(shot(), first.Bounds()) == ink })
}

// dark counts pixels that letters are made of.
func dark(img *image.RGBA, in image.Rectangle) (n int) {
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if p := img.RGBAAt(x, y); p.R < 0x80 && p.G < 0x80 && p.B < 0x80 {
				n++
			}
		}
	}
	return n
}

func TestRenderFitsAnyScreen(t *testing.T) {
	for _, size := range []image.Point{{320, 200}, {800, 480}, {1920, 1080}, {1080, 1920}} {
		img, err := render([]string{"Une phrase assez longue pour ne pas tenir sur un petit écran, même en hauteur."}, size.X, size.Y)
		if err != nil {
			t.Fatal(err)
		}
		if dark(img, img.Bounds()) == 0 || dark(img, image.Rect(0, 0, 2, size.Y)) > 0 || dark(img, image.Rect(size.X-2, 0, size.X, size.Y)) > 0 {
			t.Errorf("%v: the text is missing or cut", size)
		}
	}
}

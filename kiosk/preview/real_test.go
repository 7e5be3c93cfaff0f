package preview

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"borne/kiosk/count"
	"borne/kiosk/pdf/pdftest"
	"borne/kiosk/printjob"
	"borne/kiosk/sealed"
)

// TestMain lets the test program play the counter's child.
func TestMain(m *testing.M) {
	if count.IsChild(os.Args) {
		os.Exit(count.ChildMain(os.Args, os.Stderr))
	}
	os.Exit(m.Run())
}

// counter starts the real one.
func counter(t *testing.T) *count.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "count.sock")
	ln, err := count.Listen(path, here, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- count.Serve(ctx, ln, count.Config{Self: []string{"/proc/self/exe", count.ChildRole}}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return count.Dial(path)
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// save keeps a picture for a person to look at.
func save(t *testing.T, name string, m image.Image) {
	t.Helper()
	dir := os.Getenv("BORNE_PICTURES")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

// TestARealDocument goes the whole way: a document, the counter, poppler, the
// painter, the display. Again and again, nothing of it is left.
func TestARealDocument(t *testing.T) {
	if _, err := exec.LookPath("pdftoppm"); err != nil {
		t.Skip("SKIP: pdftoppm is missing; run scripts/setup")
	}
	b := newBed(t, here)
	counter := counter(t)
	o := pdftest.Flat(2, 2)
	o[6] = "<</Length 30>>stream\n0 0 1 rg 0 421 595 421 re f    \nendstream" // the second: blue above
	doc, err := sealed.Make("document", func(w io.Writer) error { _, err := w.Write(pdftest.Table(o)); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	_, pages, err := counter.Count(patient(t), doc)
	if err != nil || pages != 2 {
		t.Fatalf("%d pages, %v", pages, err)
	}
	c := New(b.path, counter)
	defer c.Close()
	var files, running int
	for round := range 4 {
		n, err := c.Show(patient(t), doc, pages, printjob.Show{Job: 1, Width: 563, Height: 600})
		if err != nil || n != 2 {
			t.Fatalf("%d pages, %v", n, err)
		}
		seen := b.look()
		save(t, "document.png", seen)
		all := places(563, 600, 2)
		white, blue := color.RGBA{255, 255, 255, 255}, color.RGBA{0, 0, 255, 255}
		first, second := all[0], all[1]
		for what, p := range map[string]struct {
			at   image.Point
			want color.RGBA
		}{
			"the foot of the first page":  {image.Pt(first.Min.X+first.Dx()/2, first.Max.Y-20), white},
			"the head of the second page": {image.Pt(second.Min.X+second.Dx()/2, second.Min.Y+second.Dy()/3), blue},
			"the foot of the second page": {image.Pt(second.Min.X+second.Dx()/2, second.Min.Y+second.Dy()*2/3), white},
			"the ground":                  {image.Pt(3, 3), ground},
			"the session beside":          {image.Pt(570, 300), red},
		} {
			if got := seen.RGBAAt(p.at.X, p.at.Y); got != p.want {
				t.Errorf("%s, %v, is %v, want %v", what, p.at, got, p.want)
			}
		}
		dark := 0
		for y := first.Min.Y; y < first.Max.Y; y++ {
			for x := first.Min.X; x < first.Max.X; x++ {
				if p := seen.RGBAAt(x, y); p.R < 100 {
					dark++
				}
			}
		}
		if dark < 20 {
			t.Errorf("the first page's text is not seen: %d dark pixels", dark)
		}
		if _, err := c.Show(patient(t), nil, 0, printjob.Show{}); err != nil {
			t.Fatal(err)
		}
		b.until("the session is seen again", func() bool { return b.at(3, 3) == red && b.windows() == 1 })
		if round == 0 { // whatever is made once is made
			b.until("all is quiet", func() bool {
				f, g := descriptors(t), runtime.NumGoroutine()
				quiet := f == files && g == running
				files, running = f, g
				return quiet
			})
		}
	}
	var now string
	b.until("nothing is left", func() bool {
		now = fmt.Sprintf("%d descriptors, %d goroutines", descriptors(t), runtime.NumGoroutine())
		return descriptors(t) <= files && runtime.NumGoroutine() <= running
	})
	t.Logf("left: %s; after the first: %d, %d", now, files, running)
}

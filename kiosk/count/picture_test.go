package count

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"testing"

	"borne/kiosk/pdf/pdftest"
	"borne/kiosk/ppm"
	"borne/kiosk/printjob"
)

// photoOf is a photo that is red on the left and blue on the right.
func photoOf(t testing.TB, w, h int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			if x < w/2 {
				m.Set(x, y, color.RGBA{255, 0, 0, 255})
			} else {
				m.Set(x, y, color.RGBA{0, 0, 255, 255})
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// marked is a photo's frame of another kind.
func marked(t *testing.T, sof byte, components int) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, sof, 0, byte(8 + 3*components), 8, 0, 10, 0, 20, byte(components)}
	b = append(b, make([]byte, 3*components)...)
	return append(b, 0xff, 0xda, 0, 2)
}

func TestJPEG(t *testing.T) {
	whole := photoOf(t, 300, 200)
	p, err := readJPEG(bytes.NewReader(whole))
	if p.width != 300 || p.height != 200 || p.progressive || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	for name, b := range map[string][]byte{"progressive": marked(t, 0xc2, 3), "CMYK": marked(t, 0xc0, 4), "grey": marked(t, 0xc1, 1)} {
		p, err := readJPEG(bytes.NewReader(b))
		if p.width != 20 || p.height != 10 || err != nil || p.progressive != (name == "progressive") {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	nothing := marked(t, 0xc0, 3)
	nothing[15], nothing[14] = 0, 0
	huge := marked(t, 0xc0, 3)
	copy(huge[14:], []byte{0xff, 0xff, 0xff, 0xff})
	for name, b := range map[string][]byte{"no height": nothing, "huge": huge, "five colours": marked(t, 0xc0, 5), "no frame": {0xff, 0xd8, 0xff, 0xda, 0, 2},
		"no scan": whole[:30], "magic only": {0xff, 0xd8, 0xff}, "tables for a frame": marked(t, 0xc4, 3)} {
		if p, err := readJPEG(bytes.NewReader(b)); !errors.Is(err, errJPEG) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func FuzzJPEG(f *testing.F) {
	f.Add(photoOf(f, 8, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readJPEG(bytes.NewReader(b))
		if err == nil && (p.width < 1 || p.height < 1 || p.width*p.height > maxPhotoArea) {
			t.Errorf("%+v", p)
		}
	})
}

// urf is one grey page, dark in its upper half.
func urf(w, h int) []byte {
	b := append([]byte("UNIRAST\x00"), 0, 0, 0, 7) // seven pages, it says
	head := make([]byte, 32)
	head[0] = 8
	binary.BigEndian.PutUint32(head[12:], uint32(w))
	binary.BigEndian.PutUint32(head[16:], uint32(h))
	b = append(b, head...)
	for y := range h {
		v := byte(0)
		if y >= h/2 {
			v = 0xff
		}
		b = append(b, 0)
		for x := 0; x < w; x += 100 {
			b = append(b, byte(min(100, w-x)-1), v)
		}
	}
	return b
}

func TestRender(t *testing.T) {
	c := counter(t, ChildRole, 0)
	at := func(m image.Image, x, y int) [3]int {
		r, g, b, _ := m.At(x, y).RGBA()
		return [3]int{int(r >> 8), int(g >> 8), int(b >> 8)}
	}
	near := func(got, want [3]int) bool {
		for i := range got {
			if d := got[i] - want[i]; d < -12 || d > 12 {
				return false
			}
		}
		return true
	}
	m, err := c.Render(t.Context(), memory(t, photoOf(t, 3000, 2000)), 1, 300, 300)
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds() != image.Rect(0, 0, 300, 200) || !near(at(m, 50, 100), [3]int{254, 0, 0}) || !near(at(m, 250, 100), [3]int{0, 0, 254}) {
		t.Errorf("photo: %v, %v and %v", m.Bounds(), at(m, 50, 100), at(m, 250, 100))
	}
	m, err = c.Render(t.Context(), memory(t, urf(1000, 1400)), 1, 100, 200)
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds() != image.Rect(0, 0, 100, 140) || at(m, 50, 20) != [3]int{} || at(m, 50, 120) != [3]int{255, 255, 255} {
		t.Errorf("raster: %v, %v and %v", m.Bounds(), at(m, 50, 20), at(m, 50, 120))
	}
	for name, b := range map[string][]byte{"text": []byte("hello"), "cut": photoOf(t, 100, 100)[:200], "a photo that is too large": marked(t, 0xc2, 3)} {
		if _, err := c.Render(t.Context(), memory(t, b), 1, 100, 100); whyOf(err) != printjob.WhyUnreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Render(t.Context(), memory(t, urf(10, 10)), 2, 100, 100); err == nil {
		t.Error("a second page of a raster")
	}
}

func TestRenderPDF(t *testing.T) {
	if _, err := os.Stat(pdftoppm); err != nil {
		t.Skip("SKIP: pdftoppm is not installed; run scripts/setup")
	}
	c := counter(t, ChildRole, 0)
	o := pdftest.Flat(2, 2)
	o[6] = "<</Length 30>>stream\n0 0 1 rg 0 421 595 421 re f    \nendstream" // the second: blue above
	f := memory(t, pdftest.Table(o))
	m, err := c.Render(t.Context(), f, 2, 300, 300)
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	if b.Dy() != 300 || b.Dx() < 200 || b.Dx() > 225 || m.At(100, 50) != (color.RGBA{0, 0, 255, 255}) || m.At(100, 250) != (color.RGBA{255, 255, 255, 255}) {
		t.Errorf("%v: %v and %v", b, m.At(100, 50), m.At(100, 250))
	}
	first, err := c.Render(t.Context(), f, 1, 300, 300)
	if err != nil {
		t.Fatal(err)
	}
	dark := 0
	for _, v := range first.(*ppm.Image).Pix {
		if v < 100 {
			dark++
		}
	}
	if dark < 50 {
		t.Errorf("the first page's text is not there: %d dark", dark)
	}
	if _, err := c.Render(t.Context(), f, 3, 300, 300); whyOf(err) != printjob.WhyUnreadable {
		t.Errorf("a page that is not there: %v", err)
	}
	if at, _ := f.Seek(0, io.SeekCurrent); at != int64(len(pdftest.Table(o))) {
		t.Errorf("the press's place in the document moved to %d", at)
	}
}

// TestPoppler gives hostile documents to poppler: it stays small, or dies.
func TestPoppler(t *testing.T) {
	if _, err := os.Stat(pdftoppm); err != nil {
		t.Skip("SKIP: pdftoppm is not installed; run scripts/setup")
	}
	for _, c := range pdftest.Corpus() {
		if len(c.Data) > 2<<20 || len(c.Data) == 0 {
			continue
		}
		m := measure(t, c.Data, doPDF, "1", "300")
		t.Logf("%-40s %6.1f ms %4d MB, %d bytes drawn, %s", c.Name, float64(m.Took.Microseconds())/1000, m.RSS>>20, len(m.Out), m.Err)
		if m.RSS > maxRSS {
			t.Errorf("%s: %d MB", c.Name, m.RSS>>20)
		}
		if c.Name == "twelve" && len(m.Out) < 100_000 {
			t.Errorf("%s: nothing is drawn: %s", c.Name, m.Err)
		}
	}
}

package ppm_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	"borne/kiosk/ppm"
)

func TestRound(t *testing.T) {
	m := ppm.New(3, 2)
	copy(m.Pix[3*4:], []byte{1, 2, 3})
	var b bytes.Buffer
	if err := m.Encode(&b); err != nil {
		t.Fatal(err)
	}
	got, err := ppm.Decode(&b, 3, 2)
	if err != nil || got.Width != 3 || got.Height != 2 || !bytes.Equal(got.Pix, m.Pix) {
		t.Errorf("%+v, %v", got, err)
	}
	if got.At(1, 1) != (color.RGBA{1, 2, 3, 255}) || got.At(0, 0) != (color.RGBA{255, 255, 255, 255}) || got.At(3, 0) != (color.RGBA{}) || got.At(0, -1) != (color.RGBA{}) {
		t.Errorf("%v, %v, %v", got.At(1, 1), got.At(0, 0), got.At(3, 0))
	}
}

func TestDecode(t *testing.T) {
	pix := strings.Repeat("x", 12)
	for in, ok := range map[string]bool{
		"P6\n2 2\n255\n" + pix:           true,
		"P6 2\t2\r255 " + pix:            true,
		"P6\n2 2\n255\n" + pix + "x":     false, // something follows
		"P6\n2 2\n255\n" + pix[1:]:       false,
		"P6\n3 2\n255\n" + pix + pix:     false, // wider than asked for
		"P6\n2 3\n255\n" + pix + pix[6:]: false, // higher
		"P6\n000002 2\n255\n" + pix:      false, // more digits than any side has
		"P6\n0 2\n255\n":                 false,
		"P6\n-1 2\n255\n":                false,
		"P6\n99999999999 2\n255\n":       false,
		"P6\n2 2\n65535\n" + pix + pix:   false,
		"P6\n# words\n2 2\n255\n" + pix:  false,
		"P5\n2 2\n255\n" + pix:           false,
		"P":                              false,
		"":                               false,
	} {
		m, err := ppm.Decode(strings.NewReader(in), 2, 2)
		if ok && (err != nil || string(m.Pix) != pix) || !ok && !errors.Is(err, ppm.ErrForm) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestFrom puts what is transparent on white.
func TestFrom(t *testing.T) {
	src := image.NewNRGBA(image.Rect(5, 5, 7, 6))
	src.SetNRGBA(5, 5, color.NRGBA{200, 0, 0, 255})
	src.SetNRGBA(6, 5, color.NRGBA{0, 0, 0, 0})
	if m := ppm.From(src); m.Width != 2 || m.Height != 1 || !bytes.Equal(m.Pix, []byte{200, 0, 0, 255, 255, 255}) {
		t.Errorf("%+v", m)
	}
}

func TestFit(t *testing.T) {
	m := ppm.New(4, 2)
	for x := range 2 { // the left half black
		for y := range 2 {
			copy(m.Pix[3*(4*y+x):], []byte{0, 0, 0})
		}
	}
	if got := m.Fit(2, 2); got.Width != 2 || got.Height != 1 || !bytes.Equal(got.Pix, []byte{0, 0, 0, 255, 255, 255}) {
		t.Errorf("%+v", got)
	}
	if got := m.Fit(1, 1); !bytes.Equal(got.Pix, []byte{127, 127, 127}) {
		t.Errorf("%+v", got)
	}
	if got := m.Fit(40, 40); got != m {
		t.Errorf("it grew to %d × %d", got.Width, got.Height)
	}
	for _, c := range [][6]int{{100, 50, 10, 10, 10, 5}, {50, 100, 10, 10, 5, 10}, {5, 5, 10, 10, 5, 5}, {4000, 1, 10, 10, 10, 1}, {1, 4000, 10, 10, 1, 10}} {
		if w, h := ppm.Inside(c[0], c[1], c[2], c[3]); w != c[4] || h != c[5] {
			t.Errorf("%d × %d within %d × %d is %d × %d, want %d × %d", c[0], c[1], c[2], c[3], w, h, c[4], c[5])
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("P6\n2 2\n255\nabcdefghijkl"))
	f.Add([]byte("P6 1 1 255 abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ppm.Decode(bytes.NewReader(b), 64, 64)
		if err != nil {
			if !errors.Is(err, ppm.ErrForm) {
				t.Error(err)
			}
			return
		}
		if m.Width < 1 || m.Height < 1 || m.Width > 64 || m.Height > 64 || len(m.Pix) != 3*m.Width*m.Height {
			t.Fatalf("%d × %d in %d bytes", m.Width, m.Height, len(m.Pix))
		}
		if s := m.Fit(7, 5); s.Width > 7 || s.Height > 5 || s.Width < 1 || s.Height < 1 {
			t.Errorf("%d × %d", s.Width, s.Height)
		}
		var again bytes.Buffer
		if err := m.Encode(&again); err != nil {
			t.Fatal(err)
		}
		if same, err := ppm.Decode(&again, 64, 64); err != nil || !bytes.Equal(same.Pix, m.Pix) {
			t.Errorf("it does not come back: %v", err)
		}
	})
}

// Package ppm carries small pictures between the programs of a sandbox, as
// portable pixmaps (netpbm, "P6"): a form that can hold nothing but pixels.
package ppm

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"strconv"
)

// MaxSide bounds a picture, in pixels.
const MaxSide = 4096

// ErrForm reports bytes that are no such picture.
var ErrForm = errors.New("not a portable pixmap")

// Image is a picture of width times height pixels, three bytes each.
type Image struct {
	Width, Height int
	Pix           []byte
}

// New makes a white picture.
func New(width, height int) *Image {
	m := &Image{width, height, make([]byte, 3*width*height)}
	for i := range m.Pix {
		m.Pix[i] = 0xff
	}
	return m
}

// ColorModel is an image.Image's.
func (m *Image) ColorModel() color.Model { return color.RGBAModel }

// Bounds is an image.Image's.
func (m *Image) Bounds() image.Rectangle { return image.Rect(0, 0, m.Width, m.Height) }

// At is an image.Image's.
func (m *Image) At(x, y int) color.Color {
	if x < 0 || y < 0 || x >= m.Width || y >= m.Height {
		return color.RGBA{}
	}
	p := m.Pix[3*(y*m.Width+x):]
	return color.RGBA{p[0], p[1], p[2], 0xff}
}

// From copies any picture; what is transparent becomes white.
func From(src image.Image) *Image {
	if m, ok := src.(*Image); ok {
		return m
	}
	b := src.Bounds()
	m := New(b.Dx(), b.Dy())
	for y := range m.Height {
		for x := range m.Width {
			r, g, bl, a := src.At(b.Min.X+x, b.Min.Y+y).RGBA()
			p := m.Pix[3*(y*m.Width+x):]
			p[0], p[1], p[2] = byte((r+0xffff-a)>>8), byte((g+0xffff-a)>>8), byte((bl+0xffff-a)>>8)
		}
	}
	return m
}

// Encode writes the picture.
func (m *Image) Encode(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "P6\n%d %d\n255\n", m.Width, m.Height); err != nil {
		return fmt.Errorf("cannot write a picture: %w", err)
	}
	if _, err := w.Write(m.Pix); err != nil {
		return fmt.Errorf("cannot write a picture: %w", err)
	}
	return nil
}

// Decode reads one picture of at most width times height pixels, and nothing
// may follow it.
func Decode(r io.Reader, width, height int) (*Image, error) {
	b := bufio.NewReaderSize(r, 4096)
	var magic [2]byte
	if _, err := io.ReadFull(b, magic[:]); err != nil || string(magic[:]) != "P6" {
		return nil, fmt.Errorf("cannot read a picture: %w", ErrForm)
	}
	var n [3]int
	for i := range n {
		v, err := number(b)
		if err != nil {
			return nil, err
		}
		n[i] = v
	}
	m := &Image{Width: n[0], Height: n[1]}
	if m.Width < 1 || m.Height < 1 || m.Width > min(width, MaxSide) || m.Height > min(height, MaxSide) || n[2] != 255 {
		return nil, fmt.Errorf("cannot read a picture of %d × %d: %w", n[0], n[1], ErrForm)
	}
	m.Pix = make([]byte, 3*m.Width*m.Height)
	if _, err := io.ReadFull(b, m.Pix); err != nil {
		return nil, fmt.Errorf("cannot read a picture: it is cut short: %w", ErrForm)
	}
	if _, err := b.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("cannot read a picture: something follows it: %w", ErrForm)
	}
	return m, nil
}

// number reads a number and the one white space behind it.
func number(r *bufio.Reader) (int, error) {
	var digits []byte
	for {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return 0, fmt.Errorf("cannot read a picture: %w", ErrForm)
		case c >= '0' && c <= '9' && len(digits) < 5:
			digits = append(digits, c)
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			if len(digits) > 0 {
				return strconv.Atoi(string(digits))
			}
		default:
			return 0, fmt.Errorf("cannot read a picture: %w", ErrForm)
		}
	}
}

// Inside is the largest size of the shape w × h within width × height that is
// no larger than w × h itself.
func Inside(w, h, width, height int) (int, int) {
	if w > width {
		w, h = width, max(h*width/w, 1)
	}
	if h > height {
		w, h = max(w*height/h, 1), height
	}
	return w, h
}

// Fit is the picture within width × height: each pixel the mean of those that
// it stands for.
func (m *Image) Fit(width, height int) *Image {
	w, h := Inside(m.Width, m.Height, width, height)
	if w == m.Width && h == m.Height {
		return m
	}
	out := New(w, h)
	for y := range h {
		y0, y1 := y*m.Height/h, max((y+1)*m.Height/h, y*m.Height/h+1)
		for x := range w {
			x0, x1 := x*m.Width/w, max((x+1)*m.Width/w, x*m.Width/w+1)
			var sum [3]int
			for sy := y0; sy < y1; sy++ {
				for p := m.Pix[3*(sy*m.Width+x0) : 3*(sy*m.Width+x1)]; len(p) >= 3; p = p[3:] {
					sum[0], sum[1], sum[2] = sum[0]+int(p[0]), sum[1]+int(p[1]), sum[2]+int(p[2])
				}
			}
			n := (y1 - y0) * (x1 - x0)
			for i := range sum {
				out.Pix[3*(y*w+x)+i] = byte(sum[i] / n)
			}
		}
	}
	return out
}

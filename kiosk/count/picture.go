package count

import (
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"

	"borne/kiosk/ppm"
	"borne/kiosk/printjob"
	"borne/kiosk/raster"

	"golang.org/x/image/draw"
)

// Photos that a small machine can decode: what the decoder holds is three bytes
// for each pixel, or twelve when the photo comes in several passes.
const (
	maxBaseline    = 24_000_000
	maxProgressive = 6_000_000
)

var errNoPicture = errors.New("no picture is made of such a document; it prints all the same")

// picture draws page 1 of what is a picture already, no larger than width times height.
func picture(r io.ReaderAt, size int64, width, height int) (*ppm.Image, error) {
	format, k := kind(r, size)
	s := io.NewSectionReader(r, 0, size)
	switch format {
	case printjob.JPEG:
		return photograph(s, width, height)
	case printjob.PWG, printjob.URF:
		return sheet(s, k, width, height)
	}
	return nil, errNoPicture
}

func photograph(s *io.SectionReader, width, height int) (*ppm.Image, error) {
	p, err := readJPEG(s)
	if err != nil {
		return nil, err
	}
	most := maxBaseline
	if p.progressive {
		most = maxProgressive
	}
	if p.width*p.height > most {
		return nil, errNoPicture
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("cannot read a photo: %w", err)
	}
	src, err := jpeg.Decode(s)
	if err != nil {
		return nil, fmt.Errorf("cannot read a photo: %w", errJPEG)
	}
	w, h := ppm.Inside(p.width, p.height, width, height)
	// To twice the size by samples, and from there by means: a mean of all
	// would take longer than it is looked at.
	twice := image.NewRGBA(image.Rect(0, 0, min(2*w, p.width), min(2*h, p.height)))
	draw.ApproxBiLinear.Scale(twice, twice.Bounds(), src, src.Bounds(), draw.Src, nil)
	return ppm.From(twice).Fit(width, height), nil
}

// sheet draws the first page of a raster, if its pixels are of a plain kind.
func sheet(r io.Reader, k raster.Kind, width, height int) (*ppm.Image, error) {
	var c *canvas
	err := raster.First(r, k, func(p raster.Page) error {
		plain := p.Space != raster.Other && (p.Bits == 8 || p.Bits == 1) && p.Space != raster.RGB || p.Space == raster.RGB && p.Bits == 24
		if !plain {
			return errNoPicture
		}
		c = newCanvas(p, width, height)
		return nil
	}, func(b []byte, times int) { c.line(b, times) })
	if err != nil {
		return nil, err
	}
	return c.done().Fit(width, height), nil
}

// canvas takes the mean of each square of step times step pixels.
type canvas struct {
	page    raster.Page
	step    int
	m       *ppm.Image
	sums    []uint32
	y, rows int
}

func newCanvas(p raster.Page, width, height int) *canvas {
	step := max(p.Width/width, p.Height/height, 1)
	m := ppm.New((p.Width+step-1)/step, (p.Height+step-1)/step)
	return &canvas{page: p, step: step, m: m, sums: make([]uint32, 3*m.Width)}
}

func (c *canvas) line(b []byte, times int) {
	for range times {
		c.add(b)
		if c.rows++; c.rows == c.step {
			c.flush()
		}
	}
}

func (c *canvas) add(b []byte) {
	at := 0
	for x := range c.m.Width {
		s := c.sums[3*x : 3*x+3]
		for range min(c.step, c.page.Width-at) {
			r, g, bl := c.pixel(b, at)
			s[0], s[1], s[2] = s[0]+r, s[1]+g, s[2]+bl
			at++
		}
	}
}

func (c *canvas) pixel(b []byte, x int) (r, g, bl uint32) {
	if c.page.Space == raster.RGB {
		return uint32(b[3*x]), uint32(b[3*x+1]), uint32(b[3*x+2])
	}
	var v uint32
	if c.page.Bits == 1 {
		v = uint32(b[x/8]>>(7-x%8)&1) * 0xff
	} else {
		v = uint32(b[x])
	}
	if c.page.Space == raster.Black {
		v = 0xff - v
	}
	return v, v, v
}

// flush writes one row of the picture.
func (c *canvas) flush() {
	if c.rows == 0 || c.y == c.m.Height {
		return
	}
	row := c.m.Pix[3*c.y*c.m.Width:]
	for x := range c.m.Width {
		n := uint32(min(c.step, c.page.Width-x*c.step) * c.rows)
		for i := range 3 {
			row[3*x+i] = byte(c.sums[3*x+i] / n)
		}
	}
	clear(c.sums)
	c.y, c.rows = c.y+1, 0
}

func (c *canvas) done() *ppm.Image {
	c.flush()
	return c.m
}

package preview

import (
	"image"
	"image/color"
	"image/draw"

	"borne/kiosk/ppm"
)

// maxPages is how many first pages are shown, and maxSide how large the place
// for them may be, in pixels.
const (
	maxPages = 4
	maxSide  = ppm.MaxSide
)

// Room around sheets, in pixels.
const (
	around  = 28
	between = 18
)

// places are where n pages go on a sheet of glass of that size: the first as
// large as can be read, those that follow in a row below it. Nil when there is
// no room.
func places(width, height, n int) []image.Rectangle {
	n = min(n, maxPages)
	in := image.Rect(around, around, width-around, height-around)
	if n < 1 || in.Dx() < 40 || in.Dy() < 40 {
		return nil
	}
	if n == 1 {
		return []image.Rectangle{in}
	}
	row := in.Dy() * 3 / 10
	out := []image.Rectangle{image.Rect(in.Min.X, in.Min.Y, in.Max.X, in.Max.Y-row-between)}
	each := (in.Dx() - (n-2)*between) / (n - 1)
	each = min(each, row*3/4) // an upright sheet of A4 is 0.71 as wide as it is high
	left := in.Min.X + (in.Dx()-(n-1)*each-(n-2)*between)/2
	for i := range n - 1 {
		x := left + i*(each+between)
		out = append(out, image.Rect(x, in.Max.Y-row, x+each, in.Max.Y))
	}
	return out
}

// Colours of the shell's pages (ui/shared/tokens.css): --sunk, --line and --ink.
var (
	ground = color.RGBA{0xf3, 0xec, 0xdf, 0xff}
	edge   = color.RGBA{0xd9, 0xcf, 0xbe, 0xff}
	ink    = color.RGBA{0x14, 0x30, 0x3a, 0xff}
)

// compose lays pages out as sheets with an edge and a soft shadow. A page that
// is larger than its place is made smaller.
func compose(width, height int, pages []*ppm.Image) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(out, out.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	for i, place := range places(width, height, len(pages)) {
		m := pages[i].Fit(place.Dx(), place.Dy())
		at := image.Rect(0, 0, m.Width, m.Height).Add(image.Pt(place.Min.X+(place.Dx()-m.Width)/2, place.Min.Y+(place.Dy()-m.Height)/2))
		shadow(out, at)
		draw.Draw(out, at.Inset(-1), image.NewUniform(edge), image.Point{}, draw.Src)
		draw.Draw(out, at, m, image.Point{}, draw.Src)
	}
	return out
}

// shadow darkens around a sheet, less with each step away from it, and further
// below than above.
func shadow(out *image.RGBA, at image.Rectangle) {
	const steps, dark = 10, 3 // dark: of 255, each step
	for s := steps; s > 0; s-- {
		r := at.Inset(-s).Add(image.Pt(0, steps/3))
		veil := image.NewUniform(color.NRGBA{ink.R, ink.G, ink.B, dark})
		draw.Draw(out, r, veil, image.Point{}, draw.Over)
	}
}

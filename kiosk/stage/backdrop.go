package stage

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"borne/kiosk/x11"

	"github.com/jezek/xgb/xproto"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// paint puts lines behind every window. They are what people see while the
// shell starts, and for as long as it cannot: everything else on the screen
// needs a browser.
func (s *Stage) paint(lines []string) error {
	width, height := s.ScreenSize()
	img, err := render(lines, width, height)
	if err != nil {
		return err
	}
	return s.hang(img)
}

// render writes lines in the middle of a page.
func render(lines []string, width, height int) (*image.RGBA, error) {
	// Dark grey on white: 12:1 (WCAG 2.2, 1.4.6).
	ink, paper := color.Gray{0x33}, color.White
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("cannot read the backdrop's letters: %w", err)
	}
	for size := float64(height) / 24; ; size *= 0.9 { // readable from two metres, and never wider than the screen
		face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return nil, fmt.Errorf("cannot read the backdrop's letters: %w", err)
		}
		widest := 0
		for _, l := range lines {
			widest = max(widest, font.MeasureString(face, l).Ceil())
		}
		if widest > width*9/10 && size > 8 {
			face.Close()
			continue
		}
		step := int(size * 1.6)
		y := (height-step*(len(lines)-1))/2 + int(size/3)
		for _, l := range lines {
			d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: face,
				Dot: fixed.P((width-font.MeasureString(face, l).Ceil())/2, y)}
			d.DrawString(l)
			y += step
		}
		return img, face.Close()
	}
}

// hang makes img the root window's background: the server paints it by itself
// wherever no window is.
func (s *Stage) hang(img *image.RGBA) error {
	pix, err := x11.Pixmap(s.x, s.screen, img)
	if err != nil {
		return fmt.Errorf("cannot paint the backdrop: %w", err)
	}
	defer xproto.FreePixmap(s.x, pix) // the background keeps what it shows
	err = xproto.ChangeWindowAttributesChecked(s.x, s.root, xproto.CwBackPixmap, []uint32{uint32(pix)}).Check()
	if err != nil {
		return fmt.Errorf("cannot paint the backdrop: %w", err)
	}
	xproto.ClearArea(s.x, false, s.root, 0, 0, 0, 0)
	return s.sync()
}

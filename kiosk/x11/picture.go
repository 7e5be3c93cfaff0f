package x11

import (
	"encoding/binary"
	"fmt"
	"image"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Pixmap copies img, whose bounds begin at 0, 0, into a new pixmap of the server's,
// which is the caller's to free.
func Pixmap(x *xgb.Conn, screen *xproto.ScreenInfo, img *image.RGBA) (xproto.Pixmap, error) {
	if screen.RootDepth != 24 {
		return 0, fmt.Errorf("cannot draw: the display has %d bits a pixel, want 24", screen.RootDepth)
	}
	setup := xproto.Setup(x)
	order := binary.ByteOrder(binary.LittleEndian)
	if setup.ImageByteOrder == xproto.ImageOrderMSBFirst {
		order = binary.BigEndian
	}
	width, height := img.Rect.Dx(), img.Rect.Dy()
	pix, err := xproto.NewPixmapId(x)
	if err != nil {
		return 0, fmt.Errorf("cannot draw: %w", err)
	}
	if err := xproto.CreatePixmapChecked(x, screen.RootDepth, pix, xproto.Drawable(screen.Root), uint16(width), uint16(height)).Check(); err != nil {
		return 0, fmt.Errorf("cannot draw: %w", err)
	}
	if err := fill(x, screen, pix, img, order, setup); err != nil {
		xproto.FreePixmap(x, pix)
		return 0, fmt.Errorf("cannot draw: %w", err)
	}
	return pix, nil
}

func fill(x *xgb.Conn, screen *xproto.ScreenInfo, pix xproto.Pixmap, img *image.RGBA, order binary.ByteOrder, setup *xproto.SetupInfo) error {
	gc, err := xproto.NewGcontextId(x)
	if err != nil {
		return err
	}
	xproto.CreateGC(x, gc, xproto.Drawable(pix), 0, nil)
	defer xproto.FreeGC(x, gc)
	width, height := img.Rect.Dx(), img.Rect.Dy()
	// A request holds at most 4 bytes for each of MaximumRequestLength, its head included.
	rows := max(1, (int(setup.MaximumRequestLength)*4-64)/(width*4))
	for y := 0; y < height; y += rows {
		n := min(rows, height-y)
		data := make([]byte, n*width*4)
		for i := range n * width {
			p := img.Pix[(y*width+i)*4:]
			order.PutUint32(data[i*4:], uint32(p[0])<<16|uint32(p[1])<<8|uint32(p[2]))
		}
		err := xproto.PutImageChecked(x, xproto.ImageFormatZPixmap, xproto.Drawable(pix), gc, uint16(width), uint16(n), 0, int16(y), 0, screen.RootDepth, data).Check()
		if err != nil {
			return err
		}
	}
	return nil
}

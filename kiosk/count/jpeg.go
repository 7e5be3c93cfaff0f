package count

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits of a photo. The sides are the format's own (ITU-T T.81 §B.2.2).
const (
	maxPhotoSide = 65500
	maxPhotoArea = 300_000_000
)

var errJPEG = errors.New("the photo is damaged; save it anew")

// photo is what a JPEG's frame header says.
type photo struct {
	width, height int
	components    int
	progressive   bool
}

func isJPEG(head []byte) bool { return bytes.HasPrefix(head, []byte{0xff, 0xd8, 0xff}) }

// readJPEG reads as far as the first scan: one photo is one page, whatever
// follows it.
func readJPEG(r io.Reader) (photo, error) {
	p, err := frame(bufio.NewReaderSize(r, 16<<10))
	if err != nil {
		return photo{}, fmt.Errorf("cannot read a photo: %w", err)
	}
	return p, nil
}

func frame(b *bufio.Reader) (photo, error) {
	var p photo
	var head [2]byte
	if _, err := io.ReadFull(b, head[:]); err != nil || head != [2]byte{0xff, 0xd8} {
		return p, errJPEG
	}
	for {
		c, err := b.ReadByte()
		if err != nil || c != 0xff {
			return p, errJPEG
		}
		for c == 0xff { // fill bytes (§B.1.1.2)
			if c, err = b.ReadByte(); err != nil {
				return p, errJPEG
			}
		}
		switch {
		case c == 0x01 || c >= 0xd0 && c <= 0xd7: // without a length
			continue
		case c < 0xc0 || c == 0xd8 || c == 0xd9:
			return p, errJPEG
		}
		if _, err := io.ReadFull(b, head[:]); err != nil {
			return p, errJPEG
		}
		n := int(binary.BigEndian.Uint16(head[:])) - 2
		if n < 0 {
			return p, errJPEG
		}
		switch {
		case c == 0xda: // start of scan
			if p.width == 0 {
				return p, errJPEG
			}
			return p, nil
		case c >= 0xc0 && c <= 0xcf && c != 0xc4 && c != 0xc8 && c != 0xcc: // start of frame (table B.1)
			if p.width != 0 || n < 6 {
				return p, errJPEG
			}
			var f [6]byte
			if _, err := io.ReadFull(b, f[:]); err != nil {
				return p, errJPEG
			}
			n -= len(f)
			p = photo{int(binary.BigEndian.Uint16(f[3:])), int(binary.BigEndian.Uint16(f[1:])), int(f[5]), c&3 == 2}
			if p.width < 1 || p.height < 1 || p.width > maxPhotoSide || p.height > maxPhotoSide || p.width*p.height > maxPhotoArea ||
				p.components < 1 || p.components > 4 || n != 3*p.components {
				return p, errJPEG
			}
		}
		if _, err := b.Discard(n); err != nil {
			return p, errJPEG
		}
	}
}

package ipp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"borne/kiosk/printer/printertest"
)

// testFiles are the suites of Debian's cups-ipp-utils.
const testFiles = "/usr/share/cups/ipptool"

var file = regexp.MustCompile(`(?m)^\s*FILE ([^\s$]+)`)

// samples copies the suites into dir, and makes the documents that they print:
// Debian's package leaves them out.
func samples(t testing.TB, dir string) {
	t.Helper()
	write := func(name string, b []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range suites {
		b, err := os.ReadFile(filepath.Join(testFiles, name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, b)
		// ipptool stops where a document is missing, though its test is skipped.
		for _, m := range file.FindAllSubmatch(b, -1) {
			write(string(m[1]), []byte("not printed here"))
		}
	}
	for _, name := range []string{"document-a4.pdf", "document-letter.pdf"} {
		write(name, printertest.PDF(4, "ipptool", 0))
	}
	for name, c := range map[string]color.Color{"color.jpg": color.RGBA{200, 40, 40, 255}, "gray.jpg": color.Gray{120}} {
		write(name, picture(t, c))
	}
	for _, dpi := range []int{300, 600} {
		for kind, k := range map[string]rasterKind{"black-1": {3, 1, 1}, "sgray-8": {18, 8, 8}, "srgb-8": {19, 8, 24}} {
			for page, size := range map[string][2]int{"color.jpg-4x6": {4 * dpi, 6 * dpi}, "gray.jpg-4x6": {4 * dpi, 6 * dpi}, "document-a4": {dpi * 210 / 25, dpi * 297 / 25},
				"onepage-a4": {dpi * 210 / 25, dpi * 297 / 25}, "document-letter": {dpi * 17 / 2, dpi * 11}, "onepage-letter": {dpi * 17 / 2, dpi * 11}} {
				write(fmt.Sprintf("pwg-raster-samples-%ddpi/%s/%s-%s-%ddpi.pwg", dpi, kind, page, kind, dpi), raster(k, dpi, size[0], size[1]))
			}
		}
	}
}

func picture(t testing.TB, c color.Color) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 64, 96))
	for i := range img.Bounds().Dx() * img.Bounds().Dy() {
		img.Set(i%64, i/64, c)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type rasterKind struct{ space, bits, depth int } // cupsColorSpace, bits of a colour, of a pixel

// raster is one white page of PWG raster (PWG 5102.4).
func raster(k rasterKind, dpi, width, height int) []byte {
	b := bytes.NewBufferString("RaS2")
	header := make([]byte, 1796)
	copy(header, "PwgRaster")
	set := func(offset, v int) { binary.BigEndian.PutUint32(header[offset:], uint32(v)) }
	line := (width*k.depth + 7) / 8
	set(276, dpi) // HWResolution
	set(280, dpi)
	set(340, 1)                      // NumCopies
	set(352, width*72/dpi)           // PageSize
	set(356, height*72/dpi)          //
	set(372, width)                  // cupsWidth
	set(376, height)                 //
	set(384, k.bits)                 //
	set(388, k.depth)                //
	set(392, line)                   // cupsBytesPerLine
	set(400, k.space)                //
	set(420, max(1, k.depth/k.bits)) // cupsNumColors
	set(452, 1)                      // TotalPageCount
	set(456, 1)                      // feeds as it comes
	set(460, 1)
	b.Write(header)
	unit := max(1, k.depth/8)
	for y := 0; y < height; y += 256 {
		b.WriteByte(byte(min(256, height-y) - 1)) // that many lines alike
		for x := 0; x < line/unit; x += 128 {
			b.WriteByte(byte(min(128, line/unit-x) - 1)) // that many pixels alike
			for range unit {
				b.WriteByte(0xff)
			}
		}
	}
	return b.Bytes()
}

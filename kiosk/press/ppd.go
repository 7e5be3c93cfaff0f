package press

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"strings"

	"borne/kiosk/printjob"
)

// ppd hands out the queue's description for programs that want one (GTK,
// Chromium): made from what the real printer can.
func (p *Press) ppd(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	can := p.can
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/vnd.cups-ppd")
	w.Write(ppdOf(can))
}

// ppdOf writes a PPD (Adobe 5003, CUPS's extensions).
func ppdOf(can printjob.Printer) []byte {
	var b strings.Builder
	line := func(format string, v ...any) { fmt.Fprintf(&b, format+"\n", v...) }
	choice := func(option, text, fallback string, choices ...[2]string) {
		line("*OpenUI *%s/%s: PickOne", option, text)
		line("*OrderDependency: 10 AnySetup *%s", option)
		line("*Default%s: %s", option, fallback)
		for _, c := range choices {
			line("*%s %s/%s: %q", option, c[0], c[1], "")
		}
		line("*CloseUI: *%s", option)
	}
	line(`*PPD-Adobe: "4.3"`)
	line(`*FormatVersion: "4.3"`)
	line(`*FileVersion: "1.0"`)
	line("*LanguageVersion: French")
	line("*LanguageEncoding: UTF-8")
	line(`*PCFileName: "BORNE.PPD"`)
	line(`*Manufacturer: "Borne"`)
	line(`*Product: "(Borne)"`)
	line(`*ModelName: "Borne"`)
	line(`*ShortNickName: "Borne"`)
	line(`*NickName: "Borne, %s"`, "1.0")
	line(`*PSVersion: "(3010.000) 0"`)
	line(`*LanguageLevel: "3"`)
	line("*ColorDevice: %s", map[bool]string{true: "True", false: "False"}[can.Colour])
	line("*DefaultColorSpace: %s", map[bool]string{true: "RGB", false: "Gray"}[can.Colour])
	line("*FileSystem: False")
	line(`*cupsVersion: 2.3`)
	line("*cupsManualCopies: False")
	line(`*cupsFilter2: "application/pdf application/pdf 0 -"`)
	a4 := [2]string{"A4", "A4"}
	choice("PageSize", "Papier", "A4", a4)
	choice("PageRegion", "Papier", "A4", a4)
	line("*DefaultImageableArea: A4")
	line(`*ImageableArea A4/A4: "12 12 583 830"`)
	line("*DefaultPaperDimension: A4")
	line(`*PaperDimension A4/A4: "595 842"`)
	if can.Duplex {
		choice("Duplex", "Recto verso", "DuplexNoTumble", [2]string{"None", "Recto seul"}, [2]string{"DuplexNoTumble", "Recto verso"},
			[2]string{"DuplexTumble", "Recto verso, sur le petit côté"})
	}
	if can.Colour {
		choice("ColorModel", "Couleur", "Gray", [2]string{"Gray", "Noir et blanc"}, [2]string{"RGB", "Couleur"})
	} else {
		choice("ColorModel", "Couleur", "Gray", [2]string{"Gray", "Noir et blanc"})
	}
	line("*DefaultFont: Courier")
	line(`*Font Courier: Standard "(002.004S)" Standard ROM`)
	return []byte(b.String())
}

// icon is a sheet that leaves a printer (printer-icons, PWG 5100.13 §5.6.27).
func icon(w http.ResponseWriter, _ *http.Request) {
	img := image.NewRGBA(image.Rect(0, 0, 128, 128))
	fill := func(x0, y0, x1, y1 int, c color.Color) {
		draw.Draw(img, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, draw.Src)
	}
	body, sheet := color.RGBA{0x2f, 0x4b, 0x7c, 0xff}, color.RGBA{0xf4, 0xf4, 0xf0, 0xff}
	fill(36, 12, 92, 48, sheet)
	fill(16, 44, 112, 92, body)
	fill(32, 72, 96, 116, sheet)
	for y := 82; y < 110; y += 10 {
		fill(42, y, 86, y+3, body)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		http.Error(w, "cannot draw", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Write(b.Bytes())
}

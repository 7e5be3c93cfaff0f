package printertest

import (
	"bytes"
	"fmt"
	"io"
)

// PDF makes a document of that many pages, each with the text on it, unpacked,
// so that a search finds it. padding bytes of nothing make it bigger.
func PDF(pages int, text string, padding int) []byte {
	var b bytes.Buffer
	var at []int
	object := func(format string, args ...any) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", len(at))
		fmt.Fprintf(&b, format, args...)
		io.WriteString(&b, "\nendobj\n")
	}
	io.WriteString(&b, "%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	var kids bytes.Buffer
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", 4+2*i)
	}
	object("<< /Type /Pages /Count %d /Kids [ %s] >>", pages, kids.String())
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	for i := range pages {
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>", 5+2*i)
		stream := fmt.Sprintf("BT /F1 24 Tf 72 720 Td (%s %d) Tj ET", text, i+1)
		object("<< /Length %d >>\nstream\n%s\nendstream", len(stream), stream)
	}
	if padding > 0 {
		object("<< /Length %d >>\nstream\n%s\nendstream", padding, bytes.Repeat([]byte("."), padding))
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	return b.Bytes()
}

// Package pdftest makes PDFs, right and wrong ones, for tests.
package pdftest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Objects are the objects of a document by number. Catalog is 1, Tree is 2.
type Objects map[int]string

// Numbers that every document here uses.
const (
	Catalog = 1
	Tree    = 2
	free    = 3 // the first that is free
)

// Flat is a document of n pages in one node that says it has count.
func Flat(n, count int) Objects {
	var kids strings.Builder
	o := Objects{Catalog: "<</Type/Catalog/Pages 2 0 R>>"}
	for i := range n {
		fmt.Fprintf(&kids, "%d 0 R ", free+2*i)
		o[free+2*i] = page(free + 2*i + 1)
		content := fmt.Sprintf("BT /F1 24 Tf 72 700 Td (page %d) Tj ET", i+1)
		o[free+2*i+1] = fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(content), content)
	}
	o[Tree] = fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", count, kids.String())
	return o
}

func page(content int) string {
	return fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>/Contents %d 0 R>>", content)
}

// Stream is a stream object, deflated already.
func Stream(extra string, b []byte) string {
	return fmt.Sprintf("<<%s/Filter/FlateDecode/Length %d>>stream\n%s\nendstream", extra, len(b), b)
}

// Deflate is b in zlib's form.
func Deflate(b []byte) []byte {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

// Bomb is about a kilobyte for each of its megabytes of spaces, which follow head.
func Bomb(head string, megabytes int) []byte {
	var z bytes.Buffer
	w, _ := zlib.NewWriterLevel(&z, zlib.BestCompression)
	w.Write([]byte(head))
	w.Flush()
	// Each piece stands by itself, so that one is deflated and then repeated.
	at := z.Len()
	w.Write(bytes.Repeat([]byte(" "), 1<<20))
	w.Flush()
	piece := bytes.Clone(z.Bytes()[at:])
	for range megabytes - 1 {
		z.Write(piece)
	}
	return z.Bytes() // nobody reads as far as the checksum
}

// Header begins a document.
const Header = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"

func body(b *bytes.Buffer, o Objects) map[int]int {
	at := map[int]int{}
	for _, n := range slices.Sorted(maps.Keys(o)) {
		at[n] = b.Len()
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", n, o[n])
	}
	return at
}

func table(b *bytes.Buffer, at map[int]int, freed []int) {
	b.WriteString("xref\n0 1\n0000000000 65535 f \n")
	for _, n := range slices.Sorted(maps.Keys(at)) {
		fmt.Fprintf(b, "%d 1\n%010d 00000 n \n", n, at[n])
	}
	for _, n := range freed {
		fmt.Fprintf(b, "%d 1\n0000000000 00000 f \n", n)
	}
}

func end(b *bytes.Buffer, xref int) { fmt.Fprintf(b, "startxref\n%d\n%%%%EOF\n", xref) }

// Table writes o with a table of cross-references (ISO 32000-1, 7.5.4).
func Table(o Objects) []byte {
	b := bytes.NewBufferString(Header)
	at := body(b, o)
	xref := b.Len()
	table(b, at, nil)
	fmt.Fprintf(b, "trailer\n<</Size %d/Root 1 0 R>>\n", slices.Max(slices.Collect(maps.Keys(o)))+1)
	end(b, xref)
	return b.Bytes()
}

// Update appends o to doc as an incremental update (7.5.6).
func Update(doc []byte, o Objects, size int) []byte {
	b := bytes.NewBuffer(bytes.Clone(doc))
	prev := doc[bytes.LastIndex(doc, []byte("startxref"))+len("startxref"):]
	var p int
	fmt.Sscan(string(prev), &p)
	at := body(b, o)
	xref := b.Len()
	table(b, at, nil)
	fmt.Fprintf(b, "trailer\n<</Size %d/Root 1 0 R/Prev %d>>\n", size, p)
	end(b, xref)
	return b.Bytes()
}

// packed makes an object stream of o, and what is in it in order.
func packed(o Objects) (string, []int) {
	var head, text strings.Builder
	numbers := slices.Sorted(maps.Keys(o))
	for _, n := range numbers {
		fmt.Fprintf(&head, "%d %d ", n, text.Len())
		text.WriteString(o[n] + " ")
	}
	return Stream(fmt.Sprintf("/Type/ObjStm/N %d/First %d", len(numbers), head.Len()), Deflate([]byte(head.String()+text.String()))), numbers
}

func split(o Objects) (plain, streams Objects) {
	plain, streams = Objects{}, Objects{}
	for n, s := range o {
		if strings.HasSuffix(s, "endstream") {
			streams[n] = s
		} else {
			plain[n] = s
		}
	}
	return plain, streams
}

// Packed writes o with object streams and a cross-reference stream (7.5.7, 7.5.8).
func Packed(o Objects) []byte {
	plain, streams := split(o)
	next := slices.Max(slices.Collect(maps.Keys(o))) + 1
	s, inside := packed(plain)
	streams[next] = s
	return WithStream(streams, map[int][]int{next: inside}, "")
}

// WithStream writes objects, and a cross-reference stream that also names what
// is inside object streams.
func WithStream(o Objects, inside map[int][]int, extra string) []byte {
	b := bytes.NewBufferString(Header)
	at := body(b, o)
	next := slices.Max(slices.Collect(maps.Keys(o))) + 1
	for _, list := range inside {
		next = max(next, slices.Max(list)+1)
	}
	xref := b.Len()
	at[next] = xref
	fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", next, xrefStream(at, inside, next+1, "/Root 1 0 R"+extra))
	end(b, xref)
	return b.Bytes()
}

func xrefStream(at map[int]int, inside map[int][]int, size int, extra string) string {
	rows := make([][]byte, size)
	for n := range rows {
		rows[n] = make([]byte, 9)
	}
	for n, a := range at {
		rows[n][0] = 1
		binary.BigEndian.PutUint32(rows[n][1:], uint32(a))
	}
	for in, list := range inside {
		for i, n := range list {
			rows[n][0] = 2
			binary.BigEndian.PutUint32(rows[n][1:], uint32(in))
			binary.BigEndian.PutUint32(rows[n][5:], uint32(i))
		}
	}
	// The filter "up" of PNG, as most writers use it.
	var text bytes.Buffer
	above := make([]byte, 9)
	for _, r := range rows {
		text.WriteByte(2)
		for i := range r {
			text.WriteByte(r[i] - above[i])
		}
		above = r
	}
	return Stream(fmt.Sprintf("/Type/XRef/Size %d/W[1 4 4]%s/DecodeParms<</Predictor 12/Columns 9>>", size, extra), Deflate(text.Bytes()))
}

// Hybrid writes o so that old readers see a table, which frees what only the
// stream beside it knows (7.5.8.4).
func Hybrid(o Objects) []byte {
	plain, streams := split(o)
	catalog := Objects{Catalog: plain[Catalog]}
	delete(plain, Catalog)
	next := slices.Max(slices.Collect(maps.Keys(o))) + 1
	s, inside := packed(plain)
	streams[next] = s
	maps.Copy(streams, catalog)
	b := bytes.NewBufferString(Header)
	at := body(b, streams)
	beside := b.Len()
	fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", next+1, xrefStream(map[int]int{next: at[next]}, map[int][]int{next: inside}, next+2, ""))
	xref := b.Len()
	table(b, at, inside)
	fmt.Fprintf(b, "trailer\n<</Size %d/Root 1 0 R/XRefStm %d>>\n", next+2, beside)
	end(b, xref)
	return b.Bytes()
}

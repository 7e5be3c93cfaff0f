package pdftest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Want is what must become of a document.
type Want string

// What becomes of a document.
const (
	Counted   Want = ""
	Broken    Want = "broken"
	TooMany   Want = "too-many"
	Encrypted Want = "encrypted"
	NoPDF     Want = "no-pdf" // and so of no kind that is printed
)

// Case is a document and what must become of it.
type Case struct {
	Name  string
	Data  []byte
	Pages int // with Counted
	Want  Want
	May   bool // it may also be refused as broken: a reader may mend it or not
}

func with(o Objects, more Objects) Objects {
	for n, s := range more {
		o[n] = s
	}
	return o
}

func nodes(o Objects) Objects { return with(Objects{Catalog: "<</Type/Catalog/Pages 2 0 R>>"}, o) }

// Corpus is every kind of document that must be counted right or refused.
func Corpus() []Case {
	twelve := Table(Flat(12, 12))
	counted := func(name string, b []byte, n int) Case { return Case{Name: name, Data: b, Pages: n} }
	refused := func(name string, b []byte) Case { return Case{Name: name, Data: b, Want: Broken} }
	list := []Case{
		counted("one", Table(Flat(1, 1)), 1),
		counted("twelve", twelve, 12),
		counted("object streams", Packed(Flat(12, 12)), 12),
		counted("hybrid", Hybrid(Flat(12, 12)), 12),
		counted("update", Update(twelve, Objects{2: "<</Type/Pages/Count 2/Kids[3 0 R 40 0 R]>>", 40: page(4)}, 41), 2),
		counted("PDF 2.0", bytes.Replace(twelve, []byte("PDF-1.7"), []byte("PDF-2.0"), 1), 12),
		counted("prefix", append(bytes.Repeat([]byte("x"), 1000), twelve...), 12),
		counted("prefix that offsets know", prefixed(), 12),
		counted("1000", Table(Flat(1000, 1000)), 1000),
		counted("1000 in object streams", Packed(Flat(1000, 1000)), 1000),
		counted("10000", Packed(Flat(10000, 10000)), 10000),
		{Name: "10001", Data: Packed(Flat(10001, 3)), Want: TooMany},
		{Name: "10001 in a table", Data: Table(Flat(10001, 10001)), Want: TooMany},

		counted("count 1", Table(Flat(12, 1)), 12),
		counted("count 0", Table(Flat(12, 0)), 12),
		counted("count -5", Table(Flat(12, -5)), 12),
		counted("count 1000000", Table(Flat(12, 1000000)), 12),
		counted("page twice", Table(nodes(Objects{2: "<</Type/Pages/Count 1/Kids[3 0 R 3 0 R]>>", 3: page(4), 4: Stream("", Deflate(nil))})), 2),
		counted("node twice", Table(nodes(Objects{2: "<</Type/Pages/Count 1/Kids[5 0 R 5 0 R 5 0 R]>>",
			5: "<</Type/Pages/Count 2/Kids[3 0 R 3 0 R]>>", 3: page(4), 4: Stream("", Deflate(nil))})), 6),
		counted("no types", Table(Objects{1: "<</Pages 2 0 R>>", 2: "<</Kids[3 0 R]>>", 3: "<</MediaBox[0 0 9 9]>>"}), 1),
		counted("references in place of values", Table(nodes(Objects{2: "<</Type 6 0 R/Kids 5 0 R/Count 1>>", 5: "[3 0 R]", 6: "/Pages", 3: page(4), 4: Stream("", Deflate(nil))})), 1),
		counted("deep", deep(100_000), 1),
		counted("strange writing", Table(nodes(Objects{2: "<< /Ty#70e /Pages%(\n/K#69ds[ 3%x\r0\tR]/X(a\\)(b)\\\n)/Y<41 4>/Count 1>>", 3: page(4), 4: Stream("", Deflate(nil))})), 1),
		counted("bomb in a page", Table(with(Flat(2, 2), Objects{4: Stream("", Bomb("", 1200))})), 2),
		counted("bomb in an object stream", bombInside(1200), 1),

		refused("loop", Table(nodes(Objects{2: "<</Type/Pages/Count 1/Kids[3 0 R]>>", 3: "<</Type/Pages/Count 1/Kids[2 0 R]>>"}))),
		refused("its own child", Table(nodes(Objects{2: "<</Type/Pages/Count 1/Kids[2 0 R]>>"}))),
		refused("reference to itself", Table(nodes(Objects{2: "2 0 R"}))),
		refused("references in a ring", Table(nodes(Objects{2: "3 0 R", 3: "4 0 R", 4: "2 0 R"}))),
		refused("missing page", Table(nodes(Objects{2: "<</Type/Pages/Count 2/Kids[3 0 R 9 0 R]>>", 3: page(4), 4: "null"}))),
		refused("no pages", Table(nodes(Objects{2: "<</Type/Pages/Count 3/Kids[]>>"}))),
		refused("no tree", Table(Objects{1: "<</Type/Catalog>>"})),
		refused("page with children", Table(nodes(Objects{2: "<</Type/Pages/Count 1/Kids[3 0 R]>>", 3: "<</Type/Page/Kids[4 0 R 4 0 R]>>", 4: page(5)}))),
		refused("children twice", Table(nodes(Objects{2: "<</Type/Pages/Kids[3 0 R]/Count 1/Kids[3 0 R 3 0 R]>>", 3: page(4)}))),
		refused("empty nodes without end", Table(doubling("<</Type/Pages/Kids[]>>"))),
		{Name: "pages without end", Data: Table(doubling("<</Type/Page>>")), Want: TooMany},
		{Name: "children without end", Data: Table(nodes(Objects{2: "<</Kids[" + strings.Repeat("3 0 R ", 150_000) + "]>>", 3: "<</Kids[]>>"})), Want: TooMany},
		refused("nested without end", Table(nodes(Objects{2: strings.Repeat("[", 22<<20)}))),
		refused("dictionaries without end", Table(nodes(Objects{2: strings.Repeat("<</K", 1<<20)}))),
		refused("values without end", Table(nodes(Objects{2: "<</Kids[" + strings.Repeat("0 ", 4<<20) + "]>>"}))),
		refused("string without end", Table(nodes(Objects{2: "<</Kids(" + strings.Repeat("(", 4<<20)}))),
		refused("bomb in the cross-references", bombInXref(1200)),
		refused("object stream in itself", inItself()),
		refused("sections in a ring", ring()),
		refused("two documents in one", twofold()),
		{Name: "empty", Want: NoPDF},
		{Name: "random", Data: random(1 << 20), Want: NoPDF},
		refused("random behind a header", append([]byte(Header), random(1<<20)...)),
		{Name: "header too late", Data: append(bytes.Repeat([]byte("x"), 1100), twelve...), Want: NoPDF},
	}
	may := func(name string, b []byte) { list = append(list, Case{name, b, 12, Counted, true}) }
	may("no cross-references", twelve[:bytes.LastIndex(twelve, []byte("xref\n0 1"))])
	may("startxref elsewhere", bytes.Replace(twelve, []byte("startxref\n"), []byte("startxref\n1"), 1))
	may("startxref beyond", bytes.Replace(twelve, []byte("startxref\n"), []byte("startxref\n99999999"), 1))
	may("offsets off by one", bytes.Replace(twelve, []byte("%PDF-1.7\n"), []byte("%PDF-1.7\n\n"), 1))
	may("entries cut", bytes.ReplaceAll(twelve, []byte(" 00000 n \n"), []byte(" n \n")))
	ostm := Packed(Flat(12, 12))
	may("object streams without cross-references", ostm[:bytes.LastIndex(ostm, []byte("startxref"))])
	for _, percent := range []int{1, 10, 30, 50, 70, 90, 99} {
		may(fmt.Sprintf("cut at %d %%", percent), twelve[:len(twelve)*percent/100])
	}
	return list
}

func prefixed() []byte {
	b := Table(Flat(12, 12))
	// As many bytes go as come: the header's comment gives room.
	return append([]byte("junk\n"), bytes.Replace(b, []byte("\n%\xe2\xe3\xcf\xd3\n"), []byte("\n"), 1)...)[: len(b)-1 : len(b)-1]
}

// twofold has one page where offsets count from the header, and two where they
// count from the first byte.
func twofold() []byte {
	const prefix = 900
	b := bytes.NewBufferString(strings.Repeat("x", prefix) + Header)
	at := body(b, nodes(Objects{2: "<</Type/Pages/Count 2/Kids[3 0 R 3 0 R]>>", 3: "<</Type/Page/MediaBox[0 0 9 9]>>",
		4: "<</Type/Catalog/Pages 5 0 R>>", 5: "<</Type/Pages/Count 1/Kids[3 0 R]>>"}))
	xref := b.Len()
	table(b, at, nil)
	b.WriteString("trailer\n<</Size 6/Root 1 0 R>>\n")
	b.WriteString(strings.Repeat(" ", xref+prefix-b.Len()))
	for n := range at {
		at[n] -= prefix
	}
	table(b, at, nil)
	b.WriteString("trailer\n<</Size 6/Root 4 0 R>>\n")
	end(b, xref)
	return b.Bytes()
}

func deep(levels int) []byte {
	o := Objects{Catalog: "<</Type/Catalog/Pages 2 0 R>>"}
	for n := 2; n < levels; n++ {
		o[n] = fmt.Sprintf("<</Type/Pages/Count 1/Kids[%d 0 R]>>", n+1)
	}
	o[levels] = "<</Type/Page/MediaBox[0 0 9 9]>>"
	return Table(o)
}

// doubling is a tree whose every node has the next as both of its children.
func doubling(last string) Objects {
	o := Objects{Catalog: "<</Type/Catalog/Pages 2 0 R>>"}
	for n := 2; n < 60; n++ {
		o[n] = fmt.Sprintf("<</Type/Pages/Count 1/Kids[%d 0 R %d 0 R]>>", n+1, n+1)
	}
	o[60] = last
	return o
}

func bombInside(megabytes int) []byte {
	catalog, tree, leaf := "<</Type/Catalog/Pages 2 0 R>> ", "<</Type/Pages/Count 1/Kids[3 0 R]>> ", "<</Type/Page/MediaBox[0 0 9 9]>> "
	head := fmt.Sprintf("1 0 2 %d 3 %d ", len(catalog), len(catalog+tree))
	s := Stream(fmt.Sprintf("/Type/ObjStm/N 3/First %d", len(head)), Bomb(head+catalog+tree+leaf, megabytes))
	return WithStream(Objects{4: s}, map[int][]int{4: {1, 2, 3}}, "")
}

func bombInXref(megabytes int) []byte {
	b := bytes.NewBufferString(Header)
	at := b.Len()
	fmt.Fprintf(b, "1 0 obj\n%s\nendobj\n", Stream("/Type/XRef/Size 2000000000/W[1 4 1]/Index[0 4000000 0 4000000 0 4000000]/Root 1 0 R", Bomb("", megabytes)))
	end(b, at)
	return b.Bytes()
}

// inItself has an object stream whose length is inside it.
func inItself() []byte {
	s := strings.Replace(Stream("/Type/ObjStm/N 1/First 4", Deflate([]byte("9 0 <</Kids[]>>"))), "/Length ", "/Length 9 0 R/X ", 1)
	return WithStream(Objects{1: "<</Type/Catalog/Pages 9 0 R>>", 5: s}, map[int][]int{5: {9}}, "")
}

func ring() []byte {
	b := Table(nodes(Objects{2: "<</Kids[]>>"}))
	at := bytes.LastIndex(b, []byte("xref\n0 1"))
	return bytes.Replace(b, []byte("/Root"), fmt.Appendf(nil, "/Prev %d/Root", at), 1)
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

package ipp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/OpenPrinting/goipp"
)

func bytesOf(t testing.TB, m *goipp.Message) []byte {
	t.Helper()
	b, err := m.EncodeBytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nest returns a request whose collections are that deep.
func nest(t testing.TB, depth int) []byte {
	m := Request(goipp.OpPrintJob, 7, "fr")
	inner := Keyword("leaf", "x")
	for range depth {
		inner = Members("media-col", inner)
	}
	m.Job.Add(inner)
	return bytesOf(t, m)
}

// flood is n bytes of collections that only begin.
func flood(n int) io.Reader {
	begin := []byte{0x34, 0, 1, 'x', 0, 0, 0x4a, 0, 0, 0, 1, 'y'}
	return io.MultiReader(bytes.NewReader([]byte{2, 0, 0, 2, 0, 0, 0, 1, 2}), bytes.NewReader(bytes.Repeat(begin, n/len(begin))))
}

func TestDecodeLeavesTheDocument(t *testing.T) {
	m := Request(goipp.OpPrintJob, 7, "fr")
	m.Job.Add(Integer("copies", 2))
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "with the end": iotest.DataErrReader,
	} {
		r := wrap(strings.NewReader(string(bytesOf(t, m)) + "%PDF-1.7"))
		got, err := Decode(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n, ok := Int(got.Job, "copies"); n != 2 || !ok || got.RequestID != 7 {
			t.Errorf("%s: %v", name, got.Job)
		}
		if rest, err := io.ReadAll(r); string(rest) != "%PDF-1.7" {
			t.Errorf("%s: %q is left, %v", name, rest, err)
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	long := Request(goipp.OpPrintJob, 7, "fr")
	for range 70 {
		long.Operation.Add(Keyword("requested-attributes", strings.Repeat("x", 1000)))
	}
	// Five bytes a value: a hundred thousand of them fit into what an answer may be.
	values := bytesOf(t, Request(goipp.OpGetPrinterAttributes, 7, "fr"))
	values = append(values[:len(values)-1], bytes.Repeat([]byte{0x13, 0, 0, 0, 0}, 100_000)...)
	lying := binary.BigEndian.AppendUint16([]byte{2, 0, 0, 2, 0, 0, 0, 1, 1, 0x47}, 0x4000)
	for name, c := range map[string]struct {
		in   io.Reader
		want error
	}{
		"empty":                {strings.NewReader(""), ErrFormat},
		"half a header":        {strings.NewReader("\x02\x00\x00"), ErrFormat},
		"no end":               {bytes.NewReader(bytesOf(t, Request(goipp.OpPrintJob, 7, "fr"))[:40]), ErrFormat},
		"a name that lies":     {bytes.NewReader(lying), ErrFormat},
		"deep":                 {bytes.NewReader(nest(t, MaxDepth+1)), ErrTooDeep},
		"22 MB of collections": {flood(22 << 20), ErrTooDeep},
		"long":                 {bytes.NewReader(bytesOf(t, long)), ErrTooLong},
		"an end too many":      {strings.NewReader("\x02\x00\x00\x02\x00\x00\x00\x01\x02\x37\x00\x00\x00\x00\x03"), ErrFormat},
		"no end of one":        {strings.NewReader("\x02\x00\x00\x02\x00\x00\x00\x01\x02\x34\x00\x01x\x00\x00\x03"), ErrFormat},
		"outside a group":      {strings.NewReader("\x02\x00\x00\x02\x00\x00\x00\x01\x21\x00\x01x\x00\x04\x00\x00\x00\x01\x03"), ErrFormat},
		"three bytes of four":  {strings.NewReader("\x02\x00\x00\x02\x00\x00\x00\x01\x01\x21\x00\x01x\x00\x03\x00\x00\x01\x03"), ErrFormat},
		"a reader that fails":  {iotest.ErrReader(io.ErrClosedPipe), io.ErrClosedPipe},
	} {
		m, err := Decode(c.in)
		if !errors.Is(err, c.want) || m != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := DecodeAnswer(bytes.NewReader(values)); !errors.Is(err, ErrTooLong) {
		t.Errorf("100,000 values: %v", err)
	}
	if _, err := Decode(bytes.NewReader(nest(t, MaxDepth))); err != nil {
		t.Errorf("as deep as may be: %v", err)
	}
	if _, err := DecodeAnswer(bytes.NewReader(bytesOf(t, long))); err != nil {
		t.Errorf("an answer may be longer: %v", err)
	}
}

// A printer that names members as attributes (Pantum) is read, a program is not.
func TestDecodeAnswerForgives(t *testing.T) {
	b := []byte("\x02\x00\x00\x00\x00\x00\x00\x01\x04\x34\x00\x09media-col\x00\x00\x44\x00\x0amedia-type\x00\x05plain\x37\x00\x00\x00\x00\x03")
	m, err := DecodeAnswer(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	col, _ := Collection(m.Printer, "media-col")
	if s, ok := String(col, "media-type"); s != "plain" || !ok {
		t.Errorf("%v", m.Printer)
	}
	if _, err := Decode(bytes.NewReader(b)); !errors.Is(err, ErrFormat) {
		t.Errorf("a request of that kind: %v", err)
	}
}

// What the makers make comes back through the wire, and the getters read it.
func TestMakersAndGetters(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	m := Request(goipp.OpGetPrinterAttributes, 1, "fr")
	m.Printer = Attributes{Keyword("kw", "a", "b"), Name("name", "n"), Text("text", "é"), URI("uri", "ipp://x"), Mime("mime", "application/pdf"),
		Charset("charset", "utf-8"), Language("lang", "fr"), Integer("int", -1, 2), Enum("enum", 3, 4), Boolean("yes", true), Boolean("no", false),
		RangeOf("range", 1, 9), RangesOf("ranges", goipp.Range{Lower: 1, Upper: 2}, goipp.Range{Lower: 4, Upper: 4}), DPI("dpi", 300, 600), DateTime("when", now),
		Octets("octets", "\x00\xff", "z"), Members("col", Integer("x", 21000)), MembersOf("cols", Attributes{Integer("x", 1)}, Attributes{Integer("x", 2)}),
		NoValue("none"), Unknown("unknown"), Unsupported("unsupported"), goipp.MakeAttr("tongue", goipp.TagTextLang, goipp.TextWithLang{Lang: "fr", Text: "papier"})}
	got, err := DecodeAnswer(bytes.NewReader(bytesOf(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	a := got.Printer
	for name, want := range map[string][]string{"kw": {"a", "b"}, "name": {"n"}, "text": {"é"}, "uri": {"ipp://x"}, "mime": {"application/pdf"},
		"charset": {"utf-8"}, "lang": {"fr"}, "octets": {"\x00\xff", "z"}, "tongue": {"papier"}, "int": nil, "none": nil, "absent": nil} {
		if s := Strings(a, name); !slices.Equal(s, want) {
			t.Errorf("%s: %q, want %q", name, s, want)
		}
		if s, ok := String(a, name); ok != (want != nil) || ok && s != want[0] {
			t.Errorf("%s: %q, %v", name, s, ok)
		}
	}
	if !slices.Equal(Ints(a, "int"), []int{-1, 2}) || !slices.Equal(Ints(a, "enum"), []int{3, 4}) || Ints(a, "kw") != nil {
		t.Errorf("integers: %v %v", Ints(a, "int"), Ints(a, "enum"))
	}
	if v, ok := Bool(a, "yes"); !v || !ok {
		t.Error("yes is not true")
	}
	if v, ok := Bool(a, "no"); v || !ok {
		t.Error("no is not false")
	}
	if _, ok := Bool(a, "int"); ok {
		t.Error("an integer is no boolean")
	}
	if r, ok := Range(a, "range"); r != (goipp.Range{Lower: 1, Upper: 9}) || !ok {
		t.Errorf("range: %v", r)
	}
	if r := Ranges(a, "ranges"); len(r) != 2 || r[1].Lower != 4 {
		t.Errorf("ranges: %v", r)
	}
	if r := Ranges(a, "int"); len(r) != 2 || r[1] != (goipp.Range{Lower: 2, Upper: 2}) {
		t.Errorf("integers as ranges: %v", r)
	}
	if r, ok := Resolution(a, "dpi"); r.Xres != 300 || r.Units != goipp.UnitsDpi || !ok {
		t.Errorf("resolution: %v", r)
	}
	if w, ok := Time(a, "when"); !w.Equal(now) || !ok {
		t.Errorf("time: %v", w)
	}
	if c, ok := Collection(a, "col"); !ok || len(c) != 1 {
		t.Errorf("collection: %v", c)
	} else if x, _ := Int(c, "x"); x != 21000 {
		t.Errorf("its member: %v", c)
	}
	if c := Collections(a, "cols"); len(c) != 2 {
		t.Errorf("collections: %v", c)
	} else if x, _ := Int(c[1], "x"); x != 2 {
		t.Errorf("the second one's member: %v", c)
	}
	for _, name := range []string{"none", "unknown", "unsupported"} {
		if attr, ok := Find(a, name); !ok || attr.Values[0].V.Type() != goipp.TypeVoid {
			t.Errorf("%s: %v", name, attr)
		}
	}
	// An attribute without a value comes out of no decoder, but a maker's caller may have one.
	if _, ok := Find(Attributes{{Name: "bare"}}, "bare"); ok {
		t.Error("an attribute without a value was found")
	}
}

func TestAnswer(t *testing.T) {
	req := Request(goipp.OpPrintJob, 9, "fr")
	req.Version = goipp.MakeVersion(1, 1)
	m := Answer(req, goipp.StatusErrorNotFound, "fr", strings.Repeat("é", 200))
	s, _ := String(m.Operation, "status-message")
	if m.Version != req.Version || m.RequestID != 9 || len(s) != 254 || strings.Trim(s, "é") != "" {
		t.Errorf("%v %d %q", m.Version, m.RequestID, s)
	}
	req.Version = goipp.MakeVersion(9, 0)
	if m := Answer(req, goipp.StatusErrorVersionNotSupported, "fr", ""); m.Version != goipp.MakeVersion(2, 0) || len(m.Operation) != 2 {
		t.Errorf("%v %v", m.Version, m.Operation)
	}
}

// depth is how deep collections nest in a.
func depth(a Attributes) int {
	d := 0
	for _, x := range a {
		for _, v := range x.Values {
			if c, ok := v.V.(goipp.Collection); ok {
				d = max(d, 1+depth(Attributes(c)))
			}
		}
	}
	return d
}

func seeds(f *testing.F) {
	m := Request(goipp.OpPrintJob, 7, "fr")
	m.Job = Attributes{Integer("copies", 2), RangeOf("page-ranges", 1, 3), DPI("printer-resolution", 600), DateTime("t", time.Unix(0, 0).UTC()), NoValue("n"),
		goipp.MakeAttr("l", goipp.TagNameLang, goipp.TextWithLang{Lang: "fr", Text: "x"}), goipp.MakeAttr("e", goipp.TagExtension, goipp.Binary{0, 0, 0, 1, 2})}
	f.Add(append(bytesOf(f, m), "%PDF-1.7"...))
	f.Add(nest(f, MaxDepth))
	f.Add(nest(f, MaxDepth+1))
	b, _ := io.ReadAll(flood(2048))
	f.Add(b)
}

// check decodes b and looks at what every decoded message must hold to.
func check(t *testing.T, b []byte, limit int, decode func(io.Reader) (*goipp.Message, error)) {
	r := bytes.NewReader(b)
	m, err := decode(r)
	if used := len(b) - r.Len(); used > limit {
		t.Fatalf("%d bytes were read, the limit is %d", used, limit)
	}
	if err != nil {
		return
	}
	for _, g := range m.Groups {
		if depth(g.Attrs) > MaxDepth {
			t.Fatalf("collections are %d deep", depth(g.Attrs))
		}
	}
	out, err := m.EncodeBytes()
	if err != nil {
		return // goipp reads some things that it does not write
	}
	again, err := decode(bytes.NewReader(out))
	if err != nil || !again.Equal(*m) {
		t.Fatalf("it comes back as another message: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b, MaxRequest, Decode) })
}

func FuzzDecodeAnswer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b, MaxAnswer, DecodeAnswer) })
}

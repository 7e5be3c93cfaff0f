package raster_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"borne/kiosk/raster"
)

const most = 100

func count(b []byte) (int, error) {
	return raster.Count(bytes.NewReader(b), raster.Is(b), most)
}

// header is a page of PWG Raster's, grey.
func header(w, h, bits, line int) []byte {
	b := make([]byte, 1796)
	for at, v := range map[int]int{372: w, 376: h, 384: bits, 388: bits, 392: line, 400: 18} {
		binary.BigEndian.PutUint32(b[at:], uint32(v))
	}
	return b
}

// sheet is a whole page, 4 × 3: its first line twice.
func sheet() []byte {
	return slices.Concat(header(4, 3, 8, 4), []byte{1, 3, 0x11, 0, 253, 1, 2, 3, 4})
}

func pwg(pages ...[]byte) []byte { return slices.Concat([]byte("RaS2"), slices.Concat(pages...)) }

func raw(n int) []byte {
	b := []byte("RaS3")
	for range n {
		b = slices.Concat(b, header(4, 3, 8, 4), []byte("abcdefghijkl"))
	}
	return b
}

// urf has n pages and says it has said.
func urf(n int, said uint32) []byte {
	b := binary.BigEndian.AppendUint32([]byte("UNIRAST\x00"), said)
	head := make([]byte, 32)
	head[0], head[15], head[19] = 8, 4, 3
	for range n {
		b = slices.Concat(b, head, []byte{1, 3, 0x11, 0, 253, 1, 2, 3, 4})
	}
	return b
}

func TestCount(t *testing.T) {
	with := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	one := pwg(sheet())
	for _, c := range []struct {
		name  string
		data  []byte
		pages int
		err   error
	}{
		{"one", one, 1, nil},
		{"three", pwg(sheet(), sheet(), sheet()), 3, nil},
		{"as it is", raw(2), 2, nil},
		{"URF that says the truth", urf(3, 3), 3, nil},
		{"URF that says 1", urf(3, 1), 3, nil},
		{"URF that says 0", urf(3, 0), 3, nil},
		{"URF that says much", urf(3, 0xffffffff), 3, nil},
		{"as many as may be", raw(most), most, nil},
		{"too many", raw(most + 1), 0, raster.ErrTooMany},
		{"too many that say one", urf(most+1, 1), 0, raster.ErrTooMany},
		{"no page", []byte("RaS2"), 0, raster.ErrBroken},
		{"no page of URF", urf(0, 5), 0, raster.ErrBroken},
		{"magic cut", []byte("UNIRAST\x00\x00"), 0, raster.ErrBroken},
		{"one more byte", append(bytes.Clone(one), 0), 0, raster.ErrBroken},
		{"no width", with(one, 4+372, 0), 0, raster.ErrBroken},
		{"wider than its lines", with(one, 4+372, 5), 0, raster.ErrBroken},
		{"width without end", with(one, 4+372, 0xffffffff), 0, raster.ErrBroken},
		{"height without end", with(one, 4+376, 0xffffffff), 0, raster.ErrBroken},
		{"higher than its lines", with(one, 4+376, 4), 0, raster.ErrBroken},
		{"lower than its lines", with(one, 4+376, 2), 0, raster.ErrBroken},
		{"lines without end", with(one, 4+392, 0xfffffff0), 0, raster.ErrBroken},
		{"no bits", with(one, 4+388, 0), 0, raster.ErrBroken},
		{"planes", with(one, 4+396, 1), 0, raster.ErrBroken},
		{"lines longer than may be", pwg(header(4, 1, 8, 1<<20+1), bytes.Repeat([]byte{0, 128}, 1)), 0, raster.ErrBroken},
		{"higher than may be", pwg(header(4, 1<<17+1, 8, 4), bytes.Repeat([]byte{255, 128}, 1<<9), []byte{0, 128}), 0, raster.ErrBroken},
		{"more lines at once than are left", pwg(header(4, 1, 8, 4), []byte{1, 128}), 0, raster.ErrBroken},
		{"a run past the line", pwg(header(4, 1, 8, 4), []byte{0, 4, 0x11}), 0, raster.ErrBroken},
		{"pixels past the line", pwg(header(4, 1, 8, 4), []byte{0, 252, 1, 2, 3, 4, 5}), 0, raster.ErrBroken},
		{"white to the end of the line", pwg(header(4, 1, 8, 4), []byte{0, 128}), 1, nil},
	} {
		n, err := count(c.data)
		if n != c.pages || !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: %d pages, %v; want %d, %v", c.name, n, err, c.pages, c.err)
		}
	}
}

// TestCut cuts documents everywhere: only between two pages are they whole.
func TestCut(t *testing.T) {
	for name, doc := range map[string][]byte{"PWG": pwg(sheet(), sheet()), "raw": raw(2), "URF": urf(2, 2)} {
		head, n := len("RaS2"), 0
		if name == "URF" {
			head = len("UNIRAST\x00") + 4
		}
		page := (len(doc) - head) / 2
		for i := head; i < len(doc); i++ {
			got, err := count(doc[:i])
			if want := i == head+page; want != (err == nil) || want && got != 1 {
				t.Errorf("%s, cut at %d: %d pages, %v", name, i, got, err)
			}
			if err == nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: counted at %d cuts", name, n)
		}
	}
}

func TestFirst(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"PWG":   {pwg(sheet(), sheet()), "2×\x11\x11\x11\x11 1×\x01\x02\x03\x04 "},
		"raw":   {raw(1), "1×abcd 1×efgh 1×ijkl "},
		"URF":   {urf(1, 9), "2×\x11\x11\x11\x11 1×\x01\x02\x03\x04 "},
		"white": {pwg(header(4, 1, 8, 4), []byte{0, 0, 5, 128}), "1×\x05\xff\xff\xff "},
	} {
		var got strings.Builder
		var page raster.Page
		err := raster.First(bytes.NewReader(c.data), raster.Is(c.data), func(p raster.Page) error { page = p; return nil },
			func(b []byte, times int) { got.WriteString(string(rune('0'+times)) + "×" + string(b) + " ") })
		if err != nil || got.String() != c.want || page.Width != 4 || page.Line != 4 || page.Space != raster.Gray {
			t.Errorf("%s: %+v, %q, %v; want %q", name, page, got.String(), err, c.want)
		}
	}
	mine := errors.New("mine")
	if err := raster.First(bytes.NewReader(raw(1)), raster.PWGRaw, func(raster.Page) error { return mine }, nil); !errors.Is(err, mine) {
		t.Errorf("what the caller says is lost: %v", err)
	}
}

// TestGhostscript counts what a real writer writes.
func TestGhostscript(t *testing.T) {
	gs, err := exec.LookPath("gs")
	if err != nil {
		t.Skip("SKIP: ghostscript is not installed; run scripts/setup")
	}
	dir := t.TempDir()
	in := filepath.Join(dir, "in.ps")
	page := "20 20 moveto 200 300 lineto 30 setlinewidth stroke showpage\n"
	if err := os.WriteFile(in, []byte("%!PS\n"+strings.Repeat(page, 7)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, device := range []string{"pwgraster", "appleraster"} {
		for name, space := range map[string]string{"grey": "18", "colour": "19"} {
			out := filepath.Join(dir, device+space)
			if b, err := exec.Command(gs, "-q", "-dSAFER", "-dNOPAUSE", "-dBATCH", "-r72", "-dcupsBitsPerColor=8", "-dcupsColorSpace="+space,
				"-sDEVICE="+device, "-sOutputFile="+out, in).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, b)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			n, err := count(b)
			if n != 7 || err != nil {
				t.Errorf("%s, %s: %d pages, %v", device, name, n, err)
			}
			var p raster.Page
			rows, dark := 0, 0
			err = raster.First(bytes.NewReader(b), raster.Is(b), func(page raster.Page) error { p = page; return nil }, func(b []byte, times int) {
				rows += times
				if slices.Contains(b[:p.Line/2], 0) {
					dark += times
				}
			})
			want := map[string]raster.Space{"grey": raster.Gray, "colour": raster.RGB}[name]
			if err != nil || rows != p.Height || dark < 200 || dark > 350 || p.Space != want {
				t.Errorf("%s, %s: %+v, %d lines, %d dark, %v", device, name, p, rows, dark, err)
			}
		}
	}
}

func FuzzRaster(f *testing.F) {
	for _, b := range [][]byte{pwg(sheet(), sheet()), raw(2), urf(2, 2), pwg(header(4, 1, 8, 4), []byte{0, 128})} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k := raster.Is(b)
		if k == raster.None {
			return
		}
		n, err := raster.Count(bytes.NewReader(b), k, most)
		if err == nil && (n < 1 || n > most) || err != nil && !errors.Is(err, raster.ErrBroken) && !errors.Is(err, raster.ErrTooMany) {
			t.Errorf("%d pages, %v", n, err)
		}
		var p raster.Page
		rows := 0
		first := raster.First(bytes.NewReader(b), k, func(page raster.Page) error {
			if p = page; p.Height*p.Line > 1<<20 {
				return raster.ErrTooMany // it only takes time
			}
			return nil
		}, func(line []byte, times int) {
			if rows += times; len(line) != p.Line {
				t.Errorf("a line of %d bytes; its page says %d", len(line), p.Line)
			}
		})
		if first == nil && rows != p.Height {
			t.Errorf("%d lines of %d", rows, p.Height)
		}
		if err == nil && first != nil && !errors.Is(first, raster.ErrTooMany) {
			t.Errorf("it is counted, and its first page is not read: %v", first)
		}
	})
}

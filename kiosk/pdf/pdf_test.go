package pdf_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"borne/kiosk/pdf"
	"borne/kiosk/pdf/pdftest"
)

const most = 10000

var errs = map[pdftest.Want]error{pdftest.Broken: pdf.ErrBroken, pdftest.NoPDF: pdf.ErrBroken, pdftest.TooMany: pdf.ErrTooMany, pdftest.Encrypted: pdf.ErrEncrypted}

func count(b []byte) (int, error) { return pdf.Count(bytes.NewReader(b), int64(len(b)), most) }

func TestCorpus(t *testing.T) {
	for _, c := range pdftest.Corpus() {
		t.Run(c.Name, func(t *testing.T) {
			n, err := count(c.Data)
			if c.May && errors.Is(err, pdf.ErrBroken) {
				return
			}
			if c.Want == pdftest.Counted && (err != nil || n != c.Pages) || c.Want != pdftest.Counted && !errors.Is(err, errs[c.Want]) {
				t.Errorf("%d bytes: %d pages, %v; want %d, %q", len(c.Data), n, err, c.Pages, c.Want)
			}
			if is := pdf.Is(c.Data); is != (c.Want != pdftest.NoPDF) {
				t.Errorf("it is a PDF: %v", is)
			}
		})
	}
}

// TestMended says which damage is mended rather than refused.
func TestMended(t *testing.T) {
	mended := 0
	for _, c := range pdftest.Corpus() {
		if n, err := count(c.Data); c.May && err == nil && n == c.Pages {
			mended++
			t.Log("mended:", c.Name)
		}
	}
	if mended < 6 {
		t.Errorf("%d damaged documents were mended, want 6", mended)
	}
}

// TestCut cuts a document everywhere: it never has another number of pages.
func TestCut(t *testing.T) {
	for name, doc := range map[string][]byte{"table": pdftest.Table(pdftest.Flat(5, 5)), "packed": pdftest.Packed(pdftest.Flat(5, 5))} {
		for i := range doc {
			if n, err := count(doc[:i]); err == nil && n != 5 {
				t.Errorf("%s, cut at %d: %d pages", name, i, n)
			}
		}
	}
}

// TestReads shows that a page's content is never read, however long it is.
func TestReads(t *testing.T) {
	o := pdftest.Flat(2, 2)
	o[4] = "<</Length 33554432>>stream\n" + strings.Repeat("x", 32<<20) + "\nendstream"
	b := pdftest.Table(o)
	r := &counting{ReaderAt: bytes.NewReader(b)}
	n, err := pdf.Count(r, int64(len(b)), most)
	if n != 2 || err != nil || r.n > 64<<10 {
		t.Errorf("%d pages, %v, after %d bytes", n, err, r.n)
	}
}

type counting struct {
	io.ReaderAt
	n int
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, at)
	c.n += n
	return n, err
}

func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIP: %s is not installed; run scripts/setup", name)
	}
	return p
}

// TestQPDF reads what a real writer makes of a document.
func TestQPDF(t *testing.T) {
	qpdf := tool(t, "qpdf")
	dir := t.TempDir()
	in := filepath.Join(dir, "in.pdf")
	if err := os.WriteFile(in, pdftest.Table(pdftest.Flat(12, 12)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args string
		err  error
	}{
		{"plain", "", nil},
		{"object streams", "--object-streams=generate", nil},
		{"linearised", "--linearize", nil},
		{"linearised object streams", "--linearize --object-streams=generate", nil},
		{"not compressed", "--stream-data=uncompress --object-streams=disable", nil},
		{"no password, 40 bits", "--allow-weak-crypto --encrypt ,owner,40 -- --object-streams=generate", nil},
		{"no password, RC4", "--allow-weak-crypto --encrypt ,owner,128 -- --object-streams=generate", nil},
		{"no password, AES 128", "--allow-weak-crypto --encrypt ,owner,128,--use-aes=y -- --object-streams=generate", nil},
		{"no password, AES 128, clear metadata", "--allow-weak-crypto --encrypt ,owner,128,--use-aes=y,--cleartext-metadata -- --object-streams=generate", nil},
		{"no password, R5", "--allow-weak-crypto --encrypt ,owner,256,--force-R5 -- --object-streams=generate", nil},
		{"no password, R6", "--encrypt ,owner,256 -- --object-streams=generate", nil},
		{"no password, R6, linearised", "--linearize --encrypt ,owner,256 -- --object-streams=generate", nil},
		{"no password, no object streams", "--encrypt ,owner,256 -- --object-streams=disable", nil},
		{"password, 40 bits", "--allow-weak-crypto --encrypt user,owner,40 -- --object-streams=generate", pdf.ErrEncrypted},
		{"password, RC4", "--allow-weak-crypto --encrypt user,owner,128 --", pdf.ErrEncrypted},
		{"password, AES 128", "--allow-weak-crypto --encrypt user,owner,128,--use-aes=y -- --object-streams=generate", pdf.ErrEncrypted},
		{"password, R5", "--allow-weak-crypto --encrypt user,owner,256,--force-R5 --", pdf.ErrEncrypted},
		{"password, R6", "--encrypt user,owner,256 -- --object-streams=generate", pdf.ErrEncrypted},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(dir, "out.pdf")
			var args []string
			for _, a := range strings.Fields(c.args) {
				args = append(args, strings.Split(a, ",")...) // an empty password is an empty word
			}
			if b, err := exec.Command(qpdf, append(args, in, out)...).CombinedOutput(); err != nil {
				t.Fatalf("qpdf: %v: %s", err, b)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			n, err := count(b)
			if c.err == nil && (n != 12 || err != nil) || !errors.Is(err, c.err) {
				t.Errorf("%d pages, %v; want 12, %v", n, err, c.err)
			}
			// Without its cross-references it is mended, whatever packs it.
			cut := b[:bytes.LastIndex(b, []byte("startxref"))]
			n, err = count(cut)
			if c.err == nil && (n != 12 || err != nil) || !errors.Is(err, c.err) {
				t.Errorf("mended: %d pages, %v; want 12, %v", n, err, c.err)
			}
		})
	}
}

// TestOthersLie shows where tools that believe /Count differ from the tree.
func TestOthersLie(t *testing.T) {
	qpdf, info := tool(t, "qpdf"), tool(t, "pdfinfo")
	agreed, lied := 0, 0
	for _, c := range pdftest.Corpus() {
		if c.Want != pdftest.Counted || c.May || strings.Contains(c.Name, "bomb") || c.Name == "deep" {
			continue
		}
		path := filepath.Join(t.TempDir(), "doc.pdf")
		if err := os.WriteFile(path, c.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		a := number(exec.Command(qpdf, "--show-npages", path), "")
		b := number(exec.Command(info, path), "Pages:")
		n, err := count(c.Data)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if a == n && b == n {
			agreed++
			continue
		}
		lied++
		t.Logf("%s: %d pages; qpdf says %d, pdfinfo %d", c.Name, n, a, b)
		if !strings.HasPrefix(c.Name, "count ") && a == b && a > 0 && c.Name != "page twice" && c.Name != "node twice" {
			t.Errorf("%s: both say %d", c.Name, a)
		}
	}
	if agreed < 10 || lied < 4 {
		t.Errorf("%d agree and %d do not", agreed, lied)
	}
}

// number is what a program says behind word; -1 when it says none.
func number(cmd *exec.Cmd, word string) int {
	out, _ := cmd.Output()
	for line := range strings.Lines(string(out)) {
		if s, ok := strings.CutPrefix(line, word); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
				return n
			}
		}
	}
	return -1
}

func FuzzCount(f *testing.F) {
	for _, c := range pdftest.Corpus() {
		if len(c.Data) < 8<<10 {
			f.Add(c.Data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := pdf.Count(bytes.NewReader(b), int64(len(b)), most)
		if err == nil && (n < 1 || n > most) {
			t.Errorf("%d pages", n)
		}
		if err != nil && !errors.Is(err, pdf.ErrBroken) && !errors.Is(err, pdf.ErrTooMany) && !errors.Is(err, pdf.ErrEncrypted) {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}

func BenchmarkThousand(b *testing.B) {
	doc := pdftest.Table(pdftest.Flat(1000, 1000))
	for b.Loop() {
		count(doc)
	}
}

// TestManyKeys opens documents of many random keys: how often a key of revision 6
// is stirred hangs on the key, and one round too many shows in one of some forty.
func TestManyKeys(t *testing.T) {
	qpdf := tool(t, "qpdf")
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	if err := os.WriteFile(in, pdftest.Table(pdftest.Flat(2, 2)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 150 {
		if b, err := exec.Command(qpdf, "--encrypt", "", "owner", "256", "--", "--object-streams=generate", in, out).CombinedOutput(); err != nil {
			t.Fatalf("qpdf: %v: %s", err, b)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := count(b); n != 2 || err != nil {
			t.Fatalf("%d pages, %v", n, err)
		}
	}
}

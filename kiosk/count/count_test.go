package count

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/pdf/pdftest"
	"borne/kiosk/peer"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
	"borne/kiosk/sealed"

	"golang.org/x/sys/unix"
)

var whys = map[pdftest.Want]printjob.Why{pdftest.Broken: printjob.WhyUnreadable, pdftest.TooMany: printjob.WhyTooMany, pdftest.NoPDF: printjob.WhyFormat}

const maxRSS = 200 << 20

// TestChild gives every document to a child of its own: it answers rightly, and
// stays small.
func TestChild(t *testing.T) {
	for _, c := range pdftest.Corpus() {
		t.Run(c.Name, func(t *testing.T) {
			m := measure(t, c.Data, doCount)
			if m.Err != "" {
				t.Fatalf("the child: %s", m.Err)
			}
			var a answer
			if err := json.Unmarshal(m.Out, &a); err != nil {
				t.Fatalf("%q: %v", m.Out, err)
			}
			t.Logf("%9d bytes: %5d pages %-10s %6.1f ms %4d MB", len(c.Data), a.Pages, a.Why, float64(m.Took.Microseconds())/1000, m.RSS>>20)
			want := answer{Format: printjob.PDF, Pages: c.Pages}
			if c.Want != pdftest.Counted {
				want = refuse(whys[c.Want])
			}
			early := c.May && (a == refuse(printjob.WhyUnreadable) || a == refuse(printjob.WhyFormat))
			if a != want && !early {
				t.Errorf("%+v, want %+v", a, want)
			}
			if m.RSS > maxRSS {
				t.Errorf("the child took %d MB", m.RSS>>20)
			}
		})
	}
}

// TestConfined shows what a child that was taken over cannot do.
func TestConfined(t *testing.T) {
	for kind, last := range map[string]string{"alone": "end", "reader": "end"} {
		cmd := exec.Command("/proc/self/exe", tryRole, kind)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if strings.TrimSpace(string(out)) != last {
			t.Errorf("%s: it may do: %s", kind, out)
		}
		if kind == "alone" && (err == nil || !strings.Contains(said.String(), "out of memory") && !strings.Contains(said.String(), "cannot allocate memory")) {
			t.Errorf("%s: with 300 MB it ended with %v: %.300s", kind, err, said.String())
		}
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); kind == "alone" && ok && u.Maxrss<<10 > maxRSS {
			t.Errorf("it took %d MB", u.Maxrss>>10)
		}
	}
}

func TestCount(t *testing.T) {
	c := counter(t, ChildRole, 0)
	for _, d := range []struct {
		name   string
		data   []byte
		format printjob.Format
		pages  int
		why    printjob.Why
	}{
		{"PDF", pdftest.Table(pdftest.Flat(12, 1)), printjob.PDF, 12, ""},
		{"loop", pdftest.Table(pdftest.Objects{1: "<</Pages 2 0 R>>", 2: "<</Kids[2 0 R]>>"}), "", 0, printjob.WhyUnreadable},
		{"too many", pdftest.Packed(pdftest.Flat(10001, 1)), "", 0, printjob.WhyTooMany},
		{"photo", photoOf(t, 100, 50), printjob.JPEG, 1, ""},
		{"photo that is cut", photoOf(t, 100, 50)[:40], "", 0, printjob.WhyUnreadable},
		{"raster of three that says seven", slices.Concat(urf(20, 10), urf(20, 10)[12:], urf(20, 10)[12:]), printjob.URF, 3, ""},
		{"raster that is cut", urf(20, 10)[:60], "", 0, printjob.WhyUnreadable},
		{"photo that is a PDF too", slices.Concat([]byte("\xff\xd8\xff\xfe\x04\x00"), pdftest.Table(pdftest.Flat(12, 1))), "", 0, printjob.WhyFormat},
		{"raster that is a PDF too", slices.Concat([]byte("UNIRAST\x00\x00\x00\x00\x01"), pdftest.Table(pdftest.Flat(12, 1))), "", 0, printjob.WhyFormat},
		{"text", []byte("hello"), "", 0, printjob.WhyFormat},
		{"empty", nil, "", 0, printjob.WhyFormat},
	} {
		t.Run(d.name, func(t *testing.T) {
			f := memory(t, d.data)
			if _, err := f.Seek(3, io.SeekStart); err != nil { // where the press may be in it
				t.Fatal(err)
			}
			format, n, err := c.Count(t.Context(), f)
			if why := whyOf(err); format != d.format || n != d.pages || why != d.why {
				t.Errorf("%q, %d, %v; want %q, %d, %q", format, n, err, d.format, d.pages, d.why)
			}
			if at, _ := f.Seek(0, io.SeekCurrent); at != 3 {
				t.Errorf("the press's place in the document moved to %d", at)
			}
		})
	}
}

func whyOf(err error) printjob.Why {
	var f *printjob.Failure
	if errors.As(err, &f) {
		return f.Why
	}
	return ""
}

// TestEncrypted has qpdf lock a document.
func TestEncrypted(t *testing.T) {
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		t.Skip("SKIP: qpdf is not installed; run scripts/setup")
	}
	c := counter(t, ChildRole, 0)
	in, out := filepath.Join(t.TempDir(), "in.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	if err := os.WriteFile(in, pdftest.Table(pdftest.Flat(7, 7)), 0o600); err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]string{"": "application/pdf 7 ", "secret": " 0 encrypted"} {
		if b, err := exec.Command(qpdf, "--encrypt", password, "owner", "256", "--", "--object-streams=generate", in, out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		format, n, err := c.Count(t.Context(), memory(t, b))
		if got := fmt.Sprintf("%s %d %s", format, n, whyOf(err)); got != want {
			t.Errorf("password %q: %q, want %q", password, got, want)
		}
	}
}

// TestChildFails shows that a child that hangs, crashes or talks without end
// costs one document, and not the counter.
func TestChildFails(t *testing.T) {
	doc := pdftest.Table(pdftest.Flat(1, 1))
	for _, role := range []string{hangRole, crashRole, talkRole} {
		c := counter(t, role, 500*time.Millisecond)
		for range 2 {
			if _, _, err := c.Count(t.Context(), memory(t, doc)); whyOf(err) != printjob.WhyUnreadable {
				t.Errorf("%s: %v", role, err)
			}
			if _, err := c.Render(t.Context(), memory(t, doc), 1, 10, 10); whyOf(err) != printjob.WhyUnreadable {
				t.Errorf("%s: %v", role, err)
			}
		}
	}
}

func TestUnsealed(t *testing.T) {
	c := counter(t, ChildRole, 0)
	doc := pdftest.Table(pdftest.Flat(1, 1))
	path := filepath.Join(t.TempDir(), "doc.pdf")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd, err := unix.MemfdCreate("x", unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	open := os.NewFile(uintptr(fd), "x")
	defer open.Close()
	open.Write(doc)
	if _, err := unix.FcntlInt(open.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*os.File{"a file": file, "memory that can be written": open} {
		if _, _, err := c.Count(t.Context(), f); whyOf(err) != printjob.WhyUnreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := sealed.Seal(open); err != nil {
		t.Fatal(err)
	}
	if _, n, err := c.Count(t.Context(), open); n != 1 || err != nil {
		t.Errorf("sealed: %d, %v", n, err)
	}
}

// TestFull asks for more than may wait while a child hangs.
func TestFull(t *testing.T) {
	c := counter(t, hangRole, time.Second)
	doc := pdftest.Table(pdftest.Flat(1, 1))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	got := make(chan printjob.Why, 1+maxWaiting+2)
	for range cap(got) {
		f := memory(t, doc)
		all.Go(func() {
			_, _, err := c.Count(ctx, f)
			got <- whyOf(err)
		})
	}
	full := 0
	for range cap(got) {
		if <-got == printjob.WhyFull {
			if full++; full == 2 {
				stop() // the others need not be waited for
			}
		}
	}
	all.Wait()
	if full != 2 {
		t.Errorf("%d were turned away, want 2", full)
	}
}

// TestUsers lets only the press in: another user's document, made by that user,
// is counted when allowed.
func TestUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: only root can be somebody else")
	}
	dir, err := os.MkdirTemp("", "counter")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, doc, socket := filepath.Join(dir, "self"), filepath.Join(dir, "doc"), filepath.Join(dir, "sock")
	me, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string][]byte{self: me, doc: pdftest.Table(pdftest.Flat(3, 3))} {
		if err := os.WriteFile(path, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := Listen(socket, peer.UIDs{From: 40001, To: 40001}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, Config{Self: []string{self, ChildRole}}) }()
	for uid, want := range map[uint32]string{40001: "application/pdf3 <nil>", 40002: "0 cannot count"} {
		cmd := exec.Command(self, askRole, socket, doc)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if !strings.HasPrefix(strings.TrimSpace(string(out)), want) || err != nil {
			t.Errorf("user %d: %q, %v; want %q", uid, out, err, want)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNothingLeft counts descriptors and goroutines' work after the end.
func TestNothingLeft(t *testing.T) {
	before := descriptors(t)
	t.Run("use", func(t *testing.T) {
		c := counter(t, ChildRole, 0)
		for range 5 {
			f := memory(t, pdftest.Table(pdftest.Flat(1, 1)))
			if _, n, err := c.Count(t.Context(), f); n != 1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
	})
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, and %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestFrames(t *testing.T) {
	for _, r := range []request{{Page: -1}, {Page: 1}, {Page: 1, Width: 5000, Height: 1}, {Width: 3}, {Page: 1, Width: 4000, Height: 4000}, {Page: 10001, Width: 1, Height: 1}} {
		if r.valid() {
			t.Errorf("%+v is valid", r)
		}
	}
	for _, a := range []answer{{}, {Pages: 3}, {Format: printjob.PDF}, {Format: "x", Pages: 1}, {Format: printjob.PDF, Pages: 10001}, {Why: "rejected"}, {Format: printjob.PDF, Pages: 1, Why: "full"}} {
		if a.counted() || a.refused() {
			t.Errorf("%+v means something", a)
		}
	}
	var r request
	if err := decode(bytes.Repeat([]byte(" "), maxFrame+1), &r); !errors.Is(err, sandbox.ErrFrame) {
		t.Error(err)
	}
}

// FuzzFrame reads what the other side may say.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{`{}`, `{"page":1,"width":300,"height":300}`, `{"format":"application/pdf","pages":12}`, `{"why":"encrypted"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r request
		if err := decode(b, &r); err == nil && r.valid() && r.Page > 0 {
			if n := pictureSize(r); n < 64 || n > 3*maxArea+64 {
				t.Errorf("%+v: a picture of %d bytes", r, n)
			}
		}
		var a answer
		if err := decode(b, &a); err != nil {
			return
		}
		if a.counted() && a.refused() {
			t.Errorf("%+v is counted and refused", a)
		}
		if a.counted() && (a.Pages < 1 || a.Pages > printjob.MaxPages) {
			t.Errorf("%+v is counted", a)
		}
		var f *printjob.Failure
		if err := said(a); !errors.As(err, &f) || f.Why == "" {
			t.Errorf("%+v says nothing: %v", a, err)
		}
	})
}

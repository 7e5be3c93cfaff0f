package ipp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"borne/kiosk/count"
	"borne/kiosk/peer"
	"borne/kiosk/press"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// suites of ipptool; each includes the one before.
var suites = []string{"ipp-1.1.test", "ipp-2.0.test", "ipp-everywhere.test"}

// enough is how many checks of ipp-everywhere must have passed: were most of
// them skipped, nothing would fail.
const enough = 144

func TestMain(m *testing.M) {
	if count.IsChild(os.Args) {
		os.Exit(count.ChildMain(os.Args, os.Stderr))
	}
	os.Exit(m.Run())
}

// counter serves the real one, with children of this very program.
func counter(t testing.TB) printjob.Counter {
	t.Helper()
	path := filepath.Join(t.TempDir(), "count.sock")
	ln, err := count.Listen(path, peer.UIDs{From: os.Getuid(), To: os.Getuid()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- count.Serve(ctx, ln, count.Config{Self: []string{"/proc/self/exe", count.ChildRole}}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return count.Dial(path)
}

// stand is the session's printer with a real one behind it.
// change wraps what it answers.
func stand(t testing.TB, change func(http.Handler) http.Handler) (uri string, real *printertest.Printer) {
	t.Helper()
	real, err := printertest.Start(printertest.Options{Duplex: true, Colour: true, Formats: "application/pdf,image/jpeg,image/pwg-raster"})
	if errors.Is(err, printertest.ErrMissing) {
		t.Skipf("SKIP: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { real.Close() })
	ln, err := press.ListenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := press.New(press.Config{Host: ln.Addr().String(), Counter: counter(t), MaxWaiting: 200})
	agent, theirs, err := sandbox.Pair()
	if err != nil {
		t.Fatal(err)
	}
	channel, err := sandbox.FromFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	go func() { ended <- press.Approve(ctx, agent, real.URI()) }()
	go func() { ended <- p.Attach(ctx, channel) }()
	go func() {
		if change == nil {
			ended <- p.Serve(ctx, ln)
			return
		}
		srv := &http.Server{Handler: change(p.Handler()), ReadHeaderTimeout: time.Minute}
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			ended <- err
			return
		}
		ended <- nil
	}()
	t.Cleanup(func() {
		cancel()
		for range 3 {
			// A suite that is over at once may find somebody who still asks the printer.
			if err := <-ended; err != nil && !errors.Is(err, sandbox.ErrClosed) && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		p.Close()
	})
	return "ipp://" + ln.Addr().String() + "/printers/borne", real
}

var mark = regexp.MustCompile(`\[(PASS|FAIL|SKIP)\]`)

// run runs a suite and counts its marks: its exit status tells nothing where a
// suite includes another.
func run(t testing.TB, dir, uri, suite string) (counts map[string]int, report string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ipptool", "-tI", "-T", "30", "-V", "2.0", "-f", filepath.Join(dir, "document-a4.pdf"), uri, filepath.Join(dir, suite))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	counts = map[string]int{}
	for _, m := range mark.FindAllSubmatch(out, -1) {
		counts[string(m[1])]++
	}
	return counts, string(out)
}

// failures are the parts of a report about what failed.
func failures(report string) string {
	var b strings.Builder
	shown := false
	for line := range strings.Lines(report) {
		if m := mark.FindString(line); m != "" {
			shown = m == "[FAIL]"
		}
		if shown {
			b.WriteString(line)
		}
	}
	return b.String()
}

func needs(t testing.TB) {
	if _, err := exec.LookPath("ipptool"); err != nil {
		t.Skip("SKIP: ipptool is missing; run scripts/setup")
	}
}

// TestSuites is make ipp.
func TestSuites(t *testing.T) {
	t.Parallel()
	needs(t)
	dir := t.TempDir()
	samples(t, dir)
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			t.Parallel() // each with printers of its own: ipptool waits more than it works
			uri, real := stand(t, nil)
			began := time.Now()
			counts, report := run(t, dir, uri, suite)
			fmt.Printf("%-20s %3d PASS  %d FAIL  %3d SKIP  %.1f s\n", suite, counts["PASS"], counts["FAIL"], counts["SKIP"], time.Since(began).Seconds())
			if counts["FAIL"] > 0 || counts["PASS"] == 0 {
				t.Errorf("%s", failures(report))
			}
			if suite == "ipp-everywhere.test" && counts["PASS"] < enough {
				t.Errorf("%d checks passed, want at least %d", counts["PASS"], enough)
			}
			if real.Jobs() == 0 {
				t.Error("nothing arrived at the real printer")
			}
		})
	}
}

// TestItCanFail takes one attribute out of every answer: the suite must see it.
func TestItCanFail(t *testing.T) {
	t.Parallel()
	needs(t)
	dir := t.TempDir()
	samples(t, dir)
	uri, _ := stand(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			w.Write(bytes.ReplaceAll(rec.Body.Bytes(), []byte("queued-job-count"), []byte("queued-job-tnuoc")))
		})
	})
	counts, report := run(t, dir, uri, "ipp-1.1.test")
	if counts["FAIL"] == 0 || !strings.Contains(failures(report), "queued-job-count") {
		t.Errorf("%d failures without queued-job-count: %s", counts["FAIL"], failures(report))
	}
}

package press

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// TestPPD has CUPS look at the description of every kind of printer.
func TestPPD(t *testing.T) {
	poor := printjob.Printer{Accepting: true, Formats: []printjob.Format{printjob.PDF}, Copies: 1}
	for name, c := range map[string]struct {
		can          printjob.Printer
		holds, lacks []string
	}{
		"able":    {able, []string{"*DefaultPageSize: A4", "DuplexNoTumble", "ColorModel RGB", "*DefaultColorModel: Gray"}, nil},
		"poor":    {poor, []string{"*DefaultPageSize: A4", "*ColorDevice: False"}, []string{"Duplex", "RGB"}},
		"unknown": {printjob.Printer{}, []string{"*DefaultPageSize: A4"}, []string{"Duplex", "RGB"}},
	} {
		ppd := string(ppdOf(c.can))
		for _, s := range c.holds {
			if !strings.Contains(ppd, s) {
				t.Errorf("%s: no %q", name, s)
			}
		}
		for _, s := range c.lacks {
			if strings.Contains(ppd, s) {
				t.Errorf("%s: %q", name, s)
			}
		}
		tool, err := exec.LookPath("cupstestppd")
		if err != nil {
			t.Log("SKIP: cupstestppd is missing; run scripts/setup")
			continue
		}
		cmd := exec.Command(tool, "-")
		cmd.Stdin = strings.NewReader(ppd)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// What a browser fetches beside IPP.
func TestFiles(t *testing.T) {
	r := newRig(t, Config{})
	r.attach(able)
	for path, kind := range map[string]string{"/printers/borne.ppd": "application/vnd.cups-ppd", "/icon.png": "image/png", "/": "text/plain; charset=utf-8"} {
		resp, err := r.program.Get("http://localhost" + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != kind || len(b) == 0 {
			t.Errorf("%s: %s, %s, %d bytes, %v", path, resp.Status, resp.Header.Get("Content-Type"), len(b), err)
		}
	}
}

// A program of CUPS's prints, as any would: over CUPS_SERVER.
func TestLP(t *testing.T) {
	lp, err := exec.LookPath("lp")
	if err != nil {
		t.Skip("SKIP: lp is missing; run scripts/setup")
	}
	r := newRig(t, Config{})
	r.attach(able)
	document := filepath.Join(t.TempDir(), "secret-title.pdf")
	if err := os.WriteFile(document, []byte(threePages), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "CUPS_SERVER="+r.path, "LC_ALL=C.UTF-8", "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	run(lp, "-d", queue, "-n", "2", "-o", "Duplex=DuplexNoTumble", "-o", "ColorModel=RGB", "-o", "page-ranges=1-2", "-o", "number-up=2", "-o", "media=A4", document)
	f := r.heard()
	if f.Offer == nil {
		t.Fatalf("%+v", f)
	}
	if got := f.Offer.Ticket; got.Copies != 2 || got.Duplex != printjob.LongEdge || !got.Colour || got.NumberUp != 2 || len(got.Pages) != 1 || got.Pages[0].To != 2 {
		t.Errorf("%+v", got)
	}
	if stat, err := exec.LookPath("lpstat"); err == nil {
		if out := run(stat, "-o"); !strings.Contains(out, queue+"-1") || strings.Contains(out, "secret") {
			t.Errorf("lpstat says %q", out)
		}
	}
	run("cancel", queue+"-1")
	if f := r.heard(); f.Withdrawn == nil || f.Withdrawn.Job != 1 {
		t.Errorf("%+v", f)
	}
}

// Nothing that a person or a program calls a document is told to anybody.
func TestNoTitle(t *testing.T) {
	r := newRig(t, Config{})
	r.attach(able)
	m := ask(goipp.OpPrintJob, ipp.Name("job-name", "secret-title"), ipp.Name("document-name", "secret-title"))
	answers := []*goipp.Message{r.want(goipp.StatusOk, m, threePages), r.post(ask(goipp.OpGetJobs, ipp.Keyword("requested-attributes", "all")), "")}
	_, _, a := r.job(1)
	answers = append(answers, &goipp.Message{Job: a})
	for _, m := range answers {
		if bytes.Contains(bytesOf(t, m), []byte("secret")) {
			t.Errorf("it is told: %v", m)
		}
	}
	b, err := printjob.Encode(r.heard())
	if err != nil || bytes.Contains(b, []byte("secret")) {
		t.Errorf("the agent hears %s, %v", b, err)
	}
}

// paintings notes what it is to show.
type paintings struct{ shown chan string }

func (p paintings) Show(_ context.Context, f *os.File, _ int, s printjob.Show) (int, error) {
	if f == nil {
		p.shown <- "away"
		return 0, nil
	}
	b := make([]byte, 4)
	f.ReadAt(b, 0)
	p.shown <- string(b)
	if s.Width == 0 {
		return 0, errors.New("no room")
	}
	return 2, nil
}

func TestShow(t *testing.T) {
	shown := make(chan string, 8)
	r := newRig(t, Config{Viewer: paintings{shown}})
	r.attach(able)
	r.offer(threePages)
	for _, c := range []struct {
		show       printjob.Show
		seen       string
		job, pages int
	}{
		{printjob.Show{Job: 1, Width: 800, Height: 600}, "%PDF", 1, 2},
		{printjob.Show{Job: 1}, "%PDF", 1, 0}, // it fails
		{printjob.Show{}, "away", 0, 0},
		{printjob.Show{Job: 5, Width: 800}, "", 5, 0}, // there is none
	} {
		r.order(printjob.ToPress{Show: &c.show})
		if c.seen != "" {
			if s := <-shown; s != c.seen {
				t.Errorf("%+v: %q is shown", c.show, s)
			}
		}
		if c.job > 0 {
			if f := r.heard(); f.Shown == nil || f.Shown.Job != c.job || f.Shown.Pages != c.pages {
				t.Errorf("%+v: %+v", c.show, f)
			}
		}
	}
}

package e2e

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/kiosk/printer/printertest"
	"borne/scripts/internet"
	"borne/scripts/scan"
	"borne/scripts/stand"
)

// sides is how many pages the letter has.
const sides = 20

// letter is to be printed; its title and every page hold a marker.
type letter struct {
	marker  string
	once    sync.Once
	seen    chan struct{}
	printed chan struct{} // the print dialog was asked for
}

func (l *letter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch r.URL.Path {
	case "/pret":
		l.once.Do(func() { close(l.seen) })
	case "/imprime":
		select {
		case l.printed <- struct{}{}:
		default:
		}
	default:
		more := ""
		for i := 2; i <= sides; i++ {
			more += fmt.Sprintf("<section><h2>Vos droits, suite</h2><p>Page %d du dossier %s.</p></section>", i, l.marker)
		}
		fmt.Fprintf(w, `<!doctype html><html lang="fr"><title>Attestation %[1]s</title><style>section { break-after: page; font-size: 20px } section:last-of-type { break-after: auto }</style>
<section><h1>Attestation de quotient familial</h1><p>Dossier %[1]s</p><p>Ceci est la première page.</p></section>%[2]s
<script>onbeforeprint = () => fetch("/imprime", {keepalive: true})
requestAnimationFrame(() => requestAnimationFrame(() => fetch("/pret")))</script>`, l.marker, more)
	}
}

// job is a print job as the console's API tells it.
type job struct {
	Job, State, Reason         string
	Asked, Impressions, Sheets int
	Reserved, Charged          int
	Duplex, Colour, Estimated  bool
}

// jobs waits for that many that are over, newest first.
func (h *hall) jobs(n int) []job {
	h.t.Helper()
	for {
		var page struct{ Jobs []job }
		err := h.console.Call(h.ctx, "GET", "/api/terminals/"+terminal+"/prints", nil, &page) // a controller that was killed comes back
		if err == nil && len(page.Jobs) >= n {
			return page.Jobs
		}
		select {
		case <-h.ctx.Done():
			h.t.Fatalf("%d jobs are told, want %d (%v); the log ends:\n%s", len(page.Jobs), n, err, h.log.tail(30))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func printStage(to string) *regexp.Regexp {
	return regexp.MustCompile(`msg=print .*\bto=(` + to + `)\b`)
}

// TestAPersonPrints: the browser's own print dialog, the question with the first
// pages beside it, paper out of a real printer, and nothing left of the document.
func TestAPersonPrints(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	h := newHall(t, ctx)
	printer, err := printertest.Start(printertest.Options{Duplex: true, Colour: true})
	if errors.Is(err, printertest.ErrMissing) {
		t.Skipf("SKIP: %v", err)
	}
	must(t, err)
	defer printer.Close()

	web, err := internet.Number(3).Up(ctx, "demarche.test")
	must(t, err)
	t.Cleanup(web.Down)
	ca, cert, err := internet.Certificate("demarche.test", "*.demarche.test")
	must(t, err)
	page := &letter{marker: letters(24), seen: make(chan struct{}), printed: make(chan struct{}, 1)}
	must(t, web.ServeTLS(443, cert, page))
	h.up(stand.Options{Printer: printer.URI()})
	h.policy(func(p map[string]any) {
		section(p, "network")["ca"] = []string{string(ca)}
		section(p, "access")["anyBadge"] = true
		section(p, "printing")["pagesPerSession"] = 30
		section(p, "portal")["tiles"] = []any{map[string]any{"name": "Mon attestation", "url": "https://www.demarche.test/", "hint": "Un essai", "icon": "paper"}}
	}, "network", "access", "portal", "printing")
	link, err := h.stand.LoginLink(ctx)
	must(t, err)
	h.person.open("console", link)
	h.person.expect("console", "Collège Raoul Blanchard")
	h.stands("welcome", 20*time.Second)
	h.reach("charter", "Enter")
	h.reach("active", "Enter")
	began := time.Now()
	h.picture("print-session")
	keys, err := h.stand.Keyboard()
	must(t, err)
	must(t, keys.Press("Tab", "Return"))
	h.wait(page.seen, "the session's browser did not reach the page")

	// 1. Print, as anybody would. Enter is the dialog's own button.
	h.dialog(keys, page)
	h.picture("print-dialog")
	from := h.log.mark()
	seen := h.onScreen()
	asked := h.press(keys, from, printStage("offered"))
	t.Logf("from the dialog's button to a document of %d pages received and counted: %s; to the question on the screen: %s (a picture every 30 ms or so)",
		sides, asked.Round(time.Millisecond), (<-seen).Sub(h.pressed).Round(time.Millisecond))
	h.found(from, regexp.MustCompile(`msg="first pages" .*painted=4`))
	h.picture("print-question")

	// 2. Yes. Three sides come out, and three are charged.
	from = h.log.mark()
	h.yes(from)
	h.found(from, printStage("over"))
	h.picture("print-done")
	var want []string
	for i := range sides {
		want = append(want, fmt.Sprintf("1 %d", i+1))
	}
	if out := printer.Output(1); out.End != "printed" || !slices.Equal(out.Sides, want) {
		t.Errorf("the printer put out %+v, want %v", out, want)
	}
	if j := h.jobs(1)[0]; j.State != "settled" || j.Asked != sides || j.Impressions != sides || j.Sheets != sides/2 || j.Reserved != 100*sides || j.Charged != 100*sides || !j.Duplex || j.Colour || j.Estimated {
		t.Errorf("the ledger says %+v", j)
	}
	if printer.Jobs() != 1 {
		t.Errorf("the printer began %d jobs", printer.Jobs())
	}

	// 3. Once more, and nobody answers: the question stands when the end comes. No
	// part of the document is left, printed or not, nor its title.
	h.dialog(keys, page)
	from = h.log.mark()
	h.press(keys, from, printStage("offered"))
	h.found(from, regexp.MustCompile(`msg="first pages" .*painted=4`))
	if held, err := scan.Memory(ctx, page.marker); err != nil || !slices.ContainsFunc(held.Hits, inPress) {
		t.Errorf("the press does not hold the document: its absence would prove nothing (%v, %v)", held.Hits, err)
	}
	from = h.log.mark()
	h.api("POST", "/api/terminals/"+terminal+"/commands", map[string]string{"kind": "end", "reason": "essai"}, nil)
	h.phase(from, "thanks", 60*time.Second)
	if j := h.jobs(2)[0]; j.State != "refunded" || j.Charged != 0 || printer.Jobs() != 1 {
		t.Errorf("what nobody decided is %+v, and the printer has %d jobs", j, printer.Jobs())
	}
	h.picture("print-thanks")
	h.receipt()
	h.person.open("console", h.stand.ConsoleURL+"/#/terminals/"+terminal)
	h.person.expect("console", "Impressions de ce poste")
	h.person.shot("console", h.shots+"/console-prints.png")
	h.person.leave()
	if log := printer.Log(); strings.Contains(log, page.marker) {
		t.Error("the printer's log holds the document's title")
	}
	must(t, printer.Close()) // its memory and spool are not ours to wipe
	files, err := scan.Files(ctx, page.marker, began.Add(-time.Minute), "/")
	must(t, err)
	memory, err := scan.Memory(ctx, page.marker)
	must(t, err)
	for _, hit := range append(files.Hits, memory.Hits...) {
		t.Errorf("a part of the document is still in %s", hit)
	}
	t.Logf("searched %d files and %d processes", files.Looked, memory.Looked)
}

// inPress tells whether a hit is in the press's memory.
func inPress(hit scan.Hit) bool { return strings.Contains(fmt.Sprint(hit), "(borne-kiosk)") }

func (h *hall) wait(c <-chan struct{}, otherwise string) {
	h.t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		h.picture("failed")
		h.t.Fatalf("%s; the log ends:\n%s", otherwise, h.log.tail(30))
	}
}

// yes answers the question, whose page takes no key at once: it may have been
// meant for the page before.
func (h *hall) yes(from int) {
	h.t.Helper()
	for range 8 {
		h.person.key("Enter")
		if _, ok := h.log.find(from, printStage("submitting"), 2*time.Second); ok {
			return
		}
	}
	h.picture("failed")
	h.t.Fatalf("the document is not sent; the log ends:\n%s", h.log.tail(30))
}

// found waits for a line of the log.
func (h *hall) found(from int, re *regexp.Regexp) {
	h.t.Helper()
	if _, ok := h.log.find(from, re, 30*time.Second); !ok {
		h.picture("failed")
		h.t.Fatalf("the log does not tell %s; it ends:\n%s", re, h.log.tail(30))
	}
}

// dialog opens the browser's print dialog.
func (h *hall) dialog(keys *stand.Keyboard, page *letter) {
	h.t.Helper()
	must(h.t, keys.Press("ctrl+p"))
	h.wait(page.printed, "the print dialog was not asked for")
}

// press presses Return in the dialog until the log tells what is waited for: a
// dialog that is just opening may miss it, as it would miss a person's.
func (h *hall) press(keys *stand.Keyboard, from int, re *regexp.Regexp) time.Duration {
	h.t.Helper()
	for range 8 {
		h.pressed = time.Now()
		must(h.t, keys.Press("Return"))
		if _, ok := h.log.find(from, re, 4*time.Second); ok {
			return time.Since(h.pressed)
		}
	}
	h.picture("failed")
	h.t.Fatalf("nothing was printed; the log ends:\n%s", h.log.tail(30))
	return 0
}

// onScreen tells when the shell's page covers the session's bar.
func (h *hall) onScreen() <-chan time.Time {
	out := make(chan time.Time, 1)
	dark := func() bool {
		r, err := http.Get(h.stand.BenchURL + "/sim/screen.png")
		if err != nil {
			return true
		}
		defer r.Body.Close()
		m, err := png.Decode(r.Body)
		if err != nil {
			return true
		}
		red, _, _, _ := m.At(40, 4).RGBA()
		return red < 0x8000
	}
	if !dark() {
		h.t.Error("the bar is not dark: this measures nothing")
	}
	go func() {
		for end := time.Now().Add(time.Minute); dark() && time.Now().Before(end); {
		}
		out <- time.Now()
	}()
	return out
}

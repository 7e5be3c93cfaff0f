// Package e2e plays a person at a real terminal, from tap to clean: the two
// binaries, real Chromium, a real X server, a web of the test's own, and then
// a search of the whole machine for what the person typed.
package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/scripts/internet"
	"borne/scripts/scan"
	"borne/scripts/stand"
)

const (
	terminal = "demo-blanchard-hall-1"
	space    = "demo-blanchard-hall"
	place    = "demo-blanchard"
	width    = 1280
	height   = 800
)

// form is the démarche: a page with one field, and what was sent to it.
type form struct {
	mu   sync.Mutex
	sent []string
	got  chan struct{}
	seen chan struct{}
	once sync.Once

	extra string // in the form's page
}

func (f *form) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Method == http.MethodPost {
		f.mu.Lock()
		f.sent = append(f.sent, r.PostFormValue("nom"))
		f.mu.Unlock()
		select {
		case f.got <- struct{}{}:
		default:
		}
		// What sites do with an answer: keep it in every place a browser has.
		fmt.Fprintf(w, `<!doctype html><title>Merci</title><h1>Merci, %[1]s</h1><script>
localStorage.setItem("nom", %[2]q); document.cookie = "nom=" + %[2]q + "; max-age=86400";
caches.open("c").then(c => c.put("/x", new Response(%[2]q)));
indexedDB.open("d", 1).onupgradeneeded = e => e.target.result.createObjectStore("s").put(%[2]q, 1)</script>`, r.PostFormValue("nom"), r.PostFormValue("nom"))
		return
	}
	if r.URL.Path == "/pret" {
		f.once.Do(func() { close(f.seen) })
		return
	}
	fmt.Fprintf(w, `<!doctype html><html lang="fr"><title>Demande</title><h1>Votre demande</h1><form method="post" action="/envoi">
<label>Nom <input name="nom" autofocus></label><button>Envoyer</button></form>
%s<script>const ready = () => requestAnimationFrame(() => requestAnimationFrame(() => fetch("/pret")));
if (document.hasFocus()) ready(); else addEventListener("focus", ready, {once: true})</script>`, f.extra)
}

func TestFromTapToClean(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	h := newHall(t, ctx)

	// A site that a list refuses, though it is there.
	refused := letters(20)
	web, err := internet.Number(3).Up(ctx, "demarche.test", refused+".test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.Down)
	ca, cert, err := internet.Certificate("demarche.test", "*.demarche.test")
	if err != nil {
		t.Fatal(err)
	}
	page := &form{got: make(chan struct{}, 1), seen: make(chan struct{})}
	for i := range refusals {
		page.extra += fmt.Sprintf(`<img alt="" src="https://image%d.%s.test/x.png">`, i, refused)
	}
	if err := web.ServeTLS(443, cert, page); err != nil {
		t.Fatal(err)
	}

	school := &gate{}
	if err := web.Serve(gatePort, school); err != nil {
		t.Fatal(err)
	}

	h.up(stand.Options{})
	// The console as its staff see it, in a second login of its own.
	link, err := h.stand.LoginLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.person.open("console", link)
	h.person.expect("console", "Collège Raoul Blanchard")

	h.lists(filepath.Join(h.dir, "blacklists"), "adult", refused+".test")
	h.policy(func(p map[string]any) {
		section(p, "filter")["categories"] = []any{map[string]any{"name": "adult", "digest": ""}}
		network := section(p, "network")
		network["ca"] = []string{string(ca)}
		network["pac"], network["proxies"] = pac("demarche.test"), []string{fmt.Sprintf("%s:%d", internet.Number(3).Web, gatePort)}
		network["reasons"] = []any{map[string]any{"of": network["pac"], "why": "filtre de l’établissement"}}
		access := section(p, "access")
		access["badgeRequired"], access["anyBadge"] = true, true
		portal := section(p, "portal")
		form := map[string]any{"name": "Demande d’aide", "url": "https://www.demarche.test/", "hint": "Le formulaire de cet essai", "icon": "paper"}
		portal["tiles"] = append([]any{form}, portal["tiles"].([]any)[:5]...)
	}, "network", "access", "portal", "filter")
	if _, ok := h.log.find(0, regexp.MustCompile(`msg="list ready" .*category=adult`), 20*time.Second); !ok {
		t.Fatalf("the terminal did not fetch its list; the log ends:\n%s", h.log.tail(20))
	}
	if _, ok := h.log.find(0, regexp.MustCompile(`msg="policy applied" .*version=([3-9]|\d\d)`), 20*time.Second); !ok {
		t.Fatalf("the terminal did not apply the rules; the log ends:\n%s", h.log.tail(20))
	}
	h.stands("welcome", 20*time.Second) // closed in between or not: the list may be there before the rules that name it
	h.picture("terminal-welcome")

	// 1. A badge on the reader, then the charter.
	from := h.log.mark()
	h.person.press("bench", "[data-tap]")
	h.phase(from, "charter", 20*time.Second)
	h.picture("terminal-charter")
	h.reach("active", "Enter")
	began := time.Now()

	if !strings.Contains(h.log.tail(1<<20), "the browser takes every key of the rules") {
		t.Error("the running browser was not asked what it makes of the rules")
	}

	// 2. A démarche in the session's browser, with real key presses.
	h.picture("terminal-session")
	keys, err := h.stand.Keyboard()
	if err != nil {
		t.Fatal(err)
	}
	press := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	press(keys.Press("Tab", "Return")) // the portal's first tile
	select {
	case <-page.seen:
	case <-time.After(20 * time.Second):
		h.picture("failed")
		t.Fatalf("the session's browser did not reach the form; log:\n%s", h.log.tail(20))
	}
	if !school.saw("www.demarche.test:443") {
		t.Error("the form was not reached through the proxy that the PAC file names")
	}
	h.picture("terminal-refused")
	marker := letters(24)
	press(keys.Type(marker))
	press(keys.Press("24")) // the key right of Tab: "a" on AZERTY, "q" elsewhere
	press(keys.Press("Return"))
	select {
	case <-page.got:
	case <-time.After(15 * time.Second):
		h.picture("failed")
		t.Fatalf("the form was not sent; log:\n%s", h.log.tail(20))
	}
	page.mu.Lock()
	sent := slices.Clone(page.sent)
	page.mu.Unlock()
	if !slices.Equal(sent, []string{marker + "a"}) {
		h.picture("failed")
		t.Fatalf("the form was sent %q, want %q: what was typed, on an AZERTY keyboard", sent, marker+"a")
	}
	h.picture("terminal-form")

	// The search can find: while the session lives, the marker is in memory.
	before, err := scan.Memory(ctx, marker)
	if err != nil || len(before.Hits) == 0 {
		t.Fatalf("the marker is not in the living session's memory: the search proves nothing (%d processes, %v)", before.Looked, err)
	}

	// 3. The person ends it from the bar, which asks once.
	from = h.log.mark()
	h.person.click(1186, 36)
	h.person.click(1186, 36)
	h.phase(from, "thanks", 60*time.Second)
	h.picture("terminal-thanks")

	// 4. The controller has verified the receipt.
	h.receipt()
	h.certificate()
	h.refusals(place, "adult", refusals)
	h.person.open("console", h.stand.ConsoleURL+"/")
	h.person.expect("console", "Collège Raoul Blanchard")
	h.person.shot("console", filepath.Join(h.shots, "console-fleet.png"))
	h.person.leave()

	// 5. The marker is nowhere: not in files written since, not in living memory.
	files, err := scan.Files(ctx, marker, began.Add(-time.Minute), "/")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := scan.Memory(ctx, marker) // but this test's own: it chose the marker, and was the web server
	if err != nil {
		t.Fatal(err)
	}
	// Nor is the name of the site that was refused, but for the list's own text.
	must(t, os.RemoveAll(filepath.Join(h.dir, "blacklists")))
	for _, where := range []func() (scan.Result, error){
		func() (scan.Result, error) { return scan.Files(ctx, "image0."+refused, began.Add(-time.Minute), "/") },
		func() (scan.Result, error) { return scan.Memory(ctx, "image0."+refused) },
	} {
		found, err := where()
		must(t, err)
		for _, hit := range found.Hits {
			t.Errorf("the name of a site that was refused is still in %s", hit)
		}
	}
	for _, hit := range append(files.Hits, memory.Hits...) {
		t.Errorf("what the person typed is still in %s", hit)
	}
	if files.Looked == 0 || memory.Looked < 5 {
		t.Errorf("looked at %d files and %d processes: too few to prove anything", files.Looked, memory.Looked)
	}
	t.Logf("searched %d files (%d MB) changed since, and %d processes (%d MB): %d hits before the end, 0 after; could not read %d files",
		files.Looked, files.Bytes>>20, memory.Looked, memory.Bytes>>20, len(before.Hits), len(files.Skipped))
}

// refusals is how many refused sites the form's page asks for: fewer than five
// of a category are not told.
const refusals = 6

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// letters returns n random lower-case letters: the same keys on every layout's
// letters, so that what is typed is what arrives.
func letters(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = 'b' + b[i]%10 // b…k: where AZERTY and QWERTY agree
	}
	return string(b)
}

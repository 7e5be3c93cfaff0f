// Package e2e plays a person at a real terminal, from tap to clean: the two
// binaries, real Chromium, a real X server, a web of the test's own, and then
// a search of the whole machine for what the person typed.
package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
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
	width    = 1280
	height   = 800
)

// journal keeps the log of both programs and lets the test wait for a line.
type journal struct {
	mu    sync.Mutex
	lines []string
	rest  []byte
	grown chan struct{}
}

func newJournal() *journal { return &journal{grown: make(chan struct{})} }

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rest = append(j.rest, b...)
	for {
		i := bytes.IndexByte(j.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		j.lines = append(j.lines, string(j.rest[:i]))
		j.rest = j.rest[i+1:]
		close(j.grown)
		j.grown = make(chan struct{})
	}
}

func (j *journal) mark() int { j.mu.Lock(); defer j.mu.Unlock(); return len(j.lines) }

// find waits until a line from the mark on matches, or the time is up.
func (j *journal) find(from int, re *regexp.Regexp, within time.Duration) (string, bool) {
	end := time.After(within)
	for {
		j.mu.Lock()
		i := slices.IndexFunc(j.lines[min(from, len(j.lines)):], re.MatchString)
		grown := j.grown
		var line string
		if i >= 0 {
			line = j.lines[from+i]
		}
		j.mu.Unlock()
		if i >= 0 {
			return line, true
		}
		select {
		case <-grown:
		case <-end:
			return "", false
		}
	}
}

func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}

// hall is everything the test plays in.
type hall struct {
	t      *testing.T
	ctx    context.Context
	log    *journal
	stand  *stand.Stand
	person *person
	http   *http.Client
	dir    string
	shots  string
	last   []byte // picture
}

func (h *hall) phase(from int, name string, within time.Duration) {
	h.t.Helper()
	re := regexp.MustCompile(`msg=phase .*\bto=` + name + `\b`)
	if _, ok := h.log.find(from, re, within); !ok {
		h.t.Fatalf("the terminal did not come to %q; its log ends:\n%s", name, h.log.tail(25))
	}
}

// reach presses a key until the phase is there: a page that is just being
// painted may miss a press, as it would miss a person's.
func (h *hall) reach(name, key string) {
	h.t.Helper()
	from := h.log.mark()
	re := regexp.MustCompile(`msg=phase .*\bto=` + name + `\b`)
	for range 10 {
		h.person.key(key)
		if _, ok := h.log.find(from, re, 2*time.Second); ok {
			return
		}
	}
	h.t.Fatalf("pressing %s did not lead to %q; the log ends:\n%s", key, name, h.log.tail(25))
}

// api calls the console's API as the logged-in administrator.
func (h *hall) api(method, path string, body, out any, header ...string) {
	h.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			h.t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(h.ctx, method, h.stand.ConsoleURL+path, in)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", h.stand.ConsoleURL)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := h.http.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil || r.StatusCode >= 300 {
		h.t.Fatalf("%s %s: %s: %s %v", method, path, r.Status, b, err)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			h.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
}

func (h *hall) login() {
	h.t.Helper()
	link, err := h.stand.LoginLink(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	_, token, _ := strings.Cut(link, "#login=")
	h.api("POST", "/api/login/link", map[string]string{"token": token}, nil)
}

// picture keeps what the terminal shows, for people and for the README: once
// it differs from the picture before and stands still, or moves for good.
func (h *hall) picture(name string) {
	h.t.Helper()
	var last []byte
	for range 25 {
		b := h.screen()
		if bytes.Equal(b, last) && !bytes.Equal(b, h.last) {
			break
		}
		last = b
	}
	h.last = last
	if err := os.WriteFile(filepath.Join(h.shots, name+".png"), last, 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) screen() []byte {
	h.t.Helper()
	r, err := h.http.Get(h.stand.BenchURL + "/sim/screen.png")
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) {
		h.t.Fatalf("cannot take a picture of the terminal: %s %v", r.Status, err)
	}
	return b
}

// policy changes the space's rules as a correspondant would, and waits until
// the terminal obeys.
func (h *hall) policy(change func(p map[string]any), sections ...string) {
	h.t.Helper()
	var v struct {
		Rev    uint64
		Own    []string
		Policy map[string]any
	}
	h.api("GET", "/api/spaces/"+space+"/policy", nil, &v)
	change(v.Policy)
	own := slices.Compact(slices.Sorted(slices.Values(append(v.Own, sections...))))
	from := h.log.mark()
	h.api("PUT", "/api/spaces/"+space+"/policy", map[string]any{"own": own, "policy": v.Policy}, nil, "If-Match", fmt.Sprintf(`"%d"`, v.Rev))
	if _, ok := h.log.find(from, regexp.MustCompile(`msg="policy applied"`), 20*time.Second); !ok {
		h.t.Fatalf("the terminal did not apply the policy:\n%s", h.log.tail(20))
	}
}

func section(p map[string]any, name string) map[string]any { return p[name].(map[string]any) }

// form is the démarche: a page with one field, and what was sent to it.
type form struct {
	mu   sync.Mutex
	sent []string
	got  chan struct{}
	seen chan struct{}
	once sync.Once
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
	fmt.Fprint(w, `<!doctype html><html lang="fr"><title>Demande</title><h1>Votre demande</h1><form method="post" action="/envoi">
<label>Nom <input name="nom" autofocus></label><button>Envoyer</button></form>
<script>const ready = () => requestAnimationFrame(() => requestAnimationFrame(() => fetch("/pret")));
if (document.hasFocus()) ready(); else addEventListener("focus", ready, {once: true})</script>`)
}

func TestFromTapToClean(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a terminal's sandboxes need root")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(root, "bin")
	for _, name := range []string{"borne-kiosk", "borne-controller"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Fatalf("%v: run make build first", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("/var/tmp", "borne-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	shots := os.Getenv("BORNE_PICTURES")
	if shots == "" {
		shots = filepath.Join(root, "out", "e2e")
	} else if !filepath.IsAbs(shots) {
		shots = filepath.Join(root, shots)
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}

	web, err := internet.Up(ctx, "demarche.test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.Down)
	ca, cert, err := internet.Certificate("demarche.test", "*.demarche.test")
	if err != nil {
		t.Fatal(err)
	}
	page := &form{got: make(chan struct{}, 1), seen: make(chan struct{})}
	if err := web.ServeTLS(443, cert, page); err != nil {
		t.Fatal(err)
	}

	jar, _ := cookiejar.New(nil)
	h := &hall{t: t, ctx: ctx, log: newJournal(), http: &http.Client{Jar: jar, Timeout: 20 * time.Second}, dir: dir, shots: shots}
	h.stand, err = stand.Up(ctx, stand.Options{Dir: dir, Bin: bin, Resolver: internet.Resolver, Display: "xvfb", UIDBase: 63000, Net: "10.213.63.0/24", Log: h.log})
	t.Cleanup(h.stand.Down)
	if err != nil {
		t.Fatalf("%v\n%s", err, h.log.tail(40))
	}
	h.person = newPerson(t, root)
	h.person.open("view", h.stand.BenchURL+"/view.html")
	h.person.open("bench", h.stand.BenchURL+"/bench.html")
	h.login()
	h.phase(0, "welcome", 60*time.Second)
	// The console as its staff see it, in a second login of its own.
	link, err := h.stand.LoginLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.person.open("console", link)
	h.person.expect("console", "Collège Raoul Blanchard")

	h.policy(func(p map[string]any) {
		section(p, "network")["ca"] = []string{string(ca)}
		access := section(p, "access")
		access["badgeRequired"], access["anyBadge"] = true, true
		portal := section(p, "portal")
		form := map[string]any{"name": "Demande d’aide", "url": "https://www.demarche.test/", "hint": "Le formulaire de cet essai", "icon": "paper"}
		portal["tiles"] = append([]any{form}, portal["tiles"].([]any)[:5]...)
	}, "network", "access", "portal")
	h.picture("terminal-welcome")

	// 1. A badge on the reader, then the charter.
	from := h.log.mark()
	h.person.press("bench", "[data-tap]")
	h.phase(from, "charter", 20*time.Second)
	h.picture("terminal-charter")
	h.reach("active", "Enter")
	began := time.Now()

	// 2. A démarche in the session's browser, with real key presses.
	h.picture("terminal-session")
	keys := h.keyboard()
	keys.press("Tab", "Return") // the portal's first tile
	select {
	case <-page.seen:
	case <-time.After(20 * time.Second):
		h.picture("failed")
		t.Fatalf("the session's browser did not reach the form; log:\n%s", h.log.tail(20))
	}
	marker := letters(24)
	keys.typed(marker)
	keys.press("24") // the key right of Tab: "a" on AZERTY, "q" elsewhere
	keys.press("Return")
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
	h.person.open("console", h.stand.ConsoleURL+"/")
	h.person.expect("console", "Collège Raoul Blanchard")
	h.person.shot("console", filepath.Join(shots, "console-fleet.png"))
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
	for _, hit := range append(files.Hits, memory.Hits...) {
		t.Errorf("what the person typed is still in %s", hit)
	}
	if files.Looked == 0 || memory.Looked < 5 {
		t.Errorf("looked at %d files and %d processes: too few to prove anything", files.Looked, memory.Looked)
	}
	t.Logf("searched %d files (%d MB) changed since, and %d processes (%d MB): %d hits before the end, 0 after; could not read %d files",
		files.Looked, files.Bytes>>20, memory.Looked, memory.Bytes>>20, len(before.Hits), len(files.Skipped))
}

// check is one line of a receipt.
type check struct {
	Name, Result  string
	Before, After int
}

// receipt waits for the accepted receipt of the one session and checks what it states.
func (h *hall) receipt() {
	h.t.Helper()
	var list struct {
		Receipts []struct{ ID, Verdict, Level, Kind string }
	}
	for {
		h.api("GET", "/api/terminals/"+terminal+"/receipts", nil, &list)
		if len(list.Receipts) > 0 {
			break
		}
		select {
		case <-h.ctx.Done():
			h.t.Fatal("no receipt reached the controller")
		case <-time.After(100 * time.Millisecond):
		}
	}
	if r := list.Receipts[0]; r.Verdict != "accepted" || r.Kind != "session" {
		h.t.Fatalf("the receipt is %+v, want an accepted session's", r)
	}
	var one struct {
		Props []struct {
			Name string
			Held bool
		}
		Checks []check
	}
	h.api("GET", "/api/receipts/"+list.Receipts[0].ID, nil, &one)
	// A session that ended by its button leaves no check open.
	for _, name := range []string{"processes", "mounts", "uid-files", "fresh-files", "ipc", "netns", "canary-file", "canary-clipboard", "canary-env", "canary-web"} {
		i := slices.IndexFunc(one.Checks, func(c check) bool { return c.Name == name })
		if i < 0 || one.Checks[i].Result != "clean" || one.Checks[i].Before == 0 || one.Checks[i].After != 0 {
			h.t.Errorf("check %s is not a clean one that found something before: %+v", name, one.Checks)
		}
	}
	for _, c := range one.Checks {
		h.t.Logf("check %-18s %-12s %d → %d", c.Name, c.Result, c.Before, c.After)
	}
	for _, p := range one.Props {
		if !p.Held {
			h.t.Logf("REDUCED: %s does not hold on this machine", p.Name)
		}
	}
	h.t.Logf("isolation %s, %d properties, %d checks", list.Receipts[0].Level, len(one.Props), len(one.Checks))
	h.person.open("console", h.stand.ConsoleURL+"/#/terminals/"+terminal)
	h.person.expect("console", "Poste 1")
	h.person.shot("console", filepath.Join(h.shots, "console-terminal.png"))
	h.person.open("console", h.stand.ConsoleURL+"/#/receipts/"+list.Receipts[0].ID)
	h.person.expect("console", "Isolement complet")
	h.person.shot("console", filepath.Join(h.shots, "console-receipt.png"))
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

package e2e

import (
	"bytes"
	"context"
	"io"
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
	"borne/scripts/stand"
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

// last gives the latest line that matches.
func (j *journal) last(re *regexp.Regexp) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range slices.Backward(j.lines) {
		if re.MatchString(line) {
			return line
		}
	}
	return ""
}

func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}

// hall is everything the test plays in.
type hall struct {
	t       *testing.T
	ctx     context.Context
	log     *journal
	stand   *stand.Stand
	person  *person
	console *stand.Console
	root    string // of the project
	dir     string // of the stand
	shots   string
	last    []byte    // picture
	pressed time.Time // the print dialog's button
}

// newHall makes the folders; up starts what stands in it.
func newHall(t *testing.T, ctx context.Context) *hall {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a terminal's sandboxes need root")
	}
	root, err := filepath.Abs("../..")
	must(t, err)
	dir, err := os.MkdirTemp("/var/tmp", "borne-e2e-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	shots := os.Getenv("BORNE_PICTURES")
	if shots == "" {
		shots = filepath.Join(root, "out", "e2e")
	} else if !filepath.IsAbs(shots) {
		shots = filepath.Join(root, shots)
	}
	must(t, os.MkdirAll(shots, 0o755))
	return &hall{t: t, ctx: ctx, log: newJournal(), root: root, dir: dir, shots: shots}
}

// up starts a controller and a terminal, and a person in front of both.
func (h *hall) up(o stand.Options) {
	h.t.Helper()
	o.Dir, o.Bin = h.dir, closed(h.t, filepath.Join(h.root, "bin"), "borne-kiosk", "borne-controller")
	o.Resolver, o.Display, o.UIDBase, o.Net, o.Log = internet.Number(3).Resolver, "xvfb", 63000, "10.213.63.0/24", h.log
	var err error
	h.stand, err = stand.Up(h.ctx, o)
	h.t.Cleanup(h.stand.Down)
	if err != nil {
		h.t.Fatalf("%v\n%s", err, h.log.tail(40))
	}
	h.person = newPerson(h.t, h.root)
	h.person.open("view", h.stand.BenchURL+"/view.html")
	h.person.open("bench", h.stand.BenchURL+"/bench.html")
	h.console, err = h.stand.Login(h.ctx)
	must(h.t, err)
	h.phase(0, "welcome", 60*time.Second)
}

// closed copies programs into a folder that root alone may enter, as a clone
// below /root is: no role may need a way to its own binary.
func closed(t *testing.T, from string, names ...string) string {
	dir := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatalf("%v: run make build first", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (h *hall) phase(from int, name string, within time.Duration) {
	h.t.Helper()
	re := regexp.MustCompile(`msg=phase .*\bto=` + name + `\b`)
	if _, ok := h.log.find(from, re, within); !ok {
		h.t.Fatalf("the terminal did not come to %q; its log ends:\n%s", name, h.log.tail(25))
	}
}

// stands waits until the terminal is in a phase, however it came there.
func (h *hall) stands(name string, within time.Duration) {
	h.t.Helper()
	any := regexp.MustCompile(`msg=phase `)
	want := regexp.MustCompile(`\bto=` + name + `\b`)
	for end := time.Now().Add(within); ; {
		from := h.log.mark()
		if want.MatchString(h.log.last(any)) {
			return
		}
		if _, ok := h.log.find(from, any, time.Until(end)); !ok {
			h.t.Fatalf("the terminal is not in %q; its log ends:\n%s", name, h.log.tail(25))
		}
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
func (h *hall) api(method, path string, body, out any) {
	h.t.Helper()
	if err := h.console.Call(h.ctx, method, path, body, out); err != nil {
		h.t.Fatal(err)
	}
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
	r, err := http.Get(h.stand.BenchURL + "/sim/screen.png")
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
	from := h.log.mark()
	if err := h.console.ChangePolicy(h.ctx, space, change, sections...); err != nil {
		h.t.Fatal(err)
	}
	if _, ok := h.log.find(from, regexp.MustCompile(`msg="policy applied"`), 20*time.Second); !ok {
		h.t.Fatalf("the terminal did not apply the policy:\n%s", h.log.tail(20))
	}
}

func section(p map[string]any, name string) map[string]any { return p[name].(map[string]any) }

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
	for _, name := range []string{"processes", "mounts", "uid-files", "fresh-files", "ipc", "netns", "canary-file", "canary-clipboard", "canary-env", "canary-print", "canary-web"} {
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

// certificate is the month's, made and printed as the DPO does it.
func (h *hall) certificate() {
	h.t.Helper()
	h.person.open("console", h.stand.ConsoleURL+"/#/sites/"+place+"/certificate")
	h.person.expect("console", "Un document à imprimer")
	h.person.do(step{"do": "select", "page": "console", "selector": "select", "index": 0}) // this month
	h.person.press("console", "[data-certify]")
	for _, says := range []string{"Attestation mensuelle d’effacement", "Exemple seulement", "Chaque session de ce mois a été suivie d’un effacement complet", "moins de 5", "Aucun écart"} {
		h.person.expect("console", says)
	}
	h.person.do(step{"do": "print", "page": "console", "most": 3})
	h.person.shot("console", filepath.Join(h.shots, "console-certificate.png"))
}

// lists imports a category list from a folder, as the controller's administrator.
func (h *hall) lists(dir, category string, names ...string) {
	h.t.Helper()
	must(h.t, os.MkdirAll(filepath.Join(dir, category), 0o755))
	must(h.t, os.WriteFile(filepath.Join(dir, category, "domains"), []byte(strings.Join(names, "\n")+"\n"), 0o600))
	out, err := h.stand.Controller(h.ctx, "lists", "import", dir)
	if err != nil || !strings.Contains(out, category) {
		h.t.Fatalf("%s, %v", out, err)
	}
}

// refusals waits until the site's figures tell of refused sites of a category.
func (h *hall) refusals(site, category string, want int) {
	h.t.Helper()
	var r struct {
		Week struct{ Filtered map[string]int }
	}
	for {
		h.api("GET", "/api/sites/"+site+"/report", nil, &r)
		if r.Week.Filtered[category] > 0 {
			break
		}
		select {
		case <-h.ctx.Done():
			h.t.Fatal("no refused site is told")
		case <-time.After(100 * time.Millisecond):
		}
	}
	if got := r.Week.Filtered[category]; got != want {
		h.t.Errorf("%d sites of %s refused, want %d", got, category, want)
	}
}

package escape

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/scripts/internet"
	"borne/scripts/stand"
)

const (
	terminal = "demo-blanchard-hall-1"
	space    = "demo-blanchard-hall"
	uidBase  = 64000
	bar      = 72 // height of the shell's bar, in pixels
)

// hall is a terminal with its controller, a hostile web around it, and a hand
// on its keyboard.
type hall struct {
	t        testing.TB
	ctx      context.Context
	log      *journal
	stand    *stand.Stand
	web      *internet.Net
	trap     *trap
	canaries *canaries
	removed  []guard // by this run
	patience time.Duration
	spoil    func(h *hall) error // takes guards away from a session that has just begun
	outer    *screen
	inner    *screen
	init     int // PID 1 of the session's sandbox, in our namespace
	env      []string
	console  *stand.Console
}

// without tells whether this run took g away.
func (h *hall) without(g guard) bool { return slices.Contains(h.removed, g) }

// newHall starts everything; the session is not open yet.
func newHall(t testing.TB, ctx context.Context, bin string, removed ...guard) *hall {
	t.Helper()
	h := &hall{t: t, ctx: ctx, log: newJournal(), trap: newTrap(), removed: removed, patience: 300 * time.Millisecond}
	if len(removed) > 0 {
		h.patience = 4 * time.Second
	}
	var err error
	if h.web, err = internet.Up(ctx, names()...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.web.Down)
	ca, cert, err := internet.Certificate("piege.test", "*.piege.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.serve(cert); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "borne-escape-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h.stand, err = stand.Up(ctx, stand.Options{Dir: dir, Bin: bin, Resolver: internet.Resolver, Display: "xvfb", UIDBase: uidBase,
		Net: "10.213.64.0/24", Log: h.log})
	t.Cleanup(h.stand.Down)
	if err != nil {
		t.Fatalf("%v\n%s", err, h.log.tail(30))
	}
	if h.console, err = h.stand.Login(ctx); err != nil {
		t.Fatal(err)
	}
	h.phase(0, "welcome", 60*time.Second)
	from := h.log.mark()
	err = h.console.ChangePolicy(ctx, space, func(p map[string]any) {
		section := func(name string) map[string]any { return p[name].(map[string]any) }
		section("network")["ca"] = []string{string(ca)}
		section("access")["badgeRequired"] = false
		section("session")["thanksSeconds"] = 3
		section("session")["minutes"], section("session")["maxMinutes"] = 120, 120
		section("permits")["receiptWithin"] = 200
		section("isolation")["memoryMb"], section("isolation")["maxProcs"] = 1500, 400
		for name, value := range map[string]any{"downloads": true, "uploads": true, "popups": true} {
			section("web")[name] = value
		}
	}, "network", "access", "session", "permits", "isolation", "web")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := h.log.find(from, regexp.MustCompile(`msg="policy applied"`), 20*time.Second); !ok {
		t.Fatalf("the terminal did not apply the policy:\n%s", h.log.tail(20))
	}
	h.findOuter()
	return h
}

func (h *hall) serve(cert tls.Certificate) error {
	if err := h.web.Serve(80, h.trap); err != nil {
		return err
	}
	if err := h.web.ServeTLS(443, cert, h.trap); err != nil {
		return err
	}
	var err error
	h.canaries, err = newCanaries(h.web)
	h.t.Cleanup(h.canaries.close)
	return err
}

func phaseLine(name string) *regexp.Regexp {
	return regexp.MustCompile(`msg=phase .*\bto=` + name + `\b`)
}

func (h *hall) phase(from int, name string, within time.Duration) {
	h.t.Helper()
	if _, ok := h.log.find(from, phaseLine(name), within); !ok {
		h.t.Fatalf("the terminal did not come to %q; its log ends:\n%s", name, h.log.tail(25))
	}
}

// now is the phase that the terminal is in.
func (h *hall) now() string {
	line, _ := h.log.last(regexp.MustCompile(`msg=phase `))
	_, to, _ := strings.Cut(line, " to=")
	to, _, _ = strings.Cut(to, " ")
	return to
}

// begin opens a session with real key presses, unless one is open.
func (h *hall) begin() {
	if h.now() == "active" && h.inner != nil && alive(h.init) {
		return
	}
	if h.inner != nil {
		h.inner.close()
		h.inner = nil
	}
	end := time.Now().Add(90 * time.Second)
	for h.now() == "active" && h.init != 0 && !alive(h.init) && time.Now().Before(end) {
		h.log.find(h.log.mark(), phaseLine("[a-zA-Z]+"), 100*time.Millisecond) // its end is being told
	}
	for h.now() != "active" {
		if time.Now().After(end) {
			panic(failure{fmt.Errorf("no session opens; the log ends:\n%s", h.log.tail(25))})
		}
		from := h.log.mark()
		switch h.now() {
		case "welcome", "charter":
			h.press("Return") // a page that is just being painted misses it, as a person's
		}
		h.log.find(from, regexp.MustCompile(`msg=phase `), 700*time.Millisecond)
	}
	if err := h.findInner(); err != nil {
		panic(failure{err})
	}
	if h.spoil != nil {
		if err := h.spoil(h); err != nil {
			panic(failure{err})
		}
	}
}

// ready begins a session if none is open, and ends one that a row left in disorder.
func (h *hall) ready() {
	h.begin()
	for range 4 {
		if len(h.strangers()) == 0 && h.title() != "" {
			return
		}
		h.press("Escape")
		time.Sleep(50 * time.Millisecond)
	}
	h.crash()
	h.begin()
}

// crash ends the session as a crash of its first process would.
func (h *hall) crash() {
	from := h.log.mark()
	syscall.Kill(h.init, syscall.SIGKILL)
	if _, ok := h.log.find(from, phaseLine("(welcome|broken|thanks)"), 60*time.Second); !ok {
		panic(failure{fmt.Errorf("the session did not end; the log ends:\n%s", h.log.tail(25))})
	}
}

// strangers are the windows beside the browser's own.
func (h *hall) strangers() []window {
	all := h.inner.clients()
	kept := all[:0:0]
	browsers := 0
	for _, w := range all {
		if w.depth > 0 && strings.Contains(strings.ToLower(w.class), "chromium") && w.w >= h.inner.w-2 {
			if browsers++; browsers == 1 {
				continue
			}
		}
		kept = append(kept, w)
	}
	return kept
}

// press presses keys on the outer display, in the session's layout when one is
// open: "ctrl+w" is the key that the session's browser reads as w.
func (h *hall) press(chords ...string) {
	args := []string{"key", "--delay", "15"}
	for _, chord := range chords {
		args = append(args, h.codes(chord))
	}
	h.xdotool("", args...)
}

func (h *hall) codes(chord string) string {
	at := strings.LastIndexByte(chord, '+') + 1
	if last := chord[at:]; len(last) == 1 && h.inner != nil {
		return chord[:at] + h.inner.key(rune(last[0]))
	}
	return chord
}

// typed presses the keys of a text. Single letters that matter to nobody are on
// the command line: no secret is typed here.
func (h *hall) typed(text string) {
	args := []string{"key", "--delay", "6"}
	for _, c := range text {
		args = append(args, h.inner.key(c))
	}
	h.xdotool("", args...)
}

func (h *hall) xdotool(stdin string, args ...string) string {
	c := exec.CommandContext(h.ctx, "xdotool", args...)
	c.Env, c.Stdin = h.env, strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		panic(failure{fmt.Errorf("cannot press a key: xdotool %s: %w: %s", args[0], err, out)})
	}
	return string(out)
}

// address types an address into the browser's address bar.
func (h *hall) address(text string) {
	h.press("Escape", "ctrl+l")
	h.typed(text)
	h.press("Return")
}

// open loads a hostile page of its own into the tab in front, and waits until
// it is painted and has the keyboard. It returns the page's id.
func (a *attempt) open(script string) string { return a.openAt("https://piege.test/", script) }

// openAt is open on another of the site's names.
func (a *attempt) openAt(site, script string) string {
	id := a.trap.page(script)
	for try := range 4 {
		switch try {
		case 1, 3:
			a.press("Escape", "ctrl+t")
		case 2: // what the attempt before left in front keeps the keyboard
			a.crash()
			a.begin()
		}
		a.address(site + id)
		if _, ok := a.trap.wait(id, "ready", 4*time.Second); ok {
			return id
		}
	}
	a.fail("the session's browser does not reach the hostile page; windows %v; the log ends:\n%s", a.inner.clients(), a.log.tail(10))
	return ""
}

// answers tells whether the page still has the keyboard: all that was pressed
// before has then been seen by the display and the browser.
func (a *attempt) answers(id string, within time.Duration) bool {
	before, _ := a.trap.heard(id, "x")
	a.press("x")
	_, ok := a.trap.until(within, func() (string, bool) {
		v, _ := a.trap.heard(id, "x")
		return v, v != before
	})
	return ok
}

// eventually looks again until there is something, or patience ends.
func (a *attempt) eventually(look func() string) string {
	end := time.Now().Add(a.patience)
	for {
		if saw := look(); saw != "" || time.Now().After(end) {
			return saw
		}
		time.Sleep(40 * time.Millisecond)
	}
}

// stays tells what took the page's place: a window, or the keyboard gone.
func (a *attempt) stays(id string) string {
	lost := !a.answers(id, 2*time.Second+a.patience)
	saw := a.eventually(func() string {
		if w := a.strangers(); len(w) > 0 {
			return fmt.Sprintf("windows %v", w)
		}
		if v, ok := a.trap.heard(id, "size"); ok {
			return "the page was made smaller: " + v
		}
		return ""
	})
	if saw == "" && !alive(a.init) {
		return "the session's sandbox ended"
	}
	if saw == "" && lost {
		saw = fmt.Sprintf("the page lost the keyboard; in front: %q", a.title())
	}
	return saw
}

// title is that of the browser's window, which is the tab's in front.
func (h *hall) title() string {
	title := ""
	for _, w := range h.inner.clients() {
		if strings.Contains(strings.ToLower(w.class), "chromium") {
			title = w.title
		}
	}
	return title
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d/ns/pid", pid))
	return err == nil
}

// root is the session's file tree as seen from outside.
func (h *hall) root(path string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", h.init), path)
}

// picture keeps what the terminal shows in the folder that ESCAPE_PICTURES names.
func (h *hall) picture(name string) {
	if dir := os.Getenv("ESCAPE_PICTURES"); dir != "" {
		h.outer.picture(filepath.Join(dir, regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-")+".png"))
	}
}

// levels ends the session, and gives the isolation that the receipts of the run
// state: "full", or the first other one.
func (h *hall) levels() string {
	if h.now() == "active" {
		h.endWithin(20 * time.Second)
	}
	var list struct {
		Receipts []struct{ Level, Kind string }
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err := h.console.Call(h.ctx, "GET", "/api/terminals/"+terminal+"/receipts", nil, &list); err != nil || len(list.Receipts) > 0 {
			break
		}
	}
	level := ""
	for _, r := range list.Receipts {
		if r.Kind == "session" && (level == "" || r.Level != "full") {
			level = r.Level
		}
	}
	return level
}

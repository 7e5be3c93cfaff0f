package escape

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jezek/xgb/xproto"
)

// click presses the mouse at a point of the terminal's screen.
func (h *hall) click(x, y int) {
	h.xdotool("", "mousemove", fmt.Sprint(x), fmt.Sprint(y), "click", "1")
}

// endWithin ends the session by the bar's button, which asks once.
func (h *hall) endWithin(limit time.Duration) bool {
	from := h.log.mark()
	end := time.Now().Add(limit)
	for time.Now().Before(end) {
		h.click(1186, 36)
		h.click(1186, 36)
		if _, ok := h.log.find(from, regexp.MustCompile(`msg=phase .*from=active`), 1500*time.Millisecond); ok {
			_, ok = h.log.find(from, phaseLine("(thanks|welcome|broken)"), 40*time.Second) // broken: the proof found something
			return ok
		}
	}
	return false
}

func (a *attempt) end() {
	if !a.endWithin(20 * time.Second) {
		a.fail("the session does not end; the log ends:\n%s", a.log.tail(12))
	}
}

// chromium finds a browser's processes below a sandbox's first process.
func browserBelow(init int, kind string) int {
	all := processes()
	for _, pid := range descendants(init) {
		i := slices.IndexFunc(all, func(p process) bool { return p.pid == pid })
		// The browser's helpers (crash handler, sandbox) lie in the same folder.
		if i < 0 || !strings.HasSuffix(strings.Fields(all[i].argv[0] + " ")[0], "/chromium") {
			continue
		}
		line := strings.Join(all[i].argv, " ") // those that the zygote forks have one argument
		if kind == "" && !strings.Contains(line, "--type=") || kind != "" && strings.Contains(line, "--type="+kind) {
			return pid
		}
	}
	return 0
}

// endRows end the browser: the shell must be there, never an empty display.
func endRows() []row {
	return []row{
		{"ends", "the browser is killed", "the session's browser dies", "a person is left before neither browser nor shell", by(revival), func(a *attempt) string {
			pid := browserBelow(a.init, "")
			if pid == 0 {
				a.fail("the session's browser is not found")
			}
			from := a.log.mark()
			syscall.Kill(pid, syscall.SIGKILL)
			return a.leftAlone(from)
		}},
	}
}

// shellRows are tried on the welcome screen: the shell itself is in front.
func shellRows() []row {
	pressed := func(key string, guards ...guard) row {
		return row{"shell", key, "a person presses " + key + " on the welcome screen", "a window comes, the shell goes, or its picture changes", guards, func(a *attempt) string {
			a.welcome()
			a.still()
			before, picture := a.shellWindows(), a.outer.sample()
			a.press(key)
			return a.eventually(func() string {
				if now := a.shellWindows(); now != before {
					return fmt.Sprintf("%s became %s", before, now)
				}
				if !alike(picture, a.outer.sample()) {
					return "the screen shows something else"
				}
				return ""
			})
		}}
	}
	revived := func(name, kind string) row {
		return row{"shell", name, name, "the shell is not back", by(revival), func(a *attempt) string {
			if a.without(revival) && !strings.Contains(a.shellWindows(), "borne-shell") {
				return "it is not back since the attempt before"
			}
			a.welcome()
			a.still()
			before, window := a.outer.sample(), a.shellWindow()
			init := a.shellInit()
			began := time.Now()
			killed := 0
			for pid := browserBelow(init, kind); pid != 0 && killed < 8; pid = browserBelow(init, kind) {
				if syscall.Kill(pid, syscall.SIGKILL) == nil {
					killed++
				}
				for alive(pid) && time.Since(began) < 5*time.Second {
					time.Sleep(time.Millisecond)
				}
				if kind == "" {
					break
				}
			}
			if killed == 0 {
				a.fail("the shell's process is not found")
			}
			// Gone from the screen first, then back on it. A browser that is back
			// between two looks has another window.
			gone := false
			for time.Since(began) < 20*time.Second {
				same, now := alike(before, a.outer.sample()), a.shellWindow()
				if gone = gone || !same || now != window; gone && same && now != 0 {
					a.hall.t.Logf("%s: its screen is back after %d ms", name, time.Since(began).Milliseconds())
					return ""
				}
				time.Sleep(5 * time.Millisecond)
			}
			if !gone {
				a.fail("the screen never changed: nothing was killed (%d signals, %s)", killed, a.shellWindows())
			}
			return "it is not back after 20 s"
		}}
	}
	return []row{
		pressed("ctrl+n", grabs), pressed("ctrl+shift+n", grabs), pressed("ctrl+t", grabs), pressed("ctrl+w", grabs), pressed("ctrl+shift+w", grabs),
		pressed("alt+F4", grabs), pressed("ctrl+o", grabs), pressed("ctrl+shift+q", grabs), pressed("F1", grabs),
		pressed("ctrl+p", grabs, shellPolicy), pressed("ctrl+shift+i", grabs, shellPolicy), pressed("F12", grabs, shellPolicy),
		revived("the shell's renderer is killed", "renderer"),
		revived("the shell's browser is killed", ""),
	}
}

// welcome brings the terminal to its welcome screen.
func (a *attempt) welcome() {
	if a.inner != nil {
		if a.now() == "active" {
			a.end()
		}
		a.inner.close()
		a.inner = nil
	}
	for end := time.Now().Add(60 * time.Second); a.now() != "welcome"; {
		if time.Now().After(end) {
			a.fail("the terminal does not come to its welcome screen; the log ends:\n%s", a.log.tail(12))
		}
		if a.now() == "charter" {
			a.press("Escape")
		}
		a.log.find(a.log.mark(), phaseLine("welcome"), 200*time.Millisecond)
	}
	for end := time.Now().Add(20 * time.Second); !strings.Contains(a.shellWindows(), "borne-shell"); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			a.fail("the shell has no window: %s", a.shellWindows())
		}
	}
}

// shellWindows describes what the outer display shows.
func (a *attempt) shellWindows() string {
	var all []string
	for _, w := range a.outer.windows() {
		if w.depth == 0 && w.w > 4 && w.h > 4 {
			all = append(all, w.String())
		}
	}
	return strings.Join(all, "; ")
}

// shellWindow is the id of the window that the shell shows itself in, or 0.
func (a *attempt) shellWindow() xproto.Window {
	for _, w := range a.outer.windows() {
		if w.depth == 0 && w.w > 4 && w.h > 4 && strings.Contains(w.class, "borne-shell") {
			return w.id
		}
	}
	return 0
}

// shellInit is PID 1 of the shell's sandbox.
func (a *attempt) shellInit() int {
	_, warden := a.stand.Pids()
	ours := descendants(warden) // other terminals may run on the machine
	for _, p := range running("sandbox-init") {
		if slices.Contains(ours, p.pid) && sameLink(fmt.Sprintf("/proc/%d/ns/net", p.pid), fmt.Sprintf("/proc/%d/ns/net", warden)) && browserBelow(p.pid, "") != 0 {
			return p.pid
		}
	}
	return 0
}

// still waits until the screen does not change any more.
func (a *attempt) still() {
	end := time.Now().Add(10 * time.Second)
	for before := a.outer.sample(); time.Now().Before(end); {
		time.Sleep(250 * time.Millisecond)
		now := a.outer.sample()
		if alike(before, now) && a.outer.colours() > 2 {
			return
		}
		before = now
	}
}

// alike tells whether two pictures differ in few points: a clock may go on.
func alike(a, b []byte) bool {
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	differ := 0
	for i := range a {
		if a[i] != b[i] {
			differ++
		}
	}
	return differ*50 < len(a)
}

// shellAbove tells whether the shell is what a person sees: its window fills
// the screen, and the session's is taken away.
func (h *hall) shellAbove() bool {
	shell := false
	for _, w := range h.outer.windows() {
		if w.depth > 0 || w.w < 4 || w.h < 4 {
			continue
		}
		shell = strings.Contains(w.class, "borne-shell") && w.w == h.outer.w && w.h == h.outer.h
	}
	return shell // the last one is the highest
}

package escape

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lost tells whether something took the keyboard from the page or another
// window came, after a key press that made the page act.
func (a *attempt) acts(script string) string {
	id := a.open(script)
	a.press("Return")
	return a.stays(id)
}

// printRows print from the page: no printer is offered here.
func printRows() []row {
	return []row{
		{"printing", "ctrl+p", "a person presses ctrl+p", "the preview, with Save as PDF", by(policy), func(a *attempt) string {
			id := a.open("")
			a.press("ctrl+p")
			return a.stays(id)
		}},
		{"printing", "window.print()", "a page prints itself", "the preview, with Save as PDF", by(policy), func(a *attempt) string {
			return a.acts(`press(() => print());`)
		}},
		{"printing", "a frame that prints", "a page prints a frame of its own", "the preview, with Save as PDF", by(policy), func(a *attempt) string {
			return a.acts(`const f = document.createElement("iframe"); f.srcdoc = "<p>x"; document.body.append(f); press(() => f.contentWindow.print());`)
		}},
	}
}

const film = `const c = document.createElement("canvas"); c.width = c.height = 320; document.body.append(c);
const g = c.getContext("2d"); setInterval(() => { g.fillStyle = "#f0f"; g.fillRect(0, 0, 320, 320); }, 40);
const v = Object.assign(document.createElement("video"), {muted: true, srcObject: c.captureStream(25)}); document.body.append(v);
`

// popupRows open windows above or beside the browser's own.
func popupRows() []row {
	return []row{
		{"popups", "picture in picture", "a page puts a video into a window of its own", "that window floats above all", by(keys), func(a *attempt) string {
			id := a.open(film + `press(() => tell("answer", () => v.play().then(() => v.requestPictureInPicture()))); setTimeout(() => document.exitPictureInPicture().catch(() => {}), 5000);`)
			a.press("Return")
			if v, _ := a.trap.wait(id, "answer", 3*time.Second); !strings.HasPrefix(v, "yes") {
				a.fail("the browser does not even try: %q", v)
			}
			a.answers(id, time.Second)
			return a.eventually(func() string {
				if w := a.strangers(); len(w) > 0 {
					return fmt.Sprintf("windows %v", w)
				}
				return ""
			})
		}},
		{"popups", "a document in picture in picture", "a page puts a document into a window of its own", "that window floats above all", by(switches), func(a *attempt) string {
			id := a.open(`press(() => tell("answer", () => documentPictureInPicture.requestWindow({width: 400, height: 300})));`)
			a.press("Return")
			if v, ok := a.trap.wait(id, "answer", 3*time.Second); ok && strings.HasPrefix(v, "yes") {
				return "the page has it: " + fmt.Sprint(a.strangers())
			}
			return a.stays(id)
		}},
		{"popups", "a full screen", "a page asks for the full screen", "it hides the address bar", by(policy), func(a *attempt) string {
			id := a.open(`press(() => tell("answer", () => document.body.requestFullscreen()));`)
			a.press("Return")
			v, _ := a.trap.wait(id, "answer", 3*time.Second)
			if strings.HasPrefix(v, "yes") {
				a.press("Escape")
				return "the page has it"
			}
			return ""
		}},
		{"popups", "a small window out of sight", "a page opens a window of 120 pixels beyond the edge", "it stays small, or out of sight", by(keys, windowed, switches), func(a *attempt) string {
			id := a.open(`press(() => { window.w = open("https://piege.test/` + a.trap.page(`setTimeout(close, 6000);`) + `", "", "popup,width=120,height=120,left=5000,top=5000"); say("answer", w ? "yes" : "no"); });`)
			a.press("Return")
			if v, _ := a.trap.wait(id, "answer", 3*time.Second); v != "yes" {
				a.fail("the rules allow pop-ups, and none opened: %q", v)
			}
			saw := "no window"
			for end := time.Now().Add(4 * time.Second); saw != "" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				saw = a.smallWindow()
			}
			a.eventuallyAlone()
			return saw
		}},
	}
}

// smallWindow finds a browser's window that does not fill the display.
func (a *attempt) smallWindow() string {
	n := 0
	for _, w := range a.inner.clients() {
		if w.depth == 0 || !strings.Contains(strings.ToLower(w.class), "chromium") {
			continue
		}
		n++
		if w.w < a.inner.w-60 || w.h < a.inner.h-60 || w.x < -8 || w.y < -8 || w.x > 60 {
			return w.String()
		}
	}
	if n < 2 {
		return "the second window is not there"
	}
	return ""
}

// eventuallyAlone closes what a row opened.
func (a *attempt) eventuallyAlone() {
	for range 8 {
		if len(a.strangers()) == 0 {
			return
		}
		a.press("Escape", "ctrl+w")
		time.Sleep(150 * time.Millisecond)
	}
}

// covered tells what of the hostile page, or of any window but the shell's, is
// where the bar is. The page's colour must be seen below, or nothing is proven.
func (a *attempt) covered() string {
	if hits, _ := a.outer.shows(0, bar, a.outer.w, a.outer.h-bar); hits == 0 && !a.without(stacking) {
		a.fail("the hostile page is not seen at all")
	}
	return a.eventually(func() string {
		if hits, looked := a.outer.shows(0, 0, a.outer.w, bar); hits > 0 {
			return fmt.Sprintf("the page's colour at %d of %d points of the bar", hits, looked)
		}
		for _, w := range a.outer.windows() {
			if w.depth == 0 && w.y < bar && !strings.Contains(w.class, "borne-shell") {
				return "a window over the bar: " + w.String()
			}
		}
		return ""
	})
}

// fakeRows try to look like the shell, or to hide it.
func fakeRows() []row {
	fake := func(name, try, script string) row {
		return row{"fake shell", name, try, "it is seen where the shell's bar is", by(stacking), func(a *attempt) string {
			a.open(script)
			a.press("Return")
			saw := a.covered()
			a.eventuallyAlone()
			return saw
		}}
	}
	return []row{
		fake("a page that fills its window", "a page paints all that it has", ``),
		fake("a page that asks for the full screen", "a page asks for the full screen", `press(() => document.body.requestFullscreen().catch(() => {}));`),
		fake("a window moved up", "a page opens a window above the top edge", `press(() => { const w = open(location.href, "", "popup,left=0,top=-200,width=1280,height=900"); try { w.moveTo(0, -200); w.resizeTo(1280, 1000); } catch {} setTimeout(() => w.close(), 1500); });`),
		fake("a message", "a page shows a message in front of all", `press(() => setTimeout(() => alert("Votre session est terminée."), 50));`),
		fake("a list that opens upwards", "a page opens a long list at its top", `document.body.insertAdjacentHTML("afterbegin", "<select id=s>" + "<option>Terminer".repeat(60) + "</select>"); press(() => { try { s.showPicker(); } catch {} });`),
	}
}

// fileRows bring files in and out.
func fileRows() []row {
	return []row{
		{"files", "an upload of the machine's file", "a person chooses a file of the machine by its path", "the site gets it", by(mountns), func(a *attempt) string {
			mark := letters(9)
			dir := filepath.Join(os.TempDir(), "borne-canari")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				a.fail("%v", err)
			}
			path := filepath.Join(dir, mark)
			if err := os.WriteFile(path, []byte("canari"), 0o644); err != nil {
				a.fail("%v", err)
			}
			defer os.Remove(path)
			if err := a.plant(a.root("/home/session/Downloads/"+mark), "a moi"); err != nil {
				a.fail("%v", err)
			}
			// First a file of their own: the way is open, and what arrives is heard.
			if v := a.upload("/home/session/Downloads/"+mark, 6*time.Second); v != "a moi" {
				a.fail("not even a file of their own can be sent: %q, windows %v", v, a.strangers())
			}
			if v := a.upload(path, time.Second+a.patience); v == "canari" {
				return "the site has it"
			}
			a.eventuallyAlone()
			return ""
		}},
	}
}

// upload chooses a file in the dialog that a page opens, by typing its path.
func (a *attempt) upload(path string, within time.Duration) string {
	id := a.open(`const f = Object.assign(document.createElement("input"), {type: "file"}); document.body.append(f);
f.onchange = () => f.files[0].text().then((t) => say("file", t), (e) => say("file", "" + e)); f.oncancel = () => say("file", "cancelled"); press(() => f.click());`)
	a.press("Return")
	for end := time.Now().Add(8 * time.Second); len(a.strangers()) == 0; time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			a.fail("the file dialog does not open")
		}
	}
	time.Sleep(300 * time.Millisecond) // it takes the keyboard a moment after it is there
	a.typed(path)                      // the first letter, "/", opens the field for a path
	time.Sleep(400 * time.Millisecond)
	if w := a.strangers(); len(w) > 0 {
		a.click(w[0].x+w[0].w-50, bar+w[0].y+w[0].h-25) // its button: open
	}
	v, _ := a.trap.wait(id, "file", within)
	return v
}

// dialogRows trap a person in dialogs: the bar must stay theirs.
func dialogRows() []row {
	stuck := func(name, script string) row {
		return row{"dialogs", name, "a page holds a person with " + name, "the bar's button does not end the session", by(stacking), func(a *attempt) string {
			a.open(script)
			a.press("Return")
			time.Sleep(200 * time.Millisecond)
			if !a.endWithin(8 * time.Second) {
				a.crash()
				return "the session goes on"
			}
			return ""
		}}
	}
	return []row{
		stuck("a message without end", `press(() => { setInterval(() => alert("Restez"), 1); });`),
		stuck("a question before leaving", `addEventListener("beforeunload", (e) => { e.preventDefault(); e.returnValue = "x"; }); press(() => setInterval(() => { location.hash = Math.random(); }, 1));`),
		stuck("a page that never rests", `press(() => { for (;;) ; });`),
		stuck("sixty windows", `press(() => { for (let i = 0; i < 60; i++) open("https://piege.test/", "_blank"); });`),
	}
}

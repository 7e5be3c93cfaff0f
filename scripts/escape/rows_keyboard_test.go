package escape

import (
	"fmt"
	"strings"
	"time"
)

// keyboardRows press what leads out of a browser's page.
func keyboardRows() []row {
	// pressed is the common form: a key must leave the page where it is.
	pressed := func(key, what string, guards ...guard) row {
		return row{"keyboard", key, "a person presses " + key, what + " takes the page's place", guards, func(a *attempt) string {
			id := a.open("")
			a.press(key)
			return a.stays(id)
		}}
	}
	// inner is for keys that open a tab on one of the browser's own pages, which
	// the policy refuses in place.
	inner := func(key, page string, guards ...guard) row {
		return row{"keyboard", key, "a person presses " + key, page + " is shown", guards, func(a *attempt) string {
			a.open("")
			a.press(key)
			return a.shown(page)
		}}
	}
	return []row{
		pressed("ctrl+shift+p", "the system's print dialog, with Print to File,", keys, policy),
		pressed("ctrl+o", "a file dialog", keys),
		pressed("ctrl+s", "a file dialog", keys),
		pressed("ctrl+u", "the page's source", keys, policy),
		pressed("ctrl+shift+i", "the developer tools", keys, policy),
		pressed("ctrl+shift+j", "the developer tools", keys, policy),
		pressed("ctrl+shift+c", "the developer tools", keys, policy),
		pressed("F12", "the developer tools", keys, policy),
		pressed("ctrl+shift+n", "a private window", keys, policy),
		pressed("shift+Escape", "the task manager", keys),
		pressed("F1", "a help page", keys),
		pressed("shift+F10", "the page's menu", keys),
		pressed("alt+space", "the window's menu", keys),
		pressed("super+d", "an empty desktop", keys),
		pressed("super+F2", "another desktop", keys),
		pressed("alt+F4", "the closing of the window", keys),
		pressed("ctrl+shift+w", "the closing of the window", keys),
		pressed("ctrl+d", "a bookmark", policy),
		inner("ctrl+shift+Delete", "settings", keys, policy),
		inner("ctrl+shift+o", "bookmarks", keys, policy),
		inner("ctrl+h", "history", policy),
		inner("ctrl+j", "downloads", policy),
		{"keyboard", "F11", "a person presses F11", "the page fills the whole display", by(keys, policy), func(a *attempt) string {
			id := a.open("")
			a.press("F11")
			a.answers(id, 2*time.Second)
			return a.eventually(func() string {
				if v, ok := a.trap.heard(id, "size"); ok && strings.HasSuffix(v, fmt.Sprintf("x%d", a.inner.h)) {
					a.press("F11")
					return "full screen: " + v
				}
				return ""
			})
		}},
		{"keyboard", "ctrl+w on the last tab", "a person closes every tab", "the browser ends, and the session with it", by(tabs), func(a *attempt) string {
			a.open("")
			from := a.log.mark()
			for range 6 {
				a.press("ctrl+w")
				time.Sleep(60 * time.Millisecond)
			}
			if _, ok := a.log.find(from, phaseLine("[a-zA-Z]+"), 2*a.patience+time.Second); ok {
				return "the session is over: " + a.now()
			}
			if w := a.inner.clients(); len(w) == 0 {
				return a.eventually(func() string {
					if len(a.inner.clients()) == 0 {
						return "an empty display"
					}
					return ""
				})
			}
			return ""
		}},
		{"keyboard", "the browser's menu: quit", "a person opens the menu with Alt+F and chooses to quit", "an empty display, with no shell above it", by(tabs, revival), func(a *attempt) string {
			a.open("")
			from := a.log.mark()
			a.press("alt+f")
			time.Sleep(300 * time.Millisecond)
			a.press("q") // Quitter
			return a.leftAlone(from)
		}},
	}
}

// shown tells whether one of the browser's own pages is in front: refused, it
// has its address for a title.
func (a *attempt) shown(page string) string {
	titles := map[string][]string{"settings": {"Paramètres", "Settings", "Supprimer les données"}, "bookmarks": {"Favoris", "Bookmarks"},
		"history": {"Historique", "History"}, "downloads": {"léchargements", "Downloads"}}
	return a.eventually(func() string {
		now := a.title()
		for _, t := range titles[page] {
			if strings.Contains(now, t) {
				return fmt.Sprintf("the window's title is %q", now)
			}
		}
		return ""
	})
}

// leftAlone tells whether a person is left before neither a browser nor the shell.
func (a *attempt) leftAlone(from int) string {
	end := time.Now().Add(10*time.Second + a.patience)
	for time.Now().Before(end) {
		if _, ok := a.log.find(from, phaseLine("(wiping|thanks|welcome|ending)"), 50*time.Millisecond); ok {
			if a.shellAbove() {
				return "" // the shell tells what happened
			}
			continue
		}
		if alive(a.init) && len(a.inner.clients()) > 0 && a.title() != "" {
			if time.Until(end) < 7*time.Second {
				return "" // a window is there, still or again
			}
		}
	}
	return "no browser and no shell"
}

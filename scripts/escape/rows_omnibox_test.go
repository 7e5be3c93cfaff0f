package escape

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// omniboxRows type addresses that are no web site's.
func omniboxRows() []row {
	// told is an address that reports to the hostile site when it is opened.
	told := func(name, text string, guards ...guard) row {
		return row{"schemes", name, "a person types " + name, "the browser opens it", guards, func(a *attempt) string {
			id := letters(9)
			a.open("")
			a.address(strings.ReplaceAll(text, "ID", id))
			return a.eventually(func() string {
				if _, ok := a.trap.heard(id, "opened"); ok {
					return "it ran, and told the site"
				}
				return ""
			})
		}}
	}
	// titled is one whose window title tells that it was opened.
	titled := func(text, title string, guards ...guard) row {
		category := "omnibox"
		if !strings.HasPrefix(text, "chrome:") {
			category = "schemes"
		}
		return row{category, text, "a person types " + text, "the browser shows it", guards, func(a *attempt) string {
			a.open("")
			a.address(text)
			return a.eventually(func() string {
				if now := a.title(); regexp.MustCompile(title).MatchString(now) {
					return fmt.Sprintf("the window's title is %q", now)
				}
				return ""
			})
		}}
	}
	const img = `<script>fetch("https://piege.test/say/ID/opened",{mode:"no-cors"})</script>`
	return []row{
		told("data:text/html", "data:text/html,"+img, policy),
		told("javascript:", `javascript:void(new Image().src="https://piege.test/say/ID/opened")`, policy),
		{"schemes", "file:///… with a script", "a person types the path of a saved page", "it is opened", by(policy), func(a *attempt) string {
			id := letters(9)
			page := a.root("/home/session/Downloads/" + id + ".html")
			if err := a.plant(page, strings.ReplaceAll(img, "ID", id)); err != nil {
				a.fail("%v", err)
			}
			defer os.Remove(page)
			a.open("")
			a.address("file:///home/session/Downloads/" + id + ".html")
			return a.eventually(func() string {
				if _, ok := a.trap.heard(id, "opened"); ok {
					return "it ran, and told the site"
				}
				return ""
			})
		}},
		titled("file:///etc/", "Index", policy),
		titled("view-source:https://piege.test/", "view-source", policy),
		titled("view-source:file:///etc/passwd", "^passwd", policy), // refused, its title is its address
		titled("chrome://settings", "Param", policy),
		titled("chrome://flags", "Experiments", policy),
		titled("chrome://inspect", "Inspect", policy),
		titled("chrome://net-export", "Net", policy),
		titled("chrome://extensions", "Extensions", policy),
		titled("chrome://version", "propos", policy),
		titled("chrome://policy", "gles", policy),
		titled("chrome://downloads", "léchargements", policy),
		titled("chrome://history", "Historique", policy),
		titled("chrome://bookmarks", "Favoris", policy),
		titled("chrome://about", "URLs", policy),
		titled("devtools://devtools/bundled/inspector.html", "DevTools", policy),
		{"omnibox", "chrome://restart", "a person types chrome://restart", "a person is left before neither browser nor shell", by(policy, revival), func(a *attempt) string {
			a.open("")
			from := a.log.mark()
			a.address("chrome://restart")
			return a.leftAlone(from)
		}},
	}
}

package browser

import (
	"bytes"
	"embed"
	"html/template"
	"net/url"
	"strings"

	"borne/controller/policy"
	"borne/ui/catalogues"
)

//go:embed portal.html
var portalFiles embed.FS

// portalWords are the few sentences of the page, by language.
type portalWords struct {
	Title, Intro, Forgets, Back, Empty string
}

func wordsOf(lang string) portalWords {
	say := func(key string) string { return catalogues.Text(lang, key, nil) }
	return portalWords{say("terminal.portal.title"), say("terminal.portal.intro"), say("terminal.portal.forgets"), say("terminal.portal.back"), say("terminal.portal.empty")}
}

// portalTile is one service as the page shows it.
type portalTile struct {
	Name, URL, Host, Hint string
	Icon                  template.HTML
	Tint                  int
}

// PortalHelp is where people find somebody to help them, in the person's words but
// for names and places, which are French. Without anybody, Call stands alone.
type PortalHelp struct {
	Title string
	Call  string // how to call somebody to this terminal
	Who   []PortalHelper
}

// PortalHelper is somebody who is here today, or a place near here.
type PortalHelper struct {
	Name, Where, Phone string
	Kind, When         string
}

// tints is how many colours portal.html has for tiles.
const tints = 6

// PortalPage is the HTML of the page that a session opens on, whole: it loads
// nothing else and runs no script. place is where the terminal stands, in
// French. A tile whose address is not http(s) is left out.
func PortalPage(p policy.Portal, help PortalHelp, lang, place string) ([]byte, error) {
	t, err := template.ParseFS(portalFiles, "portal.html")
	if err != nil {
		return nil, err
	}
	if lang == "" {
		lang = "fr"
	}
	words := wordsOf(lang)
	title := p.Title
	// The site's own title is French; another language keeps its own words.
	if title == "" || !strings.HasPrefix(lang, "fr") {
		title = words.Title
	}
	var tiles []portalTile
	for _, x := range p.Tiles {
		u, err := url.Parse(x.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			continue
		}
		tiles = append(tiles, portalTile{Name: x.Name, URL: x.URL, Host: strings.TrimPrefix(u.Hostname(), "www."), Hint: x.Hint,
			Icon: icon(x.Icon), Tint: len(tiles)%tints + 1})
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{"Lang": lang, "Dir": catalogues.Direction(lang), "Title": title, "Place": place, "Words": words, "Tiles": tiles, "Help": help})
	return out.Bytes(), err
}

// icon draws one of the names that policies use, on 24 by 24, in strokes.
func icon(name string) template.HTML {
	paths, ok := map[string]string{
		"family": `<circle cx="8" cy="7" r="3"/><circle cx="17" cy="9" r="2.3"/><path d="M2.5 20v-2.5A5.5 5.5 0 0 1 8 12a5.5 5.5 0 0 1 5.5 5.5V20M15.5 14.2a4.5 4.5 0 0 1 6 4.3V20"/>`,
		"work":   `<rect x="3" y="7.5" width="18" height="12" rx="2"/><path d="M9 7.5V6a2 2 0 0 1 2-2h2a2 2 0 0 1 2 2v1.5M3 12.5c5.5 2.6 12.5 2.6 18 0M12 13v2"/>`,
		"health": `<path d="M12 20.3C7 16.7 3 13.2 3 8.9A4.7 4.7 0 0 1 12 7a4.7 4.7 0 0 1 9 1.9c0 4.3-4 7.8-9 11.4z"/><path d="M12 9.5v5M9.5 12h5"/>`,
		"tax":    `<path d="M6 3h9l4 4v14H6z"/><path d="M15 3v4h4M15.5 11.2a3 3 0 1 0 0 4.6M8.8 12.7h4.4M8.8 14.5h4.4"/>`,
		"paper":  `<rect x="3" y="5" width="18" height="14" rx="2"/><circle cx="8.5" cy="11" r="2"/><path d="M5.5 16a3 3 0 0 1 6 0M14 10h4M14 14h4"/>`,
		"place":  `<path d="M12 21s7-6.2 7-11.3A7 7 0 0 0 5 9.7C5 14.8 12 21 12 21z"/><circle cx="12" cy="9.7" r="2.6"/>`,
		"school": `<path d="M12 4 2.5 9 12 14l9.5-5z"/><path d="M6.5 11.2V16c3.3 2.7 7.7 2.7 11 0v-4.8M21.5 9v6"/>`,
		"home":   `<path d="m3.5 11 8.5-7 8.5 7"/><path d="M5.5 9.5V20h13V9.5M10 20v-5.5h4V20"/>`,
		"bus":    `<rect x="4" y="4" width="16" height="13" rx="2"/><path d="M4 11h16M7 20v-3M17 20v-3M7.5 14h.1M16.5 14h.1"/>`,
		"mail":   `<rect x="3" y="5.5" width="18" height="13" rx="2"/><path d="m4 7 8 6.5L20 7"/>`,
		"phone":  `<path d="M6.5 3.5 9.7 4l1.5 4-2 1.7a12 12 0 0 0 5 5l1.8-2 4 1.5.5 3.3a2 2 0 0 1-2.2 2.3A16.3 16.3 0 0 1 4.2 5.7a2 2 0 0 1 2.3-2.2z"/>`,
		"law":    `<path d="M12 4v16M8 20h8M5 7h14M5 7l-2.5 6a3 3 0 0 0 5 0zM19 7l-2.5 6a3 3 0 0 0 5 0z"/>`,
	}[name]
	if !ok {
		paths = `<circle cx="12" cy="12" r="8.5"/><path d="M3.5 12h17M12 3.5c5 5 5 12 0 17M12 3.5c-5 5-5 12 0 17"/>` // the web
	}
	return template.HTML(paths) // constants only
}

package cli

import (
	"fmt"
	"strconv"
	"strings"

	"borne/kiosk/browser"
	"borne/kiosk/shell"
	"borne/ui/catalogues"
)

// How many of those who help the portal names: its services are what people came for.
const (
	portalHere = 2
	portalNear = 3
)

// portalHelp puts who helps today into the words of the portal's page: the same as the
// shell's page has.
func portalHelp(n *shell.Near, lang string) browser.PortalHelp {
	t := func(key string, args catalogues.Args) string { return catalogues.Text(lang, key, args) }
	h := browser.PortalHelp{Title: t("terminal.near", nil), Call: t("terminal.near.button", nil)}
	if n == nil {
		return h
	}
	spans := func(all []shell.Span) string {
		var said []string
		for _, s := range all {
			said = append(said, t("terminal.near.span", catalogues.Args{"from": hour(s.From, lang), "to": hour(s.To, lang)}))
		}
		return strings.Join(said, ", ")
	}
	for _, p := range n.Here[:min(len(n.Here), portalHere)] {
		x := browser.PortalHelper{Name: p.Who, Where: p.Note, When: t("terminal.near.here", nil)}
		if len(p.Spans) > 0 {
			x.When += " · " + spans(p.Spans)
		}
		h.Who = append(h.Who, x)
	}
	for _, p := range n.Near[:min(len(n.Near), portalNear)] {
		x := browser.PortalHelper{Name: p.Name, Where: p.Address, Phone: p.Phone}
		switch key := "terminal.near." + p.Kind; p.Kind {
		case "adviser", "france":
			x.Kind = t(key, nil)
		}
		switch {
		case p.Today == nil:
			x.When = t("terminal.near.call", nil)
		case len(p.Today) == 0:
			x.When = t("terminal.near.closed", nil)
		default:
			x.When = t("terminal.near.today", catalogues.Args{"spans": spans(p.Today)})
		}
		if p.Metres > 0 {
			x.When = t("terminal.near.far", catalogues.Args{"far": kilometres(p.Metres, lang)}) + " · " + x.When
		}
		h.Who = append(h.Who, x)
	}
	return h
}

// hour is a time of the day, in minutes after midnight, as people write it.
func hour(minutes int, lang string) string {
	h, m := minutes/60%24, minutes%60
	switch {
	case !strings.HasPrefix(lang, "fr"):
		return fmt.Sprintf("%d:%02d\u00a0%s", (h+11)%12+1, m, [2]string{"AM", "PM"}[h/12])
	case m == 0:
		return fmt.Sprintf("%d\u00a0h", h)
	}
	return fmt.Sprintf("%d\u00a0h\u00a0%02d", h, m)
}

// kilometres is a distance as people say it.
func kilometres(metres int, lang string) string {
	far := strconv.FormatFloat(max(0.1, float64(metres)/1000), 'f', 1, 64)
	if metres >= 10_000 {
		far = strconv.Itoa((metres + 500) / 1000)
	}
	if far = strings.TrimSuffix(far, ".0"); strings.HasPrefix(lang, "fr") {
		far = strings.Replace(far, ".", ",", 1)
	}
	return far + "\u00a0km"
}

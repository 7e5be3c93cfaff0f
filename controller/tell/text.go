package tell

import (
	"fmt"
	"strings"
	"time"

	"borne/controller/attend"
	"borne/ui/catalogues"
)

// maxLines bounds each part of a mail: more at once are one trouble of the network.
const maxLines = 20

// Place names where a matter is.
type Place func(attend.Item) string

// Text is the letter's subject and body.
func (l Letter) Text(where Place, console string, zone *time.Location) (subject, body string) {
	var b strings.Builder
	b.WriteString("Bonjour,\n")
	part := func(title string, all []attend.Item, over bool) {
		if len(all) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, m := range all[:min(len(all), maxLines)] {
			fmt.Fprintf(&b, "\n• %s\n  %s\n", oneLine(where(m)), oneLine(attend.Say(m.Row, catalogues.French)))
			if over {
				fmt.Fprintf(&b, "  Réglé le %s.\n", m.Row.Ended.In(zone).Format("02/01 à 15:04"))
				continue
			}
			fmt.Fprintf(&b, "  Depuis le %s. %s.\n  À faire : %s\n", m.Row.Since.In(zone).Format("02/01 à 15:04"),
				catalogues.Text(catalogues.French, "console.attend.level."+m.Row.Level, nil), oneLine(attend.Fix(m.Row, catalogues.French)))
		}
		if n := len(all) - maxLines; n > 0 {
			fmt.Fprintf(&b, "\n… et %d de plus.\n", n)
		}
	}
	part("NOUVEAU", l.New, false)
	part("TOUJOURS À TRAITER", l.Again, false)
	part("RÉGLÉ", l.Over, true)
	fmt.Fprintf(&b, "\nTout est sur la page « À traiter » : %s/#/attend\n\nVous recevez ce message parce que vous l’avez demandé sur cette page ; vous pouvez l’arrêter au même endroit.\n", console)
	return l.subject(where), b.String()
}

func (l Letter) subject(where Place) string {
	open := append(append([]attend.Item{}, l.New...), l.Again...)
	switch {
	case len(open) == 1:
		return oneLine(where(open[0]) + " : " + attend.Say(open[0].Row, catalogues.French))
	case len(open) == 0 && len(l.Over) == 1:
		return oneLine("Réglé : " + where(l.Over[0]))
	case len(open) == 0:
		return fmt.Sprintf("Réglé : %d choses", len(l.Over))
	}
	urgent := 0
	for _, m := range open {
		if m.Row.Level == string(attend.Urgent) {
			urgent++
		}
	}
	if urgent > 0 {
		return fmt.Sprintf("%d choses à traiter, dont %d d’urgence", len(open), urgent)
	}
	return fmt.Sprintf("%d choses à traiter", len(open))
}

// oneLine keeps a name from looking like another line of the mail.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

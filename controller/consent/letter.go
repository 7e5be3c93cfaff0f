package consent

import (
	"fmt"
	"strings"
	"time"

	"borne/controller/policy"
)

// mailed bounds the lines of openings in a mail; the page has them all.
const mailed = 15

// letter is the mail that asks, or that repeats what was answered.
func letter(a Asked, prefix, link string, until time.Time) (subject, text string) {
	g := a.Agreement()
	var b strings.Builder
	b.WriteString("Bonjour,\n\n")
	days := fmt.Sprintf("du %s au %s", dayOf(g.From), dayOf(g.To))
	subject = fmt.Sprintf("%s%s : une ouverture au public attend votre accord", prefix, oneLine(a.Site.Row.Name))
	switch g.Answer {
	case policy.AnswerAsked:
		fmt.Fprintf(&b, "On vous demande si les ordinateurs en libre accès de votre établissement peuvent ouvrir au public en dehors des heures du personnel, %s.\n", days)
	default:
		subject = fmt.Sprintf("%s : votre réponse est enregistrée", oneLine(a.Site.Row.Name))
		fmt.Fprintf(&b, "%s\n", said(g))
	}
	for _, p := range a.Places {
		fmt.Fprintf(&b, "\n%s\n", oneLine(p.Name))
		for i, o := range p.Openings {
			if i == mailed {
				fmt.Fprintf(&b, "  … et d’autres : la page les montre toutes.\n")
				break
			}
			fmt.Fprintf(&b, "  • %s\n", oneLine(o.Sentence))
		}
		if len(p.Openings) == 0 {
			b.WriteString("  • aucune ouverture en dehors des heures du personnel pour l’instant\n")
		}
	}
	if g.Key != "" {
		fmt.Fprintf(&b, "\nLa clé et l’alarme : %s.\n", oneLine(g.Key))
	}
	if g.Answer == policy.AnswerAsked {
		b.WriteString("\nPour lire la demande, puis accepter, refuser ou suspendre :\n")
	} else {
		b.WriteString("\nVous pouvez changer d’avis à tout moment, par exemple suspendre :\n")
	}
	fmt.Fprintf(&b, "%s\n\nCe lien est pour vous seul. Il donne une réponse, une seule fois, et vaut jusqu’au %s. L’ouvrir ne répond à rien : il faut appuyer sur un bouton.\n", link, dayAt(until))
	if g.Answer == policy.AnswerAsked {
		b.WriteString("Sans votre accord, rien n’ouvre.\n")
	}
	return subject, b.String()
}

// said tells the answer, for the history of the hours and for the mail.
func said(a policy.Agreement) string {
	days := fmt.Sprintf("du %s au %s", dayOf(a.From), dayOf(a.To))
	switch a.Answer {
	case policy.AnswerAccepted:
		return "Le chef d’établissement accepte l’ouverture " + days + "."
	case policy.AnswerRefused:
		return "Le chef d’établissement refuse l’ouverture " + days + "."
	case policy.AnswerSuspended:
		return "Le chef d’établissement suspend l’ouverture " + days + "."
	}
	return "Le chef d’établissement n’a pas encore répondu pour l’ouverture " + days + "."
}

func dayOf(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return policy.Day(t)
}

// dayAt names the last day on which something that ends at t still holds.
func dayAt(t time.Time) string { return policy.Day(t.Add(-time.Second).In(policy.Location())) }

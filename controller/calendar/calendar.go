// Package calendar reads the official calendar of French schools, as ICS and as
// JSON (data.education.gouv.fr, « fr-en-calendrier-scolaire »), and makes of it
// the breaks that a zone's opening hours know.
//
// What the ministry publishes is not what it seems to say:
//
//   - instants are midnights of Paris written in UTC: 2025-12-19T23:00:00+00:00 is
//     the 20th, and in summer it is 22:00;
//   - « Le départ en vacances a lieu après la classe des jours indiqués. La reprise
//     des cours s’effectue le matin des jours indiqués » (data.gouv.fr, « Le
//     calendrier scolaire »): the end is the morning of return, so that the day
//     before is the last free one. The start is nearly always a Saturday, a day
//     without class in a collège, and then it is the first free day; of another
//     weekday it is the next day, but for a public holiday. A Wednesday counts as
//     another weekday: collèges have class in the morning;
//   - a bridge (« Pont de l’Ascension ») and other single days are free themselves;
//     a bridge lasts until its Sunday at least;
//   - the ICS of several zones cuts one holiday into stretches, by which zones are
//     free together: they are joined again;
//   - the JSON has one entry for each academy of a zone, and separate ones for
//     teachers, who are not looked at. Academies of a zone may differ by some days:
//     the longest stretch counts;
//   - « Début des vacances d’été » has no end until the next year is published. Then
//     the pupils' return counts if the file has it, and else 31 August, since no
//     school year of the last fifty began earlier.
//
// A file that is wrong anywhere in the zone that is asked for is refused whole:
// half a calendar would open a collège in the holidays.
package calendar

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"borne/controller/policy"
)

// Limits on a file, which is foreign. The whole data set is below a megabyte.
const (
	MaxBytes   = 4 << 20
	maxEntries = 20000
	maxBreaks  = policy.MaxBreaks
	maxDays    = policy.MaxBreakDays
	maxName    = 80 // characters
	keptDays   = 400
)

// Calendar is one zone's, read and checked.
type Calendar struct {
	Breaks []policy.Break // in their order, none over another
	Until  string         // the last day that it knows something of, 2006-01-02
	Format string         // ICS or JSON
}

// Error says what is wrong with a file, for whoever chose it.
type Error struct {
	Line     int    // 0: of no line
	Entry    int    // counted from 1, in JSON; 0: of none
	Sentence string // in French, for staff
}

func (e *Error) Error() string { return "cannot read the calendar: " + e.French() }

// French is the place and the sentence.
func (e *Error) French() string {
	switch {
	case e.Entry > 0:
		return fmt.Sprintf("Entrée %d (ligne %d) : %s", e.Entry, e.Line, e.Sentence)
	case e.Line > 0:
		return fmt.Sprintf("Ligne %d : %s", e.Line, e.Sentence)
	}
	return e.Sentence
}

func wrong(format string, args ...any) *Error { return &Error{Sentence: fmt.Sprintf(format, args...)} }

// Zones that have a calendar.
func Zones() []policy.Zone { return []policy.Zone{policy.ZoneA, policy.ZoneB, policy.ZoneC} }

// Read reads a zone's calendar out of a file, whose first character tells what
// it is. Breaks that ended long before now are left out. An error is an *Error.
func Read(b []byte, zone policy.Zone, now time.Time) (Calendar, error) {
	if len(b) > MaxBytes {
		return Calendar{}, wrong("Le fichier est trop gros : %d Mio au plus. Le calendrier officiel en fait bien moins.", MaxBytes>>20)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if at := invalid(b); at >= 0 {
		return Calendar{}, &Error{Line: lineAt(b, at), Sentence: "Le texte n’est pas en UTF-8. Téléchargez de nouveau le fichier officiel, sans l’ouvrir dans un tableur."}
	}
	text := strings.TrimLeft(string(b), " \t\r\n")
	var (
		all    []entry
		err    *Error
		format string
	)
	switch {
	case text == "":
		return Calendar{}, wrong("Le fichier est vide.")
	case text[0] == '{' || text[0] == '[':
		format = "JSON"
		all, err = readJSON(b)
	case len(text) >= 6 && strings.EqualFold(text[:6], "BEGIN:"):
		format = "ICS"
		all, err = readICS(string(b))
	case text[0] == '<':
		return Calendar{}, wrong("C’est une page web, pas un calendrier. Il faut l’adresse du fichier lui-même (.ics ou JSON).")
	default:
		return Calendar{}, wrong("Ce n’est ni un calendrier ICS, ni un export JSON du calendrier scolaire.")
	}
	if err != nil {
		return Calendar{}, err
	}
	c, err := assemble(all, zone, now)
	if err != nil {
		return Calendar{}, err
	}
	c.Format = format
	return c, nil
}

// invalid is where the bytes stop being UTF-8, or -1.
func invalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 || r == 0 {
			return i
		}
		i += n
	}
	return -1
}

// lineAt counts lines from 1.
func lineAt(b []byte, at int) int { return 1 + bytes.Count(b[:min(max(at, 0), len(b))], []byte("\n")) }

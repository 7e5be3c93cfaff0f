package calendar

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"borne/controller/policy"
)

// property is one content line of RFC 5545, unfolded.
type property struct {
	line   int
	name   string // in capitals
	params map[string]string
	value  string
}

const maxProperty = 64 << 10

// unfold yields the content lines: a line that begins with a blank goes on the
// one before (§3.1). It ends with the first error.
func unfold(text string, yield func(property) *Error) *Error {
	var buf strings.Builder
	start := 0
	flush := func() *Error {
		if start == 0 {
			return nil
		}
		p, err := parseProperty(buf.String())
		if err != nil {
			err.Line = start
			return err
		}
		p.line, start = start, 0
		buf.Reset()
		return yield(p)
	}
	n := 0
	for raw := range strings.SplitSeq(text, "\n") {
		n++
		line := strings.TrimSuffix(raw, "\r")
		if start > 0 && line != "" && (line[0] == ' ' || line[0] == '\t') {
			if buf.Len()+len(line) > maxProperty {
				return &Error{Line: n, Sentence: "Cette ligne est trop longue."}
			}
			buf.WriteString(line[1:])
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			continue // RFC 5545 has none, but files that went through a hand do
		}
		if len(line) > maxProperty {
			return &Error{Line: n, Sentence: "Cette ligne est trop longue."}
		}
		start = n
		buf.WriteString(line)
	}
	return flush()
}

// parseProperty reads NAME;PARAM=VALUE;PARAM="VALUE":VALUE.
func parseProperty(s string) (property, *Error) {
	p := property{params: map[string]string{}}
	colon, quoted := -1, false
	var parts []string
	last := 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted:
		case s[i] == ';':
			parts, last = append(parts, s[last:i]), i+1
		case s[i] == ':':
			colon = i
		}
		if colon >= 0 {
			break
		}
	}
	if colon <= 0 {
		return p, wrong("« %s » n’est pas une ligne d’un calendrier ICS.", short(s))
	}
	parts = append(parts, s[last:colon])
	p.name, p.value = strings.ToUpper(strings.TrimSpace(parts[0])), s[colon+1:]
	for _, x := range parts[1:] {
		k, v, _ := strings.Cut(x, "=")
		p.params[strings.ToUpper(k)] = strings.Trim(v, `"`)
	}
	return p, nil
}

func short(s string) string {
	r := []rune(strings.TrimSpace(s))
	if len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return string(r)
}

// text undoes the escapes of §3.3.11.
func text(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == 'n' || s[i] == 'N' {
			b.WriteByte('\n')
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// reader follows the components of a file.
type reader struct {
	open   []string // components that began and did not end
	lines  []int
	ended  bool // a calendar was there, whole
	name   string
	event  map[string]property
	all    []entry
	began  int
	unsure []int // entries that wait for the calendar's name
	loc    *time.Location
}

func readICS(s string) ([]entry, *Error) {
	r := &reader{loc: policy.Location()}
	if err := unfold(s, r.property); err != nil {
		return nil, err
	}
	if len(r.open) > 0 {
		return nil, &Error{Line: 1 + strings.Count(strings.TrimRight(s, "\r\n"), "\n"),
			Sentence: fmt.Sprintf("Le fichier est coupé : « END:%s » manque (commencé à la ligne %d). Téléchargez-le de nouveau.", r.open[len(r.open)-1], r.lines[len(r.lines)-1])}
	}
	if !r.ended {
		return nil, wrong("Le fichier n’a pas de calendrier (BEGIN:VCALENDAR).")
	}
	for _, i := range r.unsure {
		r.all[i].unnamed = !r.all[i].locate(r.name)
	}
	return r.all, nil
}

func (r *reader) property(p property) *Error {
	fail := func(format string, args ...any) *Error {
		return &Error{Line: p.line, Sentence: fmt.Sprintf(format, args...)}
	}
	switch p.name {
	case "BEGIN":
		c := strings.ToUpper(strings.TrimSpace(p.value))
		if len(r.open) == 0 && c != "VCALENDAR" {
			return fail("« BEGIN:%s » est hors d’un calendrier.", short(c))
		}
		if len(r.open) >= 8 {
			return fail("Trop de parties l’une dans l’autre.")
		}
		if slices.Contains(r.open, c) {
			return fail("« BEGIN:%s » commence avant que le précédent finisse : il manque « END:%s ».", short(c), short(c))
		}
		r.open, r.lines = append(r.open, c), append(r.lines, p.line)
		if c == "VEVENT" {
			if len(r.all) >= maxEntries {
				return fail("Trop d’entrées : %d au plus.", maxEntries)
			}
			r.event, r.began = map[string]property{}, p.line
		}
		return nil
	case "END":
		c := strings.ToUpper(strings.TrimSpace(p.value))
		if len(r.open) == 0 || r.open[len(r.open)-1] != c {
			return fail("« END:%s » ne ferme rien : une partie du fichier manque.", short(c))
		}
		r.open, r.lines = r.open[:len(r.open)-1], r.lines[:len(r.lines)-1]
		switch c {
		case "VCALENDAR":
			r.ended = true
		case "VEVENT":
			r.entry()
		}
		return nil
	}
	if len(r.open) == 0 {
		return fail("« %s » est hors d’un calendrier.", short(p.name))
	}
	switch r.open[len(r.open)-1] {
	case "VCALENDAR":
		if p.name == "X-WR-CALNAME" || p.name == "NAME" || p.name == "X-WR-CALDESC" {
			r.name += " " + text(p.value)
		}
	case "VEVENT":
		if _, twice := r.event[p.name]; twice && (p.name == "DTSTART" || p.name == "DTEND") {
			return fail("« %s » est donné deux fois pour la même entrée.", p.name)
		}
		r.event[p.name] = p
	}
	return nil
}

// entry takes an event in. What is wrong with its days waits until somebody asks
// for its zone: the official file has had nonsense for places overseas.
func (r *reader) entry() {
	get := func(name string) string { return text(r.event[name].value) }
	if strings.EqualFold(get("STATUS"), "CANCELLED") {
		return
	}
	summary := get("SUMMARY")
	e := entry{line: r.began, name: clean(summary), teachers: forTeachers(summary)}
	e.bad = e.days(r.event, r.loc)
	// A UID and a calendar's name are of the whole file: they count where the entry
	// itself says nothing.
	if !e.locate(get("LOCATION"), summary, get("DESCRIPTION")) && !e.locate(get("UID")) {
		r.unsure = append(r.unsure, len(r.all))
	}
	r.all = append(r.all, e)
}

func (e *entry) days(event map[string]property, loc *time.Location) (err *Error) {
	if e.name == "" {
		return &Error{Line: e.line, Sentence: "L’entrée n’a pas de nom (SUMMARY)."}
	}
	for _, name := range []string{"RRULE", "RDATE"} {
		if p, ok := event[name]; ok {
			return &Error{Line: p.line, Sentence: "Cette entrée se répète : un calendrier de vacances donne chaque date."}
		}
	}
	start, ok := event["DTSTART"]
	if !ok {
		return &Error{Line: e.line, Sentence: fmt.Sprintf("« %s » n’a pas de début (DTSTART).", short(e.name))}
	}
	if e.from, err = icsMoment(start, loc); err != nil {
		return err
	}
	if end, ok := event["DTEND"]; ok {
		e.to, err = icsMoment(end, loc)
		return err
	}
	if p, ok := event["DURATION"]; ok {
		n, ok := icsDays(p.value)
		if !ok {
			return &Error{Line: p.line, Sentence: fmt.Sprintf("La durée « %s » n’est pas lisible : en jours ou en semaines (P16D).", short(p.value))}
		}
		e.to = moment{day: e.from.day.AddDate(0, 0, n)}
	}
	return nil
}

var durationRE = regexp.MustCompile(`^P(\d{1,3})([DW])$`)

func icsDays(s string) (int, bool) {
	m := durationRE.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	if m[2] == "W" {
		n *= 7
	}
	return n, err == nil
}

// icsMoment reads a DATE or a DATE-TIME (§3.3.4, §3.3.5).
func icsMoment(p property, loc *time.Location) (moment, *Error) {
	v := strings.TrimSpace(p.value)
	bad := func() (moment, *Error) {
		return moment{}, &Error{Line: p.line, Sentence: fmt.Sprintf("La date « %s » n’existe pas ou n’est pas lisible (exemple : 20261219).", short(v))}
	}
	if len(v) == 8 {
		t, err := time.Parse("20060102", v)
		if err != nil || !sane(t) {
			return bad()
		}
		return moment{day: t}, nil
	}
	if utc, ok := strings.CutSuffix(v, "Z"); ok {
		t, err := time.Parse("20060102T150405", utc)
		if err != nil || !sane(t) {
			return bad()
		}
		return at(t.In(loc)), nil
	}
	switch zone := p.params["TZID"]; zone {
	case "", "Europe/Paris", "/Europe/Paris", "Romance Standard Time": // the last is what Outlook writes
	default:
		return moment{}, &Error{Line: p.line, Sentence: fmt.Sprintf("Les heures sont dans le fuseau « %s », et non dans celui de Paris.", short(zone))}
	}
	t, err := time.Parse("20060102T150405", v)
	if err != nil || !sane(t) {
		return bad()
	}
	return at(t), nil
}

// sane keeps years that a calendar can have: 1900 and 9999 are typing mistakes.
func sane(t time.Time) bool { return t.Year() >= 1950 && t.Year() <= 2150 }

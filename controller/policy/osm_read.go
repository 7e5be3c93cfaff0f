package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxOSM bounds a text, in bytes.
const maxOSM = 256 << 10

// OSMError says what of a text is not read, and where.
type OSMError struct {
	At       int    // character, from 1
	Part     string // what stands there
	Sentence string // in French, for staff
}

func (e *OSMError) Error() string {
	return fmt.Sprintf("cannot read the opening hours at character %d (%q): %s", e.At, e.Part, e.Sentence)
}

// French is the place and the sentence.
func (e *OSMError) French() string {
	if e.Part == "" {
		return fmt.Sprintf("Caractère %d : %s", e.At, e.Sentence)
	}
	return fmt.Sprintf("Caractère %d, « %s » : %s", e.At, e.Part, e.Sentence)
}

// osmRule is one rule as it was written.
type osmRule struct {
	at      int // its first character, from 0
	add     bool
	always  bool // 24/7
	dated   bool
	dates   []days
	keys    []string // public holidays, when its dates are these and nothing else
	ph, sh  bool
	week    [7]bool // by time.Weekday
	hasWeek bool
	either  bool // « PH,Mo-Fr »: holidays and weekdays side by side
	nth     [7][]int
	hasNth  bool
	spans   []Span
	off     bool
	why     string
}

// osmScanner walks over a text. Its methods move on only over what they read.
type osmScanner struct {
	r    []rune
	i    int
	year int // that dates without a year begin with
}

func (s *osmScanner) fail(at int, format string, args ...any) *OSMError {
	end := at
	for end < len(s.r) && end < at+24 && s.r[end] != ';' {
		end++
	}
	return &OSMError{At: at + 1, Part: strings.TrimSpace(string(s.r[min(at, len(s.r)):end])), Sentence: fmt.Sprintf(format, args...)}
}

func (s *osmScanner) space() {
	for s.i < len(s.r) && unicode.IsSpace(s.r[s.i]) {
		s.i++
	}
}

func (s *osmScanner) peek() rune {
	s.space()
	if s.i < len(s.r) {
		return s.r[s.i]
	}
	return 0
}

func (s *osmScanner) take(want rune) bool {
	c := s.peek()
	if c == want || want == '-' && (c == '–' || c == '—' || c == '‐' || c == '‑') {
		s.i++
		return true
	}
	return false
}

// word reads letters, as small ones.
func (s *osmScanner) word() string {
	s.space()
	from := s.i
	for s.i < len(s.r) && (s.r[s.i] >= 'a' && s.r[s.i] <= 'z' || s.r[s.i] >= 'A' && s.r[s.i] <= 'Z') {
		s.i++
	}
	return strings.ToLower(string(s.r[from:s.i]))
}

// oneOf reads a word if it is one of those wanted, and says which.
func (s *osmScanner) oneOf(words ...string) (int, bool) {
	was := s.i
	w := s.word()
	if n := slices.Index(words, w); n >= 0 {
		return n, true
	}
	s.i = was
	return 0, false
}

// number reads digits that begin no time: « 08:00 » stays.
func (s *osmScanner) number(low, high int) (int, bool) {
	s.space()
	was := s.i
	for s.i < len(s.r) && s.r[s.i] >= '0' && s.r[s.i] <= '9' {
		s.i++
	}
	n := s.i - was
	v, err := strconv.Atoi(string(s.r[was:s.i]))
	if err != nil || n < low || n > high || s.i < len(s.r) && s.r[s.i] == ':' && s.i+1 < len(s.r) && unicode.IsDigit(s.r[s.i+1]) {
		s.i = was
		return 0, false
	}
	return v, true
}

// ahead tells whether f reads something behind a comma; then it is read.
func (s *osmScanner) ahead(f func() bool) bool {
	was := s.i
	if s.take(',') && f() {
		return true
	}
	s.i = was
	return false
}

func readOSM(text string, year int) ([]osmRule, *OSMError) {
	s := &osmScanner{r: []rune(text), year: year}
	if len(text) > maxOSM {
		return nil, &OSMError{At: 1, Sentence: "Le texte est trop long."}
	}
	var all []osmRule
	add := false
	for s.peek() != 0 {
		if s.take(';') { // an empty rule: many texts end so
			add = false
			continue
		}
		r, err := s.rule()
		if err != nil {
			return nil, err
		}
		r.add = add
		all = append(all, r)
		at := s.i
		switch c := s.peek(); {
		case c == 0:
		case s.take(';'):
			add = false
		case c == '|':
			return nil, s.fail(s.i, "Les règles de secours (||) ne sont pas lues.")
		case s.take(','):
			if add = true; s.peek() == 0 {
				return nil, s.fail(at, "Il manque quelque chose après la virgule.")
			}
		default:
			return nil, s.fail(s.i, "Cette partie n’est pas lue ici.")
		}
	}
	if len(all) == 0 {
		return nil, &OSMError{At: 1, Sentence: "Le texte est vide."}
	}
	return all, nil
}

func (s *osmScanner) rule() (osmRule, *OSMError) {
	s.space()
	r := osmRule{at: s.i}
	begin := s.i
	if strings.HasPrefix(string(s.r[s.i:min(len(s.r), s.i+4)]), "24/7") {
		s.i += 4
		r.always, r.week, r.spans = true, [7]bool{true, true, true, true, true, true, true}, []Span{{0, 1440}}
	} else {
		if err := s.dates(&r); err != nil {
			return r, err
		}
		if err := s.weekdays(&r); err != nil {
			return r, err
		}
		s.take(':') // for readability
		if err := s.times(&r); err != nil {
			return r, err
		}
	}
	if err := s.modifier(&r); err != nil {
		return r, err
	}
	if s.i == begin {
		return r, s.strange()
	}
	if r.off && len(r.spans) > 0 && !r.always {
		return r, s.fail(begin, "Fermer quelques heures d’un jour n’est pas lu : indiquez les heures d’ouverture.")
	}
	if !r.off && len(r.spans) == 0 {
		if c := s.peek(); c != 0 && c != ';' && c != ',' {
			return r, s.strange()
		}
		return r, s.fail(begin, "Il manque les heures, ou « off ».")
	}
	if r.always && r.off {
		r.spans = nil
	}
	return r, nil
}

// strange says of what begins no rule why it does not.
func (s *osmScanner) strange() *OSMError {
	at := s.i
	switch w := s.word(); w {
	case "week":
		return s.fail(at, "Les numéros de semaine ne sont pas lus : indiquez des dates.")
	case "sunrise", "sunset", "dawn", "dusk":
		return s.fail(at, "Le lever et le coucher du soleil ne sont pas lus : indiquez des heures.")
	case "unknown":
		return s.fail(at, "« unknown » n’est pas lu : un lieu est ouvert ou fermé.")
	}
	return s.fail(at, "Cette partie n’est pas lue. Exemple : Mo-Fr 08:00-12:00; PH off.")
}

// modifier reads off, open and a comment.
func (s *osmScanner) modifier(r *osmRule) *OSMError {
	at := s.i
	n, ok := s.oneOf("off", "closed", "open", "unknown")
	switch {
	case ok && n < 2:
		r.off = true
	case ok && n == 2 && len(r.spans) == 0:
		r.spans = []Span{{0, 1440}} // open, at any time
	case ok && n == 3:
		return s.fail(at, "« unknown » n’est pas lu : un lieu est ouvert ou fermé.")
	}
	if !s.take('"') {
		return nil
	}
	from := s.i
	for s.i < len(s.r) && s.r[s.i] != '"' {
		s.i++
	}
	if s.i == len(s.r) {
		return s.fail(from-1, "Le guillemet qui ferme ce commentaire manque.")
	}
	r.why = osmText(string(s.r[from:s.i]))
	s.i++
	return nil
}

// osmText is a comment as hours keep it.
func osmText(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	return strings.TrimSpace(strings.ToValidUTF8(s[:min(len(s), maxWhy)], ""))
}

// weekdays reads « Mo-Fr,Su », « PH », « SH Tu », « Tu[1,-1] ».
func (s *osmScanner) weekdays(r *osmRule) *OSMError {
	item := func() (bool, *OSMError) {
		was := s.i
		n, ok := s.oneOf("su", "mo", "tu", "we", "th", "fr", "sa", "ph", "sh")
		switch {
		case !ok:
			return false, nil
		case n == 7:
			r.ph = true
			if c := s.peek(); c == '+' || c == '-' {
				return false, s.fail(was, "Les jours autour d’un jour férié ne sont pas lus.")
			}
			return true, nil
		case n == 8:
			r.sh = true
			return true, nil
		}
		r.hasWeek = true
		if s.take('[') {
			r.hasNth = true
			return true, s.places(r, n, was)
		}
		last := n
		if at := s.i; s.take('-') {
			if last, ok = s.oneOf("su", "mo", "tu", "we", "th", "fr", "sa"); !ok {
				return false, s.fail(at, "Il manque le dernier jour (Mo, Tu, We, Th, Fr, Sa, Su).")
			}
		}
		for d := n; ; d = (d + 1) % 7 {
			r.week[d] = true
			if d == last {
				return true, nil
			}
		}
	}
	list := func() *OSMError {
		ok, err := item()
		for ok && err == nil {
			if ok = s.ahead(func() bool { var got bool; got, err = item(); return got || err != nil }); err != nil {
				break
			}
		}
		return err
	}
	if err := list(); err != nil {
		return err
	}
	r.either = r.hasWeek && (r.ph || r.sh)
	if (r.ph || r.sh) && !r.hasWeek {
		return list() // « SH Tu »: Tuesdays in the holidays
	}
	return nil
}

// places reads the [1], [1,3], [1-2] or [-1] behind a weekday.
func (s *osmScanner) places(r *osmRule, day, at int) *OSMError {
	for {
		negative := s.take('-')
		n, ok := s.number(1, 1)
		last := n
		if ok && !negative && s.take('-') {
			last, ok = s.number(1, 1)
		}
		if negative {
			n, last = -n, -last
		}
		if !ok || n == 0 || n < -1 || last > 4 || last < n {
			return s.fail(at, "Du premier au quatrième ([1] à [4]) ou le dernier ([-1]) de chaque mois : le reste n’est pas lu.")
		}
		for ; n <= last; n++ {
			if n != 0 && !slices.Contains(r.nth[day], n) {
				r.nth[day] = append(r.nth[day], n)
			}
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.fail(at, "Le crochet qui ferme manque.")
		}
	}
}

// times reads « 08:00-12:00,22:00-26:00 ».
func (s *osmScanner) times(r *osmRule) *OSMError {
	for {
		s.space()
		at := s.i
		from, ok := s.clock()
		if !ok {
			return nil
		}
		if !s.take('-') {
			return s.fail(at, "Il manque l’heure de fin (exemple : 08:00-12:00).")
		}
		to, ok := s.clock()
		if !ok {
			return s.fail(at, "L’heure de fin n’est pas lisible (exemple : 08:00-12:00).")
		}
		if c := s.peek(); c == '+' || c == '/' {
			return s.fail(s.i, "Une fin ouverte ou un intervalle n’est pas lu.")
		}
		if to <= from {
			to += 1440
		}
		span := Span{from, to}
		if !span.readable() {
			return s.fail(at, "Un horaire commence dans la journée (00:00 à 23:59) et dure 24 heures au plus.")
		}
		r.spans = append(r.spans, span)
		was := s.i
		if !s.take(',') {
			return nil
		}
		s.space()
		if next := s.i; !s.isClock() {
			s.i = was // the comma of a rule that adds
			return nil
		} else {
			s.i = next
		}
	}
}

func (s *osmScanner) isClock() bool {
	was := s.i
	_, ok := s.clock()
	s.i = was
	return ok
}

// clock reads 8:00 to 48:00.
func (s *osmScanner) clock() (int, bool) {
	s.space()
	was, digits := s.i, func() string {
		from := s.i
		for s.i < len(s.r) && s.i < from+3 && s.r[s.i] >= '0' && s.r[s.i] <= '9' {
			s.i++
		}
		return string(s.r[from:s.i])
	}
	h := digits()
	if h == "" || s.i >= len(s.r) || s.r[s.i] != ':' {
		s.i = was
		return 0, false
	}
	s.i++
	m := digits()
	hours, err := strconv.Atoi(h)
	minutes, err2 := strconv.Atoi(m)
	if err != nil || err2 != nil || len(h) > 2 || len(m) != 2 || minutes > 59 || hours*60+minutes > 48*60 {
		s.i = was
		return 0, false
	}
	return hours*60 + minutes, true
}

// month reads Jan to Dec.
func (s *osmScanner) month() (time.Month, bool) {
	n, ok := s.oneOf("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
	return time.Month(n + 1), ok
}

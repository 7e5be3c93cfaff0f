package policy

import "time"

// Hours are a space's opening hours in Europe/Paris. For one day the first of
// these that says something decides: an exception that replaces; a public
// holiday on which the place is closed; school holidays; a season; the week.
// Monthly openings and exceptions that add come on top.
type Hours struct {
	Always     bool        `json:"always"` // open day and night
	Weekly     Week        `json:"weekly"`
	Seasons    []Season    `json:"seasons"`
	Monthly    []Monthly   `json:"monthly"`
	Exceptions []Exception `json:"exceptions"`
	School     School      `json:"school"`
	Public     Public      `json:"public"`
	Duty       Week        `json:"duty"`    // when the building's own staff is there: school or office hours; all empty: always
	Guarded    bool        `json:"guarded"` // outside Duty it opens under an agreement only: a collège
	Agreements []Agreement `json:"agreements"`
	Meanwhile  string      `json:"meanwhile"` // who helps while it is closed; shown on the closed screen, in French
}

// Week is a week's spans by time.Weekday: Sunday first.
type Week [7][]Span

// Span is a stretch of a day, in minutes after local midnight. To may pass
// 1440: the span then ends on the next day.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Season has a week of its own from one day to another: summer hours. Of two
// that hold for a day the later in the list decides.
type Season struct {
	Name   string `json:"name"`
	From   string `json:"from"` // 2006-01-02
	To     string `json:"to"`   // its last day
	Weekly Week   `json:"weekly"`
}

// Monthly opens besides on one day of each month: the first Tuesday. Not on
// days closed for a public holiday or for the holidays.
type Monthly struct {
	Nth   int    `json:"nth"`            // 1 to 4, or -1 for the month's last
	Day   int    `json:"day"`            // time.Weekday: Sunday is 0
	From  string `json:"from,omitempty"` // first day that counts; empty: always
	To    string `json:"to,omitempty"`   // last day that counts; empty: for ever
	Spans []Span `json:"spans"`
	Why   string `json:"why"` // shown to staff, in French
}

// Exception replaces the spans of some days, or adds to them. One that replaces
// and has no span closes.
type Exception struct {
	Day   string `json:"day"`          // 2006-01-02
	To    string `json:"to,omitempty"` // its last day; empty: Day alone
	Spans []Span `json:"spans"`
	Add   bool   `json:"add,omitempty"`
	Why   string `json:"why"` // shown on the closed screen, in French
}

// Zone is a zone of school holidays; Haute-Savoie is in A.
type Zone string

// Zones. Without one there are no school holidays.
const (
	NoZone Zone = ""
	ZoneA  Zone = "A"
	ZoneB  Zone = "B"
	ZoneC  Zone = "C"
)

// Mode says what days out of the ordinary change.
type Mode string

// Modes.
const (
	ModeUsual  Mode = ""       // nothing
	ModeClosed Mode = "closed" // the place is closed
	ModeWeekly Mode = "weekly" // a week of its own: a « permanence »
)

// School is what school holidays change.
type School struct {
	Zone   Zone    `json:"zone"`
	Mode   Mode    `json:"mode"`
	Weekly Week    `json:"weekly"` // with ModeWeekly
	Breaks []Break `json:"breaks"` // the zone's, from the official calendar; the controller writes them
}

// Break is one holiday of schools, by its days without class.
type Break struct {
	Name string `json:"name"` // « Vacances de Noël »
	From string `json:"from"` // first day without class
	To   string `json:"to"`   // last day without class
}

// Public is what public holidays change.
type Public struct {
	Mode   Mode     `json:"mode"`   // ModeUsual or ModeClosed
	Worked []string `json:"worked"` // with ModeClosed: keys of the holidays on which the place opens as usual (see PublicDay)
}

// Agreement lets a place open outside Duty between two days. It names who holds
// the key; what only staff may read does not travel to terminals (see ForTerminal).
type Agreement struct {
	From      string `json:"from"`              // 2006-01-02
	To        string `json:"to"`                // its last day: it ends by itself
	By        string `json:"by,omitempty"`      // who authorised it
	Agreed    string `json:"agreed,omitempty"`  // on which day
	Key       string `json:"key,omitempty"`     // who holds the key and re-arms the alarm
	Contact   string `json:"contact,omitempty"` // e-mail address of that person, for what concerns the alarm
	Suspended bool   `json:"suspended"`
	// Head is the address of the head of the establishment, who is asked by mail; empty:
	// nobody is asked, By says who agreed. ID names the agreement to them.
	Head     string `json:"head,omitempty"`
	ID       string `json:"id,omitempty"`
	Answer   Answer `json:"answer,omitempty"`   // theirs; the controller alone writes it
	Answered string `json:"answered,omitempty"` // on which day
}

// Answer is what the head of an establishment says of an opening.
type Answer string

// Answers.
const (
	AnswerNone      Answer = ""      // nobody was asked
	AnswerAsked     Answer = "asked" // none yet
	AnswerAccepted  Answer = "accepted"
	AnswerRefused   Answer = "refused"
	AnswerSuspended Answer = "suspended"
)

// Holds tells whether one may open under the agreement on its days.
func (a Agreement) Holds() bool { return !a.Suspended && !a.forbids() }

// forbids tells whether the head was asked and has not accepted: then nothing opens
// on its days outside Duty, whatever another agreement says.
func (a Agreement) forbids() bool {
	asked := a.Head != "" || a.Answer != AnswerNone // who was asked is forgotten after a year
	return asked && a.Answer != AnswerAccepted
}

// Cause is why it is open or closed.
type Cause string

// Causes.
const (
	CauseAlways      Cause = "always"
	CauseWeekly      Cause = "weekly"
	CauseSeason      Cause = "season"
	CauseMonthly     Cause = "monthly"
	CauseException   Cause = "exception"
	CauseSchool      Cause = "school"       // school holidays
	CausePublic      Cause = "public"       // a public holiday
	CauseNoAgreement Cause = "no-agreement" // planned outside Duty, and nobody agreed
)

// Opening is the answer for one instant.
type Opening struct {
	Open    bool
	Since   time.Time // when that began; zero: always, or longer ago than was looked for
	Until   time.Time // when it ends; zero: never, or later than was looked for
	Cause   Cause
	Why     string // an exception's reason, or the name of a season or of holidays
	Outside bool   // open outside Duty: somebody holds the key
	// Vacant is since when nobody should be in the building: it is closed, and its
	// staff has gone. Zero: somebody is there, or it is not known.
	Vacant time.Time
}

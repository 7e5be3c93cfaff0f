// Package session is the pure machine of one terminal: who may begin, what a
// person sees, when a session ends, and that nobody follows before a proven
// wipe. It does no input or output and reads no clock: time arrives in events,
// and everything it wants done leaves as effects that run only after the new
// state is durable.
package session

import (
	"maps"
	"slices"
	"time"

	"borne/controller/wire"
)

// Schema is the version of State's JSON. A state of another schema is not
// believed: the terminal wipes (see Decode).
const Schema = 1

// Phase is where the terminal stands.
type Phase string

// Phases. Their names are what wire.Status carries.
const (
	Starting    Phase = "starting"    // surveying what this machine can do
	Welcome     Phase = "welcome"     // ready for a person
	Charter     Phase = "charter"     // a person reads the one sentence; nothing is open yet
	Opening     Phase = "opening"     // permit consumed, the sandbox is being admitted
	Active      Phase = "active"      // a person works
	Warning     Phase = "warning"     // a warning covers the session
	Ending      Phase = "ending"      // waits a bounded time for an upload, or a document on its way to the printer
	Wiping      Phase = "wiping"      // until the evidence is clean and the receipt committed
	Thanks      Phase = "thanks"      // tells what was erased; already clean
	Closed      Phase = "closed"      // outside hours, without a permit or without a policy
	Quarantined Phase = "quarantined" // by the controller
	Broken      Phase = "broken"      // out of service, with a reason
	Updating    Phase = "updating"
	Maintenance Phase = "maintenance" // put out by staff, or its case is open
	Challenge   Phase = "challenge"   // a wipe without a session, whose receipt lifts a quarantine
)

// Phases lists every phase.
func Phases() []Phase {
	return []Phase{Starting, Welcome, Charter, Opening, Active, Warning, Ending, Wiping, Thanks, Closed, Quarantined,
		Broken, Updating, Maintenance, Challenge}
}

// InSession tells whether a person's session is open: its permit is consumed
// and its sandbox may hold the person's data.
func (p Phase) InSession() bool {
	return p == Opening || p == Active || p == Warning || p == Ending
}

// Standing tells whether the terminal is clean and waits, open or not.
func (p Phase) Standing() bool {
	switch p {
	case Welcome, Closed, Quarantined, Broken, Updating, Maintenance:
		return true
	}
	return false
}

// State is everything the terminal must remember. Fields under Live do not
// survive the process: monotonic time means nothing after a restart.
type State struct {
	Schema     int         `json:"schema"`
	Phase      Phase       `json:"phase"`
	Reason     wire.Reason `json:"reason,omitempty"` // why closed, quarantined, broken or in maintenance
	Serial     uint64      `json:"serial"`           // id of the last effect, never reused
	Limits     Limits      `json:"limits"`
	Permits    []Permit    `json:"permits,omitempty"` // held, in the order of use
	Used       Mark        `json:"used"`              // last permit consumed: no older one is ever taken again
	Dirty      bool        `json:"dirty,omitempty"`   // set by the commit that admits, cleared only by a clean wipe
	Run        *Run        `json:"run,omitempty"`     // the session whose receipt is owed
	Wipe       *Wipe       `json:"wipe,omitempty"`    // in Wiping and Challenge
	Quarantine wire.Reason `json:"quarantine,omitempty"`
	Fault      wire.Reason `json:"fault,omitempty"`    // why it is broken
	Out        *Out        `json:"out,omitempty"`      // staff put it out of service
	Lift       *Lift       `json:"lift,omitempty"`     // a challenge that was asked for
	Hours      Hours       `json:"hours"`              // as of the last tick; its decision outlives an unsure clock
	AlarmTold  time.Time   `json:"alarmTold,omitzero"` // the opening or closing that an alert about the alarm was for
	Forget     string      `json:"forget,omitempty"`
	Awake      time.Time   `json:"awake,omitzero"`  // staff hold it awake until then
	Shut       *Shut       `json:"shut,omitempty"`  // staff closed it at the terminal
	Stay       *Stay       `json:"stay,omitempty"`  // or keep it open
	Tries      int         `json:"tries,omitempty"` // PINs of staff in a row that were not the one

	Live Live `json:"-"`
}

// Permit lets one session open.
type Permit struct {
	ID         string    `json:"id"`
	N          uint64    `json:"n"`
	Nonce      []byte    `json:"nonce"`
	NotAfter   time.Time `json:"notAfter"`
	Generation uint64    `json:"generation"`
}

// Mark orders permits.
type Mark struct {
	Generation uint64 `json:"generation"`
	N          uint64 `json:"n"`
}

func (m Mark) before(p Permit) bool {
	return m.Generation < p.Generation || m.Generation == p.Generation && m.N < p.N
}

// Run is one person's session, from admission to its receipt.
type Run struct {
	ID      string        `json:"id"`
	Permit  Permit        `json:"permit"`
	Lang    string        `json:"lang"`
	Holder  []byte        `json:"holder,omitempty"` // h1 of the badge, while the session lasts
	Total   time.Duration `json:"total"`            // granted so far
	Given   time.Duration `json:"given,omitempty"`  // of that, by staff at the terminal
	Seconds int           `json:"seconds"`          // spent; exact once it has ended, in whole minutes before
	Active  int           `json:"active"`           // seconds with input within the last minute
	Reason  wire.Reason   `json:"reason,omitempty"` // once it ends
	// Filtered counts sites refused, by category; exact once it has ended, as of
	// the last whole minute before.
	Filtered map[string]int `json:"filtered,omitempty"`
}

// Wipe is the wipe that runs.
type Wipe struct {
	Kind   WipeKind `json:"kind"`
	Failed int      `json:"failed"` // attempts that failed
}

// WipeKind is what a wipe's evidence is for.
type WipeKind string

// Kinds of wipe.
const (
	WipeSession   WipeKind = "session"   // owes the permit's receipt
	WipeChallenge WipeKind = "challenge" // owes the challenge's receipt
	WipeSweep     WipeKind = "sweep"     // staff asked, or the state was not readable: evidence, no receipt
)

// Out is a terminal that staff put out of service.
type Out struct {
	Text string `json:"text,omitempty"`
}

// Lift is a challenge: the command's id and nonce.
type Lift struct {
	Command string `json:"command"`
	Nonce   []byte `json:"nonce"`
}

// Hours is whether the place is open.
type Hours struct {
	Known  bool      `json:"known"` // it was decided once with a clock that could be trusted
	Open   bool      `json:"open"`
	Since  time.Time `json:"-"` // when that began; zero: unknown, or always
	Vacant time.Time `json:"-"` // since when nobody should be in the building
	Until  time.Time `json:"-"` // when that changes; zero: unknown or never
	Cause  string    `json:"-"` // policy.Cause
	Why    string    `json:"-"`
	Next   time.Time `json:"-"` // while staff have closed it: when it opens again
}

// Live is what this process knows and the next one learns anew.
type Live struct {
	Surveyed    bool          // since this process began, and since the warden was last lost
	Await       uint64        // effect whose result is awaited; 0 for none
	Until       time.Duration // when the phase's timer or the awaited effect ends
	Guest       *Guest        // at the charter
	Warn        Warn          // in Warning
	Retry       time.Duration // when the next attempt to wipe begins
	Admitted    time.Duration // when the permit was consumed
	Since       time.Duration // when the session opened: the person's time runs from here
	Touched     time.Duration // last sign of life that is not input: an answer, a playing video
	Last        time.Duration // last tick in the session
	Busy        time.Duration // time with input within the last minute
	Warned      time.Duration // smallest warning given; longer than any limit: none yet
	ClosingSaid time.Duration // smallest warning of the closing; as Warned
	Closes      time.Time     // when the place closes, as of the last tick in the session
	CloseBy     time.Duration // the place closes; 0: not near
	Left        time.Duration // of the session, as of the last tick
	Uploading   bool
	UploadBy    time.Duration // in Ending: no upload is waited for from then on
	Sending     bool          // a document is on its way to the printer
	Message     string        // waits for the warning before it, or is shown on a standing screen
	MessageTo   time.Duration
	Notice      wire.Reason // a passing refusal
	NoticeTo    time.Duration
	Identify    time.Duration // shows its name until then
	Lang        string        // chosen on the welcome screen
	OtherFree   bool
	Sure        bool    // the last tick's hours could be believed
	Contact     Contact // of the case
	CaseOpen    bool
	Alarm       Contact // of the building's alarm
	Armed       bool
	SpaceArmed  bool // another terminal of the space says that the alarm is armed
	Updating    bool
	Unprotected bool           // a list of names that the policy asks for is not here
	Filtered    map[string]int // sites refused in this session, by category
	Refused     string         // category of the last one, shown until RefusedTo
	RefusedTo   time.Duration
	Trouble     wire.Reason // a fault that this process sees: disk full, a policy key
	Stopping    bool
	Level       wire.Level
	Missing     []string
	Summary     *Summary      // what the thanks screen tells
	Staff       *Staff        // their menu, while it is open
	Ask         time.Duration // the question for their PIN is open until then
	PINNext     time.Duration // when the next PIN may be tried
	PINLast     time.Duration // when one was tried last
	PINWrong    bool          // and it was not the one
	Anew        bool          // staff want the software to start again
	Plan        Plan
}

// Guest is somebody at the charter: no permit is consumed yet.
type Guest struct {
	Holder []byte
}

// Warn is the warning that covers the session.
type Warn struct {
	Kind  WarnKind
	Until time.Duration // end of the grace; 0: it stays until answered
	Of    time.Duration
	Text  string
	Added time.Duration // with WarnExtended
}

// WarnKind names a warning.
type WarnKind string

// Warnings. Idle and badge end the session when nobody answers.
const (
	WarnIdle     WarnKind = "idle"
	WarnBadge    WarnKind = "badge" // another badge was held to the reader
	WarnTime     WarnKind = "time"
	WarnClosing  WarnKind = "closing"
	WarnAnew     WarnKind = "restart" // staff have the terminal start again
	WarnExtended WarnKind = "extended"
	WarnMessage  WarnKind = "message"
)

// Summary is what the last wipe proved.
type Summary struct {
	Reason  wire.Reason
	Full    bool
	Millis  int
	Receipt string // short number of the receipt
	Checks  []wire.Check
	Smile   Asking
}

// Asking is whether the person may still say how it went: once, and only who ended
// the session themselves, or had to.
type Asking string

// Whether it is asked.
const (
	AskNot   Asking = ""
	AskSmile Asking = "ask"
	AskDone  Asking = "done"
)

// Limits is the part of a policy that the machine obeys. A session keeps the
// minutes it was admitted with; the rest applies live.
type Limits struct {
	Version       uint64          `json:"version"` // 0: no policy yet
	Profile       string          `json:"profile"`
	Languages     []string        `json:"languages,omitempty"`
	Minutes       time.Duration   `json:"minutes"`
	Extend        time.Duration   `json:"extend"`
	Max           time.Duration   `json:"max"`
	Min           time.Duration   `json:"min"`
	Warn          []time.Duration `json:"warn,omitempty"`
	Idle          time.Duration   `json:"idle"`
	Grace         time.Duration   `json:"grace"`
	Upload        time.Duration   `json:"upload"`
	Finish        time.Duration   `json:"finish,omitempty"` // how long an end waits for a document on its way to the printer
	Thanks        time.Duration   `json:"thanks"`
	BadgeRequired bool            `json:"badgeRequired,omitempty"`
	RequireFull   bool            `json:"requireFull,omitempty"`
	Pages         int             `json:"pages"`             // 0 without printing
	Receipt       time.Duration   `json:"receipt,omitempty"` // after a session began, until its receipt is missed
	PIN           bool            `json:"pin,omitempty"`     // staff have one
}

// Times of the machine's own.
const (
	MaxWipes     = 3 // attempts before the terminal is out of service
	SurveyWithin = 60 * time.Second
	OpenWithin   = 60 * time.Second
	WipeWithin   = 90 * time.Second
	RetryAfter   = 2 * time.Second // between two attempts to wipe
	SurveyAgain  = 5 * time.Minute // a broken machine may have been mended
	CharterFor   = 60 * time.Second
	NoticeFor    = 8 * time.Second
	RefusedFor   = 12 * time.Second // a sentence to read beside an empty page
	IdentifyFor  = time.Minute
	MessageFor   = 10 * time.Minute
	MaxAwake     = 24 * time.Hour // that staff may hold a terminal awake
	MaxPermits   = wire.MaxPermits
	ArmedFor     = time.Minute      // after an opening, until an alarm that is still armed is told
	UnarmedFor   = 30 * time.Minute // after a closing, until one that is not armed is told
	never        = time.Duration(1<<63 - 1)
)

// clone keeps Step from writing into what its caller holds.
func (s State) clone() State {
	s.Permits = slices.Clone(s.Permits)
	s.Limits.Languages = slices.Clone(s.Limits.Languages)
	s.Limits.Warn = slices.Clone(s.Limits.Warn)
	s.Run = copied(s.Run)
	if s.Run != nil {
		s.Run.Filtered = maps.Clone(s.Run.Filtered)
	}
	s.Live.Filtered = maps.Clone(s.Live.Filtered)
	s.Wipe = copied(s.Wipe)
	s.Out = copied(s.Out)
	s.Lift = copied(s.Lift)
	s.Shut = copied(s.Shut)
	s.Stay = copied(s.Stay)
	s.Live.Guest = copied(s.Live.Guest)
	s.Live.Summary = copied(s.Live.Summary)
	return s
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

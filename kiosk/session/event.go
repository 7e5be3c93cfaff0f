package session

import (
	"time"

	"borne/controller/wire"
)

// Event is a fact with the time it happened.
type Event struct {
	At   Instant
	Fact Fact
}

// Instant is a time as the terminal knows it.
type Instant struct {
	Mono    time.Duration // since the process began; never goes back
	Wall    time.Time
	Trusted bool // the wall clock can be believed
}

// Fact is what happened.
type Fact interface{ fact() }

// Tick comes about once a second.
type Tick struct {
	Idle      time.Duration // since the last input of any kind
	Playing   bool          // a video or a sound plays in the session
	Uploading bool
	Sure      bool // Open and Until can be believed: the clock is trusted, or the place never closes
	Open      bool
	Since     time.Time // when Open began; zero: not known
	Vacant    time.Time // since when nobody should be in the building; zero: somebody is, or it is not known
	Until     time.Time // when Open changes; zero for never
	Cause     string    // policy.Cause
	Why       string    // an exception's reason, in French
	Guard     time.Time // until when it may stay open past its closing: policy.Hours.Guard
	Next      time.Time // when it opens after it has closed; asked for while staff have closed it
}

// Tapped is a badge that was held to the reader. Refused is set when the
// agent already knows that it opens nothing: too many cards, unknown, random.
type Tapped struct {
	Holder  []byte // h1
	Refused wire.Reason
}

// Acted is what a person pressed on the shell's page.
type Acted struct {
	Do      Do
	Lang    string // with SetLang
	Session string // a fresh random id, with Accept
}

// Do names what a person may press.
type Do string

// Actions, named as the shell names them.
const (
	Begin     Do = "begin"
	Accept    Do = "accept"
	Decline   Do = "decline"
	End       Do = "end"
	StillHere Do = "still-here"
	Arrived   Do = "arrived"
	Dismiss   Do = "dismiss"
	SetLang   Do = "lang"
	Home      Do = "home"
	Back      Do = "back"
	Again     Do = "again"
	SmileGood Do = "smile-good"
	SmileSoso Do = "smile-soso"
	SmileBad  Do = "smile-bad"
)

// Surveyed answers the effect Survey. Fault says why no session can open here.
type Surveyed struct {
	Effect  uint64
	Level   wire.Level
	Missing []string
	Fault   wire.Reason
}

// Opened answers the effect Open; Err is set when it could not be opened.
type Opened struct {
	Effect uint64
	Err    string
}

// Wiped answers the effect Wipe. It is a success only with no Err and no
// Failure, and, for a session or a challenge, with the signed receipt.
type Wiped struct {
	Effect  uint64
	Err     string // the wipe or the signature could not be made
	Failure string // the wipe was made and proves nothing
	Receipt *wire.Envelope
	Number  string // short number of the receipt
	Full    bool
	Millis  int
	Checks  []wire.Check
}

// Lost is the session's sandbox or the warden itself that went away.
type Lost struct {
	Session string // whose sandbox; ignored unless it is the one that runs
	Warden  bool
}

// Case is the case contact. Unknown says that the contact cannot be read,
// which is told to staff and is no proof that the case was opened.
type Case struct{ Contact Contact }

// Alarm tells that the building's intrusion alarm changed: its contact is open while it is armed.
type Alarm struct{ Contact Contact }

// Contact is a contact's level.
type Contact string

// Levels of a contact.
const (
	ContactClosed  Contact = "closed"
	ContactOpen    Contact = "open"
	ContactUnknown Contact = "unknown"
)

// Commanded is a command whose signature, terminal and expiry were checked and
// whose id was not applied before.
type Commanded struct{ Command wire.Command }

// Ruled brings the limits of a policy that was verified.
type Ruled struct{ Limits Limits }

// Permitted brings permits that were verified.
type Permitted struct{ Permits []Permit }

// Welcomed is the controller's word at each connection: quarantined, or free.
type Welcomed struct{ Quarantine wire.Reason }

// Neighbours tells whether another terminal of the space is free.
type Neighbours struct {
	OtherFree bool
	Armed     bool // one of them says that the building's alarm is armed
}

// Faulty puts the terminal out of service, or back with an empty Reason.
type Faulty struct{ Reason wire.Reason }

// Protected tells whether every list of names that the policy asks for is here.
type Protected struct{ Ready bool }

// Filtered tells that sites of a category were refused in a session, without
// which ones.
type Filtered struct {
	Session  string // ignored unless it is the one that runs
	Category string
	Count    int
}

// Sending tells whether a document of a session's is on its way to the printer.
type Sending struct {
	Session string // ignored unless it is the one that runs
	Busy    bool
}

// Update begins or ends an update of the software.
type Update struct{ Running bool }

// Stop asks the terminal to end cleanly: no data is left behind.
type Stop struct{}

func (Tick) fact()       {}
func (Tapped) fact()     {}
func (Acted) fact()      {}
func (Surveyed) fact()   {}
func (Opened) fact()     {}
func (Wiped) fact()      {}
func (Lost) fact()       {}
func (Case) fact()       {}
func (Alarm) fact()      {}
func (Commanded) fact()  {}
func (Ruled) fact()      {}
func (Permitted) fact()  {}
func (Welcomed) fact()   {}
func (Neighbours) fact() {}
func (Faulty) fact()     {}
func (Protected) fact()  {}
func (Filtered) fact()   {}
func (Sending) fact()    {}
func (Update) fact()     {}
func (Stop) fact()       {}

// Effect is something to do once the state that asks for it is durable. Its ID
// comes back in the result; results of any other effect than the awaited one
// are ignored.
type Effect struct {
	ID  uint64
	Ask Ask
}

// Ask is what to do.
type Ask interface{ ask() }

// DoSurvey asks what this machine can do → Surveyed.
type DoSurvey struct{}

// DoOpen turns the standby into this session → Opened.
type DoOpen struct {
	Session string
	Lang    string
}

// DoWipe destroys every sandbox, examines, and signs the receipt that Kind
// owes → Wiped.
type DoWipe struct {
	Kind    WipeKind
	Session string
	Permit  string // the command's id for a challenge
	Nonce   []byte
	Attempt int
}

// DoForget lets the warden drop the evidence of a committed receipt. No answer.
type DoForget struct{ Permit string }

// DoHome shows the portal; DoBack the page before. No answer.
type (
	DoHome struct{}
	DoBack struct{}
)

// DoStop says that the terminal is clean and the agent may end. No answer.
type DoStop struct{}

// DoVerify asks whether the PIN that was just typed is the one: StaffTried.
type DoVerify struct{}

// DoRestart says that staff want the agent started again. No answer.
type DoRestart struct{}

func (DoSurvey) ask()  {}
func (DoOpen) ask()    {}
func (DoWipe) ask()    {}
func (DoForget) ask()  {}
func (DoHome) ask()    {}
func (DoBack) ask()    {}
func (DoStop) ask()    {}
func (DoRestart) ask() {}
func (DoVerify) ask()  {}

// Package agent is the terminal's unprivileged role: one goroutine owns the
// session. Events come in, the machine steps, the journal commits state and
// records, and only then are the effects run; their results come back as
// events.
package agent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/energy"
	"borne/kiosk/journal"
	"borne/kiosk/printing"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// ErrAbandon, as the cause of Run's context, makes Run leave at once, as a
// power cut would: nothing is ended or wiped, and the next start recovers.
var ErrAbandon = errors.New("abandoned")

// Config says who this terminal is.
type Config struct {
	Terminal string              // id given at enrolment; empty: not enrolled, nobody can begin
	SignKeys []ed25519.PublicKey // that sign policy, permits and commands
	Build    string
	Boot     string // random id of this boot
	Machine  string // board or PC model
	Sim      bool
	State    string        // folder whose free space is told to staff
	StopIn   time.Duration // for a clean end; 0: less than what the warden waits for it
	Proxy    *url.URL      // to the controller, as the terminal's own file says; nil: none
	Printer  time.Duration // in which a printer that rules name has to answer before staff are told; 0: five minutes
	Trial    time.Duration // in which a changed network has to reach the controller; 0: two minutes
	Log      *slog.Logger
}

// Parts are what the agent works with. Warden, Browser, Stage, Shell, Journal,
// Clock, Ticks and Prepare are required.
type Parts struct {
	Warden  Warden
	Browser Opener
	Stage   Stage
	Shell   Shell
	Journal Journal
	Clock   Clock
	Ticks   <-chan time.Time // about one a second

	Uplink   Uplink             // nil: not enrolled
	Ways     Ways               // nil: the way to the controller cannot be changed
	Line     Line               // nil: cable and Wi-Fi are as they were installed
	Knock    Knocker            // nil: nobody looks whether sessions' proxies are there
	Taps     <-chan hw.Tap      // nil: no reader
	Case     <-chan hw.Level    // nil: no contact
	Call     <-chan hw.Level    // button that calls staff; nil: none
	Alarm    <-chan hw.Level    // the building's, against intruders: On is armed; nil: none
	Presence <-chan hw.Level    // somebody stands there: On wakes a sleeping terminal; nil: none
	Light    Output             // lit while somebody can use the terminal or does; nil: none
	Buzzer   Output             // sounds for a moment with each warning; nil: none
	Mains    Output             // relay of what sleeps with the terminal; nil: none
	Meter    Meter              // what the terminal draws; nil: nobody measures
	Screen   hw.Screen          // dark while the place is closed and nobody is there; nil: always lit
	Wake     energy.Alarm       // the clock that can start the machine; nil: none
	Power    energy.Power       // rights over the machine's speed and power; nil: none
	Devices  <-chan hw.Status   // nil: none
	Pages    ShellBrowser       // nil: the shell's page is shown by somebody else
	Restart  <-chan error       // something that counts from a new start on: awaited until nobody is disturbed; nil: nothing
	Fatal    <-chan error       // something without which no agent can work; nil: nothing
	Beat     func()             // called by the owner of the session; nil: no watchdog
	Fault    wire.Reason        // what is missing on this machine, found before the start; a survey that finds it again takes it back
	Lists    Lists              // of names that policies refuse; nil: none can be had
	Printer  Printer            // of the terminal's own file; nil: it names none
	Printers PrinterOpener      // opens those that rules name; nil: rules name none
	Saves    func(energy.State) // told of each change of how energy is saved; must not wait; nil: nobody cares
	Prepare  Preparer           // what a sandbox is made of
	Windows  []uint32           // that sessions' displays are drawn into; none: the display has only one place
	Spare    bool               // the machine has memory for the next session's browser beside the running one
	Check    func(policy.Policy) error
	Probe    Prober                                       // nil: what the browser makes of a policy is not asked
	Hours    func(policy.Hours, time.Time) policy.Opening // nil: the policy's own
}

// Output is a lamp or a buzzer; supervise.Output is one.
type Output interface {
	Set(ctx context.Context, l hw.Level) (hw.Level, error)
}

// Meter counts what the terminal draws since the meter's own start, also while the
// terminal is off; supervise.Meter is one. It fails while it cannot be read, and once
// with hw.ErrMeterReset after its counter went back.
type Meter interface {
	Wh(ctx context.Context) (float64, error)
}

// Journal makes steps durable; journal.Journal is one.
type Journal interface {
	Found() journal.Found
	Commit(s journal.Step) error
	Ledger
}

// Ledger is what the journal knows beside the state.
type Ledger interface {
	Applied(command string) (bool, error)
	Unacked() uint64
}

// Warden answers the verbs; sandbox.Client is one. Events is closed when the
// warden is gone.
type Warden interface {
	Do(ctx context.Context, r sandbox.Request) (sandbox.Answer, []*os.File, error)
	Events() <-chan sandbox.Event
}

// Opener takes over the debugging pipe of a sandbox's browser.
type Opener interface {
	Open(ctx context.Context, files []*os.File, portal []byte) (SessionBrowser, error)
}

// SessionBrowser drives the browser of one sandbox.
type SessionBrowser interface {
	Pages
	Watched
	Close() error
}

// Pages moves between pages.
type Pages interface {
	Painted(ctx context.Context) error // waits until the portal is painted
	Home(ctx context.Context) error
	Back(ctx context.Context) error
}

// Watched tells what goes on, without what it is.
type Watched interface {
	Playing(ctx context.Context) bool
	Uploading() int
	Gone() <-chan error
}

// Stage is the terminal's display.
type Stage interface {
	ShowSession(window uint32) error // one of Parts.Windows
	ShowShell() error
	ShowBeside(window uint32, left int) error // the session's display beside the shell's page, from a column on
	Size() (width, height int)                // of a session's display
	Idle() (time.Duration, error)
}

// Shell shows views and yields what the person does; shell.Server is one.
type Shell interface {
	Show(v shell.View)
	Actions() <-chan shell.Action
}

// ShellBrowser opens the browser that shows the shell. Open returns when the
// page is shown, and the channel yields once when it is lost.
type ShellBrowser interface {
	Open(ctx context.Context) (lost <-chan error, err error)
}

// Uplink is the connection to the controller; uplink.Link is one.
type Uplink interface {
	Events() <-chan uplink.Event
	Send(s wire.Status)
	Ask(a wire.PrintAsk) bool      // answered by an event, once; false: it cannot be asked now
	AskBadge(a wire.BadgeAsk) bool // so too
}

// Ways changes the way to the controller; uplink.Link does. Its Events of that way
// are marked with what Via returns.
type Ways interface {
	Via(proxy *url.URL) (way uint64)
}

// Line sets the terminal's cable and Wi-Fi as rules say. What is there already
// stays untouched; the zero rules leave everything as it was installed.
type Line interface {
	SetLine(ctx context.Context, r Rules) error
}

// Knocker tells whether somebody answers at IPv4:port.
type Knocker func(ctx context.Context, door string) error

// Printer is the terminal's real printer. No document passes here: the press
// sends it, over a connection that comes from Dial.
type Printer interface {
	PrinterDoor
	PrinterJobs
	Look(ctx context.Context) (PrinterLook, error) // how it is, and what it can do
}

// PrinterOpener opens a printer that rules name. Nothing is asked of it yet.
type PrinterOpener func(d policy.NamedPrinter) (OpenedPrinter, error)

// OpenedPrinter is one that is closed once it is not used any more.
type OpenedPrinter interface {
	Printer
	Close() error
}

// PrinterDoor is the way to the printer.
type PrinterDoor interface {
	URI() string
	Dial(ctx context.Context) (*os.File, error)
	Pin() []byte     // SHA-256 of its public key, as first seen; nil: none yet
	Keep(pin []byte) // the first one seen, by the press
}

// PrinterJobs are the jobs at the printer.
type PrinterJobs interface {
	// Follow tells each change until the job is over. ErrNoJob: the printer does
	// not know it.
	Follow(ctx context.Context, id int, name string, tell func(printing.Progress)) error
	Find(ctx context.Context, name string) (id int, err error) // ErrNoJob: there is none
	Cancel(ctx context.Context, id int, name string) error
}

// ErrNoJob says that the printer answers and does not know a job.
var ErrNoJob = errors.New("the printer has no such job")

// ErrStranger says that the printer shows another key than before.
var ErrStranger = errors.New("it is not the printer of before")

// PrinterLook is one look at the printer.
type PrinterLook struct {
	Status  wire.Printer
	Ready   printing.PrinterReady
	Formats []printjob.Format
}

// Lists keeps the lists of names that policies ask for; lists.Keeper is one.
type Lists interface {
	Want(f policy.Filter)
	Using(f policy.Filter) (use []sandbox.List, missing []string)
	Changed() <-chan struct{}
}

// Clock is the terminal's time.
type Clock interface {
	hw.Clock
	Mono() time.Duration // since the process began
}

// Preparer makes the request for a standby, but for its window, and the portal
// that its browser is to show.
type Preparer func(r Rules, lang string) (sandbox.Prepare, []byte, error)

// Prober asks the browser of a probe sandbox, by its debugging pipe, which keys
// of the rules it does not take: names of Chromium's policies. It closes files.
type Prober func(ctx context.Context, files []*os.File, r Rules, lang string) ([]string, error)

// Rules are a policy, and the same as the controller signed it: the warden takes
// nobody's word for one. Near is who helps on the day for which a standby is made;
// its portal names them, and nil is nobody.
type Rules struct {
	policy.Policy
	Signed wire.Envelope
	Near   *shell.Near
}

// checked says why a policy cannot be obeyed.
func checked(p policy.Policy) error {
	var wrong []error
	for _, c := range p.Check() {
		wrong = append(wrong, fmt.Errorf("%s: %s", c.Field, c.Sentence))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("cannot use the policy: %w", errors.Join(wrong...))
	}
	return nil
}

// opening asks the hours once a minute: whatever opens or closes does so on a
// whole one, and a board that waits for people has better to do than to work a
// summer out each second.
type opening struct {
	of       string // signature of the policy
	from, to time.Time
	was      policy.Opening
}

// at is what the hours say at t. With ask they are another's, who is asked each time.
func (o *opening) at(r Rules, t time.Time, ask func(policy.Hours, time.Time) policy.Opening) policy.Opening {
	if ask != nil {
		return ask(r.Hours, t)
	}
	if of := string(r.Signed.Sig); of != o.of || t.Before(o.from) || !t.Before(o.to) {
		o.of, o.from, o.to = of, t, t.Truncate(time.Minute).Add(time.Minute)
		o.was = r.Hours.At(t, policy.Location())
	}
	return o.was
}

func (p Parts) check() error {
	switch {
	case p.Warden == nil, p.Browser == nil, p.Stage == nil, p.Shell == nil, p.Journal == nil, p.Clock == nil,
		p.Ticks == nil, p.Prepare == nil:
		return errors.New("cannot make the agent: a required part is missing; give Warden, Browser, Stage, Shell, Journal, Clock, Ticks and Prepare")
	}
	return nil
}

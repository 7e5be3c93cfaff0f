package wire

import (
	"encoding/json"
	"time"
)

// Record is one fact of a terminal, sent until it is acknowledged. A receiver
// stores and acknowledges kinds that it does not know. What is stored of it and
// of its bodies is declared in their inventory tags: see controller/store.
type Record struct {
	Epoch  uint64          `json:"epoch" inventory:"numbering of its records;none-personal;technical"`
	Seq    uint64          `json:"seq" inventory:"rising number;none-personal;technical"` // from 1, without gaps, within an epoch
	Kind   string          `json:"kind" inventory:"kind of record;none-personal;technical"`
	At     time.Time       `json:"at" inventory:"when it came to be, by the terminal's clock;public-task;technical"` // wall time, UTC
	Unsure bool            `json:"unsure,omitempty" inventory:"the clock was not trusted;none-personal;technical"`   // the wall clock was not trusted
	Body   json.RawMessage `json:"body" inventory:"boots, refusals, alerts and kinds of newer terminals, as they came;public-task;technical"`
}

// Record kinds, each with the type of its body.
const (
	KindBoot    = "boot"    // Boot
	KindBegun   = "begun"   // Begun
	KindEnded   = "ended"   // Ended
	KindReceipt = "receipt" // Envelope of a Receipt
	KindRefused = "refused" // Refused
	KindCommand = "command" // CommandDone
	KindDevice  = "device"  // Device
	KindAlert   = "alert"   // Alert
	KindPolicy  = "policy"  // PolicyApplied
	KindPrint   = "print"   // Printed
	KindPrinter = "printer" // Printer, when its state or a level changed
	KindEnergy  = "energy"  // EnergyUse, about once an hour
	KindSmile   = "smile"   // Smile
	KindTraffic = "traffic" // Traffic: the controller drops it unless a decision is on, and no agent of this version sends it
	KindStaff   = "staff"   // StaffDone
)

// Boot tells that the agent started.
type Boot struct {
	Boot    string `json:"boot" inventory:"last boot, to tell clones apart;none-personal;technical"`
	Build   string `json:"build" inventory:"software version;none-personal;technical"`
	Found   string `json:"found" inventory:"state found at the start;none-personal;technical"` // phase found in the journal, before recovery
	Machine string `json:"machine" inventory:"board or PC model;none-personal;technical"`      // board or PC model
}

// Begun tells that a session opened: its permit is consumed in the same commit.
type Begun struct {
	Session string `json:"session" inventory:"random id, never an identity;public-task;usage"`
	Permit  string `json:"permit" inventory:"permit consumed;public-task;usage"`
	N       uint64 `json:"n" inventory:"that permit's number;public-task;usage"`
	Profile string `json:"profile" inventory:"category of terminal, for reports;public-task;usage"`
	Lang    string `json:"lang" inventory:"language chosen, for reports;public-task;usage"`
	Policy  uint64 `json:"policy" inventory:"policy in force;public-task;usage"`
	// Holder is h1 of the badge (see the data inventory), empty without a badge.
	// The controller replaces it by a pseudonym before anything is stored.
	Holder []byte `json:"holder,omitempty" inventory:"pseudonym of the badge, unlinkable between months;public-task;usage"`
}

// Ended tells how a session ended. Its receipt is a record of its own.
type Ended struct {
	Session string `json:"session" inventory:"random id, never an identity;public-task;usage"`
	Reason  Reason `json:"reason" inventory:"why it ended;public-task;usage"`
	Seconds int    `json:"seconds" inventory:"length;public-task;usage"`           // from admission to its end, monotonic
	Active  int    `json:"active" inventory:"length with input;public-task;usage"` // seconds with input within the last minute
	Pages   int    `json:"pages" inventory:"pages printed;public-task;usage"`
	Wipes   int    `json:"wipes" inventory:"attempts until the wipe succeeded;public-task;usage"` // attempts until the wipe succeeded
	WipeMS  int    `json:"wipeMs" inventory:"length of the wipe;public-task;usage"`
	// Filtered counts sites that were refused, by category of protection. It has
	// no name; the controller adds it to the day's figures of the terminal only.
	Filtered map[string]int `json:"filtered,omitempty" inventory:"how often a site was refused, by category of protection;public-task;technical"`
}

// Refused tells that somebody was not admitted, without who.
type Refused struct {
	Reason Reason `json:"reason" inventory:"why;public-task;technical"`
}

// Smile tells how somebody said that a session went. It bears no session, and its
// record's time is its day's noon: it belongs to a terminal's day and to nobody.
type Smile struct {
	How Smiley `json:"how" inventory:"how people said that it went;none-personal;technical"`
}

// Smiley is one of three faces.
type Smiley string

// Smileys.
const (
	SmileGood Smiley = "good"
	SmileSoso Smiley = "soso"
	SmileBad  Smiley = "bad"
)

// Valid tells whether it is one of them.
func (s Smiley) Valid() bool { return s == SmileGood || s == SmileSoso || s == SmileBad }

// Traffic is the address from which a session's connections left, as a network's
// equipment next to the terminal may know it: never where they went. The controller
// keeps none of it until a DPO decided so.
type Traffic struct {
	Session string    `json:"session" inventory:"random id, never an identity;legal-duty;traffic"`
	Address string    `json:"address" inventory:"address from which the session's connections left;legal-duty;traffic"`
	Ports   string    `json:"ports,omitempty" inventory:"source ports of the session's connections;legal-duty;traffic"`
	Begun   time.Time `json:"begun" inventory:"from when it had that address;legal-duty;traffic"`
	Ended   time.Time `json:"ended" inventory:"until when it had that address;legal-duty;traffic"`
}

// CommandDone tells what became of a command.
type CommandDone struct {
	ID     string `json:"id" inventory:"what is asked;none-personal;technical"`
	Done   bool   `json:"done" inventory:"what became of it;none-personal;technical"`
	Reason string `json:"reason,omitempty" inventory:"why the terminal refused;none-personal;technical"` // why it was refused, for staff
}

// Alert tells of something that staff should know.
type Alert struct {
	Code   string `json:"code" inventory:"what is wrong;none-personal;technical"`
	Detail string `json:"detail,omitempty" inventory:"what was wrong, for staff;none-personal;technical"`
}

// AlertCall is the code of somebody who asks for help, once for each time.
const AlertCall = "call"

// PolicyApplied tells that a policy took effect or was refused.
type PolicyApplied struct {
	Version uint64 `json:"version" inventory:"policy version applied;none-personal;technical"`
	Error   string `json:"error,omitempty" inventory:"why a policy was refused;none-personal;technical"`
	// Reverted: its network was tried and did not prove itself. The one before is
	// back, and the same is not tried again.
	Reverted bool `json:"reverted,omitempty" inventory:"its network was tried in vain;none-personal;technical"`
}

// Reason is why something ended, was refused or is out of service: a code that
// staff read as a sentence from the catalogues (key "reason.<code>").
type Reason string

// Reasons for the end of a session.
const (
	EndButton   Reason = "button"   // the person ended it
	EndArrived  Reason = "arrived"  // « Je viens d'arriver : tout effacer »
	EndBadge    Reason = "badge"    // another badge asked for a fresh session
	EndIdle     Reason = "idle"     // nobody answered the idle warning
	EndTime     Reason = "time"     // the time was used up
	EndClosing  Reason = "closing"  // the place closes
	EndTamper   Reason = "tamper"   // the case was opened
	EndCrash    Reason = "crash"    // the session's browser or display was lost
	EndCommand  Reason = "command"  // staff ended it
	EndRestart  Reason = "restart"  // the agent or the power stopped in it
	EndShutdown Reason = "shutdown" // the agent was asked to stop
	EndFailed   Reason = "no-open"  // it could not be opened
	EndDeclined Reason = "declined" // the charter was not accepted
	EndWarden   Reason = "warden"   // the role that guards the sandbox was lost
)

// Reasons for refusing a person, or for a terminal that is not open.
const (
	RefuseUnknownBadge  Reason = "unknown-badge"
	RefuseManyBadges    Reason = "many-badges"
	RefuseRandomBadge   Reason = "random-badge"
	RefuseNoPermit      Reason = "no-permit"
	RefuseClosed        Reason = "closed"
	RefuseTooLate       Reason = "too-late" // less than the minimum time before closing
	RefuseQuarantined   Reason = "quarantined"
	RefuseBroken        Reason = "broken"
	RefuseNoPolicy      Reason = "no-policy"
	RefuseNoLists       Reason = "no-lists" // a list of names that the policy asks for is not here yet
	RefuseClock         Reason = "clock-unsure"
	RefuseAlarm         Reason = "alarm"          // the building's intrusion alarm is armed
	RefuseShut          Reason = "shut"           // staff closed it at the terminal
	RefuseAnew          Reason = "restarting"     // staff have it start again
	RefuseSuspectBadge  Reason = "suspect-badge"  // it claims keys, and answers wrongly
	RefuseUnprovenBadge Reason = "unproven-badge" // the policy wants more than its number
	// Of badges and codes that the controller was asked about.
	RefuseBadgeExpired  Reason = "badge-expired"
	RefuseBadgeLost     Reason = "badge-lost"
	RefuseBadgeStopped  Reason = "badge-stopped"   // by staff
	RefuseBadgeNotHere  Reason = "badge-not-here"  // it is for other places
	RefuseBadgeNotGiven Reason = "badge-not-given" // a day badge that nobody was given today
	RefuseBadgeOffline  Reason = "badge-offline"   // the controller cannot be asked, and it was not seen here lately
	RefuseCodeWrong     Reason = "code-wrong"
	RefuseCodeUsed      Reason = "code-used"
	RefuseCodeLate      Reason = "code-late"    // its day is over
	RefuseCodeWait      Reason = "code-wait"    // too many wrong ones here
	RefuseCodeOffline   Reason = "code-offline" // the controller cannot be asked
	// What the terminal tells meanwhile.
	NoticeBadgeAsked   Reason = "badge-asked"   // the controller is being asked
	NoticeBadgeAwaited Reason = "badge-awaited" // the next badge is for staff
	NoticeBadgeDone    Reason = "badge-done"    // staff have what they wanted of it
	NoticeBadgeNot     Reason = "badge-not"     // they have not; the console says why
)

// Reasons for being out of service.
const (
	OutWipe      Reason = "wipe-failed"
	OutIsolation Reason = "isolation" // the policy wants full, this terminal cannot
	OutBrowser   Reason = "no-browser"
	OutDisplay   Reason = "no-display"
	OutDisk      Reason = "disk-full"
	OutPolicyKey Reason = "policy-key" // Chromium rejects a key of the policy
	OutStandby   Reason = "no-standby" // no session can be made ready, again and again
	OutStaff     Reason = "staff"      // a person put it out of service
	OutState     Reason = "state"      // its journal cannot be read
)

// Reasons for quarantine, given by the controller.
const (
	QuarReceiptMissing Reason = "receipt-missing"
	QuarReceiptForged  Reason = "receipt-forged"
	QuarReceiptReplay  Reason = "receipt-replayed"
	QuarReceiptChain   Reason = "receipt-chain"
	QuarReceiptStale   Reason = "receipt-stale"
	QuarReceiptFailed  Reason = "receipt-failed"
	QuarReceiptSim     Reason = "receipt-sim"
	QuarReceiptLevel   Reason = "receipt-level"
	QuarClone          Reason = "clone"
	QuarRolledBack     Reason = "rolled-back" // its journal is older than what it sent
	QuarStaff          Reason = "staff"
	// QuarIdentity is the terminal's own conclusion: the controller refuses its
	// certificate, which was revoked, belongs to a replaced machine or has ended.
	QuarIdentity Reason = "identity-refused"
)

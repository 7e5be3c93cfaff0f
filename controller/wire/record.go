package wire

import (
	"encoding/json"
	"time"
)

// Record is one fact of a terminal, sent until it is acknowledged. A receiver
// stores and acknowledges kinds that it does not know.
type Record struct {
	Epoch  uint64          `json:"epoch"`
	Seq    uint64          `json:"seq"` // from 1, without gaps, within an epoch
	Kind   string          `json:"kind"`
	At     time.Time       `json:"at"`               // wall time, UTC
	Unsure bool            `json:"unsure,omitempty"` // the wall clock was not trusted
	Body   json.RawMessage `json:"body"`
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
)

// Boot tells that the agent started.
type Boot struct {
	Boot    string `json:"boot"`
	Build   string `json:"build"`
	Found   string `json:"found"`   // phase found in the journal, before recovery
	Machine string `json:"machine"` // board or PC model
}

// Begun tells that a session opened: its permit is consumed in the same commit.
type Begun struct {
	Session string `json:"session"`
	Permit  string `json:"permit"`
	N       uint64 `json:"n"`
	Profile string `json:"profile"`
	Lang    string `json:"lang"`
	Policy  uint64 `json:"policy"`
	// Holder is h1 of the badge (see the data inventory), empty without a badge.
	// The controller replaces it by a pseudonym before anything is stored.
	Holder []byte `json:"holder,omitempty"`
}

// Ended tells how a session ended. Its receipt is a record of its own.
type Ended struct {
	Session string `json:"session"`
	Reason  Reason `json:"reason"`
	Seconds int    `json:"seconds"` // from admission to its end, monotonic
	Active  int    `json:"active"`  // seconds with input within the last minute
	Pages   int    `json:"pages"`
	Wipes   int    `json:"wipes"` // attempts until the wipe succeeded
	WipeMS  int    `json:"wipeMs"`
}

// Refused tells that somebody was not admitted, without who.
type Refused struct {
	Reason Reason `json:"reason"`
}

// CommandDone tells what became of a command.
type CommandDone struct {
	ID     string `json:"id"`
	Done   bool   `json:"done"`
	Reason string `json:"reason,omitempty"` // why it was refused, for staff
}

// Alert tells of something that staff should know.
type Alert struct {
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// PolicyApplied tells that a policy took effect or was refused.
type PolicyApplied struct {
	Version uint64 `json:"version"`
	Error   string `json:"error,omitempty"`
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
	RefuseUnknownBadge Reason = "unknown-badge"
	RefuseManyBadges   Reason = "many-badges"
	RefuseRandomBadge  Reason = "random-badge"
	RefuseNoPermit     Reason = "no-permit"
	RefuseClosed       Reason = "closed"
	RefuseTooLate      Reason = "too-late" // less than the minimum time before closing
	RefuseQuarantined  Reason = "quarantined"
	RefuseBroken       Reason = "broken"
	RefuseNoPolicy     Reason = "no-policy"
	RefuseClock        Reason = "clock-unsure"
)

// Reasons for being out of service.
const (
	OutWipe      Reason = "wipe-failed"
	OutIsolation Reason = "isolation" // the policy wants full, this terminal cannot
	OutBrowser   Reason = "no-browser"
	OutDisplay   Reason = "no-display"
	OutDisk      Reason = "disk-full"
	OutPolicyKey Reason = "policy-key" // Chromium rejects a key of the policy
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
)

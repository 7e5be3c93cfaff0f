package wire

import (
	"time"
)

// Level is how far a sandbox was isolated.
type Level string

// Levels. Anything less than every property is reduced.
const (
	LevelFull    Level = "full"
	LevelReduced Level = "reduced"
)

// Property is one property of isolation, verified from outside the sandbox.
type Property struct {
	Name   string `json:"name" inventory:"property of the isolation;none-personal;security"` // see Properties
	Held   bool   `json:"held" inventory:"whether it held;none-personal;security"`
	Detail string `json:"detail,omitempty" inventory:"what was wrong, for staff;none-personal;security"` // what was read, in English
}

// Names of the properties that make up LevelFull.
const (
	PropUID        = "own-uid"
	PropPID        = "pid-namespace"
	PropMount      = "mount-namespace"
	PropIPC        = "ipc-namespace"
	PropNet        = "network-namespace"
	PropFirewall   = "default-deny"
	PropTmpfs      = "writable-tmpfs"
	PropMemory     = "memory-limit"
	PropPids       = "pids-limit"
	PropCPU        = "cpu-limit"
	PropCore       = "no-core-dumps"
	PropSwap       = "no-disk-swap"
	PropNoNewPrivs = "no-new-privs"
	PropCaps       = "no-capabilities"
	PropSeccomp    = "browser-seccomp"
	PropDisplay    = "own-display"
)

// Properties lists every property that LevelFull needs.
func Properties() []string {
	return []string{PropUID, PropPID, PropMount, PropIPC, PropNet, PropFirewall, PropTmpfs, PropMemory, PropPids,
		PropCPU, PropCore, PropSwap, PropNoNewPrivs, PropCaps, PropSeccomp, PropDisplay}
}

// CheckResult is the outcome of one check of a wipe.
type CheckResult string

// Results. Clean needs a positive control: the thing was found before, or that
// sink's self-test passed since boot.
const (
	Clean        CheckResult = "clean"
	Found        CheckResult = "found"
	Inconclusive CheckResult = "inconclusive"
	NotPlanted   CheckResult = "not-planted"
)

// Check is one thing that was looked at after the kill.
type Check struct {
	Name   string      `json:"name" inventory:"what was looked at after the wipe;none-personal;security"` // processes, mounts, uid-files, fresh-files, canary-…
	Place  string      `json:"place,omitempty" inventory:"where it is;none-personal;security"`            // where it looked
	Before int         `json:"before" inventory:"how many;none-personal;security"`                        // what it found before the kill
	After  int         `json:"after" inventory:"how many;none-personal;security"`                         // what it found after
	Result CheckResult `json:"result" inventory:"outcome of the verification;none-personal;security"`
	Detail string      `json:"detail,omitempty" inventory:"what the failed check showed, for staff;none-personal;security"`
}

// Names of the structural checks that every session's receipt must hold.
const (
	CheckProcesses = "processes"   // of the session, whatever their parent
	CheckMounts    = "mounts"      // of the session, in any mount namespace
	CheckUIDFiles  = "uid-files"   // owned by the session's uids on any writable mount
	CheckFresh     = "fresh-files" // newer than the session, on writable mounts
	CheckIPC       = "ipc"         // System V and POSIX objects of the session's uids
	CheckNetns     = "netns"       // network namespace and veth
)

// RequiredChecks lists the checks without which a receipt proves nothing.
func RequiredChecks() []string {
	return []string{CheckProcesses, CheckMounts, CheckUIDFiles, CheckFresh, CheckIPC, CheckNetns}
}

// ReceiptKind tells a session's receipt from a challenge's.
type ReceiptKind string

// Kinds of receipt.
const (
	ReceiptSession   ReceiptKind = "session"
	ReceiptChallenge ReceiptKind = "challenge"
)

// Receipt is the signed, chained evidence of one wipe. Signed by the warden.
type Receipt struct {
	Kind     ReceiptKind `json:"kind" inventory:"session or challenge;none-personal;security"`
	Terminal string      `json:"terminal" inventory:"who sent it;none-personal;security"`
	Session  string      `json:"session,omitempty" inventory:"session wiped;public-task;security"`           // empty for a challenge
	Permit   string      `json:"permit,omitempty" inventory:"permit that it repeats;none-personal;security"` // consumed permit; the command's id for a challenge
	Nonce    []byte      `json:"nonce" inventory:"what its receipt must repeat;none-personal;security"`      // the permit's, or the challenge's
	Segment  uint64      `json:"segment" inventory:"place in the chain;none-personal;security"`              // 0 until the first challenge, whose receipt opens the next
	Index    uint64      `json:"index" inventory:"place in the chain;none-personal;security"`                // 1 for the first of a segment
	Prev     []byte      `json:"prev" inventory:"place in the chain;none-personal;security"`                 // digest of the receipt before; of the broken chain's head for index 1 of a later segment
	At       time.Time   `json:"at" inventory:"when it came to be, by the terminal's clock;none-personal;security"`
	Unsure   bool        `json:"unsure,omitempty" inventory:"the clock was not trusted;none-personal;security"`
	Boot     string      `json:"boot" inventory:"last boot, to tell clones apart;none-personal;security"`
	Build    string      `json:"build" inventory:"software version;none-personal;security"`
	Sim      bool        `json:"sim,omitempty" inventory:"simulated hardware;none-personal;security"`
	Attempt  int         `json:"attempt" inventory:"attempts until the wipe succeeded;none-personal;security"` // 1 when the first wipe succeeded
	WipeMS   int         `json:"wipeMs" inventory:"length of the wipe;none-personal;security"`                 // from the kill to the last check
	Level    Level       `json:"level" inventory:"isolation it states;none-personal;security"`
	Props    []Property  `json:"props" inventory:"isolation last measured;none-personal;security"`
	Checks   []Check     `json:"checks" inventory:"verbatim evidence of the wipe;public-task;security"`
}

// Failure returns why the receipt does not prove a clean wipe, or "".
// Not-planted canaries do not fail it: the structural checks then carry it.
func (r Receipt) Failure() string {
	have := map[string]bool{}
	for _, c := range r.Checks {
		switch c.Result {
		case Found:
			return "found: " + c.Name
		case Inconclusive:
			return "inconclusive: " + c.Name
		case Clean:
			have[c.Name] = true
		case NotPlanted:
		default:
			return "unknown result: " + c.Name
		}
	}
	for _, n := range RequiredChecks() {
		if !have[n] {
			return "missing: " + n
		}
	}
	return ""
}

// FullClaim tells whether every property of LevelFull is stated as held.
func (r Receipt) FullClaim() bool {
	held := map[string]bool{}
	for _, p := range r.Props {
		before, said := held[p.Name]
		held[p.Name] = p.Held && (before || !said) // said twice, the worse counts
	}
	for _, n := range Properties() {
		if !held[n] {
			return false
		}
	}
	return true
}

// Permit lets a terminal open one session.
type Permit struct {
	ID         string    `json:"id"`
	Terminal   string    `json:"terminal"`
	N          uint64    `json:"n"` // rising within a terminal and generation
	Nonce      []byte    `json:"nonce"`
	NotAfter   time.Time `json:"notAfter"`
	Generation uint64    `json:"generation"`
}

// CommandKind is what staff may ask of a terminal.
type CommandKind string

// Commands.
const (
	CmdMessage    CommandKind = "message"     // Text is shown to the person
	CmdEnd        CommandKind = "end"         // end the session, with its wipe
	CmdWipe       CommandKind = "wipe"        // wipe now, in a session or not
	CmdQuarantine CommandKind = "quarantine"  // no session until a clean receipt
	CmdLift       CommandKind = "lift"        // challenge wipe with Nonce; its clean receipt lifts
	CmdIdentify   CommandKind = "identify"    // show its name in large for a minute
	CmdRelease    CommandKind = "release"     // quarantine is lifted (sent after the challenge's receipt)
	CmdOut        CommandKind = "out"         // out of service, Text says why
	CmdBack       CommandKind = "back"        // back in service
	CmdPrint      CommandKind = "print"       // release the print job Job
	CmdNoPrint    CommandKind = "no-print"    // refuse the print job Job; Text may say why
	CmdPages      CommandKind = "pages"       // grant the running session Pages more
	CmdBadge      CommandKind = "badge"       // the next badge that is held to the reader is for staff
	CmdHelpComing CommandKind = "help-coming" // somebody comes to who called for help; Job is the call
	CmdHelpDone   CommandKind = "help-done"   // they were helped, or it is over; Job is the call
	CmdAwake      CommandKind = "awake"       // save no energy until Until; a time that is over: save it again
)

// Command is what the controller asks of one terminal; idempotent by ID.
type Command struct {
	ID       string      `json:"id"`
	Terminal string      `json:"terminal"`
	Kind     CommandKind `json:"kind"`
	Text     string      `json:"text,omitempty"`
	Nonce    []byte      `json:"nonce,omitempty"`
	Reason   Reason      `json:"reason,omitempty"`
	Job      string      `json:"job,omitempty"`   // of a print job, or of a call for help
	Pages    int         `json:"pages,omitempty"` // 1 to 1000
	// Session is the only one that CmdPages is for: the next person gets nothing of
	// it, however late the command comes.
	Session  string    `json:"session,omitempty"`
	Until    time.Time `json:"until,omitzero"` // of CmdAwake
	Issued   time.Time `json:"issued"`
	NotAfter time.Time `json:"notAfter"`
}

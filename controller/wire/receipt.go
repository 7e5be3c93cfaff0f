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
	Name   string `json:"name"` // see Properties
	Held   bool   `json:"held"`
	Detail string `json:"detail,omitempty"` // what was read, in English
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
	Name   string      `json:"name"`            // processes, mounts, uid-files, fresh-files, canary-…
	Place  string      `json:"place,omitempty"` // where it looked
	Before int         `json:"before"`          // what it found before the kill
	After  int         `json:"after"`           // what it found after
	Result CheckResult `json:"result"`
	Detail string      `json:"detail,omitempty"`
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
	Kind     ReceiptKind `json:"kind"`
	Terminal string      `json:"terminal"`
	Session  string      `json:"session,omitempty"` // empty for a challenge
	Permit   string      `json:"permit,omitempty"`  // consumed permit; the command's id for a challenge
	Nonce    []byte      `json:"nonce"`             // the permit's, or the challenge's
	Segment  uint64      `json:"segment"`
	Index    uint64      `json:"index"` // 1 for the first of a segment
	Prev     []byte      `json:"prev"`  // digest of the receipt before; of the broken chain's head for index 1 of a later segment
	At       time.Time   `json:"at"`
	Unsure   bool        `json:"unsure,omitempty"`
	Boot     string      `json:"boot"`
	Build    string      `json:"build"`
	Sim      bool        `json:"sim,omitempty"`
	Attempt  int         `json:"attempt"` // 1 when the first wipe succeeded
	WipeMS   int         `json:"wipeMs"`  // from the kill to the last check
	Level    Level       `json:"level"`
	Props    []Property  `json:"props"`
	Checks   []Check     `json:"checks"`
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
	CmdMessage    CommandKind = "message"    // Text is shown to the person
	CmdEnd        CommandKind = "end"        // end the session, with its wipe
	CmdWipe       CommandKind = "wipe"       // wipe now, in a session or not
	CmdQuarantine CommandKind = "quarantine" // no session until a clean receipt
	CmdLift       CommandKind = "lift"       // challenge wipe with Nonce; its clean receipt lifts
	CmdIdentify   CommandKind = "identify"   // show its name in large for a minute
	CmdRelease    CommandKind = "release"    // quarantine is lifted (sent after the challenge's receipt)
	CmdOut        CommandKind = "out"        // out of service, Text says why
	CmdBack       CommandKind = "back"       // back in service
)

// Command is what the controller asks of one terminal; idempotent by ID.
type Command struct {
	ID       string      `json:"id"`
	Terminal string      `json:"terminal"`
	Kind     CommandKind `json:"kind"`
	Text     string      `json:"text,omitempty"`
	Nonce    []byte      `json:"nonce,omitempty"`
	Reason   Reason      `json:"reason,omitempty"`
	Issued   time.Time   `json:"issued"`
	NotAfter time.Time   `json:"notAfter"`
}

// Package attend tells what somebody has to see to: from what the store and the
// live fleet know of a terminal it lists what is wrong, and from one look to the
// next it follows each matter from its begin to its end. It is pure: time comes
// with the facts.
package attend

import (
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// Codes of matters beside those of printers (report.PrinterTroubles), of sleep
// (report.Night) and of a machine's health: keys console.attend.fix.<code>.
const (
	Quarantined = "quarantined"
	Clone       = "clone"
	WipeFailed  = "wipe-failed"
	Out         = "out"       // Why says which reason
	OutStaff    = "out-staff" // put out by a person, and forgotten
	Isolation   = "isolation" // reduced where the rules want full
	DiskFull    = "disk-full"
	DiskLow     = "disk-low"
	Offline     = "offline"
	ReaderLost  = "reader-lost"
	DeviceLost  = "device-lost" // About is its role
	Clock       = "clock-unsure"
	Certificate = "certificate-ending"
	Console     = "console-certificate" // of the page that people work with
	Refused     = "policy-refused"
	Network     = "network-reverted"
	Armed       = "alarm-armed"
	Unarmed     = "alarm-unarmed"
	Decide      = "prints-decide"
	Waiting     = "prints-waiting"
	Help        = "help"            // somebody asked for it, and nobody has answered; About is the call
	StaffCall   = "staff-call"      // About is when: each call is another matter
	Calendar    = "calendar-ending" // About is the zone
	Printer     = "printer"         // begins the codes of printers
)

// Severity is how soon somebody should see to it.
type Severity string

// Severities.
const (
	Urgent Severity = "urgent" // nobody can use it, or nobody can vouch for it
	Soon   Severity = "soon"   // part of it does not serve
	Notice Severity = "notice" // it will, if nobody looks
)

// Found is one thing that is wrong now.
type Found struct {
	Code  string
	About string
	Why   string // reason code
	Level Severity
	Count *int          // days left, or how many
	Since time.Time     // zero: not known, the first look that found it counts
	Wait  time.Duration // how long it is so before anybody is told
}

// Device is one device of a terminal.
type Device struct {
	Name, Health string
	Since        time.Time // zero: not known
}

// Facts are what is known of one terminal.
type Facts struct {
	Now     time.Time
	Started time.Time // when this controller began to listen
	Zone    *time.Location
	Row     store.Terminal
	Policy  policy.Policy

	Online   bool
	Status   wire.Status
	Phase    time.Time // since when its phase
	LastSeen time.Time
	CertEnds time.Time // of the certificate that it connected with last; zero: not known

	Devices      []Device
	Printer      wire.Printer // State "" when there is none
	PrinterSince time.Time    // zero: not known
	Days         map[string]int
	Reverted     time.Time // when it put back the network that is wanted of it; zero: it did not
	Doubtful     int       // print jobs whose cost is to be decided
	DoubtfulOf   time.Time // since when the oldest of them

	// Known tells whether a matter of this code, about the same, goes on already.
	Known func(code, about string) bool
}

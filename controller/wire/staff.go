package wire

import "time"

// StaffDo names what staff may do at the terminal's own menu; policy.Team says
// whose badge may do what.
type StaffDo string

// What the menu offers. Each moves hours, minutes and paper alone, or starts the
// software again: it opens nothing that an armed alarm, a quarantine or a fault keeps
// closed, and it skips no wipe.
const (
	StaffClose   StaffDo = "close"   // until the next opening
	StaffReopen  StaffDo = "reopen"  // what was closed so; who may close may do it
	StaffStay    StaffDo = "stay"    // an hour longer
	StaffTime    StaffDo = "time"    // more minutes for the session that runs
	StaffPrint   StaffDo = "print"   // releases what waits for staff
	StaffRestart StaffDo = "restart" // the terminal's software, after a clean end
	StaffCall    StaffDo = "call"    // whom staff call, and a matter in the console
)

// StaffRights lists what a badge or the PIN may be given.
func StaffRights() []StaffDo {
	return []StaffDo{StaffClose, StaffStay, StaffTime, StaffPrint, StaffRestart, StaffCall}
}

// ByPIN is StaffDone.By of whoever typed the PIN.
const ByPIN = "PIN"

// AlertPIN is the code of the alert that wrong PINs make the next one wait.
const AlertPIN = "staff-pin"

// StaffDone tells what staff did at the terminal's menu. By is the function that the
// policy gives to the badge, no person's name.
type StaffDone struct {
	Do      StaffDo   `json:"do" inventory:"what staff did at the terminal's menu;public-task;audit"`
	By      string    `json:"by,omitempty" inventory:"function of the badge that opened the menu, or that it was the PIN;public-task;audit"`
	Until   time.Time `json:"until,omitzero" inventory:"until when it stays open for that;none-personal;technical"`
	Minutes int       `json:"minutes,omitempty" inventory:"minutes given to the session that runs;none-personal;technical"`
	Jobs    int       `json:"jobs,omitempty" inventory:"prints released;none-personal;technical"`
}

// Valid tells whether d says something that this version knows.
func (d StaffDone) Valid() bool {
	switch d.Do {
	case StaffClose, StaffReopen, StaffStay, StaffTime, StaffPrint, StaffRestart, StaffCall:
		return len(d.By) <= MaxText
	}
	return false
}

package shell

// Staff is the menu of the building's staff, or the question for their PIN. It tells
// nothing of a session but that there is one, and how long it has.
type Staff struct {
	PIN         *PIN     `json:"pin,omitempty"` // the question: then nothing else is set but LeftSeconds
	Offers      []string `json:"offers"`        // what may be chosen now: the actions without their "staff-"
	Open        bool     `json:"open,omitempty"`
	Shut        bool     `json:"shut,omitempty"`
	Until       string   `json:"until,omitempty"`  // RFC 3339, Europe/Paris: when it closes, while it is open; empty: not known, or never
	StayTo      string   `json:"stayTo,omitempty"` // RFC 3339: until when StaffStay keeps it open
	Held        int      `json:"held,omitempty"`   // prints that wait for staff
	Session     bool     `json:"session,omitempty"`
	Minutes     int      `json:"minutes,omitempty"` // that the session has left
	Give        int      `json:"give"`              // minutes that StaffTime gives
	Grace       int      `json:"grace"`             // seconds that somebody has to finish when it closes
	Call        *Call    `json:"call,omitempty"`    // after StaffCall
	LeftSeconds int      `json:"leftSeconds"`       // until it goes away by itself
}

// PIN is the question for it.
type PIN struct {
	Wrong       bool `json:"wrong,omitempty"`
	Checking    bool `json:"checking,omitempty"`
	WaitSeconds int  `json:"waitSeconds,omitempty"` // until the next may be tried
}

// Call is whom staff call.
type Call struct {
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"` // empty: nobody is named in the rules
	Told  bool   `json:"told,omitempty"`  // the console knows; else it will, once the terminal is connected
}

// Secret is something typed that no log may hold: its text is not its value.
type Secret string

func (Secret) String() string   { return "…" }
func (Secret) GoString() string { return "…" }

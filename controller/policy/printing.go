package policy

// Printing says who may print how much, and what it costs.
type Printing struct {
	Enabled bool `json:"enabled"`
	Quota
	Colour     bool    `json:"colour"`     // colour may be chosen
	ColourCost int     `json:"colourCost"` // of a coloured side, in percent of a black one
	Duplex     Duplex  `json:"duplex"`
	DuplexCost int     `json:"duplexCost"` // of a side of a sheet printed on both, in percent of one printed alone
	Copies     int     `json:"copies"`     // at most
	Hold       Hold    `json:"hold"`       // which jobs wait for staff
	HoldOver   int     `json:"holdOver"`   // with HoldOver: jobs of more pages
	Silent     Silent  `json:"silent"`     // what a job costs that is done, says the printer, and of which it tells no count
	Staff      []Staff `json:"staff"`      // whose badges release jobs at the terminal
	// OfflinePages is what one session may print while the ledger cannot be
	// reached; it is charged afterwards.
	OfflinePages int `json:"offlinePages"`
	// FinishSeconds is how long a document may still go to the printer once its
	// session has ended.
	FinishSeconds int `json:"finishSeconds"`
	// Periods replace the quota between two days, school holidays for example.
	Periods []PrintPeriod `json:"periods"`
}

// Quota limits pages. 0 means no limit of that kind, except for PagesPerSession.
type Quota struct {
	PagesPerSession int `json:"pagesPerSession"`
	PagesPerJob     int `json:"pagesPerJob"`
	PagesPerDay     int `json:"pagesPerDay"`   // of one badge, at all terminals
	PagesPerMonth   int `json:"pagesPerMonth"` // of one badge, at all terminals
	// PagesPerHour is for all sessions without a badge at one terminal, within 60
	// minutes: starting again must not start the count again.
	PagesPerHour int `json:"pagesPerHour"`
}

// PrintPeriod is a quota for some days, both ends included.
type PrintPeriod struct {
	From string `json:"from"` // 2006-01-02
	To   string `json:"to"`
	Why  string `json:"why"` // for staff, in French
	Quota
}

// Staff is somebody's badge, as a terminal knows it.
type Staff struct {
	Name  string `json:"name"`  // a role, no person: « Accueil »
	Badge string `json:"badge"` // SHA-256 of the badge's key in hex; borne-kiosk badge tells it
}

// Duplex says how both sides are used.
type Duplex string

// Duplex rules.
const (
	DuplexFree   Duplex = ""       // as the person likes, both sides first
	DuplexNever  Duplex = "never"  //
	DuplexAlways Duplex = "always" // whenever the printer can
)

// Hold says which jobs wait for staff.
type Hold string

// Hold rules.
const (
	HoldNever  Hold = ""       //
	HoldAlways Hold = "always" //
	HoldOver   Hold = "over"   // more pages than HoldOver
	HoldColour Hold = "colour" // in colour
)

// Silent says what a job costs of which the printer tells no count.
type Silent string

// Rules for silent printers.
const (
	SilentCharge Silent = ""      // what was reserved
	SilentFree   Silent = "free"  // nothing
	SilentStaff  Silent = "staff" // staff decide
)

// DefaultPrinting is off; its numbers suit a hall.
func DefaultPrinting() Printing {
	return Printing{Quota: Quota{PagesPerSession: 10, PagesPerDay: 20, PagesPerHour: 40}, ColourCost: 300, DuplexCost: 100, Copies: 5,
		OfflinePages: 5, FinishSeconds: 60}
}

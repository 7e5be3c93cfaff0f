package api

import "time"

// BadgesView is the enrolled badges of the sites that the person sees. It names
// nobody: nobody's name is known.
type BadgesView struct {
	Badges []BadgeView `json:"badges" doc:"By printed number"`
	Next   string      `json:"next,omitempty" doc:"Give it as after to get the next page"`
	Found  int         `json:"found" doc:"How many there are, on all pages"`
}

// BadgeDesk is what the desks of the sites that the person sees work with.
type BadgeDesk struct {
	Codes []CodeSheet `json:"codes" doc:"Pages of day codes that still work, newest first"`
	Sites []DeskSite  `json:"sites"`
	// Staff are shown to whoever may enrol them.
	Staff    []StaffBadgeView `json:"staff" doc:"Badges of staff, by login"`
	Followed bool             `json:"followed" doc:"The Département's directory tells who is staff"`
}

// StaffBadgeView is the badge of a member of staff.
type StaffBadgeView struct {
	ID       string    `json:"id"`
	Login    string    `json:"login" doc:"In the Département's directory"`
	Site     string    `json:"site" doc:"Where it releases what waits"`
	SiteName string    `json:"siteName"`
	Valid    bool      `json:"valid" doc:"The directory names them, or did a day ago at most"`
	Asked    time.Time `json:"asked" doc:"When it last did"`
}

// DeskSite is what the rules of a site's terminals take.
type DeskSite struct {
	Site   string   `json:"site"`
	Codes  bool     `json:"codes" doc:"A terminal takes day codes"`
	Badges bool     `json:"badges" doc:"A terminal takes the badges of the directory"`
	Groups []string `json:"groups" doc:"Quota groups that the printing rules name"`
}

// BadgeView is one enrolled badge.
type BadgeView struct {
	Number   string     `json:"number" doc:"As it is printed on the badge, without spaces"`
	Rev      string     `json:"rev" doc:"Between quotes, the If-Match of a change of its rights"`
	Kind     string     `json:"kind" enum:"permanent,day"`
	Group    string     `json:"group" doc:"Group of quotas; empty for the usual ones"`
	Site     string     `json:"site" doc:"Where it was enrolled"`
	SiteName string     `json:"siteName"`
	Sites    []string   `json:"sites" doc:"Where it opens sessions; empty for everywhere"`
	Disabled bool       `json:"disabled" doc:"Suspended by staff"`
	Lost     bool       `json:"lost"`
	Expires  *time.Time `json:"expires,omitempty"`
	Until    *time.Time `json:"until,omitempty" doc:"Of a day badge: given until then"`
	Created  time.Time  `json:"created" doc:"The day on which it was enrolled"`
	Seen     string     `json:"seen" doc:"Last month of use; empty for none"`
}

// BadgeChange is the rights of a badge. It changes all of them.
type BadgeChange struct {
	Group    string   `json:"group" maxLength:"40"`
	Sites    []string `json:"sites" maxItems:"50" doc:"Where it opens sessions; empty for everywhere"`
	Disabled bool     `json:"disabled"`
	Expires  string   `json:"expires" doc:"Last day on which it is valid, as 2027-06-30; empty for no end" maxLength:"10"`
}

// BadgeLost declares a badge lost, or found again.
type BadgeLost struct {
	Lost bool `json:"lost"`
}

// BadgeDay gives a day badge out until the place closes, or takes it back.
type BadgeDay struct {
	Given bool `json:"given"`
}

// WindowRequest asks that the next badge at a terminal be for staff.
type WindowRequest struct {
	Action  string `json:"action" enum:"enrol,give,return,find"`
	Kind    string `json:"kind,omitempty" enum:"permanent,day,staff" doc:"With enrol"`
	Login   string `json:"login,omitempty" maxLength:"64" doc:"With staff: in the Département's directory"`
	Group   string `json:"group,omitempty" maxLength:"40" doc:"With enrol"`
	Here    bool   `json:"here,omitempty" doc:"With enrol: it opens sessions in this place alone"`
	Expires string `json:"expires,omitempty" maxLength:"10" doc:"With enrol: last day on which it is valid"`
}

// WindowView is what became of it.
type WindowView struct {
	ID     string    `json:"id"`
	Until  time.Time `json:"until"`
	Done   bool      `json:"done"`
	Number string    `json:"number,omitempty" doc:"Of the badge that came"`
	Reason string    `json:"reason,omitempty" doc:"Why it did not go: key console.badges.why.<code> or reason.<code>"`
}

// CodesRequest asks for day codes to print.
type CodesRequest struct {
	N     int    `json:"n" minimum:"1" maximum:"60"`
	Group string `json:"group,omitempty" maxLength:"40"`
}

// CodesView is a page of codes. They are told once.
type CodesView struct {
	Sheet string    `json:"sheet"`
	Codes []string  `json:"codes"`
	Until time.Time `json:"until" doc:"The closing of the place today"`
}

// CodeSheet is a page of codes that was printed today.
type CodeSheet struct {
	Sheet    string    `json:"sheet"`
	Site     string    `json:"site"`
	SiteName string    `json:"siteName"`
	Until    time.Time `json:"until"`
	Left     int       `json:"left" doc:"Codes that were not used"`
}

// BadgeExport is everything that is kept about one holder.
type BadgeExport struct {
	Badge    BadgeView      `json:"badge"`
	Sessions []KeptSession  `json:"sessions" doc:"Of the months that can still be linked to the badge"`
	Pages    []KeptPages    `json:"pages" doc:"Charged, by month"`
	Prints   []PrintJobView `json:"prints" doc:"Jobs that are not settled"`
}

// KeptSession is one session of the holder's.
type KeptSession struct {
	Place   string    `json:"place"`
	Begun   time.Time `json:"begun"`
	Seconds int       `json:"seconds"`
	Pages   int       `json:"pages"`
	Reason  string    `json:"reason" doc:"Why it ended"`
}

// KeptPages is one month of the holder's pages, in hundredths.
type KeptPages struct {
	Month   string `json:"month"`
	Charged int    `json:"charged"`
	Given   int    `json:"given" doc:"By staff, on top"`
}

// Erased tells what was taken away.
type Erased struct {
	Sessions int `json:"sessions"`
	Months   int `json:"months"`
}

// BadgesFile is a file of badges.
type BadgesFile struct {
	CSV string `json:"csv" maxLength:"1048576" doc:"numero;groupe;lieux;expire;etat"`
}

// BadgesImport is a file of badges to take.
type BadgesImport struct {
	CSV   string `json:"csv" maxLength:"1048576" lines:"many"`
	Check bool   `json:"check,omitempty" doc:"Only look whether it is right"`
}

// Imported tells how many badges changed, or would.
type Imported struct {
	Lines   int `json:"lines"`
	Changed int `json:"changed"`
}

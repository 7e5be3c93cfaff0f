package store

import "time"

// Holder is a badge holder: rights and nothing else. Meta.ID is random; the
// badge is known only by h2, which needs a pepper that is never on a terminal.
type Holder struct {
	H2       string     `json:"h2" inventory:"HMAC of the badge's h1: finds the holder, tells nothing;public-task;account"`
	Kind     HolderKind `json:"kind,omitempty" inventory:"kind of badge: permanent, for the day, a printed code;public-task;account"`
	Number   string     `json:"number,omitempty" inventory:"random number printed on the badge, to find it without a name;public-task;account"`
	Group    string     `json:"group,omitempty" inventory:"group of print quotas;public-task;account"`
	Sites    []string   `json:"sites,omitempty" inventory:"where it opens sessions, empty for everywhere;public-task;account"`
	Disabled bool       `json:"disabled,omitempty" inventory:"may no longer begin a session;public-task;account"`
	Expires  time.Time  `json:"expires,omitzero" inventory:"end of the badge's validity;public-task;account"`
	Lost     time.Time  `json:"lost,omitzero" inventory:"day on which the badge was declared lost;public-task;account"`
	// Turns are the times that a day badge was given, the last one last: two people
	// of one day badge have nothing in common, and what a terminal tells late is of
	// whoever had it then.
	Turns   []Turn    `json:"turns,omitempty" inventory:"random, new each time a day badge is given, and from when until when: keeps its users apart;public-task;account"`
	Until   time.Time `json:"until,omitzero" inventory:"until when a day badge is given;public-task;account"`
	Created time.Time `json:"created" inventory:"when the badge was given;public-task;account"`
	Seen    string    `json:"seen" inventory:"last month of use, to delete unused badges;public-task;account"`
}

// Turn is one time that a day badge was given.
type Turn struct {
	ID    string    `json:"id"` // random
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // when it came back, or was to
}

// HolderKind is what somebody is known by.
type HolderKind string

// Kinds of holders.
const (
	HolderPassing   HolderKind = ""          // a badge that came where any opens a session: not enrolled
	HolderPermanent HolderKind = "permanent" // enrolled for one person
	HolderDay       HolderKind = "day"       // of the place's pool: given for a day
	HolderCode      HolderKind = "code"      // a printed code that was used
	HolderStaff     HolderKind = "staff"     // of a window alone: its badge becomes a StaffBadge
)

// BadgeWindow is the minute in which the next badge at a terminal is for staff.
// Meta.ID is its command's id, Meta.Scope the terminal.
type BadgeWindow struct {
	Action  string     `json:"action" inventory:"what the next badge is for;public-task;minutes"`
	Kind    HolderKind `json:"kind,omitempty" inventory:"kind of badge: permanent, for the day, a printed code;public-task;minutes"`
	Group   string     `json:"group,omitempty" inventory:"group of print quotas;public-task;minutes"`
	Here    bool       `json:"here,omitempty" inventory:"the badge is for this place alone;public-task;minutes"`
	Expires time.Time  `json:"expires,omitzero" inventory:"end of the badge's validity;public-task;minutes"`
	Login   string     `json:"login,omitempty" inventory:"login of a member of staff, to ask the Département's directory whether they are one still;public-task;minutes"`
	Until   time.Time  `json:"until" inventory:"end of validity;none-personal;minutes"`
	By      string     `json:"by" inventory:"who asked;public-task;minutes"`
	Done    bool       `json:"done,omitempty" inventory:"what became of it;none-personal;minutes"`
	Number  string     `json:"number,omitempty" inventory:"random number printed on the badge, to find it without a name;public-task;minutes"`
	Reason  string     `json:"reason,omitempty" inventory:"why the terminal refused;none-personal;minutes"`
}

// DayCode is a printed code that opens one session of its day. Meta.ID is its
// HMAC: the code itself is on paper only.
type DayCode struct {
	Sheet  string    `json:"sheet" inventory:"random id of the printed page, to cancel it whole;none-personal;minutes"`
	Group  string    `json:"group,omitempty" inventory:"group of print quotas;public-task;minutes"`
	By     string    `json:"by" inventory:"who asked;public-task;minutes"`
	Made   time.Time `json:"made" inventory:"when;none-personal;minutes"`
	Until  time.Time `json:"until" inventory:"end of validity;none-personal;minutes"`
	Used   time.Time `json:"used,omitzero" inventory:"a code works once;public-task;minutes"`
	Where  string    `json:"where,omitempty" inventory:"terminal at which a code was used: there alone it may be typed again until the session begins;public-task;minutes"`
	Holder string    `json:"holder,omitempty" inventory:"whose session a code opened, a random id;public-task;minutes"`
}

// MonthKey makes the pseudonyms of one calendar month (Meta.ID, 2006-01). Once
// it is destroyed, nobody can link two months' sessions to one holder.
type MonthKey struct {
	Key     []byte    `json:"key" inventory:"key of that month's pseudonyms;public-task;technical"`
	Created time.Time `json:"created" inventory:"when it came to be;none-personal;technical"`
}

// Purge tells that rows were deleted on time. Meta.ID is TimeID.
type Purge struct {
	At     time.Time `json:"at" inventory:"when;none-personal;audit"`
	Class  string    `json:"class" inventory:"retention class;none-personal;audit"`
	What   string    `json:"what" inventory:"table;none-personal;audit"`
	Before time.Time `json:"before" inventory:"everything older went;none-personal;audit"`
	Count  int       `json:"count" inventory:"how many rows;none-personal;audit"`
	// Held rows should have gone and waited, for Holds. An entry that tells of them has
	// no Count: nothing went by it.
	Held  int      `json:"held,omitempty" inventory:"how many rows wait for a requisition;none-personal;audit"`
	Holds []string `json:"holds,omitempty" inventory:"holds that rows wait for;none-personal;audit"`
}

func (Holder) Table() Kind { return KindHolder }

// Indexes: h2, and for an enrolled badge number and enrolled.
func (h Holder) Indexes() []Index {
	ix := []Index{{"h2", h.H2}}
	if h.Number != "" {
		ix = append(ix, Index{"number", h.Number}, Index{"enrolled", "yes"})
	}
	return ix
}
func (BadgeWindow) Table() Kind      { return KindBadgeWindow }
func (BadgeWindow) Indexes() []Index { return nil }
func (DayCode) Table() Kind          { return KindDayCode }

// Indexes: sheet.
func (d DayCode) Indexes() []Index { return []Index{{"sheet", d.Sheet}} }
func (MonthKey) Table() Kind       { return KindMonthKey }
func (MonthKey) Indexes() []Index  { return nil }
func (Purge) Table() Kind          { return KindPurge }
func (Purge) Indexes() []Index     { return nil }

package store

import "time"

// StaffBadge is the badge of a member of staff: it releases what waits at the
// terminals of its site (Meta.Site), and opens their menu where the rules say what
// for, as long as the Département's directory names them. Meta.ID is random.
type StaffBadge struct {
	H2    string    `json:"h2" inventory:"HMAC of the badge's h1: finds the holder, tells nothing;public-task;account"`
	Login string    `json:"login" inventory:"login of a member of staff, to ask the Département's directory whether they are one still;public-task;account"`
	By    string    `json:"by" inventory:"who asked;public-task;account"`
	Made  time.Time `json:"made" inventory:"when the badge was given;public-task;account"`
	Good  time.Time `json:"good" inventory:"when the directory last named a member of staff;public-task;account"`
	Gone  time.Time `json:"gone,omitzero" inventory:"since when the directory no longer names a member of staff;public-task;account"`
}

func (StaffBadge) Table() Kind { return KindStaffBadge }

// Indexes: h2.
func (s StaffBadge) Indexes() []Index { return []Index{{"h2", s.H2}} }

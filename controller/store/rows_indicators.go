package store

// ByHour counts by the local hour, 0 to 23.
type ByHour [24]int

// Sum is all of them.
func (h ByHour) Sum() (n int) {
	for _, x := range h {
		n += x
	}
	return n
}

// LengthEdges are the upper ends of the classes of a visit's length, in minutes;
// the last class, which has none, is above.
func LengthEdges() []int { return []int{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120} }

// ByLength counts visits by class of length: see LengthEdges.
type ByLength [12]int

// LengthClass is the class of a length.
func LengthClass(seconds int) int {
	for i, minutes := range LengthEdges() {
		if seconds < minutes*60 {
			return i
		}
	}
	return len(ByLength{}) - 1
}

// RollupMonth is Rollup for a calendar month: Day holds 2006-01, and Meta.ID is
// RollupID of that. It always is the sum of the month's days.
type RollupMonth Rollup

// Add adds o to r, n times; -1 takes it away.
func (r *Rollup) Add(o Rollup, n int) {
	for _, f := range []struct {
		to *int
		of int
	}{{&r.Sessions, o.Sessions}, {&r.Seconds, o.Seconds}, {&r.Active, o.Active}, {&r.Pages, o.Pages}, {&r.Sheets, o.Sheets},
		{&r.Colour, o.Colour}, {&r.Prints, o.Prints}, {&r.Wipes, o.Wipes}, {&r.Refusals, o.Refusals}, {&r.Visits, o.Visits},
		{&r.Unsure, o.Unsure}, {&r.Outside, o.Outside}, {&r.Badged, o.Badged}, {&r.Stay, o.Stay}, {&r.Help, o.Help}} {
		*f.to += n * f.of
	}
	for _, m := range []struct {
		to *map[string]int
		of map[string]int
	}{{&r.Filtered, o.Filtered}, {&r.Ends, o.Ends}, {&r.Refused, o.Refused}, {&r.Langs, o.Langs}, {&r.Profiles, o.Profiles}, {&r.Smiles, o.Smiles}} {
		for k, v := range m.of {
			if *m.to == nil {
				*m.to = map[string]int{}
			}
			if (*m.to)[k] += n * v; (*m.to)[k] == 0 {
				delete(*m.to, k)
			}
		}
	}
	for i := range r.Hours {
		r.Hours[i] += n * o.Hours[i]
		r.Use[i] += n * o.Use[i]
	}
	for i := range r.Lengths {
		r.Lengths[i] += n * o.Lengths[i]
	}
}

// OpenDay is how long a site was open to the public on a local day, by the hours
// that held then: the time in which one of its spaces with a terminal was open.
// Meta.ID is RollupID of the day and the site. A day is written once, when it is
// over; what is planned later never changes it.
type OpenDay struct {
	Day     string `json:"day" inventory:"local day;none-personal;life"`
	Seconds int    `json:"seconds" inventory:"how long it was open;none-personal;life"`
	Outside int    `json:"outside,omitempty" inventory:"how long it was open outside school or office hours;none-personal;life"`
}

// OpenMonth is OpenDay for a calendar month, the sum of its days.
type OpenMonth OpenDay

// Presence tells that a badge was used at a site in a month whose key is there.
// Meta.ID is PresenceID. When the key is destroyed, they are counted and deleted.
type Presence struct {
	Month  string `json:"month" inventory:"calendar month of use;public-task;technical"`
	Holder string `json:"holder" inventory:"pseudonym of the badge, unlinkable between months;public-task;technical"`
}

// PresenceID is a Presence's id.
func PresenceID(month, holder, site string) string { return month + "/" + holder + "/" + site }

// HolderCount is how many badges were used in a month that is over, at a site or
// in a set of sites: the number, and nobody behind it. Meta.ID is the month and Of.
type HolderCount struct {
	Month string `json:"month" inventory:"calendar month of use;none-personal;life"`
	Of    string `json:"of" inventory:"site or set of sites that it counts;none-personal;life"`
	Count int    `json:"count" inventory:"how many badges were used;none-personal;life"`
	// Those at which a badge was used, in their order: later a place may be in another
	// set of that name.
	Members []string `json:"members,omitempty" inventory:"sites of the set at which badges were used;none-personal;life"`
	Small   int      `json:"small,omitempty" inventory:"how many of its sites had fewer than five badges;none-personal;life"`
	Safe    int      `json:"safe" inventory:"how many badges were used where at least five were;none-personal;life"` // shown where small counts are not
}

// HolderCountID is a HolderCount's id.
func HolderCountID(month, of string) string { return month + "/" + of }

func (RollupMonth) Table() Kind      { return KindRollupMonth }
func (RollupMonth) Indexes() []Index { return nil }
func (OpenDay) Table() Kind          { return KindOpenDay }
func (OpenDay) Indexes() []Index     { return nil }
func (OpenMonth) Table() Kind        { return KindOpenMonth }
func (OpenMonth) Indexes() []Index   { return nil }
func (Presence) Table() Kind         { return KindPresence }
func (Presence) Indexes() []Index    { return nil }
func (HolderCount) Table() Kind      { return KindHolderCount }
func (HolderCount) Indexes() []Index { return nil }

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Printing says who may print how much, and what it costs. Documents of before
// these rules hold only enabled, pagesPerSession, pagesPerDay and colour; what
// they do not say has the zero value, which means what it meant then: every
// side costs one page, one copy, nothing is held, no period (see Filled).
type Printing struct {
	Enabled bool `json:"enabled"`
	Quota
	Colour     bool    `json:"colour"`     // colour may be chosen
	ColourCost int     `json:"colourCost"` // of a coloured side, in percent of a black one; 0 counts as 100
	Duplex     Duplex  `json:"duplex"`
	DuplexCost int     `json:"duplexCost"` // of a side of a sheet printed on both, in percent of one printed alone; 0 counts as 100
	Copies     int     `json:"copies"`     // at most; 0 counts as 1
	Hold       Hold    `json:"hold"`       // which jobs wait for staff
	HoldOver   int     `json:"holdOver"`   // with HoldOver: jobs of more pages
	Silent     Silent  `json:"silent"`     // what a job costs that is done, says the printer, and of which it tells no count
	Staff      []Staff `json:"staff"`      // whose badges release jobs at the terminal
	// OfflinePages is what one session may print while the ledger cannot be
	// reached; it is charged afterwards.
	OfflinePages int `json:"offlinePages"`
	// FinishSeconds is how long a document may still go to the printer once its
	// session has ended; 0 counts as 60.
	FinishSeconds int `json:"finishSeconds"`
	// Periods replace the quota between two days, school holidays for example.
	Periods []PrintPeriod `json:"periods"`
	// Groups are the badges that have other pages than most.
	Groups []QuotaGroup `json:"groups"`
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

// PrintPeriod is a quota for some days, both ends included. It replaces the
// quota of other days whole: what it leaves at 0 has no limit.
type PrintPeriod struct {
	From string `json:"from"` // 2006-01-02
	To   string `json:"to"`
	Why  string `json:"why"` // for staff, in French
	Quota
}

// QuotaGroup says how many pages the badges and codes of one group have, in periods
// too. What it leaves out is as for everybody.
type QuotaGroup struct {
	Name            string `json:"name"` // as staff write it on a badge: « Famille », never a person
	PagesPerSession int    `json:"pagesPerSession"`
	PagesPerDay     int    `json:"pagesPerDay"`   // of one badge, at all terminals; 0: no limit
	PagesPerMonth   int    `json:"pagesPerMonth"` // of one badge, at all terminals; 0: no limit
}

// Staff is somebody's badge, as a terminal knows it.
type Staff struct {
	Name  string `json:"name"`  // a role, no person: « Accueil »
	Badge string `json:"badge"` // SHA-256 of the badge's key in small hex; borne-kiosk badge tells it
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

// Filled returns the rules with what a document left out: the meaning of 0
// where none of something makes no sense.
func (p Printing) Filled() Printing {
	for v, missing := range map[*int]int{&p.ColourCost: 100, &p.DuplexCost: 100, &p.Copies: 1, &p.FinishSeconds: 60} {
		if *v == 0 {
			*v = missing
		}
	}
	return p
}

// Cost is what printed sides cost, in hundredths of a page (wire.Units). It is
// linear: twice the sides cost twice as much, so that what is given back for
// sides that were not printed is exact. Therefore it is one side's price that
// is rounded, and the last side of an odd number costs what the others do,
// although it has its sheet for itself. No side is free.
func (p Printing) Cost(impressions int, colour, duplex bool) int {
	p = p.Filled()
	side := 100 * 100
	if colour {
		side = side * p.ColourCost / 100
	}
	if duplex {
		side = side * p.DuplexCost / 100
	}
	return max(impressions, 0) * max((side+50)/100, 1)
}

// QuotaAt is the quota in force at an instant: that of the period which holds
// its local day, else the usual one.
func (p Printing) QuotaAt(t time.Time, loc *time.Location) Quota {
	day := t.In(loc).Format(dayLayout)
	for _, x := range p.Periods {
		if x.From <= day && day <= x.To { // years have four digits, so text compares as days do
			return x.Quota
		}
	}
	return p.Quota
}

// QuotaFor is the quota of a badge of a group at an instant. A group that these
// rules do not name has what everybody has. known tells whether they name it.
func (p Printing) QuotaFor(group string, t time.Time, loc *time.Location) (q Quota, known bool) {
	q = p.QuotaAt(t, loc)
	for _, g := range p.Groups {
		if group != "" && strings.EqualFold(g.Name, group) {
			q.PagesPerSession, q.PagesPerDay, q.PagesPerMonth = g.PagesPerSession, g.PagesPerDay, g.PagesPerMonth
			return q, true
		}
	}
	return q, false
}

// ValidGroup tells whether s can name a group of quotas; none is a name too. No
// spreadsheet takes one for a formula.
func ValidGroup(s string) bool {
	return len(s) <= MaxGroup && utf8.ValidString(s) && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || strings.ContainsRune("=+@\"';<>\t", r)
	}) && !strings.HasPrefix(s, "-")
}

// MaxGroup bounds the name of a group, in bytes.
const MaxGroup = 40

// Limits on what the printing rules hold.
const (
	maxPages   = 10000 // of a session, a job, an hour or a day
	maxMonth   = 100000
	maxPeriods = 100
	maxStaff   = 200
	maxGroups  = 50
	maxCopies  = 99
)

func (p Printing) check(c *checker) {
	p.checkQuota(c, "printing", p.Quota)
	c.between("printing.colourCost", "Le prix d’une face en couleur (% d’une face en noir)", p.ColourCost, 0, 1000)
	c.between("printing.duplexCost", "Le prix d’une face en recto verso (% d’une face seule)", p.DuplexCost, 0, 200)
	c.between("printing.copies", "Le nombre d’exemplaires", p.Copies, 0, maxCopies)
	c.between("printing.holdOver", "Le nombre de pages à partir duquel une impression attend", p.HoldOver, 0, maxPages)
	c.between("printing.offlinePages", "Le nombre de pages sans connexion", p.OfflinePages, 0, 1000)
	c.between("printing.finishSeconds", "L’attente d’une impression après la session (secondes)", p.FinishSeconds, 0, 600)
	if !slices.Contains([]Duplex{DuplexFree, DuplexNever, DuplexAlways}, p.Duplex) {
		c.add("printing.duplex", "Choisissez pour le recto verso : au choix, jamais, ou toujours (ici « %s »).", clip(string(p.Duplex)))
	}
	if !slices.Contains([]Hold{HoldNever, HoldAlways, HoldOver, HoldColour}, p.Hold) {
		c.add("printing.hold", "Choisissez les impressions qui attendent : aucune, toutes, les longues, ou celles en couleur (ici « %s »).", clip(string(p.Hold)))
	}
	if p.Hold == HoldOver && p.HoldOver == 0 {
		c.add("printing.holdOver", "Indiquez à partir de combien de pages une impression attend.")
	}
	if !slices.Contains([]Silent{SilentCharge, SilentFree, SilentStaff}, p.Silent) {
		c.add("printing.silent", "Choisissez ce que coûte une impression que l’imprimante ne compte pas : le prix prévu, rien, ou l’avis du personnel (ici « %s »).", clip(string(p.Silent)))
	}
	checkBadges(c, "printing.staff", p.Staff)
	p.checkPeriods(c)
	p.checkGroups(c)
}

// checkQuota looks at one quota below field. A side that costs more than a
// whole allowance would be printed by nobody.
func (p Printing) checkQuota(c *checker, field string, q Quota) {
	side := p.Cost(1, false, p.Duplex == DuplexAlways)
	for _, x := range []struct {
		key, name string
		v, high   int
	}{
		{"pagesPerSession", "Le nombre de pages par session", q.PagesPerSession, 1000},
		{"pagesPerJob", "Le nombre de pages par impression", q.PagesPerJob, maxPages},
		{"pagesPerDay", "Le nombre de pages par jour", q.PagesPerDay, maxPages},
		{"pagesPerMonth", "Le nombre de pages par mois", q.PagesPerMonth, maxMonth},
		{"pagesPerHour", "Le nombre de pages par heure", q.PagesPerHour, maxPages},
	} {
		at := field + "." + x.key
		c.between(at, x.name, x.v, 0, x.high)
		if p.Enabled && x.v > 0 && x.v*100 < side && x.key != "pagesPerJob" { // a job's limit counts sides
			c.add(at, "%s ne suffit pas à une seule face en recto verso : personne ne pourrait imprimer.", x.name)
		}
	}
	if p.Enabled && q.PagesPerSession == 0 {
		c.add(field, "L’impression est permise, mais avec zéro page par session : personne ne pourrait imprimer.")
	}
}

func (p Printing) checkPeriods(c *checker) {
	if len(p.Periods) > maxPeriods {
		c.add("printing.periods", "Cent périodes au plus.")
		return
	}
	for i, x := range p.Periods {
		field, sound := fmt.Sprintf("printing.periods.%d", i), true
		for _, end := range []struct{ key, day string }{{".from", x.From}, {".to", x.To}} {
			if d, err := time.Parse(dayLayout, end.day); err != nil || d.Format(dayLayout) != end.day {
				c.add(field+end.key, "La date « %s » n’existe pas (année-mois-jour).", clip(end.day))
				sound = false
			}
		}
		if sound && x.To < x.From {
			c.add(field+".to", "La période finit avant de commencer.")
			sound = false
		}
		if sound && slices.ContainsFunc(p.Periods[:i], func(o PrintPeriod) bool { return o.From <= x.To && x.From <= o.To }) {
			c.add(field, "La période du %s au %s chevauche une autre.", x.From, x.To)
		}
		if len(x.Why) > 200 {
			c.add(field+".why", "La raison est trop longue (200 caractères au plus).")
		}
		p.checkQuota(c, field, x.Quota)
	}
}

func (p Printing) checkGroups(c *checker) {
	if len(p.Groups) > maxGroups {
		c.add("printing.groups", "Cinquante groupes au plus.")
		return
	}
	for i, g := range p.Groups {
		field := fmt.Sprintf("printing.groups.%d", i)
		switch {
		case g.Name == "" || !ValidGroup(g.Name):
			c.add(field+".name", "Donnez un nom au groupe, « Famille » par exemple : %d caractères au plus, sans signe spécial.", MaxGroup)
		case slices.ContainsFunc(p.Groups[:i], func(o QuotaGroup) bool { return strings.EqualFold(o.Name, g.Name) }):
			c.add(field+".name", "Le groupe « %s » est inscrit deux fois.", clip(g.Name))
		}
		p.checkQuota(c, field, Quota{PagesPerSession: g.PagesPerSession, PagesPerDay: g.PagesPerDay, PagesPerMonth: g.PagesPerMonth})
	}
}

// clip shortens a foreign value that a sentence repeats.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

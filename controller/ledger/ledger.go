// Package ledger decides about pages across terminals: what a badge has left,
// what is set aside while a job prints, and what it costs in the end. A job is
// found again by its terminal and its id, so whatever is said twice counts once.
// All of it runs inside the store's transactions.
package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"borne/controller/audit"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// Config is what the ledger needs.
type Config struct {
	Now      func() time.Time
	Location *time.Location // of days and months; Europe/Paris
	// Account names a badge's account in the month of filed; nothing once that
	// month is over for good, for an absurd time, or when nobody had the badge
	// at that time. See directory.Account.
	Account func(tx store.Tx, h1 []byte, filed, at time.Time) ([]byte, error)
	// Group is a badge's quota group; empty for the usual quota. See directory.Group.
	Group func(tx store.Tx, h1 []byte) (string, error)
	// Policy is what holds for a terminal now.
	Policy func(tx store.Tx, t store.Item[store.Terminal]) (policy.Policy, error)
}

// Ledger keeps the accounts.
type Ledger struct{ cfg Config }

// New returns the ledger.
func New(cfg Config) *Ledger {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = policy.Location()
	}
	return &Ledger{cfg}
}

// Errors that callers tell apart.
var (
	ErrAsk   = errors.New("no question of this protocol")
	ErrOver  = errors.New("it is decided already")         // Decide: nothing is doubtful
	ErrRange = errors.New("outside of what may be chosen") // a charge or a grant
	ErrEnded = errors.New("the session is over")
)

// Bounds.
const (
	// Most is what is told to be left where no quota limits a badge.
	Most wire.Units = 100_000 * wire.UnitsPerPage
	// maxOpen is how many jobs of one badge may be open at once.
	maxOpen = 32
	// MaxGrant is how many pages staff may give at once, and MaxGrants how many
	// one session may get.
	MaxGrant  = 100
	MaxGrants = 300
	maxReason = wire.MaxText // bytes: a terminal shows it
	// Silent is how long a reservation may stand without any news of its job:
	// then it is up to staff, as what is doubtful is.
	Silent = 24 * time.Hour
	// keepDays is how long an account tells its days apart.
	keepDays = 7
)

type (
	job     = store.Item[store.PrintJob]
	account = store.Item[store.Account]
)

// day is the local day of a time.
func (l *Ledger) day(at time.Time) string { return at.In(l.cfg.Location).Format(time.DateOnly) }

// noon is a time that is on the same day and in the same month wherever it is
// looked at from.
func noon(day string) time.Time {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return time.Time{}
	}
	return at.Add(12 * time.Hour)
}

// find returns a terminal's job, or one that is new.
func find(tx store.Tx, t store.Meta, id string, at time.Time) (j job, known bool, err error) {
	j, err = store.First(store.Find[store.PrintJob](tx, "job", store.JobKey(t.ID, id)))
	if errors.Is(err, store.ErrNotFound) {
		m := store.Meta{ID: store.TimeID(at, t.ID+"-"+id), Site: t.Site, Scope: t.ID}
		return job{Meta: m, Row: store.PrintJob{Job: id, Terminal: t.ID, At: at.UTC()}}, false, nil
	}
	return j, err == nil, err
}

// open reads an account, or makes the one of that day's month.
func open(tx store.Tx, id, day string) (account, error) {
	a, err := store.Get[store.Account](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return account{Meta: store.Meta{ID: id}, Row: store.Account{Month: day[:len("2006-01")]}}, nil
	}
	return a, err
}

// add changes what an account has on a day.
func (l *Ledger) add(a *account, day string, charged, extra wire.Units) {
	a.Row.Charged, a.Row.Extra = max(a.Row.Charged+charged, 0), a.Row.Extra+extra
	d, ok := a.Row.Days[day]
	if !ok && l.old(day) {
		return // its month still counts it
	}
	if a.Row.Days == nil {
		a.Row.Days = map[string]store.AccountDay{}
	}
	d.Charged, d.Extra = max(d.Charged+charged, 0), d.Extra+extra
	a.Row.Days[day] = d
}

// old tells whether an account no longer tells this day apart.
func (l *Ledger) old(day string) bool {
	return noon(day).Before(l.cfg.Now().AddDate(0, 0, -keepDays))
}

// charge books a difference, which may give back.
func (l *Ledger) charge(tx store.Tx, id, day string, difference wire.Units) error {
	if id == "" || difference == 0 {
		return nil
	}
	a, err := open(tx, id, day)
	if err != nil {
		return err
	}
	l.add(&a, day, difference, 0)
	return store.Put(tx, a)
}

// Account returns the account that an end of a job belongs to, in hex: the badge
// is forgotten before anything is stored. It is the one of the month in which
// the job counts already, so that a month's turn between two of a job's records
// changes nothing.
func (l *Ledger) Account(tx store.Tx, terminal string, p wire.Printed, at time.Time) ([]byte, error) {
	j, known, err := find(tx, store.Meta{ID: terminal}, p.Job, at)
	if err != nil {
		return nil, err
	}
	day := l.day(at)
	if known {
		day = j.Row.Day
	}
	id, err := l.cfg.Account(tx, p.Holder, noon(day), at)
	if err != nil {
		return nil, fmt.Errorf("cannot find a badge's account: %w", err)
	}
	return hex.AppendEncode(nil, id), nil
}

// Decide ends a job of which nobody could tell what was printed: staff say what
// it costs, between nothing and what was set aside, once.
func (l *Ledger) Decide(tx store.Tx, id string, charge wire.Units, by, reason string) (store.Item[store.PrintJob], error) {
	j, err := store.Get[store.PrintJob](tx, id)
	switch {
	case err != nil:
		return j, err
	case !Doubtful(j.Row, l.cfg.Now()):
		return j, fmt.Errorf("cannot decide about job %s: %w", id, ErrOver)
	case charge < 0 || charge > j.Row.Reserved || reason == "" || len(reason) > maxReason:
		return j, fmt.Errorf("cannot decide about job %s: charge %d of %d: %w", id, charge, j.Row.Reserved, ErrRange)
	}
	if err := l.charge(tx, j.Row.Account, j.Row.Day, charge); err != nil {
		return j, err
	}
	if j.Row.Outcome == "" {
		j.Row.Outcome, j.Row.Reason = wire.PrintDoubtful, wire.PrintLost
	}
	now := l.cfg.Now().UTC()
	j.Row.Charged, j.Row.Account, j.Row.Decided, j.Row.By, j.Row.Why = charge, "", now, by, reason
	if err := store.Put(tx, j); err != nil {
		return j, err
	}
	return j, audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "print.decided", Site: j.Site, Scope: j.Scope, Target: j.ID,
		Detail: fmt.Sprintf("%d/%d: %s", charge, j.Row.Reserved, reason)})
}

// Doubtful tells whether it is up to staff what a job costs: its terminal cannot
// tell, or has said nothing of it for a long time.
func Doubtful(j store.PrintJob, now time.Time) bool {
	return j.Open() && (j.Outcome != "" || now.Sub(j.At) > Silent)
}

// Grant gives pages to the session that goes on at a terminal. With a badge they
// count for the badge's day as soon as the session asks next.
func (l *Ledger) Grant(tx store.Tx, terminal, session string, pages int, by, reason string) error {
	s, err := running(tx, terminal, session)
	if err != nil {
		return err
	}
	given := wire.Units(0)
	for g, err := range store.Find[store.Grant](tx, "session", session) {
		if err != nil {
			return err
		}
		if g.Row.Terminal == terminal {
			given += g.Row.Units
		}
	}
	if pages < 1 || pages > MaxGrant || given.Pages()+pages > MaxGrants || reason == "" || len(reason) > maxReason {
		return fmt.Errorf("cannot give %d pages on top of %d: %w", pages, given.Pages(), ErrRange)
	}
	now := l.cfg.Now().UTC()
	g := store.Grant{Session: session, Terminal: terminal, At: now, Units: wire.Units(pages) * wire.UnitsPerPage, By: by, Why: reason}
	m := store.Meta{ID: store.TimeID(now, fmt.Sprintf("%s-%s-%d", terminal, session, given)), Site: s.Site, Scope: terminal}
	if err := store.Put(tx, store.Item[store.Grant]{Meta: m, Row: g}); err != nil {
		return err
	}
	return audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "print.granted", Site: s.Site, Scope: terminal, Target: terminal,
		Detail: fmt.Sprintf("%d: %s", pages, reason)})
}

func running(tx store.Tx, terminal, session string) (store.Item[store.SessionRow], error) {
	s, err := sessionOf(tx, terminal, session)
	if errors.Is(err, store.ErrNotFound) || err == nil && !s.Row.Ended.IsZero() {
		return s, fmt.Errorf("cannot give pages to session %s: %w", session, ErrEnded)
	}
	return s, err
}

// sessionOf finds a session of a terminal.
func sessionOf(tx store.Tx, terminal, id string) (store.Item[store.SessionRow], error) {
	for s, err := range store.Find[store.SessionRow](tx, "session", id) {
		if err != nil || s.Row.Terminal == terminal {
			return s, err
		}
	}
	return store.Item[store.SessionRow]{}, fmt.Errorf("cannot find session %q: %w", id, store.ErrNotFound)
}

// Package requisition keeps rows past their time for a réquisition that names them,
// and says whether traffic data may be kept at all. A hold keeps what is there, and
// makes nothing: no key of a month, no identity, no address.
package requisition

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"borne/controller/audit"
	"borne/controller/store"
)

// What audits say. Nothing is done to a hold without one of them.
const (
	actionAsked     = "hold.asked"
	actionConfirmed = "hold.confirmed"
	actionWithdrawn = "hold.withdrawn"
	actionLifted    = "hold.lifted"
	actionEndAsked  = "hold.end-asked"
	actionEnded     = "hold.ended"
)

// Limits of what a hold says, and of how many may be open.
const (
	MaxReference = 80
	MaxAuthority = 120
	MaxSites     = 100
	maxOpen      = 200
	maxAhead     = 31 // days until it begins
)

// Errors that callers tell apart.
var (
	ErrSamePerson = errors.New("whoever asked for a hold does not confirm it")
	ErrNewAccount = errors.New("an account that was made after a hold was asked for does not confirm it")
	ErrOver       = errors.New("the hold is over, or stands already")
	ErrMany       = errors.New("too many holds are open")
)

// Invalid names what is wrong with what was asked.
type Invalid struct{ Field, Why string }

func (e *Invalid) Error() string { return "cannot ask for a hold: " + e.Field + ": " + e.Why }

// Reasons of an Invalid.
const (
	WhyEmpty   = "empty"
	WhyLong    = "too long"
	WhySigns   = "signs that cannot be"
	WhyUnknown = "unknown"
	WhyBegin   = "it begins in the past, or too late"
	WhyEnd     = "it ends before it begins"
	WhyLimit   = "it is longer than the policy's limit"
)

// Classes are the retention classes whose rows can wait: of minutes are secrets that
// end by themselves, and of life what is no trace of a use.
func Classes() []string {
	return []string{"usage", "security", "technical", "audit", "account", "traffic"}
}

// State is how a hold stands.
type State string

// States.
const (
	Asked     State = "asked"     // nobody confirmed it: it holds nothing
	Planned   State = "planned"   // confirmed, and begins later
	Standing  State = "standing"  // rows wait for it
	Lifted    State = "lifted"    // somebody ended it
	Withdrawn State = "withdrawn" // somebody took it back before it was confirmed
	Ended     State = "ended"     // by itself
	Lapsed    State = "lapsed"    // by itself, and nobody had confirmed it
)

// StateOf tells how a hold stands at a time.
func StateOf(h store.Hold, now time.Time) State {
	confirmed := !h.ConfirmedAt.IsZero()
	switch {
	case !h.LiftedAt.IsZero() && confirmed:
		return Lifted
	case !h.LiftedAt.IsZero():
		return Withdrawn
	case !now.Before(h.Ends) && confirmed:
		return Ended
	case !now.Before(h.Ends):
		return Lapsed
	case !confirmed:
		return Asked
	case now.Before(h.Begins):
		return Planned
	}
	return Standing
}

// open tells whether something may still come of it.
func (s State) open() bool { return s == Asked || s == Planned || s == Standing }

// Hold is one row.
type Hold = store.Item[store.Hold]

// List is every hold, in the order in which they were asked for.
func List(tx store.Tx) ([]Hold, error) {
	var all []Hold
	for it, err := range store.List[store.Hold](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	slices.SortStableFunc(all, func(x, y Hold) int { return cmp.Or(x.Row.AskedAt.Compare(y.Row.AskedAt), strings.Compare(x.ID, y.ID)) })
	return all, nil
}

// Ask notes that somebody asks for a hold of at most limit days. It holds nothing
// until somebody else confirms it. today is the begin of the local day.
func Ask(tx store.Tx, h store.Hold, limit int, today, now time.Time) (Hold, error) {
	h.Reference, h.Authority = strings.TrimSpace(h.Reference), strings.TrimSpace(h.Authority)
	if err := check(tx, &h, limit, today); err != nil {
		return Hold{}, err
	}
	all, err := List(tx)
	if err != nil {
		return Hold{}, err
	}
	open := 0
	for _, o := range all {
		if StateOf(o.Row, now).open() {
			open++
		}
	}
	if open >= maxOpen {
		return Hold{}, ErrMany
	}
	h.AskedAt, h.Begins, h.Ends = now.UTC(), h.Begins.UTC(), h.Ends.UTC()
	h.ConfirmedBy, h.ConfirmedAt, h.EndAskedBy, h.EndAskedAt, h.LiftedBy, h.LiftedAt, h.Closed = "", time.Time{}, "", time.Time{}, "", time.Time{}, time.Time{}
	it := Hold{Meta: store.Meta{ID: newID()}, Row: h}
	if err := store.Put(tx, it); err != nil {
		return Hold{}, fmt.Errorf("cannot keep a hold: %w", err)
	}
	it.Rev++
	return it, audit.Append(tx, audit.Entry{At: now, Actor: h.AskedBy, Action: actionAsked, Target: it.ID, Detail: detail(h)})
}

// detail says in the audit what rows wait, for what, until when.
func detail(h store.Hold) string {
	return fmt.Sprintf("%s · %s · %s · %s → %s", h.Reference, strings.Join(h.Classes, ", "), strings.Join(h.Sites, ", "), h.Begins.Format(time.RFC3339), h.Ends.Format(time.RFC3339))
}

func check(tx store.Tx, h *store.Hold, limit int, today time.Time) error {
	for _, f := range []struct {
		name, text string
		max        int
	}{{"reference", h.Reference, MaxReference}, {"authority", h.Authority, MaxAuthority}} {
		switch {
		case f.text == "":
			return &Invalid{f.name, WhyEmpty}
		case len([]rune(f.text)) > f.max:
			return &Invalid{f.name, WhyLong}
		case strings.ContainsFunc(f.text, func(r rune) bool { return !unicode.IsPrint(r) }):
			return &Invalid{f.name, WhySigns}
		}
	}
	h.Sites, h.Classes = unique(h.Sites), unique(h.Classes)
	switch {
	case len(h.Sites) == 0:
		return &Invalid{"sites", WhyEmpty}
	case len(h.Sites) > MaxSites:
		return &Invalid{"sites", WhyLong}
	case len(h.Classes) == 0:
		return &Invalid{"classes", WhyEmpty}
	}
	for _, s := range h.Sites {
		if _, err := store.Get[store.Site](tx, s); errors.Is(err, store.ErrNotFound) {
			return &Invalid{"sites", WhyUnknown}
		} else if err != nil {
			return err
		}
	}
	for _, c := range h.Classes {
		if !slices.Contains(Classes(), c) {
			return &Invalid{"classes", WhyUnknown}
		}
	}
	switch {
	case h.Begins.Before(today) || h.Begins.After(today.AddDate(0, 0, maxAhead)):
		return &Invalid{"from", WhyBegin}
	case !h.Ends.After(h.Begins):
		return &Invalid{"to", WhyEnd}
	case h.Ends.After(h.Begins.AddDate(0, 0, limit)):
		return &Invalid{"to", WhyLimit}
	}
	return nil
}

func unique(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return slices.Compact(all)
}

func newID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// Confirm makes a hold stand. Whoever asked for it cannot, under no account of theirs
// that was made since.
func Confirm(tx store.Tx, id, by string, now time.Time) (Hold, error) {
	it, err := store.Get[store.Hold](tx, id)
	if err != nil {
		return it, err
	}
	if StateOf(it.Row, now) != Asked {
		return it, ErrOver
	}
	if err := another(tx, by, it.Row.AskedBy, it.Row.AskedAt); err != nil {
		return it, err
	}
	it.Row.ConfirmedBy, it.Row.ConfirmedAt = by, now.UTC()
	return done(tx, it, now, by, actionConfirmed)
}

// another refuses whoever asked themselves, under an account too that was made since.
func another(tx store.Tx, by, asked string, at time.Time) error {
	if by == asked {
		return ErrSamePerson
	}
	who, err := store.Get[store.User](tx, by)
	if err != nil {
		return fmt.Errorf("cannot find who confirms: %w", err)
	}
	if who.Row.Created.After(at) {
		return ErrNewAccount
	}
	return nil
}

// Lift ends a hold before its time: its rows go at the next run. Of one that stands
// the first asks for that and somebody else confirms it, as it was made: alone nobody
// deletes what two people wanted kept. One that nobody confirmed is withdrawn.
func Lift(tx store.Tx, id, by string, now time.Time) (Hold, error) {
	it, err := store.Get[store.Hold](tx, id)
	if err != nil {
		return it, err
	}
	s := StateOf(it.Row, now)
	if !s.open() {
		return it, ErrOver
	}
	if s == Asked {
		it.Row.LiftedBy, it.Row.LiftedAt = by, now.UTC()
		return done(tx, it, now, by, actionWithdrawn)
	}
	if it.Row.EndAskedAt.IsZero() {
		it.Row.EndAskedBy, it.Row.EndAskedAt = by, now.UTC()
		return done(tx, it, now, by, actionEndAsked)
	}
	if err := another(tx, by, it.Row.EndAskedBy, it.Row.EndAskedAt); err != nil {
		return it, err
	}
	it.Row.LiftedBy, it.Row.LiftedAt = by, now.UTC()
	return done(tx, it, now, by, actionLifted)
}

func done(tx store.Tx, it Hold, now time.Time, by, action string) (Hold, error) {
	if err := store.Put(tx, it); err != nil {
		return it, fmt.Errorf("cannot keep a hold: %w", err)
	}
	it.Rev++
	return it, audit.Append(tx, audit.Entry{At: now, Actor: by, Action: action, Target: it.ID, Detail: it.Row.Reference})
}

// Close notes in the audit which holds ended by themselves.
func Close(tx store.Tx, now time.Time) error {
	all, err := List(tx)
	if err != nil {
		return err
	}
	for _, it := range all {
		s := StateOf(it.Row, now)
		if (s != Ended && s != Lapsed) || !it.Row.Closed.IsZero() {
			continue
		}
		it.Row.Closed = now.UTC()
		if _, err := done(tx, it, now, audit.Controller, actionEnded); err != nil {
			return err
		}
	}
	return nil
}

// Held are the holds that stand now.
type Held []Hold

// Now returns the holds that stand.
func Now(tx store.Tx, now time.Time) (Held, error) {
	all, err := List(tx)
	if err != nil {
		return nil, fmt.Errorf("cannot read which rows wait for a requisition: %w", err)
	}
	return slices.DeleteFunc(all, func(h Hold) bool { return StateOf(h.Row, now) != Standing }), nil
}

// Of are those of a class.
func (h Held) Of(class string) Held {
	return slices.DeleteFunc(slices.Clone(h), func(it Hold) bool { return !slices.Contains(it.Row.Classes, class) })
}

// On are those of a site. A row of no site waits for none.
func (h Held) On(site string) Held {
	return slices.DeleteFunc(slices.Clone(h), func(it Hold) bool { return site == "" || !slices.Contains(it.Row.Sites, site) })
}

// Until is when the last of them ends by itself.
func (h Held) Until() (last time.Time) {
	for _, it := range h {
		if it.Row.Ends.After(last) {
			last = it.Row.Ends
		}
	}
	return last
}

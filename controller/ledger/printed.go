package ledger

import (
	"encoding/hex"
	"errors"
	"time"

	"borne/controller/compliance"
	"borne/controller/store"
	"borne/controller/wire"
)

// Printed applies a record of kind print: the job costs what it says, never more
// than what was set aside for it, and what is left of that is free again. A job
// that was printed on the terminal's own allowance is charged although nothing
// was set aside, and may pass the quota: the next question finds it. A later
// record of a job replaces an earlier one, and the same one changes nothing.
// Everything that a terminal may say has an effect, or none: it never fails but
// by the store.
func (l *Ledger) Printed(tx store.Tx, t store.Item[store.Terminal], at time.Time, p wire.Printed) error {
	p = p.Bounded()
	j, known, err := find(tx, t.Meta, p.Job, at)
	if err != nil {
		return err
	}
	was := j.Row
	acc := was.Account
	if acc == "" {
		acc = accountOf(p.Holder)
	}
	if !known {
		j.Row.Day = l.day(at)
	}
	if j.Row.Told.IsZero() {
		j.Row.Told = at.UTC()
	}
	r := &j.Row
	r.Session, r.Reason = p.Session, p.Reason
	r.Asked, r.Impressions, r.Sheets = p.Asked, p.Impressions, p.Sheets
	r.Colour, r.Duplex, r.Estimated, r.Offline = p.Colour, p.Duplex, p.Estimated, p.Offline
	if was.Decided.IsZero() { // what staff decided stands
		l.end(r, p, acc)
		if err := l.charge(tx, acc, r.Day, r.Charged-was.Charged); err != nil {
			return err
		}
	}
	if err := store.Put(tx, j); err != nil {
		return err
	}
	return l.figures(tx, t.Meta, was, j.Row)
}

// end writes what became of a job, what it costs, and what stays set aside.
func (l *Ledger) end(r *store.PrintJob, p wire.Printed, acc string) {
	if r.Reserved == 0 {
		r.Reserved = p.Reserved // offline, or reserved before a restore that forgot it
	}
	r.Account, r.Charged = "", 0
	switch r.Outcome = p.Outcome; p.Outcome {
	case wire.PrintSettled:
		r.Charged = min(p.Charged, r.Reserved)
	case wire.PrintRefunded:
	default: // doubtful, or a newer terminal's word: staff decide
		r.Outcome, r.Account = wire.PrintDoubtful, acc
	}
}

// accountOf reads an account that a holder was replaced by.
func accountOf(holder []byte) string {
	if _, err := hex.DecodeString(string(holder)); err != nil {
		return ""
	}
	return string(holder)
}

// figures takes a job into its session's pages and its day's figures, in place
// of what it was counted as before.
func (l *Ledger) figures(tx store.Tx, t store.Meta, was, now store.PrintJob) error {
	first := was.Told.IsZero()
	coloured := func(j store.PrintJob) int {
		if j.Colour {
			return j.Impressions
		}
		return 0
	}
	err := compliance.Count(tx, t, l.day(now.Told), func(u *store.Rollup) {
		u.Pages += now.Impressions - was.Impressions
		u.Sheets += now.Sheets - was.Sheets
		u.Colour += coloured(now) - coloured(was)
		if first {
			u.Prints++
		}
	})
	if err != nil {
		return err
	}
	s, err := sessionOf(tx, t.ID, now.Session)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.Row.Prints == 0 && s.Row.Pages > 0 {
		// Its end came first, with a number of pages: the jobs tell them one by one
		// now, and none is to count twice.
		told := s.Row.Pages
		if err := compliance.Count(tx, t, l.day(s.Row.Ended), func(u *store.Rollup) { u.Pages = max(u.Pages-told, 0) }); err != nil {
			return err
		}
		s.Row.Pages = 0
	}
	s.Row.Pages += now.Impressions - was.Impressions
	if first {
		s.Row.Prints++
	}
	return store.Put(tx, s)
}

package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// h1Size is the length of h1: HMAC-SHA256.
const h1Size = sha256.Size

// Ask sets pages of a badge aside for a job, or tells what is left. The same
// question has the same answer; another number of pages for a job that is still
// set aside replaces it, when there is room. ErrAsk: nothing that a terminal asks.
func (l *Ledger) Ask(tx store.Tx, id string, a wire.PrintAsk) (wire.PrintAnswer, error) {
	no := wire.PrintAnswer{Job: a.Job, Reason: wire.PrintQuota}
	if !wire.ValidJobID(a.Job) || a.Session == "" || len(a.Session) > wire.MaxJobID || len(a.Holder) != h1Size || a.Units < 0 || a.Units > Most {
		return no, fmt.Errorf("cannot answer about job %.64q, %d units: %w", a.Job, a.Units, ErrAsk)
	}
	t, err := store.Get[store.Terminal](tx, id)
	if err != nil {
		return no, err
	}
	if t.Row.State != store.StateActive {
		no.Reason = wire.RefuseQuarantined
		return no, nil
	}
	p, err := l.cfg.Policy(tx, t)
	if err != nil {
		return no, err
	}
	if !p.Printing.Enabled {
		return no, nil
	}
	today := l.day(l.cfg.Now())
	h2, err := l.cfg.Account(tx, a.Holder, noon(today), l.cfg.Now())
	if err != nil {
		return no, fmt.Errorf("cannot find the account of a badge on %s: %w", today, err)
	}
	if len(h2) == 0 { // a day badge that nobody was given, where any badge begins
		no.Reason = wire.RefuseBadgeNotGiven
		return no, nil
	}
	acc, err := open(tx, hex.EncodeToString(h2), today)
	if err != nil {
		return no, err
	}
	if err := l.take(tx, t.ID, a.Session, &acc, today); err != nil {
		return no, err
	}
	j, known, err := find(tx, t.Meta, a.Job, l.cfg.Now())
	if err != nil {
		return no, err
	}
	group, err := l.cfg.Group(tx, a.Holder)
	if err != nil {
		return no, fmt.Errorf("cannot find the quota group of a badge: %w", err)
	}
	quota, _ := p.Printing.QuotaFor(group, l.cfg.Now(), l.cfg.Location)
	free, _, waiting, err := l.left(tx, acc, quota, today, j.ID)
	if err != nil {
		return no, err
	}
	ans := wire.PrintAnswer{Job: a.Job}
	ans.Granted, ans.Reason = decide(j.Row, known, acc.ID, a, a.Units <= free && waiting < maxOpen)
	if ans.Granted && !same(j.Row, known, a) {
		j.Row.Session, j.Row.Reserved, j.Row.Account, j.Row.Day = a.Session, a.Units, acc.ID, today
		if err := store.Put(tx, j); err != nil {
			return no, err
		}
	}
	left, month, _, err := l.left(tx, acc, quota, today, "")
	ans.Left, ans.Month = max(left, 0), month
	return ans, err
}

// Session is how many pages one session of a badge may print at a terminal, where
// its quota group has other pages than most; 0: as for everybody.
func (l *Ledger) Session(tx store.Tx, terminal string, h1 []byte) (int, error) {
	group, err := l.cfg.Group(tx, h1)
	if err != nil || group == "" {
		return 0, err
	}
	t, err := store.Get[store.Terminal](tx, terminal)
	if err != nil {
		return 0, err
	}
	p, err := l.cfg.Policy(tx, t)
	if q, known := p.Printing.QuotaFor(group, l.cfg.Now(), l.cfg.Location); err == nil && known && p.Printing.Enabled {
		return q.PagesPerSession, nil
	}
	return 0, err
}

// decide tells whether a job's pages are set aside after this question, or why
// not. room tells whether they would fit.
func decide(j store.PrintJob, known bool, account string, a wire.PrintAsk, room bool) (bool, wire.Reason) {
	switch {
	case a.Units == 0:
		return false, ""
	case known && (j.Outcome != "" || j.Session != a.Session):
		return false, wire.PrintEnded
	case same(j, known, a):
		return true, ""
	case known && j.Account != account: // set aside before the month turned, or for another badge
		return false, wire.PrintEnded
	case !room:
		return false, wire.PrintQuota
	}
	return true, ""
}

// same tells whether exactly this is set aside already.
func same(j store.PrintJob, known bool, a wire.PrintAsk) bool {
	return known && j.Outcome == "" && j.Session == a.Session && j.Reserved == a.Units
}

// left is the least of what day and month leave, with nothing set aside for the
// job but; it may be less than nothing. byMonth: it is the month's. waiting counts
// the open jobs.
func (l *Ledger) left(tx store.Tx, acc account, q policy.Quota, today, but string) (left wire.Units, byMonth bool, waiting int, err error) {
	var month, day wire.Units
	for j, err := range store.Find[store.PrintJob](tx, "account", acc.ID) {
		if err != nil {
			return 0, false, 0, err
		}
		if j.ID == but {
			continue
		}
		waiting++
		if month += j.Row.Reserved; j.Row.Day == today {
			day += j.Row.Reserved
		}
	}
	left = Most
	d := acc.Row.Days[today]
	if q.PagesPerDay > 0 {
		left = min(left, wire.Units(q.PagesPerDay)*wire.UnitsPerPage+d.Extra-d.Charged-day)
	}
	if q.PagesPerMonth > 0 {
		if m := wire.Units(q.PagesPerMonth)*wire.UnitsPerPage + acc.Row.Extra - acc.Row.Charged - month; m < left {
			left, byMonth = m, true
		}
	}
	return left, byMonth, waiting, nil
}

// take gives the account what staff granted to the session that asks: until now
// nobody here knew whose badge it is.
func (l *Ledger) take(tx store.Tx, terminal, session string, acc *account, today string) error {
	extra := wire.Units(0)
	for g, err := range store.Find[store.Grant](tx, "session", session) {
		if err != nil {
			return err
		}
		if g.Row.Taken || g.Row.Terminal != terminal {
			continue
		}
		extra += g.Row.Units
		g.Row.Taken = true
		if err := store.Put(tx, g); err != nil {
			return err
		}
	}
	if extra == 0 {
		return nil
	}
	l.add(acc, today, 0, extra)
	if err := store.Put(tx, *acc); err != nil {
		return err
	}
	acc.Rev++
	return nil
}

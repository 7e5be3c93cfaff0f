package compliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// Apply is the store's Applier: one acknowledged record becomes rows. It is
// total; what it cannot read is kept as it came.
func (r *Rules) Apply(tx store.Tx, id string, rec wire.Record) error {
	t, err := store.Get[store.Terminal](tx, id)
	at := r.when(rec)
	if errors.Is(err, store.ErrNotFound) {
		return keep(tx, store.Meta{ID: id}, rec, at)
	}
	if err != nil {
		return err
	}
	before := t
	filed := rec
	filed.At = at
	known, err := r.applyKind(tx, &t, filed)
	if err != nil {
		return err
	}
	if !known {
		if err := keep(tx, t.Meta, rec, at); err != nil {
			return err
		}
	}
	if same(before.Row, t.Row) {
		return nil
	}
	return store.Put(tx, t)
}

func same(a, b store.Terminal) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// Ahead is how far a terminal's clock may be before ours.
const Ahead = 24 * time.Hour

// when is the time under which a record's rows are filed. A terminal without a
// clock that can be trusted says 1970: filed there, what it reports would be
// over at once for retention, and in no report. The time at which it came is
// then the best that is known.
func (r *Rules) when(rec wire.Record) time.Time {
	if now := r.cfg.Now().UTC(); rec.Unsure || rec.At.After(now.Add(Ahead)) {
		return now
	}
	return rec.At
}

func keep(tx store.Tx, of store.Meta, rec wire.Record, at time.Time) error {
	id := store.TimeID(at, fmt.Sprintf("%s-%d-%d", of.ID, rec.Epoch, rec.Seq))
	return store.Put(tx, store.Item[store.RecordRow]{Meta: store.Meta{ID: id, Site: of.Site, Scope: of.ID}, Row: store.RecordRow{Terminal: of.ID, Record: rec}})
}

// applyKind changes t and other rows. It tells whether the record has a table
// of its own and needs no keeping.
func (r *Rules) applyKind(tx store.Tx, t *terminal, rec wire.Record) (bool, error) {
	switch rec.Kind {
	case wire.KindBegun:
		b, ok := body[wire.Begun](rec)
		if !ok || b.Session == "" {
			return false, nil
		}
		return true, r.begun(tx, t, rec, b)
	case wire.KindEnded:
		e, ok := body[wire.Ended](rec)
		if !ok {
			return false, nil
		}
		return r.ended(tx, t, rec, e)
	case wire.KindReceipt:
		e, ok := body[wire.Envelope](rec)
		if !ok {
			return false, r.quarantine(tx, t, wire.QuarReceiptForged, "a receipt that cannot be read", "")
		}
		return true, r.AcceptReceipt(tx, t, rec, e)
	case wire.KindCommand:
		c, ok := body[wire.CommandDone](rec)
		if !ok {
			return false, nil
		}
		return r.commandDone(tx, t, c)
	case wire.KindDevice:
		d, ok := body[wire.Device](rec)
		if !ok || d.Name == "" {
			return false, nil
		}
		return true, device(tx, t, rec, d)
	case wire.KindPrint:
		p, ok := body[wire.Printed](rec)
		if !ok || !wire.ValidJobID(p.Job) || r.cfg.Printed == nil {
			return false, nil
		}
		return true, r.cfg.Printed(tx, *t, rec.At, p)
	case wire.KindPrinter:
		p, ok := body[wire.Printer](rec)
		if !ok || p.State == "" {
			return false, nil
		}
		return true, r.printer(tx, t.Meta, rec.At, p.Bounded())
	case wire.KindEnergy:
		u, ok := body[wire.EnergyUse](rec)
		if !ok {
			return false, nil
		}
		return r.energy(tx, t.Meta, rec, u)
	case wire.KindRefused:
		f, ok := body[wire.Refused](rec)
		if !ok {
			return false, nil
		}
		return false, r.rollup(tx, t, rec, func(u *store.Rollup) {
			u.Refusals++
			count(&u.Refused, string(f.Reason))
		})
	case wire.KindSmile:
		m, ok := body[wire.Smile](rec)
		if !ok || !m.How.Valid() {
			return false, nil
		}
		return true, r.rollup(tx, t, rec, func(u *store.Rollup) { count(&u.Smiles, string(m.How)) })
	case wire.KindTraffic:
		return true, traffic(tx, t.Meta, rec)
	case wire.KindStaff:
		d, ok := body[wire.StaffDone](rec)
		if !ok || !d.Valid() {
			return false, nil
		}
		if d.Do == wire.StaffCall && rec.At.After(t.Row.Called) {
			t.Row.Called = rec.At.UTC()
		}
		if r.cfg.Staffed == nil {
			return false, nil
		}
		return false, r.cfg.Staffed(tx, *t, rec.At, d)
	case wire.KindPolicy:
		if p, ok := body[wire.PolicyApplied](rec); ok {
			switch t.Row.PolicyError = cut(p.Error); {
			case p.Reverted:
				at := rec.At
				if now := r.cfg.Now().UTC(); at.After(now) { // a clock that is before ours: it would be told late
					at = now
				}
				return false, putBack(tx, *t, at.Truncate(time.Second), p)
			case p.Error == "":
				t.Row.Policy = p.Version
				return false, obeys(tx, *t, p.Version)
			}
		}
		return false, nil
	case wire.KindAlert:
		return false, r.alert(tx, t, rec)
	case wire.KindBoot:
		if b, ok := body[wire.Boot](rec); ok {
			t.Row.Build, t.Row.Machine = short(b.Build), short(b.Machine)
		}
		return false, nil
	default:
		return false, nil
	}
}

func body[T any](rec wire.Record) (T, bool) {
	var v T
	return v, json.Unmarshal(rec.Body, &v) == nil
}

func (r *Rules) begun(tx store.Tx, t *terminal, rec wire.Record, b wire.Begun) error {
	if _, known, err := session(tx, t, b.Session); err != nil {
		return err
	} else if known {
		return r.quarantine(tx, t, wire.QuarClone, "session "+b.Session+" began twice", "")
	}
	id := store.TimeID(rec.At, b.Session)
	row := store.SessionRow{Session: b.Session, Terminal: t.ID, Permit: b.Permit, N: b.N, Profile: b.Profile, Lang: b.Lang,
		Policy: b.Policy, Holder: string(b.Holder), Begun: rec.At, Unsure: rec.Unsure}
	if err := store.Put(tx, store.Item[store.SessionRow]{Meta: store.Meta{ID: id, Site: t.Site, Scope: t.ID}, Row: row}); err != nil {
		return err
	}
	if t.Row.Owes != "" {
		if err := r.quarantine(tx, t, wire.QuarReceiptMissing, "session "+b.Session+" began before the receipt of "+t.Row.Owes, ""); err != nil {
			return err
		}
	}
	why, detail, err := r.consume(tx, t, b)
	if err != nil {
		return err
	}
	if why != "" {
		if err := r.quarantine(tx, t, why, detail, ""); err != nil {
			return err
		}
	}
	t.Row.Owes, t.Row.OwedFor = b.Session, 0
	return nil
}

// session finds a session of this terminal.
func session(tx store.Tx, t *terminal, id string) (store.Item[store.SessionRow], bool, error) {
	for s, err := range store.Find[store.SessionRow](tx, "session", id) {
		if err != nil {
			return s, false, err
		}
		if s.Row.Terminal == t.ID {
			return s, true, nil
		}
	}
	return store.Item[store.SessionRow]{}, false, nil
}

func (r *Rules) ended(tx store.Tx, t *terminal, rec wire.Record, e wire.Ended) (bool, error) {
	s, ok, err := session(tx, t, e.Session)
	if err != nil || !ok || !s.Row.Ended.IsZero() {
		return false, err
	}
	s.Row.Ended, s.Row.Reason, s.Row.Seconds, s.Row.Active = rec.At, e.Reason, e.Seconds, e.Active
	s.Row.Wipes, s.Row.WipeMS = e.Wipes, e.WipeMS
	// Print jobs have records of their own, some of them later than the session's
	// end. Only a terminal that tells of no job is believed about its pages here.
	if e.Pages = max(e.Pages, 0); s.Row.Prints > 0 {
		e.Pages = 0
	} else {
		s.Row.Pages = e.Pages
	}
	if err := store.Put(tx, s); err != nil {
		return true, err
	}
	if err := twice(tx, s); err != nil {
		return true, err
	}
	v, err := r.visit(tx, t, s.Row, rec.Unsure)
	if err != nil {
		return true, err
	}
	if err := r.use(tx, t, v); err != nil {
		return true, err
	}
	if err := present(tx, t, v); err != nil {
		return true, err
	}
	return true, r.rollup(tx, t, rec, func(u *store.Rollup) {
		u.Sessions++
		u.Seconds += max(e.Seconds, 0)
		u.Active += max(e.Active, 0)
		u.Pages += e.Pages
		count(&u.Ends, string(e.Reason))
		v.count(u)
		for category, n := range e.Filtered { // of the day and the terminal, never of a session: it may bear a pseudonym
			if wire.ValidCategory(category) {
				add(&u.Filtered, category, max(min(n, maxFiltered), 0))
			}
		}
	})
}

// maxFiltered bounds what one session can add to a category.
const maxFiltered = 10000

// maxReasons bounds what a terminal can add to a day's row.
const maxReasons = 40

func count(m *map[string]int, key string) { add(m, key, 1) }

func add(m *map[string]int, key string, n int) {
	if *m == nil {
		*m = map[string]int{}
	}
	if _, ok := (*m)[key]; len(key) > 40 || (!ok && len(*m) >= maxReasons) {
		key = "other"
	}
	(*m)[key] += n
}

func (r *Rules) rollup(tx store.Tx, t *terminal, rec wire.Record, change func(*store.Rollup)) error {
	return Count(tx, t.Meta, rec.At.In(r.cfg.Location).Format(time.DateOnly), change)
}

func (r *Rules) commandDone(tx store.Tx, t *terminal, c wire.CommandDone) (bool, error) {
	row, err := store.Get[store.CommandRow](tx, c.ID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && row.Row.Terminal != t.ID) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if row.Row.Status = store.CommandDone; !c.Done {
		row.Row.Status = store.CommandRefused
	}
	row.Row.Answer, row.Row.Changed = cut(c.Reason), r.cfg.Now().UTC()
	return true, store.Put(tx, row)
}

func device(tx store.Tx, t *terminal, rec wire.Record, d wire.Device) error {
	id := t.ID + "/" + short(d.Name)
	it, err := store.Get[store.DeviceRow](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		it, err = store.Item[store.DeviceRow]{Meta: store.Meta{ID: id, Site: t.Site, Scope: t.ID}}, nil
	}
	if err != nil {
		return err
	}
	if it.Row.Health != d.Health {
		it.Row.Since = rec.At
	}
	it.Row.Terminal, it.Row.Name, it.Row.Device, it.Row.Health, it.Row.Error = t.ID, d.Name, d.Device, d.Health, cut(d.Error)
	return store.Put(tx, it)
}

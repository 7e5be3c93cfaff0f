package compliance

import (
	"errors"
	"math"
	"slices"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// Bounds of what a terminal can tell of its energy in one record.
const (
	longestOn   = 25 * time.Hour       // awake: it tells about once an hour, and a day has 25 hours at most; longer where its clock was not trusted for that long
	longestUse  = 400 * 24 * time.Hour // off included: a summer, or a year in a cupboard
	maxDraw     = 1000                 // watts of a terminal, its screen and its printer
	maxCounted  = 400                  // records of one day
	driftAtMost = 10 * time.Minute     // between a record's own clock and the seconds that it counted
)

// seconds of a record by what the terminal did, in the order of wire.EnergyUse.
type seconds [5]int

func (s seconds) sum() int { return s[0] + s[1] + s[2] + s[3] + s[4] }

// share is what falls on one local day.
type share struct {
	day   string
	whole int // the day's length in seconds: 23, 24 or 25 hours
	spent seconds
	wh    float64
}

// measure checks a record and cuts it at local midnights, in proportion to how
// long it was in each day. Its seconds come from a clock that only rises, so where
// the wall clock was set meanwhile they decide how long it was, and its end when.
// None: it cannot be. Odd: it was cut, or its two clocks do not fit.
func measure(u wire.EnergyUse, end time.Time, zone *time.Location) (all []share, odd bool) {
	spent := seconds{u.Lit, u.Dark, u.Low, u.Halted, u.Off}
	for _, s := range spent {
		if s < 0 || time.Duration(s) > longestUse/time.Second {
			return nil, true
		}
	}
	long, total := u.To.Sub(u.From), time.Duration(spent.sum())*time.Second
	on := time.Duration(u.Lit+u.Dark+u.Low) * time.Second
	if total == 0 {
		return nil, u.Wh != 0 || long > driftAtMost
	}
	if on > longestOn && on > long+driftAtMost || total > longestUse || math.IsNaN(u.Wh) {
		return nil, true
	}
	odd = (total - long).Abs() > driftAtMost
	if u.Wh < 0 || u.Wh > maxDraw*total.Hours() {
		u.Wh, odd = 0, true
	}
	begin := end.Add(-total)
	var past time.Duration
	var given seconds
	for at := begin; at.Before(end); {
		y, m, d := at.In(zone).Date()
		first, next := time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)
		stop := next
		if end.Before(stop) {
			stop = end
		}
		sh := share{day: first.Format(time.DateOnly), whole: int(next.Sub(first) / time.Second), wh: u.Wh * float64(stop.Sub(at)) / float64(total)}
		past += stop.Sub(at)
		for i, s := range spent {
			// What is due by now less what was given: nothing is lost by rounding.
			due := int(math.Round(float64(s) * float64(past) / float64(total)))
			sh.spent[i], given[i] = due-given[i], due
		}
		all, at = append(all, sh), stop
	}
	return all, odd
}

// energy adds what a terminal did to its days. It tells whether the record needs no
// keeping: one that cannot be is kept as it came, and its day tells of it.
func (r *Rules) energy(tx store.Tx, t store.Meta, rec wire.Record, u wire.EnergyUse) (bool, error) {
	if rec.Unsure {
		return r.unsure(tx, t, rec, u)
	}
	end := u.To
	if now := r.cfg.Now().UTC(); end.After(now.Add(Ahead)) || end.Before(rec.At.Add(-longestUse)) {
		end = rec.At // when it came: its own clock says nothing
	}
	shares, odd := measure(u, end, r.cfg.Location)
	if shares == nil {
		if !odd {
			return true, nil // nothing happened
		}
		return false, r.oddDay(tx, t, rec)
	}
	for i, sh := range shares {
		err := energyDay(tx, t, sh.day, func(d *store.EnergyDay) { count1(d, sh, u.From.UnixMicro(), odd && i == len(shares)-1) })
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *Rules) oddDay(tx store.Tx, t store.Meta, rec wire.Record) error {
	return energyDay(tx, t, rec.At.In(r.cfg.Location).Format(time.DateOnly), func(d *store.EnergyDay) { d.Odd++ })
}

// unsureDays is how far back hours may be filed of which only the sum is known.
const unsureDays = 31

// unsure files a record whose times mean nothing: on the day on which it came, as
// far as that has passed and nothing else is known of it, then on the days before.
// What a meter said is left out: these days are estimated.
func (r *Rules) unsure(tx store.Tx, t store.Meta, rec wire.Record, u wire.EnergyUse) (bool, error) {
	u.To, u.Wh = u.From.Add(time.Duration(seconds{u.Lit, u.Dark, u.Low, u.Halted, u.Off}.sum())*time.Second), 0
	if shares, odd := measure(u, rec.At, r.cfg.Location); odd {
		return false, r.oddDay(tx, t, rec)
	} else if shares == nil {
		return true, nil
	}
	left := seconds{u.Lit, u.Dark, u.Low, u.Halted, u.Off}
	key := -int64(rec.Epoch<<32 | rec.Seq&math.MaxUint32) // each start without a clock may begin at the same time
	y, m, day := rec.At.In(r.cfg.Location).Date()
	again := false
	for i := 0; i < unsureDays && left.sum() > 0 && !again; i++ {
		first := time.Date(y, m, day-i, 0, 0, 0, 0, r.cfg.Location)
		passed := time.Date(y, m, day-i+1, 0, 0, 0, 0, r.cfg.Location).Sub(first)
		passed = min(passed, rec.At.Sub(first))
		err := energyDay(tx, t, first.Format(time.DateOnly), func(d *store.EnergyDay) {
			var took seconds
			took, again = countUnsure(d, left, int(passed/time.Second), key, i == 0)
			for k := range left {
				left[k] -= took[k]
			}
		})
		if err != nil {
			return false, err
		}
	}
	if left.sum() > 0 && !again {
		return true, r.oddDay(tx, t, rec)
	}
	return true, nil
}

// countUnsure adds what has room to a day of which some seconds have passed.
// Mark: the day remembers the record, even if it takes none of it.
func countUnsure(d *store.EnergyDay, s seconds, passed int, key int64, mark bool) (took seconds, again bool) {
	i, counted := slices.BinarySearch(d.Counted, key)
	if counted {
		return took, true
	}
	room := max(0, passed-of(d).sum())
	if took = s; s.sum() > room {
		took = fit(s, room)
	}
	if (took.sum() == 0 && !mark) || len(d.Counted) >= maxCounted {
		return seconds{}, false
	}
	d.Counted = slices.Insert(d.Counted, i, key)
	put(d, took, 1)
	for k, n := range took {
		d.Unsure[k] += n
	}
	return took, false
}

func of(d *store.EnergyDay) seconds { return seconds{d.Lit, d.Dark, d.Low, d.Halted, d.Off} }

func put(d *store.EnergyDay, s seconds, sign int) {
	for k, to := range []*int{&d.Lit, &d.Dark, &d.Low, &d.Halted, &d.Off} {
		*to += sign * s[k]
	}
}

// giveWay takes out so many seconds that no clock placed there, as far as there are any.
func giveWay(d *store.EnergyDay, need int) {
	gone := seconds(d.Unsure)
	if gone.sum() > need {
		gone = fit(gone, need)
	}
	put(d, gone, -1)
	for k, n := range gone {
		d.Unsure[k] -= n
	}
}

// count1 adds a share to its day, once. What the day has no room for is cut.
func count1(d *store.EnergyDay, sh share, key int64, odd bool) {
	i, counted := slices.BinarySearch(d.Counted, key)
	if counted {
		return // told again
	}
	if len(d.Counted) >= maxCounted {
		d.Odd++
		return
	}
	d.Counted = slices.Insert(d.Counted, i, key)
	wh := sh.wh
	room := sh.whole - of(d).sum()
	if need := sh.spent.sum() - room; need > 0 {
		giveWay(d, need)
		room = sh.whole - of(d).sum()
	}
	if all := sh.spent.sum(); all > room+int(driftAtMost/time.Second) {
		odd = true
	}
	if all := sh.spent.sum(); all > room {
		if room = max(room, 0); all > 0 {
			wh *= float64(room) / float64(all)
		}
		sh.spent = fit(sh.spent, room)
	}
	if sh.wh > 0 {
		d.Wh += wh
		d.Metered += sh.spent.sum()
	}
	put(d, sh.spent, 1)
	if odd {
		d.Odd++
	}
}

// fit cuts seconds down to a sum, in proportion.
func fit(s seconds, room int) (cut seconds) {
	all, past, given := s.sum(), 0, 0
	for i, n := range s {
		past += n
		due := int(int64(room) * int64(past) / int64(all))
		cut[i], given = due-given, due
	}
	return cut
}

func energyDay(tx store.Tx, t store.Meta, day string, change func(*store.EnergyDay)) error {
	id := store.RollupID(day, t.ID)
	it, err := store.Get[store.EnergyDay](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		if err := forget(tx, t.ID, day); err != nil {
			return err
		}
		it, err = store.Item[store.EnergyDay]{Meta: store.Meta{ID: id, Site: t.Site, Scope: t.ID}, Row: store.EnergyDay{Day: day, Terminal: t.ID, Site: t.Site}}, nil
	}
	if err != nil {
		return err
	}
	before := it.Row
	if change(&it.Row); before.Odd == it.Row.Odd && len(before.Counted) == len(it.Row.Counted) {
		return nil
	}
	if err := store.Put(tx, it); err != nil {
		return err
	}
	month := day[:len("2006-01")]
	m, err := store.Get[store.EnergyMonth](tx, store.RollupID(month, t.ID))
	if errors.Is(err, store.ErrNotFound) {
		m, err = store.Item[store.EnergyMonth]{Meta: store.Meta{ID: store.RollupID(month, t.ID), Site: t.Site, Scope: t.ID}, Row: store.EnergyMonth{Month: month, Terminal: t.ID}}, nil
	}
	if err != nil {
		return err
	}
	m.Row.Add(before, -1)
	m.Row.Add(it.Row, 1)
	return store.Put(tx, m)
}

// rememberDays is for how long it is known which records a day counts: longer than
// a terminal sends them again.
const rememberDays = 60

// forget takes away, once a day begins, what one long ago need not know any more:
// days are kept for years.
func forget(tx store.Tx, terminal, day string) error {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return err
	}
	old, err := store.Get[store.EnergyDay](tx, store.RollupID(at.AddDate(0, 0, -rememberDays).Format(time.DateOnly), terminal))
	if errors.Is(err, store.ErrNotFound) || err == nil && old.Row.Counted == nil {
		return nil
	}
	if err != nil {
		return err
	}
	old.Row.Counted = nil
	return store.Put(tx, old)
}

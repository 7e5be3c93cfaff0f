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
	longestOn   = 25 * time.Hour       // awake: it tells about once an hour, and a day has 25 hours at most
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
	if on > longestOn || total > longestUse || math.IsNaN(u.Wh) {
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
	end := u.To
	if now := r.cfg.Now().UTC(); rec.Unsure || end.After(now.Add(Ahead)) || end.Before(rec.At.Add(-longestUse)) {
		end = rec.At // when it came: its own clock says nothing
	}
	shares, odd := measure(u, end, r.cfg.Location)
	if shares == nil {
		if !odd {
			return true, nil // nothing happened
		}
		day := rec.At.In(r.cfg.Location).Format(time.DateOnly)
		return false, energyDay(tx, t, day, func(d *store.EnergyDay) { d.Odd++ })
	}
	key := u.From.UnixMicro()
	if rec.Unsure { // each start without a clock may begin at the same time
		key = -int64(rec.Epoch<<32 | rec.Seq&math.MaxUint32)
	}
	for i, sh := range shares {
		err := energyDay(tx, t, sh.day, func(d *store.EnergyDay) { count1(d, sh, key, odd && i == len(shares)-1) })
		if err != nil {
			return false, err
		}
	}
	return true, nil
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
	room := sh.whole - (d.Lit + d.Dark + d.Low + d.Halted + d.Off)
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
	d.Lit, d.Dark, d.Low = d.Lit+sh.spent[0], d.Dark+sh.spent[1], d.Low+sh.spent[2]
	d.Halted, d.Off = d.Halted+sh.spent[3], d.Off+sh.spent[4]
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
		it, err = store.Item[store.EnergyDay]{Meta: store.Meta{ID: id, Site: t.Site, Scope: t.ID}, Row: store.EnergyDay{Day: day, Terminal: t.ID}}, nil
	}
	if err != nil {
		return err
	}
	before := it.Row
	if change(&it.Row); before.Odd == it.Row.Odd && len(before.Counted) == len(it.Row.Counted) {
		return nil
	}
	return store.Put(tx, it)
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

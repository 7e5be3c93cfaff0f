package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"borne/controller/store"
)

// Kept keeps what reports made of the store's months and days, each until a row of
// it changes: store.Tx.Version tells. A month that is over is read once, so that a
// report of years adds up what is there. Its zero value is ready; it belongs to one
// store. What it holds is bounded by what one report may ask for.
type Kept struct {
	mu       sync.Mutex
	use      map[string]*part[[]*used]
	open     map[string]*part[[]store.OpenDay]
	energy   map[string]*part[[][]drawn]
	counts   map[string]*part[*setsOfMonth]
	present  map[string]*part[*presences]
	standing map[string]decoded[terminal]
	words    keys // that things are counted by
	sites    keys
	posts    keys // terminals
	held     heldKept

	months map[string]map[string]decoded[store.RollupMonth] // docs of months that still change
	days   map[string]map[string]decoded[store.Rollup]
	drawnM map[string]map[string]decoded[store.EnergyMonth]
	drawnD map[string]map[string]decoded[store.EnergyDay]

	turn uint64 // of the report that is being made
}

// part is what was made of a month's or a day's rows.
type part[T any] struct {
	version uint64
	turn    uint64 // of the report that used it last
	of      T
}

// decoded is a row as it was read, and what it was read from.
type decoded[T any] struct {
	doc []byte
	row T
}

// asked finds what was made of a unit's rows, or makes it.
func asked[T any](k *Kept, all *map[string]*part[T], tx store.Tx, kind store.Kind, unit string, read func() (T, error)) (T, error) {
	version := tx.Version(kind, unit)
	if p := (*all)[unit]; p != nil && p.version == version {
		p.turn = k.turn
		return p.of, nil
	}
	of, err := read()
	if err != nil || tx.Version(kind, unit) != version { // a row could not be read: see store.Tx
		return of, err
	}
	if *all == nil {
		*all = map[string]*part[T]{}
	}
	(*all)[unit] = &part[T]{version: version, turn: k.turn, of: of}
	return of, nil
}

// mostUnits is how many months and days are kept at least while others are asked for.
const mostUnits = MaxMonths + MaxDays

// forget lets go of what this report did not need, once it is more than one needs.
func forget[T any](k *Kept, all map[string]*part[T]) {
	if len(all) <= mostUnits {
		return
	}
	for unit, p := range all {
		if p.turn != k.turn {
			delete(all, unit)
		}
	}
}

// rowsOf reads a table's rows whose ids begin with a unit. Those that are, byte for
// byte, as they were are not decoded again.
func rowsOf[T any](tx store.Tx, kind store.Kind, unit string, was map[string]decoded[T], keep bool, each func(store.Meta, T)) (map[string]decoded[T], error) {
	var now map[string]decoded[T]
	if keep {
		now = map[string]decoded[T]{}
	}
	from, to := "", ""
	if unit != "" {
		from, to = unit+"/", unit+"0" // "0" follows "/"
	}
	for m, doc := range tx.List(kind, from, to, false) {
		d, ok := was[m.ID]
		if !ok || !bytes.Equal(d.doc, doc) {
			d = decoded[T]{doc: doc}
			if err := json.Unmarshal(doc, &d.row); err != nil {
				return nil, fmt.Errorf("cannot read %s %q: %w; restore a backup", kind, m.ID, err)
			}
		}
		if keep {
			now[m.ID] = d
		}
		each(m, d.row)
	}
	return now, nil
}

// still keeps the rows of the one unit that changes most.
func still[T any](all *map[string]map[string]decoded[T], unit string, now map[string]decoded[T]) {
	if now != nil {
		*all = map[string]map[string]decoded[T]{unit: now}
	}
}

// isMonth tells months (2006-01) from days.
func isMonth(unit string) bool { return len(unit) == len("2006-01") }

// place is where a number has its place in a list, which grows as far.
func place[T any](all *[]T, n int32) *T {
	for int(n) >= len(*all) {
		var none T
		*all = append(*all, none)
	}
	return &(*all)[n]
}

// at is what has a number's place; nothing, where the list ends before.
func at[T any](all []T, n int32) (x T) {
	if int(n) < len(all) {
		x = all[n]
	}
	return x
}

// usedIn is what was done in a month or on a day, by site.
func (k *Kept) usedIn(tx store.Tx, unit string, current bool) ([]*used, error) {
	kind := store.KindRollup
	if isMonth(unit) {
		kind = store.KindRollupMonth
	}
	return asked(k, &k.use, tx, kind, unit, func() ([]*used, error) {
		sums := map[string]*store.Rollup{}
		add := func(m store.Meta, r store.Rollup) {
			if sums[m.Site] == nil {
				sums[m.Site] = &store.Rollup{}
			}
			r.Ends, r.Filtered, r.Refused = nil, nil, nil // no indicator
			sums[m.Site].Add(r, 1)
		}
		var err error
		if isMonth(unit) {
			var now map[string]decoded[store.RollupMonth]
			now, err = rowsOf(tx, kind, unit, k.months[unit], current, func(m store.Meta, r store.RollupMonth) { add(m, store.Rollup(r)) })
			still(&k.months, unit, now)
		} else {
			var now map[string]decoded[store.Rollup]
			now, err = rowsOf(tx, kind, unit, k.days[unit], current, add)
			still(&k.days, unit, now)
		}
		var all []*used
		for site, sum := range sums {
			u := &used{all: k.words.pack(*sum)}
			if isMonth(unit) {
				told, hidden := guard(*sum)
				if u.told = k.words.pack(told); hidden != (Hidden{}) {
					u.hidden = &hidden
				}
			}
			*place(&all, k.sites.of(site)) = u
		}
		return all, err
	})
}

// openIn is how long sites were open in a month or on a day that is written down.
func (k *Kept) openIn(tx store.Tx, unit string) ([]store.OpenDay, error) {
	kind := store.KindOpenDay
	if isMonth(unit) {
		kind = store.KindOpenMonth
	}
	return asked(k, &k.open, tx, kind, unit, func() ([]store.OpenDay, error) {
		var all []store.OpenDay
		_, err := rowsOf(tx, kind, unit, nil, false, func(m store.Meta, d store.OpenDay) { *place(&all, k.sites.of(m.Site)) = d })
		return all, err
	})
}

// drawn is what a terminal did in a month or on a day; what it drew hangs on the
// watts that are set now.
type drawn struct {
	terminal int32
	sum      store.EnergyMonth
}

func (k *Kept) drawnIn(tx store.Tx, unit string, current bool) ([][]drawn, error) {
	kind := store.KindEnergy
	if isMonth(unit) {
		kind = store.KindEnergyMonth
	}
	return asked(k, &k.energy, tx, kind, unit, func() ([][]drawn, error) {
		var all [][]drawn
		add := func(m store.Meta, terminal string, e store.EnergyMonth) {
			of := place(&all, k.sites.of(m.Site))
			*of = append(*of, drawn{k.posts.of(terminal), e})
		}
		var err error
		if isMonth(unit) {
			var now map[string]decoded[store.EnergyMonth]
			now, err = rowsOf(tx, kind, unit, k.drawnM[unit], current, func(m store.Meta, e store.EnergyMonth) { add(m, e.Terminal, e) })
			still(&k.drawnM, unit, now)
			return all, err
		}
		now, err := rowsOf(tx, kind, unit, k.drawnD[unit], current, func(m store.Meta, d store.EnergyDay) {
			var e store.EnergyMonth
			e.Add(d, 1)
			add(m, d.Terminal, e)
		})
		still(&k.drawnD, unit, now)
		return all, err
	})
}

// terminal is what reports ask of a terminal's row: its other fields change all day.
type terminal struct {
	Space    string              `json:"space"`
	Machine  string              `json:"machine"`
	State    store.TerminalState `json:"state"`
	Since    time.Time           `json:"since"`
	Enrolled time.Time           `json:"enrolled"`
}

// terminals are the watts of each, and the time in service of each site's spaces.
func (k *Kept) terminals(tx store.Tx, model func(string) store.EnergyModel) (watts []*store.EnergyModel, in map[string]map[string]stretch, err error) {
	known, in := map[string]*store.EnergyModel{}, map[string]map[string]stretch{}
	now, err := rowsOf(tx, store.KindTerminal, "", k.standing, true, func(m store.Meta, t terminal) {
		serves(in, m.Site, t)
		if model == nil {
			return
		}
		if known[t.Machine] == nil {
			x := model(t.Machine)
			known[t.Machine] = &x
		}
		*place(&watts, k.posts.of(m.ID)) = known[t.Machine]
	})
	if err == nil {
		k.standing = now
	}
	return watts, in, err
}

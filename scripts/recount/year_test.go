package recount

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"borne/controller/compliance"
	"borne/controller/directory"
	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// told is a record as it was handed over, and when.
type told struct {
	rec     wire.Record
	arrived time.Time
}

type signer struct{ key ed25519.PrivateKey }

func (s signer) SignPermit(p wire.Permit) (wire.Envelope, error) {
	return wire.Seal(s.key, wire.DomainPermit, p)
}

func (s signer) SignCommand(c wire.Command) (wire.Envelope, error) {
	return wire.Seal(s.key, wire.DomainCommand, c)
}

// year is the controller, its clock, and what is kept beside it for the recount.
type year struct {
	t     *testing.T
	r     *rand.Rand
	dir   string
	st    store.Store
	now   time.Time
	sites []*site
	busy  int // percent of the sessions that a terminal can have in a day
	pause int // minutes at most from one to the next

	kept     map[*terminal][]told
	helped   map[string]int // times, by site and month
	sessions int
	replays  int
	lost     int
	restarts int
	changes  int
}

func (y *year) open() {
	y.t.Helper()
	// New rules each time: what they had worked out is gone, as after a restart.
	rules := compliance.New(compliance.Config{Sign: signer{ed25519.NewKeyFromSeed(make([]byte, 32))}, Now: func() time.Time { return y.now }})
	st, err := bolt.Open(bolt.Config{Dir: y.dir, Apply: rules.Apply})
	if err != nil {
		y.t.Fatal(err)
	}
	y.st = st
}

func (y *year) decide(fn func(store.Tx) error) {
	y.t.Helper()
	if err := y.st.Decide(context.Background(), fn); err != nil {
		y.t.Fatal(err)
	}
}

func put[T store.Row](tx store.Tx, m store.Meta, row T) error {
	return store.Put(tx, store.Item[T]{Meta: m, Row: row})
}

func (y *year) found() {
	y.decide(func(tx store.Tx) error {
		var err error
		cal := store.CalendarRow{Until: "2027-08-31"}
		for _, b := range breaks() {
			cal.Breaks = append(cal.Breaks, store.CalendarBreak{Name: "Vacances", From: b[0], To: b[1]})
		}
		err = errors.Join(err, put(tx, store.Meta{ID: "A"}, cal))
		for _, s := range y.sites {
			err = errors.Join(err, put(tx, store.Meta{ID: s.id, Site: s.id}, store.Site{Name: "Lieu " + s.id, Type: s.kind, Territoire: s.territoire}),
				put(tx, store.Meta{ID: s.id, Site: s.id}, store.PolicyRow{Layer: "site", Doc: layer(s.eras[0].hours()), Version: 1}))
			for _, sp := range s.spaces {
				err = errors.Join(err, put(tx, store.Meta{ID: sp.id, Site: s.id, Scope: sp.id}, store.Space{Name: sp.id}))
			}
			for _, t := range s.terminals {
				if t.enrolled.After(y.now) {
					continue
				}
				err = errors.Join(err, y.enrol(tx, t))
			}
		}
		return err
	})
}

func (y *year) enrol(tx store.Tx, t *terminal) error {
	return errors.Join(tx.SetCursor(t.id, store.Cursor{Epoch: 1}), put(tx, store.Meta{ID: t.id, Site: t.site.id, Scope: t.space.id},
		store.Terminal{Space: t.space.id, Name: t.id, State: store.StateActive, Enrolled: t.enrolled}))
}

func layer(hours json.RawMessage) json.RawMessage {
	if hours == nil {
		return json.RawMessage(`{}`)
	}
	return json.RawMessage(`{"hours":` + string(hours) + `}`)
}

// change gives a layer other hours, as the API does: the row, and what was before.
func (y *year) change(site, id string, at time.Time, hours, before json.RawMessage) {
	y.changes++
	y.decide(func(tx store.Tx) error {
		row, err := store.Get[store.PolicyRow](tx, id)
		if errors.Is(err, store.ErrNotFound) {
			row, err = store.Item[store.PolicyRow]{Meta: store.Meta{ID: id, Site: site}}, nil
		}
		if err != nil {
			return err
		}
		row.Row.Doc, row.Row.Version, row.Row.Changed = layer(hours), row.Row.Version+1, at
		m := store.Meta{ID: store.TimeID(at, id), Site: site}
		return errors.Join(store.Put(tx, row), put(tx, m, store.HoursChange{Layer: id, At: at, By: "u", Said: []string{"x"}, Before: before}))
	})
}

// plan carries out what people do on a day: other hours, a new terminal, one that
// goes.
func (y *year) plan(day string) {
	on := func(at time.Time) bool { return at.In(policy.Location()).Format(time.DateOnly) == day }
	for _, s := range y.sites {
		for i, e := range s.eras[1:] {
			if on(e.from) {
				y.change(s.id, s.id, e.from, e.hours(), s.eras[i].hours())
			}
		}
		for _, sp := range s.spaces {
			if len(sp.own) > 0 && on(sp.own[0].from) {
				y.change(s.id, sp.id, sp.own[0].from, sp.own[0].hours(), nil)
			}
			if len(sp.own) > 0 && on(sp.back) {
				y.change(s.id, sp.id, sp.back, nil, sp.own[0].hours())
			}
		}
		for _, t := range s.terminals {
			if on(t.enrolled) {
				y.decide(func(tx store.Tx) error { return y.enrol(tx, t) })
			}
			if !t.revoked.IsZero() && on(t.revoked) {
				y.decide(func(tx store.Tx) error {
					return store.Update(tx, t.id, func(it *store.Item[store.Terminal]) error {
						it.Row.State, it.Row.Since = store.StateRevoked, t.revoked
						return nil
					})
				})
			}
		}
	}
}

func (t *terminal) say(kind string, at time.Time, unsure bool, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	t.seq++
	if unsure {
		at = time.Unix(1000, 0)
	}
	t.queue = append(t.queue, told{rec: wire.Record{Epoch: 1, Seq: t.seq, Kind: kind, At: at.UTC(), Unsure: unsure, Body: b}})
}

// quiet is a site to which hardly anybody comes: its months are of few.
const quiet = "site-49"

// use is one terminal's day.
func (y *year) use(t *terminal, day string) {
	r := y.r
	begin, end := local(day, 0), local(addDays(day, 1), 0)
	if t.enrolled.After(begin) || !t.revoked.IsZero() && t.revoked.Before(end) {
		return
	}
	n, busy := 0, y.busy
	if t.site.id == quiet {
		busy = 1
	}
	for range 26 {
		if r.IntN(100) < busy {
			n++
		}
	}
	at := begin.Add(7 * time.Hour)
	for range n {
		at = at.Add(time.Duration(r.IntN(y.pause)) * time.Minute)
		if at.Before(t.free) {
			at = t.free.Add(time.Minute)
		}
		if !at.Before(end) { // it cannot tell today what is tomorrow's
			break
		}
		e := t.site.held(t.space, at)
		open, _ := e.at(day, at.In(policy.Location()).Weekday(), at.In(policy.Location()).Hour()*60+at.In(policy.Location()).Minute())
		if !open && r.IntN(40) > 0 { // a very few all the same: staff, or a clock
			if r.IntN(8) == 0 {
				t.say(wire.KindRefused, at, false, wire.Refused{Reason: wire.RefuseClosed})
			}
			at = at.Add(time.Duration(r.IntN(90)) * time.Minute)
			continue
		}
		at = y.session(t, at).Add(time.Duration(1+r.IntN(20)) * time.Minute)
	}
	if r.IntN(100) < y.busy*3 {
		whole := int(end.Sub(begin) / time.Second)
		u := wire.EnergyUse{From: begin, To: end, Lit: r.IntN(whole / 4), Dark: r.IntN(whole / 4), Low: r.IntN(whole / 4)}
		if u.Halted = whole - u.Lit - u.Dark - u.Low; t.metered {
			u.Wh = float64(1 + r.IntN(200))
		}
		t.say(wire.KindEnergy, end, false, u)
	}
}

func (y *year) session(t *terminal, at time.Time) time.Time {
	r := y.r
	t.serial++
	y.sessions++
	id := fmt.Sprintf("%s-%d", t.id, t.serial)
	long := time.Duration(20+r.ExpFloat64()*1100) * time.Second
	if long = min(long, 3*time.Hour); r.IntN(2000) == 0 {
		long = 14 * time.Hour // past midnight
	}
	reason := []wire.Reason{wire.EndButton, wire.EndButton, wire.EndIdle, wire.EndTime, wire.EndClosing, wire.EndArrived}[r.IntN(6)]
	switch r.IntN(60) {
	case 0:
		reason, long = wire.EndFailed, 0
	case 1:
		reason, long = wire.EndDeclined, 0
	}
	b := wire.Begun{Session: id, Permit: "p" + id, N: uint64(t.serial), Profile: []string{"parents", "open"}[btoi(t.site.kind != "college")], Lang: []string{"fr", "fr", "fr", "fr-x-facile", "en", "ar"}[r.IntN(6)]}
	unsure := r.IntN(300) == 0
	if r.IntN(10) < 6 && !unsure {
		b.Holder = []byte(pseudonym(at.UTC().Format("2006-01"), y.person(t.site)))
	}
	end := at.Add(long)
	t.free = end
	t.say(wire.KindBegun, at, unsure, b)
	e := wire.Ended{Session: id, Reason: reason, Seconds: int(long / time.Second), Pages: max(0, r.IntN(12)-8)}
	t.say(wire.KindEnded, end, unsure, e)
	if r.IntN(50) == 0 { // told again, under another number
		t.say(wire.KindEnded, end, unsure, e)
	}
	if r.IntN(4) == 0 && reason == wire.EndButton {
		noon := end.UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
		t.say(wire.KindSmile, noon, unsure, wire.Smile{How: []wire.Smiley{wire.SmileGood, wire.SmileGood, wire.SmileSoso, wire.SmileBad}[r.IntN(4)]})
	}
	return end
}

// person is mostly somebody of the place, who may go elsewhere too. Some places
// have few.
func (y *year) person(s *site) int {
	if y.r.IntN(12) == 0 {
		return y.r.IntN(20000)
	}
	n := int(s.id[len(s.id)-1]-'0')*100 + int(s.id[len(s.id)-2]-'0')*1000
	if s.id[len(s.id)-1] == '7' {
		return n + y.r.IntN(2)
	}
	return n + y.r.IntN(99)
}

func pseudonym(month string, person int) string {
	return fmt.Sprintf("%s%08x", month[:4]+month[5:], person)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// deliver hands over what a terminal has, unless its line is down: some of it
// twice, and some of it never, as after a disk that was replaced.
func (y *year) deliver(t *terminal, last bool) (sent [][]told) {
	r := y.r
	if t.offline > 0 && !last {
		t.offline--
		return nil
	}
	if t.offline = 0; r.IntN(60) == 0 {
		t.offline = r.IntN(21)
	}
	if len(t.last) > 0 && r.IntN(10) == 0 { // its acknowledgement was lost
		y.replays++
		sent = append(sent, t.last)
	}
	if len(t.queue) == 0 {
		return sent
	}
	batch := t.queue
	t.queue = nil
	if k := r.IntN(3); r.IntN(150) == 0 && len(batch) > k {
		batch = batch[k:]
		y.lost += k
	}
	for i := range batch {
		batch[i].arrived = y.now
	}
	y.kept[t], t.last = append(y.kept[t], batch...), batch
	return append(sent, batch)
}

func (y *year) ingest(t *terminal, batch []told) {
	b := wire.Batch{Epoch: 1}
	for _, x := range batch {
		b.Records = append(b.Records, x.rec)
	}
	if _, err := y.st.Ingest(context.Background(), t.id, b); err != nil {
		y.t.Error(err)
	}
}

// night is what the controller does while nobody looks.
func (y *year) night() {
	for more := true; more; {
		y.decide(func(tx store.Tx) (err error) {
			more, err = report.CloseDays(tx, y.now, policy.Location())
			return err
		})
	}
	y.decide(func(tx store.Tx) error {
		_, err := report.CountHolders(tx, func(m string) bool { return directory.Over(m, y.now) })
		return err
	})
}

// pass lets the year pass.
func (y *year) pass() {
	for day := firstDay; day <= lastDay; day = addDays(day, 1) {
		y.now = local(day, 0)
		y.plan(day)
		for _, s := range y.sites {
			for _, t := range s.terminals {
				y.use(t, day)
			}
		}
		y.now = local(addDays(day, 1), 0).Add(-time.Second)
		all := []*terminal{}
		for _, s := range y.sites {
			all = append(all, s.terminals...)
		}
		var wg sync.WaitGroup // they come as they come
		for _, t := range all {
			if sent := y.deliver(t, day == lastDay); len(sent) > 0 {
				wg.Go(func() {
					for _, batch := range sent {
						y.ingest(t, batch)
					}
				})
			}
		}
		wg.Wait()
		if y.r.IntN(3) == 0 {
			s := y.sites[y.r.IntN(len(y.sites))]
			y.helped[s.id+"/"+day[:7]]++
			y.decide(func(tx store.Tx) error {
				return compliance.Count(tx, store.Meta{ID: s.terminals[0].id, Site: s.id}, day, func(u *store.Rollup) { u.Help++ })
			})
		}
		y.decide(func(store.Tx) error { return nil }) // all of it is applied
		if y.r.IntN(4) == 0 {
			y.night()
		}
		if y.r.IntN(60) == 0 {
			y.restarts++
			if err := y.st.Close(); err != nil {
				y.t.Fatal(err)
			}
			y.open()
		}
	}
}

// TestYearRecounted is the year, and its recount.
func TestYearRecounted(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("YEAR_SEED"), 10, 64); err == nil {
		seed = s
	}
	y := &year{t: t, r: rand.New(rand.NewPCG(seed, 7)), dir: t.TempDir(), busy: 10, pause: 60, kept: map[*terminal][]told{}, helped: map[string]int{}}
	least := 20_000
	if os.Getenv("RECOUNT") == "full" {
		y.busy, y.pause, least = 82, 32, 270_000
	} else {
		t.Log("SKIP: RECOUNT=full is the whole year; this is about a tenth of its sessions")
	}
	y.sites = places(y.r)
	y.now = local(addDays(firstDay, -1), 0)
	y.open()
	defer func() { y.st.Close() }()
	y.found()
	began := time.Now()
	y.pass()
	n := 0
	for _, all := range y.kept {
		n += len(all)
	}
	t.Logf("YEAR_SEED=%d repeats it: %d sessions in %d records of 120 terminals at %d sites; %d batches told twice, %d records lost, %d restarts, %d changes of hours; %s",
		seed, y.sessions, n, len(y.sites), y.replays, y.lost, y.restarts, y.changes, time.Since(began).Round(time.Millisecond))
	if y.sessions < least || y.replays < 500 || y.lost < 20 || y.changes < 30 {
		t.Error("too little happened in that year")
	}
	y.recount()
}

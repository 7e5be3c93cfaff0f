package ledger

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// said is what a terminal has told of a job, or will.
type said struct {
	at    time.Time
	p     wire.Printed // with its badge, as the terminal holds it
	badge int
}

// known is what the model believes that the controller knows of a job.
type known struct {
	badge             int
	day               string
	reserved, charged wire.Units
	open, over        bool // open: reserved stays aside
}

// history is a random life of two terminals, two badges and one controller, which
// is stopped and restored now and then; beside it the model.
type history struct {
	*world
	r      *rand.Rand
	jobs   map[string]known // by terminal/job
	logs   map[string][]said
	backup string
	then   map[string]known // jobs as the backup has them
	step   int
}

const perDay, perMonth = 15, 40

// TestHistories: whatever is asked, told, told twice, told late, forgotten by a
// restore and told again, each job costs once what the rule says, and what is
// left is never shown as less than nothing.
func TestHistories(t *testing.T) {
	n := 60
	if testing.Short() {
		n = 20
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := &history{world: newWorld(t, fmt.Sprintf(`{"enabled":true,"pagesPerDay":%d,"pagesPerMonth":%d}`, perDay, perMonth)),
				r: rand.New(rand.NewPCG(uint64(seed), 5)), jobs: map[string]known{}, logs: map[string][]said{}}
			for h.step = range 40 {
				h.act()
				if t.Failed() {
					t.Fatalf("at step %d", h.step)
				}
			}
			for _, terminal := range []string{"t1", "t2"} {
				h.deliver(terminal, 1000)
			}
			h.settled()
		})
	}
}

func (h *history) act() {
	terminal := []string{"t1", "t2"}[h.r.IntN(2)]
	job := fmt.Sprint("j", h.r.IntN(8))
	switch h.r.IntN(20) {
	case 0, 1, 2, 3, 4, 5, 6:
		h.question(terminal, job, h.r.IntN(2), h.r.IntN(8))
	case 7, 8, 9, 10, 11:
		h.end(terminal, job)
	case 12, 13, 14:
		h.deliver(terminal, 1+h.r.IntN(3))
	case 15:
		h.again(terminal)
	case 16:
		must(h.t, h.st.Close())
		h.open()
	case 17:
		h.save()
	case 18:
		h.restore()
	case 19:
		h.now = h.now.Add(time.Duration(h.r.IntN(30)) * time.Hour)
	}
	h.now = h.now.Add(time.Second)
	h.check()
}

// left is what the model says that a badge has left today, without a job.
func (h *history) left(badge int, but string) (left wire.Units, byMonth bool) {
	day := h.led.day(h.now)
	var today, month wire.Units
	for key, k := range h.jobs {
		if k.badge != badge || key == but || k.day[:7] != day[:7] {
			continue
		}
		n := k.charged
		if k.open {
			n = k.reserved
		}
		if month += n; k.day == day {
			today += n
		}
	}
	return min(perDay*100-today, perMonth*100-month), perMonth*100-month < perDay*100-today
}

// question asks; the badge of a job never changes, as at a terminal.
func (h *history) question(terminal, job string, badge, pages int) {
	key := terminal + "/" + job
	k, ok := h.jobs[key]
	if ok {
		badge = k.badge
	}
	for _, s := range h.logs[terminal] {
		if s.p.Job == job {
			badge = s.badge
		}
	}
	units := wire.Units(pages * 100)
	left, _ := h.left(badge, key)
	want := wire.PrintAnswer{Job: job}
	sameMonth := !ok || k.day[:7] == h.led.day(h.now)[:7]
	switch {
	case units == 0:
	case ok && k.over:
		want.Reason = wire.PrintEnded
	case ok && !sameMonth:
		if want.Granted = units == k.reserved; !want.Granted {
			want.Reason = wire.PrintEnded
		}
	case ok && units == k.reserved:
		want.Granted = true
	case units > left:
		want.Reason = wire.PrintQuota
	default:
		if want.Granted = true; !ok {
			k = known{badge: badge, day: h.led.day(h.now), open: true}
		}
		k.reserved, k.day = units, h.led.day(h.now) // it is printed today
		h.jobs[key] = k
	}
	want.Left, want.Month = h.left(badge, "")
	want.Left = max(want.Left, 0)
	if got := h.ask(terminal, job, h1(badge+1), pages); got != want {
		h.t.Errorf("%s asks for %d units: %+v, want %+v", key, units, got, want)
	}
}

// end writes how a job ended into the terminal's own journal; it is sent later.
func (h *history) end(terminal, job string) {
	k, ok := h.jobs[terminal+"/"+job]
	units := wire.Units(h.r.IntN(8) * 100)
	if badge := h.r.IntN(2); !ok {
		k.badge = badge
	}
	for _, s := range h.logs[terminal] {
		if s.p.Job == job {
			k.badge, units = s.badge, s.p.Reserved
		}
	}
	if k.reserved > 0 {
		units = k.reserved
	}
	p := wire.Printed{Job: job, Session: "s-" + terminal, Reserved: units, Charged: wire.Units(h.r.IntN(10) * 100), Offline: !ok,
		Outcome: []wire.Outcome{wire.PrintSettled, wire.PrintSettled, wire.PrintRefunded, wire.PrintDoubtful}[h.r.IntN(4)], Holder: h1(k.badge + 1)}
	h.logs[terminal] = append(h.logs[terminal], said{h.now, p, k.badge})
}

// deliver sends what the controller has not acknowledged, in one batch.
func (h *history) deliver(terminal string, most int) {
	var cur store.Cursor
	h.decide(func(tx store.Tx) (err error) { cur, err = tx.Cursor(terminal); return err })
	h.send(terminal, int(cur.Seq), most)
	for _, s := range h.logs[terminal][cur.Seq:min(len(h.logs[terminal]), int(cur.Seq)+most)] {
		h.apply(terminal, s)
	}
}

// again sends what is acknowledged once more, as after a lost acknowledgement.
func (h *history) again(terminal string) {
	var cur store.Cursor
	h.decide(func(tx store.Tx) (err error) { cur, err = tx.Cursor(terminal); return err })
	if from := int(cur.Seq) - 2; from >= 0 {
		h.send(terminal, from, 2)
	}
}

func (h *history) send(terminal string, from, most int) {
	b := wire.Batch{Epoch: 1}
	for i, s := range h.logs[terminal][from:min(len(h.logs[terminal]), from+most)] {
		h.decide(func(tx store.Tx) (err error) {
			s.p.Holder, err = h.led.Account(tx, terminal, s.p, s.at)
			return err
		})
		body, err := json.Marshal(s.p)
		must(h.t, err)
		b.Records = append(b.Records, wire.Record{Epoch: 1, Seq: uint64(from + i + 1), Kind: wire.KindPrint, At: s.at, Body: body})
		if len(b.Records) == 1 { // an account is looked up before the batch, as the fleet does for one
			_, err := h.st.Ingest(h.t.Context(), terminal, b)
			must(h.t, err)
			b.Records = nil
		}
		s.p.Holder = h1(s.badge + 1)
	}
}

// apply is the rule: the charge is what is reported, never more than was set aside.
func (h *history) apply(terminal string, s said) {
	key := terminal + "/" + s.p.Job
	k, ok := h.jobs[key]
	if !ok {
		k = known{badge: s.badge, day: h.led.day(s.at)}
	}
	if k.reserved == 0 {
		k.reserved = s.p.Reserved
	}
	k.open, k.over, k.charged = s.p.Outcome == wire.PrintDoubtful, true, 0
	if s.p.Outcome == wire.PrintSettled {
		k.charged = min(s.p.Charged, k.reserved)
	}
	h.jobs[key] = k
}

func (h *history) save() {
	h.backup = filepath.Join(h.dir, fmt.Sprintf("backup-%d.db", h.step))
	h.decide(func(store.Tx) error { return nil }) // what is acknowledged is applied
	must(h.t, h.st.Backup(h.t.Context(), h.backup))
	h.then = maps.Clone(h.jobs)
}

// restore puts the controller back to its backup: it forgets, and the terminals
// tell again what it does not know.
func (h *history) restore() {
	if h.backup == "" {
		return
	}
	must(h.t, h.st.Close())
	h.dir = filepath.Join(h.dir, fmt.Sprint("restored-", h.step))
	_, err := bolt.Restore(h.backup, filepath.Join(h.dir, "store"), h.now)
	must(h.t, err)
	h.open()
	h.jobs = maps.Clone(h.then)
}

// check compares every account with the model, and the jobs with their accounts.
func (h *history) check() {
	h.t.Helper()
	type sums struct{ charged, reserved wire.Units }
	want, got := map[string]sums{}, map[string]sums{}
	h.decide(func(tx store.Tx) error {
		clear(want)
		clear(got)
		for _, k := range h.jobs {
			id, err := h.badges.Account(tx, h1(k.badge+1), noon(k.day), noon(k.day))
			must(h.t, err)
			s := want[hex.EncodeToString(id)]
			if s.charged += k.charged; k.open {
				s.reserved += k.reserved
			}
			want[hex.EncodeToString(id)] = s
		}
		for a, err := range store.List[store.Account](tx, "", "", false) {
			must(h.t, err)
			days := wire.Units(0)
			for _, d := range a.Row.Days {
				if days += d.Charged; d.Charged < 0 {
					h.t.Errorf("an account has %d charged on a day", d.Charged)
				}
			}
			if a.Row.Charged < days || a.Row.Charged < 0 {
				h.t.Errorf("an account has %d charged in the month, %d in its days", a.Row.Charged, days)
			}
			got[a.ID] = sums{charged: a.Row.Charged}
		}
		for j, err := range store.List[store.PrintJob](tx, "", "", false) {
			must(h.t, err)
			if j.Row.Account != "" {
				s := got[j.Row.Account]
				s.reserved += j.Row.Reserved
				got[j.Row.Account] = s
			}
		}
		return nil
	})
	nothing := func(_ string, s sums) bool { return s == sums{} }
	maps.DeleteFunc(want, nothing)
	maps.DeleteFunc(got, nothing)
	if !maps.Equal(want, got) {
		h.t.Errorf("accounts %v, want %v; jobs %v", got, want, slices.SortedFunc(maps.Keys(h.jobs), cmp.Compare))
	}
}

// settled checks each job's end against what its terminal said last.
func (h *history) settled() {
	h.check()
	for terminal, log := range h.logs {
		last := map[string]said{}
		for _, s := range log {
			last[s.p.Job] = s
		}
		for id, s := range last {
			j := h.job(terminal, id).Row
			if j.Outcome != s.p.Outcome || j.Charged > s.p.Charged || j.Charged > j.Reserved || j.Open() != (s.p.Outcome == wire.PrintDoubtful) ||
				j.Outcome == wire.PrintSettled && j.Charged != min(s.p.Charged, j.Reserved) {
				h.t.Errorf("%s said %+v of %s, the controller has %+v", terminal, s.p, id, j)
			}
		}
	}
}

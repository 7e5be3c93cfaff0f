package simyear

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/kiosk/session"
)

// change is an instant at which a place opens or closes, said by hand.
type change struct {
	at   time.Time
	open bool
}

// changes passes through the year minute by minute.
func (p *place) changes(loc *time.Location) (all []change) {
	was := false
	for t := firstDay(); t.Before(lastDay()); t = t.Add(time.Minute) {
		if now := p.open(t.In(loc)); now != was {
			all = append(all, change{t, now})
			was = now
		}
	}
	return all
}

// year has one terminal pass through it.
func year(p *place, r *rand.Rand) *terminal {
	t := newTerminal(p, r, firstDay())
	all := p.changes(t.loc)
	at, err := time.ParseInLocation(time.DateOnly, changeDay, t.loc)
	if err != nil {
		panic(err)
	}
	other := at.Add(12 * time.Hour)
	comes, cut := firstDay().Add(8*time.Hour), firstDay().Add(time.Duration(r.IntN(40*24))*time.Hour)
	open, next := false, 0
	for t.now.Before(lastDay()) {
		if p.later != nil && !t.now.Before(other) { // a policy that comes while everything runs
			t.hours, t.until = *p.later, t.now
			p.later = nil
		}
		t.pass(t.step(all, next, comes, cut))
		if next < len(all) && !t.now.Before(all[next].at) {
			open = all[next].open
			next++
			if open {
				t.opens()
			}
		}
		if t.wakes.IsZero() {
			t.tick()
		}
		t.look(open, next, all)
		if !t.now.Before(comes) {
			t.comes(time.Duration(2+r.IntN(50)) * time.Minute)
			comes = t.nextPerson(all, next)
		}
		if t.state.Phase == session.Active && t.prints.IsZero() {
			left := time.Hour
			if next < len(all) && !all[next].open {
				left = all[next].at.Sub(t.now)
			}
			if r.IntN(200) == 0 || left < 40*time.Second && r.IntN(3) == 0 {
				if t.sends(time.Duration(5+r.IntN(113)) * time.Second); left < 118*time.Second {
					t.counts.atClosing++
				}
			}
		}
		if !t.now.Before(cut) {
			if t.wakes.IsZero() {
				t.powerCut(time.Duration(1+r.IntN(20))*time.Minute, time.Duration(r.IntN(300))*time.Second)
			}
			cut = t.now.Add(time.Duration(10+r.IntN(40)) * 24 * time.Hour)
			for next < len(all) && !t.now.Before(all[next].at) {
				open = all[next].open
				next++
			}
			t.look(open, next, all)
		}
	}
	return t
}

// step is the next instant that matters.
func (t *terminal) step(all []change, next int, comes, cut time.Time) time.Time {
	d := 10 * time.Minute
	if t.state.Phase.InSession() || t.state.Phase == session.Thanks {
		d = 40 * time.Second
		if !t.prints.IsZero() || next < len(all) && all[next].at.Sub(t.now) < 90*time.Second || t.state.Phase == session.Ending {
			d = 5 * time.Second
		}
	}
	to := t.now.Add(d)
	if next < len(all) { // on it, and a second before and after
		for _, x := range []time.Time{all[next].at.Add(-time.Second), all[next].at} {
			if x.After(t.now) && x.Before(to) {
				to = x
			}
		}
	}
	if next > 0 {
		if x := all[next-1].at.Add(time.Second); x.After(t.now) && x.Before(to) {
			to = x
		}
	}
	for _, x := range []time.Time{comes, cut} {
		if x.After(t.now) && x.Before(to) {
			to = x
		}
	}
	return to
}

// nextPerson comes while it is open, or near it: some just before the closing.
func (t *terminal) nextPerson(all []change, next int) time.Time {
	at := t.now.Add(time.Duration(5+t.r.IntN(70)) * time.Minute)
	if h := at.In(t.loc).Hour(); h < 7 || h >= 22 { // some come at night, too
		at = at.Add(time.Duration(1+t.r.IntN(6)) * time.Hour)
	}
	if next < len(all) && !all[next].open && t.r.IntN(4) == 0 {
		if x := all[next].at.Add(-time.Duration(t.r.IntN(12*60)) * time.Second); x.After(t.now) {
			return x
		}
	}
	return at
}

// opens looks whether the terminal is there when its place opens.
func (t *terminal) opens() {
	if !t.wakes.IsZero() {
		t.broken("it sleeps until %s though its place opens", t.wakes.In(t.loc))
		return
	}
	if t.counts.halts > 0 && t.now.Sub(t.boot) < 16*time.Minute && t.now.Sub(t.boot) >= 9*time.Minute {
		t.counts.wokeInTime++
	}
}

// look compares what a person would find with what was said by hand.
func (t *terminal) look(open bool, next int, all []change) {
	if !t.wakes.IsZero() || !t.sure {
		if open && !t.wakes.IsZero() {
			t.broken("it is off though its place is open")
		}
		return
	}
	switch p := t.state.Phase; {
	case t.state.Hours.Open != open:
		t.broken("by the rules open is %v, by hand %v", t.state.Hours.Open, open)
	case open && p == session.Closed:
		t.broken("closed because of %q though its place is open", t.state.Reason)
	case !open && (p == session.Welcome || p == session.Charter):
		t.broken("open though its place is closed")
	case !open && p.InSession() && next > 0 && t.now.Sub(all[next-1].at) > limits().Grace+finish+time.Second:
		t.broken("a session goes on %s after the closing", t.now.Sub(all[next-1].at))
	}
}

// TestYear is the year: each terminal open exactly when it should be, nobody cut
// in mid-print, and what was saved.
func TestYear(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("YEAR_SEED"), 10, 64); err == nil {
		seed = s
	}
	all := places(rand.New(rand.NewPCG(seed, 0)))
	t.Logf("YEAR_SEED=%d repeats it: %d places from %s to %s", seed, len(all), firstDay().Format(time.DateOnly), lastDay().Format(time.DateOnly))
	for i := range all {
		now := firstDay()
		q := policy.Default()
		q.Hours, q.Energy = all[i].hours, all[i].energy
		for j := range q.Hours.Agreements {
			a := &q.Hours.Agreements[j]
			a.By, a.Agreed, a.Key = "Mme Durand", "2026-08-20", "M. Petit"
		}
		if bad := q.CheckAt(now, policy.Location()); len(bad) > 0 {
			t.Fatalf("%s: %+v", all[i].name, bad)
		}
	}
	done := make([]*terminal, len(all))
	var wg sync.WaitGroup
	work := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range work {
				done[i] = year(&all[i], rand.New(rand.NewPCG(seed, uint64(i)+1)))
			}
		})
	}
	for i := range all {
		work <- i
	}
	close(work)
	wg.Wait()
	var sum counts
	for _, x := range done {
		for _, b := range x.bad {
			t.Error(b)
		}
		sum.add(x.counts)
	}
	t.Logf("%d sessions, %d refused just before the closing, %d refused otherwise; %d prints, %d of them at the closing, %d cut; %d power cuts; %d halts, %d mornings on which it was up 9 to 16 minutes before the opening",
		sum.sessions, sum.tooLate, sum.refused, sum.printed, sum.atClosing, sum.cut, sum.cuts, sum.halts, sum.wokeInTime)
	// A year in which none of this happened would prove nothing.
	if sum.sessions < 30000 || sum.tooLate < 500 || sum.atClosing < 500 || sum.cuts < 300 || sum.halts < 4000 || sum.wokeInTime < 2000 {
		t.Error("too little happened in that year")
	}
	t.Log("\n" + table(done))
}

func (c *counts) add(o counts) {
	c.sessions += o.sessions
	c.tooLate += o.tooLate
	c.refused += o.refused
	c.printed += o.printed
	c.atClosing += o.atClosing
	c.cut += o.cut
	c.cuts += o.cuts
	c.halts += o.halts
	c.wokeInTime += o.wokeInTime
}

// table is what was saved, by board and night, as the console counts it.
func table(done []*terminal) string {
	sums := map[string]report.Energy{}
	n := map[string]int{}
	figures := report.DefaultFigures()
	for _, x := range done {
		sec := func(p policy.Power) int { return int(x.spent[p] / time.Second) }
		d := store.EnergyDay{Lit: sec(policy.PowerLit) + sec(policy.PowerDim), Dark: sec(policy.PowerDark), Low: sec(policy.PowerLow), Halted: sec(policy.PowerHalt), Off: int(x.off / time.Second)}
		k := fmt.Sprintf("%-24s %s", x.p.pi, x.p.energy.Night)
		sums[k] = sums[k].Add(report.EnergyOf(d, report.ModelOf(figures, x.p.pi)))
		n[k]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-30s %3s %9s %9s %9s %9s %12s %12s\n", "board, night (estimated)", "n", "lit h", "dark h", "low h", "halted h", "kWh each", "saved each")
	for _, k := range slices.Sorted(keys(sums)) {
		e, c := sums[k], float64(n[k])
		h := func(s int) float64 { return float64(s) / 3600 / c }
		fmt.Fprintf(&b, "%-30s %3d %9.0f %9.0f %9.0f %9.0f %8.1f kWh %8.1f kWh\n", k, n[k], h(e.Lit), h(e.Dark), h(e.Low), h(e.Halted), e.UsedWh/1000/c, e.SavedWh()/1000/c)
	}
	return b.String()
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

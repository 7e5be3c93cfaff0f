package printing_test

import (
	"time"

	"borne/controller/wire"
	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

// side is the price of a printed side, by a table of its own.
func side(t printjob.Ticket) wire.Units {
	if t.Colour {
		if t.Duplex != printjob.OneSided {
			return 225
		}
		return 300
	}
	if t.Duplex != printjob.OneSided {
		return 75
	}
	return 100
}

// judge holds a final record against what the printer did.
func (w *world) judge(p wire.Printed) {
	d := w.docs[p.Job]
	if d.finals > 1 {
		w.broken("job %s has %d final records", p.Job, d.finals)
	}
	if p.Charged > p.Reserved || p.Charged < 0 {
		w.broken("job %s: charged %d of %d", p.Job, p.Charged, p.Reserved)
	}
	if p.Session != d.session {
		w.broken("job %s is recorded for session %s", p.Job, p.Session)
	}
	if d.holder && d.durable && len(p.Holder) == 0 {
		w.broken("job %s: the ledger cannot know whose it is", p.Job)
	}
	if d.sent > 0 {
		if want := side(d.ticket) * wire.Units(d.pj.sides); p.Reserved != want {
			w.broken("job %s: reserved %d, it costs %d", p.Job, p.Reserved, want)
		}
	}
	truth := wire.Units(0)
	if d.pj != nil {
		truth = min(p.Reserved, side(d.ticket)*wire.Units(d.pj.printed))
	}
	switch p.Outcome {
	case wire.PrintSettled:
		switch {
		case d.sent == 0:
			w.broken("job %s is charged and was never printed", p.Job)
		case d.pj.silent && (w.limits.Silent != SilentCharge || p.Charged != p.Reserved) && p.Charged != 0:
			w.broken("job %s: a silent printer's job costs %d of %d, the rule is %q", p.Job, p.Charged, p.Reserved, w.limits.Silent)
		case d.pj.silent && (w.limits.Silent == SilentCharge) != (p.Charged > 0):
			w.broken("job %s: a silent printer's job costs %d, the rule is %q", p.Job, p.Charged, w.limits.Silent)
		case d.pj.silent && (p.Reason != wire.PrintSilent || !p.Estimated || d.pj.state != printjob.Completed):
			w.broken("job %s: a silent printer's job is not told to be one", p.Job)
		case !d.pj.silent && p.Charged > truth:
			w.broken("job %s: charged %d, printed %d sides of %d", p.Job, p.Charged, d.pj.printed, side(d.ticket))
		case !d.pj.silent && (d.told && d.heard == d.pj.printed || w.kind) && p.Charged != truth:
			w.broken("job %s: charged %d, %d was told to be printed", p.Job, p.Charged, truth)
		}
	case wire.PrintRefunded:
		if p.Charged != 0 {
			w.broken("job %s is refunded and costs %d", p.Job, p.Charged)
		}
	case wire.PrintDoubtful:
		switch {
		case p.Charged != 0:
			w.broken("job %s is doubtful and costs %d", p.Job, p.Charged)
		case w.kind && d.sent > 0:
			w.broken("job %s is doubtful, and everything was told: %q", p.Job, p.Reason)
		case d.told && !d.pj.silent && d.pj.printed > 0:
			w.broken("job %s is doubtful, and the printer told all about it: %q", p.Job, p.Reason)
		}
	default:
		w.broken("job %s has outcome %q", p.Job, p.Outcome)
	}
}

// books compares what the machine counts with the records.
func (w *world) books() {
	if x := w.s.Live.Session; x != nil {
		var want, offline wire.Units
		for _, f := range w.finals {
			if f.p.Session != x.ID {
				continue
			}
			taken := f.p.Charged
			if f.p.Outcome == wire.PrintDoubtful {
				taken = f.p.Reserved
			}
			if want += taken; f.p.Offline {
				offline += taken
			}
		}
		if x.Charged != want {
			w.broken("session %s counts %d, its records say %d", x.ID, x.Charged, want)
		}
		for _, j := range w.s.Jobs {
			if j.Session == x.ID {
				if want += j.Reserved; j.Offline {
					offline += j.Reserved
				}
			}
		}
		if most := wire.Units(w.limits.Session)*100 + x.Granted; want > most {
			w.broken("session %s has taken %d of %d", x.ID, want, most)
		}
		if offline > wire.Units(w.limits.Offline)*100 {
			w.broken("session %s has taken %d on an allowance of %d", x.ID, offline, w.limits.Offline*100)
		}
	}
	// The hour: what really was taken within 60 minutes, by the world's own clock.
	var want, got wire.Units
	for _, f := range w.finals {
		if f.anon && w.real-f.at < time.Hour {
			if f.p.Outcome == wire.PrintDoubtful {
				want += f.p.Reserved
			} else {
				want += f.p.Charged
			}
		}
	}
	at := w.at()
	for _, x := range w.s.Hour {
		if at.Mono-x.Mono < time.Hour {
			got += x.Units
		}
	}
	if got != want && (!w.clocks || got < want) && !(w.clocks && w.crashes > 0) {
		w.broken("the hour counts %d, %d were taken", got, want)
	}
}

// judgeAll is what must hold in the end.
func (w *world) judgeAll() {
	if n := len(w.s.Jobs); n > 0 {
		w.broken("%d jobs never end: %+v", n, w.s.Jobs[0])
	}
	doubtful := map[string]bool{}
	for _, f := range w.finals {
		d := w.docs[f.p.Job]
		switch doubtful[f.p.Job] = f.p.Outcome == wire.PrintDoubtful; {
		case f.p.Outcome == wire.PrintRefunded && d.pj != nil && d.pj.printed > 0 && !d.pj.silent && !d.pj.state.Over():
			w.broken("job %s is refunded and prints", f.p.Job)
		case f.p.Outcome == wire.PrintRefunded && d.pj != nil && d.pj.printed > 0 && !d.pj.silent:
			w.broken("job %s is refunded and %d sides were printed", f.p.Job, d.pj.printed)
		}
		if f.p.Outcome == wire.PrintSettled && w.kind {
			if want := min(f.p.Reserved, side(d.ticket)*wire.Units(d.pj.printed)); f.p.Charged != want {
				w.broken("job %s: charged %d, and %d sides came out in the end", f.p.Job, f.p.Charged, d.pj.printed)
			}
		}
		if paid := w.ledger.paid[f.p.Job]; d.holder && paid != f.p.Charged || !d.holder && paid != 0 {
			w.broken("job %s costs %d, the ledger took %d", f.p.Job, f.p.Charged, paid)
		}
	}
	for id, d := range w.docs {
		if d.durable && d.finals != 1 || d.finals > 1 || w.crashes == 0 && d.finals != 1 {
			// One that was refused before it was a job has no record: the queue was full.
			if d.durable || d.finals > 1 {
				w.broken("job %s has %d final records", id, d.finals)
			}
		}
	}
	for id, e := range w.ledger.jobs {
		if e.reserved != 0 && !doubtful[id] {
			w.broken("job %s is over, and the ledger holds %d for it", id, e.reserved)
		}
	}
}

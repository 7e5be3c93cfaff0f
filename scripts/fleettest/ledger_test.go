package fleettest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"maps"

	"borne/controller/store"
	"borne/controller/wire"
)

// ledger is what one terminal's own journal says, read without the controller.
type ledger struct {
	last     uint64
	begun    map[string]wire.Begun // by session
	ended    map[string]wire.Ended
	receipts map[string]wire.Receipt // by digest, hex
	commands map[string]wire.CommandDone
	used     wire.EnergyUse         // all that it did
	other    map[uint64]wire.Record // by seq: what has no table of its own
}

// read recounts the journal, and checks what must hold within it: no permit is
// used twice, no session begins before the receipt of the one before, and the
// chain of receipts has no gap.
func (x *terminal) read() ledger {
	x.t.Helper()
	l := ledger{begun: map[string]wire.Begun{}, ended: map[string]wire.Ended{}, receipts: map[string]wire.Receipt{},
		commands: map[string]wire.CommandDone{}, other: map[uint64]wire.Record{}}
	permits := map[string]bool{}
	owes := ""
	var head wire.ChainHead
	for _, r := range x.records() {
		l.last = r.Seq
		switch r.Kind {
		case wire.KindBegun:
			b := body[wire.Begun](x, r)
			if permits[b.Permit] || l.begun[b.Session].Session != "" {
				x.t.Errorf("%s: permit %s or session %s is used twice", x.name, b.Permit, b.Session)
			}
			if owes != "" {
				x.t.Errorf("%s: session %s begins before the receipt of %s", x.name, b.Session, owes)
			}
			permits[b.Permit], l.begun[b.Session], owes = true, b, b.Session
		case wire.KindEnded:
			e := body[wire.Ended](x, r)
			if l.ended[e.Session].Session != "" {
				x.t.Errorf("%s: session %s ends twice", x.name, e.Session)
			}
			l.ended[e.Session] = e
		case wire.KindReceipt:
			e := body[wire.Envelope](x, r)
			rc, err := wire.Open[wire.Receipt](e, wire.DomainReceipt, x.Warden.Key())
			if err != nil || rc.Failure() != "" || rc.Terminal != x.id || !rc.Sim {
				x.t.Errorf("%s: receipt %+v proves nothing: %v", x.name, rc, err)
			}
			if rc.Kind == wire.ReceiptSession {
				if b := l.begun[rc.Session]; b.Permit != rc.Permit || owes != rc.Session {
					x.t.Errorf("%s: a receipt for session %s and permit %s, and %s is owed", x.name, rc.Session, rc.Permit, owes)
				}
				owes = ""
			}
			l.receipts[hex.EncodeToString(e.Digest())] = rc
			inPlace := rc.Segment == max(head.Segment, 1) && rc.Index == head.Index+1 && bytes.Equal(rc.Prev, head.Digest)
			if rc.Kind == wire.ReceiptChallenge {
				inPlace = rc.Segment > head.Segment && rc.Index == 1
			}
			if !inPlace {
				x.t.Errorf("%s: receipt %d/%d does not follow from %d/%d", x.name, rc.Segment, rc.Index, head.Segment, head.Index)
			}
			head = wire.ChainHead{Segment: rc.Segment, Index: rc.Index, Digest: e.Digest()}
		case wire.KindCommand:
			c := body[wire.CommandDone](x, r)
			if l.commands[c.ID].ID != "" {
				x.t.Errorf("%s: command %s is answered twice", x.name, c.ID)
			}
			l.commands[c.ID] = c
			l.other[r.Seq] = r
		case wire.KindEnergy:
			u := body[wire.EnergyUse](x, r)
			l.used = sum(l.used, u.Lit, u.Dark, u.Low, u.Halted, u.Off)
		case wire.KindDevice:
		default:
			l.other[r.Seq] = r
		}
	}
	if owes != "" {
		x.t.Errorf("%s: session %s has no receipt", x.name, owes)
	}
	return l
}

func sum(u wire.EnergyUse, lit, dark, low, halted, off int) wire.EnergyUse {
	u.Lit, u.Dark, u.Low, u.Halted, u.Off = u.Lit+lit, u.Dark+dark, u.Low+low, u.Halted+halted, u.Off+off
	return u
}

func body[T any](x *terminal, r wire.Record) (v T) {
	x.t.Helper()
	if err := json.Unmarshal(r.Body, &v); err != nil {
		x.t.Errorf("%s: record %d: %v", x.name, r.Seq, err)
	}
	return v
}

// proven compares three witnesses: the people (truth), the terminal's journal
// and warden, and the controller's rows. All must tell the same, once.
func (x *terminal) proven() {
	x.t.Helper()
	if got := x.Warden.Broken(); len(got) > 0 {
		x.t.Errorf("%s: broken promises: %v", x.name, got)
	}
	if got := x.Warden.Dirty(); len(got) > 0 {
		x.t.Errorf("%s: not wiped: %v", x.name, got)
	}
	l := x.read()
	ends := map[wire.Reason]int{}
	for _, e := range l.ended {
		ends[e.Reason]++
	}
	if len(l.begun) != x.truth.begun || !maps.Equal(ends, x.truth.ends) {
		x.t.Errorf("%s: the journal has %d sessions that ended %v, the people had %d that ended %v", x.name, len(l.begun), ends, x.truth.begun, x.truth.ends)
	}
	seen := map[string]bool{}
	for _, s := range x.Warden.Sessions() {
		if l.begun[s].Session == "" || seen[s] {
			x.t.Errorf("%s: the warden admitted session %s, twice or without a permit", x.name, s)
		}
		seen[s] = true
	}
	must(x.t, x.w.ctl.store().View(context.Background(), func(tx store.Tx) error { x.compare(tx, l); return nil }))
}

// rows are those that the controller has of a terminal.
func rows[T store.Row](x *terminal, tx store.Tx, index string) (all []store.Item[T]) {
	x.t.Helper()
	for it, err := range store.Find[T](tx, index, x.id) {
		must(x.t, err)
		all = append(all, it)
	}
	return all
}

func (x *terminal) compare(tx store.Tx, l ledger) {
	x.t.Helper()
	t, err := store.Get[store.Terminal](tx, x.id)
	must(x.t, err)
	cur, err := tx.Cursor(x.id)
	must(x.t, err)
	if cur.Seq != l.last || cur.Gaps != 0 {
		x.t.Errorf("%s: the controller is at %+v, the journal at %d", x.name, cur, l.last)
	}
	if t.Row.State != store.StateActive || t.Row.Owes != "" {
		x.t.Errorf("%s is %s (%s: %s) and owes %q", x.name, t.Row.State, t.Row.Reason, t.Row.Detail, t.Row.Owes)
	}
	x.compareSessions(tx, l)
	x.compareReceipts(tx, l, t.Row.Chain)

	found := map[uint64]int{}
	for _, it := range rows[store.RecordRow](x, tx, "terminal") {
		r := it.Row.Record
		if r.Epoch == 0 && string(r.Body) == `{"code":"badge-twice"}` {
			continue // the controller's own: players share badges, and may use one in two places
		}
		found[r.Seq]++
		if want, ok := l.other[r.Seq]; !ok || r.Epoch != cur.Epoch || want.Kind != r.Kind || !bytes.Equal(want.Body, r.Body) {
			x.t.Errorf("%s: the controller keeps record %d/%d %s, the journal %s", x.name, r.Epoch, r.Seq, r.Kind, want.Kind)
		}
	}
	refused := map[wire.Reason]int{}
	for seq, r := range l.other {
		if r.Kind == wire.KindRefused {
			refused[body[wire.Refused](x, r).Reason]++
		}
		want := 1
		if r.Kind == wire.KindCommand {
			id := body[wire.CommandDone](x, r).ID
			if c, err := store.Get[store.CommandRow](tx, id); err == nil {
				want = 0 // it has a row of its own
				if c.Row.Status != store.CommandDone && c.Row.Status != store.CommandRefused {
					x.t.Errorf("%s: command %s %s is answered, and %s", x.name, c.Row.Kind, id, c.Row.Status)
				}
			}
		}
		if found[seq] != want {
			x.t.Errorf("%s: record %d %s %s is kept %d times, want %d", x.name, seq, r.Kind, r.Body, found[seq], want)
		}
	}
	if !maps.Equal(refused, x.truth.refused) {
		x.t.Errorf("%s: refused %v, the people were refused %v", x.name, refused, x.truth.refused)
	}
	for _, c := range rows[store.CommandRow](x, tx, "open") {
		x.t.Errorf("%s: command %s %s is still %s", x.name, c.Row.Kind, c.ID, c.Row.Status)
	}
	x.compareRollups(tx, l)
}

func (x *terminal) compareSessions(tx store.Tx, l ledger) {
	x.t.Helper()
	all := rows[store.SessionRow](x, tx, "terminal")
	if len(all) != len(l.begun) {
		x.t.Errorf("%s: the controller knows %d sessions, the journal %d", x.name, len(all), len(l.begun))
	}
	known, unsure := 0, 0
	for _, it := range all {
		s := it.Row
		b, e := l.begun[s.Session], l.ended[s.Session]
		if b.Permit != s.Permit || b.N != s.N || e.Reason != s.Reason || e.Seconds != s.Seconds || e.Active != s.Active || e.Wipes != s.Wipes || s.Receipt == "" {
			x.t.Errorf("%s: session row %+v, begun %+v, ended %+v", x.name, s, b, e)
		}
		if len(b.Holder) > 0 {
			x.t.Errorf("%s: the journal still tells the badge of session %s", x.name, s.Session)
		}
		switch {
		case s.Holder != "":
			known++
		case s.Unsure: // a clock that was not set gives no month, and so no pseudonym
			unsure++
		}
		p, err := store.Get[store.PermitRow](tx, s.Permit)
		if err != nil || p.Row.State != store.PermitProven || p.Row.Session != s.Session {
			x.t.Errorf("%s: permit %s of session %s: %+v %v", x.name, s.Permit, s.Session, p.Row, err)
		}
	}
	// What arrived before a backup's loss is sent again without the badge.
	if most := x.truth.badged; known > most || known+unsure < most && !x.w.ctl.restored {
		x.t.Errorf("%s: %d sessions of badge holders, and %d without a clock; the people held %d badges to it", x.name, known, unsure, most)
	}
}

func (x *terminal) compareReceipts(tx store.Tx, l ledger, head wire.ChainHead) {
	x.t.Helper()
	all := rows[store.ReceiptRow](x, tx, "terminal")
	perPermit := map[string]int{}
	accepted := 0
	for _, it := range all {
		if it.Row.Verdict != store.VerdictAccepted {
			continue
		}
		accepted++
		perPermit[it.Row.Permit]++
		if rc, ok := l.receipts[it.Row.Digest]; !ok || rc.Permit != it.Row.Permit || rc.Session != it.Row.Session {
			x.t.Errorf("%s: accepted receipt %s is not in the journal", x.name, it.ID)
		}
	}
	if accepted != len(l.receipts) || len(all) != accepted {
		x.t.Errorf("%s: %d receipts accepted of %d, the journal has %d", x.name, accepted, len(all), len(l.receipts))
	}
	for _, b := range l.begun {
		if perPermit[b.Permit] != 1 {
			x.t.Errorf("%s: permit %s has %d accepted receipts", x.name, b.Permit, perPermit[b.Permit])
		}
	}
	h, err := x.Journal.Hello()
	must(x.t, err)
	if h.Chain.Segment != max(head.Segment, 1) && h.Chain.Index != 0 || h.Chain.Index != head.Index || !bytes.Equal(h.Chain.Digest, head.Digest) {
		x.t.Errorf("%s: the chain is at %+v, the controller's at %+v", x.name, h.Chain, head)
	}
}

func (x *terminal) compareRollups(tx store.Tx, l ledger) {
	x.t.Helper()
	var got, want store.Rollup
	got.Ends, want.Ends = map[string]int{}, map[string]int{}
	got.Refused, want.Refused = map[string]int{}, map[string]int{}
	for it, err := range store.List[store.Rollup](tx, "", "", false) {
		must(x.t, err)
		if it.Row.Terminal != x.id {
			continue
		}
		got.Sessions += it.Row.Sessions
		got.Seconds += it.Row.Seconds
		got.Active += it.Row.Active
		got.Wipes += it.Row.Wipes
		got.Refusals += it.Row.Refusals
		for k, n := range it.Row.Ends {
			got.Ends[k] += n
		}
		for k, n := range it.Row.Refused {
			got.Refused[k] += n
		}
	}
	var used wire.EnergyUse
	for it, err := range store.List[store.EnergyDay](tx, "", "", false) {
		must(x.t, err)
		if d := it.Row; d.Terminal == x.id {
			used = sum(used, d.Lit, d.Dark, d.Low, d.Halted, d.Off)
		}
	}
	if used != l.used {
		x.t.Errorf("%s: the days' energy is %+v, and should be %+v", x.name, used, l.used)
	}
	for r, n := range x.truth.ends {
		want.Sessions += n
		want.Ends[string(r)] = n
	}
	for r, n := range x.truth.refused {
		want.Refusals += n
		want.Refused[string(r)] = n
	}
	for _, e := range l.ended {
		want.Seconds += e.Seconds
		want.Active += e.Active
	}
	want.Wipes = len(l.receipts)
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if !bytes.Equal(a, b) {
		x.t.Errorf("%s: the days' figures are %s, and should be %s", x.name, a, b)
	}
}

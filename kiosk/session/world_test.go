package session_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/session"
)

// world is what surrounds the machine: a disk that keeps what was committed, a
// sandbox that gets dirty, and a warden that says what it really sees. The
// properties are about this world, not about what the machine answers.
type world struct {
	key   ed25519.PrivateKey
	disk  []byte        // the last committed state
	kept  []wire.Record // the committed records, in order
	state State         // of the process that runs
	at    Instant

	dirt    map[string]bool // session → its data is still on this machine
	doomed  map[string]bool // sessions whose sandbox was destroyed: nothing can be opened in it again
	signed  map[string]wire.Envelope
	pending []Effect // asked, not yet done
	results []Fact   // delivered once, may be delivered again
	staffed bool     // the building's staff is there after the closing
	sureDay bool     // the hours that the policy gives just now
	nextID  int
	permitN uint64
	bad     string // first broken promise
}

func newWorld() *world {
	w := &world{key: ed25519.NewKeyFromSeed(make([]byte, 32)), dirt: map[string]bool{}, doomed: map[string]bool{},
		signed: map[string]wire.Envelope{}, sureDay: true}
	w.at = Instant{Mono: time.Second, Wall: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Trusted: true}
	w.boot()
	return w
}

func limits() Limits {
	return Limits{Version: 1, Profile: "open", Languages: []string{"fr", "en"}, Minutes: 10 * time.Minute, Extend: 5 * time.Minute,
		Max: 20 * time.Minute, Min: 5 * time.Minute, Warn: []time.Duration{5 * time.Minute, time.Minute}, Idle: 3 * time.Minute,
		PIN: true, Grace: time.Minute, Upload: 10 * time.Second, Finish: time.Minute, Thanks: 20 * time.Second}
}

// boot starts a process from what the disk holds.
func (w *world) boot() {
	s := New()
	if w.disk != nil {
		s, _ = Decode(w.disk)
	}
	w.at.Mono = time.Second // monotonic time begins anew
	w.pending, w.results = nil, nil
	next, effects, records := Recover(s, w.at, wire.Boot{Boot: "b"})
	w.commit(next, effects, records)
}

// commit makes one step durable, then hands its effects over.
func (w *world) commit(next State, effects []Effect, records []wire.Record) {
	b, err := Encode(next)
	if err != nil {
		panic(err)
	}
	w.disk, w.state = b, next
	w.kept = append(w.kept, records...)
	w.pending = append(w.pending, effects...)
	w.check()
}

// send runs one event. cut: 0 none, 1 before the commit, 2 right after it,
// before any effect.
func (w *world) send(f Fact, cut int) {
	next, effects, records := Step(w.state, Event{At: w.at, Fact: f})
	switch cut {
	case 1:
		w.boot()
	case 2:
		w.commit(next, effects, records)
		w.boot()
	default:
		w.commit(next, effects, records)
	}
}

// perform does one effect in the world and returns its result, if it has one.
func (w *world) perform(e Effect, fail bool) Fact {
	switch a := e.Ask.(type) {
	case DoSurvey:
		if fail {
			return Surveyed{Effect: e.ID, Fault: wire.OutBrowser}
		}
		return Surveyed{Effect: e.ID, Level: wire.LevelFull}
	case DoOpen:
		if w.doomed[a.Session] {
			return Opened{Effect: e.ID, Err: "cannot admit: that sandbox was destroyed"}
		}
		for id, dirty := range w.dirt {
			if dirty && id != a.Session {
				w.broken("session %s opens while %s is not wiped", a.Session, id)
			}
		}
		w.owesBefore(a.Session)
		w.dirt[a.Session] = true // even one that fails half-way leaves something
		if fail {
			return Opened{Effect: e.ID, Err: "cannot show the browser"}
		}
		return Opened{Effect: e.ID}
	case DoWipe:
		for id := range w.dirt {
			w.doomed[id] = true
		}
		if a.Session != "" {
			w.doomed[a.Session] = true
		}
		if fail {
			return Wiped{Effect: e.ID, Failure: "found: processes"}
		}
		clear(w.dirt)
		return w.receipt(e.ID, a)
	}
	return nil
}

// receipt signs what is true now; asking again gives the same bytes.
func (w *world) receipt(id uint64, a DoWipe) Fact {
	if a.Kind == WipeSweep {
		return Wiped{Effect: id}
	}
	env, ok := w.signed[a.Permit]
	if !ok {
		r := wire.Receipt{Kind: wire.ReceiptKind(a.Kind), Session: a.Session, Permit: a.Permit, Nonce: a.Nonce, Attempt: a.Attempt}
		for _, n := range wire.RequiredChecks() {
			r.Checks = append(r.Checks, wire.Check{Name: n, Result: wire.Clean})
		}
		var err error
		if env, err = wire.Seal(w.key, wire.DomainReceipt, r); err != nil {
			panic(err)
		}
		w.signed[a.Permit] = env
	}
	return Wiped{Effect: id, Receipt: &env, Number: "1"}
}

// owesBefore checks the promise at the moment that counts: a session opens in
// the world. Every permit consumed before has exactly one committed receipt.
func (w *world) owesBefore(session string) {
	begun, receipts := w.ledger()
	for permit, s := range begun {
		if n := receipts[permit]; s != session && n != 1 {
			w.broken("session %s opens while permit %s of session %s has %d receipts", session, permit, s, n)
		}
	}
}

// ledger reads the committed records: permits consumed, receipts by permit.
func (w *world) ledger() (begun map[string]string, receipts map[string]int) {
	begun, receipts = map[string]string{}, map[string]int{}
	for _, r := range w.kept {
		switch r.Kind {
		case wire.KindBegun:
			var b wire.Begun
			w.read(r.Body, &b)
			if _, twice := begun[b.Permit]; twice {
				w.broken("permit %s is consumed twice", b.Permit)
			}
			begun[b.Permit] = b.Session
		case wire.KindReceipt:
			var e wire.Envelope
			w.read(r.Body, &e)
			v, err := wire.Open[wire.Receipt](e, wire.DomainReceipt, w.key.Public().(ed25519.PublicKey))
			if err != nil || v.Failure() != "" {
				w.broken("a committed receipt proves nothing: %v %s", err, v.Failure())
			}
			if v.Kind == wire.ReceiptChallenge {
				continue
			}
			if begun[v.Permit] != v.Session {
				w.broken("receipt of session %q for permit %q that session %q consumed", v.Session, v.Permit, begun[v.Permit])
			}
			if receipts[v.Permit]++; receipts[v.Permit] > 1 {
				w.broken("permit %s has two receipts", v.Permit)
			}
		}
	}
	return begun, receipts
}

func (w *world) read(b []byte, v any) {
	if err := json.Unmarshal(b, v); err != nil {
		w.broken("a record cannot be read: %v", err)
	}
}

// check is what must hold after each commit.
func (w *world) check() {
	begun, receipts := w.ledger()
	owed := 0
	for p := range begun {
		if receipts[p] == 0 {
			owed++
		}
	}
	if owed > 1 {
		w.broken("%d sessions owe a receipt at once", owed)
	}
	dirty := len(w.dirt) > 0
	switch w.state.Phase {
	case Welcome, Charter, Thanks, Closed, Quarantined, Maintenance, Updating, Challenge:
		if dirty && w.state.Phase != Challenge || owed > 0 {
			w.broken("%s while dirty (%v) or owing %d receipts", w.state.Phase, w.dirt, owed)
		}
	case Starting, Opening, Active, Warning, Ending, Wiping, Broken:
	default:
		w.broken("phase %q does not exist", w.state.Phase)
	}
	if got, err := Decode(w.disk); err != nil || got.Phase != w.state.Phase {
		w.broken("the disk does not hold the state: %v", err)
	}
}

func (w *world) broken(format string, a ...any) {
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, a...)
	}
}

// grant makes n permits as the controller would.
func (w *world) grant(n int) Permitted {
	var ps []Permit
	for range n {
		w.permitN++
		ps = append(ps, Permit{ID: fmt.Sprintf("p%d", w.permitN), N: w.permitN, Nonce: []byte{byte(w.permitN), 1},
			NotAfter: w.at.Wall.Add(72 * time.Hour), Generation: 1})
	}
	return Permitted{Permits: ps}
}

func (w *world) tick(d time.Duration, idle time.Duration) Tick {
	w.at.Mono += d
	w.at.Wall = w.at.Wall.Add(d)
	return Tick{Idle: idle, Sure: w.at.Trusted, Open: w.sureDay, Until: w.at.Wall.Add(5 * time.Hour)}
}

func (w *world) fresh() string {
	w.nextID++
	return fmt.Sprintf("s%d", w.nextID)
}

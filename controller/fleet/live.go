package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// LiveState is what is known of a terminal beyond its rows.
type LiveState struct {
	Online   bool
	Status   wire.Status // last one; kept while offline
	Since    time.Time   // when its phase was first seen
	Lit      time.Time   // since when it has said, without a break, that its screen shines (wire.PowerState.Glows); zero: it does not
	LastSeen time.Time
	Boot     string
	CertEnds time.Time // of the certificate that it connected with last

	uncounted time.Duration // connected time that no deadline has counted yet
}

// Live returns what is known of a terminal now, and whether anything is.
func (f *Fleet) Live(terminal string) (LiveState, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.live[terminal]
	return l, ok
}

// subscription is the set of terminals that a reader has yet to hear of: it
// cannot grow past the fleet, however slow the reader.
type subscription struct {
	waiting map[string]bool // these two guarded by Fleet.mu
	order   []string
	more    chan struct{}
	quit    chan struct{}
}

// Subscribe yields the ids of terminals that changed. Changes that a reader has
// not taken yet are told once. Nothing is yielded after cancel or Close.
func (f *Fleet) Subscribe() (<-chan string, func()) {
	s := &subscription{waiting: map[string]bool{}, more: make(chan struct{}, 1), quit: make(chan struct{})}
	out := make(chan string)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return out, func() {}
	}
	f.subs[s] = true
	f.running.Go(func() { f.pump(s, out) })
	return out, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.subs[s] {
			delete(f.subs, s)
			close(s.quit)
		}
	}
}

func (f *Fleet) pump(s *subscription, out chan<- string) {
	for {
		select {
		case <-s.more:
		case <-s.quit:
			return
		case <-f.ctx.Done():
			return
		}
		for {
			f.mu.Lock()
			if len(s.order) == 0 {
				f.mu.Unlock()
				break
			}
			id := s.order[0]
			s.order = s.order[1:]
			delete(s.waiting, id)
			f.mu.Unlock()
			select {
			case out <- id:
			case <-s.quit:
				return
			case <-f.ctx.Done():
				return
			}
		}
	}
}

// Changed tells subscribers of a terminal whose rows changed.
func (f *Fleet) Changed(terminal string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(terminal)
}

// tell needs f.mu.
func (f *Fleet) tell(terminal string) {
	for s := range f.subs {
		if s.waiting[terminal] {
			continue
		}
		s.waiting[terminal] = true
		s.order = append(s.order, terminal)
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

var errClone = errors.New("two machines share this identity")

// join makes c the connection of its terminal. An older one of another boot
// that still answers is another machine with the same keys: both stop.
func (f *Fleet) join(c *conn) error {
	f.mu.Lock()
	old := f.conns[c.terminal]
	f.mu.Unlock()
	if old != nil && (old.boot != c.boot || c.boot == "") && old.alive(f.cfg.Probe) {
		two := true
		err := f.cfg.Store.Decide(f.ctx, func(tx store.Tx) error {
			two = true
			// A machine that was replaced while it asked is no clone of its successor.
			if _, err := trusted(tx, c.terminal, c.serial); err != nil {
				return err
			}
			if _, err := trusted(tx, c.terminal, old.serial); errors.Is(err, pki.ErrRevoked) {
				two = false
				return nil
			} else if err != nil {
				return err
			}
			return f.cfg.Rules.Quarantine(tx, c.terminal, wire.QuarClone, "two machines were connected at once", "")
		})
		if errors.Is(err, pki.ErrRevoked) {
			return err
		}
		if two { // also when it could not be kept: neither is served
			f.counts.clones.Add(1)
			old.end(websocket.ClosePolicyViolation, string(wire.QuarClone))
			f.Changed(c.terminal)
			return errors.Join(errClone, err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errors.New("the controller stops")
	}
	if old := f.conns[c.terminal]; old != nil {
		old.end(websocket.CloseNormalClosure, "replaced by a newer connection")
	}
	f.conns[c.terminal] = c
	l := f.live[c.terminal]
	l.Online, l.LastSeen, l.Boot, l.CertEnds = true, f.cfg.Now().UTC(), c.boot, c.ends
	f.live[c.terminal] = l
	f.tell(c.terminal)
	return nil
}

// leave forgets c; passed is its connected time that was not counted.
func (f *Fleet) leave(c *conn, passed time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.live[c.terminal]
	l.uncounted += passed // a terminal cannot escape a deadline by coming and going
	f.live[c.terminal] = l
	if f.conns[c.terminal] != c {
		return
	}
	delete(f.conns, c.terminal)
	l.Online, l.LastSeen = false, f.cfg.Now().UTC()
	f.live[c.terminal] = l
	f.tell(c.terminal)
	f.neighbours(c.space)
}

// seen notes that c is alive; only memory, the disk hears of it rarely.
func (f *Fleet) seen(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[c.terminal] != c {
		return
	}
	l := f.live[c.terminal]
	l.LastSeen = f.cfg.Now().UTC()
	f.live[c.terminal] = l
}

// rememberWithin bounds what Close writes.
const rememberWithin = 10 * time.Second

// remember writes down when each terminal was last seen.
func (f *Fleet) remember() error {
	at := map[string]time.Time{}
	f.mu.Lock()
	for id, l := range f.live {
		at[id] = l.LastSeen
	}
	f.mu.Unlock()
	if len(at) == 0 {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), rememberWithin)
	defer done()
	return f.cfg.Store.Decide(ctx, func(tx store.Tx) error {
		for id, seen := range at {
			t, err := store.Get[store.Terminal](tx, id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if !seen.After(t.Row.LastSeen) {
				continue
			}
			t.Row.LastSeen = seen
			if err := store.Put(tx, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// uncounted takes what connections before had left to count.
func (f *Fleet) uncounted(terminal string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.live[terminal]
	d := l.uncounted
	l.uncounted = 0
	f.live[terminal] = l
	return d
}

// maxListed bounds what one terminal's status takes in memory.
const maxListed = 64

// maxAlarm bounds the sentence that tells why a terminal's clock cannot wake it.
const maxAlarm = 400

// status keeps a terminal's state, and tells its neighbours whether one is free.
func (f *Fleet) status(c *conn, s wire.Status) {
	s.Devices, s.Missing = s.Devices[:min(len(s.Devices), maxListed)], s.Missing[:min(len(s.Missing), maxListed)]
	s.Prints = s.Prints[:min(len(s.Prints), maxListed)]
	for i, w := range s.Prints {
		s.Prints[i] = w.Bounded()
	}
	s.Prints = slices.DeleteFunc(s.Prints, func(w wire.PrintWaiting) bool { return !wire.ValidJobID(w.Job) })
	if s.Printer != nil {
		p := s.Printer.Bounded()
		s.Printer = &p
	}
	if s.Help != nil && !wire.ValidHelpID(s.Help.ID) {
		s.Help = nil
	}
	if s.Power != nil {
		p := *s.Power
		p.Power, p.Alarm = wire.Power(clip(string(p.Power))), strings.ToValidUTF8(p.Alarm[:min(len(p.Alarm), maxAlarm)], "")
		s.Power = &p
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[c.terminal] != c {
		return
	}
	l := f.live[c.terminal]
	if l.Status.Phase != s.Phase || l.Since.IsZero() {
		l.Since = f.cfg.Now().UTC()
	}
	l.Status, l.LastSeen = s, f.cfg.Now().UTC()
	if p := s.Power; p == nil || !p.Glows() {
		l.Lit = time.Time{}
	} else if l.Lit.IsZero() {
		l.Lit = l.LastSeen
	}
	f.live[c.terminal] = l
	f.tell(c.terminal)
	if free := s.Phase == phaseFree; free != c.free || s.Armed != c.armed {
		c.free, c.armed = free, s.Armed
		f.neighbours(c.space)
	}
}

// measured keeps the isolation that a terminal measured: staff read it also
// when the terminal is away. Only a change reaches the disk.
func (c *conn) measured(s wire.Status) {
	if s.Level != wire.LevelFull && s.Level != wire.LevelReduced {
		return // not measured yet, or a newer terminal's word
	}
	var missing []string
	for _, m := range s.Missing[:min(len(s.Missing), maxListed)] {
		missing = append(missing, clip(m))
	}
	if s.Level == c.level && slices.Equal(missing, c.missing) {
		return
	}
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
		t, err := trusted(tx, c.terminal, c.serial)
		if err != nil || t.Row.Level == s.Level && slices.Equal(t.Row.Missing, missing) {
			return err
		}
		t.Row.Level, t.Row.Missing = s.Level, missing
		return store.Put(tx, t)
	})
	if err != nil {
		if c.f.ctx.Err() == nil {
			c.log.Error("cannot keep the isolation measured", "err", err) // the next status tries again
		}
		return
	}
	c.level, c.missing = s.Level, missing
}

// phaseFree is session.Phase's name for a terminal that waits for a person.
const phaseFree = "welcome"

// neighbours tells the terminals of a space whose answer changed. It needs f.mu.
func (f *Fleet) neighbours(space string) {
	var here []*conn
	free, armed := 0, 0
	for _, c := range f.conns {
		if c.welcomed && c.space == space {
			here = append(here, c)
			free += count(c.free)
			armed += count(c.armed)
		}
	}
	for _, c := range here {
		others := wire.Space{OtherFree: free > count(c.free), Armed: armed > count(c.armed)}
		if c.others != others {
			c.others = others
			c.queue(frame{shared: f.spaces[others]})
		}
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// Package agenttest holds what a test puts around a real agent: a warden that
// keeps the dirt of sessions on a map and really signs receipts, browsers,
// a display, a shell and a clock that the test moves.
package agenttest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// Warden is a stub of the root role. It survives the agent, as the real one
// does, and notes every broken promise it sees.
type Warden struct {
	key  ed25519.PrivateKey
	boot string
	sim  bool

	mu      sync.Mutex
	events  chan sandbox.Event
	boxes   map[string]string // sandboxes that stand → their session; empty for a standby
	serial  int
	dirt    map[string]bool // sessions whose data is on the machine
	dirtied []string        // every session that was ever admitted, in order
	last    *sandbox.Evidence
	webs    []string // marker of each wipe of a session
	onWipe  func()
	attempt int
	kept    map[string]wire.Envelope // receipts that were signed, by permit
	claims  map[string]sandbox.Sign
	head    wire.ChainHead
	fail    int // wipes that will find something
	missing []string
	noChrom bool
	holds   map[string]chan struct{}
	held    map[string]chan struct{}
	broken  []string
	ports   []bool
	prints  bool
	presses map[string]*Press // by sandbox
}

// Prints says that sandboxes have a press from now on.
func (w *Warden) Prints() { w.mu.Lock(); w.prints = true; w.mu.Unlock() }

// Press is that of the running session; nil when there is none.
func (w *Warden) Press() *Press {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, session := range w.boxes {
		if session != "" {
			return w.presses[id]
		}
	}
	return nil
}

// buried ends the presses whose sandboxes are gone. The caller holds mu.
func (w *Warden) buried() {
	for id, p := range w.presses {
		if _, lives := w.boxes[id]; !lives {
			p.conn.Close()
			delete(w.presses, id)
		}
	}
}

// NewWarden makes one whose receipts key signs.
func NewWarden(key ed25519.PrivateKey, sim bool) *Warden {
	return &Warden{key: key, boot: "boot-1", sim: sim, events: make(chan sandbox.Event, 16), boxes: map[string]string{}, dirt: map[string]bool{},
		presses: map[string]*Press{}, kept: map[string]wire.Envelope{}, claims: map[string]sandbox.Sign{}, head: wire.ChainHead{Segment: 1},
		holds: map[string]chan struct{}{}, held: map[string]chan struct{}{}}
}

// Twin is the warden of a machine with a copy of this one's disk: it goes on with
// the same chain.
func (w *Warden) Twin() *Warden {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := NewWarden(w.key, w.sim)
	n.head, n.kept, n.claims = w.head, maps.Clone(w.kept), maps.Clone(w.claims)
	return n
}

// Key verifies its receipts.
func (w *Warden) Key() ed25519.PublicKey { return w.key.Public().(ed25519.PublicKey) }

// Hold makes the next verb of this name ("admit", "wipe", "sign", "prepare",
// "survey") wait until release is called. Reached is closed when it waits.
func (w *Warden) Hold(verb string) (reached <-chan struct{}, release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hold, held := make(chan struct{}), make(chan struct{})
	w.holds[verb], w.held[verb] = hold, held
	return held, sync.OnceFunc(func() { close(hold) })
}

// OnWipe sets what is called when a wipe begins.
func (w *Warden) OnWipe(f func()) { w.mu.Lock(); w.onWipe = f; w.mu.Unlock() }

// Webs lists the web canary's marker of each wipe of a session; empty for none.
func (w *Warden) Webs() []string { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.webs) }

// FailWipes makes the next n wipes find something.
func (w *Warden) FailWipes(n int) { w.mu.Lock(); w.fail = n; w.mu.Unlock() }

// Lack makes the machine miss properties of isolation.
func (w *Warden) Lack(props ...string) { w.mu.Lock(); w.missing = props; w.mu.Unlock() }

// Uninstall removes Chromium.
func (w *Warden) Uninstall(gone bool) { w.mu.Lock(); w.noChrom = gone; w.mu.Unlock() }

// Dirty lists the sessions whose data is on the machine.
func (w *Warden) Dirty() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for s := range w.dirt {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// Prepared counts the sandboxes that were made.
func (w *Warden) Prepared() int { w.mu.Lock(); defer w.mu.Unlock(); return w.serial }

// Sessions lists every session that was admitted, in order.
func (w *Warden) Sessions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dirtied)
}

// Broken lists the promises that were broken: a session admitted while another
// one's data or receipt was owed.
func (w *Warden) Broken() []string { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.broken) }

// Lose ends every sandbox, as a crash of its browser would.
func (w *Warden) Lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.boxes {
		delete(w.boxes, id)
		w.events <- sandbox.Event{Kind: "sandbox-lost", Sandbox: id}
	}
}

// Refuse tells of refused sites in every sandbox, as their resolvers would.
func (w *Warden) Refuse(category string, count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.boxes {
		w.events <- sandbox.Event{Kind: "refused", Sandbox: id, Category: category, Count: count}
	}
}

// Ports lists what was said of the USB ports, in order.
func (w *Warden) Ports() []bool { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.ports) }

// Plug tells of a USB device.
func (w *Warden) Plug(code, port string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events <- sandbox.Event{Kind: code, Detail: port}
}

// Restart is a new warden on the same machine: sandboxes are gone, what they
// left is not, and its ledger is on disk.
func (w *Warden) Restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.boxes)
	w.buried()
	w.last = nil
	close(w.events)
	w.events = make(chan sandbox.Event, 16)
}

// Events is what the warden says unasked.
func (w *Warden) Events() <-chan sandbox.Event { w.mu.Lock(); defer w.mu.Unlock(); return w.events }

// Do answers a verb.
func (w *Warden) Do(ctx context.Context, r sandbox.Request) (sandbox.Answer, []*os.File, error) {
	a, err := w.do(ctx, r)
	if err != nil || r.Prepare == nil || r.Prepare.Probe {
		return a, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.prints {
		return a, nil, nil
	}
	p, files, err := newPress()
	if err != nil {
		return a, nil, err
	}
	w.presses[a.Sandbox.Sandbox] = p
	return a, files, nil
}

func (w *Warden) do(ctx context.Context, r sandbox.Request) (sandbox.Answer, error) {
	switch {
	case r.Ports != nil:
		w.mu.Lock()
		w.ports = append(w.ports, r.Ports.Open)
		w.mu.Unlock()
		return sandbox.Answer{}, nil
	case r.Prepare != nil:
		if err := w.wait(ctx, "prepare"); err != nil {
			return sandbox.Answer{}, err
		}
		if r.Prepare.Probe { // it goes with the next one: nothing stays of it here
			return sandbox.Answer{Sandbox: &sandbox.Info{Sandbox: "probe"}}, nil
		}
		return w.prepare()
	case r.Admit != nil:
		if err := w.admit(*r.Admit); err != nil {
			return sandbox.Answer{}, err
		}
		return sandbox.Answer{}, w.wait(ctx, "admit")
	case r.Wipe != nil:
		if err := w.wait(ctx, "wipe"); err != nil {
			return sandbox.Answer{}, err
		}
		return w.wipe(*r.Wipe), nil
	case r.Sign != nil:
		if err := w.wait(ctx, "sign"); err != nil {
			return sandbox.Answer{}, err
		}
		return w.sign(*r.Sign)
	case r.Forget != nil:
		w.mu.Lock()
		delete(w.kept, r.Forget.Permit)
		w.mu.Unlock()
		return sandbox.Answer{}, nil
	case r.Survey != nil:
		if err := w.wait(ctx, "survey"); err != nil {
			return sandbox.Answer{}, err
		}
		return w.survey(), nil
	}
	return sandbox.Answer{}, errors.New("cannot serve: no verb")
}

func (w *Warden) wait(ctx context.Context, verb string) error {
	w.mu.Lock()
	hold, held := w.holds[verb], w.held[verb]
	delete(w.holds, verb)
	delete(w.held, verb)
	w.mu.Unlock()
	if hold == nil {
		return ctx.Err()
	}
	close(held)
	select {
	case <-hold:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Warden) prepare() (sandbox.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.boxes, func(_, session string) bool { return session == "" })
	w.buried()
	w.serial++
	id := fmt.Sprintf("box-%d", w.serial)
	w.boxes[id] = ""
	return sandbox.Answer{Sandbox: &sandbox.Info{Sandbox: id, Level: w.level(), Props: w.props()}}, nil
}

func (w *Warden) admit(a sandbox.Admit) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.boxes[a.Sandbox]; !ok {
		return errors.New("cannot admit: there is no such standby")
	}
	for s := range w.dirt {
		w.broken = append(w.broken, fmt.Sprintf("session %s is admitted while %s is not wiped", a.Session, s))
	}
	signed := map[string]bool{}
	for _, c := range w.claims {
		signed[c.Session] = true
	}
	for _, s := range w.dirtied {
		if !signed[s] {
			w.broken = append(w.broken, fmt.Sprintf("session %s is admitted while %s has no receipt", a.Session, s))
		}
	}
	w.boxes[a.Sandbox], w.dirt[a.Session] = a.Session, true
	w.dirtied = append(w.dirtied, a.Session)
	return nil
}

func (w *Warden) wipe(r sandbox.Wipe) sandbox.Answer {
	if w.onWipe != nil {
		w.onWipe()
	}
	if r.Session != "" {
		w.webs = append(w.webs, r.Web)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	kept, standby := w.boxes[r.Keep]
	standby = standby && kept == "" && r.Attempt == 1
	clear(w.boxes)
	if standby {
		w.boxes[r.Keep] = ""
	}
	w.buried()
	e := sandbox.Evidence{Session: r.Session, Level: w.level(), Props: w.props(), Millis: 12}
	result, after := wire.Clean, 0
	if w.fail > 0 {
		w.fail--
		e.Failure, result, after = "found: processes", wire.Found, 1
	} else {
		clear(w.dirt)
	}
	for _, n := range wire.RequiredChecks() {
		e.Checks = append(e.Checks, wire.Check{Name: n, Before: 1, After: after, Result: result})
	}
	w.last, w.attempt = &e, r.Attempt
	return sandbox.Answer{Wiped: &e}
}

// sign gives the same bytes for the same permit, and refuses another claim on it.
func (w *Warden) sign(s sandbox.Sign) (sandbox.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.claims[s.Permit]; ok && (old.Session != s.Session || string(old.Nonce) != string(s.Nonce)) {
		return sandbox.Answer{}, fmt.Errorf("cannot sign: permit %s has a receipt for another claim", s.Permit)
	}
	env, ok := w.kept[s.Permit]
	if !ok {
		if w.last == nil || w.last.Session != s.Session || w.last.Failure != "" {
			return sandbox.Answer{}, errors.New("cannot sign: the last wipe is not of this session; wipe first")
		}
		if s.NewChain {
			w.head.Segment, w.head.Index = w.head.Segment+1, 0
		}
		w.head.Index++
		r := wire.Receipt{Kind: s.Kind, Terminal: s.Terminal, Session: s.Session, Permit: s.Permit, Nonce: s.Nonce, Segment: w.head.Segment,
			Index: w.head.Index, Prev: w.head.Digest, At: s.At, Unsure: s.Unsure, Boot: w.boot, Build: "test", Sim: w.sim, Attempt: w.attempt,
			WipeMS: w.last.Millis, Level: w.last.Level, Props: w.last.Props, Checks: w.last.Checks}
		var err error
		if env, err = wire.Seal(w.key, wire.DomainReceipt, r); err != nil {
			return sandbox.Answer{}, err
		}
		w.head.Digest = env.Digest()
		w.kept[s.Permit], w.claims[s.Permit] = env, s
		w.last = nil
	}
	head := w.head
	return sandbox.Answer{Receipt: &env, Head: &head}, nil
}

func (w *Warden) survey() sandbox.Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := sandbox.Surveyed{Level: w.level(), Props: w.props(), Chromium: "156"}
	if w.noChrom {
		s.Chromium = ""
	}
	return sandbox.Answer{Survey: &s}
}

func (w *Warden) level() wire.Level {
	if len(w.missing) > 0 {
		return wire.LevelReduced
	}
	return wire.LevelFull
}

func (w *Warden) props() []wire.Property {
	var out []wire.Property
	for _, n := range wire.Properties() {
		out = append(out, wire.Property{Name: n, Held: !slices.Contains(w.missing, n)})
	}
	return out
}

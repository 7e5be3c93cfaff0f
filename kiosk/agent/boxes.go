package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
	"borne/kiosk/session"
)

// Deadlines of what is asked of the warden. They lie below the machine's own,
// so that it hears why before it gives up.
const (
	prepareWithin = 45 * time.Second
	wipeWithin    = 60 * time.Second
	askWithin     = 10 * time.Second
	surveyWithin  = 55 * time.Second
)

// browserFiles are the descriptors of a browser's pipe, before that of a press.
const browserFiles = 2

// key is what a standby was made for.
type key struct {
	profile, lang string
	version       uint64
	lists         string // digests of the lists of names in it
	day           string // whose hours of the places of help its portal tells; empty: of none
}

// box is a sandbox with its browser.
type box struct {
	key     key
	id      string
	window  uint32 // that its display is drawn into
	web     string // marker that its browser keeps for the wipe to find; empty for none
	session string // empty: a standby
	browser SessionBrowser
	press   *pressLink // nil: nothing is printed here
}

// boxes makes, admits and wipes sandboxes, one at a time: a standby, and beside
// it perhaps a session's. A wipe ends whatever is being built, so that it waits
// for nobody.
type boxes struct {
	warden  Warden
	open    Opener
	prepare Preparer
	probe   Prober
	windows []uint32
	log     *slog.Logger
	lost    func(b *box)
	link    func(b *box, f *os.File) error // takes over the channel to a press

	work sync.Mutex // held while the warden builds or wipes
	sure []byte     // the rules that this browser takes whole; guarded by work

	mu      sync.Mutex // guards what follows
	build   context.Context
	stop    context.CancelFunc
	standby *box
	running *box
}

func newBoxes(ctx context.Context, p Parts, log *slog.Logger, lost func(b *box)) *boxes {
	b := &boxes{warden: p.Warden, open: p.Browser, prepare: p.Prepare, probe: p.Probe, windows: p.Windows, log: log, lost: lost}
	b.build, b.stop = context.WithCancel(ctx)
	return b
}

// building is the context of what a wipe interrupts.
func (b *boxes) building() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.build
}

// current is the running session's browser; nil without one.
func (b *boxes) current() *box {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running
}

// all are the sandboxes that there are: a standby, and a session's.
func (b *boxes) all() (there []*box) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range []*box{b.standby, b.running} {
		if x != nil {
			there = append(there, x)
		}
	}
	return there
}

// ready tells whether a standby for k is there.
func (b *boxes) ready(k key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.standby != nil && b.standby.key == k
}

// ensure makes a standby for k, in place of one that was made for another.
func (b *boxes) ensure(ctx context.Context, k key, p Rules) error {
	b.work.Lock()
	defer b.work.Unlock()
	_, err := b.made(ctx, k, p)
	return err
}

// made returns the standby for k. The caller holds work.
func (b *boxes) made(ctx context.Context, k key, p Rules) (*box, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cannot prepare a sandbox: a wipe came before it: %w", err)
	}
	b.mu.Lock()
	old := b.standby
	if old != nil && old.key == k {
		b.mu.Unlock()
		return old, nil
	}
	b.standby = nil
	b.mu.Unlock()
	if old != nil {
		b.close(old)
		if err := b.clear(ctx); err != nil {
			return nil, err
		}
	}
	if err := b.taken(ctx, p, k.lang); err != nil {
		return nil, err
	}
	req, portal, err := b.prepare(p, k.lang)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare a sandbox: %w", err)
	}
	if req.Window, err = b.free(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, prepareWithin)
	defer cancel()
	a, files, err := b.warden.Do(ctx, sandbox.Request{Prepare: &req})
	if err != nil && ctx.Err() == nil && b.clear(ctx) == nil {
		// Remains of a standby that died may stand in the way: once more, on clean ground.
		a, files, err = b.warden.Do(ctx, sandbox.Request{Prepare: &req})
	}
	if err != nil {
		return nil, err
	}
	if a.Sandbox == nil {
		sandbox.CloseAll(files)
		return nil, errors.New("cannot prepare a sandbox: the warden named none")
	}
	var press *os.File
	if len(files) > browserFiles {
		press, files = files[browserFiles], files[:browserFiles]
	}
	br, err := b.open.Open(ctx, files, portal)
	if err != nil {
		if press != nil {
			press.Close()
		}
		return nil, err
	}
	n := &box{key: k, id: a.Sandbox.Sandbox, window: req.Window, browser: br}
	if press != nil {
		if err := b.link(n, press); err != nil {
			b.log.Error("nothing can be printed in the next session", "error", err)
		}
	}
	if err := br.Painted(ctx); err != nil {
		b.close(n)
		return nil, err
	}
	n.web = b.plant(ctx, br)
	b.mu.Lock()
	b.standby = n
	b.mu.Unlock()
	go func() {
		<-br.Gone()
		b.gone(func(x *box) bool { return x == n })
	}()
	return n, nil
}

// free is a window that no session is drawn into.
func (b *boxes) free() (uint32, error) {
	if len(b.windows) == 0 {
		return 0, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.windows {
		if b.running == nil || b.running.window != w {
			return w, nil
		}
	}
	return 0, errors.New("cannot prepare a sandbox: the display has one place only, and a session is there")
}

// clear destroys standbys that nobody wants; never beside a session.
func (b *boxes) clear(ctx context.Context) error {
	if b.current() != nil {
		return nil
	}
	_, _, err := b.warden.Do(ctx, sandbox.Request{Wipe: &sandbox.Wipe{Attempt: 1}})
	return err
}

// admit turns the standby into a person's session.
func (b *boxes) admit(ctx context.Context, k key, p Rules, sess string) error {
	b.work.Lock()
	defer b.work.Unlock()
	n, err := b.made(ctx, k, p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if _, _, err := b.warden.Do(ctx, sandbox.Request{Admit: &sandbox.Admit{Sandbox: n.id, Session: sess}}); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.standby != n { // it died at that very moment
		return errors.New("cannot admit: the sandbox was lost")
	}
	n.session, b.standby, b.running = sess, nil, n
	return nil
}

// wipe destroys everything but the standby that waits beside a session, and
// brings the evidence, signed when it is owed.
func (b *boxes) wipe(ctx context.Context, e session.DoWipe, terminal string, at session.Instant) (session.Wiped, *wire.ChainHead) {
	b.mu.Lock()
	b.stop()
	b.build, b.stop = context.WithCancel(ctx)
	b.mu.Unlock()
	b.work.Lock()
	defer b.work.Unlock()
	ctx, cancel := context.WithTimeout(ctx, wipeWithin)
	defer cancel()
	ask := sandbox.Wipe{Session: e.Session, Attempt: e.Attempt}
	// Chromium leaves when its pipe closes, and the warden would find nobody to
	// plant its canaries with: the pipes close once it is done.
	gone := b.take(&ask)
	a, _, err := b.warden.Do(ctx, sandbox.Request{Wipe: &ask})
	b.release(gone)
	if err == nil && a.Wiped == nil {
		err = errors.New("cannot wipe: the warden brought no evidence")
	}
	if err != nil {
		b.drop()
		return session.Wiped{Err: err.Error()}, nil
	}
	ev := a.Wiped
	if ev.Failure != "" {
		b.drop()
	} else if ask.Keep != "" {
		b.log.Info("standby kept")
	}
	out := session.Wiped{Failure: ev.Failure, Full: ev.Level == wire.LevelFull, Millis: ev.Millis, Checks: ev.Checks}
	if out.Failure != "" || e.Kind == session.WipeSweep {
		return out, nil
	}
	s, _, err := b.warden.Do(ctx, sandbox.Request{Sign: &sandbox.Sign{Kind: wire.ReceiptKind(e.Kind), Terminal: terminal, Session: e.Session,
		Permit: e.Permit, Nonce: e.Nonce, At: at.Wall, Unsure: !at.Trusted, NewChain: e.Kind == session.WipeChallenge}})
	switch {
	case err != nil:
		out.Err = err.Error()
		return out, nil
	case s.Receipt == nil:
		out.Err = "cannot sign: the warden brought no receipt"
		return out, nil
	}
	out.Receipt, out.Number = s.Receipt, number(*s.Receipt)
	return out, s.Head
}

// plantWithin bounds how long a standby waits for its web canary.
const plantWithin = 3 * time.Second

// plant puts a marker where pages of this browser keep things, on an origin of
// its own, so that the wipe has something known to look for. It gives the
// marker, or nothing when it is not planted whole: the check then says so.
func (b *boxes) plant(ctx context.Context, br SessionBrowser) string {
	p, ok := br.(interface {
		PlantWebCanary(ctx context.Context, marker string) error
	})
	if !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, plantWithin)
	defer cancel()
	marker := rand.Text()
	done := make(chan error, 1)
	go func() { done <- p.PlantWebCanary(ctx, marker) }() // it tidies up after its deadline
	select {
	case err := <-done:
		if err == nil {
			return marker
		}
		b.log.Warn("the web canary is not planted", "error", err)
	case <-ctx.Done():
		b.log.Warn("the web canary is not planted in time")
	}
	return ""
}

// destroy wipes without evidence: nothing may stay because the journal is full.
func (b *boxes) destroy(ctx context.Context) error {
	b.mu.Lock()
	b.stop()
	b.build, b.stop = context.WithCancel(ctx)
	b.mu.Unlock()
	b.work.Lock()
	defer b.work.Unlock()
	b.drop()
	ctx, cancel := context.WithTimeout(ctx, wipeWithin)
	defer cancel()
	_, _, err := b.warden.Do(ctx, sandbox.Request{Wipe: &sandbox.Wipe{Attempt: 1}})
	return err
}

// empty gives up the standby, so that a survey has the ground to itself.
func (b *boxes) empty(ctx context.Context) error {
	b.work.Lock()
	defer b.work.Unlock()
	b.mu.Lock()
	old := b.standby
	b.standby = nil
	b.mu.Unlock()
	if old == nil {
		return nil
	}
	b.close(old)
	return b.clear(ctx)
}

// drop lets go of every browser: their sandboxes are about to be destroyed.
func (b *boxes) drop() { b.release(b.take(&sandbox.Wipe{})) }

// take forgets the sandboxes that a wipe destroys, so that their end surprises
// nobody; their browsers' pipes stay open until release. It completes what is
// asked for: the marker in the session's browser, and the standby to be kept,
// which no later attempt keeps.
func (b *boxes) take(ask *sandbox.Wipe) []*box {
	b.mu.Lock()
	defer b.mu.Unlock()
	gone := []*box{b.running}
	if x := b.running; x != nil && x.session == ask.Session {
		ask.Web = x.web
		if b.standby != nil && ask.Attempt == 1 {
			ask.Keep = b.standby.id
		}
	}
	b.running = nil
	if ask.Keep == "" {
		gone = append(gone, b.standby)
		b.standby = nil
	}
	return gone
}

func (b *boxes) release(gone []*box) {
	for _, x := range gone {
		if x != nil {
			b.close(x)
		}
	}
}

func (b *boxes) close(x *box) {
	if x.press != nil {
		x.press.close()
	}
	if err := x.browser.Close(); err != nil {
		b.log.Debug("a session's browser did not close well", "error", err)
	}
}

// gone takes note of a sandbox that went away by itself.
func (b *boxes) gone(is func(*box) bool) {
	b.mu.Lock()
	var x *box
	switch {
	case b.standby != nil && is(b.standby):
		x, b.standby = b.standby, nil
	case b.running != nil && is(b.running):
		x, b.running = b.running, nil
	}
	b.mu.Unlock()
	if x != nil {
		b.close(x)
		b.lost(x)
	}
}

// number is how a receipt is named to people: its place in the chain.
func number(e wire.Envelope) string {
	var r wire.Receipt
	if err := json.Unmarshal(e.Payload, &r); err != nil {
		return ""
	}
	return fmt.Sprintf("%d-%d", r.Segment, r.Index)
}

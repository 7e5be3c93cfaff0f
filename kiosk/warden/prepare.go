package warden

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"borne/kiosk/sandbox"
)

// prepareLimit bounds one Prepare; a slow board starts Chromium in some seconds.
const prepareLimit = 60 * time.Second

// prepare makes a standby. The files are the agent's ends of the browser's pipe.
func (w *warden) prepare(ctx context.Context, p Plan) (*sandbox.Info, []*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	if err := checkPlan(&p); err != nil {
		return nil, nil, err
	}
	r, err := w.checkNetwork(p.Network)
	if err != nil {
		return nil, nil, err
	}
	if err := w.dropStandbys(ctx); err != nil {
		return nil, nil, err
	}
	slot, err := w.freeSlot()
	if err != nil {
		return nil, nil, err
	}
	b := &box{id: fmt.Sprintf("s%d-%s", slot, randomID()), slot: slot, pidfd: -1, began: time.Now(), mono: time.Now(), rules: &r, probe: p.Probe,
		uids: boxUIDs{w.c.UIDBase + offBrowsers + slot, w.c.UIDBase + offDisplays + slot, w.c.UIDBase + offPresses + slot, w.c.UIDBase + offResolvers + slot, w.c.UIDBase + offCounters + slot}}
	b.canaries = newCanaries()
	files, err := w.build(ctx, b, p)
	if err == nil {
		b.props = w.properties(ctx, b)
		if !b.alive() {
			<-b.heard
			err = fmt.Errorf("cannot prepare: the sandbox ended at once: %s", b.reason())
		}
	}
	if err == nil {
		err = w.ledger.prepared(b.props)
	}
	if err != nil {
		sandbox.CloseAll(files)
		if rm := w.remove(b, time.Now().Add(10*time.Second)); rm != nil {
			err = errors.Join(err, rm)
		}
		w.removeNetwork(context.WithoutCancel(ctx), b)
		return nil, nil, err
	}
	w.mu.Lock()
	w.boxes[b.id], w.props = b, b.props
	w.mu.Unlock()
	go w.watch(b, "sandbox-lost")
	return &sandbox.Info{Sandbox: b.id, UID: b.uids.browser, Level: level(b.props), Props: b.props, Display: b.displayName()}, files, nil
}

// build makes all parts of b. What it made before an error, the caller removes.
func (w *warden) build(ctx context.Context, b *box, p Plan) (agentEnds []*os.File, err error) {
	theirs, agentEnds, err := pipePair()
	if err != nil {
		return nil, err
	}
	if w.prints(b) {
		press, agent, err := sandbox.PairFiles()
		if err != nil {
			sandbox.CloseAll(theirs)
			return agentEnds, err
		}
		theirs, agentEnds = append(theirs, press), append(agentEnds, agent)
	}
	defer sandbox.CloseAll(theirs)

	if b.spec, err = w.sessionSpec(b, p); err != nil {
		return agentEnds, err
	}
	if err := os.MkdirAll(w.rootDir(), 0o700); err != nil {
		return agentEnds, fmt.Errorf("cannot make the sandbox's folder: %w", err)
	}
	b.group = w.groups.make(b.id, p.Limits.MemoryMB, p.Limits.MaxProcs)
	statusR, err := w.start(b, theirs, true)
	if err != nil {
		return agentEnds, err
	}
	if err := b.group.enter(b.pid); err != nil {
		statusR.Close()
		return agentEnds, err
	}
	if err := w.network(ctx, b); err != nil {
		statusR.Close()
		return agentEnds, err
	}
	// Beside the browser's start, which takes longer.
	started := make(chan error, 1)
	go func() { started <- w.startResolver(ctx, b) }()
	err = b.tell(ctx, statusR)
	return agentEnds, errors.Join(err, <-started)
}

// network makes b's link, which stays down, and its rules.
func (w *warden) network(ctx context.Context, b *box) error {
	l, err := linkFor(w.c.tag(), w.c.Net, b.slot)
	if err != nil {
		return err
	}
	b.link = &l
	b.rules.link, b.rules.asker, b.rules.table = l, b.uids.resolver, fmt.Sprintf("%s%d", tablePrefix(w.c.tag()), b.slot)
	// The rules come first: the link is never without them.
	if err := b.rules.load(ctx); err != nil {
		return err
	}
	return l.create(b.pid)
}

// removeNetwork gives back b's link and rules; what is gone already is no error.
func (w *warden) removeNetwork(ctx context.Context, b *box) {
	if b.link == nil {
		return
	}
	if err := b.link.remove(); err != nil {
		w.c.Log.Error("a link is left", "error", err)
	}
	if err := b.rules.remove(ctx); err != nil {
		w.c.Log.Error("a firewall table is left", "error", err)
	}
}

// sessionSpec describes a session's sandbox.
func (w *warden) sessionSpec(b *box, p Plan) (spec, error) {
	outer := -1
	l, err := linkFor(w.c.tag(), w.c.Net, b.slot)
	if err != nil {
		return spec{}, err
	}
	gw := l.gw
	s := spec{Mark: w.c.mark() + b.id, Root: w.rootDir(), Hostname: "borne", TmpfsMB: p.Limits.TmpfsMB,
		Users: []user{{"session", b.uids.browser, true}, {"display", b.uids.display, false}, {"press", b.uids.press, false}, {"counter", b.uids.counter, false}}}
	b.cookie = newCookie()
	if w.c.Display.Name != "" {
		n, err := w.c.Display.number()
		if err != nil {
			return s, err
		}
		outer = n
		cookie, err := w.c.Display.outerCookie()
		if err != nil {
			return s, err
		}
		s.Binds = append(s.Binds, bind{w.c.Display.socket(), w.c.Display.socket()})
		s.Files = append(s.Files, file{outerAuth, 0o400, b.uids.display, authFile(outer, cookie)})
	}
	b.inner = 1
	if outer == 1 {
		b.inner = 2
	}
	s.Files = append(s.Files,
		file{displayAuth, 0o400, b.uids.display, authFile(b.inner, b.cookie)},
		file{innerAuth, 0o400, b.uids.browser, authFile(b.inner, b.cookie)},
		file{openboxRC, 0o444, 0, openboxConfig()},
		file{policyPath, 0o444, 0, p.Browser},
		file{"/etc/resolv.conf", 0o444, 0, []byte("nameserver " + gw.String() + "\noptions timeout:4 attempts:2\n")})
	folders, prefs := sessionProfile(b.uids.browser)
	s.Folders = append(s.Folders, folders...)
	s.Files = append(s.Files, prefs)
	if len(p.Portal) > 0 {
		s.Files = append(s.Files, file{sandbox.PortalPath, 0o444, 0, p.Portal})
	}
	home := p.Home
	if home == "" {
		home = "about:blank"
		if len(p.Portal) > 0 {
			home = "file://" + sandbox.PortalPath
		}
	}
	printing, err := w.printing(b, &s)
	if err != nil {
		return s, err
	}
	if dir := dirOutsideUsr(w.c.Chromium); dir != "" {
		s.Binds = append(s.Binds, bind{dir, dir})
	}
	s.Programs, err = w.c.Programs(Job{Home: home, Lang: p.Lang, Keyboard: p.Keyboard, Width: p.Width, Height: p.Height, Window: p.Window,
		Outer: outer, Inner: b.inner, Browser: b.uids.browser, Display: b.uids.display, Press: b.uids.press, Counter: b.uids.counter,
		Chromium: w.c.Chromium, Printing: printing, Canary: b.canaries.value(canaryInEnv)})
	return s, err
}

// dropStandbys removes standbys, whether they live or ended by themselves.
// Nobody used them, so that there is nothing to prove; a session's sandbox waits
// for its wipe.
func (w *warden) dropStandbys(ctx context.Context) error {
	var errs []error
	for _, b := range w.living() {
		if b.session() != "" {
			continue
		}
		w.mu.Lock()
		delete(w.boxes, b.id)
		w.mu.Unlock()
		errs = append(errs, w.remove(b, time.Now().Add(10*time.Second)))
		w.removeNetwork(ctx, b)
	}
	return errors.Join(errs...)
}

// freeSlot picks the next slot: a standby never has the uids of the session
// beside it, nor of the one just before.
func (w *warden) freeSlot() (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting, used := 0, map[int]bool{}
	for _, b := range w.boxes {
		used[b.slot] = true
		if b.session() == "" {
			waiting++
		}
	}
	if len(w.boxes) >= 2 || waiting >= 1 {
		return 0, errors.New("cannot prepare: a standby is there already; wipe first")
	}
	for range slots {
		w.lastSlot = (w.lastSlot + 1) % slots
		if !used[w.lastSlot] {
			return w.lastSlot, nil
		}
	}
	return 0, errors.New("cannot prepare: no uid is free")
}

// admit opens the link of a standby for a session.
func (w *warden) admit(ctx context.Context, a sandbox.Admit) (*sandbox.Info, error) {
	if err := checkID("session", a.Session); err != nil {
		return nil, err
	}
	w.mu.Lock()
	b := w.boxes[a.Sandbox]
	for _, other := range w.boxes {
		if s := other.session(); s != "" && other != b {
			w.mu.Unlock()
			return nil, errors.New("cannot admit: another session is open; wipe first")
		}
	}
	w.mu.Unlock()
	if b == nil || !b.alive() {
		return nil, errNoSandbox
	}
	if b.probe {
		return nil, errors.New("cannot admit: this sandbox is a probe, whose browser tells more than a person's may")
	}
	if s := b.session(); s != "" {
		if s == a.Session {
			return b.info(), nil
		}
		return nil, errors.New("cannot admit: that sandbox belongs to another session")
	}
	if err := b.waited(); err != nil {
		w.c.Log.Error("a standby is not clean", "sandbox", b.id, "error", err)
		return nil, err
	}
	if err := b.rules.verify(ctx); err != nil {
		return nil, err
	}
	// Durable first: a start after a power cut must know since when to look for
	// newer files.
	if err := w.ledger.begin(a.Session, b.began, b.props); err != nil {
		return nil, err
	}
	if err := b.link.up(b.pid); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.sess = a.Session
	b.mu.Unlock()
	return b.info(), nil
}

func (b *box) info() *sandbox.Info {
	return &sandbox.Info{Sandbox: b.id, UID: b.uids.browser, Level: level(b.props), Props: b.props, Display: b.displayName()}
}

func (b *box) displayName() string { return fmt.Sprintf(":%d", b.inner) }

// token is 128 random bits that nothing else on the machine holds.
func token() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// pipePair makes a browser's debugging pipe: its ends (commands to read,
// answers to write), and the agent's (answers to read, commands to write).
func pipePair() (theirs, ours []*os.File, err error) {
	cmdR, cmdW, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make the browser's pipe: %w", err)
	}
	ansR, ansW, err := os.Pipe()
	if err != nil {
		sandbox.CloseAll([]*os.File{cmdR, cmdW})
		return nil, nil, fmt.Errorf("cannot make the browser's pipe: %w", err)
	}
	return []*os.File{cmdR, ansW}, []*os.File{ansR, cmdW}, nil
}

// dirOutsideUsr is the folder of a program that lies outside /usr, and so must
// be shown to a sandbox on its own.
func dirOutsideUsr(program string) string {
	dir := filepath.Dir(program)
	if strings.HasPrefix(dir+"/", "/usr/") {
		return ""
	}
	return dir
}

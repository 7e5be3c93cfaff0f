package warden

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// Names of the canary checks.
const (
	checkCanaryFile      = "canary-file"
	checkCanaryClipboard = "canary-clipboard"
	checkCanaryEnv       = "canary-env"
	checkCanaryPrint     = "canary-print"
	checkCanaryWeb       = "canary-web"
)

// canaryChecks lists each canary check with its place.
var canaryChecks = []struct{ check, place string }{
	{checkCanaryFile, canaryInFile}, {checkCanaryClipboard, canaryInClipboard}, {checkCanaryEnv, canaryInEnv},
	{checkCanaryPrint, canaryInPrint},
}

const wipeLimit = 60 * time.Second

// wipe destroys every sandbox but the standby that is to be kept, examines what
// is left, and keeps the evidence before it answers. An error means that there is no evidence at all.
func (w *warden) wipe(ctx context.Context, r sandbox.Wipe) (*sandbox.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, wipeLimit)
	defer cancel()
	if r.Session != "" {
		if err := checkID("session", r.Session); err != nil {
			return nil, err
		}
	}
	if r.Attempt < 1 || r.Attempt > 1000 {
		return nil, fmt.Errorf("cannot wipe: attempt %d is not between 1 and 1000", r.Attempt)
	}
	if r.Web != "" && !markShape.MatchString(r.Web) {
		return nil, errors.New("cannot wipe: the web canary is not 16 to 128 letters, digits, _ or -")
	}
	w.ensureTested(ctx)
	laps := startLaps()
	boxes := w.living()
	ev := sandbox.Evidence{Session: r.Session}
	try := attempt{session: r.Session, web: r.Web}
	mine := ofSession(boxes, r.Session)
	spare := w.keep(r, mine)
	defer w.kept()
	if spare != nil {
		boxes = slices.DeleteFunc(boxes, func(b *box) bool { return b == spare })
	}
	var look sync.WaitGroup
	look.Go(func() { try.before = w.before(ctx, slices.Clone(boxes)) })
	if mine != nil {
		try.box, try.planted = mine, w.plant(mine, r.Web)
		if c := try.planted.printing; c != nil {
			defer c.Close()
		}
	}
	look.Wait()
	laps.lap("before")
	boxes = append(boxes, w.failed.boxes...)
	t := target{since: w.since(boxes), boxes: boxes, settle: true}
	if mine != nil {
		ev.Props = mine.props
	} else if f := w.failed; f.box != nil && f.session == r.Session {
		// What was planted and counted while it lived is what a later attempt
		// has to look for as well.
		try = f.attempt
		ev.Props = f.box.props
	} else if r.Session != "" {
		ev.Props = w.ledger.propsOf(r.Session)
	} else {
		ev.Props = w.lastProps()
	}
	ev.Level = level(ev.Props)
	t.seek = try.seekers()

	killed := time.Now()
	destroyed := w.destroySandboxes(ctx)
	laps.lap("destroy")
	// What a role wrote while it learned of the end is looked at too.
	after := w.examine(ctx, t)
	for _, s := range t.seek {
		s.forget()
	}
	laps.lap("examine")
	ev.Millis = int(time.Since(killed).Milliseconds())

	for _, n := range wire.RequiredChecks() {
		ev.Checks = append(ev.Checks, w.judge(n, try.before[n], after[n]))
	}
	ev.Checks = append(ev.Checks, judgeCanaries(try.box != nil, try.planted, t.seek)...)
	if try.web != "" {
		ev.Checks = append(ev.Checks, judgeWeb(try.planted, t.seek))
	}
	ev.Failure = wire.Receipt{Checks: ev.Checks}.Failure()
	if destroyed != nil {
		w.c.Log.Error("a wipe is not complete", "error", destroyed)
		ev.Failure = orElse(ev.Failure, destroyed.Error())
		// A receipt that hides this would be one that says more than it knows.
		for i := range ev.Checks {
			if ev.Checks[i].Name == wire.CheckProcesses && ev.Checks[i].Result == wire.Clean {
				ev.Checks[i].Result, ev.Checks[i].Detail = wire.Inconclusive, clip(destroyed.Error())
			}
		}
	}
	w.warn("a wipe found something", after)
	if err := w.ledger.wiped(ev, r.Attempt); err != nil {
		w.failed.next(try, boxes, err.Error())
		return nil, err
	}
	w.failed.next(try, boxes, ev.Failure)
	if spare != nil {
		spare.searchSpare(try.seekers())
	}
	laps.lap("keep")
	w.c.Log.Info("wiped", append([]any{"session", r.Session, "ms", ev.Millis, "failure", ev.Failure}, laps.log...)...)
	return &ev, nil
}

// ofSession is the living one of session's; nil for none.
func ofSession(boxes []*box, session string) *box {
	for _, b := range boxes {
		if b.alive() && session != "" && b.session() == session {
			return b
		}
	}
	return nil
}

// attempt is what a wipe knew of its session while that lived.
type attempt struct {
	session string
	box     *box // of the session; nil when none was alive
	web     string
	planted planted
	before  map[string]*count
}

// seekers look for what was planted while it lived: the warden's canaries, and
// the agent's marker.
func (a attempt) seekers() []*seeker {
	if a.box == nil {
		return nil
	}
	all := []*seeker{newSeeker(a.box.canaries)}
	if a.web != "" {
		all = append(all, newSeeker(canaries{a.web}))
	}
	return all
}

// failed is what wipes that proved nothing leave to those that come after: the
// last one that saw its session alive, and all the sandboxes whose end is not
// proven.
type failed struct {
	attempt
	boxes []*box
}

// next takes note of one more wipe.
func (f *failed) next(try attempt, boxes []*box, failure string) {
	switch {
	case failure != "":
		f.boxes = boxes
		if try.box != nil {
			f.attempt = try
		}
	case try.session == f.session:
		*f = failed{}
	default: // the canaries of another session wait for its own wipe
		f.boxes = nil
	}
}

// living lists the sandboxes that this process made and did not remove.
func (w *warden) living() []*box {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*box
	for _, b := range w.boxes {
		all = append(all, b)
	}
	return all
}

// since is when the oldest of what is wiped began. The wall clock may have been
// set back meanwhile, and files are dated by it: elapsed time corrects that.
func (w *warden) since(boxes []*box) time.Time {
	now := time.Now()
	since := w.started
	if at, ok := w.ledger.begunAt(); ok {
		since = at
	}
	elapsed := now.Add(-now.Sub(w.mono))
	for i, b := range boxes {
		if i == 0 || b.began.Before(since) {
			since, elapsed = b.began, now.Add(-now.Sub(b.mono))
		}
	}
	if wall := elapsed.Round(0); wall.Before(since) && len(boxes) > 0 {
		return wall
	}
	return since.Round(0)
}

// before counts what is there while the sandboxes live: the control that an
// absence afterwards needs.
func (w *warden) before(ctx context.Context, boxes []*box) map[string]*count {
	out := noCounts()
	if len(boxes) == 0 {
		return out
	}
	all, err := allProcesses()
	if err != nil {
		return out
	}
	spaces, err := mountsByNamespace(all)
	if err != nil {
		return out
	}
	ids := w.spacesOf(boxes)
	w.lookProcesses(out, all, ids)
	w.lookMounts(out, spaces, ids)
	w.lookNetwork(ctx, out[wire.CheckNetns])
	for _, b := range boxes {
		w.ownedBefore(b, out)
	}
	return out
}

// ownedBefore counts some files of the session's in its own home and
// temporary folder: enough to know that the reading sees them.
func (w *warden) ownedBefore(b *box, out map[string]*count) {
	if !b.alive() {
		return
	}
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", b.pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(root)
	pool := w.c.pool()
	wk := newWalker(func(*unix.Stat_t) bool { return true }, func(e entry) {
		if !pool.has(int(e.st.Uid)) {
			return
		}
		out[wire.CheckUIDFiles].n++
		if changed(e.st, b.began) {
			out[wire.CheckFresh].n++
		}
	})
	defer wk.forget()
	wk.entries, wk.deadline = 1000, time.Now().Add(200*time.Millisecond)
	for _, dir := range []string{"home", "tmp"} {
		fd, err := unix.Openat2(root, dir, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
		if err == nil {
			wk.tree(fd, dir)
		}
	}
}

// clip keeps a detail short enough for a record.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > 240 {
		return strings.ToValidUTF8(s[:240], "") + "…"
	}
	return s
}

// lastProps are the properties that this process verified last, for a wipe of
// no session with nothing alive.
func (w *warden) lastProps() []wire.Property {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.props
}

var errNoTest = errors.New("it has not run")

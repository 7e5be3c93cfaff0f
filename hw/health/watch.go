package health

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"borne/hw"
)

// Options say what is watched.
type Options struct {
	Root  string        // of /sys, /proc and /etc; default "/"
	State string        // the folder that must stay writable, by its whole path
	Every time.Duration // from one look to the next, 1 s to 1 h; default 10 s
	Stuck time.Duration // a look that takes longer is reported; default 5 s
}

func (o Options) withDefaults() (Options, error) {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	if o.Stuck == 0 {
		o.Stuck = 5 * time.Second
	}
	switch {
	case !strings.HasPrefix(o.State, "/"):
		return o, errors.New("cannot watch the board's health: Options.State must be the state folder's whole path")
	case o.Every < time.Second || o.Every > time.Hour:
		return o, errors.New("cannot watch the board's health: Options.Every must be between 1s and 1h")
	}
	o.State = path.Clean(o.State)
	return o, nil
}

// looker looks at everything once. It is used by one goroutine at a time.
type looker struct {
	tree
	state string
	disks diskErrors
}

func (l *looker) look() []reading {
	var out []reading
	for _, r := range [][]reading{voltage(l.tree), temperature(l.tree), memory(l.tree),
		mounts(l.tree, l.state), fsErrors(l.tree), l.disks.look(l.tree), wear(l.tree)} {
		out = append(out, r...)
	}
	for _, f := range []struct {
		dir   string
		codes []Code
	}{
		{"sys/class/hwmon", []Code{PowerLow, TooHot}},
		{"sys/class/thermal", []Code{TooHot}},
		{"sys/fs/ext4", []Code{StorageErrors}},
		{"sys/block", []Code{StorageErrors, StorageWorn}},
	} {
		if l.hidden(f.dir) {
			for _, c := range f.codes {
				out = append(out, unread(c, everything))
			}
		}
	}
	return out
}

// Watch looks until ctx ends, and sends each alarm when it is first known and
// when it changes; then the channel is closed. A receiver that is slow gets the
// newest state of each alarm, and holds nothing up. A sensor that hangs in the
// kernel is reported as SensorsStuck, and the others with it are Unknown until
// it answers.
func Watch(ctx context.Context, o Options) (<-chan Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	out := make(chan Report)
	w := &watcher{opts: o, looker: &looker{tree: tree{o.Root}, state: o.State}, out: out}
	go func() {
		defer close(out)
		w.run(ctx)
	}()
	return out, nil
}

// watcher is one Watch at work; one goroutine owns it.
type watcher struct {
	opts    Options
	looker  *looker
	judge   judge
	out     chan<- Report
	pending []Report // not received yet
}

func (w *watcher) run(ctx context.Context) {
	looks := make(chan []reading, 1) // of the one look that is under way
	begin := func() { go func() { looks <- w.looker.look() }() }
	begin()
	next, late := newTimer(), newTimer()
	defer next.Stop()
	defer late.Stop()
	late.Reset(w.opts.Stuck)
	for {
		var out chan<- Report
		var first Report
		if len(w.pending) > 0 {
			out, first = w.out, w.pending[0]
		}
		select {
		case <-ctx.Done():
			return // a look that hangs ends by itself, into its channel's room
		case out <- first:
			w.pending = w.pending[1:]
		case r := <-looks:
			late.Stop()
			w.tell(w.judge.step(append(r, boolean(key{code: SensorsStuck}, false, 0))))
			next.Reset(w.opts.Every)
		case <-late.C:
			if len(looks) > 0 {
				continue // it has just come
			}
			stuck := []reading{boolean(key{code: SensorsStuck}, true, 0)}
			for _, c := range Codes() {
				stuck = append(stuck, unread(c, everything)) // of what was known, nothing is
			}
			w.tell(w.judge.step(stuck))
		case <-next.C:
			begin()
			late.Reset(w.opts.Stuck)
		}
	}
}

// newTimer returns a timer that is not set.
func newTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// tell queues changes; a newer one replaces an older one of the same alarm.
func (w *watcher) tell(news []Report) {
	for _, r := range news {
		replaced := false
		for i, p := range w.pending {
			if p.Code == r.Code && p.Subject == r.Subject {
				w.pending[i], replaced = r, true
			}
		}
		if !replaced {
			w.pending = append(w.pending, r)
		}
	}
}

// Look looks once, for a diagnosis on site.
func Look(o Options) ([]Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var j judge
	return j.step((&looker{tree: tree{o.Root}, state: o.State}).look()), nil
}

// Raised keeps those of a board's reports that are alarms.
func Raised(all []Report) (out []Report) {
	for _, r := range all {
		if r.State == hw.On {
			out = append(out, r)
		}
	}
	return out
}

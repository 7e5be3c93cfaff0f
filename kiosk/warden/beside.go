package warden

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"borne/kiosk/sandbox"
)

// beside lists what a wipe leaves in peace: the shell's browser, and the
// standby that waits for the next person.
type beside []*box

// beside returns it, with the standby's resolver.
func (w *warden) beside() beside {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all beside
	for _, b := range []*box{w.shell, w.spare} {
		if b == nil {
			continue
		}
		all = append(all, b)
		if b.asker != nil {
			all = append(all, b.asker)
		}
	}
	return all
}

// keep is the standby that a wipe leaves for the next person: only beside a
// session that lives, only at the first attempt, and only one that nobody ever
// used. Whatever else is asked for, everything goes.
func (w *warden) keep(r sandbox.Wipe, mine *box) *box {
	if r.Keep == "" || r.Attempt != 1 || mine == nil || len(w.failed.boxes) > 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.boxes[r.Keep]
	if b == nil || b == mine || b.probe || b.session() != "" || !b.alive() || !b.shut() {
		return nil
	}
	w.spare = b
	return b
}

// shut tells whether nothing can pass through b's link.
func (b *box) shut() bool {
	if b.link == nil {
		return false
	}
	l, err := netlink.LinkByName(b.link.host)
	return err == nil && beside{b}.link(l)
}

// kept ends what keep began.
func (w *warden) kept() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = nil
}

// mount returns whose mount namespace this is; nil for nobody's.
func (l beside) mount(ns string) *box {
	for _, b := range l {
		if b.ns["mnt"] == ns && ns != "" {
			return b
		}
	}
	return nil
}

// holds tells whether p is a process of one of them: by its uids and by the
// mounts that it lives among.
func (l beside) holds(p process) bool {
	ns, err := namespace(p.pid, "mnt")
	b := l.mount(ns)
	if err != nil || b == nil {
		return false
	}
	return !slices.ContainsFunc(p.uids[:], func(uid int) bool { return !b.uids.has(uid) })
}

// group tells a control group's name, without the instance's prefix.
func (l beside) group(name string) bool {
	return slices.ContainsFunc(l, func(b *box) bool { return b.id == name })
}

// link tells one of theirs, as long as nothing can pass through it.
func (l beside) link(x netlink.Link) bool {
	return x.Attrs().Flags&net.FlagUp == 0 && slices.ContainsFunc(l, func(b *box) bool { return b.link != nil && b.link.host == x.Attrs().Name })
}

func (l beside) table(name string) bool {
	return slices.ContainsFunc(l, func(b *box) bool { return b.link != nil && b.rules.table == name })
}

// search is what is known of a standby that waited beside a session: whether
// anything of that one's got into it. No receipt waits for it; the next person
// does.
type search struct {
	done chan struct{}
	err  error // why nobody may have it; read after done
}

// searchSpare looks for the canaries of a session that was wiped in what waited
// beside it.
func (b *box) searchSpare(seek []*seeker) {
	s := &search{done: make(chan struct{})}
	b.mu.Lock()
	b.searched = s
	b.mu.Unlock()
	go func() {
		defer close(s.done)
		s.err = b.clean(seek)
	}()
}

// clean is why b cannot be given to anybody; nil when no canary is in it.
func (b *box) clean(seek []*seeker) error {
	in, err := b.members()
	if err != nil {
		return fmt.Errorf("cannot search the standby: %w", err)
	}
	if b.asker != nil {
		more, err := b.asker.members()
		if err != nil {
			return fmt.Errorf("cannot search the standby: %w", err)
		}
		in = append(in, more...)
	}
	var those []held
	for _, p := range in {
		those = append(those, held{p.pid, seek})
	}
	searchMemory(those...)
	for _, s := range seek {
		for _, p := range in {
			s.environ(p.pid)
		}
		s.ownFiles(b, anywhere...)
		switch {
		case s.found() > 0:
			return fmt.Errorf("cannot give the standby to anybody: it holds a canary of the session before it (%s)", s.where)
		case s.trouble != nil:
			return fmt.Errorf("cannot give the standby to anybody: %w", s.trouble)
		}
	}
	if len(in) == 0 {
		return errors.New("cannot search the standby: no process of it is there")
	}
	return nil
}

// waited returns whether anything of an earlier session got into b, once that
// is known.
func (b *box) waited() error {
	b.mu.Lock()
	s := b.searched
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	<-s.done
	return s.err
}

// sweepLinks deletes every interface of this instance but theirs.
func (l beside) sweepLinks(tag string) error {
	ours, err := links(tag)
	if err != nil {
		return err
	}
	for _, x := range ours {
		if l.link(x) {
			continue
		}
		err := netlink.LinkDel(x)
		var gone netlink.LinkNotFoundError
		if err != nil && !errors.As(err, &gone) && !strings.Contains(err.Error(), "no such device") {
			return fmt.Errorf("cannot delete interface %s: %w", x.Attrs().Name, err)
		}
	}
	return nil
}

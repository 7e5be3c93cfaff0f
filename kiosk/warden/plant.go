package warden

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// planted tells what was put into a living sandbox, and found there.
type planted struct {
	files     int // tmpfs that hold a canary
	missed    []string
	clipboard int
	env       int
	prints    int               // times that the press's memory holds a document that was being printed
	web       int               // files of the living browser that hold the agent's marker
	printing  io.Closer         // the connection to the press; nil: none. Once it ends, the press forgets the document
	notes     map[string]string // place of the canary → why it was not planted
}

// plant puts canaries into b, after the person's last input and before the
// kill, and reads them back: that is the control which an absence needs. It
// looks for the agent's own marker as well; empty for none.
func (w *warden) plant(b *box, web string) (p planted) {
	p.notes = map[string]string{}
	var look sync.WaitGroup
	defer look.Wait()
	if web != "" {
		look.Go(func() { p.web = seekProfile(b, web) })
	}
	var printing error
	look.Go(func() { p.prints, p.printing, printing = w.plantPrint(b) })
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", b.pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		p.notes[canaryInFile] = fmt.Sprintf("cannot enter the sandbox: %v", err)
	} else {
		defer unix.Close(root)
		for _, wr := range writable {
			if err := plantFile(root, wr.path, b.canaries); err != nil {
				p.missed = append(p.missed, fmt.Sprintf("%s: %v", wr.path, err))
				continue
			}
			p.files++
		}
		if p.files == 0 {
			p.notes[canaryInFile] = strings.Join(p.missed, "; ")
		}
	}
	if err := w.plantClipboard(b); err != nil {
		p.notes[canaryInClipboard] = err.Error()
	} else {
		p.clipboard = 1
	}
	if p.env, err = envHolders(b); err != nil || p.env == 0 {
		p.notes[canaryInEnv] = fmt.Sprintf("no process of the sandbox holds it (%v)", err)
	}
	look.Wait()
	if printing != nil {
		p.notes[canaryInPrint] = printing.Error()
	}
	return p
}

// plantFile writes a canary at the top of one tmpfs of the sandbox, where the
// session may have put anything: no link is followed, nothing is opened that
// was there before.
func plantFile(root int, dir string, c canaries) error {
	name := "." + c.value(canaryInFile)
	how := unix.OpenHow{Flags: unix.O_CREAT | unix.O_EXCL | unix.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC, Mode: 0o600,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(root, strings.TrimPrefix(dir, "/")+"/"+name, &how)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	want := c.value(canaryInFile)
	if _, err := f.WriteString(want); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != want {
		return fmt.Errorf("does not hold what was written: %w", err)
	}
	return nil
}

// plantClipboard puts the canary into the memory of the sandbox's own display
// server, and finds it there as a search of memory would.
func (w *warden) plantClipboard(b *box) error {
	server := 0
	in, err := b.members()
	if err != nil {
		return err
	}
	for _, p := range in {
		if p.name == "Xephyr" && p.uids[0] == b.uids.display {
			server = p.pid
		}
	}
	if server == 0 {
		return errors.New("no display server runs in the sandbox")
	}
	d, err := dialX(fmt.Sprintf("/proc/%d/root/tmp/.X11-unix/X%d", b.pid, b.inner), b.cookie)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.setCutBuffer(b.canaries.value(canaryInClipboard)); err != nil {
		return err
	}
	s := newSeeker(b.canaries)
	defer s.forget()
	s.memory(server)
	if s.hits[canaryInClipboard] == 0 {
		return fmt.Errorf("the search does not find it in the display server's memory (%v)", s.trouble)
	}
	return nil
}

// envHolders counts the sandbox's processes that hold the canary in their environment.
func envHolders(b *box) (int, error) {
	in, err := b.members()
	if err != nil {
		return 0, err
	}
	s, n := newSeeker(b.canaries), 0
	for _, p := range in {
		before := s.found()
		if s.environ(p.pid); s.found() > before {
			n++
		}
		s.forget()
	}
	return n, nil
}

// stores are where Chromium keeps what pages store, below a sandbox's root.
var stores = []string{"home/session/profile/Default/Local Storage", "home/session/profile/Default/IndexedDB",
	"home/session/profile/Default/Service Worker/CacheStorage"}

// seekProfile counts the places in b's writable folders that hold marker: the
// control for the canary that the agent planted through the browser. It is
// looked for where it should be; a whole profile is read only if it is not there.
func seekProfile(b *box, marker string) int {
	s := newSeeker(canaries{marker})
	if s.ownFiles(b, stores...); s.found() == 0 {
		s.ownFiles(b, anywhere...)
	}
	return s.found()
}

// anywhere lists a sandbox's folders that may hold much.
var anywhere = []string{"home", "tmp", "dev/shm"}

// ownFiles searches what b keeps in these of its folders.
func (s *seeker) ownFiles(b *box, folders ...string) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", b.pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(root)
	wk := newWalker(func(*unix.Stat_t) bool { return true }, func(e entry) { s.entry(e, true) })
	defer wk.forget()
	defer s.forget()
	wk.entries, wk.deadline = 20000, time.Now().Add(2*time.Second)
	s.deadline = wk.deadline
	for _, dir := range folders {
		fd, err := unix.Openat2(root, dir, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
		if err == nil {
			wk.tree(fd, dir)
		}
	}
}

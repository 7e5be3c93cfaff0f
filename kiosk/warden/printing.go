package warden

import (
	"fmt"
	"path/filepath"
)

// Printing is how the programs that print start in a sandbox; empty: none.
type Printing struct {
	Press   []string // argv
	Count   []string
	Preview []string
}

// Places of what prints, inside a sandbox. Each socket lies in a folder of its
// server's, who alone may put one there, and looks at who calls.
const (
	pressPath     = "/run/borne/bin/borne-kiosk"
	printSocket   = "/run/borne/print/print.sock"
	countSocket   = "/run/borne/count/count.sock"
	previewSocket = "/run/borne/preview/preview.sock"
)

// browserPipe and pressChannel are the places of the given descriptors.
var (
	browserPipe  = []int{0, 1}
	pressChannel = []int{2}
)

// prints tells whether a sandbox can print: one that only tells what its browser
// makes of a policy never does.
func (w *warden) prints(b *box) bool { return len(w.c.Press) > 0 && !b.probe }

// printing adds to s what the programs that print need, and says how they start.
func (w *warden) printing(b *box, s *spec) (Printing, error) {
	if !w.prints(b) {
		return Printing{}, nil
	}
	self, err := selfPath()
	if err != nil {
		return Printing{}, err
	}
	s.Binds = append(s.Binds, bind{self, pressPath})
	argv := func(role []string, socket string, server, caller int, more ...string) []string {
		s.Folders = append(s.Folders, folder{filepath.Dir(socket), server})
		argv := append([]string{pressPath}, role...)
		return append(append(argv, "-socket", socket, "-uids", fmt.Sprintf("%d-%d", caller, caller)), more...)
	}
	var p Printing
	more := []string{"-channel", "3"}
	if len(w.c.Count) > 0 {
		p.Count = argv(w.c.Count, countSocket, b.uids.counter, b.uids.press)
		more = append(more, "-counter", countSocket)
	}
	if len(w.c.Preview) > 0 {
		p.Preview = argv(w.c.Preview, previewSocket, b.uids.display, b.uids.press, "-display", b.displayName(), "-authority", displayAuth)
		more = append(more, "-preview", previewSocket)
	}
	p.Press = argv(w.c.Press, printSocket, b.uids.press, b.uids.browser, more...)
	return p, nil
}

var printEnv = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", "GOTRACEBACK=none", "GOMAXPROCS=2"}

// before starts what needs no display. Whoever dies of a document takes the
// printing along, never the session.
func (p Printing) before(j Job) (list []Program) {
	if len(p.Count) > 0 {
		list = append(list, Program{Name: "counter", Argv: p.Count, Env: printEnv, UID: j.Counter})
	}
	if len(p.Press) > 0 {
		list = append(list, Program{Name: "press", Argv: p.Press, Env: printEnv, UID: j.Press, Gets: pressChannel})
	}
	return list
}

// behind starts what draws on the session's display.
func (p Printing) behind(j Job) []Program {
	if len(p.Preview) == 0 {
		return nil
	}
	return []Program{{Name: "preview", Argv: p.Preview, Env: printEnv, UID: j.Display}}
}

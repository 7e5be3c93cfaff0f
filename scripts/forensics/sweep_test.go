package forensics

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"borne/kiosk/warden"
	"borne/scripts/scan"

	"golang.org/x/sys/unix"
)

// seen is what a sweep looked at and found.
type seen struct {
	scan.Result
	files, processes int
	took             time.Duration
}

// sweep looks for canaries of this run wherever one may be: the memory of every
// process but this one, files without a name, shared memory, swap, the images
// of both state file systems, and each file changed since in every place where
// a session may write; in other processes' mounts too.
func (h *hall) sweep(since time.Time) seen {
	h.t.Helper()
	places, err := scan.Mounted()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range append(warden.Places(), "/etc", h.dir) {
		if !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	s := h.look(func() (scan.Result, error) { return h.finder.Below(h.ctx, since, places...) })
	// An image is searched as such, whatever wrote to it.
	images := slices.DeleteFunc(slices.Collect(maps.Values(h.images)), func(i string) bool { return i == "" })
	s.Hits = slices.DeleteFunc(s.Hits, func(x scan.Hit) bool {
		return slices.Contains(images, x.Place)
	})
	s.Add(h.finder.Raw(h.ctx, images...))
	return s
}

// whole is a sweep of every file there is that changed since the run began.
func (h *hall) whole() seen {
	h.t.Helper()
	return h.look(func() (scan.Result, error) { return h.finder.Files(h.ctx, h.began, "/") })
}

func (h *hall) look(files func() (scan.Result, error)) (s seen) {
	h.t.Helper()
	start := time.Now()
	unix.Sync() // the images hold what was written
	memory, err := h.finder.Memory(h.ctx, h.net.Pids()...)
	if err != nil {
		h.t.Fatal(err)
	}
	s.Add(memory)
	s.processes = memory.Looked
	s.Add(h.finder.Unnamed(h.ctx, h.net.Pids()...))
	f, err := files()
	if err != nil {
		h.t.Fatal(err)
	}
	s.Add(f)
	mounts, err := h.finder.Mounts(h.ctx, h.began)
	if err != nil {
		h.t.Fatal(err)
	}
	s.Add(mounts)
	s.files = f.Looked + mounts.Looked
	segments, err := h.finder.Segments()
	if err != nil {
		h.t.Fatal(err)
	}
	s.Add(segments)
	if f, err := os.Open(h.swaps); err == nil {
		s.Add(h.finder.Raw(h.ctx, scan.Swaps(f)...))
		f.Close()
	}
	s.took = time.Since(start)
	if s.processes < 3 || s.files == 0 {
		h.t.Errorf("looked at %d files and %d processes: too few to prove anything", s.files, s.processes)
	}
	return s
}

// session looks at the living session: the control of what comes after.
func (h *hall) session(b being) []scan.Hit {
	h.t.Helper()
	var pids []int
	for _, b := range h.sessionProcesses() {
		pids = append(pids, b.pid)
	}
	// Those without a user of the session's: what it started, and its first process.
	out, _ := exec.Command("pgrep", "--ns", fmt.Sprint(b.pid), "--nslist", "pid", ".").Output()
	for _, f := range strings.Fields(string(out)) {
		var pid int
		if _, err := fmt.Sscan(f, &pid); err == nil && !slices.Contains(pids, pid) && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	res, err := h.finder.MemoryOf(h.ctx, pids...)
	if err != nil {
		h.t.Fatal(err)
	}
	files, err := h.finder.Mounts(h.ctx, h.began)
	if err != nil {
		h.t.Fatal(err)
	}
	res.Add(files)
	res.Add(h.finder.Unnamed(h.ctx))
	return res.Hits
}

// list names where canaries were found, and of which sink and cycle they are;
// never what they are.
func (h *hall) list(hits []scan.Hit) string {
	var lines []string
	for _, x := range hits {
		what := "a canary that was cut off"
		if cycle, sink, ok := h.canaries.of(x); ok {
			what = fmt.Sprintf("%s of cycle %d", sinks()[sink].name, cycle)
		}
		line := fmt.Sprintf("  %s: %s, as %s", what, strings.ReplaceAll(x.Place, h.canaries.marker, "…"), x.As)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	const most = 60
	if n := len(lines); n > most {
		lines = append(lines[:most], fmt.Sprintf("  … and %d more", n-most))
	}
	return strings.Join(lines, "\n")
}

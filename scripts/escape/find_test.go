package escape

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"regexp"
)

// process is one of the machine's.
type process struct {
	pid, parent int
	argv        []string
}

func processes() []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(f) < 2 || f[0] == "Z" {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil {
			continue
		}
		parent, _ := strconv.Atoi(f[1])
		all = append(all, process{pid, parent, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")})
	}
	return all
}

// running lists the processes that have word among their arguments.
func running(word string) []process {
	return slices.DeleteFunc(processes(), func(p process) bool { return !slices.Contains(p.argv, word) })
}

// cookieOf reads an authority file's first cookie (Xau(3): five counted fields).
func cookieOf(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the display's cookie: %w", err)
	}
	if len(b) < 2 {
		return nil, errors.New("cannot read the display's cookie: the file is short")
	}
	b = b[2:]
	var field []byte
	for range 4 {
		if len(b) < 2 {
			return nil, errors.New("cannot read the display's cookie: the file is short")
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return nil, errors.New("cannot read the display's cookie: the file is short")
		}
		field, b = b[2:2+n], b[2+n:]
	}
	return field, nil
}

// findOuter connects to the display that a person sees: the X server that the
// terminal's root role started says which it is, and where its cookie lies.
func (h *hall) findOuter() {
	h.t.Helper()
	_, warden := h.stand.Pids()
	for _, p := range processes() {
		if p.parent != warden || len(p.argv) < 4 || filepath.Base(p.argv[0]) != "Xvfb" || p.argv[2] != "-auth" {
			continue
		}
		h.env = []string{"DISPLAY=" + p.argv[1], "XAUTHORITY=" + p.argv[3], "PATH=" + os.Getenv("PATH")}
		cookie, err := cookieOf(p.argv[3])
		if err == nil {
			h.outer, err = openScreen("/tmp/.X11-unix/X"+p.argv[1][1:], cookie)
		}
		if err != nil {
			h.t.Fatal(err)
		}
		return
	}
	h.t.Fatal("cannot find the terminal's display")
}

// findInner finds the sandbox of the session, the one whose link is up, and
// connects to its display.
func (h *hall) findInner() error {
	h.init = 0
	_, warden := h.stand.Pids()
	ours := descendants(warden) // other terminals may run on the machine
	for _, p := range running("sandbox-init") {
		if !slices.Contains(ours, p.pid) {
			continue
		}
		routes, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/route", p.pid))
		if sameLink(fmt.Sprintf("/proc/%d/ns/net", p.pid), fmt.Sprintf("/proc/%d/ns/net", warden)) {
			continue // the shell's
		}
		if strings.Contains(string(routes), "\t00000000\t") {
			h.init = p.pid
		}
	}
	if h.init == 0 {
		return errors.New("cannot find the session's sandbox")
	}
	sockets, _ := filepath.Glob(h.root("/tmp/.X11-unix/X*"))
	cookie, err := cookieOf(h.root("/run/borne/x/session.auth"))
	if err != nil || len(sockets) != 1 {
		return fmt.Errorf("cannot find the session's display: %v, %w", sockets, err)
	}
	h.inner, err = openScreen(sockets[0], cookie)
	return err
}

func sameLink(a, b string) bool {
	x, err1 := os.Readlink(a)
	y, err2 := os.Readlink(b)
	return err1 == nil && err2 == nil && x == y
}

// journal keeps the log of both programs and lets the test wait for a line.
type journal struct {
	mu    sync.Mutex
	lines []string
	rest  []byte
	grown chan struct{}
}

func newJournal() *journal { return &journal{grown: make(chan struct{})} }

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rest = append(j.rest, b...)
	for {
		i := bytes.IndexByte(j.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		j.lines = append(j.lines, string(j.rest[:i]))
		j.rest = j.rest[i+1:]
		close(j.grown)
		j.grown = make(chan struct{})
	}
}

func (j *journal) mark() int { j.mu.Lock(); defer j.mu.Unlock(); return len(j.lines) }

// last gives the latest line that matches.
func (j *journal) last(re *regexp.Regexp) (string, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range slices.Backward(j.lines) {
		if re.MatchString(line) {
			return line, true
		}
	}
	return "", false
}

// find waits until a line from the mark on matches, or the time is up.
func (j *journal) find(from int, re *regexp.Regexp, within time.Duration) (string, bool) {
	end := time.After(within)
	for {
		j.mu.Lock()
		i := slices.IndexFunc(j.lines[min(from, len(j.lines)):], re.MatchString)
		grown := j.grown
		var line string
		if i >= 0 {
			line = j.lines[from+i]
		}
		j.mu.Unlock()
		if i >= 0 {
			return line, true
		}
		select {
		case <-grown:
		case <-end:
			return "", false
		}
	}
}

func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}

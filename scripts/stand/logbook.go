package stand

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Step is one change of phase that the agent logged.
type Step struct {
	From, To string // From is empty for the first one of a process
	At       time.Time
}

// Logbook keeps what the programs log, and lets a test wait for it.
type Logbook struct {
	mu     sync.Mutex
	lines  []string
	times  []time.Time
	phases []Step
	rest   []byte
	grown  chan struct{}
}

var phaseLine = regexp.MustCompile(`msg=phase .*?from=("?)([a-z]*)"? to=([a-z]+)`)

// NewLogbook gives an empty one; it is written to.
func NewLogbook() *Logbook { return &Logbook{grown: make(chan struct{})} }

// Write takes what a program logs.
func (l *Logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := string(l.rest[:i])
		l.rest = l.rest[i+1:]
		now := time.Now()
		l.lines, l.times = append(l.lines, line), append(l.times, now)
		if m := phaseLine.FindStringSubmatch(line); m != nil {
			l.phases = append(l.phases, Step{m[2], m[3], now})
		}
		close(l.grown)
		l.grown = make(chan struct{})
	}
}

// Mark is where the log stands now: lines and phases written before it.
type Mark struct{ Line, Phase int }

// Mark is where the log stands now.
func (l *Logbook) Mark() Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Mark{len(l.lines), len(l.phases)}
}

// until calls look under the lock at each growth, until it says yes.
func (l *Logbook) until(within time.Duration, look func() bool) bool {
	end := time.NewTimer(within)
	defer end.Stop()
	for {
		l.mu.Lock()
		ok, grown := look(), l.grown
		l.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-grown:
		case <-end.C:
			return false
		}
	}
}

// Phase waits for the first phase from the mark on that is one of names, and
// returns its place.
func (l *Logbook) Phase(from Mark, within time.Duration, names ...string) (int, bool) {
	at := -1
	ok := l.until(within, func() bool {
		for i := from.Phase; i < len(l.phases); i++ {
			for _, n := range names {
				if l.phases[i].To == n {
					at = i
					return true
				}
			}
		}
		return false
	})
	return at, ok
}

// Boot waits for the first phase of a new agent from the mark on. It returns
// its place, and the phase in which the one before it died.
func (l *Logbook) Boot(from Mark, within time.Duration) (at int, died string, ok bool) {
	ok = l.until(within, func() bool {
		for i := from.Phase; i < len(l.phases); i++ {
			if l.phases[i].From == "" {
				at = i
				return true
			}
		}
		return false
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok && at > 0 {
		died = l.phases[at-1].To
	}
	return at, died, ok
}

// Line waits for a line from the mark on that matches, and tells when it came.
func (l *Logbook) Line(from Mark, within time.Duration, re *regexp.Regexp) (when time.Time, ok bool) {
	ok = l.until(within, func() bool {
		for i := from.Line; i < len(l.lines); i++ {
			if re.MatchString(l.lines[i]) {
				when = l.times[i]
				return true
			}
		}
		return false
	})
	return when, ok
}

// Match returns the lines from the mark on that match.
func (l *Logbook) Match(from Mark, re *regexp.Regexp) (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines[from.Line:] {
		if re.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Step is a change of phase by its place.
func (l *Logbook) Step(i int) Step { l.mu.Lock(); defer l.mu.Unlock(); return l.phases[i] }

// Now is the phase that the terminal was in last.
func (l *Logbook) Now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.phases) == 0 {
		return ""
	}
	return l.phases[len(l.phases)-1].To
}

// Opened counts the sessions that were opened.
func (l *Logbook) Opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, p := range l.phases {
		if p.To == "opening" {
			n++
		}
	}
	return n
}

// Since is what was logged from the mark on.
func (l *Logbook) Since(from Mark) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[from.Line:], "\n")
}

// Tail is the last n lines.
func (l *Logbook) Tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-n):], "\n")
}

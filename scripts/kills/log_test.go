package kills

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"time"
)

// step is one change of phase that the agent logged.
type step struct {
	from, to string // from is empty for the first one of a process
	at       time.Time
}

// logbook keeps what the programs log, and lets a test wait for it.
type logbook struct {
	mu     sync.Mutex
	lines  []string
	times  []time.Time
	phases []step
	rest   []byte
	grown  chan struct{}
}

var phaseLine = regexp.MustCompile(`msg=phase .*?from=("?)([a-z]*)"? to=([a-z]+)`)

func newLogbook() *logbook { return &logbook{grown: make(chan struct{})} }

func (l *logbook) Write(b []byte) (int, error) {
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
			l.phases = append(l.phases, step{m[2], m[3], now})
		}
		close(l.grown)
		l.grown = make(chan struct{})
	}
}

// mark is where the log stands now: lines and phases written before it.
type mark struct{ line, phase int }

func (l *logbook) mark() mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return mark{len(l.lines), len(l.phases)}
}

// until calls look under the lock at each growth, until it says yes.
func (l *logbook) until(within time.Duration, look func() bool) bool {
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

// phase waits for the first phase from the mark on that is one of names, and
// returns its place.
func (l *logbook) phase(from mark, within time.Duration, names ...string) (int, bool) {
	at := -1
	ok := l.until(within, func() bool {
		for i := from.phase; i < len(l.phases); i++ {
			for _, n := range names {
				if l.phases[i].to == n {
					at = i
					return true
				}
			}
		}
		return false
	})
	return at, ok
}

// boot waits for the first phase of a new agent from the mark on. It returns
// its place, and the phase in which the one before it died.
func (l *logbook) boot(from mark, within time.Duration) (at int, died string, ok bool) {
	ok = l.until(within, func() bool {
		for i := from.phase; i < len(l.phases); i++ {
			if l.phases[i].from == "" {
				at = i
				return true
			}
		}
		return false
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok && at > 0 {
		died = l.phases[at-1].to
	}
	return at, died, ok
}

// line waits for a line from the mark on that matches, and tells when it came.
func (l *logbook) line(from mark, within time.Duration, re *regexp.Regexp) (when time.Time, ok bool) {
	ok = l.until(within, func() bool {
		for i := from.line; i < len(l.lines); i++ {
			if re.MatchString(l.lines[i]) {
				when = l.times[i]
				return true
			}
		}
		return false
	})
	return when, ok
}

func (l *logbook) step(i int) step { l.mu.Lock(); defer l.mu.Unlock(); return l.phases[i] }

func (l *logbook) now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.phases) == 0 {
		return ""
	}
	return l.phases[len(l.phases)-1].to
}

// opened counts the sessions that were opened.
func (l *logbook) opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, p := range l.phases {
		if p.to == "opening" {
			n++
		}
	}
	return n
}

func (l *logbook) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-n):], "\n")
}

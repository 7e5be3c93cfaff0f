package warden

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Caps of a search for canaries.
const (
	maxSeekFile  = 64 << 20  // bytes of one file
	maxSeekFiles = 512 << 20 // bytes of all files
	maxSeekMem   = 6 << 30   // resident bytes of all processes
	maxSeekTime  = 20 * time.Second
	seekChunk    = 1 << 20
	seekOverlap  = 160 // bytes: what a token and its place can fill
)

// seeker looks for one sandbox's token: in bytes, and as UTF-16, which
// browsers and toolkits hold text in. Several may search at once.
type seeker struct {
	token    []byte
	needles  *needles     // token, and its first half as UTF-16
	left     int64        // bytes of files
	mem      atomic.Int64 // bytes of memory left
	deadline time.Time
	buf      []byte // of files and environments

	mu      sync.Mutex     // guards what follows
	hits    map[string]int // place of the canary → times found; "" when it cannot be told
	where   string
	trouble error
}

func newSeeker(c canaries) *seeker {
	s := &seeker{token: []byte(c.token), left: maxSeekFiles, deadline: time.Now().Add(maxSeekTime), hits: map[string]int{}}
	s.mem.Store(maxSeekMem)
	var wide []byte
	for _, ch := range s.token[:16] {
		wide = append(wide, ch, 0)
	}
	s.needles = newNeedles(s.token, wide)
	return s
}

func (s *seeker) stop(format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil {
		s.trouble = fmt.Errorf("cannot search everywhere: "+format, a...)
	}
}

func (s *seeker) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble != nil
}

// forget clears what was read of a living session: this process outlives it.
func (s *seeker) forget() { clear(s.buf) }

func (s *seeker) hit(place, where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hits[place]++; s.where == "" {
		s.where = where
	}
}

// found is how often the token was found, wherever it was planted.
func (s *seeker) found() int {
	n := 0
	for _, hits := range s.hits {
		n += hits
	}
	return n
}

// entry looks at one changed file: its name, and, when one of our uids or
// anyone could have written it, its content.
func (s *seeker) entry(e entry, mine bool) {
	if strings.Contains(e.name, string(s.token)) {
		s.hit(canaryInFile, "the name of a file in "+e.root)
	}
	if e.st.Mode&unix.S_IFMT != unix.S_IFREG || (!mine && e.st.Mode&0o002 == 0) || s.stopped() {
		return
	}
	fd, err := e.open(0)
	if err != nil {
		return // gone or swapped meanwhile: the walk tells
	}
	f := os.NewFile(uintptr(fd), "a file of a session") // its own name is the person's
	defer f.Close()
	where := "a file in " + e.root
	n, err := s.stream(io.LimitReader(f, min(s.left, maxSeekFile)+1), where)
	if s.left -= n; err != nil || s.left < 0 || n > maxSeekFile {
		s.stop("%s: %d bytes, %v", where, n, err)
	}
}

// stream searches r to its end.
func (s *seeker) stream(r io.Reader, where string) (int64, error) {
	if s.buf == nil {
		s.buf = make([]byte, seekChunk+seekOverlap)
	}
	total, keep := int64(0), 0
	for {
		n, err := r.Read(s.buf[keep : keep+seekChunk])
		total += int64(n)
		s.bytes(s.buf[:keep+n], where)
		// What may be the beginning of a token stays for the next round.
		k := min(keep+n, seekOverlap)
		copy(s.buf, s.buf[keep+n-k:keep+n])
		keep = k
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		if time.Now().After(s.deadline) {
			return total, fmt.Errorf("it takes longer than %s", maxSeekTime)
		}
	}
}

func (s *seeker) bytes(b []byte, where string) {
	s.needles.in(b, func(pattern, at int) {
		place := ""
		if pattern == 0 {
			rest := b[at+len(s.token):]
			for _, p := range []string{canaryInFile, canaryInClipboard, canaryInEnv, canaryInPrint} {
				if bytes.HasPrefix(rest, []byte("-"+p)) {
					place = p
				}
			}
		}
		s.hit(place, where)
	})
}

// environ searches the environment of a process.
func (s *seeker) environ(pid int) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return
	}
	defer f.Close()
	s.stream(io.LimitReader(f, 1<<20), fmt.Sprintf("environment of process %d", pid))
}

package warden

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
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
)

// seeker looks for one sandbox's token: in bytes, and as UTF-16, which
// browsers and toolkits hold text in.
type seeker struct {
	token    []byte
	wide     []byte // of its first half
	left     int64  // bytes of files
	mem      int64
	deadline time.Time
	hits     map[string]int // place of the canary → times found; "" when it cannot be told
	where    string
	trouble  error
	buf      []byte
}

func newSeeker(c canaries) *seeker {
	s := &seeker{token: []byte(c.token), left: maxSeekFiles, mem: maxSeekMem, deadline: time.Now().Add(maxSeekTime),
		hits: map[string]int{}, buf: make([]byte, seekChunk+256)}
	for _, ch := range s.token[:16] {
		s.wide = append(s.wide, ch, 0)
	}
	return s
}

func (s *seeker) stop(format string, a ...any) {
	if s.trouble == nil {
		s.trouble = fmt.Errorf("cannot search everywhere: "+format, a...)
	}
}

// forget clears what was read of a living session: this process outlives it.
func (s *seeker) forget() { clear(s.buf) }

func (s *seeker) hit(place, where string) {
	if s.hits[place]++; s.where == "" {
		s.where = where
	}
}

// entry looks at one changed file: its name, and, when one of our uids or
// anyone could have written it, its content.
func (s *seeker) entry(e entry, mine bool) {
	if strings.Contains(e.name, string(s.token)) {
		s.hit(canaryInFile, "the name of a file in "+e.root)
	}
	if e.st.Mode&unix.S_IFMT != unix.S_IFREG || (!mine && e.st.Mode&0o002 == 0) || s.trouble != nil {
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
	total, keep := int64(0), 0
	for {
		n, err := r.Read(s.buf[keep : keep+seekChunk])
		total += int64(n)
		s.bytes(s.buf[:keep+n], where)
		// What may be the beginning of a token stays for the next round.
		k := min(keep+n, 160)
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
	for rest := b; ; {
		i := bytes.Index(rest, s.token)
		if i < 0 {
			break
		}
		rest = rest[i+len(s.token):]
		place := ""
		for _, p := range []string{canaryInFile, canaryInClipboard, canaryInEnv} {
			if bytes.HasPrefix(rest, []byte("-"+p)) {
				place = p
			}
		}
		s.hit(place, where)
	}
	if bytes.Contains(b, s.wide) {
		s.hit("", where)
	}
}

// memory searches what process p holds: every resident page that is its own or
// that it may have written. Reading absent pages would only make them.
func (s *seeker) memory(pid int) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if gone(err) || len(maps) == 0 {
		return
	}
	mem, err2 := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	pages, err3 := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err := errors.Join(err, err2, err3); err != nil {
		if !gone(err2) {
			s.stop("process %d: %w", pid, err)
		}
		return
	}
	defer mem.Close()
	defer pages.Close()
	where := fmt.Sprintf("memory of process %d", pid)
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var perm string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &perm); err != nil {
			continue
		}
		// Read-only pages of files are the programs themselves; shared memory
		// may have another writer.
		shared := strings.Contains(line, "/memfd:") || strings.Contains(line, "/dev/shm/") || strings.Contains(line, "/SYSV")
		if len(perm) != 4 || perm[0] != 'r' || (perm[1] != 'w' && !shared && strings.Contains(line, "/")) || strings.Contains(line, "[vvar") || strings.Contains(line, "[vsyscall]") {
			continue
		}
		s.region(mem, pages, from, to, where)
		if s.trouble != nil {
			return
		}
	}
}

// region reads the resident runs of one mapping.
func (s *seeker) region(mem, pages *os.File, from, to uint64, where string) {
	size := uint64(os.Getpagesize())
	info := make([]byte, 8*512)
	var run io.Reader
	start := uint64(0)
	flush := func(end uint64) {
		if start == 0 {
			return
		}
		if s.mem -= int64(end - start); s.mem < 0 {
			s.stop("%s: more than %d bytes", where, int64(maxSeekMem))
			return
		}
		run = io.NewSectionReader(mem, int64(start), int64(end-start))
		_, err := s.stream(run, where)
		// EIO, EFAULT: the process gave the pages back meanwhile.
		if err != nil && !gone(err) && !errors.Is(err, unix.EIO) && !errors.Is(err, unix.EFAULT) {
			s.stop("%s: %w", where, err)
		}
		start = 0
	}
	for at := from; at < to && s.trouble == nil; {
		n := min((to-at)/size, 512)
		got, err := pages.ReadAt(info[:8*n], int64(at/size*8))
		if got == 0 {
			if err != nil && err != io.EOF && !gone(err) {
				s.stop("%s: %w", where, err)
			}
			return // it ended
		}
		for i := range uint64(got / 8) {
			e := binary.LittleEndian.Uint64(info[8*i:])
			resident := e&(1<<63|1<<62) != 0 // present or swapped
			if resident && start == 0 {
				start = at + i*size
			}
			if !resident {
				flush(at + i*size)
			}
		}
		at += uint64(got/8) * size
	}
	flush(to)
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

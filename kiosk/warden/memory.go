package warden

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// held is a process whose memory is searched, and by whom.
type held struct {
	pid  int
	seek []*seeker
}

// searchMemory looks through the memory of processes with all processors.
func searchMemory(all ...held) {
	var stretches []stretch
	var mu sync.Mutex
	inParallel(len(all), func(next func() (int, bool)) {
		for i, ok := next(); ok; i, ok = next() {
			found := all[i].stretches()
			mu.Lock()
			stretches = append(stretches, found...)
			mu.Unlock()
		}
	})
	inParallel(len(stretches), func(next func() (int, bool)) {
		buf := make([]byte, stretchSize+seekOverlap)
		defer clear(buf) // it is the person's, if it is anybody's
		for i, ok := next(); ok; i, ok = next() {
			stretches[i].look(buf)
		}
	})
}

// inParallel runs work once a processor, and returns when all are done; next
// hands out the numbers below n, each once.
func inParallel(n int, work func(next func() (int, bool))) {
	var last atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.NumCPU(), n) {
		wg.Go(func() {
			work(func() (int, bool) {
				i := int(last.Add(1)) - 1
				return i, i < n
			})
		})
	}
	wg.Wait()
}

// stretch is resident memory of one process that is read in one go.
type stretch struct {
	held
	runs []unix.RemoteIovec
}

// stretchSize is how much a stretch holds, and maxRuns of how many pieces: the
// kernel takes no more at once (IOV_MAX).
const (
	stretchSize = 1 << 20
	maxRuns     = 1000
)

// memory searches what one process holds.
func (s *seeker) memory(pid int) { searchMemory(held{pid, []*seeker{s}}) }

// stretches lists what the process holds: every resident page that is its own
// or that it may have written. Reading absent pages would only make them.
func (h held) stretches() (all []stretch) {
	stop := func(err error) {
		for _, s := range h.seek {
			s.stop("process %d: %w", h.pid, err)
		}
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", h.pid))
	if gone(err) || err == nil && len(maps) == 0 {
		return nil
	}
	if err != nil {
		stop(err)
		return nil
	}
	pages, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", h.pid))
	if err != nil {
		if !gone(err) {
			stop(err)
		}
		return nil
	}
	defer pages.Close()
	now := stretch{held: h}
	size := uint64(0)
	flush := func() {
		if len(now.runs) > 0 {
			all = append(all, now)
			now.runs, size = nil, 0
		}
	}
	run := func(from, to uint64) {
		for _, s := range h.seek {
			if s.mem.Add(int64(from)-int64(to)) < 0 {
				s.stop("memory of process %d: more than %d bytes", h.pid, int64(maxSeekMem))
			}
		}
		for at := from; at < to; {
			n := min(to-at, stretchSize-size)
			now.runs = append(now.runs, unix.RemoteIovec{Base: uintptr(at), Len: int(n)})
			at, size = at+n, size+n
			if size < stretchSize && len(now.runs) < maxRuns {
				continue
			}
			flush()
			if at < to { // a token may lie across the cut
				size = min(seekOverlap, at-from)
				now.runs = append(now.runs, unix.RemoteIovec{Base: uintptr(at - size), Len: int(size)})
			}
		}
	}
	for line := range bytes.Lines(maps) {
		m, ok := parseMapping(line)
		if !ok || !m.written() {
			continue
		}
		if err := resident(pages, m, run); err != nil {
			stop(err)
			break
		}
	}
	flush()
	return all
}

// mapping is one line of maps (proc_pid_maps(5)).
type mapping struct {
	from, to uint64
	perm     [4]byte
	path     []byte
}

func parseMapping(line []byte) (m mapping, ok bool) {
	span, rest, _ := bytes.Cut(line, []byte(" "))
	from, to, _ := bytes.Cut(span, []byte("-"))
	var err1, err2 error
	m.from, err1 = strconv.ParseUint(string(from), 16, 64)
	m.to, err2 = strconv.ParseUint(string(to), 16, 64)
	if err1 != nil || err2 != nil || m.from > m.to || copy(m.perm[:], rest) != 4 {
		return m, false
	}
	if i := bytes.IndexAny(rest, "/["); i >= 0 {
		m.path = bytes.TrimSpace(rest[i:])
	}
	return m, true
}

// shared tells memory that another process may write to as well.
func (m mapping) shared() bool {
	for _, p := range []string{"/memfd:", "/dev/shm/", "/SYSV"} {
		if bytes.HasPrefix(m.path, []byte(p)) {
			return true
		}
	}
	return m.perm[3] == 's'
}

// written tells whether the mapping may hold what somebody wrote. Read-only
// pages of files are the programs themselves; shared memory may have another
// writer.
func (m mapping) written() bool {
	program := bytes.HasPrefix(m.path, []byte("/")) && m.perm[1] != 'w' && !m.shared()
	return m.perm[0] == 'r' && !program &&
		!bytes.HasPrefix(m.path, []byte("[vvar")) && !bytes.HasPrefix(m.path, []byte("[vsyscall]"))
}

// Bits of pagemap (Documentation/admin-guide/mm/pagemap.rst).
const (
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
	pageOfFile  = 1 << 61 // or of shared memory
)

// resident calls run for each stretch of pages of m that hold something. A page
// that a private mapping still shares with its file is the file's: nobody
// wrote to it there.
func resident(pages *os.File, m mapping, run func(from, to uint64)) error {
	size := uint64(os.Getpagesize())
	private := !m.shared()
	var info [8 * 4096]byte
	start := uint64(0)
	end := func(at uint64) {
		if start != 0 {
			run(start, at)
			start = 0
		}
	}
	for at := m.from; at < m.to; {
		n := min((m.to-at)/size, uint64(len(info))/8)
		got, err := pages.ReadAt(info[:8*n], int64(at/size*8))
		if got < 8 {
			if err != nil && err != io.EOF && !gone(err) {
				return err
			}
			break // it ended
		}
		for i := range uint64(got / 8) {
			e := binary.LittleEndian.Uint64(info[8*i:])
			if e&(pagePresent|pageSwapped) == 0 || private && e&pageOfFile != 0 {
				end(at + i*size)
			} else if start == 0 {
				start = at + i*size
			}
		}
		at += uint64(got/8) * size
	}
	end(m.to)
	return nil
}

func (t stretch) look(buf []byte) {
	n, err := t.read(buf)
	where := fmt.Sprintf("memory of process %d", t.pid)
	for _, s := range t.seek {
		if s.stopped() {
			continue
		}
		s.bytes(buf[:n], where)
		switch {
		case err != nil:
			s.stop("%s: %w", where, err)
		case time.Now().After(s.deadline):
			s.stop("%s: it takes longer than %s", where, maxSeekTime)
		}
	}
}

// read copies the stretch into buf. Pages that the process gave back meanwhile
// are left out; one that ended has none.
func (t stretch) read(buf []byte) (int, error) {
	n := 0
	for runs := t.runs; len(runs) > 0; {
		got, err := vmRead(t.pid, buf[n:], runs)
		switch {
		case errors.Is(err, unix.ESRCH):
			return n, nil
		case errors.Is(err, unix.EFAULT), err == nil && got == 0: // the first page of all is gone
			page := os.Getpagesize()
			runs = skip(runs, min(page-int(runs[0].Base)%page, runs[0].Len))
		case err != nil:
			return n, err
		default:
			n += got
			runs = skip(runs, got)
		}
	}
	return n, nil
}

// skip returns runs without their first n bytes.
func skip(runs []unix.RemoteIovec, n int) []unix.RemoteIovec {
	for len(runs) > 0 && n >= runs[0].Len {
		n -= runs[0].Len
		runs = runs[1:]
	}
	if len(runs) == 0 || n == 0 {
		return runs
	}
	runs = slices.Clone(runs)
	runs[0].Base += uintptr(n)
	runs[0].Len -= n
	return runs
}

// vmRead is process_vm_readv(2). It may give less than was asked for.
func vmRead(pid int, buf []byte, runs []unix.RemoteIovec) (int, error) {
	local := []unix.Iovec{{Base: unsafe.SliceData(buf)}}
	local[0].SetLen(len(buf))
	n, err := unix.ProcessVMReadv(pid, local, runs, 0)
	if err != nil {
		return 0, fmt.Errorf("process_vm_readv: %w", err)
	}
	return n, nil
}

// seekMemory searches the processes that outlive a session beside it: agent,
// shell and outer display. The second seeker, for the agent's own marker,
// leaves the agent out.
func (w *warden) seekMemory(seek []*seeker) {
	if len(seek) == 0 {
		return
	}
	all, err := allProcesses()
	if err != nil {
		for _, s := range seek {
			s.stop("%w", err)
		}
	}
	near := uidRange{w.c.UIDBase, w.c.UIDBase + offBrowsers - 1}
	var those []held
	for _, p := range all {
		switch {
		case p.zombie() || !p.hasUID(near):
		case p.uids[0] == w.c.UIDBase+offAgent:
			those = append(those, held{p.pid, seek[:1]})
		default:
			those = append(those, held{p.pid, seek})
		}
	}
	searchMemory(those...)
}

// seekEnvironments searches the environment of every process.
func seekEnvironments(s *seeker) {
	all, err := allProcesses()
	if err != nil {
		s.stop("%w", err)
	}
	for _, p := range all {
		if !p.zombie() {
			s.environ(p.pid)
		}
	}
}

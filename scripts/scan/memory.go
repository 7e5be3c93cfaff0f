package scan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// stretch is the most of one mapping that one job reads.
const stretch = 64 << 20

// Memory searches the readable memory, arguments and environment of every
// process but this one and those in except.
func (f *Finder) Memory(ctx context.Context, except ...int) (Result, error) {
	var want []int
	for _, p := range pids() {
		if n, _ := strconv.Atoi(p); n != os.Getpid() && !slices.Contains(except, n) {
			want = append(want, n)
		}
	}
	return f.MemoryOf(ctx, want...)
}

// MemoryOf searches some processes only.
func (f *Finder) MemoryOf(ctx context.Context, pids ...int) (Result, error) {
	m := &memory{Finder: f, ctx: ctx, crew: newCrew()}
	for _, pid := range pids {
		m.crew.give(func([]byte) { m.process(pid) })
	}
	m.crew.run()
	if err := ctx.Err(); err != nil {
		return m.res, fmt.Errorf("cannot search memory: %w", err)
	}
	return m.res, nil
}

type memory struct {
	*Finder
	ctx  context.Context
	crew *crew

	mu  sync.Mutex
	res Result
}

func (m *memory) skip(what string) {
	m.mu.Lock()
	m.res.Skipped = append(m.res.Skipped, what)
	m.mu.Unlock()
}

// process lists one process's mappings, and gives each out as a job.
func (m *memory) process(pid int) {
	dir := "/proc/" + strconv.Itoa(pid)
	maps, err := os.ReadFile(dir + "/maps")
	if err != nil || len(maps) == 0 || m.ctx.Err() != nil {
		return // gone, or a kernel thread
	}
	mem, err := os.Open(dir + "/mem")
	if err != nil {
		m.skip(dir)
		return
	}
	pages, err := os.Open(dir + "/pagemap")
	if err != nil {
		mem.Close()
		m.skip(dir)
		return
	}
	comm, _ := os.ReadFile(dir + "/comm")
	m.mu.Lock()
	m.res.Looked++
	m.mu.Unlock()
	open := &sync.WaitGroup{}
	for sc := bufio.NewScanner(bytes.NewReader(maps)); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		if len(fields) < 5 || fields[1][0] != 'r' {
			continue
		}
		name := strings.Join(fields[5:], " ")
		// Read-only file mappings are the programs themselves, searched as files;
		// shared memory may have another writer.
		shared := strings.HasPrefix(name, "/memfd:") || strings.HasPrefix(name, "/dev/shm/") || strings.HasPrefix(name, "/SYSV")
		if strings.HasPrefix(name, "/") && fields[1][1] != 'w' && !shared || strings.HasPrefix(name, "[v") {
			continue
		}
		var from, to uint64
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
			continue
		}
		place := fmt.Sprintf("pid %d (%s) %s %s", pid, bytes.TrimSpace(comm), fields[0], name)
		open.Add(1)
		m.crew.give(func(buf []byte) {
			defer open.Done()
			m.mapping(mem, pages, from, to, place, buf)
		})
	}
	go func() {
		open.Wait()
		mem.Close()
		pages.Close()
	}()
}

func (m *memory) mapping(mem, pages *os.File, from, to uint64, place string, buf []byte) {
	if m.ctx.Err() != nil {
		return
	}
	var all []found
	var bytes int64
	for _, r := range present(pages, from, to) {
		// Long stretches overlap, so that nothing hides between two.
		for at := r[0]; at < r[1]; at += stretch {
			got, n, _ := m.stream(io.NewSectionReader(mem, int64(at), int64(min(r[1], at+stretch+overlap)-at)), buf)
			bytes += n
			all = append(all, got...)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.res.Bytes += bytes
	for _, x := range all {
		if h := (Hit{place, x.as, x.rest}); !slices.Contains(m.res.Hits, h) {
			m.res.Hits = append(m.res.Hits, h)
		}
	}
}

// present returns the stretches of [from, to) that are in memory or in swap
// (proc_pid_pagemap(5), bits 63 and 62): the rest was never written, and
// reserved address space is larger than any machine.
func present(pagemap io.ReaderAt, from, to uint64) (runs [][2]uint64) {
	const page, step = 4096, 4096 // bytes; entries read at once
	b := make([]byte, 8*step)
	for at := from; at < to; {
		want := min(uint64(step), (to-at)/page)
		n, _ := pagemap.ReadAt(b[:want*8], int64(at/page*8))
		if n < 8 {
			return append(runs, [2]uint64{at, to}) // cannot tell: read it all
		}
		for i := range n / 8 {
			if entry := binary.NativeEndian.Uint64(b[i*8:]); entry>>62 != 0 {
				if k := len(runs) - 1; k >= 0 && runs[k][1] == at {
					runs[k][1] += page
				} else {
					runs = append(runs, [2]uint64{at, at + page})
				}
			}
			at += page
		}
	}
	return runs
}

// Segments searches the System V shared memory of this IPC namespace, which
// outlives whoever made it.
func (f *Finder) Segments() (Result, error) {
	var res Result
	b, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		return res, fmt.Errorf("cannot search shared memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] == "key" {
			continue
		}
		id, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		seg, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY)
		if err != nil {
			res.Skipped = append(res.Skipped, "shared memory "+fields[1])
			continue
		}
		all, n, _ := f.stream(bytes.NewReader(seg), make([]byte, overlap+chunk))
		unix.SysvShmDetach(seg)
		res.Looked++
		res.Bytes += n
		for _, x := range all {
			res.Hits = append(res.Hits, Hit{"shared memory " + fields[1], x.as, x.rest})
		}
	}
	return res, nil
}

// Package scan looks for bytes where they should not be: in files written since
// a moment, and in the memory of living processes. It needs root.
package scan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"
)

// Hit is one place where the marker was found.
type Hit struct {
	Place string // path, or "pid 12 (chromium) 7f00…-7f01… [heap]"
	As    string // the form found: utf-8, utf-16
}

func (h Hit) String() string { return h.Place + " as " + h.As }

// Result is what was looked at, and what was found.
type Result struct {
	Hits    []Hit
	Looked  int   // files or processes
	Bytes   int64 // read
	Skipped []string
}

type form struct {
	name  string
	bytes []byte
}

// forms returns the marker as programs hold it in memory and on disk.
func forms(marker string) []form {
	var wide []byte
	for _, u := range utf16.Encode([]rune(marker)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	return []form{{"utf-8", []byte(marker)}, {"utf-16", wide}}
}

const chunk = 1 << 20

// search reads r to its end and returns the forms that occur in it.
func search(r io.Reader, fs []form, buf []byte) (found []string, n int64, err error) {
	overlap := 0
	for _, f := range fs {
		overlap = max(overlap, len(f.bytes)-1)
	}
	seen := map[string]bool{}
	have := 0
	for {
		m, err := io.ReadFull(r, buf[have:])
		n += int64(m)
		have += m
		for _, f := range fs {
			if !seen[f.name] && bytes.Contains(buf[:have], f.bytes) {
				seen[f.name] = true
				found = append(found, f.name)
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil
			}
			return found, n, err
		}
		keep := min(overlap, have)
		copy(buf, buf[have-keep:have])
		have = keep
	}
}

// Files searches every regular file under roots whose content or inode changed
// at or after since; file systems below a root are entered, pseudo ones are not.
func Files(ctx context.Context, marker string, since time.Time, roots ...string) (Result, error) {
	var res Result
	fsForms, buf := forms(marker), make([]byte, chunk)
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return nil // gone meanwhile
			}
			if d.IsDir() {
				switch path {
				case "/proc", "/sys", "/dev/pts", "/dev/mqueue":
					return filepath.SkipDir
				}
				return nil
			}
			if !d.Type().IsRegular() {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			st := info.Sys().(*syscall.Stat_t)
			if info.ModTime().Before(since) && time.Unix(st.Ctim.Unix()).Before(since) {
				return nil
			}
			f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
			if err != nil {
				res.Skipped = append(res.Skipped, path)
				return nil
			}
			defer f.Close()
			found, n, err := search(f, fsForms, buf)
			if err != nil {
				res.Skipped = append(res.Skipped, path)
			}
			res.Looked++
			res.Bytes += n
			for _, as := range found {
				res.Hits = append(res.Hits, Hit{path, as})
			}
			return nil
		})
		if err != nil {
			return res, fmt.Errorf("cannot search %s: %w", root, err)
		}
	}
	return res, nil
}

// Memory searches the readable memory of every process but those in except.
func Memory(ctx context.Context, marker string, except ...int) (Result, error) {
	var res Result
	fsForms, buf := forms(marker), make([]byte, chunk)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return res, fmt.Errorf("cannot list processes: %w", err)
	}
	skip := map[int]bool{os.Getpid(): true}
	for _, pid := range except {
		skip[pid] = true
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || skip[pid] {
			continue
		}
		if ctx.Err() != nil {
			return res, fmt.Errorf("cannot search memory: %w", ctx.Err())
		}
		res.process(pid, fsForms, buf)
	}
	return res, nil
}

func (res *Result) process(pid int, fs []form, buf []byte) {
	dir := "/proc/" + strconv.Itoa(pid)
	maps, err := os.ReadFile(dir + "/maps")
	if err != nil || len(maps) == 0 {
		return // gone, or a kernel thread
	}
	mem, err := os.Open(dir + "/mem")
	if err != nil {
		res.Skipped = append(res.Skipped, dir)
		return
	}
	defer mem.Close()
	pages, err := os.Open(dir + "/pagemap")
	if err != nil {
		res.Skipped = append(res.Skipped, dir)
		return
	}
	defer pages.Close()
	comm, _ := os.ReadFile(dir + "/comm")
	res.Looked++
	for sc := bufio.NewScanner(bytes.NewReader(maps)); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		if len(fields) < 5 || fields[1][0] != 'r' {
			continue
		}
		name := strings.Join(fields[5:], " ")
		// Read-only file mappings are the programs themselves, searched as files.
		if (strings.HasPrefix(name, "/") && fields[1][1] != 'w') || strings.HasPrefix(name, "[v") {
			continue
		}
		var from, to uint64
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
			continue
		}
		for _, r := range present(pages, from, to) {
			found, n, _ := search(io.NewSectionReader(mem, int64(r[0]), int64(r[1]-r[0])), fs, buf)
			res.Bytes += n
			for _, as := range found {
				res.Hits = append(res.Hits, Hit{fmt.Sprintf("pid %d (%s) %s %s", pid, bytes.TrimSpace(comm), fields[0], name), as})
			}
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

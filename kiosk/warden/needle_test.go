package warden

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestNeedles: whatever the place and the length, the fast search finds what
// the plain one finds.
func TestNeedles(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 0))
	for _, size := range []int{16, 22, 23, 26, 32, 128} {
		pattern := []byte(strings.Repeat("k3nd0-", 32)[:size])
		for i := range pattern {
			pattern[i] = "0123456789abcdef"[dice.IntN(16)]
		}
		n := newNeedles([]byte("another pattern, longer than most"), pattern)
		b := make([]byte, 4096)
		var want []int
		for at := dice.IntN(40); at+size <= len(b); at += size + dice.IntN(40) {
			copy(b[at:], pattern)
			want = append(want, at)
		}
		var got []int
		n.in(b, func(which, at int) {
			if which != 1 || !bytes.HasPrefix(b[at:], pattern) {
				t.Errorf("size %d: pattern %d at %d", size, which, at)
			}
			got = append(got, at)
		})
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("size %d: found at %v, want %v", size, got, want)
		}
		for at := range 64 { // at each end of what is looked at
			b := make([]byte, at+size)
			copy(b[at:], pattern)
			hits := 0
			n.in(b, func(int, int) { hits++ })
			n.in(b[:len(b)-1], func(int, int) { hits += 10 })
			if hits != 1 {
				t.Errorf("size %d at %d of %d: %d hits", size, at, len(b), hits)
			}
		}
	}
}

// TestMemoryAcrossStretches: a token that lies where two readings meet is found,
// and so is one in memory that files back and somebody wrote to.
func TestMemoryAcrossStretches(t *testing.T) {
	c := newCanaries()
	// More than a stretch of one heap, with a token every so often.
	cmd := exec.Command("/usr/bin/perl", "-e", `$|=1; my $t=<STDIN>; chomp $t; my $s = ("x" x 99991 . $t) x 60; print "ready\n"; <STDIN>`)
	if !exists(cmd.Path) {
		t.Skip("SKIP: perl is not installed")
	}
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	_, err = in.Write([]byte(c.value(canaryInFile) + "\n"))
	must(t, err)
	_, err = out.Read(make([]byte, 8))
	must(t, err)
	s := newSeeker(c)
	s.memory(cmd.Process.Pid)
	if s.hits[canaryInFile] < 60 || s.trouble != nil {
		t.Errorf("hits %v, %v", s.hits, s.trouble)
	}
}

func TestMappings(t *testing.T) {
	for line, want := range map[string]bool{
		"7f00-7f10 r--p 00000000 08:01 1 /usr/lib/libc.so\n":                   false,
		"7f00-7f10 rw-p 00000000 08:01 1 /usr/lib/libc.so\n":                   true,
		"7f00-7f10 rw-p 00000000 00:00 0 \n":                                   true,
		"7f00-7f10 r--p 00000000 00:00 0 [anon:v8]\n":                          true,
		"7f00-7f10 ---p 00000000 00:00 0 \n":                                   false,
		"7f00-7f10 r--s 00000000 00:01 9 /memfd:shared (deleted)\n":            true,
		"7f00-7f10 r--s 00000000 00:01 9 /dev/shm/.org.chromium.x\n":           true,
		"7f00-7f10 r--p 00000000 00:00 0 [vvar]\n":                             false,
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n": false,
		"7f10-7f00 rw-p 00000000 00:00 0 \n":                                   false,
		"nonsense\n":                                                           false,
	} {
		m, ok := parseMapping([]byte(line))
		if got := ok && m.written(); got != want {
			t.Errorf("%q: %t, want %t", line, got, want)
		}
	}
	if maps, err := os.ReadFile("/proc/self/maps"); err == nil {
		for line := range bytes.Lines(maps) {
			if _, ok := parseMapping(line); !ok {
				t.Errorf("cannot parse %q", line)
			}
		}
	}
}

func FuzzMapping(f *testing.F) {
	f.Add([]byte("7f00-7f10 rw-p 00000000 08:01 1 /usr/lib/libc.so\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if m, ok := parseMapping(line); ok && m.from > m.to {
			t.Errorf("%+v", m)
		}
	})
}

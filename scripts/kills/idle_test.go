package kills

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"borne/scripts/stand"
)

// idleFor is how long a terminal on which nobody is is watched.
const idleFor = 30 * time.Second

// ours is one process of the terminal's own program.
type ours struct {
	pid      int
	role     string
	rss, pss int           // kB
	cpu      time.Duration // user and system
}

// BenchmarkIdle prints what the terminal's own program takes while nobody is
// there: every role of it, browsers and displays apart.
func BenchmarkIdle(b *testing.B) {
	p := newPost(b, 5*time.Minute, nil)
	if _, ok := p.log.Line(stand.Mark{}, time.Minute, waits); !ok {
		b.Fatalf("no standby\n%s", p.log.Tail(20))
	}
	for b.Loop() {
		mb, percent := p.rest(b, "a simulated MFRC522 polled")
		b.ReportMetric(mb, "MB")
		b.ReportMetric(percent, "%cpu")
		if err := p.bench("/sim/do", map[string]any{"action": "reader", "on": false}); err != nil {
			b.Fatal(err)
		}
		_, percent = p.rest(b, "no reader")
		b.ReportMetric(percent, "%cpu-no-reader")
	}
}

// rest watches the terminal's own program for a while.
func (p *post) rest(b *testing.B, what string) (mb, percent float64) {
	b.Helper()
	before := map[int]time.Duration{}
	for _, o := range p.ours() {
		before[o.pid] = o.cpu
	}
	start := time.Now()
	time.Sleep(idleFor) // what is measured is rest
	rest := time.Since(start)
	var rss, pss int
	var cpu time.Duration
	for _, o := range p.ours() {
		took := o.cpu - before[o.pid]
		rss, pss, cpu = rss+o.rss, pss+o.pss, cpu+took
		b.Logf("%s: %-14s %5.1f MB resident, %5.1f MB proportional, %.2f %% of a processor", what, o.role, float64(o.rss)/1024, float64(o.pss)/1024, 100*took.Seconds()/rest.Seconds())
	}
	mb, percent = float64(pss)/1024, 100*cpu.Seconds()/rest.Seconds()
	b.Logf("%s, together: %.1f MB resident, %.1f MB proportional (goal: 15), %.2f %% of a processor (goal: 0.1)", what, float64(rss)/1024, mb, percent)
	return mb, percent
}

// ours lists the processes of this machine that run the terminal's program.
func (p *post) ours() (all []ours) {
	p.t.Helper()
	_, warden := p.stand.Pids()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", warden))
	if err != nil {
		p.t.Fatal(err)
	}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != exe {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			p.t.Fatal(err)
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
		if err != nil {
			continue // it has just ended
		}
		o := ours{pid: pid, role: "?", rss: resident(pid), pss: pss(pid), cpu: spent(pid)}
		if args := strings.Split(string(line), "\x00"); pid == warden {
			o.role = "warden"
		} else if strings.HasPrefix(args[1], "--") {
			o.role = "stand-in"
		} else {
			o.role = args[1]
		}
		all = append(all, o)
	}
	return all
}

// resident is VmRSS in kB.
func resident(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

// spent is the processor time of a process, of its threads' (schedstat(5) in ns,
// finer than the ticks of stat(5)).
func spent(pid int) (sum time.Duration) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, t := range tasks {
		b, _ := os.ReadFile(t)
		if f := strings.Fields(string(b)); len(f) > 0 {
			ns, _ := strconv.ParseInt(f[0], 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

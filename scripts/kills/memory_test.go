package kills

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/scripts/stand"
)

// waits is the line of a standby that is there for the next person.
var waits = regexp.MustCompile(`msg="standby (ready|kept)"`)

func standbyFrom(mb int) func(*stand.Options) {
	return func(o *stand.Options) { o.Standby = &mb }
}

// TestMemory measures what a terminal fills while somebody has a page of
// ordinary weight open, with and without the next person's browser beside, and
// that either ends with everything gone. MEMORY=1 asks for it. To see it live
// under a limit, run it in a control group that has one.
func TestMemory(t *testing.T) {
	if os.Getenv("MEMORY") == "" {
		t.Skip("SKIP: set MEMORY=1 to measure what a terminal needs")
	}
	for _, mode := range []struct {
		name  string
		floor int
	}{{"with a standby beside the session", 0}, {"without", 1 << 20}} {
		t.Run(mode.name, func(t *testing.T) {
			p := newPost(t, 5*time.Minute, ordinary, standbyFrom(mode.floor))
			p.work()
			begun := p.log.Mark()
			p.upload()
			if mode.floor == 0 {
				if _, ok := p.log.Line(begun, time.Minute, waits); !ok {
					t.Fatalf("no standby beside the session\n%s", p.log.Tail(20))
				}
			}
			total := 0
			for _, s := range p.shares() {
				t.Logf("%-34s %5d MB", s.what, s.kb>>10)
				total += s.kb
			}
			t.Logf("%-34s %5d MB", "all of it", total>>10)
			from := p.log.Mark()
			p.reach(p.end, "wiping")
			p.come(from, time.Minute, "thanks")
			if _, ok := p.log.Line(from, time.Minute, waits); !ok {
				t.Fatalf("no standby for the next person\n%s", p.log.Tail(20))
			}
			p.come(from, time.Minute, "welcome")
			p.work() // and the next one is served
			from = p.log.Mark()
			p.reach(p.end, "wiping")
			p.come(from, time.Minute, "thanks")
			p.proven(false)
			if killed := oomKills(); killed > 0 {
				t.Errorf("the kernel killed %d processes for want of memory", killed)
			}
		})
	}
}

// TestLittleMemory: below its floor the terminal begins no browser beside a
// session; the wipe and its proof are the same, and the next person is served.
func TestLittleMemory(t *testing.T) {
	p := newPost(t, 4*time.Minute, nil, standbyFrom(1<<20))
	if _, ok := p.log.Line(stand.Mark{}, time.Minute, regexp.MustCompile(`msg=memory .*"standby beside a session"=false`)); !ok {
		t.Fatalf("the terminal does not tell that it has little memory\n%s", p.log.Tail(40))
	}
	for range 1 {
		p.work()
		began := p.log.Mark()
		p.eventually("the session lasts longer than a standby would wait", time.Minute, func() error {
			if p.log.Now() != "active" {
				return fmt.Errorf("the phase is %s", p.log.Now())
			}
			if time.Since(p.log.Step(began.Phase-1).At) < 8*time.Second {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		if _, ok := p.log.Line(began, time.Millisecond, waits); ok {
			t.Fatal("a standby is made beside the session")
		}
		from := p.log.Mark()
		p.reach(p.end, "wiping")
		p.come(from, time.Minute, "thanks")
		if _, ok := p.log.Line(from, time.Minute, waits); !ok {
			t.Fatalf("no standby after the wipe\n%s", p.log.Tail(20))
		}
		p.come(from, time.Minute, "welcome")
	}
	p.proven(false)
}

// share is what one part of the terminal fills.
type share struct {
	what string
	kb   int
}

// shares sums the proportional set size (proc_pid_smaps(5)) of each part, and
// adds the files in memory of the sandboxes.
func (p *post) shares() []share {
	p.t.Helper()
	first, err := p.firstProcess()
	if err != nil {
		p.t.Fatal(err)
	}
	_, warden := p.stand.Pids()
	sum := map[string]int{"warden, and first processes": pss(warden)}
	all, err := living()
	if err != nil {
		p.t.Fatal(err)
	}
	running := -1
	for _, l := range all {
		if l.parent == first {
			running = (l.uid - uidBase - 10) % 20
		}
	}
	inits := map[int]bool{}
	for _, l := range all {
		what := "the session"
		switch {
		case l.uid == uidBase:
			what = "agent"
		case l.uid == uidBase+1:
			what = "the shell's browser"
		case l.uid == uidBase+2:
			what = "outer display"
		case (l.uid-uidBase-10)%20 != running:
			what = "the standby"
		}
		sum[what] += pss(l.pid)
		if up, err := examine(l.parent); err == nil && up.parent == warden && up.uid == 0 && !inits[l.parent] {
			inits[l.parent] = true
			sum["warden, and first processes"] += pss(l.parent)
			if l.session() {
				sum[what+": files in memory"] += files(l.parent)
			}
		}
	}
	var out []share
	for _, what := range []string{"warden, and first processes", "agent", "outer display", "the shell's browser", "the session", "the session: files in memory",
		"the standby", "the standby: files in memory"} {
		if kb := sum[what]; kb > 0 {
			out = append(out, share{what, kb})
		}
	}
	return out
}

func pss(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

// files is what a sandbox's folders hold, in kB; /dev/shm is mapped, and counts
// as its processes'.
func files(first int) int {
	kb := 0
	for _, dir := range []string{"home", "tmp", "run", "var/tmp", "var/lib"} {
		var st syscall.Statfs_t
		if syscall.Statfs(fmt.Sprintf("/proc/%d/root/%s", first, dir), &st) == nil {
			kb += int(int64(st.Blocks-st.Bfree) * st.Bsize >> 10)
		}
	}
	return kb
}

// oomKills counts them in this process's control group (memory.oom_control, v1).
func oomKills() int {
	b, _ := os.ReadFile("/sys/fs/cgroup/memory/memory.oom_control")
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			k, _ := strconv.Atoi(strings.TrimSpace(n))
			return k
		}
	}
	return 0
}

// ordinary serves a page of about 2 MB: text, twenty pictures, half a megabyte
// of script, and some data that the script keeps.
func ordinary(sent chan<- struct{}) http.HandlerFunc {
	dice := rand.New(rand.NewPCG(seed, 1))
	var pictures [][]byte
	for range 20 {
		img := image.NewRGBA(image.Rect(0, 0, 150, 150))
		for i := range 150 * 150 {
			img.Set(i%150, i/150, color.RGBA{uint8(dice.Uint32()), uint8(dice.Uint32()), uint8(dice.Uint32()), 255})
		}
		var b bytes.Buffer
		png.Encode(&b, img)
		pictures = append(pictures, b.Bytes())
	}
	var script, page strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&script, "function f%d(a, b) { return a * %d + b - %d; } keep(f%d);\n", i, dice.IntN(1000), dice.IntN(1000), i)
	}
	page.WriteString(`<!doctype html><html lang="fr"><title>Démarche</title><h1>Votre démarche</h1><script>const kept = []; function keep(f) { kept.push([f, f(1, 2), new Array(64).fill(f)]); }</script><script src="/s.js"></script>`)
	for i := range 1500 {
		if i%75 == 0 {
			fmt.Fprintf(&page, `<img src="/p/%d" width="150" height="150" alt="">`, i/75)
		}
		fmt.Fprintf(&page, "<p class=c%d>Paragraphe %d : pièces justificatives, ressources et situation du foyer.</p>", i%9, i)
	}
	page.WriteString(`<script>addEventListener("load", () => fetch("/vu", {method: "POST", body: "vu"}))</script>`)
	return func(w http.ResponseWriter, r *http.Request) {
		switch n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/p/")); {
		case r.Method == http.MethodPost:
			select {
			case sent <- struct{}{}:
			default:
			}
		case r.URL.Path == "/s.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, script.String())
		case err == nil && n >= 0 && n < len(pictures):
			w.Header().Set("Content-Type", "image/png")
			w.Write(pictures[n])
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page.String())
		}
	}
}

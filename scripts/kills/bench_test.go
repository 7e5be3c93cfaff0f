package kills

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"borne/kiosk/browser"
	"borne/scripts/stand"
)

// frame is one picture of a screen at 60 Hz.
const frame = time.Second / 60

// BenchmarkSessionEnd measures, at the real terminal, from the end of a session
// (and from the press that asked for it) to the receipt that is committed, with
// everything gone, and to the next person's browser painted. Beside it, in the
// same run: to kill the same Chromium, remove its profile and start it cold; and
// to do nothing but kill the tree of a session, whose files go with it. Use
// -benchtime 20x.
func BenchmarkSessionEnd(b *testing.B) {
	p := newPost(b, 20*time.Minute, nil)
	if _, ok := p.log.Line(stand.Mark{}, time.Minute, waits); !ok {
		b.Fatalf("no standby\n%s", p.log.Tail(20))
	}
	var ended, pressed, next, tree []time.Duration
	session := func() {
		b.Helper()
		p.work()
		// Somebody works for longer than a standby needs.
		if _, ok := p.log.Line(p.log.Mark(), time.Minute, waits); !ok {
			b.Fatalf("no standby beside the session\n%s", p.log.Tail(20))
		}
	}
	for b.Loop() {
		session()
		from := p.log.Mark()
		var press, end time.Time
		for n := 0; n < 50; n++ { // the last press is the one that counts
			press = time.Now()
			p.end()
			if at, ok := p.log.Phase(from, 700*time.Millisecond, "wiping"); ok {
				end = p.log.Step(at).At
				break
			}
		}
		at, ok := p.log.Phase(from, time.Minute, "thanks")
		if !ok {
			b.Fatalf("no receipt\n%s", p.log.Tail(20))
		}
		ready, ok := p.log.Line(from, time.Minute, waits)
		if !ok {
			b.Fatalf("no standby\n%s", p.log.Tail(20))
		}
		receipt := p.log.Step(at).At
		ended, pressed = append(ended, receipt.Sub(end)), append(pressed, receipt.Sub(press))
		next = append(next, latest(receipt, ready).Sub(end))
		p.come(from, time.Minute, "welcome")
	}
	for range min(len(ended), 5) {
		session()
		tree = append(tree, p.killTree(b)+frame)
	}
	cold := coldStarts(b, p, len(ended))
	b.Logf("%d sessions, medians (p95)", len(ended))
	line := func(what string, d []time.Duration) { b.Logf("%-72s %8s (%s)", what, part(d, 50), part(d, 95)) }
	line("end of the session → everything gone, receipt committed", ended)
	line("  the same from the press that asked for it", pressed)
	line("end of the session → the next one can begin, its browser painted", next)
	line("kill + rm -rf + cold start of the same Chromium", cold)
	line("SIGKILL of the same tree until all is gone, alone, + one frame", tree)
	ratio := func(what string, of, to []time.Duration, goal float64) {
		b.Logf("%-72s %8.2f (goal: at most %.1f)", what, part(of, 50).Seconds()/part(to, 50).Seconds(), goal)
	}
	ratio("everything gone / kill + rm -rf + cold start", ended, cold, 0.2)
	ratio("next can begin / kill + rm -rf + cold start", next, cold, 0.2)
	ratio("everything gone / SIGKILL of the tree + one frame", ended, tree, 2)
	b.ReportMetric(part(ended, 50).Seconds(), "s-receipt")
	b.ReportMetric(part(next, 50).Seconds(), "s-ready")
	b.ReportMetric(part(cold, 50).Seconds(), "s-cold")
	b.ReportMetric(part(tree, 50).Seconds(), "s-tree")
}

// BenchmarkShellBack measures how long the shell is away when its page's process,
// or its whole browser, is killed.
func BenchmarkShellBack(b *testing.B) {
	p := newPost(b, 15*time.Minute, nil, standbyFrom(0))
	shown := regexp.MustCompile(`msg="the shell is shown"`)
	away := map[string][]time.Duration{}
	for b.Loop() {
		for _, kind := range []string{"renderer", "browser"} {
			pids, err := p.shellProcesses(kind)
			if err != nil {
				b.Fatal(err)
			}
			from, start := p.log.Mark(), time.Now()
			for _, pid := range pids {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					b.Fatal(err)
				}
			}
			at, ok := p.log.Line(from, time.Minute, shown)
			if !ok {
				b.Fatalf("the shell does not come back\n%s", p.log.Tail(20))
			}
			away[kind] = append(away[kind], at.Sub(start))
		}
	}
	for _, kind := range []string{"renderer", "browser"} {
		b.Logf("the shell's %s killed → its page shown again: %s (%s) (goal: at most 2 s)", kind, part(away[kind], 50), part(away[kind], 95))
		b.ReportMetric(part(away[kind], 50).Seconds(), "s-"+kind)
	}
}

// shellProcesses finds processes of the shell's browser: its renderers (one of
// them is a spare one), or the one that has started all others.
func (p *post) shellProcesses(kind string) (pids []int, err error) {
	all, err := living()
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", l.pid))
		if err != nil || l.uid != uidBase+1 {
			continue
		}
		renderer, child := strings.Contains(string(line), "--type=renderer"), strings.Contains(string(line), "--type=")
		if kind == "renderer" && renderer || kind == "browser" && !child && strings.HasPrefix(string(line), "/usr/lib/chromium/chromium") {
			pids = append(pids, l.pid)
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("the shell has no %s", kind)
	}
	return pids, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// killTree kills a session's sandbox from outside and tells how long its end
// takes: its first process is seen to have ended once every other one has, and
// the files that lived in its mounts are gone with it. The terminal is held
// still meanwhile, and then finds its session lost.
func (p *post) killTree(b *testing.B) time.Duration {
	b.Helper()
	_, warden := p.stand.Pids()
	agent, ok := p.agent()
	if !ok {
		b.Fatal("no agent runs")
	}
	first, err := p.firstProcess()
	if err != nil {
		b.Fatal(err)
	}
	fd, err := unix.PidfdOpen(first, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	from := p.log.Mark()
	for _, pid := range []int{warden, agent} {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			b.Fatal(err)
		}
		defer syscall.Kill(pid, syscall.SIGCONT)
	}
	start := time.Now()
	err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	for err == nil {
		var n int
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		if n == 1 || err == nil && n == 0 {
			break
		}
		if err == unix.EINTR {
			err = nil
		}
	}
	took := time.Since(start)
	for _, pid := range []int{warden, agent} {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	if err != nil {
		b.Fatal(err)
	}
	p.come(from, time.Minute, "thanks")
	p.come(from, time.Minute, "welcome")
	return took
}

// firstProcess is the first one of the running session's sandbox: the parent of
// its Chromium, whose link is up.
func (p *post) firstProcess() (int, error) {
	all, err := living()
	if err != nil {
		return 0, err
	}
	_, warden := p.stand.Pids()
	for _, l := range all {
		parent, err := examine(l.parent)
		if err != nil || !l.session() || l.name != "chromium" || parent.parent != warden {
			continue
		}
		up, err := exec.Command("nsenter", "--target", strconv.Itoa(l.pid), "--net", "cat", "/sys/class/net/eth0/operstate").Output()
		if err == nil && strings.TrimSpace(string(up)) == "up" {
			return l.parent, nil
		}
	}
	return 0, errors.New("no session's browser runs")
}

// part is a percentile.
func part(d []time.Duration, percent int) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[min(len(d)-1, len(d)*percent/100)].Round(time.Millisecond)
}

// coldStarts measures what a session's end would cost without sandboxes: the
// same browser, on a display that is there already, killed and started again.
func coldStarts(b *testing.B, p *post, n int) []time.Duration {
	b.Helper()
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x744x24", "-nolisten", "tcp")
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	x.ExtraFiles = []*os.File{w}
	x.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := x.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { x.Process.Signal(syscall.SIGTERM); x.Wait() }()
	w.Close()
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	home := filepath.Join(p.dir, "cold")
	var took []time.Duration
	var old *exec.Cmd
	for range n + 1 {
		start := time.Now()
		if old != nil {
			syscall.Kill(-old.Process.Pid, syscall.SIGKILL)
			old.Wait()
		}
		if err := os.RemoveAll(home); err != nil {
			b.Fatal(err)
		}
		if err := os.Mkdir(home, 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.Chown(home, uidLast, uidLast); err != nil {
			b.Fatal(err)
		}
		cmd, s := cold(b, p, home, ":"+strings.TrimSpace(number))
		if err := s.Painted(p.ctx); err != nil {
			b.Fatal(err)
		}
		if old != nil { // the first one had nothing to kill
			took = append(took, time.Since(start))
		}
		old = cmd
	}
	syscall.Kill(-old.Process.Pid, syscall.SIGKILL)
	old.Wait()
	return took
}

// cold starts the browser as a session's is started, but for its sandbox.
func cold(b *testing.B, p *post, home, display string) (*exec.Cmd, *browser.Session) {
	b.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	args := append(browser.SessionFlags(), "--remote-debugging-pipe", "--user-data-dir="+home+"/profile", "--disable-gpu", "about:blank")
	cmd := exec.Command("/usr/lib/chromium/chromium", args...)
	cmd.Env = []string{"HOME=" + home, "TMPDIR=" + home, "DISPLAY=" + display, "PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{inR, outW}
	cmd.Stderr = io.Discard
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uidLast, Gid: uidLast}}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	inR.Close()
	outW.Close()
	pipe, err := browser.NewPipe(outR, inW)
	if err != nil {
		b.Fatal(err)
	}
	s, err := browser.NewSession(p.ctx, pipe, browser.SessionConfig{Portal: []byte(fmt.Sprintf("<!doctype html><title>%s</title><h1>Portail</h1>", display))})
	if err != nil {
		b.Fatal(err)
	}
	return cmd, s
}

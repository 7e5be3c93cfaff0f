package kills

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/browser"
	"borne/scripts/stand"
)

// BenchmarkSessionEnd measures, at the real terminal, from the press that ends a
// session to the receipt that is committed, and to the next sandbox prepared
// and painted. Beside it, in the same run: to kill the same Chromium, remove
// its profile and start it cold. Use -benchtime 20x.
func BenchmarkSessionEnd(b *testing.B) {
	p := newPost(b, 15*time.Minute, false)
	ready := regexp.MustCompile(`msg="standby ready"`)
	if _, ok := p.log.Line(stand.Mark{}, time.Minute, ready); !ok {
		b.Fatalf("no standby\n%s", p.log.Tail(20))
	}
	var wiped, again []time.Duration
	for b.Loop() {
		p.work()
		from := p.log.Mark()
		var pressed time.Time
		for n := 0; n < 50; n++ { // the last press is the one that counts
			pressed = time.Now()
			p.end()
			if _, ok := p.log.Phase(from, 700*time.Millisecond, "wiping"); ok {
				break
			}
		}
		at, ok := p.log.Phase(from, time.Minute, "thanks")
		if !ok {
			b.Fatalf("no receipt\n%s", p.log.Tail(20))
		}
		next, ok := p.log.Line(from, time.Minute, ready)
		if !ok {
			b.Fatalf("no standby\n%s", p.log.Tail(20))
		}
		wiped, again = append(wiped, p.log.Step(at).At.Sub(pressed)), append(again, next.Sub(pressed))
		p.come(from, time.Minute, "welcome")
	}
	cold := coldStarts(b, p, len(again))
	b.Logf("%d sessions: end → receipt committed: median %s, p95 %s; end → next standby painted: median %s, p95 %s",
		len(again), part(wiped, 50), part(wiped, 95), part(again, 50), part(again, 95))
	b.Logf("kill + rm -rf + cold start of the same Chromium alone: median %s, p95 %s; ratio of the medians %.2f",
		part(cold, 50), part(cold, 95), part(again, 50).Seconds()/part(cold, 50).Seconds())
	b.ReportMetric(part(wiped, 50).Seconds(), "s-receipt")
	b.ReportMetric(part(again, 50).Seconds(), "s-ready")
	b.ReportMetric(part(cold, 50).Seconds(), "s-cold")
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

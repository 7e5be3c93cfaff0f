package e2e

import (
	"bytes"
	"context"
	"errors"
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

	"borne/kiosk/printer/printertest"
	"borne/scripts/stand"
)

// startOf is when a process of /proc began, in ticks since the machine did (proc(5),
// stat's field 22).
func startOf(proc string) (uint64, bool) {
	b, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(b), ") ") // its name holds no other
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[19], 10, 64)
	return n, err == nil
}

// inSession prepares a program that runs where the session's browser does, with
// its user: the printer lets in nobody else.
func (h *hall) inSession(argv ...string) *exec.Cmd {
	h.t.Helper()
	// A standby has a press too: the session's is the older one. Numbers of processes
	// begin anew after the last one, their starts do not.
	session, users, oldest := 0, "", uint64(0)
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(h.t, err)
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		words := strings.Split(string(b), "\x00")
		i := slices.Index(words, "-uids")
		if len(words) < 2 || words[1] != "press" || i < 0 || !strings.HasPrefix(words[i+1], "63") {
			continue
		}
		since, ok := startOf(filepath.Dir(path))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && ok && (session == 0 || since < oldest) {
			session, users, oldest = pid, words[i+1], since
		}
	}
	if session == 0 {
		h.t.Fatal("no press runs")
	}
	uid, _, _ := strings.Cut(users, "-")
	c := exec.CommandContext(h.ctx, "nsenter", append([]string{"--target", strconv.Itoa(session), "--mount", "--",
		"/usr/bin/setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs", "--inh-caps=-all"}, argv...)...)
	c.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", "CUPS_SERVER=/run/borne/print/print.sock"}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// roles finds the folders in /proc of the processes of a role.
func (h *hall) roles(role string) (all []string) {
	h.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(h.t, err)
	for _, path := range found {
		words, err := os.ReadFile(path)
		argv := strings.Split(string(words), "\x00")
		if err == nil && len(argv) > 1 && argv[1] == role && (strings.HasSuffix(argv[0], "/borne-kiosk") || argv[0] == "/proc/self/exe") {
			all = append(all, filepath.Dir(path))
		}
	}
	if len(all) == 0 {
		h.t.Fatalf("no process of role %s is found", role)
	}
	return all
}

// forgetPeaks lets the kernel begin anew with what peak tells (clear_refs in proc(5)).
func (h *hall) forgetPeaks() {
	h.t.Helper()
	for _, dir := range append(h.roles("agent"), h.roles("press")...) {
		must(h.t, os.WriteFile(filepath.Join(dir, "clear_refs"), []byte("5"), 0))
	}
}

// peak is the most memory of a role's processes that was resident, in bytes
// (VmHWM in proc(5)).
func (h *hall) peak(role string) (most int64) {
	h.t.Helper()
	for _, dir := range h.roles(role) {
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		must(h.t, err)
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
				kb, err := strconv.ParseInt(f[1], 10, 64)
				must(h.t, err)
				most = max(most, kb<<10)
			}
		}
	}
	return most
}

// send prints a document of some pages, as any program of the session would.
func (h *hall) send(pages int, options ...string) {
	h.t.Helper()
	h.document(printertest.PDF(pages, "Bonjour", 0), options...)
}

func (h *hall) document(pdf []byte, options ...string) {
	h.t.Helper()
	c := h.inSession(append([]string{"lp", "-d", "borne", "-t", "Attestation"}, options...)...)
	c.Stdin = bytes.NewReader(pdf)
	if out, err := c.CombinedOutput(); err != nil {
		h.t.Fatalf("cannot print: %v: %s", err, out)
	}
}

// arrive begins a session.
func (h *hall) arrive() {
	h.t.Helper()
	h.stands("welcome", 60*time.Second)
	h.reach("charter", "Enter")
	h.reach("active", "Enter")
}

// TestSettlement is the table of what a job costs when this and that happens, with
// a real printer whose engine fails when it is told to, and with real kills.
func TestSettlement(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	h := newHall(t, ctx)
	p, err := printertest.Start(printertest.Options{Duplex: true, Colour: true})
	if errors.Is(err, printertest.ErrMissing) {
		t.Skipf("SKIP: %v", err)
	}
	must(t, err)
	defer p.Close()
	h.up(stand.Options{Printer: p.URI()})
	rules := func(hold string, day int) {
		h.policy(func(all map[string]any) {
			pr := section(all, "printing")
			pr["pagesPerSession"], pr["pagesPerHour"], pr["duplexCost"], pr["finishSeconds"], pr["hold"], pr["pagesPerDay"] = 500, 5000, 75, 5, hold, day
			s := section(all, "session")
			s["minutes"], s["idleSeconds"] = 120, 3600
			section(all, "access")["anyBadge"] = true
		}, "printing", "session", "access")
	}
	rules("", 0)
	h.arrive()
	h.picture("settle-session")

	waiting := func() { t.Helper(); must(t, p.Waiting(ctx)) }
	over := func(from int) { t.Helper(); h.found(from, printStage("over")) }
	stop := func() { // from the bar to the job's page, and there « Ne plus imprimer »
		t.Helper()
		from := h.log.mark()
		for range 8 {
			h.person.click(740, 36)
			time.Sleep(700 * time.Millisecond) // nothing tells when a page takes keys
			h.person.key("Tab")
			h.person.key("Enter")
			if _, ok := h.log.find(from, regexp.MustCompile(`msg="print stopped"`), 2*time.Second); ok {
				return
			}
		}
		h.picture("failed")
		t.Fatalf("the job cannot be stopped; the log ends:\n%s", h.log.tail(20))
	}
	one := []string{"-o", "sides=one-sided"}
	n, doubtful := 0, 0
	for _, row := range []struct {
		name    string
		fault   printertest.Fault
		pages   int
		options []string
		then    func(from int) // once it is confirmed
		want    job
	}{
		{"all is well", printertest.None, 6, one, over, job{State: "settled", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600}},
		{"both sides, 2 copies", printertest.None, 5, []string{"-o", "sides=two-sided-long-edge", "-n", "2"}, over,
			job{State: "settled", Asked: 10, Impressions: 10, Sheets: 6, Reserved: 750, Charged: 750, Duplex: true}},
		{"jam at side 3 of 6", printertest.Jam(3), 6, one, func(from int) {
			waiting()
			h.picture("settle-jam")
			must(t, p.Abort())
			over(from)
			h.picture("settle-given")
		}, job{State: "settled", Reason: "print-printer", Asked: 6, Impressions: 2, Sheets: 2, Reserved: 600, Charged: 200}},
		{"counts nothing", printertest.Silent, 6, one, over, job{State: "settled", Reason: "print-silent", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600, Estimated: true}},
		{"no paper, refilled", printertest.Empty(3), 6, one, func(from int) { waiting(); must(t, p.Go()); over(from) },
			job{State: "settled", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600}},
		{"stopped, its engine goes on", printertest.Hold(3), 6, one, func(from int) {
			waiting()
			stop()
			must(t, p.Go())
			over(from)
		}, job{State: "settled", Reason: "print-cancelled", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600}}, // what came out
		{"the agent is killed", printertest.Hold(3), 6, one, func(int) {
			waiting()
			from := h.log.mark()
			must(t, h.stand.KillTerminal())
			h.phase(from, "welcome", 60*time.Second)
			must(t, p.Go())
			over(from)
			h.arrive()
		}, job{State: "settled", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600}},
		{"the controller is killed", printertest.Hold(3), 6, one, func(from int) {
			waiting()
			must(t, h.stand.KillController())
			must(t, p.Go())
			over(from)
		}, job{State: "settled", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600}},
		{"the printer's power is cut", printertest.Hold(3), 6, one, func(from int) {
			waiting()
			p.Off()
			must(t, p.On()) // it knows nothing any more
			over(from)
		}, job{State: "doubtful", Reason: "print-lost", Asked: 6, Reserved: 600}},
		{"it is off, and on again", printertest.None, 6, one, over, job{State: "settled", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600}},
		{"the agent is killed, sending", printertest.None, 6, one, func(int) {
			from := h.log.mark() // the printer is frozen: nothing can have left whole
			must(t, h.stand.KillTerminal())
			must(t, p.Thaw())
			if _, ok := h.log.find(from, printStage("over"), 2*time.Minute); !ok { // it is looked for, for a while
				t.Fatalf("the job has no end; the log ends:\n%s", h.log.tail(20))
			}
			h.arrive()
		}, job{State: "doubtful", Reason: "print-lost", Asked: 6, Reserved: 600}},
	} {
		must(t, p.Fault(row.fault))
		began := time.Now()
		from := h.log.mark()
		h.send(row.pages, row.options...)
		h.found(from, printStage("offered"))
		back := make(chan error, 1)
		if row.name == "it is off, and on again" {
			p.Off()
			// A terminal that has seen it go asks nobody to send anything there: whoever
			// waits presses again once it is back.
			time.AfterFunc(2*time.Second, func() { back <- p.On() })
		}
		if row.name == "the agent is killed, sending" {
			must(t, p.Freeze())
		}
		h.yes(from)
		if row.name == "it is off, and on again" {
			must(t, <-back)
		}
		row.then(from)
		n++
		got := h.jobs(n)[0]
		got.Job = ""
		if got.State == "doubtful" {
			doubtful++
			got.Impressions = 0 // whether its count was heard before the cut is a matter of luck
		}
		// What lay in the kernel whole when the agent was killed comes out once the
		// printer is there again: then it is found there, and charged as it came out.
		if row.name == "the agent is killed, sending" && got.State == "settled" {
			row.want = job{State: "settled", Asked: 6, Impressions: 6, Sheets: 6, Reserved: 600, Charged: 600}
			if n := p.JobsSince(began); n != 1 {
				t.Errorf("charged, and the printer has printed %d jobs", n)
			}
		}
		if got != row.want {
			t.Errorf("%s: %+v, want %+v", row.name, got, row.want)
		}
		t.Logf("%-28s reserved %3d  charged %3d  %-8s %-15s %2d of %2d sides, %d sheets", row.name, got.Reserved, got.Charged, got.State, got.Reason, got.Impressions, got.Asked, got.Sheets)
	}
	// Killed while somebody is asked: nothing was sent, and nothing is charged.
	printed := p.Jobs()
	from := h.log.mark()
	h.send(6, one...)
	h.found(from, printStage("offered"))
	from = h.log.mark()
	must(t, h.stand.KillTerminal())
	h.phase(from, "welcome", 60*time.Second)
	h.arrive()
	// The agent may see its warden die, and say that the job has ended, before it dies too.
	if got := h.jobs(n); len(got) == n+1 && got[0].State == "refunded" && got[0].Charged == 0 && got[0].Reserved == 0 {
		n++
	} else if len(got) != n {
		t.Errorf("killed at the question: %d jobs are told, want %d: %+v", len(got), n, got[0])
	}
	if p.Jobs() != printed {
		t.Errorf("killed at the question: the printer began %d jobs, want %d", p.Jobs(), printed)
	}

	// Two at once: the printer gets one after the other, and each has its price.
	must(t, p.Fault(printertest.Slow(300*time.Millisecond)))
	from = h.log.mark()
	h.send(2, one...)
	h.found(from, printStage("offered"))
	h.send(3, one...)
	h.yes(from)
	second := h.log.mark()
	h.yes(second)
	over(second)
	n += 2
	both := h.jobs(n)[:2]
	if both[0].Charged != 300 || both[1].Charged != 200 || both[0].State != "settled" || both[1].State != "settled" {
		t.Errorf("two at once: %+v", both)
	}
	t.Logf("%-28s reserved 200, 300  charged %d, %d", "two at once", both[1].Charged, both[0].Charged)

	// A large document passes by the agent.
	must(t, p.Fault(printertest.None))
	const large = 50 << 20
	keys, err := h.stand.Keyboard()
	must(t, err)
	h.person.open("view", "about:blank") // its pictures are drawn in the agent, with -sim
	h.forgetPeaks()
	from = h.log.mark()
	h.document(printertest.PDF(1, "Bonjour", large), one...)
	h.found(from, printStage("offered"))
	h.press(keys, from, printStage("submitting"))
	over(from)
	agent, press := h.peak("agent"), h.peak("press")
	h.person.open("view", h.stand.BenchURL+"/view.html")
	n++
	if got := h.jobs(n)[0]; got.Charged != 100 {
		t.Errorf("a large document: %+v", got)
	}
	t.Logf("most memory resident while a document of %d MB passed: agent %d MB, press %d MB", large>>20, agent>>20, press>>20)
	if agent > 40<<20 {
		t.Errorf("the agent took %d MB", agent>>20)
	}

	// What nobody can tell, staff decide.
	var view struct{ Decide []struct{ ID, Job string } }
	h.api("GET", "/api/prints", nil, &view)
	if len(view.Decide) != doubtful || doubtful == 0 {
		t.Fatalf("%d jobs wait for a decision, want the %d in doubt", len(view.Decide), doubtful)
	}
	h.api("POST", "/api/prints/"+view.Decide[0].ID+"/decision", map[string]any{"charge": 200, "reason": "deux feuilles dans le bac"}, nil)
	i := slices.IndexFunc(h.jobs(n), func(j job) bool { return j.State == "decided" })
	if i < 0 || h.jobs(n)[i].Charged != 200 {
		t.Errorf("the decision is not kept: %+v", h.jobs(n))
	}

	// What the rules hold waits for the console.
	must(t, p.Fault(printertest.None))
	rules("always", 0)
	from = h.log.mark()
	h.send(1)
	h.found(from, printStage("offered"))
	held := regexp.MustCompile(`msg=print .*\bto=held\b`)
	for range 8 {
		h.person.key("Enter")
		if _, ok := h.log.find(from, held, 2*time.Second); ok {
			break
		}
	}
	h.found(from, held)
	h.picture("settle-held")
	var hold struct{ Waiting []struct{ Job string } }
	for len(hold.Waiting) == 0 {
		h.api("GET", "/api/prints", nil, &hold)
		select {
		case <-ctx.Done():
			t.Fatal("the console does not see the job that waits")
		case <-time.After(100 * time.Millisecond):
		}
	}
	h.api("POST", "/api/terminals/"+terminal+"/prints/"+hold.Waiting[0].Job, map[string]string{"action": "release"}, nil)
	over(from)
	if got := h.jobs(n + 1)[0]; got.Charged != 100 || got.State != "settled" {
		t.Errorf("released: %+v", got)
	}
	n++

	// Somebody with a badge: the day's pages are the controller's, whichever session asks.
	from = h.log.mark()
	h.api("POST", "/api/terminals/"+terminal+"/commands", map[string]string{"kind": "end", "reason": "essai"}, nil)
	h.phase(from, "thanks", 60*time.Second)
	rules("", 5)
	for _, badge := range []struct {
		pages int
		yes   bool
	}{{4, true}, {2, false}, {1, true}} {
		h.stands("welcome", 60*time.Second)
		from = h.log.mark()
		h.person.press("bench", "[data-tap]")
		h.phase(from, "charter", 20*time.Second)
		h.reach("active", "Enter")
		from = h.log.mark()
		h.send(badge.pages, one...)
		h.found(from, printStage("offered"))
		if badge.yes {
			h.yes(from)
			over(from)
		} else {
			h.picture("settle-quota")
			h.person.key("Enter")
		}
		from = h.log.mark()
		h.api("POST", "/api/terminals/"+terminal+"/commands", map[string]string{"kind": "end", "reason": "essai"}, nil)
		h.phase(from, "thanks", 60*time.Second)
		n++
		got := h.jobs(n)[0]
		if badge.yes && (got.State != "settled" || got.Charged != 100*badge.pages) || !badge.yes && (got.State != "refunded" || got.Charged != 0) {
			t.Errorf("%d pages with a badge that has 5 a day: %+v", badge.pages, got)
		}
		t.Logf("with a badge, 5 a day: %d asked    charged %3d  %-8s %s", badge.pages, got.Charged, got.State, got.Reason)
	}

}

package kills

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/scripts/stand"
)

// victim is what is killed.
type victim string

const (
	theAgent      victim = "agent"
	theWarden     victim = "warden"
	theController victim = "controller"
)

// way leads a terminal that welcomes people into a state, and says where it
// stands after a kill there. Timing says how long after the state was reached
// the kill comes at most: short states are hit at a random instant.
type way struct {
	state  string
	lead   func(p *post)
	stands string
	timing time.Duration
	after  func(p *post) // back to welcome
}

// ways lists every state that a terminal goes through for real. (Broken
// has TestWithoutABrowser; updating needs an update.)
func ways() []way {
	return []way{
		{state: "welcome", lead: func(*post) {}, stands: "welcome"},
		{state: "charter", lead: (*post).begin, stands: "welcome"},
		{state: "opening", lead: (*post).accept, stands: "welcome", timing: 200 * time.Millisecond},
		{state: "active", lead: (*post).work, stands: "welcome", timing: time.Second},
		{state: "warning", lead: func(p *post) { p.work(); p.reach(p.tap, "warning") }, stands: "welcome", timing: 200 * time.Millisecond},
		{state: "ending", lead: func(p *post) {
			p.work()
			p.upload()
			// Not a synchronisation: the person waits a moment, longer than the second
			// between two looks of the terminal at what is being sent.
			time.Sleep(1500 * time.Millisecond)
			p.reach(p.end, "ending")
		}, stands: "welcome", timing: time.Second},
		{state: "wiping", lead: (*post).finish, stands: "welcome", timing: 250 * time.Millisecond},
		{state: "thanks", lead: func(p *post) { from := p.log.Mark(); p.finish(); p.come(from, 60*time.Second, "thanks") }, stands: "welcome", timing: time.Second},
		{state: "closed", lead: func(p *post) { p.close() }, stands: "closed", after: func(p *post) { p.open() }},
		{state: "quarantined", lead: func(p *post) { p.standing("quarantine", "quarantined") }, stands: "quarantined", after: func(p *post) { p.standing("lift", "welcome") }},
		{state: "challenge", lead: func(p *post) { p.standing("quarantine", "quarantined"); p.standing("lift", "challenge") }, stands: "welcome", timing: 200 * time.Millisecond},
		{state: "maintenance", lead: func(p *post) { p.standing("out", "maintenance") }, stands: "maintenance", after: func(p *post) { p.standing("back", "welcome") }},
		// Right after a restart, while the machine is surveyed.
		{state: "starting", lead: func(p *post) {
			from := p.log.Mark()
			p.strike(theAgent)
			p.come(from, 40*time.Second, "starting")
		}, stands: "welcome", timing: 300 * time.Millisecond},
	}
}

func (p *post) begin() { p.t.Helper(); p.reach(p.key("Return"), "charter") }

func (p *post) accept() { p.t.Helper(); p.begin(); p.reach(p.key("Return"), "opening") }

// work has a person's session open.
func (p *post) work() {
	p.t.Helper()
	from := p.log.Mark()
	p.accept()
	p.come(from, 60*time.Second, "active")
}

func (p *post) finish() { p.t.Helper(); p.work(); p.reach(p.end, "wiping") }

// standing sends a command and waits for the phase that it leads to.
func (p *post) standing(command, phase string) {
	p.t.Helper()
	from := p.log.Mark()
	p.command(command)
	p.come(from, 60*time.Second, phase)
}

// upload opens the portal's tile, whose page sends a document without end.
func (p *post) upload() {
	p.t.Helper()
	for range 20 {
		for _, k := range []string{"Tab", "Return"} {
			p.key(k)()
		}
		select {
		case <-p.sent:
			return
		case <-time.After(time.Second):
		}
	}
	p.t.Fatalf("the session's browser uploads nothing\n%s", p.log.Tail(20))
}

// close gives the space hours by which it is closed now; open undoes it.
func (p *post) close() {
	p.t.Helper()
	from := p.log.Mark()
	p.policy(func(pol map[string]any) {
		week, none := make([]any, 7), make([]any, 7)
		for i := range week {
			week[i], none[i] = []any{}, []any{}
		}
		week[(int(time.Now().Weekday())+3)%7] = []any{map[string]int{"from": 480, "to": 1080}}
		h := section(pol, "hours")
		h["always"], h["guarded"], h["weekly"], h["duty"] = false, false, week, none
		h["exceptions"], h["seasons"], h["monthly"] = []any{}, []any{}, []any{}
		h["school"], h["public"] = map[string]any{"zone": "", "mode": "", "weekly": none, "breaks": []any{}}, map[string]any{"mode": "", "worked": []any{}}
	}, "hours")
	p.come(from, 20*time.Second, "closed")
}

func (p *post) open() {
	p.t.Helper()
	from := p.log.Mark()
	p.policy(func(pol map[string]any) { section(pol, "hours")["always"] = true }, "hours")
	p.come(from, 20*time.Second, "welcome")
}

// strike kills at the same instant.
func (p *post) strike(victims ...victim) {
	p.t.Helper()
	var pids []int
	controller, warden := p.stand.Pids()
	for _, v := range victims {
		switch v {
		case theAgent:
			pid, ok := p.agent()
			if !ok {
				p.t.Fatalf("no agent runs\n%s", p.log.Tail(20))
			}
			pids = append(pids, pid)
		case theWarden:
			pids = append(pids, warden)
		case theController:
			pids = append(pids, controller)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			p.t.Fatalf("cannot kill %v: %v", victims, err)
		}
	}
}

// hit leads the terminal into the state, kills there, and checks that it comes
// back clean by itself. It returns the state in which the agent really died.
func (p *post) hit(w way, victims ...victim) string {
	p.t.Helper()
	w.lead(p)
	if w.timing > 0 {
		// Not to wait for anything: to die at another instant each time.
		time.Sleep(time.Duration(p.dice.Int64N(int64(w.timing))))
	}
	before, err := living()
	if err != nil {
		p.t.Fatal(err)
	}
	from := p.log.Mark()
	p.strike(victims...)
	kill, err := ticks()
	if err != nil {
		p.t.Fatal(err)
	}
	at, died, ok := p.log.Boot(from, 60*time.Second)
	if !ok {
		p.t.Fatalf("no agent came back after %v in %s\n%s", victims, w.state, p.log.Tail(40))
	}
	if _, ok := p.log.Phase(stand.Mark{Phase: at}, 100*time.Second, w.stands); !ok {
		p.t.Fatalf("after %v were killed in %s the terminal does not come to %q\n%s", victims, died, w.stands, p.log.Tail(60))
	}
	p.proven(w.stands == "quarantined")
	p.gone(before, kill)
	if now := p.log.Now(); now != w.stands {
		p.t.Fatalf("after %v were killed in %s the terminal goes on to %q by itself", victims, died, now)
	}
	if w.after != nil {
		w.after(p)
	}
	return died
}

// TestKillInEveryState kills the agent or the warden in every state; now and
// then the controller dies with them. KILLS sets another number of kills: from
// 26 on, both die in every state.
func TestKillInEveryState(t *testing.T) {
	kills := len(ways())
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		kills = n
	}
	p := newPost(t, 3*time.Minute+time.Duration(kills)*20*time.Second, upload)
	hits := map[victim]map[string]int{theAgent: {}, theWarden: {}}
	controllers, done := 0, 0
	for round := 0; done < kills; round++ {
		for i, w := range ways() {
			// An agent, then a warden: the next warden forgets how often agents died,
			// so that the pauses between their restarts stay short.
			who := []victim{[]victim{theAgent, theWarden}[(i+round)%2]}
			if p.dice.IntN(5) == 0 {
				who = append(who, theController)
				controllers++
			}
			for try := 0; ; try++ { // a short state is missed now and then
				start := time.Now()
				died := p.hit(w, who...)
				hits[who[0]][died]++
				done++
				t.Logf("%3d: %v in %s (meant %s), back and proven after %.1fs", done, who, died, w.state, time.Since(start).Seconds())
				if died == w.state || try == 4 {
					break
				}
				w.timing /= 3
			}
		}
	}
	for _, w := range ways() {
		agents, wardens := hits[theAgent][w.state], hits[theWarden][w.state]
		if agents+wardens == 0 || done >= 2*len(ways()) && agents*wardens == 0 {
			t.Errorf("in %s the agent was killed %d times, the warden %d times", w.state, agents, wardens)
		}
	}
	agents, wardens := sum(hits[theAgent]), sum(hits[theWarden])
	t.Logf("survived: %d agent kills, %d warden kills (%d of them with the controller's); %d sessions, %d receipts",
		agents, wardens, controllers, len(p.ledger.sessions), len(p.ledger.receipts))
	for v, states := range hits {
		t.Logf("%s: %s", v, list(states))
	}
}

func sum(m map[string]int) int {
	n := 0
	for _, k := range m {
		n += k
	}
	return n
}

func list(m map[string]int) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s %d  ", k, m[k])
	}
	return strings.TrimSpace(b.String())
}

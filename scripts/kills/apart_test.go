package kills

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/scripts/stand"
)

// TestAgentApart kills the agent and the warden while the agent is a unit of
// its own, no child of the warden's, as the shipped units have it. With KILLS
// set, both die in both states.
func TestAgentApart(t *testing.T) {
	p := newPost(t, 4*time.Minute, upload, func(o *stand.Options) { o.Apart = true })
	agent, ok := p.agent()
	if !ok {
		t.Fatal("no agent runs")
	}
	l, err := examine(agent)
	if _, warden := p.stand.Pids(); err != nil || l.parent == warden {
		t.Fatalf("the agent is a child of the warden's (%v)", err)
	}
	for _, w := range ways() {
		for _, who := range []victim{theAgent, theWarden} {
			if meant := map[string]victim{"active": theAgent, "wiping": theWarden}[w.state]; meant == who || meant != "" && os.Getenv("KILLS") != "" {
				died := p.hit(w, who)
				t.Logf("%s in %s (meant %s): back and proven", who, died, w.state)
			}
		}
	}
	p.nobodyElse()
}

// nobodyElse tries to be the agent while one lives.
func (p *post) nobodyElse() {
	p.t.Helper()
	door := p.dir + "/run/agent.sock"
	for _, c := range []struct {
		who  string
		how  []string
		want string
	}{
		{"a second agent", p.stand.Humbly(), "an agent lives already"},
		{"root", []string{"setpriv", "--no-new-privs"}, "want 62000"},
		{"the agent's user with privileges to gain", []string{"setpriv", "--reuid=62000", "--regid=62000", "--clear-groups"}, "want none"},
		{"somebody else", []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, "permission denied"},
	} {
		from := p.log.Mark()
		ctx, cancel := context.WithTimeout(p.ctx, 3*time.Second)
		argv := append(c.how, p.stand.Program("borne-kiosk"), "agent", "-door", door)
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it says why nobody let it in
		out, err := cmd.CombinedOutput()
		cancel()
		if err == nil {
			p.t.Errorf("%s got in", c.who)
		}
		if !strings.Contains(string(out)+p.log.Since(from), c.want) {
			p.t.Errorf("%s: %s\n%s, want %q", c.who, out, p.log.Since(from), c.want)
		}
	}
}

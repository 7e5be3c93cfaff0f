package warden

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

func FuzzParseAuth(f *testing.F) {
	f.Add(authFile(7, newCookie()), 7)
	f.Add([]byte{1, 0, 0, 9}, 0)
	f.Add([]byte{}, 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		c, err := parseAuth(b, n)
		if err == nil && len(b) > 0 && !bytes.Contains(b, c) {
			t.Fatalf("a cookie from nowhere: %x", c)
		}
	})
}

func TestAuthFileComesBack(t *testing.T) {
	c := newCookie()
	got, err := parseAuth(append(authFile(6, newCookie()), authFile(7, c)...), 7)
	if err != nil || !bytes.Equal(got, c) {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := parseAuth(authFile(6, c), 7); err == nil || !strings.Contains(err.Error(), "cannot find a cookie") {
		t.Errorf("error %v", err)
	}
}

func FuzzParseProc(f *testing.F) {
	for _, s := range []string{"Name:\tsh\nUid:\t1\t2\t3\t4\nState:\tZ (zombie)\n", "Uid: 1 2 3", "\n:::\n",
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n", "1 2 3 - - \n", " - ",
		"key shmid perms size cpid lpid nattch uid gid cuid cgid\n 0 7 600 4096 1 1 0 1 1 1 1\n", "uid\n\n1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parseStatus(1, []byte(s))
		parseMounts(s)
		parseSysV(s, uidRange{1, 2})
	})
}

func TestParseSysV(t *testing.T) {
	const text = `       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime
         0         12  1600       4096   100   100      0  1000  1000     0     0          0          0 1700000000
         0         13  1600       4096   100   100      0     0     0  1001     0          0          0 1700000000
         0         14  1600       4096   100   100      0     0     0     0     0          0          0 1700000000
`
	if got := parseSysV(text, uidRange{1000, 1001}); strings.Join(got, " ") != "12 13" {
		t.Errorf("ids %v", got)
	}
}

func FuzzDisplaySetup(f *testing.F) {
	ok := make([]byte, 80)
	ok[16], ok[20], ok[21] = 3, 1, 1
	f.Add(ok)
	f.Add([]byte{})
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		(&display{}).parseSetup(b)
	})
}

// FuzzPlan gives whatever decodes to the checks that stand before every command
// line, path and firewall rule.
func FuzzPlan(f *testing.F) {
	b, err := json.Marshal(lightPlan())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"lang":"fr -x","browser":"e30=","home":"--no-sandbox","width":800,"height":600}`))
	f.Add([]byte(`{"network":{"private":["10.0.0.0/8 } accept; #"],"proxy":"1.2.3.4:80;"}}`))
	w := &warden{c: Config{Resolver: netip.MustParseAddr("192.0.2.53")}}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Plan
		if json.Unmarshal(b, &p) != nil || checkPlan(&p) != nil {
			return
		}
		rules, err := w.checkNetwork(p.Network)
		if err == nil {
			rules.table, rules.link = "t", linkNet{host: "h", ip: rules.resolver, gw: rules.resolver}
			if strings.ContainsAny(rules.text(), "#;'`$\\") && strings.Count(rules.text(), ";") != 8 {
				t.Fatalf("rules %s", rules.text())
			}
		}
		if strings.HasPrefix(p.Home, "-") || strings.HasPrefix(p.Home, "file:") {
			t.Fatalf("home %q", p.Home)
		}
	})
}

// FuzzVerbs gives whatever decodes to the checks of the other verbs.
func FuzzVerbs(f *testing.F) {
	for _, r := range []sandbox.Request{{ID: 1, Shell: &sandbox.Shell{Origin: "http://127.0.0.1:80", Width: 800, Height: 600}},
		{ID: 1, Sign: &sandbox.Sign{Kind: wire.ReceiptSession, Terminal: "t", Session: "s", Permit: "p", Nonce: make([]byte, 16)}},
		{ID: 1, Govern: &sandbox.Govern{Low: true}}, {ID: 1, Wake: &sandbox.Wake{At: time.Unix(1<<31, 0)}}, {ID: 1, Halt: &sandbox.Halt{WakeAt: time.Unix(1<<31, 0)}}} {
		b, err := sandbox.EncodeRequest(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := sandbox.DecodeRequest(b)
		if err != nil {
			return
		}
		switch {
		case r.Sign != nil && checkSign(*r.Sign) == nil:
			if strings.ContainsAny(r.Sign.Permit+r.Sign.Session, "/\x00 \n") {
				t.Fatalf("claim %+v", r.Sign)
			}
		case r.Shell != nil:
			if a, err := parseOrigin(r.Shell.Origin); err == nil && !a.Addr().IsLoopback() {
				t.Fatalf("origin %s", a)
			}
		case r.Wake != nil || r.Halt != nil:
			off := false
			clock := &shelf{}
			w := &warden{c: Config{Clock: clock, Log: slog.New(slog.DiscardHandler)}, off: func(context.Context) error { off = true; return nil }}
			a, _ := w.handle(t.Context(), r)
			if a.Error == "" && a.Power == nil {
				t.Fatal("no answer")
			}
			if !clock.at.IsZero() && (clock.at.Before(time.Now()) || clock.at.After(time.Now().Add(sandbox.MaxSleep))) || off {
				t.Fatalf("off %v with an alarm at %v", off, clock.at)
			}
		}
	})
}

func TestPrepareIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"file":         func(p *Plan) { p.Home = "file:///etc/passwd" },
		"chrome":       func(p *Plan) { p.Home = "chrome://settings" },
		"flag":         func(p *Plan) { p.Home = "--no-sandbox" },
		"script":       func(p *Plan) { p.Home = "javascript:1" },
		"space":        func(p *Plan) { p.Home = "http://a/ --no-sandbox" },
		"language":     func(p *Plan) { p.Lang = "fr --no-sandbox" },
		"layout":       func(p *Plan) { p.Keyboard.Layout = "fr;id" },
		"variant":      func(p *Plan) { p.Keyboard.Variant = "-print" + strings.Repeat("x", 40) },
		"memory":       func(p *Plan) { p.Limits.MemoryMB = 1 << 20 },
		"processes":    func(p *Plan) { p.Limits.MaxProcs = -1 },
		"screen":       func(p *Plan) { p.Width = 0 },
		"policy":       func(p *Plan) { p.Browser = []byte(`[]`) },
		"policy key":   func(p *Plan) { p.Browser = []byte(`{"ExtensionInstallForcelist":["x"]}`) },
		"null policy":  func(p *Plan) { p.Browser = []byte(`null`) },
		"profile":      func(p *Plan) { p.Profile = "../x" },
		"large portal": func(p *Plan) { p.Portal = make([]byte, maxPortal+1) },
	} {
		p := lightPlan()
		change(&p)
		if err := checkPlan(&p); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	w := &warden{c: Config{Resolver: netip.MustParseAddr("192.0.2.53")}}
	for name, n := range map[string]Network{
		"resolver":  {Resolver: "127.0.0.53"},
		"resolver6": {Resolver: "::1"},
		"proxy":     {Proxies: []string{"proxy.local:3128"}},
		"proxy lo":  {Proxies: []string{"127.0.0.1:3128"}},
		"all":       {Private: []string{"0.0.0.0/0"}},
		"metadata":  {Private: []string{"169.254.0.0/16"}},
		"around it": {Private: []string{"169.0.0.0/8"}},
		"nowhere":   {Private: []string{"240.0.0.0/8"}},
		"proxy md":  {Proxies: []string{"169.254.169.254:80"}},
		"proxy any": {Proxies: []string{"0.0.0.0:80"}},
		"mapped lo": {Proxies: []string{"[::ffff:127.0.0.1]:80"}},
		"mapped":    {Private: []string{"::ffff:10.0.0.0/104"}},
		"injection": {Private: []string{"10.0.0.0/8 accept"}},
	} {
		if _, err := w.checkNetwork(n); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := w.checkNetwork(Network{Resolver: "10.1.2.3", Proxies: []string{"10.1.2.4:3128"}, Private: []string{"10.0.0.0/8", "172.16.0.0/12"}}); err != nil {
		t.Errorf("a school's network: %v", err)
	}
	for _, s := range []string{"http://127.0.0.1", "https://127.0.0.1:1", "http://127.0.0.1:1/x", "http://localhost:1", "http://127.0.0.2:1", "http://127.0.0.1:080"} {
		if _, err := parseOrigin(s); err == nil {
			t.Errorf("origin %s is accepted", s)
		}
	}
}

func TestShellPolicyIsKnown(t *testing.T) {
	b, err := json.Marshal(shellPolicy("127.0.0.1:1"))
	must(t, err)
	must(t, checkPolicy(b))
}

func TestSystemResolver(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/a", []byte("# x\nnameserver ::1\n"), 0o600))
	must(t, os.WriteFile(dir+"/b", []byte("nameserver 127.0.0.53\nnameserver 192.0.2.7\n"), 0o600))
	if a, err := systemResolver(dir+"/a", dir+"/none", dir+"/b"); err != nil || a.String() != "127.0.0.53" {
		t.Errorf("%s, %v", a, err)
	}
	if _, err := systemResolver(dir + "/a"); err == nil {
		t.Error("a resolver without an IPv4 address is accepted")
	}
}

// TestSecondVersionGroups uses folders in the place of a cgroup v2 hierarchy
// that a service manager delegated.
func TestSecondVersionGroups(t *testing.T) {
	dir := t.TempDir()
	proc, top := dir+"/proc/self", dir+"/cg/system.slice/borne.service"
	must(t, os.MkdirAll(proc, 0o755))
	must(t, os.MkdirAll(top, 0o755))
	must(t, os.WriteFile(proc+"/mountinfo", []byte("30 20 0:27 / "+dir+"/cg rw - cgroup2 cgroup2 rw\n"), 0o600))
	must(t, os.WriteFile(proc+"/cgroup", []byte("0::/system.slice/borne.service\n"), 0o600))
	must(t, os.WriteFile(top+"/cgroup.controllers", []byte("cpuset cpu io memory pids\n"), 0o600))
	must(t, os.WriteFile(top+"/cgroup.procs", []byte("42\n"), 0o600))
	// Not delegated: nobody is moved, and the root hands its controllers down.
	must(t, os.WriteFile(dir+"/cg/cgroup.controllers", []byte("cpu memory pids\n"), 0o600))
	if c, err := findCgroups(dir+"/proc", "borne-x"); err != nil || !c.full || c.v2 != dir+"/cg" || exists(top+"/warden") {
		t.Errorf("groups %+v, %v", c, err)
	}
	if err := unix.Setxattr(top, "user.delegate", []byte("1"), 0); err != nil {
		t.Skipf("SKIP: the temporary folder takes no attributes: %v", err)
	}
	c, err := findCgroups(dir+"/proc", "borne-x")
	must(t, err)
	if !c.full || c.v2 != top {
		t.Fatalf("groups %+v", c)
	}
	for path, want := range map[string]string{top + "/warden/cgroup.procs": "42", top + "/cgroup.subtree_control": "+memory +pids +cpu"} {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v", path, b, err)
		}
	}
	g := c.make("s1", 100, 50)
	for prop, p := range map[string]wire.Property{"memory": limitHeld(g, wire.PropMemory, "memory", "memory.limit_in_bytes", "memory.max"),
		"pids": limitHeld(g, wire.PropPids, "pids", "pids.max", "pids.max"), "cpu": cpuHeld(g)} {
		if !p.Held || !strings.Contains(p.Detail, "v2") {
			t.Errorf("%s: %+v", prop, p)
		}
	}
	if v := g.read("memory", "", "memory.swap.max"); v != "0" {
		t.Errorf("swap %q", v)
	}
}

func TestMissingControllersAreNamed(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/self", 0o755))
	must(t, os.WriteFile(dir+"/self/mountinfo", nil, 0o600))
	c, err := findCgroups(dir, "borne-x")
	must(t, err)
	g := c.make("s1", 100, 50)
	if p := limitHeld(g, wire.PropMemory, "memory", "memory.limit_in_bytes", "memory.max"); p.Held || !strings.Contains(p.Detail, "cgroup_enable=memory") {
		t.Errorf("%+v", p)
	}
	must(t, c.sweep(time.Now().Add(time.Second), func(string) bool { return false }))
}

package warden

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/resolver"
	"borne/kiosk/sandbox"
	"borne/scripts/internet"

	"golang.org/x/net/dns/dnsmessage"
)

// resolverChild is the resolver's role, as the real program has it.
func resolverChild() int {
	b, err := os.ReadFile(ResolverOrders)
	if err != nil {
		return 1
	}
	orders, err := sandbox.DecodeResolving(b)
	if err != nil {
		return 1
	}
	udp, err1 := net.FilePacketConn(os.NewFile(3, "udp"))
	tcp, err2 := net.FileListener(os.NewFile(4, "tcp"))
	r, err3 := resolver.New(orders, func(list int) { syscall.Write(5, []byte{byte(list)}) })
	if errors.Join(err1, err2, err3) != nil || r.Serve(context.Background(), udp, tcp) != nil {
		return 1
	}
	return 0
}

// askName asks the sandbox's DNS server as a program of the sandbox would, and
// returns addresses and the answer's code.
func askName(pid int, at netip.AddrPort, name string) (found []string, code dnsmessage.RCode, err error) {
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		return nil, 0, err
	}
	err = insideOf(pid, func() error {
		c, err := net.Dial("udp4", at.String())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Write(b); err != nil {
			return err
		}
		in := make([]byte, 1500)
		n, err := c.Read(in)
		if err != nil {
			return err
		}
		var m dnsmessage.Message
		if err := m.Unpack(in[:n]); err != nil {
			return err
		}
		code = m.RCode
		for _, a := range m.Answers {
			if a, ok := a.Body.(*dnsmessage.AResource); ok {
				found = append(found, netip.AddrFrom4(a.A).String())
			}
		}
		return nil
	})
	return found, code, err
}

// TestResolver: real namespaces, a real DNS server in the test's network, and
// the names that lead where nobody may go.
func TestResolver(t *testing.T) {
	if !exists("/usr/sbin/dnsmasq") {
		t.Skip("SKIP: dnsmasq is not installed")
	}
	c := lightConfig(t, 41)
	n, err := internet.Number(1).Up(t.Context(), "www.example", "loop.example=127.0.0.1", "lan.example=10.77.1.9", "school.example=10.88.1.9",
		"meta.example=169.254.169.254", "mapped.example=::ffff:127.0.0.1", "self.example="+internet.Number(1).Gateway)
	must(t, err)
	defer n.Down()
	c.Resolver, c.DNS = netip.MustParseAddr(internet.Number(1).Resolver), []string{"resolver-child"}
	must(t, n.Serve(80, http.NotFoundHandler()))
	w := openTest(t, c)
	p := lightPlan()
	p.Network.Private = []string{"10.88.1.0/24"}
	info, files, err := w.prepare(t.Context(), p)
	must(t, err)
	defer sandbox.CloseAll(files)
	b := w.boxes[info.Sandbox]
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/etc/resolv.conf", b.pid))
	must(t, err)
	if !strings.HasPrefix(string(text), "nameserver "+b.link.gw.String()+"\n") {
		t.Errorf("the session asks %s", text)
	}
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "n"}); err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(b.link.gw, 53)
	waitFor(t, "a name", func() bool {
		a, _, err := askName(b.pid, at, "www.example")
		return err == nil && slices.Equal(a, []string{internet.Number(1).Web})
	})
	for name, want := range map[string]string{"school.example": "10.88.1.9", "loop.example": "", "lan.example": "", "meta.example": "", "mapped.example": "",
		"none.example": "", "localhost.localdomain": "", "canary.invalid": ""} {
		a, code, err := askName(b.pid, at, name)
		if err != nil || strings.Join(a, " ") != want {
			t.Errorf("%s leads to %v (%v), %v", name, a, code, err)
		}
		if want == "" && code != dnsmessage.RCodeNameError && name != "mapped.example" && name != "none.example" {
			t.Errorf("%s: %v", name, code)
		}
	}
	// The designated server itself is out of the session's reach: no question
	// passes by the resolver's side. The machine reaches it.
	past := netip.MustParseAddrPort(internet.Number(1).Resolver + ":53")
	if _, _, err := askName(b.pid, past, "www.example"); err == nil || strings.HasPrefix(err.Error(), "setup") {
		t.Errorf("a session asks the designated server past its own: %v", err)
	}
	if _, _, err := askName(os.Getpid(), past, "www.example"); err != nil {
		t.Errorf("control: %v", err)
	}
	// Nobody else of this machine is answered.
	if _, _, err := askName(os.Getpid(), at, "www.example"); err == nil {
		t.Error("the machine itself is answered")
	}
	t.Run("fenced", func(t *testing.T) { fencedIn(t, b, internet.Number(1).Web+":80") })
	t.Run("properties", func(t *testing.T) {
		in, err := b.asker.members()
		must(t, err)
		n := 0
		for _, q := range in {
			if q.pid == b.asker.pid {
				continue
			}
			n++
			if q.uids != [4]int{b.uids.resolver, b.uids.resolver, b.uids.resolver, b.uids.resolver} || noCaps(q) != "" || noCore(q) != "" || q.fields["NoNewPrivs"] != "1" {
				t.Errorf("the resolver runs as %v, capabilities %q, core %q, no_new_privs %s", q.uids, noCaps(q), noCore(q), q.fields["NoNewPrivs"])
			}
		}
		if n != 1 {
			t.Errorf("%d processes beside the first", n)
		}
	})
	asker := b.asker
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "n", Attempt: 1})
	must(t, err)
	if ev.Failure != "" || asker.alive() {
		t.Errorf("the wipe: %q, and the resolver lives: %t", ev.Failure, asker.alive())
	}
	for _, k := range ev.Checks {
		if k.Name == wire.CheckProcesses && k.Before < 5 { // the sandbox's and the resolver's
			t.Errorf("it saw %d processes before", k.Before)
		}
	}
	assertNothingLeft(t, w.c)
}

// agentList puts a list where the agent would have put it.
func agentList(t *testing.T, c Config, category string, names ...string) sandbox.List {
	t.Helper()
	var keys []uint64
	for _, n := range names {
		keys = append(keys, wire.NameKey(n))
	}
	b, err := wire.BuildList(category, keys)
	must(t, err)
	dir := c.State + "/agent/lists"
	must(t, os.MkdirAll(dir, 0o755))
	l := sandbox.List{Category: category, Digest: wire.ListDigest(b)}
	must(t, os.WriteFile(dir+"/"+l.Digest, b, 0o600))
	return l
}

// TestListsAreEnforced: real namespaces, a list of the agent's, verified and
// shown to the resolver, and hits that come back without any name.
func TestListsAreEnforced(t *testing.T) {
	if !exists("/usr/sbin/dnsmasq") {
		t.Skip("SKIP: dnsmasq is not installed")
	}
	var said strings.Builder
	c := lightConfig(t, 43)
	c.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n, err := internet.Number(1).Up(t.Context(), "www.example", "hidden-name.example", "own-name.example")
	must(t, err)
	defer n.Down()
	c.Resolver, c.DNS = netip.MustParseAddr(internet.Number(1).Resolver), []string{"resolver-child"}
	w := openTest(t, c)
	p := lightPlan()
	p.Network.Lists = []sandbox.List{agentList(t, c, "drogue", "other.example"), agentList(t, c, "adult", "hidden-name.example")}
	p.Network.Block = []string{"own-name.example"}
	info, files, err := w.prepare(t.Context(), p)
	must(t, err)
	defer sandbox.CloseAll(files)
	b := w.boxes[info.Sandbox]
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "n"}); err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(b.link.gw, 53)
	waitFor(t, "a name", func() bool {
		a, _, err := askName(b.pid, at, "www.example")
		return err == nil && slices.Equal(a, []string{internet.Number(1).Web})
	})
	for _, name := range []string{"www.hidden-name.example", "own-name.example"} {
		if a, code, err := askName(b.pid, at, name); err != nil || len(a) > 0 || code != dnsmessage.RCodeNameError {
			t.Errorf("%s leads to %v (%v), %v", name, a, code, err)
		}
	}
	got := map[string]int{}
	for range 2 {
		select {
		case e := <-w.hits:
			if e.Sandbox != info.Sandbox || e.Kind != "refused" || e.Detail != "" {
				t.Errorf("event %+v", e)
			}
			got[e.Category] += e.Count
		case <-time.After(20 * time.Second):
			t.Fatal("nobody tells of the hit")
		}
	}
	if got["adult"] != 1 || got[sandbox.OwnCategory] != 1 {
		t.Errorf("counts %v", got)
	}
	asker := b.asker.pid
	if !exists(fmt.Sprintf("/proc/%d/root%s/1", asker, resolverLists)) {
		t.Error("the resolver does not see its lists: the look for names below would find nothing anywhere")
	}
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "n", Attempt: 1})
	if err != nil || ev.Failure != "" {
		t.Errorf("%+v, %v", ev, err)
	}
	// No name anywhere that outlives the session: logs, evidence, files.
	if text := said.String() + jsonString(ev); strings.Contains(text, "hidden-name") || strings.Contains(text, "own-name") {
		t.Errorf("a name was said: %s", text)
	}
	must(t, filepath.WalkDir(filepath.Dir(c.State), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "hidden-name") || strings.Contains(string(text), "own-name") {
			t.Errorf("%s holds a name", path)
		}
		return err
	}))
	assertNothingLeft(t, w.c)
}

// TestListsAreVerified: the agent's folder is foreign to root.
func TestListsAreVerified(t *testing.T) {
	c := lightConfig(t, 44)
	c.DNS = []string{"resolver-child"}
	w := openTest(t, c)
	good := agentList(t, c, "adult", "a.example")
	dir := c.State + "/agent/lists/"
	changed, link, fifo, gone := agentList(t, c, "drogue", "b.example"), strings.Repeat("1", 64), strings.Repeat("2", 64), strings.Repeat("3", 64)
	must(t, os.WriteFile(dir+changed.Digest, []byte("something else"), 0o600))
	must(t, os.Symlink("/etc/shadow", dir+link))
	must(t, syscall.Mkfifo(dir+fifo, 0o666))
	for name, l := range map[string]sandbox.List{"changed": changed, "a link": {Category: "adult", Digest: link}, "a pipe": {Category: "adult", Digest: fifo},
		"gone": {Category: "adult", Digest: gone}, "another category": {Category: "sect", Digest: good.Digest}} {
		if paths, err := w.adopt([]sandbox.List{l}); err == nil || !strings.HasPrefix(err.Error(), "cannot take over the list") {
			t.Errorf("%s: %v, %v", name, paths, err)
		}
		p := lightPlan()
		p.Network.Lists = []sandbox.List{l}
		if _, _, err := w.prepare(t.Context(), p); err == nil {
			t.Fatalf("%s: a session is made ready", name)
		}
	}
	paths, err := w.adopt([]sandbox.List{good})
	must(t, err)
	// Verified once, it is root's: the agent's copy may change.
	must(t, os.WriteFile(dir+good.Digest, []byte("changed afterwards"), 0o600))
	again, err := w.adopt([]sandbox.List{good})
	must(t, err)
	b, err := os.ReadFile(again[0])
	if err != nil || again[0] != paths[0] || wire.ListDigest(b) != good.Digest {
		t.Errorf("%s, %v", again[0], err)
	}
	if fi, err := os.Stat(again[0]); err != nil || fi.Mode().Perm() != 0o444 || fi.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("%v, %v", fi, err)
	}
	// A newer one that has not come yet leaves the one before in force, of its own category alone.
	if stand, err := w.adopt([]sandbox.List{{Category: "adult", Digest: gone}}); err != nil || len(stand) != 1 || stand[0] != paths[0] {
		t.Errorf("%v, %v", stand, err)
	}
	if stand, err := w.adopt([]sandbox.List{{Category: "sect", Digest: gone}}); err == nil {
		t.Errorf("a list of another category stands in: %v", stand)
	}
	for name, n := range map[string]Network{
		"category": {Lists: []sandbox.List{{Category: "../x", Digest: good.Digest}}}, "own": {Lists: []sandbox.List{{Category: sandbox.OwnCategory, Digest: good.Digest}}},
		"digest": {Lists: []sandbox.List{{Category: "adult", Digest: "../../warden/receipt.key"}}}, "many": {Lists: make([]sandbox.List, sandbox.MaxLists+1)},
		"allow": {Allow: []string{"a b.example"}}, "block": {Block: []string{"https://a.example/"}}, "label": {Block: []string{"com"}},
	} {
		if _, err := w.checkNetwork(n); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// fencedIn: what runs under the resolver's uid reaches the designated server,
// and nothing else of the world.
func fencedIn(t *testing.T, b *box, web string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go accept(l)
	dial := func(uid int, to string) error {
		fd := -1
		must(t, asOwner(uid, func() (err error) {
			fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			return err
		}))
		defer syscall.Close(fd)
		must(t, syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &syscall.Timeval{Sec: 2}))
		ap := netip.MustParseAddrPort(to)
		return syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()})
	}
	if err := dial(b.uids.resolver, internet.Number(1).Resolver+":53"); err != nil {
		t.Errorf("the designated server: %v", err)
	}
	for _, to := range []string{l.Addr().String(), web} {
		if err := dial(b.uids.resolver, to); err == nil {
			t.Errorf("the resolver reaches %s", to)
		}
		if err := dial(0, to); err != nil {
			t.Errorf("control: %v", err)
		}
	}
	// So are datagrams from the socket that the warden makes for it.
	far := linkNet{gw: netip.MustParseAddr("127.0.0.3")}
	for uid, want := range map[int]bool{b.uids.resolver: false, 0: true} {
		files, err := far.listen(t.Context(), uid)
		must(t, err)
		ear, err := net.ListenPacket("udp4", "127.0.0.1:0")
		must(t, err)
		from, err := net.FilePacketConn(files[0])
		must(t, err)
		_, sent := from.WriteTo([]byte("name"), ear.LocalAddr())
		ear.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
		_, _, err = ear.ReadFrom(make([]byte, 8))
		if (err == nil) != want {
			t.Errorf("a datagram of uid %d arrives: %t (%v)", uid, err == nil, sent)
		}
		from.Close()
		ear.Close()
		sandbox.CloseAll(files)
	}
}

// TestASessionEndsWithItsResolver: without names it is of no use.
func TestASessionEndsWithItsResolver(t *testing.T) {
	c := lightConfig(t, 42)
	c.DNS = []string{"resolver-child"}
	w := openTest(t, c)
	info := mustPrepare(t, w)
	b := w.boxes[info.Sandbox]
	in, err := b.asker.members()
	must(t, err)
	for _, p := range in {
		if p.uids[0] == b.uids.resolver {
			must(t, syscall.Kill(p.pid, syscall.SIGKILL))
		}
	}
	select {
	case e := <-w.events:
		if e.Kind != "sandbox-lost" || e.Sandbox != info.Sandbox || !strings.Contains(e.Detail, "resolver") {
			t.Errorf("event %+v", e)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody tells that the resolver is lost")
	}
	if b.alive() {
		t.Error("the sandbox lives on")
	}
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Attempt: 1})
	if err != nil || ev.Failure != "" {
		t.Errorf("%+v, %v", ev, err)
	}
	assertNothingLeft(t, w.c)
}

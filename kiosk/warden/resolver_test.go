package warden

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
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
	if errors.Join(err1, err2) != nil || resolver.New(orders).Serve(context.Background(), udp, tcp) != nil {
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
	c := lightConfig(t, 12)
	n, err := internet.Up(t.Context(), "www.example", "loop.example=127.0.0.1", "lan.example=10.77.1.9", "school.example=10.88.1.9",
		"meta.example=169.254.169.254", "mapped.example=::ffff:127.0.0.1", "self.example="+internet.Gateway)
	must(t, err)
	defer n.Down()
	c.Resolver, c.DNS = netip.MustParseAddr(internet.Resolver), []string{"resolver-child"}
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
		return err == nil && slices.Equal(a, []string{internet.Web})
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
	past := netip.MustParseAddrPort(internet.Resolver + ":53")
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
	t.Run("fenced", func(t *testing.T) { fencedIn(t, b, internet.Web+":80") })
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
	if err := dial(b.uids.resolver, internet.Resolver+":53"); err != nil {
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
	c := lightConfig(t, 13)
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

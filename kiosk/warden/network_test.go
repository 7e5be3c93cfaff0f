package warden

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/sandbox"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// farNet is a network namespace that stands for the rest of the world: a
// server on a public address, one on a private one, and a DNS server.
func farNet(t *testing.T, tag string, host, public, private netip.Addr) {
	t.Helper()
	cmd := exec.Command("/usr/bin/unshare", "--net", "/bin/sleep", "600")
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	// Of this thread: the process's first one may have ended up elsewhere.
	own, err := os.Readlink("/proc/thread-self/ns/net")
	must(t, err)
	waitFor(t, "the far network", func() bool {
		far, err := namespace(cmd.Process.Pid, "net")
		return err == nil && far != own
	})
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "tn" + tag
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "far0", PeerNamespace: netlink.NsPid(cmd.Process.Pid)}))
	near, err := netlink.LinkByName(attrs.Name)
	must(t, err)
	t.Cleanup(func() { netlink.LinkDel(near) })
	must(t, netlink.AddrAdd(near, addr(host, 28)))
	must(t, netlink.LinkSetUp(near))
	ns, err := netns.GetFromPid(cmd.Process.Pid)
	must(t, err)
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	must(t, err)
	defer h.Close()
	far, err := h.LinkByName("far0")
	must(t, err)
	must(t, h.AddrAdd(far, addr(public, 28)))
	must(t, h.AddrAdd(far, addr(private, 32)))
	must(t, h.LinkSetUp(far))
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: near.Attrs().Index, Dst: addr(private, 32).IPNet}))
	for _, a := range []string{net.JoinHostPort(public.String(), "80"), net.JoinHostPort(public.String(), "22"), net.JoinHostPort(private.String(), "80"), net.JoinHostPort(private.String(), "53")} {
		listenIn(t, ns, a)
	}
	for _, a := range []string{net.JoinHostPort(private.String(), "53"), net.JoinHostPort(public.String(), "53"), net.JoinHostPort(public.String(), "443")} {
		echoIn(t, ns, a)
	}
}

// inside runs f on a thread of its own in the network namespace ns.
func inside(ns netns.NsHandle, f func() error) error {
	return onThread(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("setup: %w", err)
		}
		return f()
	})
}

// insideOf is inside for the namespace that process pid lives in.
func insideOf(pid int, f func() error) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	defer ns.Close()
	return inside(ns, f)
}

// echoIn answers datagrams on address inside a network namespace.
func echoIn(t *testing.T, ns netns.NsHandle, address string) {
	t.Helper()
	must(t, inside(ns, func() error {
		c, err := net.ListenPacket("udp4", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			b := make([]byte, 64)
			for {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				c.WriteTo(b[:n], from)
			}
		}()
		return nil
	}))
}

// askIn sends a datagram from inside the network namespace of process pid, and
// waits for the answer.
func askIn(pid int, address string) error {
	return insideOf(pid, func() error { return datagram(address) })
}

func datagram(address string) error {
	c, err := net.Dial("udp4", address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(700 * time.Millisecond))
	if _, err = c.Write([]byte("who?")); err == nil {
		_, err = c.Read(make([]byte, 64))
	}
	return err
}

// listenIn accepts connections on address inside a network namespace.
func listenIn(t *testing.T, ns netns.NsHandle, address string) {
	t.Helper()
	must(t, inside(ns, func() error {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go accept(l)
		return nil
	}))
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

// dialIn connects from inside the network namespace of process pid.
func dialIn(pid int, address string) error {
	return insideOf(pid, func() error {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("setup: %w", err)
		}
		defer syscall.Close(fd)
		// Bounds connect too (socket(7)).
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &syscall.Timeval{Usec: 700_000})
		ap := netip.MustParseAddrPort(address)
		return syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()})
	})
}

// dialMapped is dialIn by way of an IPv6 socket.
func dialMapped(pid int, a netip.AddrPort) error {
	return insideOf(pid, func() error {
		fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("setup: %w", err)
		}
		defer syscall.Close(fd)
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &syscall.Timeval{Usec: 700_000})
		return syscall.Connect(fd, &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()})
	})
}

func TestNetworkIsDeniedByDefault(t *testing.T) {
	c := lightConfig(t, 7)
	host, public, private := netip.MustParseAddr("198.51.100.129"), netip.MustParseAddr("198.51.100.130"), netip.MustParseAddr("10.98.7.9")
	farNet(t, c.tag(), host, public, private)
	w := openTest(t, c)
	p := lightPlan()
	p.Network.Resolver = private.String() // as in a school: its DNS server is on a private address
	info, files, err := w.prepare(t.Context(), p)
	must(t, err)
	defer sandbox.CloseAll(files)
	b := w.boxes[info.Sandbox]
	web := netip.AddrPortFrom(public, 80).String()
	if err := dialIn(b.pid, web); err == nil {
		t.Fatal("a standby reaches the network before it is admitted")
	}
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "n"}); err != nil {
		t.Fatal(err)
	}
	var reached error
	deadline := time.Now().Add(10 * time.Second)
	for reached = dialIn(b.pid, web); reached != nil && time.Now().Before(deadline); {
		reached = dialIn(b.pid, web)
	}
	if reached != nil {
		t.Fatalf("a public server on port 80: %v", reached)
	}
	// Not even the DNS server that was named: only the sandbox's own resolver asks it.
	if err := dialIn(b.pid, netip.AddrPortFrom(private, 53).String()); err == nil || strings.HasPrefix(err.Error(), "setup") {
		t.Errorf("the designated DNS server: %v", err)
	}
	for _, other := range []netip.AddrPort{netip.AddrPortFrom(private, 53), netip.AddrPortFrom(public, 53), netip.AddrPortFrom(public, 443)} {
		if err := askIn(b.pid, other.String()); err == nil || strings.HasPrefix(err.Error(), "setup") {
			t.Errorf("datagrams to %s: %v", other, err)
		}
		if err := datagram(other.String()); err != nil { // the control
			t.Errorf("control: %v", err)
		}
	}
	// No way round by IPv6: nothing but loopback has an address of it.
	v6, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/if_inet6", b.pid))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(v6)) {
		if !strings.HasSuffix(strings.TrimSpace(line), " lo") {
			t.Errorf("an IPv6 address: %s", line)
		}
	}
	// Services of the machine itself: on the link's own address, on another of
	// its addresses, and on all of them.
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	must(t, err)
	defer l.Close()
	go accept(l)
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	for name, a := range map[string]netip.AddrPort{
		"the machine, on the link":       netip.AddrPortFrom(b.link.gw, port),
		"the machine, on its network":    netip.AddrPortFrom(host, port),
		"the machine, loopback":          netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port),
		"a public server, another port":  netip.AddrPortFrom(public, 22),
		"a private server":               netip.AddrPortFrom(private, 80),
		"the metadata service of clouds": netip.MustParseAddrPort("169.254.169.254:80"),
	} {
		err := dialIn(b.pid, a.String())
		if err == nil {
			t.Errorf("%s (%s) is reached", name, a)
		}
		if err != nil && strings.HasPrefix(err.Error(), "setup") {
			t.Fatal(err)
		}
	}
	// Written as IPv6 (::ffff:127.0.0.1) they are the same addresses.
	for _, a := range []netip.AddrPort{netip.AddrPortFrom(b.link.gw, port), netip.AddrPortFrom(host, port), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port),
		netip.AddrPortFrom(private, 80), netip.MustParseAddrPort("169.254.169.254:80")} {
		if err := dialMapped(b.pid, a); err == nil || strings.HasPrefix(err.Error(), "setup") {
			t.Errorf("[::ffff:%s]:%d: %v", a.Addr(), a.Port(), err)
		}
	}
	if err := dialMapped(b.pid, netip.AddrPortFrom(public, 80)); err != nil {
		t.Errorf("control: a public server by its mapped address: %v", err)
	}
	// The control: each of those answers where nothing forbids it.
	for _, a := range []netip.AddrPort{netip.AddrPortFrom(host, port), netip.AddrPortFrom(public, 22), netip.AddrPortFrom(private, 80)} {
		conn, err := net.DialTimeout("tcp4", a.String(), 5*time.Second)
		if err != nil {
			t.Errorf("control: %v", err)
			continue
		}
		conn.Close()
	}
}

func TestNamedExceptionIsReached(t *testing.T) {
	c := lightConfig(t, 8)
	private := netip.MustParseAddr("10.98.8.9")
	farNet(t, c.tag(), netip.MustParseAddr("198.51.100.145"), netip.MustParseAddr("198.51.100.146"), private)
	w := openTest(t, c)
	p := lightPlan()
	p.Network.Private = []string{"10.98.8.0/24"}
	p.Network.Proxies = []string{"198.51.100.146:22"} // a port that stays shut without its name
	info, files, err := w.prepare(t.Context(), p)
	must(t, err)
	defer sandbox.CloseAll(files)
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "n"}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for err = errors.New(""); err != nil && time.Now().Before(deadline); {
		err = dialIn(w.boxes[info.Sandbox].pid, private.String()+":80")
	}
	if err != nil {
		t.Errorf("a named private server: %v", err)
	}
	if err := dialIn(w.boxes[info.Sandbox].pid, "198.51.100.146:22"); err != nil {
		t.Errorf("a named proxy: %v", err)
	}
	if err := dialIn(w.boxes[info.Sandbox].pid, private.String()+":53"); err == nil || strings.HasPrefix(err.Error(), "setup") {
		t.Errorf("another port of the named network: %v", err)
	}
}

func TestChangedRulesAreNoticed(t *testing.T) {
	w := openTest(t, lightConfig(t, 9))
	info := mustPrepare(t, w)
	b := w.boxes[info.Sandbox]
	if _, err := nft(context.Background(), "flush chain inet "+b.rules.table+" leaving\n", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "n"}); err == nil || !strings.Contains(err.Error(), "cannot trust the firewall") {
		t.Errorf("error %v", err)
	}
	if p := props(w.properties(t.Context(), b))["default-deny"]; p.Held {
		t.Errorf("%+v", p)
	}
}

func TestTheShellIsFencedBeforeItRuns(t *testing.T) {
	c := lightConfig(t, 11)
	fenced := false
	c.ShellPrograms = func(j Job) ([]Program, error) {
		out, err := nft(context.Background(), "", "list", "table", "inet", shellTable(c.tag()))
		fenced = err == nil && strings.Contains(string(out), fmt.Sprint("skuid ", j.Browser, " reject"))
		return sleeper(j)
	}
	w := openTest(t, c)
	files, err := w.openShell(t.Context(), sandbox.Shell{Origin: "http://127.0.0.1:9", Width: 800, Height: 600})
	must(t, err)
	defer sandbox.CloseAll(files)
	if !fenced {
		t.Error("the shell's browser starts in the machine's network without its fence")
	}
	w.c.ShellPrograms = func(Job) ([]Program, error) { return nil, errors.New("cannot") }
	if _, err := w.openShell(t.Context(), sandbox.Shell{Origin: "http://127.0.0.1:9", Width: 800, Height: 600}); err == nil {
		t.Fatal("a shell without programs opens")
	}
	if out, err := nft(context.Background(), "", "list", "tables"); err != nil || strings.Contains(string(out), shellTable(c.tag())) {
		t.Errorf("its fence is left: %s, %v", out, err)
	}
}

package escape

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"borne/scripts/internet"

	"golang.org/x/sys/unix"
)

// Hosts that no session may reach: each answers whoever comes, and keeps that
// somebody came.
const (
	lan10     = "10.99.0.5"
	lan172    = "172.16.9.9"
	lan192    = "192.168.77.7"
	shared    = "100.64.0.9"
	benchmark = "198.18.0.9"
	metadata  = "169.254.169.254"
)

// names of the test web: the hostile site, and names that lead inside.
func names() []string {
	return []string{"piege.test",
		"boucle.test=127.0.0.1",
		"lan.test=" + lan10,
		"nuage.test=" + metadata,
		"clair.test",                              // without TLS: its pages may ask http:// addresses
		"deux.test=" + internet.Web + "," + lan10, // a rebinding: the site closes its own port, the next address is inside
	}
}

// canaries listen where nothing of a session may arrive.
type canaries struct {
	mu    sync.Mutex
	came  map[string]int // address:port → how many
	close func()
	local string // address of the machine's loopback that listens
	stop  []io.Closer
}

// newCanaries puts one on each forbidden host, on the machine's own addresses
// and its loopback, and on ports of a public host that sessions do not need.
func newCanaries(web *internet.Net) (*canaries, error) {
	c := &canaries{came: map[string]int{}}
	c.close = func() {
		for _, s := range c.stop {
			s.Close()
		}
	}
	for _, host := range []string{lan10, lan172, lan192, shared, benchmark, metadata} {
		if err := web.Neighbour(host); err != nil {
			return c, err
		}
	}
	err := web.Do(func() error {
		for _, at := range []string{lan10 + ":80", lan10 + ":443", lan10 + ":631", lan172 + ":80", lan192 + ":443", shared + ":80", benchmark + ":80", metadata + ":80",
			internet.Web + ":8080", internet.Web + ":22", internet.Web + ":25"} {
			if err := c.listen(at); err != nil {
				return err
			}
		}
		for _, at := range []string{internet.Web + ":53", internet.Web + ":443", internet.Web + ":3478", lan10 + ":53"} {
			if err := c.hear(at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	for _, at := range []string{internet.Gateway + ":80", internet.Gateway + ":8443"} {
		if err := c.listen(at); err != nil {
			return c, err
		}
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return c, err
	}
	c.local = ln.Addr().String()
	c.serve(ln, c.local)
	return c, nil
}

func (c *canaries) listen(at string) error {
	ln, err := net.Listen("tcp4", at)
	if err != nil {
		return fmt.Errorf("cannot put a canary at %s: %w", at, err)
	}
	c.serve(ln, at)
	return nil
}

func (c *canaries) serve(ln net.Listener, at string) {
	c.stop = append(c.stop, ln)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.hit(at)
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(3 * time.Second))
				conn.Read(make([]byte, 2048))
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 6\r\nConnection: close\r\n\r\nCANARI")
			}()
		}
	}()
}

// hear waits for datagrams.
func (c *canaries) hear(at string) error {
	p, err := net.ListenPacket("udp4", at)
	if err != nil {
		return fmt.Errorf("cannot put a canary at %s: %w", at, err)
	}
	c.stop = append(c.stop, p)
	go func() {
		b := make([]byte, 2048)
		for {
			_, _, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			c.hit("udp " + at)
		}
	}()
	return nil
}

// inside puts a canary on the loopback of a process's network namespace: what
// the machine's own loopback would be to it without one.
func (c *canaries) inside(pid int, at string) error {
	return internet.Thread(func() error {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil {
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
			f.Close()
		}
		if err == nil {
			err = c.listen(at)
		}
		return err
	})
}

func (c *canaries) hit(at string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came[at]++
}

// count is how many came to those addresses, or to all when none is named.
func (c *canaries) count(at ...string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for where, hits := range c.came {
		for _, a := range at {
			if where == a {
				n += hits
			}
		}
		if len(at) == 0 {
			n += hits
		}
	}
	return n
}

// listening lists the machine's TCP ports on loopback or all addresses that
// belong to a user in a range.
func (h *hall) listening(low, high int) []netip.AddrPort {
	_, warden := h.stand.Pids() // a thread of ours may be in another network
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", warden))
	if err != nil {
		return nil
	}
	var all []netip.AddrPort
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 8 || f[3] != "0A" {
			continue
		}
		uid, _ := strconv.Atoi(f[7])
		_, port, _ := strings.Cut(f[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		if err == nil && uid >= low && uid <= high {
			all = append(all, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(n)))
		}
	}
	return all
}

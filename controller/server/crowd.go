package server

import (
	"net"
	"net/netip"
	"sync"
)

// Limits on connections that are open at once to what people reach. A page of the
// console holds six at most; a whole building may come from one address.
const (
	maxOpen    = 8192
	maxOpenOne = 1024
)

// crowd closes connections beyond a limit for each address, so that one that opens
// all it can leaves room for others. Proxies are many people, and have no limit of
// their own.
type crowd struct {
	net.Listener
	free func(peer string) bool // a proxy's
	mu   sync.Mutex
	all  int
	by   map[netip.Addr]int
}

func newCrowd(ln net.Listener, free func(string) bool) *crowd {
	return &crowd{Listener: ln, free: free, by: map[netip.Addr]int{}}
}

// Accept waits for a connection that has room.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who, ok := c.enter(conn.RemoteAddr().String())
		if !ok {
			conn.Close() // without a word: one would cost a handshake
			continue
		}
		return &guest{Conn: conn, leave: sync.OnceFunc(func() { c.leave(who) })}, nil
	}
}

func (c *crowd) enter(peer string) (who netip.Addr, ok bool) {
	if p, err := netip.ParseAddrPort(peer); err == nil && !c.free(peer) {
		who = p.Addr().Unmap().WithZone("")
		if who.Is6() { // whoever has one address there has all of them
			who = netip.PrefixFrom(who, 64).Masked().Addr()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= maxOpen || who.IsValid() && c.by[who] >= maxOpenOne {
		return who, false
	}
	c.all++
	if who.IsValid() {
		c.by[who]++
	}
	return who, true
}

func (c *crowd) leave(who netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if who.IsValid() {
		if c.by[who]--; c.by[who] == 0 {
			delete(c.by, who)
		}
	}
}

// guest is a connection that leaves once.
type guest struct {
	net.Conn
	leave func()
}

func (c *guest) Close() error {
	c.leave()
	return c.Conn.Close()
}

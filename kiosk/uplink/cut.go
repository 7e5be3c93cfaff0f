package uplink

import (
	"context"
	"errors"
	"net"
	"sync"
)

// ErrCut reports a network that the simulator's bench has cut.
var ErrCut = errors.New("the network is cut at the bench")

// Switch is a network that can be cut: the simulator's bench holds one.
type Switch struct {
	dial DialFunc
	mu   sync.Mutex
	cut  bool
	live map[*switched]struct{}
}

// NewSwitch wraps dial; nil is net.Dialer's.
func NewSwitch(dial DialFunc) *Switch {
	if dial == nil {
		dial = (&net.Dialer{Timeout: handshakeWithin}).DialContext
	}
	return &Switch{dial: dial, live: map[*switched]struct{}{}}
}

// Set cuts the network (false) or mends it (true). A cut closes every
// connection before it returns.
func (s *Switch) Set(on bool) {
	s.mu.Lock()
	s.cut = !on
	var drop []*switched
	if !on {
		for c := range s.live {
			drop = append(drop, c)
		}
	}
	s.mu.Unlock()
	for _, c := range drop {
		c.Close()
	}
}

// On tells whether the network is there.
func (s *Switch) On() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cut
}

// Dial is a DialFunc.
func (s *Switch) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !s.On() {
		return nil, ErrCut
	}
	c, err := s.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w := &switched{Conn: c, of: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut { // while it was dialled
		c.Close()
		return nil, ErrCut
	}
	s.live[w] = struct{}{}
	return w, nil
}

type switched struct {
	net.Conn
	of *Switch
}

func (c *switched) Close() error {
	c.of.mu.Lock()
	delete(c.of.live, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

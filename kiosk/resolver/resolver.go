// Package resolver is the DNS server of one sandbox, in a process of its own
// that dies with it: its memory holds names that a person asked for. It answers
// that sandbox alone, asks the one server that the warden named, and drops
// answers that lead to this machine or the local network, or that a list of
// names refuses. It never says or stores a name: a hit is one number.
package resolver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"borne/kiosk/sandbox"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

// Limits on foreign bytes and on work. All workers are there from the start:
// what they cannot take at once waits in the kernel, which drops the rest.
const (
	udpWorkers  = 48
	tcpWorkers  = 8
	udpSize     = 1232 // bytes of a datagram: no fragments (DNS flag day 2020)
	perConn     = 64   // questions on one connection
	connTime    = 10 * time.Second
	askTime     = 1500 * time.Millisecond // for one attempt
	attempts    = 2                       // of which the second repeats a lost datagram
	maxAnswers  = 32                      // records that are passed on
	maxTTL      = 300                     // seconds: a session is short
	perSecond   = 200                     // questions, at most, in the long run
	burst       = 600                     // a page with many hosts
	maxQuestion = 512                     // bytes
)

// Resolver answers one sandbox.
type Resolver struct {
	orders sandbox.Resolving
	pace   *rate.Limiter
	filter *filter
}

// New makes a resolver out of the warden's orders. hit is told that a name was
// refused: by which list, or sandbox.OwnHit; it must not block. Nil: nobody is.
func New(orders sandbox.Resolving, hit func(list int)) (*Resolver, error) {
	f, err := newFilter(orders, hit)
	if err != nil {
		return nil, err
	}
	return &Resolver{orders: orders, pace: rate.NewLimiter(perSecond, burst), filter: f}, nil
}

// Serve answers on both sockets until ctx ends; it then returns nil.
func (r *Resolver) Serve(ctx context.Context, udp net.PacketConn, tcp net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for range udpWorkers {
		wg.Go(func() { cancel(r.datagrams(ctx, udp)) })
	}
	for range tcpWorkers {
		wg.Go(func() { cancel(r.connections(ctx, tcp)) })
	}
	<-ctx.Done()
	udp.Close()
	tcp.Close()
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cannot answer the session: %w", err)
	}
	return nil
}

// datagrams is one worker.
func (r *Resolver) datagrams(ctx context.Context, c net.PacketConn) error {
	buf := make([]byte, maxQuestion+1)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if n > maxQuestion || !r.knows(from) {
			continue
		}
		reply := r.answer(ctx, buf[:n], false)
		clear(buf[:n])
		if reply != nil {
			c.WriteTo(reply, from) // one that is lost is asked for again
		}
	}
}

// connections is one worker.
func (r *Resolver) connections(ctx context.Context, l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if r.knows(c.RemoteAddr()) {
			r.connection(ctx, c)
		}
		c.Close()
	}
}

func (r *Resolver) connection(ctx context.Context, c net.Conn) {
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(connTime))
	for range perConn {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		n := int(size[0])<<8 | int(size[1])
		if n > maxQuestion {
			return
		}
		q := make([]byte, n)
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		reply := r.answer(ctx, q, true)
		if reply == nil {
			return
		}
		if _, err := c.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...)); err != nil {
			return
		}
	}
}

// knows tells whether a question comes from the sandbox.
func (r *Resolver) knows(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap() == r.orders.From
}

// answer returns the bytes to send back; nil for none.
func (r *Resolver) answer(ctx context.Context, b []byte, tcp bool) []byte {
	q := new(dns.Msg)
	if !r.pace.Allow() || q.Unpack(b) != nil || q.Response || q.Opcode != dns.OpcodeQuery || len(q.Question) != 1 {
		return nil
	}
	reply := r.decide(ctx, q.Question[0])
	reply.Id, reply.Response, reply.RecursionDesired, reply.RecursionAvailable = q.Id, true, q.RecursionDesired, true
	reply.Question, reply.Compress = q.Question, true
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = min(max(size, int(opt.UDPSize())), udpSize)
		reply.SetEdns0(udpSize, false)
	}
	if !tcp {
		reply.Truncate(size)
	}
	out, err := reply.Pack()
	if err != nil {
		return nil
	}
	return out
}

package resolver

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"borne/kiosk/sandbox"
)

// FuzzUpstream is a server of the network that answers with whatever bytes it likes: what
// the session is told has no address that is closed to it and nothing but addresses and
// aliases, and fits a datagram.
func FuzzUpstream(f *testing.F) {
	closed := netip.MustParsePrefix("10.0.0.0/8")
	add := func(change func(*dns.Msg)) {
		m := new(dns.Msg)
		m.SetQuestion("www.example.", dns.TypeA)
		m.Response = true
		change(m)
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	record := func(s string) dns.RR {
		rr, err := dns.NewRR(s)
		if err != nil {
			f.Fatal(err)
		}
		return rr
	}
	add(func(m *dns.Msg) { m.Answer = []dns.RR{record("www.example. 60 IN A 203.0.113.7")} })
	add(func(m *dns.Msg) { m.Answer = []dns.RR{record("www.example. 60 IN A 10.0.0.1")} })
	add(func(m *dns.Msg) {
		m.Answer = []dns.RR{record("www.example. 60 IN CNAME a.example."), record("a.example. 60 IN CNAME www.example."), record("a.example. 60 IN A 203.0.113.7")}
	})
	add(func(m *dns.Msg) { m.Answer = []dns.RR{record("www.example. 60 IN TXT \"x\"")} })
	add(func(m *dns.Msg) { m.Rcode = dns.RcodeNameError })
	f.Add([]byte{0, 1})

	up, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	var mu sync.Mutex
	var answer []byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := up.ReadFrom(buf)
			if err != nil {
				return
			}
			mu.Lock()
			b := append([]byte{}, answer...)
			mu.Unlock()
			if n >= 2 && len(b) >= 2 {
				copy(b, buf[:2]) // its number is no secret to it
			}
			up.WriteTo(b, from)
		}
	}()
	f.Cleanup(func() { up.Close(); <-done })
	at, err := netip.ParseAddrPort(up.LocalAddr().String())
	if err != nil {
		f.Fatal(err)
	}
	q := new(dns.Msg)
	q.SetQuestion("www.example.", dns.TypeA)
	ask, err := q.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := New(sandbox.Resolving{From: netip.MustParseAddr("127.0.0.1"), Upstream: at, Closed: []netip.Prefix{closed}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		answer = b
		mu.Unlock()
		// What is no answer is waited for in vain: not longer than this.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		out := r.answer(ctx, ask, false)
		m := new(dns.Msg)
		if len(out) > udpSize || m.Unpack(out) != nil {
			t.Fatalf("%d bytes that cannot be read", len(out))
		}
		if m.Id != q.Id || !m.Response || len(m.Question) != 1 || m.Question[0].Name != "www.example." || len(m.Ns)+len(m.Extra) != 0 || len(m.Answer) > maxAnswers {
			t.Fatalf("the session is told %s", m)
		}
		for _, rr := range m.Answer {
			if rr.Header().Ttl > maxTTL {
				t.Fatalf("%s", rr)
			}
			switch rr := rr.(type) {
			case *dns.A:
				if a, ok := netip.AddrFromSlice(rr.A); !ok || closed.Contains(a.Unmap()) {
					t.Fatalf("the session is led to %s", rr)
				}
			case *dns.CNAME:
			default:
				t.Fatalf("the session is told %s", rr)
			}
		}
	})
}

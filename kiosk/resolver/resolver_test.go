package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/sandbox"

	"github.com/miekg/dns"
)

// upstream is a DNS server that says what zone says, whatever that is.
func upstream(t *testing.T, zone func(q *dns.Msg, tcp bool) *dns.Msg) netip.AddrPort {
	t.Helper()
	pc, ln := bothPorts(t)
	for _, s := range []*dns.Server{{PacketConn: pc}, {Listener: ln}} {
		s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			_, tcp := w.RemoteAddr().(*net.TCPAddr)
			if m := zone(q, tcp); m != nil {
				w.WriteMsg(m)
			}
		})
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
	}
	return netip.MustParseAddrPort(pc.LocalAddr().String())
}

// start runs a resolver on loopback; the sandbox is whoever asks from there.
func start(t *testing.T, o sandbox.Resolving) string { return startFor(t, o, nil) }

// bothPorts listens on one number for both protocols: a free one of the first may be
// taken in the second.
func bothPorts(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
		must(t, err)
		ln, err := net.Listen("tcp4", pc.LocalAddr().String())
		if err == nil {
			return pc, ln
		}
		pc.Close()
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	t.Fatal("no number is free for both protocols")
	return nil, nil
}

func startFor(t *testing.T, o sandbox.Resolving, hit func(int)) string {
	t.Helper()
	if !o.From.IsValid() {
		o.From = netip.MustParseAddr("127.0.0.1")
	}
	o.Closed = append(o.Closed, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"))
	pc, ln := bothPorts(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	r, err := New(o, hit)
	must(t, err)
	go func() { done <- r.Serve(ctx, pc, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("it ends with %v", err)
		}
	})
	return pc.LocalAddr().String()
}

func query(t *testing.T, network, at, name string, kind uint16) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	in, _, err := (&dns.Client{Net: network, Timeout: 10 * time.Second}).Exchange(m, at)
	if err != nil {
		t.Fatalf("%s over %s: %v", name, network, err)
	}
	return in
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func record(t *testing.T, s string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(s)
	must(t, err)
	return rr
}

// zoneOf answers from text, whatever type is asked for.
func zoneOf(t *testing.T, asked *atomic.Int32, lines ...string) func(*dns.Msg, bool) *dns.Msg {
	var all []dns.RR
	for _, l := range lines {
		all = append(all, record(t, l))
	}
	return func(q *dns.Msg, _ bool) *dns.Msg {
		asked.Add(1)
		m := new(dns.Msg)
		m.SetReply(q)
		at := strings.ToLower(q.Question[0].Name)
		for _, rr := range all {
			if strings.EqualFold(rr.Header().Name, at) {
				m.Answer = append(m.Answer, rr)
				if c, ok := rr.(*dns.CNAME); ok {
					at = c.Target
				}
			}
		}
		if len(m.Answer) == 0 {
			m.Rcode = dns.RcodeNameError
		}
		m.Extra = append(m.Extra, record(t, "hidden.example. 60 IN TXT \"carried along\""))
		return m
	}
}

func TestAnswers(t *testing.T) {
	var asked atomic.Int32
	up := upstream(t, zoneOf(t, &asked,
		"www.example. 86400 IN CNAME alias.example.", "alias.example. 60 IN A 198.51.100.7", "alias.example. 60 IN A 198.51.100.8",
		"alias.example. 60 IN TXT \"more\"",
		"mapped.example. 60 IN AAAA ::ffff:127.0.0.1",
		"far.example. 60 IN CNAME lan.example.", "loop.example. 60 IN A 127.0.0.1", "lan.example. 60 IN A 10.9.9.9", "school.example. 60 IN A 10.1.2.3", "meta.example. 60 IN A 169.254.169.254",
		"mixed.example. 60 IN A 198.51.100.7", "mixed.example. 60 IN A 10.9.9.9",
		"tohost.example. 60 IN CNAME localhost.",
		"localhost. 60 IN A 198.51.100.7", "canary.invalid. 60 IN A 198.51.100.7", "wpad. 60 IN A 198.51.100.7"))
	at := start(t, sandbox.Resolving{Upstream: up, Open: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}})
	for _, c := range []struct {
		name  string
		kind  uint16
		rcode int
		want  string // addresses
	}{
		{"www.example.", dns.TypeA, dns.RcodeSuccess, "198.51.100.7 198.51.100.8"},
		{"WwW.eXample.", dns.TypeA, dns.RcodeSuccess, "198.51.100.7 198.51.100.8"},
		{"school.example.", dns.TypeA, dns.RcodeSuccess, "10.1.2.3"}, // the policy names that network
		{"loop.example.", dns.TypeA, dns.RcodeNameError, ""},
		{"lan.example.", dns.TypeA, dns.RcodeNameError, ""},
		{"meta.example.", dns.TypeA, dns.RcodeNameError, ""},
		{"mixed.example.", dns.TypeA, dns.RcodeNameError, ""},
		{"far.example.", dns.TypeA, dns.RcodeNameError, ""},
		{"tohost.example.", dns.TypeA, dns.RcodeNameError, ""},
		{"nothing.example.", dns.TypeA, dns.RcodeNameError, ""},
		{"mapped.example.", dns.TypeA, dns.RcodeSuccess, ""},
	} {
		for _, network := range []string{"udp", "tcp"} {
			in := query(t, network, at, c.name, c.kind)
			var got []string
			for _, rr := range in.Answer {
				switch rr := rr.(type) {
				case *dns.A:
					got = append(got, rr.A.String())
				case *dns.CNAME:
				default:
					t.Errorf("%s: a record that nobody asked for: %v", c.name, rr)
				}
				if rr.Header().Ttl > maxTTL {
					t.Errorf("%s: it may be kept for %d s", c.name, rr.Header().Ttl)
				}
			}
			if in.Rcode != c.rcode || strings.Join(got, " ") != c.want {
				t.Errorf("%s over %s: %s with %q", c.name, network, dns.RcodeToString[in.Rcode], got)
			}
			if len(in.Extra)+len(in.Ns) > 0 {
				t.Errorf("%s: more than the answer: %v", c.name, in)
			}
		}
	}
	before := asked.Load()
	for _, c := range []struct {
		name  string
		kind  uint16
		rcode int
	}{
		{"www.example.", dns.TypeAAAA, dns.RcodeSuccess}, {"www.example.", dns.TypeHTTPS, dns.RcodeSuccess},
		{"www.example.", dns.TypeTXT, dns.RcodeRefused}, {"www.example.", dns.TypeANY, dns.RcodeRefused}, {"1.2.1.10.in-addr.arpa.", dns.TypePTR, dns.RcodeRefused},
		{"localhost.", dns.TypeA, dns.RcodeNameError}, {"a.localhost.", dns.TypeA, dns.RcodeNameError},
		{"canary.invalid.", dns.TypeA, dns.RcodeNameError}, {"wpad.", dns.TypeA, dns.RcodeNameError},
	} {
		if in := query(t, "udp", at, c.name, c.kind); in.Rcode != c.rcode || len(in.Answer) > 0 {
			t.Errorf("%s %s: %v", c.name, dns.TypeToString[c.kind], in)
		}
	}
	if n := asked.Load() - before; n > 0 {
		t.Errorf("%d questions left this machine that nobody may ask", n)
	}
}

func TestOnlyTheSandboxIsAnswered(t *testing.T) {
	var asked atomic.Int32
	up := upstream(t, zoneOf(t, &asked, "www.example. 60 IN A 198.51.100.7"))
	at := start(t, sandbox.Resolving{Upstream: up, From: netip.MustParseAddr("127.0.0.2")})
	ask := func(from string) error {
		m := new(dns.Msg)
		m.SetQuestion("www.example.", dns.TypeA)
		d := &net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
		_, _, err := (&dns.Client{Dialer: d, Timeout: 700 * time.Millisecond}).Exchange(m, at)
		return err
	}
	if err := ask("127.0.0.3"); err == nil {
		t.Error("another program of this machine is answered")
	}
	m := new(dns.Msg)
	m.SetQuestion("www.example.", dns.TypeA)
	if in, _, err := (&dns.Client{Net: "tcp", Timeout: 5 * time.Second}).Exchange(m, at); err == nil {
		t.Errorf("another program of this machine is answered over TCP: %v", in)
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d of its questions were passed on", n)
	}
	must(t, ask("127.0.0.2"))
}

// TestHostileUpstream: what is no answer to the question is none.
func TestHostileUpstream(t *testing.T) {
	for name, zone := range map[string]func(*dns.Msg, bool) *dns.Msg{
		"silence": func(*dns.Msg, bool) *dns.Msg { return nil },
		"another question": func(q *dns.Msg, _ bool) *dns.Msg {
			m := new(dns.Msg)
			m.SetReply(q)
			m.Question[0].Name = "other.example."
			m.Answer = []dns.RR{record(t, "www.example. 60 IN A 198.51.100.7")}
			return m
		},
		"no answer at all": func(q *dns.Msg, _ bool) *dns.Msg { return q },
		"refused": func(q *dns.Msg, _ bool) *dns.Msg {
			m := new(dns.Msg)
			m.SetRcode(q, dns.RcodeRefused)
			return m
		},
	} {
		at := start(t, sandbox.Resolving{Upstream: upstream(t, zone)})
		if in := query(t, "udp", at, "www.example.", dns.TypeA); in.Rcode != dns.RcodeServerFailure || len(in.Answer) > 0 {
			t.Errorf("%s: %v", name, in)
		}
	}
	circle := upstream(t, func(q *dns.Msg, _ bool) *dns.Msg {
		m := new(dns.Msg)
		m.SetReply(q)
		m.Answer = []dns.RR{record(t, "www.example. 60 IN CNAME b.example."), record(t, "b.example. 60 IN CNAME c.example."), record(t, "c.example. 60 IN CNAME b.example.")}
		return m
	})
	if in := query(t, "udp", start(t, sandbox.Resolving{Upstream: circle}), "www.example.", dns.TypeA); len(in.Answer) > maxAnswers+1 {
		t.Errorf("a circle of aliases gives %d records", len(in.Answer))
	}
}

// TestLongAnswer comes over TCP on both sides, and is cut to size on one.
func TestLongAnswer(t *testing.T) {
	var overTCP atomic.Int32
	up := upstream(t, func(q *dns.Msg, tcp bool) *dns.Msg {
		m := new(dns.Msg)
		m.SetReply(q)
		for i := range 200 {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(198, 51, 100, byte(i))})
		}
		if !tcp {
			m.Truncate(512)
		} else {
			overTCP.Add(1)
		}
		return m
	})
	at := start(t, sandbox.Resolving{Upstream: up})
	in := query(t, "udp", at, "many.example.", dns.TypeA)
	if in.Compress = true; !in.Truncated || in.Len() > 512 || len(in.Answer) == 0 {
		t.Errorf("%d bytes, cut: %t", in.Len(), in.Truncated)
	}
	if in := query(t, "tcp", at, "many.example.", dns.TypeA); len(in.Answer) != maxAnswers || overTCP.Load() != 2 {
		t.Errorf("%d addresses, %d times over TCP", len(in.Answer), overTCP.Load())
	}
}

// TestFlood: whatever a session sends, there is no more work at a time than
// there are workers, and it is answered afterwards.
func TestFlood(t *testing.T) {
	var now, most, asked atomic.Int32
	hold := make(chan struct{})
	up := upstream(t, func(q *dns.Msg, _ bool) *dns.Msg {
		asked.Add(1)
		for n := now.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		<-hold
		now.Add(-1)
		m := new(dns.Msg)
		m.SetReply(q)
		m.Answer = []dns.RR{record(t, q.Question[0].Name+" 60 IN A 198.51.100.7")}
		return m
	})
	at := start(t, sandbox.Resolving{Upstream: up})
	c, err := net.Dial("udp4", at)
	must(t, err)
	defer c.Close()
	m := new(dns.Msg)
	m.SetQuestion("www.example.", dns.TypeA)
	b, err := m.Pack()
	must(t, err)
	for range 5000 {
		c.Write(b)
	}
	for end := time.Now().Add(10 * time.Second); asked.Load() < udpWorkers && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	close(hold)
	if n := most.Load(); n == 0 || n > 2*udpWorkers { // each worker asks twice at most
		t.Errorf("%d questions at a time", n)
	}
	if in := query(t, "tcp", at, "www.example.", dns.TypeA); len(in.Answer) != 1 {
		t.Errorf("afterwards: %v", in)
	}
}

func TestForeignBytes(t *testing.T) {
	at := start(t, sandbox.Resolving{Upstream: upstream(t, func(*dns.Msg, bool) *dns.Msg { return nil })})
	c, err := net.Dial("tcp4", at)
	must(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	c.Write(binary.BigEndian.AppendUint16(nil, 60000)) // more than a question has
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes come back", n)
	}
	// Two questions, a reply, another operation: no answer.
	r, err := New(sandbox.Resolving{From: netip.MustParseAddr("127.0.0.1"), Upstream: netip.MustParseAddrPort("127.0.0.1:1")}, nil)
	must(t, err)
	for name, change := range map[string]func(*dns.Msg){
		"two":    func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"reply":  func(m *dns.Msg) { m.Response = true },
		"update": func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate },
	} {
		m := new(dns.Msg)
		m.SetQuestion("www.example.", dns.TypeAAAA)
		change(m)
		b, err := m.Pack()
		must(t, err)
		if out := r.answer(t.Context(), b, false); out != nil {
			t.Errorf("%s: %d bytes come back", name, len(out))
		}
	}
}

func FuzzAnswer(f *testing.F) {
	m := new(dns.Msg)
	m.SetQuestion("www.example.", dns.TypeHTTPS)
	m.SetEdns0(4096, true)
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:12])
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nothing leaves this machine
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := New(sandbox.Resolving{From: netip.MustParseAddr("127.0.0.1"), Upstream: netip.MustParseAddrPort("127.0.0.1:1")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		out := r.answer(ctx, b, false)
		if len(out) > udpSize {
			t.Fatalf("%d bytes for %d", len(out), len(b))
		}
		if out != nil && new(dns.Msg).Unpack(out) != nil {
			t.Fatal("the answer cannot be read")
		}
	})
}

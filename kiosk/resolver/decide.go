package resolver

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// decide answers one question. Only IPv4 addresses are ever asked for upstream:
// the sandbox has no IPv6, and other records would tell of the local network
// (PTR, SRV) or carry data in and out (TXT).
func (r *Resolver) decide(ctx context.Context, q dns.Question) *dns.Msg {
	name := strings.ToLower(q.Name)
	switch {
	case q.Qclass != dns.ClassINET:
		return code(dns.RcodeRefused)
	case !askable(name):
		return code(dns.RcodeNameError)
	}
	switch q.Qtype {
	case dns.TypeA:
		return r.forward(ctx, name, q)
	case dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB:
		return code(dns.RcodeSuccess) // there is none
	}
	return code(dns.RcodeRefused)
}

func code(rcode int) *dns.Msg { return &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: rcode}} }

// askable tells whether a name can be one of the public web or of a school's
// own zone. Names of this machine, and those without a dot, which would be
// looked for on the local network, are nobody's.
func askable(name string) bool {
	labels := dns.SplitDomainName(name)
	if len(labels) < 2 {
		return false
	}
	switch labels[len(labels)-1] {
	case "localhost", "invalid", "onion", "localdomain": // RFC 6761, RFC 7686
		return false
	}
	return true
}

// forward asks the designated server, and rebuilds what it says: addresses and
// the aliases that lead to them, nothing else.
func (r *Resolver) forward(ctx context.Context, name string, q dns.Question) *dns.Msg {
	free := r.filter.allowed(name)
	if !free && r.filter.refuses(name, name) {
		return code(dns.RcodeNameError)
	}
	in := r.ask(ctx, name)
	if in == nil {
		return code(dns.RcodeServerFailure)
	}
	if in.Rcode != dns.RcodeSuccess {
		if in.Rcode != dns.RcodeNameError {
			return code(dns.RcodeServerFailure)
		}
		return code(dns.RcodeNameError)
	}
	out := code(dns.RcodeSuccess)
	at := name
	// A chain of aliases begins at the question; what hangs on no link of it
	// was not asked for.
	for range maxAnswers {
		next := ""
		for _, rr := range in.Answer {
			h := rr.Header()
			if !strings.EqualFold(h.Name, at) || h.Class != dns.ClassINET || len(out.Answer) >= maxAnswers {
				continue
			}
			head := dns.RR_Header{Name: h.Name, Rrtype: h.Rrtype, Class: dns.ClassINET, Ttl: min(h.Ttl, maxTTL)}
			if at == name {
				head.Name = q.Name // in the letters of the question
			}
			switch rr := rr.(type) {
			case *dns.A:
				a, ok := netip.AddrFromSlice(rr.A)
				if !ok || !r.mayLeadTo(a.Unmap()) {
					return code(dns.RcodeNameError)
				}
				out.Answer = append(out.Answer, &dns.A{Hdr: head, A: rr.A})
			case *dns.CNAME:
				if next == "" {
					next = strings.ToLower(rr.Target)
					out.Answer = append(out.Answer, &dns.CNAME{Hdr: head, Target: rr.Target})
				}
			}
		}
		if next == "" || next == name {
			break
		}
		if !askable(next) || !free && r.filter.refuses(next, name) { // an alias is no way round a list
			return code(dns.RcodeNameError)
		}
		at = next
	}
	return out
}

// mayLeadTo tells whether an answer may hold a: not this machine, not the local
// network, unless the policy names that network.
func (r *Resolver) mayLeadTo(a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.Is4() && (!slices.ContainsFunc(r.orders.Closed, in) || slices.ContainsFunc(r.orders.Open, in))
}

// ask puts the question anew, from a port and with a number of its own: the
// session's question itself never travels. nil: no answer that can be used.
func (r *Resolver) ask(ctx context.Context, name string) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	m.SetEdns0(udpSize, false)
	udp := &dns.Client{Net: "udp", Timeout: askTime, UDPSize: udpSize}
	for range attempts {
		in, _, err := udp.ExchangeContext(ctx, m, r.orders.Upstream.String())
		if err == nil && in != nil && in.Truncated {
			tcp := &dns.Client{Net: "tcp", Timeout: askTime}
			in, _, err = tcp.ExchangeContext(ctx, m, r.orders.Upstream.String())
		}
		if err == nil && answers(in, m) {
			return in
		}
		if ctx.Err() != nil {
			break
		}
		m.Id = dns.Id()
	}
	return nil
}

// answers tells whether in is an answer to m.
func answers(in, m *dns.Msg) bool {
	return in != nil && in.Response && in.Opcode == dns.OpcodeQuery && in.Id == m.Id && len(in.Question) == 1 &&
		strings.EqualFold(in.Question[0].Name, m.Question[0].Name) && in.Question[0].Qtype == dns.TypeA
}

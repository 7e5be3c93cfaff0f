package fetch

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
)

// pinned has a proxy connect to the address that was looked at. A name that the
// proxy resolved by itself could lead inside, whatever it was a moment ago (DNS
// rebinding); TLS still asks for the name, and the certificate has to hold it.
type pinned struct {
	plain *http.Transport
	names *net.Resolver
}

// RoundTrip implements http.RoundTripper; it sees each redirect as well.
func (p *pinned) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Hostname()
	to, err := p.find(r, host)
	if err != nil {
		if r.Body != nil { // which a RoundTripper closes, whatever happens
			r.Body.Close()
		}
		return nil, err
	}
	q := r.Clone(r.Context())
	if q.Host == "" {
		q.Host = r.URL.Host
	}
	port := r.URL.Port()
	if port == "" {
		port = "443" // allowed lets nothing but https through where this is used
	}
	q.URL.Host = net.JoinHostPort(to.String(), port)
	t := p.plain.Clone() // keeps no connection: keep-alives are off
	t.TLSClientConfig.ServerName = host
	return t.RoundTrip(q)
}

// find is one public address of a host all of whose addresses are public.
func (p *pinned) find(r *http.Request, host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if !public(a) {
			return a, errPrivate
		}
		return a, nil
	}
	all, err := p.names.LookupNetIP(r.Context(), "ip", host)
	if err == nil && len(all) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return netip.Addr{}, &Error{"Le contrôleur ne sait pas où mène cette adresse : son serveur de noms ne la connaît pas, ou ne répond pas. Si seul le serveur mandataire (proxy) connaît les noms, écrivez proxy_decides = true dans la configuration.", err}
	}
	for i, a := range all {
		if all[i] = a.Unmap(); !public(a) {
			return a, errPrivate
		}
	}
	// A proxy may have no IPv6; the other way round is rare.
	slices.SortStableFunc(all, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return all[0], nil
}

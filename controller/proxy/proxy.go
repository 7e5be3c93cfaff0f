// Package proxy tells who really asks when a reverse proxy stands before the
// console. It believes what the proxy says of a request, and nobody else: whoever
// may write X-Forwarded-For could otherwise be anybody for limits and records.
package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Limits on what a proxy says: one that passes them is not one of ours.
const (
	maxForwarded = 2 << 10 // bytes of X-Forwarded-For
	maxHops      = 32
)

// Trust is which peers are proxies. Its zero value trusts nobody.
type Trust struct {
	Networks []netip.Prefix
	Socket   bool // peers on a Unix socket: whoever may open it is the proxy
}

// Of tells whether a peer, as http.Request.RemoteAddr has it, is a proxy.
func (t Trust) Of(peer string) bool {
	a, err := addr(peer)
	if err != nil {
		return t.Socket
	}
	return t.has(a)
}

func (t Trust) has(a netip.Addr) bool {
	for _, n := range t.Networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// addr reads host:port or a bare address. A zone is this machine's own affair, and
// an IPv4 address inside an IPv6 one is the same.
func addr(s string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err
}

// errSaid reports that a proxy said something that makes no sense.
var errSaid = errors.New("cannot tell who asks: what the proxy says makes no sense")

// Client returns the address of who asks: the last one in X-Forwarded-For that is no
// proxy of ours. What stands before it was written by the client itself.
func (t Trust) Client(peer string, forwarded []string) (string, error) {
	if !t.Of(peer) {
		a, err := addr(peer)
		if err != nil {
			return "", fmt.Errorf("cannot tell who asks: %w", err)
		}
		return a.String(), nil
	}
	all := strings.Join(forwarded, ",")
	if len(all) > maxForwarded || strings.Count(all, ",") >= maxHops {
		return "", fmt.Errorf("%w: X-Forwarded-For is too long", errSaid)
	}
	last := ""
	if a, err := addr(peer); err == nil {
		last = a.String()
	}
	if strings.TrimSpace(all) == "" {
		return last, nil // the proxy itself, such as its look at the health
	}
	hops := strings.Split(all, ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := addr(strings.TrimSpace(hops[i]))
		if err != nil {
			return "", fmt.Errorf("%w: X-Forwarded-For has %.40q, which is no address", errSaid, hops[i])
		}
		if last = a.String(); !t.has(a) {
			break
		}
	}
	return last, nil
}

// said are the headers that only a proxy may write.
func said() []string {
	return []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-Ip", "Forwarded"}
}

// Handler gives each request the address of who asks. People who came to the proxy
// without TLS are sent to the console's address, where that has it.
func (t Trust) Handler(console string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		trusted, proto := t.Of(r.RemoteAddr), r.Header.Values("X-Forwarded-Proto")
		if trusted {
			client, err := t.Client(r.RemoteAddr, r.Header.Values("X-Forwarded-For"))
			if err != nil {
				http.Error(w, err.Error()+"; look at the proxy's configuration", http.StatusBadRequest)
				return
			}
			r.RemoteAddr = net.JoinHostPort(client, "0")
		}
		for _, name := range said() {
			r.Header.Del(name)
		}
		if trusted && len(proto) > 0 && strings.HasPrefix(console, "https://") && !(len(proto) == 1 && strings.EqualFold(strings.TrimSpace(proto[0]), "https")) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.Error(w, "this came to the proxy without TLS", http.StatusForbidden)
				return
			}
			// The path alone: nothing that a client says is the address.
			http.Redirect(w, r, console+"/", http.StatusPermanentRedirect)
			return
		}
		next.ServeHTTP(w, r)
	})
}

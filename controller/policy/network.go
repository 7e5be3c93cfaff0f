package policy

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Network says what a session's own network may reach. Egress is ports 80 and
// 443 of public addresses and the session's resolver; what a school's network
// needs beside that is named here, one by one, each with its reason.
type Network struct {
	Resolver string    `json:"resolver"` // IPv4 address of the DNS server; empty: the terminal's own
	Private  []string  `json:"private"`  // ranges of the local network, 10.1.2.0/24: ports 80 and 443
	Proxy    string    `json:"proxy"`    // http://IPv4:port; empty for none
	PAC      string    `json:"pac"`      // http(s)://… or data:…: a file that chooses among proxies
	Proxies  []string  `json:"proxies"`  // IPv4:port of those that the PAC names
	CA       []string  `json:"ca"`       // extra roots, PEM: a school's filtering proxy
	Reasons  []Because `json:"reasons"`
	Line     Line      `json:"line"` // the terminal's own, beside its sessions'
}

// Because is why an exception is there, for whoever reads the rules.
type Because struct {
	Of  string `json:"of"`  // the exception's value; of a CA its PEM
	Why string `json:"why"` // in French: « ENT de l'établissement », « filtre académique »
}

// Limits on one network.
const (
	maxPrivate = 50
	maxProxies = 20
	maxCA      = 10
	maxPEM     = 16 << 10 // bytes
	maxPAC     = 8 << 10  // bytes of a data: address
	pacData    = "data:application/x-ns-proxy-autoconfig"
)

// Doors lists, as IPv4:port, what the session's browser needs beside ports 80
// and 443 of the web: its proxies, and a PAC file's server that is named by its
// address.
func (n Network) Doors() []string {
	doors := slices.Clone(n.Proxies)
	for _, s := range []string{n.Proxy, n.PAC} {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		if a, err := netip.ParseAddrPort(u.Hostname() + ":" + port); err == nil && a.Addr().Is4() {
			doors = append(doors, a.String())
		}
	}
	slices.Sort(doors)
	return slices.Compact(doors)
}

// server tells whether an address can be one of a server: no exception opens
// this machine, link-local addresses (clouds give their secrets there), or what
// is no host's address.
func server(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && a.As4()[0] != 0 && a.As4()[0] < 224
}

// Problems is Check of the network alone.
func (n Network) Problems() []Problem {
	c := &checker{}
	n.check(c)
	return c.found
}

func (n Network) check(c *checker) {
	if len(n.Private) > maxPrivate || len(n.CA) > maxCA || len(n.Proxies) > maxProxies || len(n.Reasons) > 2*(maxPrivate+maxCA+maxProxies) {
		c.add("network", "Cinquante réseaux, vingt proxys et dix autorités au plus.")
		return
	}
	if a, err := netip.ParseAddr(n.Resolver); n.Resolver != "" && (err != nil || !server(a)) {
		c.add("network.resolver", "« %s » n’est pas l’adresse IPv4 d’un serveur DNS.", n.Resolver)
	}
	for i, v := range n.Private {
		p, err := netip.ParsePrefix(v)
		if err != nil || p.Bits() < 8 || !server(p.Masked().Addr()) && p.Masked().Addr().Is4() || !p.Addr().Is4() ||
			p.Overlaps(netip.MustParsePrefix("169.254.0.0/16")) {
			c.add(fmt.Sprintf("network.private.%d", i), "« %s » n’est pas un réseau local (exemple : 10.1.2.0/24).", v)
		}
	}
	n.checkProxy(c)
	n.Line.check(c)
	roots := 0
	for i, v := range n.CA {
		found, err := authorities(v)
		if roots += found; err != nil || found == 0 || len(v) > maxPEM || roots > 16 {
			c.add(fmt.Sprintf("network.ca.%d", i), "Ce n’est pas le certificat d’une autorité (PEM, 16 au plus en tout).")
		}
	}
	for i, r := range n.Reasons {
		if len(r.Why) > 200 {
			c.add(fmt.Sprintf("network.reasons.%d", i), "La raison est trop longue (200 caractères au plus).")
		}
	}
}

func (n Network) checkProxy(c *checker) {
	if n.Proxy != "" && n.PAC != "" {
		c.add("network.pac", "Un proxy et un fichier PAC sont indiqués : gardez l’un des deux.")
	}
	if u, err := url.Parse(n.Proxy); n.Proxy != "" && (err != nil || u.Scheme != "http" || u.User != nil || strings.Trim(u.Path, "/") != "" || !door(u.Host)) {
		c.add("network.proxy", "« %s » n’est pas l’adresse d’un proxy (exemple : http://10.1.2.3:3128, par son adresse IPv4).", n.Proxy)
	}
	for i, v := range n.Proxies {
		if !door(v) {
			c.add(fmt.Sprintf("network.proxies.%d", i), "« %s » n’est pas l’adresse d’un proxy (exemple : 10.1.2.3:3128).", v)
		}
	}
	u, err := url.Parse(n.PAC)
	switch {
	case n.PAC == "":
	case strings.HasPrefix(n.PAC, pacData) && len(n.PAC) <= maxPAC:
	case err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && len(n.PAC) <= 500:
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !server(a) {
			c.add("network.pac", "« %s » ne peut pas être ouvert : l’adresse n’est pas celle d’un serveur.", n.PAC)
		}
	default:
		c.add("network.pac", "« %.60s » n’est pas l’adresse d’un fichier PAC (http://…, https://… ou %s;base64,…).", n.PAC, pacData)
	}
}

// door tells whether s is IPv4:port of a server.
func door(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && server(a.Addr()) && a.Port() != 0
}

// authorities counts the authorities' certificates in a PEM text.
func authorities(text string) (n int, err error) {
	for rest := []byte(text); len(strings.TrimSpace(string(rest))) > 0; n++ {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil || b.Type != "CERTIFICATE" {
			return n, fmt.Errorf("cannot read a certificate: it is not in PEM form")
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return n, fmt.Errorf("cannot read a certificate: %w", err)
		}
		if !cert.IsCA {
			return n, fmt.Errorf("cannot use a certificate: it is no authority's")
		}
	}
	return n, nil
}

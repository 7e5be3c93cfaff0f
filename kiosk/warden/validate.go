package warden

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// What an id, a language and a keyboard may look like. Compiled once: they are
// constants in all but name.
var (
	idShape     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$`)
	langShape   = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}$`)
	layoutShape = regexp.MustCompile(`^[a-z]{2,10}$`)
	markShape   = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
	variant     = regexp.MustCompile(`^[a-z0-9_-]{0,30}$`)
)

// Bounds of what the agent may ask for.
const (
	maxHome   = 64 << 10 // bytes of the first URL: one argument holds at most 128 KiB
	maxPolicy = 128 << 10
	maxPortal = 160 << 10
	minMemory = 128 // MiB; Chromium does not start with less
	maxMemory = 32 << 10

	maxProxies = 32
)

// defaultLimits hold for whatever a request leaves at zero.
var defaultLimits = Limits{MemoryMB: 1500, TmpfsMB: 512, MaxProcs: 400}

func checkID(what, id string) error {
	if !idShape.MatchString(id) {
		return fmt.Errorf("cannot accept %s %.20q: want 1 to 80 letters, digits, or one of _ . : -", what, id)
	}
	return nil
}

func checkPlan(p *Plan) error {
	if p.Lang == "" {
		p.Lang = "fr"
	}
	if p.Keyboard.Layout == "" {
		p.Keyboard.Layout = "fr"
	}
	l := &p.Limits
	for _, d := range []struct{ v, def *int }{{&l.MemoryMB, &defaultLimits.MemoryMB}, {&l.TmpfsMB, &defaultLimits.TmpfsMB}, {&l.MaxProcs, &defaultLimits.MaxProcs}} {
		if *d.v == 0 {
			*d.v = *d.def
		}
	}
	switch {
	case p.Profile != "" && checkID("profile", p.Profile) != nil:
		return checkID("profile", p.Profile)
	case !langShape.MatchString(p.Lang):
		return fmt.Errorf("cannot prepare: language %.20q is no BCP 47 tag", p.Lang)
	case !layoutShape.MatchString(p.Keyboard.Layout) || !variant.MatchString(p.Keyboard.Variant):
		return fmt.Errorf("cannot prepare: keyboard %.20q %.20q is no XKB layout", p.Keyboard.Layout, p.Keyboard.Variant)
	case l.MemoryMB < minMemory || l.MemoryMB > maxMemory:
		return fmt.Errorf("cannot prepare: memory of %d MiB is not between %d and %d", l.MemoryMB, minMemory, maxMemory)
	case l.TmpfsMB < 16 || l.TmpfsMB > maxMemory:
		return fmt.Errorf("cannot prepare: %d MiB for files is not between 16 and %d", l.TmpfsMB, maxMemory)
	case l.MaxProcs < 16 || l.MaxProcs > 10000:
		return fmt.Errorf("cannot prepare: %d processes is not between 16 and 10000", l.MaxProcs)
	case len(p.Portal) > maxPortal:
		return fmt.Errorf("cannot prepare: a portal of %d bytes passes the limit of %d", len(p.Portal), maxPortal)
	}
	if err := checkScreen(p.Width, p.Height); err != nil {
		return err
	}
	if err := checkHome(p.Home); err != nil {
		return err
	}
	return checkPolicy(p.Browser)
}

func checkScreen(w, h int) error {
	if w < 320 || w > 16384 || h < 200 || h > 16384 {
		return fmt.Errorf("cannot use a display of %d×%d pixels: want at least 320×200", w, h)
	}
	return nil
}

// checkHome accepts what a session may begin on; empty means the portal's page.
func checkHome(s string) error {
	if s == "" {
		return nil
	}
	if len(s) > maxHome {
		return fmt.Errorf("cannot prepare: a first address of %d bytes passes the limit of %d", len(s), maxHome)
	}
	for _, c := range s {
		if c <= ' ' || c == 0x7f {
			return fmt.Errorf("cannot prepare: the first address holds the character %q", c)
		}
	}
	if s == "about:blank" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("cannot prepare: the first address is no URL")
	}
	switch u.Scheme {
	case "data":
		return nil
	case "http", "https":
		if u.Host != "" {
			return nil
		}
	}
	return fmt.Errorf("cannot prepare: the first address begins with %.20q, want http, https or data", u.Scheme)
}

// checkPolicy accepts a managed policy whose keys are all known here. A key
// that is not could widen what a session may do.
func checkPolicy(b []byte) error {
	if len(b) > maxPolicy {
		return fmt.Errorf("cannot prepare: a browser policy of %d bytes passes the limit of %d", len(b), maxPolicy)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil || keys == nil {
		return fmt.Errorf("cannot prepare: the browser policy is no JSON object")
	}
	for k := range keys {
		if !knownPolicy(k) {
			return fmt.Errorf("cannot prepare: browser policy %.60q is not one that the warden knows", k)
		}
	}
	return nil
}

// checkNetwork turns the names in n into parsed values.
func (w *warden) checkNetwork(n Network) (rules, error) {
	r := rules{resolver: w.c.Resolver}
	var err error
	if n.Resolver != "" {
		// The machine's own may be on loopback. One that a policy names may not:
		// that would open a service of this machine.
		if r.resolver, err = netip.ParseAddr(n.Resolver); err != nil || opensNowhere(netip.PrefixFrom(r.resolver, r.resolver.BitLen())) {
			return r, fmt.Errorf("cannot prepare: DNS server %.40q is no IPv4 address of a server", n.Resolver)
		}
	}
	if !r.resolver.IsValid() {
		if r.resolver, err = systemResolver("/etc/resolv.conf"); err != nil {
			return r, err
		}
	}
	if !r.resolver.Is4() || r.resolver.IsUnspecified() || r.resolver.IsMulticast() {
		return r, fmt.Errorf("cannot prepare: DNS server %s is no IPv4 address of a server", r.resolver)
	}
	if len(n.Proxies) > maxProxies {
		return r, fmt.Errorf("cannot prepare: %d proxies pass the limit of %d", len(n.Proxies), maxProxies)
	}
	for _, s := range n.Proxies {
		a, err := netip.ParseAddrPort(s)
		if err != nil || !a.Addr().Is4() || a.Port() == 0 || opensNowhere(netip.PrefixFrom(a.Addr(), 32)) {
			return r, fmt.Errorf("cannot prepare: proxy %.60q is no IPv4 address with a port", s)
		}
		r.proxies = append(r.proxies, a)
	}
	if len(n.Private) > 64 {
		return r, fmt.Errorf("cannot prepare: %d private networks pass the limit of 64", len(n.Private))
	}
	for _, s := range n.Private {
		p, err := netip.ParsePrefix(s)
		if err != nil || !p.Addr().Is4() || p.Bits() < 8 || opensNowhere(p.Masked()) {
			return r, fmt.Errorf("cannot prepare: private network %.40q is no IPv4 range of a local network", s)
		}
		r.private = append(r.private, p.Masked())
	}
	r.names, err = checkNames(n)
	return r, err
}

// parseOrigin accepts http://127.0.0.1:port and nothing else.
func parseOrigin(s string) (netip.AddrPort, error) {
	rest, ok := strings.CutPrefix(s, "http://")
	ap, err := netip.ParseAddrPort(rest)
	if !ok || err != nil || ap.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ap.Port() == 0 || ap.String() != rest {
		return netip.AddrPort{}, fmt.Errorf("cannot open the shell on %.60q: want http://127.0.0.1:port", s)
	}
	return ap, nil
}

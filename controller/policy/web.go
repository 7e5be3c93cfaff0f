package policy

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

func (p Policy) checkWeb(c *checker) {
	if len(p.Web.Allowed) > maxItems || len(p.Web.Blocked) > maxItems {
		c.add("web", "Trop d’adresses : %d au plus par liste.", maxItems)
		return
	}
	for i, v := range p.Web.Allowed {
		p.checkAllowed(c, fmt.Sprintf("web.allowed.%d", i), v)
	}
	for i, v := range p.Web.Blocked {
		field := fmt.Sprintf("web.blocked.%d", i)
		if !legible(v) {
			c.add(field, "L’adresse « %s » n’est pas lisible.", v)
		} else if x := parsePattern(v); x.everything() && len(p.Web.Allowed) == 0 {
			c.add(field, "« %s » refuse tous les sites à la fois : personne n’irait nulle part. Ajoutez les adresses permises, ou retirez cette ligne.", v)
		}
	}
	p.checkPortal(c)
}

func legible(v string) bool {
	return v != "" && len(v) <= 500 && !strings.ContainsAny(v, " \t\n\"\\")
}

// checkAllowed refuses a pattern that would let more through than sites of the
// web, and one that no session could reach.
func (p Policy) checkAllowed(c *checker, field, v string) {
	if !legible(v) {
		c.add(field, "L’adresse « %s » n’est pas lisible.", v)
		return
	}
	x := parsePattern(v)
	switch {
	case x.scheme != "" && x.scheme != "http" && x.scheme != "https":
		c.add(field, "« %s » n’est pas un site internet : seuls http:// et https:// peuvent être permis.", v)
	case x.scheme == "" && x.host == "*":
		// For Chromium this is every scheme: its own settings, and files.
		c.add(field, "« %s » permettrait tout, même les réglages du navigateur. Pour permettre tout Internet, laissez cette liste vide.", v)
	case x.host == "":
		c.add(field, "Il manque le nom du site dans « %s » (exemple : caf.fr).", v)
	case x.port != "" && !strings.Contains(x.host, "."):
		c.add(field, "« %s » n’est pas le nom complet d’un site (exemple : caf.fr).", v)
	case !p.egress(x.port):
		c.add(field, "Une session n’atteint que les ports 80 et 443 : « %s » ne s’ouvrirait pas.", v)
	}
}

// egress tells whether a session's network lets the port out.
func (p Policy) egress(port string) bool {
	return slices.Contains([]string{"", "*", "80", "443"}, port) || p.Network.Proxy != "" || p.Network.PAC != ""
}

func (p Policy) checkPortal(c *checker) {
	if p.Portal.Title == "" || len(p.Portal.Title) > 120 {
		c.add("portal.title", "Donnez un titre à la page d’accueil (120 caractères au plus).")
	}
	if len(p.Portal.Tiles) == 0 || len(p.Portal.Tiles) > 40 {
		c.add("portal.tiles", "La page d’accueil propose de 1 à 40 services.")
	}
	reachable := 0
	for i, t := range p.Portal.Tiles {
		field := fmt.Sprintf("portal.tiles.%d", i)
		u, err := url.Parse(t.URL)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || len(t.URL) > 500 {
			c.add(field+".url", "L’adresse « %s » n’est pas celle d’un site internet (https://…).", t.URL)
			continue
		}
		if t.Name == "" || len(t.Name) > 60 || len(t.Hint) > 120 {
			c.add(field+".name", "Donnez un nom court à ce service (60 caractères, 120 pour la phrase).")
		}
		if why := p.unreachable(t, u); why != "" {
			c.add(field+".url", "%s", why)
			continue
		}
		reachable++
	}
	if len(p.Portal.Tiles) > 0 && reachable == 0 {
		c.add("web.allowed", "Aucun service proposé ne serait joignable.")
	}
}

// unreachable says why no session could open a service, or "".
func (p Policy) unreachable(t Tile, u *url.URL) string {
	allowed, blocked := p.Web.decisive(u)
	switch {
	case !p.egress(u.Port()):
		return fmt.Sprintf("« %s » est sur le port %s : une session n’atteint que les ports 80 et 443.", t.Name, u.Port())
	case p.Network.hides(u.Hostname()):
		return fmt.Sprintf("« %s » est sur un réseau privé, qu’une session n’atteint pas. Nommez ce réseau parmi les réseaux privés permis, ou changez l’adresse.", t.Name)
	case !allowed.ok:
		return fmt.Sprintf("« %s » est proposé mais n’est pas dans les sites permis.", t.Name)
	case blocked.over(allowed):
		return fmt.Sprintf("« %s » est proposé, mais la ligne « %s » des adresses refusées l’arrête.", t.Name, blocked.text)
	}
	return ""
}

// hides tells whether the session's network keeps a host out of reach by what
// its name alone says.
func (n Network) hides(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, end := range []string{"localhost", "invalid", "local"} {
		if host == end || strings.HasSuffix(host, "."+end) {
			return true
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if !ip.Is4() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return true // a session has no IPv6
	}
	return ip.IsPrivate() && !slices.ContainsFunc(n.Private, func(v string) bool {
		p, err := netip.ParsePrefix(v)
		return err == nil && p.Contains(ip)
	})
}

// pattern is [scheme://][.]host[:port][/path] of Chromium's lists: a leading dot
// means this host only, without it subdomains match too, and * is every host.
type pattern struct {
	text, scheme, host, port, path string
	exact                          bool // a leading dot
	ok                             bool
}

func parsePattern(text string) pattern {
	x := pattern{text: text, ok: true}
	rest := text
	if scheme, behind, ok := strings.Cut(text, "://"); ok {
		x.scheme, rest = strings.ToLower(scheme), behind
		if x.scheme == "*" {
			x.scheme = ""
		}
	}
	x.host, x.path, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(x.host, ':'); i >= 0 && !strings.HasSuffix(x.host, "]") {
		x.host, x.port = x.host[:i], x.host[i+1:]
	}
	x.host = strings.ToLower(x.host)
	if exact, only := strings.CutPrefix(x.host, "."); only {
		x.host, x.exact = exact, true
	} else if x.host != "*" {
		x.host = strings.TrimPrefix(x.host, "*.")
	}
	x.path = strings.TrimSuffix(x.path, "*")
	return x
}

// everything tells whether no page of the web is left out.
func (x pattern) everything() bool {
	return x.host == "*" && x.path == "" && (x.port == "" || x.port == "*")
}

func (x pattern) matches(u *url.URL) bool {
	have := strings.ToLower(u.Hostname())
	switch {
	case x.scheme != "" && x.scheme != u.Scheme:
		return false
	case x.port != "" && x.port != "*" && x.port != u.Port() && (u.Port() != "" || x.port != map[string]string{"http": "80", "https": "443"}[u.Scheme]):
		return false
	case x.host == "*":
	case strings.Trim(x.host, "[]") == have:
	case x.exact || !strings.HasSuffix(have, "."+x.host):
		return false
	}
	return strings.HasPrefix(strings.TrimPrefix(u.Path, "/"), x.path)
}

// over tells whether a blocked pattern wins over an allowed one, as in Chromium
// (url_blocklist_manager): the more specific does, and the allowed of two that are equal.
func (x pattern) over(allowed pattern) bool {
	switch {
	case !x.ok:
		return false
	case x.everything():
		return allowed.text == "" // an empty list allows nothing by name
	}
	if x.exact != allowed.exact {
		return x.exact
	}
	if a, b := x.weight(), allowed.weight(); a != b {
		return a > b
	}
	return len(x.path) > len(allowed.path)
}

func (x pattern) weight() int {
	if x.host == "*" {
		return 0
	}
	return len(x.host)
}

// decisive returns the allowed and the blocked pattern that count for a page. An
// empty list of allowed ones allows the web.
func (w Web) decisive(u *url.URL) (allowed, blocked pattern) {
	pick := func(list []string) (best pattern) {
		for _, v := range list {
			if x := parsePattern(v); x.matches(u) && (!best.ok || x.over(best)) {
				best = x
			}
		}
		return best
	}
	if len(w.Allowed) == 0 {
		return pattern{host: "*", ok: true}, pick(w.Blocked)
	}
	return pick(w.Allowed), pick(w.Blocked)
}

// Reaches tells whether the lists let a page through.
func (w Web) Reaches(u *url.URL) bool {
	allowed, blocked := w.decisive(u)
	return allowed.ok && !blocked.over(allowed)
}

package api

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
)

var (
	slug     = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	hostPort = regexp.MustCompile(`^[^:/]+:\d+(/|$)`)
	language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$`)
)

// checker gathers what is wrong, field by field, in French.
type checker struct{ wrong []field }

func (c *checker) bad(at, format string, args ...any) {
	if len(c.wrong) < 50 {
		c.wrong = append(c.wrong, field{"body.policy." + at, fmt.Sprintf(format, args...)})
	}
}

func (c *checker) between(at string, v, low, high int, unit string) {
	if v < low || v > high {
		c.bad(at, "entre %d et %d %s", low, high, unit)
	}
}

// validate returns what would make the policy useless or unsafe. Bounds are the
// product's, not a school's choice.
func validate(p policy.Policy) []field {
	c := &checker{}
	if !slug.MatchString(p.Profile) {
		c.bad("profile", "un nom court en minuscules, par exemple « open »")
	}
	if len(p.Languages) == 0 || len(p.Languages) > 20 {
		c.bad("languages", "entre 1 et 20 langues")
	}
	for i, l := range p.Languages {
		if !language.MatchString(l) {
			c.bad(fmt.Sprintf("languages[%d]", i), "un code de langue, par exemple « fr »")
		}
	}
	c.session(p.Session)
	c.hours(p.Hours)
	c.access(p.Access)
	c.web(p.Web, p.Portal)
	c.between("printing.pagesPerSession", p.Printing.PagesPerSession, 0, 500, "pages")
	c.between("printing.pagesPerDay", p.Printing.PagesPerDay, 0, 1000, "pages")
	c.between("permits.prefetch", p.Permits.Prefetch, 1, wire.MaxPermits, "sessions")
	c.between("permits.validHours", p.Permits.ValidHours, 1, 24*31, "heures")
	if within := p.Permits.ReceiptWithin; within < p.Session.MaxMinutes+5 || within > 24*60 {
		c.bad("permits.receiptWithin", "au moins 5 minutes de plus que la durée maximale d’une session (%d), au plus 1440", p.Session.MaxMinutes)
	}
	c.between("isolation.memoryMb", p.Isolation.MemoryMB, 400, 16384, "Mio")
	c.between("isolation.tmpfsMb", p.Isolation.TmpfsMB, 64, 8192, "Mio")
	c.between("isolation.maxProcs", p.Isolation.MaxProcs, 100, 4096, "processus")
	if !slug.MatchString(p.Keyboard.Layout) {
		c.bad("keyboard.layout", "un clavier, par exemple « fr »")
	}
	if p.Keyboard.Variant != "" && !slug.MatchString(p.Keyboard.Variant) {
		c.bad("keyboard.variant", "une variante de clavier, ou rien")
	}
	c.network(p.Network)
	return c.wrong
}

func (c *checker) session(s policy.Session) {
	c.between("session.minutes", s.Minutes, 5, 8*60, "minutes")
	c.between("session.maxMinutes", s.MaxMinutes, s.Minutes, 12*60, "minutes")
	c.between("session.extendMinutes", s.ExtendMinutes, 0, 4*60, "minutes")
	c.between("session.minMinutes", s.MinMinutes, 1, s.Minutes, "minutes")
	c.between("session.idleSeconds", s.IdleSeconds, 30, 3600, "secondes")
	c.between("session.graceSeconds", s.GraceSeconds, 15, 600, "secondes")
	c.between("session.uploadSeconds", s.UploadSeconds, 0, 120, "secondes")
	c.between("session.thanksSeconds", s.ThanksSeconds, 5, 120, "secondes")
	if len(s.WarnMinutes) > 6 {
		c.bad("session.warnMinutes", "6 avertissements au plus")
	}
	for i, w := range s.WarnMinutes {
		c.between(fmt.Sprintf("session.warnMinutes[%d]", i), w, 1, s.MaxMinutes, "minutes")
	}
}

func (c *checker) hours(h policy.Hours) {
	for d, spans := range h.Weekly {
		c.spans(fmt.Sprintf("hours.weekly[%d]", d), spans)
	}
	if len(h.Exceptions) > 500 {
		c.bad("hours.exceptions", "500 jours particuliers au plus")
	}
	seen := map[string]bool{}
	for i, e := range h.Exceptions {
		at := fmt.Sprintf("hours.exceptions[%d]", i)
		if _, err := time.Parse(time.DateOnly, e.Day); err != nil {
			c.bad(at+".day", "une date comme 2026-12-25")
		} else if seen[e.Day] {
			c.bad(at+".day", "ce jour est déjà dans la liste")
		}
		seen[e.Day] = true
		if len(e.Why) > 120 {
			c.bad(at+".why", "120 octets au plus")
		}
		c.spans(at+".spans", e.Spans)
	}
}

func (c *checker) spans(at string, spans []policy.Span) {
	if len(spans) > 8 {
		c.bad(at, "8 plages au plus dans une journée")
		return
	}
	for i, s := range spans {
		here := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case s.From < 0 || s.From >= 24*60:
			c.bad(here+".from", "le début est dans la journée, entre 0 h 00 et 23 h 59")
		case s.To <= s.From:
			c.bad(here+".to", "la fin vient après le début")
		case s.To > 36*60:
			c.bad(here+".to", "au plus tard le lendemain à midi")
		case i > 0 && s.From < spans[i-1].To:
			c.bad(here+".from", "cette plage chevauche la précédente")
		}
	}
}

func (c *checker) access(x policy.Access) {
	if x.BadgeRequired && !x.AnyBadge && len(x.Known) == 0 {
		c.bad("access.badgeRequired", "aucun badge n’est connu ici : personne ne pourrait commencer. Acceptez tous les badges, ou n’en demandez pas")
	}
	if len(x.Known) > 2000 {
		c.bad("access.known", "2000 badges au plus")
	}
	for i, k := range x.Known {
		if len(k) != 32 {
			c.bad(fmt.Sprintf("access.known[%d]", i), "une empreinte de 32 octets")
		}
	}
}

func (c *checker) web(w policy.Web, portal policy.Portal) {
	for _, l := range []struct {
		at  string
		all []string
	}{{"web.allowed", w.Allowed}, {"web.blocked", w.Blocked}} {
		if len(l.all) > 1000 {
			c.bad(l.at, "1000 adresses au plus")
		}
		for i, u := range l.all {
			scheme, _, has := strings.Cut(u, "://")
			if u == "" || len(u) > 300 || strings.ContainsAny(u, " \t\r\n\"") || (has && scheme != "https" && scheme != "http") ||
				(!has && strings.Contains(u, ":") && !hostPort.MatchString(u)) {
				c.bad(fmt.Sprintf("%s[%d]", l.at, i), "une adresse internet, par exemple « caf.fr »")
			}
		}
	}
	if len(portal.Title) > 120 {
		c.bad("portal.title", "120 octets au plus")
	}
	if len(portal.Tiles) > 40 {
		c.bad("portal.tiles", "40 services au plus")
	}
	for i, t := range portal.Tiles {
		at := fmt.Sprintf("portal.tiles[%d]", i)
		if t.Name == "" || len(t.Name) > 60 {
			c.bad(at+".name", "un nom de 60 octets au plus")
		}
		if !webAddress(t.URL) {
			c.bad(at+".url", "une adresse complète, qui commence par https://")
		}
		if len(t.Hint) > 160 {
			c.bad(at+".hint", "160 octets au plus")
		}
		if t.Icon != "" && !slug.MatchString(t.Icon) {
			c.bad(at+".icon", "le nom d’une icône")
		}
	}
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && len(s) <= 500
}

func (c *checker) network(n policy.Network) {
	if n.Resolver != "" {
		if _, err := netip.ParseAddr(n.Resolver); err != nil {
			if _, err := netip.ParseAddrPort(n.Resolver); err != nil {
				c.bad("network.resolver", "l’adresse IP d’un serveur DNS")
			}
		}
	}
	if len(n.Private) > 50 {
		c.bad("network.private", "50 réseaux au plus")
	}
	for i, s := range n.Private {
		at := fmt.Sprintf("network.private[%d]", i)
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			c.bad(at, "un réseau, par exemple « 10.12.0.0/16 »")
		case p.Addr().IsLoopback() || p.Addr().IsUnspecified() || p.Bits() < 8:
			c.bad(at, "ce réseau est trop large, ou c’est le poste lui-même")
		}
	}
	if n.Proxy != "" && !(webAddress(n.Proxy) && strings.HasPrefix(n.Proxy, "http://")) {
		c.bad("network.proxy", "une adresse comme http://proxy.exemple.fr:3128")
	}
	if n.PAC != "" && !webAddress(n.PAC) {
		c.bad("network.pac", "l’adresse d’un fichier PAC")
	}
	for i, s := range n.CA {
		block, rest := pem.Decode([]byte(s))
		ok := block != nil && block.Type == "CERTIFICATE" && strings.TrimSpace(string(rest)) == ""
		if ok {
			cert, err := x509.ParseCertificate(block.Bytes)
			ok = err == nil && cert.IsCA
		}
		if !ok {
			c.bad(fmt.Sprintf("network.ca[%d]", i), "un certificat d’autorité au format PEM")
		}
	}
}

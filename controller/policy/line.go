package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Line is how the terminal itself is connected, and reaches the controller. Its
// zero value leaves everything as it was installed. What is secret in it (the key
// of a Wi-Fi, the password of 802.1X) is no part of any policy, which each
// terminal of a place gets, and backups and histories hold: it lies in a file of
// the terminal that root alone reads, and Secret is that file's name.
type Line struct {
	Proxy string `json:"proxy"` // to the controller: "" as in the terminal's file, Direct, or http://host:port
	Wired Wired  `json:"wired"`
	WiFi  WiFi   `json:"wifi"`
}

// Direct is a Line's Proxy that says: none, whatever the terminal's file says.
const Direct = "direct"

// Wired is the terminal's cable.
type Wired struct {
	Managed bool `json:"managed"` // false: the cable is as it was installed
	IPv4    IPv4 `json:"ipv4"`
	EAP     EAP  `json:"eap"` // 802.1X
}

// IPv4 is an address given by hand; its zero value asks DHCP.
type IPv4 struct {
	Address string   `json:"address"` // 10.1.2.3/24; empty: DHCP
	Gateway string   `json:"gateway"`
	DNS     []string `json:"dns"` // beside those of DHCP
}

// WiFi is the terminal's wireless network; with no SSID it is as it was installed.
type WiFi struct {
	SSID     string   `json:"ssid"`
	Hidden   bool     `json:"hidden"`
	Security Security `json:"security,omitempty"`
	Secret   string   `json:"secret"` // name of the key's file on the terminal
	EAP      EAP      `json:"eap"`
	IPv4     IPv4     `json:"ipv4"`
}

// Security is how a Wi-Fi is protected.
type Security string

// Securities.
const (
	SecurityOpen Security = ""
	SecurityPSK  Security = "psk" // WPA2 with a key
	SecuritySAE  Security = "sae" // WPA3 with a key
	SecurityEAP  Security = "eap" // 802.1X
)

// EAP is 802.1X; with no Method there is none.
type EAP struct {
	Method    EAPMethod `json:"method,omitempty"`
	Identity  string    `json:"identity"`
	Anonymous string    `json:"anonymous"` // said before the tunnel is there
	CA        string    `json:"ca"`        // PEM of the authority of the server, which is asked for: without it any access point would be told the password
	Server    string    `json:"server"`    // name that the server's certificate has to bear
	Secret    string    `json:"secret"`    // name of the password's file; of TLS that of the key's and the certificate's
}

// EAPMethod is how 802.1X proves who the terminal is.
type EAPMethod string

// Methods.
const (
	EAPNone EAPMethod = ""
	EAPPEAP EAPMethod = "peap" // MSCHAPv2 in a tunnel
	EAPTTLS EAPMethod = "ttls" // PAP in a tunnel
	EAPTLS  EAPMethod = "tls"  // a certificate
)

// TrialKey names what a terminal has to prove of its network before it keeps it:
// its own connection, and the proxies of its sessions. Two networks with one key
// lead the same way.
func (n Network) TrialKey() string {
	n.Line.Wired.IPv4.DNS, n.Line.WiFi.IPv4.DNS = filled(n.Line.Wired.IPv4.DNS), filled(n.Line.WiFi.IPv4.DNS)
	b, err := json.Marshal(struct {
		Line  Line
		Doors []string
	}{n.Line, filled(n.Doors())})
	if err != nil { // no field of it can fail
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func filled(s []string) []string { return append([]string{}, s...) }

// SecretName tells whether s can name a file with a secret on a terminal.
func SecretName(s string) bool {
	return s != "" && len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// SameLink tells whether two lines differ in no more than their proxy.
func (l Line) SameLink(o Line) bool {
	l.Proxy, o.Proxy = "", ""
	return Network{Line: l}.TrialKey() == Network{Line: o}.TrialKey()
}

// ProxyURL is the proxy as an address; nil for none.
func (l Line) ProxyURL() *url.URL {
	if l.Proxy == "" || l.Proxy == Direct {
		return nil
	}
	u, err := url.Parse(l.Proxy)
	if err != nil {
		return nil
	}
	return u
}

func (l Line) check(c *checker) {
	if u, err := url.Parse(l.Proxy); l.Proxy != "" && l.Proxy != Direct && (err != nil || u.Scheme != "http" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.Port() == "" || !host(u.Hostname())) {
		c.add("network.line.proxy", "« %s » n’est pas l’adresse d’un proxy (exemple : http://10.1.2.3:3128, ou « direct »).", l.Proxy)
	}
	w := l.Wired
	if !w.Managed && (w.IPv4.set() || w.EAP != EAP{}) {
		c.add("network.line.wired.managed", "Le câble est laissé tel qu’il a été installé : ses réglages ne serviraient à rien. Cochez-le, ou videz-les.")
	}
	w.IPv4.check(c, "network.line.wired.ipv4")
	w.EAP.check(c, "network.line.wired.eap")
	l.WiFi.check(c)
}

func (w WiFi) check(c *checker) {
	const at = "network.line.wifi"
	w.IPv4.check(c, at+".ipv4")
	w.EAP.check(c, at+".eap")
	switch {
	case w.SSID == "":
		if w.Hidden || w.Security != "" || w.Secret != "" || w.IPv4.set() || w.EAP != (EAP{}) {
			c.add(at+".ssid", "Donnez le nom du réseau Wi-Fi, ou videz ses réglages.")
		}
		return
	case len(w.SSID) > 32 || !plain(w.SSID):
		c.add(at+".ssid", "Un nom de réseau Wi-Fi a 32 octets au plus, sans caractère de commande.")
	}
	switch w.Security {
	case SecurityOpen:
		if w.Secret != "" {
			c.add(at+".secret", "Un réseau ouvert n’a pas de clé : choisissez sa protection, ou videz ce champ.")
		}
	case SecurityPSK, SecuritySAE:
		if !SecretName(w.Secret) {
			c.add(at+".secret", "Donnez le nom du fichier du poste qui contient la clé, jamais la clé : des minuscules, des chiffres et des tirets (exemple : wifi-college).")
		}
	case SecurityEAP:
		if w.EAP.Method == EAPNone {
			c.add(at+".eap.method", "Choisissez la méthode 802.1X de ce réseau.")
		}
	default:
		c.add(at+".security", "Choisissez la protection : ouvert, clé WPA2, clé WPA3 ou 802.1X.")
	}
	if w.Security != SecurityEAP && w.EAP != (EAP{}) {
		c.add(at+".eap.method", "Ce réseau n’est pas en 802.1X : videz ces réglages, ou changez sa protection.")
	}
}

func (e EAP) check(c *checker, at string) {
	switch e.Method {
	case EAPNone:
		if e != (EAP{}) {
			c.add(at+".method", "Choisissez la méthode 802.1X, ou videz ses réglages.")
		}
		return
	case EAPPEAP, EAPTTLS, EAPTLS:
	default:
		c.add(at+".method", "La méthode 802.1X est PEAP, TTLS ou TLS.")
	}
	if e.Identity == "" || !short(e.Identity) {
		c.add(at+".identity", "Donnez l’identité du poste pour 802.1X (200 caractères au plus).")
	}
	if !short(e.Anonymous) {
		c.add(at+".anonymous", "L’identité extérieure a 200 caractères au plus.")
	}
	if found, err := authorities(e.CA); err != nil || found == 0 || len(e.CA) > maxPEM {
		c.add(at+".ca", "Donnez le certificat de l’autorité du serveur 802.1X (PEM) : sans lui, le poste dirait son mot de passe à n’importe quel point d’accès.")
	}
	if !host(e.Server) {
		c.add(at+".server", "Donnez le nom que porte le certificat du serveur 802.1X (exemple : radius.exemple.fr).")
	}
	if !SecretName(e.Secret) {
		c.add(at+".secret", "Donnez le nom du fichier du poste qui contient le mot de passe, jamais le mot de passe : des minuscules, des chiffres et des tirets (exemple : radius).")
	}
}

func (a IPv4) set() bool { return a.Address != "" || a.Gateway != "" || len(a.DNS) > 0 }

func (a IPv4) check(c *checker, at string) {
	p, err := netip.ParsePrefix(a.Address)
	switch {
	case a.Address == "":
		if a.Gateway != "" {
			c.add(at+".gateway", "Une passerelle va avec une adresse donnée à la main : donnez les deux, ou aucune.")
		}
	case err != nil || !server(p.Addr()) || p.Bits() < 8 || p.Bits() > 30 || p.Masked().Addr() == p.Addr():
		c.add(at+".address", "« %s » n’est pas l’adresse d’un poste (exemple : 10.1.2.30/24).", a.Address)
	default:
		g, err := netip.ParseAddr(a.Gateway)
		if err != nil || !p.Contains(g) || g == p.Addr() || g == p.Masked().Addr() {
			c.add(at+".gateway", "« %s » n’est pas une passerelle de ce réseau (exemple : 10.1.2.1).", a.Gateway)
		}
	}
	if len(a.DNS) > 4 {
		c.add(at+".dns", "Quatre serveurs DNS au plus.")
		return
	}
	for _, s := range a.DNS {
		if d, err := netip.ParseAddr(s); err != nil || !server(d) {
			c.add(at+".dns", "« %s » n’est pas l’adresse IPv4 d’un serveur DNS.", s)
		}
	}
	if a.Address != "" && len(a.DNS) == 0 {
		c.add(at+".dns", "Avec une adresse donnée à la main, donnez au moins un serveur DNS.")
	}
}

// plain tells whether a text is UTF-8 without control characters: files of
// settings have lines.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' })
}

func short(s string) bool { return len(s) <= 200 && plain(s) }

// host tells whether s is a name or an IPv4 address of a server.
func host(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return server(a)
	}
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return false
		}
	}
	return true
}

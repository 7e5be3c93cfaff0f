package network

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"

	"borne/controller/policy"
)

// Each profile has one identity, whatever is in it (RFC 4122 random ones, made once).
const (
	cableID = "6d0c9f0e-53a7-4c1f-9a0e-1f5c7b1e8c01"
	wifiID  = "b2f7e1d4-0a3c-4f7b-8f38-7f0d7c9e4a02"
)

// Names of the authorities' files.
const (
	authority = "ca-"
	pemSuffix = ".pem"
)

// profile is a keyfile that grows.
type profile struct{ strings.Builder }

func (p *profile) group(name string) { fmt.Fprintf(&p.Builder, "\n[%s]\n", name) }

// set writes a value as GLib's keyfiles want it; an empty one is left out.
func (p *profile) set(key, value string) {
	if value != "" {
		fmt.Fprintf(&p.Builder, "%s=%s\n", key, escape(value))
	}
}

// escape writes what lines and keyfiles would take for something else. Control
// characters never come here: rules with them are refused, secrets too.
func escape(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	if strings.HasPrefix(s, " ") {
		s = `\s` + s[1:]
	}
	if strings.HasSuffix(s, " ") {
		s = s[:len(s)-1] + `\s`
	}
	return s
}

// render makes the profiles that a line wants, by name, and the authorities'
// certificates that they name, by file.
func (s *Setter) render(l policy.Line) (profiles, authorities map[string][]byte, err error) {
	// Rules were checked where they were published, and by whoever obeys them. This
	// role is root's: it looks itself.
	if bad := (policy.Network{Line: l}).Problems(); len(bad) > 0 {
		return nil, nil, fmt.Errorf("cannot set the cable or the Wi-Fi: %s: %s", bad[0].Field, bad[0].Sentence)
	}
	profiles, authorities = map[string][]byte{}, map[string][]byte{}
	if l.Wired.Managed {
		p := head(cable, cableID, "ethernet")
		p.group("ethernet")
		if err := s.eap(p, cable, l.Wired.EAP, authorities); err != nil {
			return nil, nil, err
		}
		addresses(p, l.Wired.IPv4)
		profiles[cable] = []byte(p.String())
	}
	if w := l.WiFi; w.SSID != "" {
		p := head(wifi, wifiID, "wifi")
		p.group("wifi")
		p.WriteString("mode=infrastructure\nssid=")
		for _, b := range []byte(w.SSID) { // as bytes: a name may hold anything
			fmt.Fprintf(&p.Builder, "%d;", b)
		}
		p.WriteString("\n")
		if w.Hidden {
			p.set("hidden", "true")
		}
		if err := s.protect(p, w, authorities); err != nil {
			return nil, nil, err
		}
		addresses(p, w.IPv4)
		profiles[wifi] = []byte(p.String())
	}
	return profiles, authorities, nil
}

func head(name, id, kind string) *profile {
	p := &profile{}
	p.WriteString("# Of Borne: changed by its rules, and only by them.\n")
	p.group("connection")
	p.set("id", name)
	p.set("uuid", id)
	p.set("type", kind)
	p.set("autoconnect", "true")
	p.set("autoconnect-priority", "100") // before what was installed
	p.set("autoconnect-retries", "0")    // for ever
	return p
}

func addresses(p *profile, a policy.IPv4) {
	p.group("ipv4")
	if a.Address == "" {
		p.set("method", "auto")
	} else {
		p.set("method", "manual")
		p.set("address1", a.Address+","+a.Gateway)
	}
	if len(a.DNS) > 0 {
		p.set("dns", strings.Join(a.DNS, ";")+";")
		p.set("ignore-auto-dns", "true")
	}
	p.group("ipv6")
	p.set("method", "auto")
}

func (s *Setter) protect(p *profile, w policy.WiFi, authorities map[string][]byte) error {
	switch w.Security {
	case policy.SecurityPSK, policy.SecuritySAE:
		key, err := s.secret(w.Secret)
		if err != nil {
			return err
		}
		kind := "sae"
		if w.Security == policy.SecurityPSK {
			if kind = "wpa-psk"; !isPSK(key) {
				return fmt.Errorf("cannot use the key in the secret %q: WPA2 wants 8 to 63 characters, or 64 hexadecimal digits", w.Secret)
			}
		}
		p.group("wifi-security")
		p.set("key-mgmt", kind)
		p.set("psk", key)
	case policy.SecurityEAP:
		p.group("wifi-security")
		p.set("key-mgmt", "wpa-eap")
		return s.eap(p, wifi, w.EAP, authorities)
	}
	return nil
}

// isPSK is IEEE 802.11's passphrase, or the key itself.
func isPSK(s string) bool {
	if len(s) == 64 {
		return strings.Trim(s, "0123456789abcdefABCDEF") == ""
	}
	return len(s) >= 8 && len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func (s *Setter) eap(p *profile, name string, e policy.EAP, authorities map[string][]byte) error {
	if e.Method == policy.EAPNone {
		return nil
	}
	// Named by its content: another authority makes another profile, and the one
	// before is there when that profile is put back.
	sum := sha256.Sum256([]byte(e.CA))
	file := fmt.Sprintf("%s%s-%x%s", authority, name, sum[:6], pemSuffix)
	authorities[file] = []byte(e.CA)
	p.group("802-1x")
	p.set("eap", string(e.Method)+";")
	p.set("identity", e.Identity)
	p.set("anonymous-identity", e.Anonymous)
	p.set("ca-cert", filepath.Join(s.cfg.Secrets, file))
	p.set("domain-match", e.Server)
	switch e.Method {
	case policy.EAPTLS:
		for _, end := range []string{".crt", ".key"} {
			if _, err := s.private(e.Secret+end, maxKey); err != nil {
				return err
			}
		}
		p.set("client-cert", filepath.Join(s.cfg.Secrets, e.Secret+".crt"))
		p.set("private-key", filepath.Join(s.cfg.Secrets, e.Secret+".key"))
		p.set("private-key-password-flags", "4") // it has none
	case policy.EAPPEAP, policy.EAPTTLS:
		word, err := s.secret(e.Secret)
		if err != nil {
			return err
		}
		inner := "mschapv2"
		if e.Method == policy.EAPTTLS {
			inner = "pap"
		}
		p.set("phase2-auth", inner)
		p.set("password", word)
	}
	return nil
}

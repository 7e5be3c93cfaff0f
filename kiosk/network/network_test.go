package network

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/kiosk/network/nmtest"
)

// place is a terminal's folders, and an nmcli that notes what it is asked. The real
// one is asked where there is one: TestTheRealToolReadsOurProfiles.
type place struct {
	*Setter
	t   *testing.T
	log bytes.Buffer
}

func newPlace(t *testing.T) *place {
	t.Helper()
	root := t.TempDir()
	p := &place{t: t}
	c := Config{Dir: filepath.Join(root, "profiles"), Secrets: filepath.Join(root, "secrets"), Tool: filepath.Join(root, "nmcli"), Log: slog.New(slog.NewTextHandler(&p.log, nil))}
	for _, d := range []string{c.Dir, c.Secrets} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.Setter = New(c)
	p.tool("exit 0")
	return p
}

// tool makes nmcli note its arguments, and then do something.
func (p *place) tool(then string) {
	p.t.Helper()
	script := fmt.Sprintf("#!/bin/sh\necho \"$*\" >> %s.asked\n%s\n", p.cfg.Tool, then)
	if err := os.WriteFile(p.cfg.Tool, []byte(script), 0o700); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) asked() string {
	p.t.Helper()
	b, err := os.ReadFile(p.cfg.Tool + ".asked")
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	os.Remove(p.cfg.Tool + ".asked")
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "; ")
}

func (p *place) keep(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.cfg.Secrets, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) must(l policy.Line) {
	p.t.Helper()
	if err := p.Set(p.t.Context(), l); err != nil {
		p.t.Fatal(err)
	}
}

// files lists a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func (p *place) profile(name string) string {
	p.t.Helper()
	path := filepath.Join(p.cfg.Dir, name+suffix)
	b, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		p.t.Errorf("%s: mode %v, %v: NetworkManager passes it by", name, fi.Mode(), err)
	}
	return string(b)
}

func holds(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains("\n"+text, "\n"+l+"\n") {
			t.Errorf("no line %q in:\n%s", l, text)
		}
	}
}

func authorityPEM(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Rectorat"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func college() policy.Line {
	return policy.Line{WiFi: policy.WiFi{SSID: "Collège; été", Security: policy.SecurityPSK, Secret: "wifi-college"}}
}

func TestAWiFiIsSetAndTakenAway(t *testing.T) {
	p := newPlace(t)
	other := filepath.Join(p.cfg.Dir, "preconfigured.nmconnection")
	if err := os.WriteFile(other, []byte("[connection]\nid=preconfigured\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.keep("wifi-college", " mot de\\passe \nne compte pas\n")
	p.must(college())
	text := p.profile(wifi)
	holds(t, text, "type=wifi", "key-mgmt=wpa-psk", `psk=\smot de\\passe\s`, "method=auto", "ssid=67;111;108;108;195;168;103;101;59;32;195;169;116;195;169;", "autoconnect-priority=100")
	if got := p.asked(); got != "connection reload; --wait 30 connection up id borne-wifi" {
		t.Errorf("asked %q", got)
	}
	p.must(college()) // it is so already
	if got := p.asked(); got != "" {
		t.Errorf("asked %q for nothing", got)
	}
	p.keep("wifi-college", "an other key\n")
	p.must(college())
	holds(t, p.profile(wifi), "psk=an other key")
	p.asked()
	p.must(policy.Line{})
	if got := p.asked(); got != "connection reload" {
		t.Errorf("asked %q", got)
	}
	if got := files(t, p.cfg.Dir); got != "preconfigured.nmconnection" {
		t.Errorf("left: %s", got)
	}
	if strings.Contains(p.log.String(), "passe") || strings.Contains(p.log.String(), "other key") {
		t.Errorf("the log tells a secret: %s", p.log.String())
	}
}

func TestACableWith8021X(t *testing.T) {
	p := newPlace(t)
	p.keep("radius", "s3cret=#;")
	l := policy.Line{Wired: policy.Wired{Managed: true, IPv4: policy.IPv4{Address: "10.1.2.30/24", Gateway: "10.1.2.1", DNS: []string{"10.1.2.2", "10.1.2.3"}},
		EAP: policy.EAP{Method: policy.EAPPEAP, Identity: "poste-1", Anonymous: "anonyme", CA: authorityPEM(t), Server: "radius.exemple.fr", Secret: "radius"}}}
	p.must(l)
	first := files(t, p.cfg.Secrets)
	text := p.profile(cable)
	holds(t, text, "type=ethernet", "eap=peap;", "identity=poste-1", "anonymous-identity=anonyme", "domain-match=radius.exemple.fr", "phase2-auth=mschapv2",
		"password=s3cret=#;", "method=manual", "address1=10.1.2.30/24,10.1.2.1", "dns=10.1.2.2;10.1.2.3;")
	ca := strings.Fields(first)[0]
	holds(t, text, "ca-cert="+filepath.Join(p.cfg.Secrets, ca))
	if b, err := os.ReadFile(filepath.Join(p.cfg.Secrets, ca)); err != nil || string(b) != l.Wired.EAP.CA {
		t.Errorf("authority: %s, %v", b, err)
	}
	p.asked()
	l.Wired.EAP.CA = authorityPEM(t) // another authority is another connection
	p.must(l)
	if got := p.asked(); !strings.Contains(got, "up id borne-cable") {
		t.Errorf("asked %q", got)
	}
	if second := files(t, p.cfg.Secrets); second == first || len(strings.Fields(second)) != 2 {
		t.Errorf("secrets: %s", second)
	}
	l.Wired.EAP.Method = policy.EAPTLS
	p.keep("radius.crt", "certificate")
	p.keep("radius.key", "key")
	p.must(l)
	holds(t, p.profile(cable), "eap=tls;", "client-cert="+filepath.Join(p.cfg.Secrets, "radius.crt"), "private-key="+filepath.Join(p.cfg.Secrets, "radius.key"))
	if strings.Contains(p.profile(cable), "password=") {
		t.Error("TLS with a password")
	}
}

// TestNothingIsWrittenThatCannotBe: what is wrong is found before anything changes,
// and no error tells a secret.
func TestNothingIsWrittenThatCannotBe(t *testing.T) {
	for name, do := range map[string]func(p *place, l *policy.Line){
		"no secret": func(p *place, l *policy.Line) {},
		"short key": func(p *place, l *policy.Line) { p.keep("wifi-college", "S3CR") },
		"long":      func(p *place, l *policy.Line) { p.keep("wifi-college", strings.Repeat("S3CR", 200)) },
		"control":   func(p *place, l *policy.Line) { p.keep("wifi-college", "S3CR\x01S3CR") },
		"empty":     func(p *place, l *policy.Line) { p.keep("wifi-college", "\nS3CRS3CR") },
		"read by all": func(p *place, l *policy.Line) {
			p.keep("wifi-college", "S3CRS3CR")
			os.Chmod(filepath.Join(p.cfg.Secrets, "wifi-college"), 0o644)
		},
		"a link": func(p *place, l *policy.Line) {
			p.keep("real", "S3CRS3CR")
			os.Symlink("real", filepath.Join(p.cfg.Secrets, "wifi-college"))
		},
		"a folder":     func(p *place, l *policy.Line) { os.Mkdir(filepath.Join(p.cfg.Secrets, "wifi-college"), 0o700) },
		"another path": func(p *place, l *policy.Line) { l.WiFi.Secret = "../../etc/shadow" },
		"a line more":  func(p *place, l *policy.Line) { p.keep("wifi-college", "S3CRS3CR"); l.WiFi.SSID = "a\n[vpn]" },
		"no nmcli":     func(p *place, l *policy.Line) { p.keep("wifi-college", "S3CRS3CR"); os.Remove(p.cfg.Tool) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			l := college()
			do(p, &l)
			err := p.Set(t.Context(), l)
			if err == nil || !strings.HasPrefix(err.Error(), "cannot ") || strings.Contains(err.Error(), "S3CR") {
				t.Errorf("%v", err)
			}
			if name == "no nmcli" && !errors.Is(err, ErrAbsent) {
				t.Errorf("%v", err)
			}
			if got := files(t, p.cfg.Dir); got != "" || p.asked() != "" {
				t.Errorf("written: %s", got)
			}
		})
	}
}

// TestWhatNetworkManagerRefusesIsToldAndPutRight: the way back is the same way.
func TestWhatNetworkManagerRefusesIsToldAndPutRight(t *testing.T) {
	p := newPlace(t)
	p.keep("wifi-college", "S3CRS3CR")
	p.tool(`case "$*" in *up*) echo "Error: Connection activation failed: no suitable device" >&2; exit 4;; esac`)
	err := p.Set(t.Context(), college())
	if err == nil || !strings.Contains(err.Error(), "no suitable device") || strings.Contains(err.Error(), "S3CR") {
		t.Errorf("%v", err)
	}
	// The same again is asked for again: equal files are no network in use.
	p.asked()
	p.tool("")
	p.must(college())
	if got := p.asked(); !strings.Contains(got, "reload") || !strings.Contains(got, "up id borne-wifi") {
		t.Errorf("after a refusal the same line asks for %q", got)
	}
	p.must(college())
	if got := p.asked(); got != "" {
		t.Errorf("what is in use is asked for again: %q", got)
	}
	p.must(policy.Line{})
	if got := files(t, p.cfg.Dir); got != "" {
		t.Errorf("left: %s", got)
	}
	p.tool("head -c 100000 /dev/zero | tr '\\0' x; exit 1")
	if err := p.Set(t.Context(), college()); err == nil || len(err.Error()) > 600 {
		t.Errorf("%d bytes of error", len(err.Error()))
	}
	p.tool("sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := college()
	l.WiFi.Hidden = true
	if err := p.Set(ctx, l); err == nil {
		t.Error("an end is not heeded")
	}
}

// TestTheRealToolReadsOurProfiles asks NetworkManager itself, offline.
func TestTheRealToolReadsOurProfiles(t *testing.T) {
	tool, env, why := nmtest.Tool("nmcli")
	if why != "" {
		t.Skip("SKIP: our profiles are read by nobody but these tests: ", why)
	}
	p := newPlace(t)
	p.keep("wifi-college", "S3CRS3CR")
	p.must(college())
	cmd := exec.Command(tool, "--offline", "connection", "modify", "connection.autoconnect", "yes") // reads a profile, and writes it
	cmd.Stdin, cmd.Env = strings.NewReader(p.profile(wifi)), append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "key-mgmt=wpa-psk") {
		t.Errorf("%s, %v", out, err)
	}
}

func FuzzSecret(f *testing.F) {
	f.Add([]byte("mot de passe\n"))
	f.Add([]byte("\\ \x00;=#"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPlace(t)
		p.keep("wifi-college", string(b))
		l := college()
		l.WiFi.Security = policy.SecuritySAE
		profiles, _, err := p.render(l)
		if err != nil {
			return
		}
		text := string(profiles[wifi])
		if n := strings.Count(text, "\n["); n != 5 {
			t.Errorf("%d groups in %q", n, text)
		}
		if n := strings.Count(text, "\npsk="); n != 1 {
			t.Errorf("%d keys in %q", n, text)
		}
	})
}

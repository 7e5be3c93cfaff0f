// Package ldaptest runs a real directory for tests: Debian's slapd, with people, a
// group, and an account that may read them and nothing else.
package ldaptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// Slapd is a real directory.
type Slapd struct {
	LDAPS string // address
	Plain string // address for StartTLS
	CA    string // PEM file of who vouches for it
	Roots *x509.CertPool
	Stop  func()

	t     *testing.T
	dir   string
	admin *goldap.Conn
}

// What it holds.
const (
	Base     = "dc=exemple,dc=fr"
	Reader   = "cn=borne," + Base // the account that reads
	Password = "un mot de passe long"
	// Filter finds who is in the group.
	Filter = "(&(objectClass=inetOrgPerson)(uid={login})(memberOf=" + group + "))"

	people = "ou=people," + Base
	group  = "cn=borne-accueil," + Base
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Start runs Debian's slapd on free ports of this machine, with a certificate of
// its own authority.
func Start(t *testing.T) *Slapd {
	t.Helper()
	bin, err := exec.LookPath("slapd")
	if err != nil {
		if bin = "/usr/sbin/slapd"; !exists(bin) {
			t.Skip("SKIP: slapd is not installed (scripts/setup does)")
		}
	}
	s := &Slapd{t: t, dir: t.TempDir(), Roots: x509.NewCertPool()}
	s.CA = filepath.Join(s.dir, "ca.pem")
	s.certify()
	must(t, os.Mkdir(filepath.Join(s.dir, "db"), 0o700))
	conf := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
security simple_bind=1
database mdb
suffix "%[2]s"
rootdn "cn=admin,%[2]s"
rootpw admin
directory %[1]s/db
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="%[3]s" read by * none
`, s.dir, Base, Reader)
	must(t, os.WriteFile(filepath.Join(s.dir, "slapd.conf"), []byte(conf), 0o600))
	s.LDAPS, s.Plain = "ldaps://"+free(t), "ldap://"+free(t)
	s.run(bin)
	s.fill()
	return s
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (s *Slapd) certify() {
	s.t.Helper()
	write := func(name, kind string, der []byte) {
		must(s.t, os.WriteFile(filepath.Join(s.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(s.t, err)
	now := time.Now()
	x := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "annuaire"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, x, x, &key.PublicKey, key)
	must(s.t, err)
	cert, err := x509.ParseCertificate(der)
	must(s.t, err)
	s.Roots.AddCert(cert)
	k, err := x509.MarshalPKCS8PrivateKey(key)
	must(s.t, err)
	write("ca.pem", "CERTIFICATE", der)
	write("cert.pem", "CERTIFICATE", der)
	write("key.pem", "PRIVATE KEY", k)
}

func (s *Slapd) run(bin string) {
	s.t.Helper()
	cmd := exec.Command(bin, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", s.LDAPS+"/ "+s.Plain+"/")
	out, err := os.Create(filepath.Join(s.dir, "log"))
	must(s.t, err)
	cmd.Stdout, cmd.Stderr = out, out
	must(s.t, cmd.Start())
	over := make(chan struct{})
	go func() { cmd.Wait(); out.Close(); close(over) }()
	s.Stop = func() {
		if s.admin != nil {
			s.admin.Close()
			s.admin = nil
		}
		cmd.Process.Kill()
		<-over
	}
	s.t.Cleanup(func() { s.Stop() })
	for until := time.Now().Add(20 * time.Second); s.admin == nil; {
		c, err := goldap.DialURL(s.LDAPS, goldap.DialWithTLSConfig(&tls.Config{RootCAs: s.Roots, ServerName: "127.0.0.1"}))
		if err == nil {
			s.admin = c
			break
		}
		select {
		case <-over:
			b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("slapd ended: %s", b)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			s.t.Fatalf("slapd does not answer: %v", err)
		}
	}
	must(s.t, s.admin.Bind("cn=admin,"+Base, "admin"))
}

func (s *Slapd) add(dn string, attributes map[string][]string) {
	s.t.Helper()
	r := goldap.NewAddRequest(dn, nil)
	for k, v := range attributes {
		r.Attribute(k, v)
	}
	must(s.t, s.admin.Add(r))
}

// Person adds somebody who is in no group, and returns their name.
func (s *Slapd) Person(login string) string {
	s.t.Helper()
	dn := "uid=" + goldap.EscapeDN(login) + "," + people
	s.add(dn, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {login}, "cn": {login}, "sn": {"x"}, "mail": {"x@exemple.fr"}})
	return dn
}

// Join puts somebody into the group.
func (s *Slapd) Join(dn string) {
	s.t.Helper()
	r := goldap.NewModifyRequest(group, nil)
	r.Add("member", []string{dn})
	must(s.t, s.admin.Modify(r))
}

// Leave takes them out of it.
func (s *Slapd) Leave(dn string) {
	s.t.Helper()
	r := goldap.NewModifyRequest(group, nil)
	r.Delete("member", []string{dn})
	must(s.t, s.admin.Modify(r))
}

func (s *Slapd) fill() {
	s.t.Helper()
	s.add(Base, map[string][]string{"objectClass": {"dcObject", "organization"}, "dc": {"exemple"}, "o": {"Exemple"}})
	s.add(people, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"people"}})
	s.add(Reader, map[string][]string{"objectClass": {"organizationalRole", "simpleSecurityObject"}, "cn": {"borne"}, "userPassword": {Password}})
	nobody := s.Person("personne")
	s.add(group, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"borne-accueil"}, "member": {nobody}})
}

// Remove takes somebody out of the directory.
func (s *Slapd) Remove(dn string) {
	s.t.Helper()
	must(s.t, s.admin.Del(goldap.NewDelRequest(dn, nil)))
}

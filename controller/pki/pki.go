// Package pki holds the controller's keys: the offline root that terminals pin,
// the intermediate that issues their certificates, the listener's certificate,
// the key that signs policy, permits and commands, and the badge secrets.
package pki

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"borne/controller/wire"
)

// ServerName is the name (SNI) of the terminals' listener. It is never looked
// up in DNS: it is what the certificate says and what terminals expect.
const ServerName = "terminaux.borne.internal"

// Lifetimes.
const (
	rootYears    = 30
	issuerYears  = 10
	serverDays   = 90
	TerminalDays = 90
	backdate     = 24 * time.Hour // for terminals whose clock is a little behind
	secretBytes  = 32
)

// Files that no rollover touches.
const (
	filePepper = "pepper.key"
	fileBadge  = "badge.key"
)

// PKI is an open folder of keys. A rollover changes its sets while it serves.
type PKI struct {
	dir    string
	ring   atomic.Pointer[ring]
	pepper []byte
	badge  []byte
	now    func() time.Time
}

// Init makes every key, once: a folder that has some is left alone.
func Init(dir string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of keys: %w", err)
	}
	// After a rollover the first root is gone; badges hang on the pepper for good.
	for _, name := range []string{fileRoot.of(1), filePhase} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot make keys in %s: there are some already (or it cannot be read: %v)", dir, err)
		}
	}
	for _, name := range []string{filePepper, fileBadge} {
		b := make([]byte, secretBytes)
		rand.Read(b)
		if err := writeFile(dir, name, pem.EncodeToMemory(&pem.Block{Type: "BORNE SECRET", Bytes: b})); err != nil {
			return err
		}
	}
	// Its root's certificate is written last: its presence means that all is there.
	return makeSet(dir, 1, now)
}

func authority(name string, now time.Time, years, below int) *x509.Certificate {
	return &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-2 * backdate),
		NotAfter: now.AddDate(years, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLen: below, MaxPathLenZero: below == 0,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// Open reads the folder. now is time.Now, but for tests.
func Open(dir string, now func() time.Time) (*PKI, error) {
	p := &PKI{dir: dir, now: now}
	r, err := readRing(dir)
	if err != nil {
		return nil, err
	}
	p.ring.Store(r)
	for name, to := range map[string]*[]byte{filePepper: &p.pepper, fileBadge: &p.badge} {
		block, err := readPEM(dir, name, "BORNE SECRET")
		if err != nil {
			return nil, err
		}
		if *to = block; len(block) != secretBytes {
			return nil, fmt.Errorf("cannot use %s: it has %d bytes, want %d", name, len(block), secretBytes)
		}
	}
	return p, nil
}

func writePEM(dir, name string, key any, der []byte) error {
	block := &pem.Block{Type: "CERTIFICATE", Bytes: der}
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
		block = &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	}
	return writeFile(dir, name, pem.EncodeToMemory(block))
}

func writeFile(dir, name string, b []byte) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// readPEM refuses a secret that others on the machine can read.
func readPEM(dir, name, kind string) ([]byte, error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the keys: %w; make them with the init command, or restore them from a backup", err)
	}
	if kind != "CERTIFICATE" {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("cannot use %s: others may read it; run chmod 600 on it", path)
		}
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("cannot read %s: it holds no %s; restore it from a backup", path, kind)
	}
	return block.Bytes, nil
}

func readCert(dir, name string) (*x509.Certificate, error) {
	der, err := readPEM(dir, name, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return c, nil
}

func readKey[T any](dir, name string) (T, error) {
	var none T
	der, err := readPEM(dir, name, "PRIVATE KEY")
	if err != nil {
		return none, err
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return none, fmt.Errorf("cannot read %s: %w", name, err)
	}
	key, ok := k.(T)
	if !ok {
		return none, fmt.Errorf("cannot use %s: it is a %T, want a %T", name, k, none)
	}
	return key, nil
}

// Root returns the certificate that a new terminal pins, DER.
func (p *PKI) Root() []byte { return p.ring.Load().active().root.Raw }

// Roots returns every certificate that terminals pin now, DER.
func (p *PKI) Roots() [][]byte { return p.ring.Load().roots() }

// Chain returns what is between a terminal's certificate and the root, DER.
func (p *PKI) Chain() [][]byte { return [][]byte{p.ring.Load().active().issuer.Raw} }

// SignKeys returns the public keys that terminals accept signatures of.
func (p *PKI) SignKeys() [][]byte { return p.ring.Load().signKeys() }

// SignPolicy seals a policy.
func (p *PKI) SignPolicy(v any) (wire.Envelope, error) {
	return wire.Seal(p.signer(), wire.DomainPolicy, v)
}

// SignPermit seals a permit.
func (p *PKI) SignPermit(v wire.Permit) (wire.Envelope, error) {
	return wire.Seal(p.signer(), wire.DomainPermit, v)
}

// SignCommand seals a command.
func (p *PKI) SignCommand(v wire.Command) (wire.Envelope, error) {
	return wire.Seal(p.signer(), wire.DomainCommand, v)
}

// Signer names the key that signs now (wire.KeyID).
func (p *PKI) Signer() string { return wire.KeyID(p.signer().Public().(ed25519.PublicKey)) }

func (p *PKI) signer() ed25519.PrivateKey { return p.ring.Load().active().sign }

// SignCertificate signs a monthly certificate, as it is.
func (p *PKI) SignCertificate(payload []byte) wire.Envelope {
	return wire.SealBytes(p.signer(), wire.DomainCertificate, payload)
}

// BadgeKey returns the key of h1 for a group of sites, derived so that one
// group's key tells nothing of another's.
func (p *PKI) BadgeKey(group string) []byte { return mac(p.badge, "group", group) }

// Pepper returns a key derived from the pepper, which never leaves the
// controller.
func (p *PKI) Pepper(use string) []byte { return mac(p.pepper, "pepper", use) }

func mac(key []byte, parts ...string) []byte {
	m := hmac.New(sha256.New, key)
	for _, s := range parts {
		m.Write([]byte(s))
		m.Write([]byte{0})
	}
	return m.Sum(nil)
}

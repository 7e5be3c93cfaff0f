package uplink

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"borne/controller/wire"
)

// ErrNotEnrolled reports a state folder without an identity.
var ErrNotEnrolled = errors.New("this terminal is not enrolled; make a code in the console and run borne-kiosk enrol CODE")

// identityVersion is that of the identity's file.
const identityVersion = 1

// Limits of the identity's file and of what it holds.
const (
	maxIdentityFile = 256 << 10
	maxCertificates = 8
)

// Identity is who this terminal is and whom it trusts. Certificates are DER.
type Identity struct {
	Terminal   string            // id given by the controller
	Controller string            // https://host:port
	ServerName string            // that the controller's certificate must hold
	Key        *ecdsa.PrivateKey // P-256, of Cert
	Cert       []byte            //
	Chain      [][]byte          // up to but without the root
	Roots      [][]byte          // pinned: no other root is ever believed
	SignKeys   [][]byte          // Ed25519 keys of policy, permits and commands
	KeySet     *wire.Envelope    // SignKeys as a key believed before signed them; nil until a rollover
	KeyStep    uint64            // how far the controller's rollovers were at enrolment
	BadgeKey   []byte            // HMAC key of the site's group
	Sim        bool              // enrolled with simulated hardware
}

// stored is the identity's file. One file holds it all, because a key beside
// the certificate of another key is no identity: the rename changes both or none.
type stored struct {
	Version    int      `json:"version"` // identityVersion; 0: written before there was one, and otherwise the same
	Terminal   string   `json:"terminal"`
	Controller string   `json:"controller"`
	ServerName string   `json:"serverName"`
	Key        []byte   `json:"key"` // PKCS #8
	Cert       []byte   `json:"cert"`
	Chain      [][]byte `json:"chain"`
	Roots      [][]byte `json:"roots"`
	SignKeys   [][]byte `json:"signKeys"`
	BadgeKey   []byte   `json:"badgeKey"`
	Sim        bool     `json:"sim"`

	KeySet *wire.Envelope `json:"keySet,omitempty"`
}

// Folder keeps the identity: files of mode 0600 in a folder of mode 0700.
type Folder struct{ dir string }

// OpenFolder makes dir when it is missing.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the identity's folder: %w", err)
	}
	return &Folder{dir: dir}, nil
}

// Load returns the identity, or an error that wraps ErrNotEnrolled.
func (f *Folder) Load() (Identity, error) {
	b, err := f.read("identity.json")
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, fmt.Errorf("cannot load the identity from %s: %w", f.dir, ErrNotEnrolled)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("cannot load the identity: %w", err)
	}
	return parseIdentity(b)
}

// Save replaces the identity at once.
func (f *Folder) Save(id Identity) error {
	key, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		return fmt.Errorf("cannot save the identity: %w", err)
	}
	b, err := json.Marshal(stored{Version: identityVersion, Terminal: id.Terminal, Controller: id.Controller, ServerName: id.ServerName, Key: key,
		Cert: id.Cert, Chain: id.Chain, Roots: id.Roots, SignKeys: id.SignKeys, BadgeKey: id.BadgeKey, Sim: id.Sim, KeySet: id.KeySet})
	if err != nil {
		return fmt.Errorf("cannot save the identity: %w", err)
	}
	if _, err := parseIdentity(b); err != nil { // what cannot be loaded must not replace what can
		return fmt.Errorf("cannot save the identity: %w", err)
	}
	return f.write("identity.json", b)
}

func parseIdentity(b []byte) (Identity, error) {
	fail := func(what string, err error) (Identity, error) {
		return Identity{}, fmt.Errorf("cannot read the identity (%s); enrol the terminal again: %w", what, err)
	}
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return fail("not its JSON", err)
	}
	if s.Version < 0 || s.Version > identityVersion {
		return Identity{}, fmt.Errorf("cannot read the identity: it is of version %d, and this program knows %d; install the newer borne-kiosk again", s.Version, identityVersion)
	}
	k, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return fail("private key", err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return fail("private key", errors.New("not ECDSA P-256"))
	}
	id := Identity{Terminal: s.Terminal, Controller: s.Controller, ServerName: s.ServerName, Key: key, Cert: s.Cert,
		Chain: s.Chain, Roots: s.Roots, SignKeys: s.SignKeys, BadgeKey: s.BadgeKey, Sim: s.Sim, KeySet: s.KeySet}
	if err := id.check(); err != nil {
		return fail("content", err)
	}
	return id, nil
}

func (id Identity) check() error {
	leaf, err := x509.ParseCertificate(id.Cert)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if !id.Key.PublicKey.Equal(leaf.PublicKey) {
		return errors.New("the certificate is for another key")
	}
	if id.Terminal == "" || id.ServerName == "" {
		return errors.New("the terminal's id or the server's name is missing")
	}
	if _, err := endpoint(id.Controller); err != nil {
		return err
	}
	if len(id.Roots) == 0 || len(id.Roots) > maxCertificates || len(id.Chain) > maxCertificates {
		return fmt.Errorf("%d roots and %d intermediates, want 1 to %d and 0 to %[3]d", len(id.Roots), len(id.Chain), maxCertificates)
	}
	for _, der := range slices.Concat(id.Roots, id.Chain) {
		if _, err := x509.ParseCertificate(der); err != nil {
			return fmt.Errorf("certificate of an authority: %w", err)
		}
	}
	if len(id.SignKeys) == 0 || len(id.SignKeys) > maxCertificates {
		return fmt.Errorf("%d signing keys, want 1 to %d", len(id.SignKeys), maxCertificates)
	}
	for _, k := range id.SignKeys {
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("a signing key has %d bytes, want %d", len(k), ed25519.PublicKeySize)
		}
	}
	if len(id.BadgeKey) < 32 {
		return fmt.Errorf("the badge key has %d bytes, want 32 or more", len(id.BadgeKey))
	}
	return nil
}

// Verifiers returns the keys to open envelopes with.
func (id Identity) Verifiers() []ed25519.PublicKey {
	keys := make([]ed25519.PublicKey, len(id.SignKeys))
	for i, k := range id.SignKeys {
		keys[i] = k
	}
	return keys
}

// Trust is the digest of what this identity believes, and of who issued its
// certificate.
func (id Identity) Trust() []byte { return wire.TrustDigest(id.Roots, id.SignKeys, id.Chain) }

// Lifetime returns the certificate's validity.
func (id Identity) Lifetime() (from, to time.Time) {
	leaf, err := x509.ParseCertificate(id.Cert)
	if err != nil {
		return time.Time{}, time.Time{}
	}
	return leaf.NotBefore, leaf.NotAfter
}

// certificate is what mutual TLS shows.
func (id Identity) certificate() tls.Certificate {
	return tls.Certificate{Certificate: append([][]byte{id.Cert}, id.Chain...), PrivateKey: id.Key}
}

// newKey makes a key with its certificate request. The controller alone names
// the terminal: the request's subject is a constant.
func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make the TLS key: %w", err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "borne terminal"}}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make the certificate request: %w", err)
	}
	return key, csr, nil
}

// pending is a key whose certificate was asked for and has not come yet. It
// outlives a lost answer or a power cut: the retry sends the same bytes.
type pending struct {
	Key        []byte `json:"key"` // PKCS #8
	CSR        []byte `json:"csr"`
	ReceiptCSR []byte `json:"receiptCsr,omitempty"`
	CodeID     string `json:"codeId,omitempty"`
}

func (p pending) key() (*ecdsa.PrivateKey, error) {
	k, err := x509.ParsePKCS8PrivateKey(p.Key)
	if err != nil {
		return nil, err
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an ECDSA key")
	}
	req, err := x509.ParseCertificateRequest(p.CSR)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(req.PublicKey) {
		return nil, errors.New("the request is for another key")
	}
	return key, nil
}

// pending returns the request kept under name when same accepts it, or makes a
// new one and keeps it. A file that cannot be read is replaced: it holds
// nothing that a new request does not give.
func (f *Folder) pending(name string, same func(pending) bool, fill func(*pending) error) (pending, *ecdsa.PrivateKey, error) {
	var p pending
	if b, err := f.read(name); err == nil && json.Unmarshal(b, &p) == nil && same(p) {
		if key, err := p.key(); err == nil {
			return p, key, nil
		}
	}
	key, csr, err := newKey()
	if err != nil {
		return p, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return p, nil, fmt.Errorf("cannot keep the TLS key: %w", err)
	}
	p = pending{Key: der, CSR: csr}
	if err := fill(&p); err != nil {
		return p, nil, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return p, nil, fmt.Errorf("cannot keep the TLS key: %w", err)
	}
	return p, key, f.write(name, b)
}

func (f *Folder) read(name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(f.dir, name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("cannot use %s: others may read it (mode %o); run chmod 600 on it and enrol again", file.Name(), st.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(file, maxIdentityFile+1))
	if err == nil && len(b) > maxIdentityFile {
		err = fmt.Errorf("cannot use %s: it passes %d bytes", file.Name(), maxIdentityFile)
	}
	return b, err
}

// write replaces a file so that a power cut leaves the old or the new one.
func (f *Folder) write(name string, b []byte) (err error) {
	tmp, err := os.CreateTemp(f.dir, "."+name+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
			err = fmt.Errorf("cannot write %s: %w", name, err)
		}
	}()
	_, err = io.Copy(tmp, bytes.NewReader(b))
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(f.dir, name))
	}
	if err != nil {
		return err
	}
	d, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (f *Folder) remove(name string) error {
	err := os.Remove(filepath.Join(f.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

package pki

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// part is one file of a set of keys.
type part string

// Files of a set.
const (
	fileRoot      part = "root.pem"
	fileRootKey   part = "root.key" // may be moved offline once the set is made
	fileIssuer    part = "issuer.pem"
	fileIssuerKey part = "issuer.key"
	fileSign      part = "sign.key"
)

// of names the file of set n: the first set's files have no number.
func (f part) of(n int) string {
	if n == 1 {
		return string(f)
	}
	ext := filepath.Ext(string(f))
	return fmt.Sprintf("%s-%d%s", string(f)[:len(f)-len(ext)], n, ext)
}

// set is what rolls over together: a root, the issuer below it, and the key
// that signs policy, permits and commands.
type set struct {
	n         int
	root      *x509.Certificate
	issuer    *x509.Certificate
	issuerKey *ecdsa.PrivateKey
	sign      ed25519.PrivateKey
}

// makeSet writes a new set; its root's certificate comes last.
func makeSet(dir string, n int, now time.Time) error {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the root: %w", err)
	}
	root := authority("Borne root", now, rootYears, 1)
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return fmt.Errorf("cannot make the root: %w", err)
	}
	issuerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the issuer: %w", err)
	}
	issuer := authority("Borne issuer", now, issuerYears, 0)
	issuerDER, err := x509.CreateCertificate(rand.Reader, issuer, root, issuerKey.Public(), rootKey)
	if err != nil {
		return fmt.Errorf("cannot make the issuer: %w", err)
	}
	_, sign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the signing key: %w", err)
	}
	for _, f := range []struct {
		name part
		key  any
		der  []byte
	}{{fileRootKey, rootKey, nil}, {fileIssuerKey, issuerKey, nil}, {fileSign, sign, nil}, {fileIssuer, nil, issuerDER}, {fileRoot, nil, rootDER}} {
		if err := writePEM(dir, f.name.of(n), f.key, f.der); err != nil {
			return err
		}
	}
	return nil
}

func readSet(dir string, n int) (*set, error) {
	s := &set{n: n}
	var err error
	if s.root, err = readCert(dir, fileRoot.of(n)); err != nil {
		return nil, err
	}
	if s.issuer, err = readCert(dir, fileIssuer.of(n)); err != nil {
		return nil, err
	}
	if err := s.issuer.CheckSignatureFrom(s.root); err != nil {
		return nil, fmt.Errorf("cannot use %s: it is not signed by %s: %w", fileIssuer.of(n), fileRoot.of(n), err)
	}
	if s.issuerKey, err = readKey[*ecdsa.PrivateKey](dir, fileIssuerKey.of(n)); err != nil {
		return nil, err
	}
	if !s.issuerKey.PublicKey.Equal(s.issuer.PublicKey) {
		return nil, fmt.Errorf("cannot use %s: it is not the key of %s", fileIssuerKey.of(n), fileIssuer.of(n))
	}
	if s.sign, err = readKey[ed25519.PrivateKey](dir, fileSign.of(n)); err != nil {
		return nil, err
	}
	return s, nil
}

// phase is the one small file that says which sets count. A rollover's step is
// the rename of this file: a power cut leaves the step before or the step after.
type phase struct {
	Version  int    `json:"version"`  // phaseVersion; 0: written before there was one, and otherwise the same
	Step     uint64 `json:"step"`     // +1 at each step of a rollover
	Active   int    `json:"active"`   // the set that issues and signs
	Believed []int  `json:"believed"` // the sets that terminals are told to believe, oldest first
}

const (
	filePhase    = "keys.json"
	phaseVersion = 1
)

// ring is the sets that count.
type ring struct {
	phase
	sets []*set // of Believed, in its order
}

func (r *ring) active() *set { return r.sets[slices.Index(r.Believed, r.Active)] }

func (r *ring) roots() [][]byte {
	var all [][]byte
	for _, s := range r.sets {
		all = append(all, s.root.Raw)
	}
	return all
}

func (r *ring) signKeys() [][]byte {
	var all [][]byte
	for _, s := range r.sets {
		all = append(all, s.sign.Public().(ed25519.PublicKey))
	}
	return all
}

func readPhase(dir string) (phase, error) {
	b, err := os.ReadFile(filepath.Join(dir, filePhase))
	if errors.Is(err, fs.ErrNotExist) { // no rollover yet
		return phase{Active: 1, Believed: []int{1}}, nil
	}
	if err != nil {
		return phase{}, fmt.Errorf("cannot read %s: %w; restore it from a backup", filePhase, err)
	}
	return parsePhase(b)
}

func parsePhase(b []byte) (ph phase, err error) {
	if err := json.Unmarshal(b, &ph); err != nil {
		return ph, fmt.Errorf("cannot read %s: %w; restore it from a backup", filePhase, err)
	}
	if ph.Version < 0 || ph.Version > phaseVersion {
		return ph, fmt.Errorf("cannot use %s: it is of version %d, and this program knows %d; install the newer borne-controller again", filePhase, ph.Version, phaseVersion)
	}
	if len(ph.Believed) == 0 || len(ph.Believed) > 2 || !slices.IsSorted(ph.Believed) || ph.Believed[0] < 1 || !slices.Contains(ph.Believed, ph.Active) {
		return ph, fmt.Errorf("cannot use %s: set %d of %v is none; restore it from a backup", filePhase, ph.Active, ph.Believed)
	}
	return ph, nil
}

func readRing(dir string) (*ring, error) {
	ph, err := readPhase(dir)
	if err != nil {
		return nil, err
	}
	r := &ring{phase: ph}
	for _, n := range r.Believed {
		s, err := readSet(dir, n)
		if err != nil {
			return nil, err
		}
		r.sets = append(r.sets, s)
	}
	return r, nil
}

// write makes the phase durable: the moment at which a step is done.
func (ph phase) write(dir string) error {
	ph.Version = phaseVersion
	b, err := json.Marshal(ph)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filePhase, err)
	}
	const next = filePhase + ".new"
	if err := writeFile(dir, next, b); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, next), filepath.Join(dir, filePhase)); err != nil {
		return fmt.Errorf("cannot write %s: %w", filePhase, err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot write the keys: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot write the keys: %w", err)
	}
	return nil
}

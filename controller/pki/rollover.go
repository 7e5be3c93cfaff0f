package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"borne/controller/wire"
)

// Stage is where a rollover of root, issuer and signing key stands.
type Stage string

// Stages, in their order. Each step waits until the terminals have heard of the
// one before it: see Trust.
const (
	Settled   Stage = "settled"   // one set, nothing under way
	Announced Stage = "announced" // terminals are told of a second set; the first one signs and issues
	Switched  Stage = "switched"  // the second set signs and issues; the first is still believed
)

// ErrStage reports a step that is not the next one.
var ErrStage = errors.New("it is not the next step of the rollover")

// Stage returns where the rollover stands.
func (p *PKI) Stage() Stage {
	r := p.ring.Load()
	switch {
	case len(r.Believed) == 1:
		return Settled
	case r.Active == r.Believed[0]:
		return Announced
	}
	return Switched
}

// Announce makes a second set and has terminals believe it.
func (p *PKI) Announce() error {
	r := p.ring.Load()
	if p.Stage() != Settled {
		return fmt.Errorf("cannot announce new keys: %w: keys are %s", ErrStage, p.Stage())
	}
	n := r.Active + 1
	if err := makeSet(p.dir, n, p.now()); err != nil { // over what a power cut left of an earlier attempt
		return err
	}
	if err := syncDir(p.dir); err != nil {
		return err
	}
	return p.step(phase{Active: r.Active, Believed: []int{r.Active, n}})
}

// Switch has the second set sign and issue from now on.
func (p *PKI) Switch() error {
	r := p.ring.Load()
	if p.Stage() != Announced {
		return fmt.Errorf("cannot switch to new keys: %w: keys are %s", ErrStage, p.Stage())
	}
	return p.step(phase{Active: r.Believed[1], Believed: r.Believed})
}

// Retire drops the first set: nobody believes it any more, and its private keys
// are erased. Certificates and signatures of it are worth nothing from then on.
func (p *PKI) Retire() error {
	r := p.ring.Load()
	if p.Stage() != Switched {
		return fmt.Errorf("cannot retire the old keys: %w: keys are %s", ErrStage, p.Stage())
	}
	return p.step(phase{Active: r.Active, Believed: []int{r.Active}})
}

// Abandon gives an announced set up, before it was ever used.
func (p *PKI) Abandon() error {
	r := p.ring.Load()
	if p.Stage() != Announced {
		return fmt.Errorf("cannot give the new keys up: %w: keys are %s", ErrStage, p.Stage())
	}
	return p.step(phase{Active: r.Active, Believed: []int{r.Active}})
}

// step makes a phase durable, then counts by it. Steps are dated, so that one
// after a restore is later than any that terminals heard of before.
func (p *PKI) step(next phase) error {
	next.Step = max(p.ring.Load().Step+1, uint64(max(0, p.now().UnixMilli())))
	if err := next.write(p.dir); err != nil {
		return err
	}
	return p.Reload()
}

// Reload reads anew which sets count: another process may have taken a step.
func (p *PKI) Reload() error {
	r, err := readRing(p.dir)
	if err != nil {
		return err
	}
	p.ring.Store(r)
	return nil
}

// Sweep erases the sets that count for nothing any more, older than those that
// do. On a flash disk the bytes may outlive the file: what protects is that
// nobody believes these keys.
func (p *PKI) Sweep() error {
	for n := 1; n < p.ring.Load().Believed[0]; n++ {
		for _, f := range []part{fileRootKey, fileIssuerKey, fileSign, fileIssuer, fileRoot} {
			if err := os.Remove(filepath.Join(p.dir, f.of(n))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cannot erase %s, which counts for nothing any more; remove it by hand: %w", f.of(n), err)
			}
		}
	}
	return syncDir(p.dir)
}

// Steps tells how far rollovers have gone in a folder of keys: 0 without any.
// The number rises with each step.
func Steps(dir string) (uint64, error) {
	ph, err := readPhase(dir)
	return ph.Step, err
}

// Step is how far rollovers have gone.
func (p *PKI) Step() uint64 { return p.ring.Load().Step }

// Trust is the digest of what a terminal is to believe now, and of who issues
// its certificate: one that holds something else renews.
func (p *PKI) Trust() []byte {
	r := p.ring.Load()
	return wire.TrustDigest(r.roots(), r.signKeys(), [][]byte{r.active().issuer.Raw})
}

// KeySet returns the keys that sign, signed by the one that signs now: a
// terminal that believes one of them follows a rollover by it.
func (p *PKI) KeySet() (wire.Envelope, error) {
	r := p.ring.Load()
	return wire.Seal(r.active().sign, wire.DomainKeys, wire.KeySet{Step: r.Step, SignKeys: r.signKeys()})
}

// Reseal signs an envelope of ours again, with the key that signs now. It tells
// whether that changed anything. The envelope is one that this controller kept.
func (p *PKI) Reseal(e wire.Envelope) (wire.Envelope, bool) {
	if e.Kid == p.Signer() {
		return e, false
	}
	return wire.SealBytes(p.signer(), e.Domain, e.Payload), true
}

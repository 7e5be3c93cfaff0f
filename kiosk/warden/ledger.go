package warden

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// Bounds of what the ledger keeps.
const (
	maxKept  = 64  // signed, not forgotten yet
	maxSpent = 256 // permits that were signed and forgotten: more than a terminal ever holds at once
	ledgerV  = 1
)

// ledger is the warden's memory that outlives a restart: its key, the head of
// the chain of receipts, and the evidence that the agent has not committed yet.
// Everything is on disk before an answer leaves.
type ledger struct {
	dir   string
	key   ed25519.PrivateKey
	build string
	boot  string
	sim   bool

	mu sync.Mutex
	s  ledgerState
}

type ledgerState struct {
	Version int            `json:"version"`
	Head    wire.ChainHead `json:"head"`
	Last    *evidence      `json:"last,omitempty"` // of the last wipe
	Kept    []signed       `json:"kept,omitempty"`
	Spent   []string       `json:"spent,omitempty"` // permits, oldest first
	Begun   *begun         `json:"begun,omitempty"` // session that was admitted and not wiped yet
	// Verified on the sandbox made last: what a permit that was consumed just
	// before a power cut would have been used in.
	Standby []wire.Property `json:"standby,omitempty"`
}

type evidence struct {
	Evidence sandbox.Evidence `json:"evidence"`
	Attempt  int              `json:"attempt"`
	Permit   string           `json:"permit,omitempty"` // it was signed for
}

type signed struct {
	Claim   sandbox.Sign  `json:"claim"`
	Receipt wire.Envelope `json:"receipt"`
}

type begun struct {
	Session string          `json:"session"`
	At      time.Time       `json:"at"`
	Props   []wire.Property `json:"props,omitempty"` // verified on its sandbox
}

// openLedger reads the ledger in dir, or begins one.
func openLedger(dir, build string, sim bool) (*ledger, error) {
	l := &ledger{dir: dir, build: build, sim: sim, s: ledgerState{Version: ledgerV}}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("cannot read the id of this boot: %w", err)
	}
	l.boot = strings.TrimSpace(string(boot))
	if l.key, err = openKey(filepath.Join(dir, "receipt.key")); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "ledger.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the warden's ledger: %w", err)
	}
	if err := json.Unmarshal(b, &l.s); err != nil {
		return nil, fmt.Errorf("cannot read the warden's ledger %s/ledger.json: %w; the chain of receipts is broken: replace this terminal in the console", dir, err)
	}
	if l.s.Version != ledgerV {
		return nil, fmt.Errorf("cannot read the warden's ledger: it is of version %d, this build writes %d; install the newer build again", l.s.Version, ledgerV)
	}
	return l, nil
}

// openKey reads the receipt key, or makes it on the first start.
func openKey(path string) (ed25519.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		if err := writeDurably(path, seed); err != nil {
			return nil, fmt.Errorf("cannot keep a receipt key: %w", err)
		}
		return ed25519.NewKeyFromSeed(seed), nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the receipt key: %w", err)
	}
	if len(b) != ed25519.SeedSize {
		return nil, fmt.Errorf("cannot use the receipt key %s: it has %d bytes, want %d; replace this terminal in the console", path, len(b), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(b), nil
}

// writeDurably replaces path by b: after it returns, a power cut finds b, and
// at any moment before finds the old bytes, whole.
func writeDurably(path string, b []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("cannot write %s: %w; free some room on the disk", path, err)
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// change runs f on a copy of the state, and keeps the copy once it is durable.
func (l *ledger) change(f func(*ledgerState)) error {
	next := l.s
	next.Kept, next.Spent = slices.Clone(l.s.Kept), slices.Clone(l.s.Spent)
	f(&next)
	b, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("cannot write the warden's ledger: %w", err)
	}
	if err := writeDurably(filepath.Join(l.dir, "ledger.json"), b); err != nil {
		return err
	}
	l.s = next
	return nil
}

// prepared keeps what was verified on a standby.
func (l *ledger) prepared(props []wire.Property) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.change(func(s *ledgerState) { s.Standby = props })
}

// begin keeps that a session was admitted, since when its sandbox exists, and
// what was verified on it. An examination from before proves nothing about it: an agent that wiped first
// and admitted then would have its receipt while the person still sits there.
func (l *ledger) begin(session string, at time.Time, props []wire.Property) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.change(func(s *ledgerState) { s.Begun, s.Last = &begun{session, at.UTC(), props}, nil })
}

// propsOf returns what was verified on session's sandbox, by this process or
// by one that was killed since. A session that was never admitted has those of
// the standby that waited for it.
func (l *ledger) propsOf(session string) []wire.Property {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.s.Begun != nil && l.s.Begun.Session == session:
		return l.s.Begun.Props
	case l.s.Last != nil && l.s.Last.Evidence.Session == session:
		return l.s.Last.Evidence.Props
	}
	return l.s.Standby
}

// begunAt tells when the session that was not wiped yet began.
func (l *ledger) begunAt() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.s.Begun == nil {
		return time.Time{}, false
	}
	return l.s.Begun.At, true
}

// wiped keeps what a wipe found. A wipe that proves something closes the
// session's beginning.
func (l *ledger) wiped(e sandbox.Evidence, attempt int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.change(func(s *ledgerState) {
		s.Last = &evidence{Evidence: e, Attempt: attempt}
		if e.Failure == "" {
			s.Begun = nil
		}
	})
}

// sign makes the receipt of the last wipe, or gives the one it made before.
func (l *ledger) sign(c sandbox.Sign) (wire.Envelope, wire.ChainHead, error) {
	none := func(err error) (wire.Envelope, wire.ChainHead, error) {
		return wire.Envelope{}, wire.ChainHead{}, err
	}
	if err := checkSign(c); err != nil {
		return none(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.s.Kept {
		if k.Claim.Permit != c.Permit {
			continue
		}
		if !sameClaim(k.Claim, c) {
			return none(fmt.Errorf("cannot sign: permit %s has a receipt for another claim", c.Permit))
		}
		return k.Receipt, l.s.Head, nil
	}
	last := l.s.Last
	switch {
	case slices.Contains(l.s.Spent, c.Permit):
		return none(fmt.Errorf("cannot sign: permit %s had its receipt, and that was committed", c.Permit))
	case last == nil || last.Evidence.Session != c.Session:
		return none(fmt.Errorf("cannot sign: the last wipe is not of session %q; wipe first", c.Session))
	case last.Permit != "":
		return none(fmt.Errorf("cannot sign: the last wipe has its receipt, for permit %s; wipe again", last.Permit))
	case len(l.s.Kept) >= maxKept:
		return none(fmt.Errorf("cannot sign: %d receipts wait to be committed", maxKept))
	}
	r := wire.Receipt{Kind: c.Kind, Terminal: c.Terminal, Session: c.Session, Permit: c.Permit, Nonce: c.Nonce,
		Segment: l.s.Head.Segment, Index: l.s.Head.Index + 1, Prev: l.s.Head.Digest, At: c.At.UTC(), Unsure: c.Unsure,
		Boot: l.boot, Build: l.build, Sim: l.sim, Attempt: last.Attempt, WipeMS: last.Evidence.Millis,
		Level: last.Evidence.Level, Props: last.Evidence.Props, Checks: last.Evidence.Checks}
	if c.NewChain {
		r.Segment, r.Index = l.s.Head.Segment+1, 1
	}
	env, err := wire.Seal(l.key, wire.DomainReceipt, r)
	if err != nil {
		return none(err)
	}
	err = l.change(func(s *ledgerState) {
		s.Head = wire.ChainHead{Segment: r.Segment, Index: r.Index, Digest: env.Digest()}
		s.Kept = append(s.Kept, signed{c, env})
		done := *last
		done.Permit = c.Permit
		s.Last = &done
	})
	if err != nil {
		return none(err)
	}
	return env, l.s.Head, nil
}

func checkSign(c sandbox.Sign) error {
	if err := checkID("permit", c.Permit); err != nil {
		return err
	}
	if err := checkID("terminal", c.Terminal); err != nil {
		return err
	}
	switch c.Kind {
	case wire.ReceiptSession:
		if err := checkID("session", c.Session); err != nil {
			return err
		}
		if c.NewChain {
			return errors.New("cannot sign: only a challenge begins a new chain")
		}
	case wire.ReceiptChallenge:
		if c.Session != "" {
			return errors.New("cannot sign: a challenge has no session")
		}
	default:
		return fmt.Errorf("cannot sign: kind %.20q of receipt is unknown", c.Kind)
	}
	if len(c.Nonce) < 8 || len(c.Nonce) > 64 {
		return fmt.Errorf("cannot sign: a nonce of %d bytes, want 8 to 64", len(c.Nonce))
	}
	return nil
}

// sameClaim ignores the time: an agent that asks again does so later.
func sameClaim(a, b sandbox.Sign) bool {
	return a.Kind == b.Kind && a.Terminal == b.Terminal && a.Session == b.Session && a.Permit == b.Permit &&
		bytes.Equal(a.Nonce, b.Nonce) && a.NewChain == b.NewChain
}

// forget drops what was kept for permit; a second time does no harm.
func (l *ledger) forget(permit string) error {
	if err := checkID("permit", permit); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.s.Kept, func(k signed) bool { return k.Claim.Permit == permit })
	if i < 0 {
		return nil
	}
	return l.change(func(s *ledgerState) {
		s.Kept = slices.Delete(s.Kept, i, i+1)
		s.Spent = append(s.Spent, permit)
		if n := len(s.Spent) - maxSpent; n > 0 {
			s.Spent = s.Spent[n:]
		}
		if s.Last != nil && s.Last.Permit == permit {
			s.Last = nil
		}
	})
}

// head returns where the chain stands.
func (l *ledger) head() wire.ChainHead {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s.Head
}

// csr returns a request for a certificate of the receipt key (RFC 2986).
func (l *ledger) csr() ([]byte, error) {
	t := x509.CertificateRequest{Subject: pkix.Name{CommonName: "borne receipt key"}, SignatureAlgorithm: x509.PureEd25519}
	b, err := x509.CreateCertificateRequest(rand.Reader, &t, l.key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return b, nil
}

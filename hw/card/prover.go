package card

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"borne/hw"
)

// Prover finds out what cards prove under a terminal's keys. Safe for
// concurrent use.
type Prover struct {
	keys     Keys
	badge    hw.BadgeKey
	counters *Counters
	nonces   io.Reader
}

var _ hw.Prover = (*Prover)(nil)

// Options are what a Prover needs besides keys.
type Options struct {
	// Badge makes pseudonyms, the readers' own function; needed with SUN keys.
	Badge hw.BadgeKey
	// Counters are shared by all readers of a terminal; needed with SUN keys.
	Counters *Counters
	// Random gives nonces; nil: crypto/rand.
	Random io.Reader
}

// NewProver checks keys and options.
func NewProver(k Keys, o Options) (*Prover, error) {
	if err := k.check(); err != nil {
		return nil, fmt.Errorf("cannot use badge keys: %w", err)
	}
	if k.SUN != nil && (o.Badge == nil || o.Counters == nil) {
		return nil, errors.New("cannot use badge keys: SUN messages need the badge key function and counters")
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return &Prover{keys: k, badge: o.Badge, counters: o.Counters, nonces: o.Random}, nil
}

// Format keeps keys and pseudonyms out of dumps.
func (p *Prover) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(prover)") }

// verdict is what one attempt showed.
type verdict uint8

const (
	notOurs verdict = iota // the card has no such key or file, and does not claim it
	wrong                  // it claims, and answers wrongly
	proven
)

// Prove implements hw.Prover. It prefers mutual authentication, then the SUN
// message. A card that honestly refuses our key (status 91AE) is another
// issuer's, and no suspect: whoever relies on mutual authentication must ask for
// it badge by badge, because a copy that refuses looks the same.
//
// Each refused authentication counts on the card (NT4H2421Gx, 9.1.8): readers
// call Prove once per visit, not at each look.
func (p *Prover) Prove(ctx context.Context, card hw.Link, uid []byte) (hw.Proof, error) {
	plain := hw.Proof{Assurance: hw.AssuranceUID}
	d := dialogue{ctx: ctx, card: card}
	if ok, err := d.selectApplication(); err != nil || !ok {
		return plain, err
	}
	v := visit{Prover: p, d: &d}
	defer clear(v.real[:])
	v.random = len(uid) == 4 && uid[0] == 0x08 // ISO/IEC 14443-3, 6.5.4
	if !v.random {
		if len(uid) != uidSize {
			return plain, nil // no NTAG 424 DNA
		}
		copy(v.real[:], uid)
		v.known = true
	}
	proof, err := v.prove()
	if err != nil {
		return plain, err
	}
	if v.random && v.known {
		proof.UID = append([]byte(nil), v.real[:]...)
	}
	return proof, nil
}

// visit is one card's examination.
type visit struct {
	*Prover
	d      *dialogue
	real   [uidSize]byte
	known  bool // real is the card's UID: shown or told under a key
	random bool
	asked  bool // an authentication was begun
}

func (v *visit) prove() (hw.Proof, error) {
	plain := hw.Proof{Assurance: hw.AssuranceUID}
	suspect := hw.Proof{Assurance: hw.AssuranceUID, Suspect: true}
	mutual := v.keys.Mutual
	if mutual != nil && !v.known && v.keys.Privacy != nil {
		switch got, err := v.authenticate(v.keys.Privacy); {
		case err != nil:
			return plain, err
		case got == wrong:
			return suspect, nil
		}
	}
	tried := mutual != nil && (v.known || !mutual.Diversified)
	if tried {
		switch got, err := v.authenticate(mutual); {
		case err != nil:
			return plain, err
		case got == wrong:
			return suspect, nil
		case got == proven:
			return hw.Proof{Assurance: hw.AssuranceMutual}, nil
		}
	}
	if v.keys.SUN == nil {
		return plain, nil
	}
	// Selecting again ends an authentication, in which no messages are made
	// (NT4H2421Gx, 9.3.2).
	if v.asked {
		if ok, err := v.d.selectApplication(); err != nil || !ok {
			return plain, err
		}
	}
	got, counter, err := v.sun()
	switch {
	case err != nil || got == notOurs:
		return plain, err
	case got == wrong:
		return suspect, nil
	case !v.counters.Rises(v.badge(v.real[:]), counter):
		suspect.Counter = counter // a copied message
		return suspect, nil
	}
	dynamic := hw.Proof{Assurance: hw.AssuranceDynamic, Counter: counter}
	if mutual == nil || tried {
		return dynamic, nil
	}
	switch got, err := v.authenticate(mutual); {
	case err != nil:
		return plain, err
	case got == wrong:
		return suspect, nil
	case got == proven:
		dynamic.Assurance = hw.AssuranceMutual
	}
	return dynamic, nil
}

// learn takes a UID that the card proved; false when it belies another.
func (v *visit) learn(uid [uidSize]byte) bool {
	if v.known {
		return subtle.ConstantTimeCompare(uid[:], v.real[:]) == 1
	}
	v.real, v.known = uid, true
	return true
}

// authenticate runs AuthenticateEV2First and asks for the UID.
func (v *visit) authenticate(m *MasterKey) (verdict, error) {
	key, err := m.Of(v.real[:])
	if err != nil {
		return notOurs, err
	}
	defer key.wipe()
	v.asked = true
	challenge, got, err := v.d.challenge(m.Number)
	if err != nil || got != proven {
		return got, err
	}
	var rndA [16]byte
	if _, err := io.ReadFull(v.nonces, rndA[:]); err != nil {
		return notOurs, fmt.Errorf("cannot draw a nonce: %w", err)
	}
	rndB, answer := answerEV2(key, rndA, challenge)
	last, got, err := v.d.answer(answer)
	if err != nil || got != proven {
		return got, err
	}
	s, ok := finishEV2(key, rndA, rndB, last)
	if !ok {
		return wrong, nil
	}
	defer s.Close()
	sealed, err := v.d.sealedUID(s.CommandMAC(insGetCardUID))
	if err != nil {
		return notOurs, err
	}
	uid, ok := s.openUID(sealed)
	defer clear(uid[:])
	if !ok || !v.learn(uid) {
		return wrong, nil
	}
	return proven, nil
}

// sun reads the file and checks its message.
func (v *visit) sun() (verdict, uint32, error) {
	s := v.keys.SUN
	file, err := v.d.readFile(s.FileID)
	defer clear(file)
	if err != nil || file == nil {
		return notOurs, 0, err
	}
	abbreviation, rest, ok := uri(file)
	if !ok || !beginsWith(abbreviation, rest, s.URL) {
		return notOurs, 0, nil
	}
	m, ok := s.parse(rest)
	if !ok {
		return notOurs, 0, nil
	}
	uid, counter, ok := openPICC(s.Meta, m.picc)
	defer clear(uid[:])
	if !ok {
		return wrong, 0, nil
	}
	key, err := s.File.Of(uid[:])
	if err != nil {
		return notOurs, 0, err
	}
	defer key.wipe()
	mac := SUNMAC(key, uid, counter, m.input)
	// The MAC first: only then is the UID the card's.
	if subtle.ConstantTimeCompare(mac[:], m.mac[:]) != 1 || !v.learn(uid) {
		return wrong, 0, nil
	}
	return proven, counter, nil
}

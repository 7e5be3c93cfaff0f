// Package wire holds every type that crosses the network between a terminal
// and the controller, with their codec, size limits and signatures. Both sides
// use it, and it imports nothing but the standard library.
package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Domain separates signatures: a permit can never pass for a command.
type Domain string

// Domains of signed things.
const (
	DomainPolicy  Domain = "borne/policy/1"
	DomainPermit  Domain = "borne/permit/1"
	DomainCommand Domain = "borne/command/1"
	DomainReceipt Domain = "borne/receipt/1"
	DomainKeys    Domain = "borne/keys/1"
	// DomainCertificate is a site's monthly certificate, which only people read.
	DomainCertificate Domain = "borne/certificate/1"
)

// ErrSignature reports an envelope whose signature, domain or key is wrong.
var ErrSignature = errors.New("signature does not verify")

// Envelope is a signed thing. Payload is the exact bytes that were signed: it
// is stored and verified as it came, and never marshalled again.
type Envelope struct {
	Kid     string `json:"kid"`     // KeyID of the signing key
	Domain  Domain `json:"domain"`  // what the payload is
	Payload []byte `json:"payload"` // JSON, base64 on the wire
	Sig     []byte `json:"sig"`     // Ed25519 (RFC 8032) over signed()
}

// KeyID names a public key: the first 16 bytes of its SHA-256, base64url.
func KeyID(pub ed25519.PublicKey) string {
	h := sha256.Sum256(pub)
	return base64.RawURLEncoding.EncodeToString(h[:16])
}

// signed returns the bytes under the signature: each part behind its length,
// so that no two triples share an encoding.
func signed(kid string, d Domain, payload []byte) []byte {
	b := make([]byte, 0, 12+len(kid)+len(d)+len(payload))
	for _, part := range [][]byte{[]byte(d), []byte(kid), payload} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// Seal marshals v once and signs it.
func Seal(key ed25519.PrivateKey, d Domain, v any) (Envelope, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return Envelope{}, fmt.Errorf("cannot seal %s: %w", d, err)
	}
	return SealBytes(key, d, payload), nil
}

// SealBytes signs payload as it is.
func SealBytes(key ed25519.PrivateKey, d Domain, payload []byte) Envelope {
	kid := KeyID(key.Public().(ed25519.PublicKey))
	return Envelope{Kid: kid, Domain: d, Payload: payload, Sig: ed25519.Sign(key, signed(kid, d, payload))}
}

// Verify checks the envelope against one public key and the domain expected.
func (e Envelope) Verify(pub ed25519.PublicKey, d Domain) error {
	if len(pub) != ed25519.PublicKeySize {
		return fmt.Errorf("cannot verify %s: the public key has %d bytes, want %d: %w", d, len(pub), ed25519.PublicKeySize, ErrSignature)
	}
	if e.Domain != d {
		return fmt.Errorf("cannot verify %s: the envelope is a %q: %w", d, e.Domain, ErrSignature)
	}
	if e.Kid != KeyID(pub) {
		return fmt.Errorf("cannot verify %s: signed by key %q, want %q: %w", d, e.Kid, KeyID(pub), ErrSignature)
	}
	if !ed25519.Verify(pub, signed(e.Kid, e.Domain, e.Payload), e.Sig) {
		return fmt.Errorf("cannot verify %s: %w", d, ErrSignature)
	}
	return nil
}

// Open verifies the envelope against whichever of keys signed it, and decodes
// its payload. Unknown fields are ignored, so that an older receiver works on.
func Open[T any](e Envelope, d Domain, keys ...ed25519.PublicKey) (T, error) {
	var v T
	err := fmt.Errorf("cannot verify %s: no key %q is known here: %w", d, e.Kid, ErrSignature)
	for _, k := range keys {
		if KeyID(k) == e.Kid {
			err = e.Verify(k, d)
			break
		}
	}
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(e.Payload, &v); err != nil {
		return v, fmt.Errorf("cannot read %s: %w", d, err)
	}
	return v, nil
}

// Digest is the SHA-256 of the payload: what the next receipt of a chain repeats.
func (e Envelope) Digest() []byte {
	h := sha256.Sum256(e.Payload)
	return h[:]
}

package wire

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
)

// MaxIdentity bounds the bodies of enrolment and renewal, requests and answers.
const MaxIdentity = 64 << 10

// Exporter returns the 32 bytes that tell this TLS connection from any other:
// label ExporterLabel, no context.
func Exporter(cs tls.ConnectionState) ([]byte, error) {
	b, err := cs.ExportKeyingMaterial(ExporterLabel, nil, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot bind enrolment to the connection: %w", err)
	}
	return b, nil
}

// TerminalProof is what the terminal puts into Proof: it binds both certificate
// requests to the connection whose exporter this is.
func (r EnrolRequest) TerminalProof(code, exporter []byte) []byte {
	return Proof(code, "terminal", exporter, r.CSR, r.ReceiptKey)
}

// ControllerProof is what the controller puts into Proof of the answer to req.
func (r EnrolResponse) ControllerProof(code, exporter []byte, req EnrolRequest) []byte {
	return Proof(code, "controller", exporter, req.CSR, req.ReceiptKey, r.Cert, r.Root)
}

// RenewRequest asks for the next certificate, by POST to PathRenew over a
// connection that the present certificate authenticates. The key may be new; a
// retry with the same CSR gets a certificate for the same key.
type RenewRequest struct {
	CSR []byte `json:"csr"` // PKCS #10, DER, ECDSA P-256
}

// RenewResponse gives it, with what may have been rolled over since.
type RenewResponse struct {
	Cert     []byte   `json:"cert"`               // DER
	Chain    [][]byte `json:"chain"`              // DER, up to but without the root
	Roots    [][]byte `json:"roots,omitempty"`    // DER, to pin from now on; empty: unchanged. The present one stays in it until every leaf has changed
	SignKeys [][]byte `json:"signKeys,omitempty"` // empty: unchanged
	// KeySet (DomainKeys) says SignKeys again, signed by a key that was believed
	// before: for whoever on the terminal does not see this connection.
	KeySet *Envelope `json:"keySet,omitempty"`
}

// MaxSignKeys bounds the keys that are believed at once.
const MaxSignKeys = 8

// KeySet is the keys that sign policy, permits and commands.
type KeySet struct {
	Step     uint64   `json:"step"`     // +1 at each step of a rollover: an older set replaces no newer one
	SignKeys [][]byte `json:"signKeys"` // Ed25519
}

// TrustDigest names what a terminal believes: the roots that it pins, the keys
// whose signatures it accepts, and the chain of its own certificate. SHA-256
// over each list behind its length, each item behind its own.
func TrustDigest(roots, signKeys, chain [][]byte) []byte {
	h := sha256.New()
	number := func(n int) { h.Write(binary.BigEndian.AppendUint32(nil, uint32(n))) }
	for _, list := range [][][]byte{roots, signKeys, chain} {
		number(len(list))
		for _, b := range list {
			number(len(b))
			h.Write(b)
		}
	}
	return h.Sum(nil)
}

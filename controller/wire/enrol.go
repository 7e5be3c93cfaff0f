package wire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// ExporterLabel binds enrolment to one TLS connection (RFC 5705, RFC 8446 §7.5).
const ExporterLabel = "EXPORTER-borne-enrol-1"

// ErrProof reports that the other side does not know the enrolment code.
var ErrProof = errors.New("enrolment proof does not verify")

// EnrolRequest asks for an identity. It travels over TLS whose server the
// terminal cannot verify yet: both proofs bind it to that very connection.
type EnrolRequest struct {
	CodeID     string `json:"codeId"`     // CodeID of the code; the code itself never travels
	CSR        []byte `json:"csr"`        // PKCS #10 (RFC 2986), DER, the agent's TLS key
	ReceiptKey []byte `json:"receiptKey"` // PKCS #10, DER, the warden's Ed25519 key
	Machine    string `json:"machine"`
	Build      string `json:"build"`
	Sim        bool   `json:"sim,omitempty"`
	Proof      []byte `json:"proof"` // Proof(code, "terminal", …)
}

// EnrolResponse gives the identity.
type EnrolResponse struct {
	Terminal  string   `json:"terminal"`
	Cert      []byte   `json:"cert"`              // DER, the terminal's TLS certificate
	Chain     [][]byte `json:"chain"`             // DER, up to but without the root
	Root      []byte   `json:"root"`              // DER, the offline root to pin
	SignKeys  [][]byte `json:"signKeys"`          // Ed25519 keys that sign policy, permits and commands
	KeyStep   uint64   `json:"keyStep,omitempty"` // KeySet.Step of SignKeys
	BadgeKey  []byte   `json:"badgeKey"`          // HMAC key of the site's group, for h1
	ServerSNI string   `json:"serverSni"`         // server name to expect from now on
	Proof     []byte   `json:"proof"`             // Proof(code, "controller", …, Cert, Root)
}

// Problem is an error that the terminals' listener answers with (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"` // expired, unknown, used, rate, proof, request
	Detail string `json:"detail"`
}

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// NewCode returns a one-time enrolment code: 80 random bits in four groups.
func NewCode() string {
	var b [10]byte
	rand.Read(b[:]) // never fails since Go 1.24
	s := crockford.EncodeToString(b[:])
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
}

// ParseCode reads a code as people type it: any case, spaces or dashes, and
// the letters that are mistaken for digits.
func ParseCode(s string) ([]byte, error) {
	if len(s) > 64 {
		return nil, errors.New("cannot read the enrolment code: it is too long; it has 16 letters and digits")
	}
	s = strings.NewReplacer("-", "", " ", "", "\t", "", "\r", "", "\n", "", "O", "0", "I", "1", "L", "1", "U", "V").Replace(strings.ToUpper(s))
	b, err := crockford.DecodeString(s)
	if err != nil || len(s) != 16 || len(b) != 10 { // a letter too many would decode, too
		return nil, fmt.Errorf("cannot read the enrolment code: it has 16 letters and digits, this one has %d; ask for a new code in the console", len(s))
	}
	return b, nil
}

// CodeID names a code without telling it.
func CodeID(code []byte) string {
	h := sha256.Sum256(append([]byte("borne/code/1\x00"), code...))
	return crockford.EncodeToString(h[:10])
}

// Proof returns HMAC-SHA256 over the TLS exporter and the parts, keyed by the
// code; side ("terminal" or "controller") keeps one from being played back.
func Proof(code []byte, side string, exporter []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, code)
	for _, p := range append([][]byte{[]byte(side), exporter}, parts...) {
		h := sha256.Sum256(p)
		m.Write(h[:])
	}
	return m.Sum(nil)
}

// CheckProof compares in constant time.
func CheckProof(got, want []byte) error {
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return fmt.Errorf("cannot enrol: the code or the connection is not the one expected: %w", ErrProof)
	}
	return nil
}

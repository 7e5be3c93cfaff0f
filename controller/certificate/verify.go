package certificate

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/wire"
)

// actionMade is the audit's word for a certificate that was made.
const actionMade = "certificate.made"

// Record keeps in the audit that a certificate was made, and its digest.
func Record(tx store.Tx, at time.Time, by, site, month, digest string) error {
	return audit.Append(tx, audit.Entry{At: at, Actor: by, Action: actionMade, Site: site, Target: site, Detail: month + " " + digest})
}

// Errors that say what does not fit.
var (
	ErrKey    = errors.New("no key that is believed now signed it")
	ErrFile   = errors.New("this is no certificate of this controller")
	ErrDigest = errors.New("write the 64 characters of the digest as they are printed")
)

// Open verifies a file that the console handed out, and reads it. ErrKey comes
// with what it says and its digest: a key that was retired since may have signed
// it, and the audit then tells whether it was made here.
func Open(file []byte, keys [][]byte) (c Certificate, digest string, err error) {
	var e wire.Envelope
	if err := json.Unmarshal(file, &e); err != nil {
		return c, "", fmt.Errorf("cannot read it: %w: %w", ErrFile, err)
	}
	if e.Domain != wire.DomainCertificate || json.Unmarshal(e.Payload, &c) != nil {
		return c, "", fmt.Errorf("cannot read it: %w", ErrFile)
	}
	digest = hex.EncodeToString(e.Digest())
	for _, k := range keys {
		if wire.KeyID(k) != e.Kid {
			continue
		}
		if err := e.Verify(k, wire.DomainCertificate); err != nil {
			return c, "", fmt.Errorf("%w: %w", ErrFile, err)
		}
		return c, digest, nil
	}
	return c, digest, fmt.Errorf("cannot verify its signature: key %.60q: %w", e.Kid, ErrKey)
}

// Printed reads a digest as somebody copies it from paper, in groups or not.
func Printed(s string) (string, error) {
	s = strings.ToLower(strings.Join(strings.Fields(s), ""))
	if b, err := hex.DecodeString(s); err != nil || len(b) != 32 {
		return "", fmt.Errorf("cannot read the digest: %w", ErrDigest)
	}
	return s, nil
}

// Made is what the audit says of one certificate.
type Made struct {
	Seq   uint64
	At    time.Time
	Month string
	Site  string // its name, or its id when it is gone
}

// Find looks in the audit for the certificate of that digest.
func Find(tx store.Tx, digest string) (Made, error) {
	for e, err := range store.List[store.AuditEntry](tx, "", "", true) {
		if err != nil {
			return Made{}, err
		}
		month, sum, ok := strings.Cut(e.Row.Detail, " ")
		if e.Row.Action != actionMade || !ok || sum != digest {
			continue
		}
		m := Made{Seq: e.Row.Seq, At: e.Row.At, Month: month, Site: e.Row.Target}
		site, err := store.Get[store.Site](tx, e.Row.Target)
		if err == nil {
			m.Site = site.Row.Name
		} else if !errors.Is(err, store.ErrNotFound) {
			return m, err
		}
		return m, nil
	}
	return Made{}, fmt.Errorf("cannot find this digest in the audit: %w", store.ErrNotFound)
}

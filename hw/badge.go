package hw

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// MinBadgeKey is the shortest key NewBadgeKey takes, in bytes (RFC 2104 §3:
// a key shorter than the hash's output weakens the MAC).
const MinBadgeKey = sha256.Size

// BadgeKey turns a raw UID into the pseudonym that may leave hw. It must not
// keep, log or change uid, which its caller zeroes on return.
type BadgeKey func(uid []byte) [32]byte

// NewBadgeKey returns HMAC-SHA256 under the key of a group of sites, of at
// least MinBadgeKey bytes. The key is copied.
func NewBadgeKey(key []byte) (BadgeKey, error) {
	if len(key) < MinBadgeKey {
		return nil, fmt.Errorf("cannot use a badge key of %d bytes: it needs at least %d; enrol the terminal again to receive one", len(key), MinBadgeKey)
	}
	k := append([]byte(nil), key...)
	return func(uid []byte) (out [32]byte) {
		m := hmac.New(sha256.New, k)
		m.Write(uid)
		m.Sum(out[:0])
		// The hash keeps its last partial block, which is the UID, until the
		// collector reuses it: overwrite it.
		m.Reset()
		m.Write(make([]byte, sha256.BlockSize-1))
		return out
	}, nil
}

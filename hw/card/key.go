// Package card finds out what a badge proves beyond its number: NTAG 424 DNA's
// SUN messages and mutual authentication (NXP NT4H2421Gx data sheet, AN12196),
// with keys diversified per card (AN10922). It has no I/O of its own but the
// reading of its key file: commands travel over a hw.Link.
//
// What the levels leave open:
//   - A SUN message can be read from a badge by anybody who comes near it, and be
//     shown once later, as long as the badge itself has not been read since by this
//     terminal. Counts are in RAM: after a restart the first message counts.
//   - Mutual authentication leaves only a live relay.
//   - A card may always claim less than it can: who relies on a level asks for it
//     badge by badge, as it was when the badge was enrolled.
package card

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Key is an AES-128 key. It never prints: its bytes are behind a function, because
// fmt follows the pointers in a struct's hidden fields when a verb does not suit.
type Key struct{ get func() *[16]byte }

// NewKey copies a key of 16 bytes.
func NewKey(b []byte) (Key, error) {
	if len(b) != 16 {
		return Key{}, fmt.Errorf("cannot use a key of %d bytes: AES-128 takes 16", len(b))
	}
	return keyOf([16]byte(b)), nil
}

// parseKey reads 32 hexadecimal digits. Its errors say nothing of the content.
func parseKey(s string) (Key, error) {
	var b [16]byte
	defer clear(b[:])
	if len(s) != 2*len(b) {
		return Key{}, fmt.Errorf("it has %d characters; a key has 32 hexadecimal digits", len(s))
	}
	if _, err := hex.Decode(b[:], []byte(s)); err != nil {
		return Key{}, errors.New("it is not hexadecimal; a key has 32 hexadecimal digits")
	}
	return NewKey(b[:])
}

// Valid: a zero Key is none.
func (k Key) Valid() bool { return k.get != nil }

// Format writes a placeholder, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(key)") }

// MarshalText writes a placeholder too, for JSON and logs.
func (k Key) MarshalText() ([]byte, error) { return []byte("(key)"), nil }

// cipher needs a valid key.
func (k Key) cipher() cipher.Block {
	c, err := aes.NewCipher(k.get()[:])
	if err != nil {
		panic(err) // impossible: 16 bytes
	}
	return c
}

// decrypt and encrypt are CBC in place; len(b) is a multiple of 16.
func (k Key) decrypt(iv *[16]byte, b []byte) {
	cipher.NewCBCDecrypter(k.cipher(), iv[:]).CryptBlocks(b, b)
}

func (k Key) encrypt(iv *[16]byte, b []byte) {
	cipher.NewCBCEncrypter(k.cipher(), iv[:]).CryptBlocks(b, b)
}

// wipe ends a derived key.
func (k Key) wipe() {
	if k.get != nil {
		clear(k.get()[:])
	}
}

// keyOf takes a MAC as a key, as session keys are.
func keyOf(mac [16]byte) Key { return Key{func() *[16]byte { return &mac }} }

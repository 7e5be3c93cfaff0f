package directory

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"borne/controller/store"
)

// numberDigits are the random digits of a printed number; a check digit follows.
const numberDigits = 8

// damm is the quasigroup of H. M. Damm's check digit ("Total anti-symmetrische
// Quasigruppen", Marburg 2004, p. 98): it finds each wrong digit and each swap of
// two neighbours, which is how people misread a number to each other.
func damm(digits string) byte {
	table := [10]string{"0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
		"3674209581", "5869720134", "8945362017", "9438617205", "2581436790"}
	at := byte('0')
	for _, c := range []byte(digits) {
		at = table[at-'0'][c-'0']
	}
	return at
}

// ReadNumber reads a printed number as people say it: digits, with spaces, dots
// or dashes between them. ok is false for a misread one.
func ReadNumber(s string) (number string, ok bool) {
	var b []byte
	for _, c := range []byte(s) {
		switch {
		case c == ' ' || c == '-' || c == '.':
		case c < '0' || c > '9' || len(b) > numberDigits:
			return "", false
		default:
			b = append(b, c)
		}
	}
	if len(b) != numberDigits+1 || damm(string(b)) != '0' {
		return "", false
	}
	return string(b), true
}

// FormatNumber writes a number as it is printed on a badge.
func FormatNumber(n string) string {
	if len(n) != numberDigits+1 {
		return n
	}
	return n[:3] + " " + n[3:6] + " " + n[6:]
}

// newNumber draws one that no badge has.
func newNumber(tx store.Tx) (string, error) {
	for range 20 {
		var b [8]byte
		rand.Read(b[:])
		n := fmt.Sprintf("%08d", binary.BigEndian.Uint64(b[:])%100_000_000)
		n += string(damm(n))
		_, err := store.First(store.Find[store.Holder](tx, "number", n))
		if errors.Is(err, store.ErrNotFound) {
			return n, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("cannot draw a badge's number: twenty in a row are taken; erase badges that are out of use")
}

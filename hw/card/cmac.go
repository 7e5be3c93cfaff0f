package card

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
)

// CMAC is AES-128-CMAC (RFC 4493, NIST SP 800-38B).
func CMAC(key Key, msg []byte) [16]byte {
	c := key.cipher()
	k1, k2 := subkeys(c)
	var t, last [16]byte
	for len(msg) > aes.BlockSize {
		subtle.XORBytes(t[:], t[:], msg[:aes.BlockSize])
		c.Encrypt(t[:], t[:])
		msg = msg[aes.BlockSize:]
	}
	pad(&last, msg, &k1, &k2)
	subtle.XORBytes(t[:], t[:], last[:])
	c.Encrypt(t[:], t[:])
	return t
}

// pad makes the last block: whole with K1, or padded by 10…0 with K2 (RFC 4493, 2.4).
func pad(last *[16]byte, msg []byte, k1, k2 *[16]byte) {
	if n := copy(last[:], msg); n < len(last) {
		last[n] = 0x80
		k1 = k2
	}
	subtle.XORBytes(last[:], last[:], k1[:])
}

// subkeys are K1 and K2 (RFC 4493, 2.3).
func subkeys(c cipher.Block) (k1, k2 [16]byte) {
	var l [16]byte
	c.Encrypt(l[:], l[:])
	k1 = double(l)
	return k1, double(k1)
}

// double multiplies by x in GF(2^128), in constant time.
func double(b [16]byte) (out [16]byte) {
	carry := byte(0)
	for i := len(b) - 1; i >= 0; i-- {
		out[i] = b[i]<<1 | carry
		carry = b[i] >> 7
	}
	out[15] ^= carry * 0x87
	return out
}

// Short is MACt: the bytes S14 || S12 || … || S0 of a MAC, which are those with
// an odd index from the left (NT4H2421Gx, 9.1.3).
func Short(mac [16]byte) (out [8]byte) {
	for i := range out {
		out[i] = mac[2*i+1]
	}
	return out
}

// maxDiversification is the longest input of AN10922 for AES-128: two blocks
// hold it behind its constant.
const maxDiversification = 31

// Diversify derives a card's key from a master key (AN10922, 2.2). Its input is
// the UID with whatever the issuer appends to it, 1 to 31 bytes.
func Diversify(master Key, input []byte) (Key, error) {
	if len(input) == 0 || len(input) > maxDiversification {
		return Key{}, errors.New("cannot diversify a key: its input must have 1 to 31 bytes (AN10922, 2.2)")
	}
	// Unlike CMAC, a short input too is padded to two blocks.
	var m [32]byte
	defer clear(m[:])
	m[0] = 0x01
	n := 1 + copy(m[1:], input)
	c := master.cipher()
	k1, k2 := subkeys(c)
	k := k1
	if n < len(m) {
		m[n] = 0x80
		k = k2
	}
	subtle.XORBytes(m[16:], m[16:], k[:])
	var zero [16]byte
	cipher.NewCBCEncrypter(c, zero[:]).CryptBlocks(m[:], m[:])
	return NewKey(m[16:])
}

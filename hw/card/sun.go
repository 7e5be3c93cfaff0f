package card

import (
	"crypto/subtle"
)

// piccTag is PICCDataTag of what we accept: UID mirrored, counter mirrored, UID
// of 7 bytes (NT4H2421Gx, 9.3.4.1; AN12196, 3.4).
const piccTag = 0xC7

// uidSize is the only UID length that NTAG 424 DNA has.
const uidSize = 7

// openPICC decrypts PICCENCData (AN12196, 3.4.1): the card's UID and its count of
// readings. ok is false when it is not one of this key's.
func openPICC(meta Key, enc [16]byte) (uid [uidSize]byte, counter uint32, ok bool) {
	defer clear(enc[:])
	meta.decrypt(&[16]byte{}, enc[:])
	copy(uid[:], enc[1:8])
	counter = uint32(enc[8]) | uint32(enc[9])<<8 | uint32(enc[10])<<16
	return uid, counter, subtle.ConstantTimeByteEq(enc[0], piccTag) == 1
}

// SealPICC encrypts PICCData as a card does, padded with its own random bytes.
func SealPICC(meta Key, uid [uidSize]byte, counter uint32, random [5]byte) (enc [16]byte) {
	enc[0] = piccTag
	copy(enc[1:], uid[:])
	enc[8], enc[9], enc[10] = byte(counter), byte(counter>>8), byte(counter>>16)
	copy(enc[11:], random[:])
	meta.encrypt(&[16]byte{}, enc[:])
	return enc
}

// SUNMAC is SDMMAC over input under the session key that SV2 gives (AN12196,
// 3.3 and 3.4.4; NT4H2421Gx, 9.3.9).
func SUNMAC(file Key, uid [uidSize]byte, counter uint32, input []byte) [8]byte {
	sv := [16]byte{0x3C, 0xC3, 0x00, 0x01, 0x00, 0x80}
	defer clear(sv[:])
	copy(sv[6:], uid[:])
	sv[13], sv[14], sv[15] = byte(counter), byte(counter>>8), byte(counter>>16)
	session := keyOf(CMAC(file, sv[:]))
	defer session.wipe()
	return Short(CMAC(session, input))
}

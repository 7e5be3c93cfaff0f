package card

import (
	"crypto/subtle"
	"encoding/binary"
)

// Session is AuthenticateEV2First's outcome: secure messaging (NT4H2421Gx, 9.1).
type Session struct {
	enc, mac Key
	ti       [4]byte
	count    uint16 // CmdCtr
}

// NewSession derives both session keys from SV1 and SV2 (NT4H2421Gx, 9.1.7).
func NewSession(key Key, rndA, rndB [16]byte, ti [4]byte) *Session {
	var sv [32]byte
	defer clear(sv[:])
	copy(sv[2:], []byte{0x00, 0x01, 0x00, 0x80})
	copy(sv[6:], rndA[:2])
	subtle.XORBytes(sv[8:14], rndA[2:8], rndB[:6])
	copy(sv[14:], rndB[6:])
	copy(sv[24:], rndA[8:])
	s := &Session{ti: ti}
	sv[0], sv[1] = 0xA5, 0x5A
	s.enc = keyOf(CMAC(key, sv[:]))
	sv[0], sv[1] = 0x5A, 0xA5
	s.mac = keyOf(CMAC(key, sv[:]))
	return s
}

// Close forgets the keys.
func (s *Session) Close() {
	s.enc.wipe()
	s.mac.wipe()
}

// CommandMAC is MACt of a command without data, and ResponseMAC of its answer
// (9.1.9); the latter moves the counter first, as the card does.
func (s *Session) CommandMAC(ins byte) [8]byte {
	return s.sign(ins, nil)
}

// ResponseMAC signs an answer with status 00 and this content.
func (s *Session) ResponseMAC(data []byte) [8]byte {
	s.count++
	return s.sign(0x00, data)
}

func (s *Session) sign(first byte, data []byte) [8]byte {
	m := make([]byte, 0, 7+len(data))
	m = append(m, first)
	m = binary.LittleEndian.AppendUint16(m, s.count)
	m = append(m, s.ti[:]...)
	return Short(CMAC(s.mac, append(m, data...)))
}

// responseIV is the IV of an answer's data (9.1.4).
func (s *Session) responseIV() (iv [16]byte) {
	iv[0], iv[1] = 0x5A, 0xA5
	copy(iv[2:], s.ti[:])
	binary.LittleEndian.PutUint16(iv[6:], s.count)
	s.enc.cipher().Encrypt(iv[:], iv[:])
	return iv
}

// SealUID encrypts a UID as the card answers GetCardUID, under the counter that
// ResponseMAC, which follows, moves to.
func (s *Session) SealUID(uid [uidSize]byte) (enc [16]byte) {
	s.count++
	defer func() { s.count-- }()
	copy(enc[:], uid[:])
	enc[uidSize] = 0x80
	iv := s.responseIV()
	s.enc.encrypt(&iv, enc[:])
	return enc
}

// openUID checks and decrypts GetCardUID's answer (10.4.9): 16 bytes and MACt.
func (s *Session) openUID(answer []byte) (uid [uidSize]byte, ok bool) {
	if len(answer) != 24 {
		return uid, false
	}
	mac := s.ResponseMAC(answer[:16])
	if subtle.ConstantTimeCompare(mac[:], answer[16:]) != 1 {
		return uid, false
	}
	var b, padding [16]byte
	defer clear(b[:])
	copy(b[:], answer)
	iv := s.responseIV()
	s.enc.decrypt(&iv, b[:])
	padding[uidSize] = 0x80 // ISO/IEC 9797-1, method 2
	if subtle.ConstantTimeCompare(b[uidSize:], padding[uidSize:]) != 1 {
		return uid, false
	}
	copy(uid[:], b[:])
	return uid, true
}

// rotate is RndA' or RndB': one byte to the left.
func rotate(r [16]byte) (out [16]byte) {
	copy(out[:], r[1:])
	out[15] = r[0]
	return out
}

// answerEV2 opens the card's challenge and makes our answer to it: E(K, RndA ||
// RndB') (NT4H2421Gx, 9.1.5).
func answerEV2(key Key, rndA, challenge [16]byte) (rndB [16]byte, out [32]byte) {
	rndB = challenge
	key.decrypt(&[16]byte{}, rndB[:])
	turned := rotate(rndB)
	copy(out[:], rndA[:])
	copy(out[16:], turned[:])
	key.encrypt(&[16]byte{}, out[:])
	return rndB, out
}

// finishEV2 opens the card's last message, E(K, TI || RndA' || PDcap2 ||
// PCDcap2), and checks that it knew the key. Capabilities are not used.
func finishEV2(key Key, rndA, rndB [16]byte, message [32]byte) (*Session, bool) {
	defer clear(message[:])
	key.decrypt(&[16]byte{}, message[:])
	want := rotate(rndA)
	if subtle.ConstantTimeCompare(message[4:20], want[:]) != 1 {
		return nil, false
	}
	return NewSession(key, rndA, rndB, [4]byte(message[:4])), true
}

// CardEV2 is the card's side: it opens our answer, checks RndB' and makes the
// last message. The simulator uses it.
func CardEV2(key Key, rndB [16]byte, answer [32]byte, ti [4]byte) (message [32]byte, s *Session, ok bool) {
	key.decrypt(&[16]byte{}, answer[:])
	rndA := [16]byte(answer[:16])
	want := rotate(rndB)
	if subtle.ConstantTimeCompare(answer[16:], want[:]) != 1 {
		return message, nil, false
	}
	turned := rotate(rndA)
	copy(message[:], ti[:])
	copy(message[4:], turned[:])
	key.encrypt(&[16]byte{}, message[:])
	return message, NewSession(key, rndA, rndB, ti), true
}

// CardChallenge encrypts RndB as the card does.
func CardChallenge(key Key, rndB [16]byte) [16]byte {
	key.encrypt(&[16]byte{}, rndB[:])
	return rndB
}

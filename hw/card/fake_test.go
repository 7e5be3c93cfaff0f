package card

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"
)

var errLost = errors.New("card lost")

// fakeCard answers commands as an NTAG 424 DNA does, and as a bad one when told.
type fakeCard struct {
	t       testing.TB
	uid     [7]byte
	keys    map[byte]Key
	meta    Key
	file    Key
	counter uint32
	frozen  bool                         // the counter stands still
	url     func() string                // after https://
	noApp   bool                         // no NDEF application
	lostAt  int                          // the link fails at the n-th command
	change  func(n int, b []byte) []byte // of an answer, by command number
	n       int
	fileSel bool
	rndB    [16]byte
	authKey Key
	session *Session
}

func (c *fakeCard) Transmit(_ context.Context, apdu []byte) ([]byte, error) {
	c.n++
	if c.n == c.lostAt {
		return nil, errLost
	}
	b := c.answer(apdu)
	if c.change != nil {
		b = c.change(c.n, b)
	}
	return b, nil
}

func (c *fakeCard) answer(a []byte) []byte {
	switch {
	case c.noApp:
		return []byte{0x6A, 0x82}
	case bytes.HasPrefix(a, []byte{0x00, 0xA4, 0x04, 0x00, 7, 0xD2}):
		c.session, c.fileSel = nil, false
		return []byte{0x90, 0x00}
	case bytes.Equal(a, []byte{0x00, 0xA4, 0x00, 0x0C, 2, 0xE1, 0x04}):
		c.fileSel = true
		return []byte{0x90, 0x00}
	case bytes.HasPrefix(a, []byte{0x00, 0xB0, 0x00, 0x00}) && c.fileSel && c.url != nil:
		if !c.frozen {
			c.counter++
		}
		return append(ndef(c.url()), 0x90, 0x00)
	case bytes.HasPrefix(a, []byte{0x90, 0x71}):
		k, ok := c.keys[a[5]]
		if !ok {
			return []byte{0x91, 0x40}
		}
		c.authKey, c.rndB = k, [16]byte{1, 2, 3, byte(c.n)}
		ch := CardChallenge(k, c.rndB)
		return append(ch[:], 0x91, 0xAF)
	case bytes.HasPrefix(a, []byte{0x90, 0xAF}):
		m, s, ok := CardEV2(c.authKey, c.rndB, [32]byte(a[5:37]), [4]byte{9, 8, 7, 6})
		if !ok {
			return []byte{0x91, 0xAE}
		}
		c.session = s
		return append(m[:], 0x91, 0x00)
	case bytes.HasPrefix(a, []byte{0x90, 0x51}) && c.session != nil:
		if mac := c.session.CommandMAC(0x51); !bytes.Equal(mac[:], a[5:13]) {
			return []byte{0x91, 0x1E}
		}
		enc := c.session.SealUID(c.uid)
		mac := c.session.ResponseMAC(enc[:])
		return append(append(enc[:], mac[:]...), 0x91, 0x00)
	}
	return []byte{0x6D, 0x00}
}

// ndef is a file with one URI after https://, 256 bytes long.
func ndef(url string) []byte {
	f := make([]byte, 256)
	copy(f, []byte{0, byte(5 + len(url)), 0xD1, 0x01, byte(1 + len(url)), 'U', 4})
	copy(f[7:], url)
	return f
}

// sunURL is what a card of ours mirrors.
func (c *fakeCard) sunURL() string {
	picc := SealPICC(c.meta, c.uid, c.counter, [5]byte{5, 4, 3, 2, 1})
	mac := SUNMAC(c.file, c.uid, c.counter, nil)
	return "badge.example/b?picc_data=" + upper(picc[:]) + "&cmac=" + upper(mac[:])
}

func upper(b []byte) string { return string(bytes.ToUpper([]byte(hex.EncodeToString(b)))) }

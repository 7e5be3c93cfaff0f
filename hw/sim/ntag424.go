package sim

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"borne/hw/card"
)

// NTAG424 says how a simulated NTAG 424 DNA is made.
type NTAG424 struct {
	UID      []byte    // 7 bytes
	Keys     card.Keys // it is issued with what they give for its UID
	RandomID bool      // shows a random UID instead
	// Clone: a copy by somebody without the keys. It has the UID and messages of
	// the right form, under keys of its own.
	Clone   bool
	Counter *uint32       // SDMReadCtr before the first reading; nil: 0. Guarded by the chip that it is put before
	WTX     int           // it asks for more time so often before each answer
	Busy    time.Duration // what a cryptographic command takes
}

// NewNTAG424 issues a card.
func NewNTAG424(n NTAG424) (*Card, error) {
	if len(n.UID) != 7 || n.UID[3] == 0x88 {
		return nil, errors.New("cannot issue an NTAG 424 DNA: its UID must have 7 bytes, the fourth not 0x88")
	}
	t := &ntag424{uid: [7]byte(n.UID), keys: map[byte]card.Key{}, counter: n.Counter, busy: n.Busy}
	if t.counter == nil {
		t.counter = new(uint32)
	}
	for _, m := range []*card.MasterKey{n.Keys.Mutual, n.Keys.Privacy} {
		if m == nil {
			continue
		}
		k, err := t.issue(m, n.Clone)
		if err != nil {
			return nil, err
		}
		t.keys[m.Number] = k
	}
	if s := n.Keys.SUN; s != nil {
		k, err := t.issue(&s.File, n.Clone)
		if err != nil {
			return nil, err
		}
		t.sun, t.file, t.meta = s, k, s.Meta
		if n.Clone {
			t.meta = k
		}
		sample := *t // the counter may be in use before a chip
		sample.counter = new(uint32)
		if url := sample.message(); strings.Contains(s.URL, "?") || len(url) > 250 {
			return nil, fmt.Errorf("cannot issue an NTAG 424 DNA: its URL has a query already or does not fit a file of %d bytes", ndefSize)
		}
	}
	return &Card{UID: slices.Clone(n.UID), Random: n.RandomID, SAK: 0x20, dep: &dep{app: t, wtx: n.WTX}}, nil
}

// issue derives the card's key; a clone makes up its own.
func (t *ntag424) issue(m *card.MasterKey, clone bool) (card.Key, error) {
	if clone {
		return card.NewKey(bytes.Repeat([]byte{0x5A ^ m.Number}, 16))
	}
	return m.Of(t.uid[:])
}

// cryptoTime is about what an NTAG 424 DNA takes for a cryptographic command.
const cryptoTime = 3 * time.Millisecond

const ndefSize = 256 // NT4H2421Gx, 8.2.2

// ntag424 is the application (NT4H2421Gx, 10), as much of it as badges use.
type ntag424 struct {
	uid     [7]byte
	keys    map[byte]card.Key
	sun     *card.SUN // nil: an empty file
	meta    card.Key
	file    card.Key
	counter *uint32
	busy    time.Duration

	rnd      *rand.Rand
	app, ef  bool     // selected
	auth     card.Key // authentication under way
	rndB     [16]byte
	authNext bool
	session  *card.Session
}

func (t *ntag424) reset(rnd *rand.Rand) {
	t.rnd, t.app, t.ef, t.authNext, t.session = rnd, false, false, false, nil
}

// crypto is an answer that took a while.
func (t *ntag424) crypto(b []byte, sw ...byte) ([]byte, time.Duration) {
	return append(slices.Clone(b), sw...), t.busy
}

func (t *ntag424) apdu(c []byte) ([]byte, time.Duration) {
	second := t.authNext
	t.authNext = false
	switch {
	case len(c) >= 12 && bytes.HasPrefix(c, []byte{0x00, 0xA4, 0x04, 0x00, 7}) && string(c[5:12]) == "\xD2\x76\x00\x00\x85\x01\x01":
		t.app, t.ef, t.session = true, false, nil
		return []byte{0x90, 0x00}, 0
	case len(c) < 4 || !t.app || c[0] != 0x00 && c[0] != 0x90:
		return []byte{0x6A, 0x82}, 0
	case c[0] == 0x00 && c[1] == 0xA4 && len(c) == 7 && t.sun != nil:
		t.ef = c[5] == byte(t.sun.FileID>>8) && c[6] == byte(t.sun.FileID)
		if !t.ef {
			return []byte{0x6A, 0x82}, 0
		}
		return []byte{0x90, 0x00}, 0
	case c[0] == 0x00 && c[1] == 0xB0 && len(c) == 5:
		return t.read(int(c[2])<<8|int(c[3]), int(c[4]))
	case c[0] == 0x90 && c[1] == 0x71 && len(c) == 8:
		k, ok := t.keys[c[5]]
		if !ok {
			return []byte{0x91, 0x40}, 0
		}
		for i := range t.rndB {
			t.rndB[i] = byte(t.rnd.Uint32())
		}
		t.auth, t.authNext, t.session = k, true, nil
		ch := card.CardChallenge(k, t.rndB)
		return t.crypto(ch[:], 0x91, 0xAF)
	case c[0] == 0x90 && c[1] == 0xAF && len(c) == 38 && second:
		var ti [4]byte
		for i := range ti {
			ti[i] = byte(t.rnd.Uint32())
		}
		m, s, ok := card.CardEV2(t.auth, t.rndB, [32]byte(c[5:37]), ti)
		if !ok {
			return t.crypto(nil, 0x91, 0xAE)
		}
		t.session = s
		return t.crypto(m[:], 0x91, 0x00)
	case c[0] == 0x90 && c[1] == 0x51 && len(c) == 14 && t.session != nil:
		if mac := t.session.CommandMAC(0x51); !bytes.Equal(mac[:], c[5:13]) {
			t.session = nil
			return t.crypto(nil, 0x91, 0x1E)
		}
		enc := t.session.SealUID(t.uid)
		mac := t.session.ResponseMAC(enc[:])
		return t.crypto(append(enc[:], mac[:]...), 0x91, 0x00)
	}
	return []byte{0x91, 0x1C}, 0
}

// read is ISOReadBinary; outside an authentication the file holds a message.
func (t *ntag424) read(offset, n int) ([]byte, time.Duration) {
	if !t.ef {
		return []byte{0x69, 0x82}, 0
	}
	if t.session == nil && offset == 0 {
		*t.counter = min(*t.counter+1, 1<<24-1)
	}
	f := make([]byte, ndefSize)
	copy(f, t.ndef(t.message()))
	if offset >= len(f) {
		return []byte{0x6B, 0x00}, 0
	}
	f = f[offset:]
	if n != 0 && n < len(f) {
		f = f[:n]
	}
	return t.crypto(f, 0x90, 0x00)
}

// message is the URL with what is mirrored into it.
func (t *ntag424) message() string {
	if t.session != nil {
		return t.sun.URL
	}
	hexa := func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
	var random [5]byte
	if t.rnd != nil {
		for i := range random {
			random[i] = byte(t.rnd.Uint32())
		}
	}
	picc := card.SealPICC(t.meta, t.uid, *t.counter, random)
	url := t.sun.URL
	if url == "" {
		url = "https://badge.example/"
	}
	url += "?" + t.sun.PICC + "=" + hexa(picc[:])
	input := ""
	switch t.sun.Input {
	case "":
	case t.sun.PICC:
		input = hexa(picc[:]) + "&" + t.sun.MAC + "="
	default:
		input = "00&" + t.sun.MAC + "="
		url += "&" + t.sun.Input + "=00"
	}
	mac := card.SUNMAC(t.file, t.uid, *t.counter, []byte(input))
	return url + "&" + t.sun.MAC + "=" + hexa(mac[:])
}

// ndef is a file with one URI.
func (t *ntag424) ndef(url string) []byte {
	code := byte(0)
	if rest, ok := strings.CutPrefix(url, "https://"); ok {
		code, url = 4, rest
	}
	n := 5 + len(url)
	return append([]byte{byte(n >> 8), byte(n), 0xD1, 0x01, byte(1 + len(url)), 'U', code}, url...)
}

package card

import (
	"bytes"
	"encoding/hex"
)

// uri finds the URI of an NDEF file's first record: NLEN, then a short record
// of type U (NFC Forum Type 4 Tag 5.5; NDEF 1.0; RTD URI 1.0). abbreviation is
// what its code stands for. Everything here comes from the card.
func uri(file []byte) (abbreviation string, rest []byte, ok bool) {
	if len(file) < 2 {
		return "", nil, false
	}
	n := int(file[0])<<8 | int(file[1])
	if n > len(file)-2 {
		return "", nil, false
	}
	m := file[2 : 2+n]
	const (
		messageBegin = 0x80
		chunked      = 0x20
		short        = 0x10
		hasID        = 0x08
		typeMask     = 0x07
		wellKnown    = 0x01
	)
	// Header, type length 1, payload length, type U, abbreviation code.
	if len(m) < 5 || m[0]&messageBegin == 0 || m[0]&(chunked|hasID) != 0 || m[0]&short == 0 || m[0]&typeMask != wellKnown || m[1] != 1 || m[3] != 'U' {
		return "", nil, false
	}
	size := int(m[2])
	if size < 1 || size > len(m)-4 {
		return "", nil, false
	}
	abbreviations := []string{"", "http://www.", "https://www.", "http://", "https://"}
	code := int(m[4])
	if code >= len(abbreviations) {
		return "", nil, false
	}
	return abbreviations[code], m[5 : 4+size], true
}

// beginsWith tells whether the URI begins so.
func beginsWith(abbreviation string, rest []byte, want string) bool {
	n := min(len(abbreviation), len(want))
	return abbreviation[:n] == want[:n] && bytes.HasPrefix(rest, []byte(want[n:]))
}

// message is a SUN message as it stands in a URL.
type message struct {
	picc  [16]byte
	mac   [8]byte
	input []byte // a part of the URL
}

// parse finds the parameters. ok is false when the URL does not have both, each
// once and of its length: a card that shows its UID in the clear, for example.
func (s *SUN) parse(rest []byte) (m message, ok bool) {
	_, query, ok := bytes.Cut(rest, []byte{'?'})
	if !ok {
		return m, false
	}
	picc, _, ok1 := parameter(query, s.PICC)
	mac, macAt, ok2 := parameter(query, s.MAC)
	if !ok1 || !ok2 || len(picc) != 2*len(m.picc) || len(mac) != 2*len(m.mac) {
		return m, false
	}
	if _, err := hex.Decode(m.picc[:], picc); err != nil {
		return m, false
	}
	if _, err := hex.Decode(m.mac[:], mac); err != nil {
		return m, false
	}
	if s.Input != "" {
		_, at, ok := parameter(query, s.Input)
		if !ok || at > macAt {
			return m, false
		}
		m.input = query[at:macAt]
	}
	return m, true
}

// parameter returns a value and where it begins; ok is false unless it is there
// exactly once.
func parameter(query []byte, name string) (value []byte, at int, ok bool) {
	for i := 0; i <= len(query); {
		field := query[i:]
		if end := bytes.IndexByte(field, '&'); end >= 0 {
			field = field[:end]
		}
		if k, v, has := bytes.Cut(field, []byte{'='}); has && string(k) == name {
			if ok {
				return nil, 0, false
			}
			value, at, ok = v, i+len(k)+1, true
		}
		i += len(field) + 1
	}
	return value, at, ok
}

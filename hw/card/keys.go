package card

import (
	"errors"
	"fmt"
)

// Keys are what a terminal knows of its badges' secrets. At least one of Mutual
// and SUN is set.
type Keys struct {
	// Mutual authenticates card and terminal to each other: for staff badges.
	Mutual *MasterKey
	// Privacy is a key that all cards share, never diversified. Cards with random
	// IDs tell their UID under it, so that Mutual can be diversified. It proves
	// nothing by itself. Nil: such cards are known by their SUN message, if any.
	Privacy *MasterKey
	// SUN are the keys of the message that a card puts into its NDEF file.
	SUN *SUN
}

// MasterKey is a key of an application and its number there.
type MasterKey struct {
	Key    Key
	Number byte // 0 to 4 (NT4H2421Gx, 8.2.3)
	// Diversified: each card has its own, AN10922 over UID || System.
	Diversified bool
	System      []byte // what the issuer appends, such as AID and system identifier: at most 24 bytes
}

// SUN is a secure dynamic messaging configuration (AN12196, 3).
type SUN struct {
	Meta Key       // SDMMetaReadKey decrypts the UID: the same for all cards
	File MasterKey // SDMFileReadKey signs; its number is not used
	// URL is the beginning that our cards' URLs have. A card with another one is
	// not ours, and not suspect. Empty: any URL with both parameters is ours.
	URL    string
	PICC   string // name of the URL's parameter that holds PICCENCData
	MAC    string // name of the parameter that holds SDMMAC
	Input  string // name of the parameter whose value SDMMAC's input begins with; empty: no input
	FileID uint16 // ISO file identifier of the NDEF file
}

// Limits and usual values.
const (
	maxSystem = maxDiversification - uidSize
	maxNumber = 4
	maxURL    = 200
	maxName   = 32

	ndefFile    = 0xE104 // NT4H2421Gx, 8.2.2
	defaultPICC = "picc_data"
	defaultMAC  = "cmac"
)

// Of returns the card's own key.
func (m *MasterKey) Of(uid []byte) (Key, error) {
	if !m.Diversified {
		return NewKey(m.Key.get()[:])
	}
	input := make([]byte, 0, maxDiversification)
	input = append(append(input, uid...), m.System...)
	defer clear(input)
	return Diversify(m.Key, input)
}

// check refuses keys that cannot be used; names are those of the key file.
func (k Keys) check() error {
	if k.Mutual == nil && k.SUN == nil {
		return errors.New("there is neither mutual.key nor sun.meta.key; give one of them")
	}
	for name, m := range map[string]*MasterKey{"mutual": k.Mutual, "privacy": k.Privacy} {
		if m == nil {
			continue
		}
		if err := m.check(name); err != nil {
			return err
		}
	}
	if k.Privacy != nil && (k.Mutual == nil || k.Privacy.Diversified) {
		return errors.New("privacy.key serves mutual.key only and is never diversified; add mutual.key or remove it")
	}
	if k.Privacy != nil && k.Privacy.Number == k.Mutual.Number {
		return errors.New("privacy.number and mutual.number are the same; use two keys of the card")
	}
	if k.SUN == nil {
		return nil
	}
	s := k.SUN
	switch {
	case !s.Meta.Valid():
		return errors.New("sun.meta.key is missing")
	case len(s.URL) > maxURL:
		return fmt.Errorf("sun.url has %d bytes; the limit is %d", len(s.URL), maxURL)
	case s.PICC == "" || s.MAC == "" || s.PICC == s.MAC || s.Input == s.MAC:
		return errors.New("sun.picc and sun.mac must be two different names, and sun.input not sun.mac")
	case s.FileID == 0:
		return errors.New("sun.ndef is missing")
	}
	return s.File.check("sun.file")
}

func (m *MasterKey) check(name string) error {
	switch {
	case !m.Key.Valid():
		return fmt.Errorf("%s.key is missing", name)
	case m.Number > maxNumber:
		return fmt.Errorf("%s.number is %d; a card has keys 0 to %d", name, m.Number, maxNumber)
	case len(m.System) > maxSystem:
		return fmt.Errorf("%s.system has %d bytes; the limit is %d", name, len(m.System), maxSystem)
	case len(m.System) > 0 && !m.Diversified:
		return fmt.Errorf("%s.system is given, but %s.diversified is no; remove one of them", name, name)
	}
	return nil
}

package sim

import (
	"fmt"

	"borne/hw/card"
)

// Kinds of cards that a bench holds out.
const (
	KindUID           = "uid"            // a number and nothing else, as most cards and all copies
	KindNTAG424       = "ntag424"        // an NTAG 424 DNA that was issued with DemoKeyFile
	KindNTAG424Random = "ntag424-random" // the same, showing a random UID
	KindNTAG424Clone  = "ntag424-clone"  // a copy of one by somebody without the keys
)

// DemoKeyFile is the content of the key file whose cards a bench holds out. It
// is published here: no terminal that serves people may use it.
const DemoKeyFile = `borne-badge-keys 1
# Demonstration only: these keys are public.
mutual.key 44454d4f2d4d555455414c2d4b45592d
mutual.number 1
mutual.system 424f524e45
privacy.key 44454d4f2d505249564143592d4b4559
privacy.number 2
sun.url https://badge.example/
sun.meta.key 44454d4f2d53554e2d4d4554412d4b45
sun.file.key 44454d4f2d53554e2d46494c452d4b45
sun.file.system 424f524e45
`

// DemoKeys are DemoKeyFile's.
func DemoKeys() (card.Keys, error) { return card.ParseKeys([]byte(DemoKeyFile)) }

// issue makes a card of a kind.
func (b *Bench) issue(kind string, uid []byte) (*Card, error) {
	switch kind {
	case KindUID:
		if len(uid) == 4 && uid[0] == 0x08 {
			k := NewPhone()
			copy(k.UID, uid)
			return k, nil
		}
		return &Card{UID: append([]byte(nil), uid...), SAK: 0x08}, nil // MIFARE Classic's
	case KindNTAG424, KindNTAG424Random, KindNTAG424Clone:
		keys, err := DemoKeys()
		if err != nil {
			return nil, err
		}
		return NewNTAG424(NTAG424{
			UID:      uid,
			Keys:     keys,
			RandomID: kind == KindNTAG424Random,
			Clone:    kind == KindNTAG424Clone,
			Counter:  &b.reads,
			Busy:     cryptoTime,
		})
	}
	return nil, fmt.Errorf("kind %.40q is none of %s, %s, %s and %s", kind, KindUID, KindNTAG424, KindNTAG424Random, KindNTAG424Clone)
}

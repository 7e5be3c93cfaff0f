package card

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"borne/hw"
)

// recorded is a card that answers exactly these commands, in this order.
type recorded struct {
	t     *testing.T
	steps [][2]string
}

func (r *recorded) Transmit(_ context.Context, apdu []byte) ([]byte, error) {
	if len(r.steps) == 0 {
		r.t.Fatalf("one command too many: %x", apdu)
	}
	s := r.steps[0]
	r.steps = r.steps[1:]
	if !bytes.Equal(apdu, x(r.t, s[0])) {
		r.t.Fatalf("command %x, want %s", apdu, s[0])
	}
	return x(r.t, s[1]), nil
}

const selectNDEF = "00A4040007D276000085010100"

// AN12196 §6.6 to the byte, then GetCardUID with an answer that is not its.
func TestPublishedAuthentication(t *testing.T) {
	p, err := NewProver(Keys{Mutual: &MasterKey{Key: key(t, zeroKey)}}, Options{Random: bytes.NewReader(x(t, "13C5DB8A5930439FC3DEF9A4C675360F"))})
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{mac: key(t, "4C6626F5E72EA694202139295C7A7FC7"), ti: [4]byte(x(t, "9D00C4DF"))}
	c := &recorded{t, [][2]string{
		{selectNDEF, "9000"},
		{"9071000002000000", "A04C124213C186F22399D33AC2A3021591AF"},
		{"90AF00002035C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D00", "3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F081206639100"},
		{fmt.Sprintf("9051000008%x00", s.CommandMAC(0x51)), "70756055688505B52A5E26E59E329CD6595F672298EA41B79100"},
	}}
	proof, err := p.Prove(t.Context(), c, x(t, "04958CAA5C5E80"))
	if err != nil || proof.Assurance != hw.AssuranceUID || !proof.Suspect || len(c.steps) != 0 {
		t.Fatalf("%+v, error %v, %d commands left", proof.Assurance, err, len(c.steps))
	}
}

// AN12196, pages 12 and 18: whole messages, as they stand in a file.
func TestPublishedMessages(t *testing.T) {
	for _, c := range []struct {
		url, input, uid string
		counter         uint32
	}{
		{"?picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086", "", "04DE5F1EACC040", 61},
		{"?picc_data=FD91EC264309878BE6345CBE53BADF40&enc=CEE9A53E3E463EF1F459635736738962&cmac=ECC1E7F6C6C73BF6", "enc", "04958CAA5C5E80", 8},
	} {
		k := Keys{SUN: &SUN{Meta: key(t, zeroKey), File: MasterKey{Key: key(t, zeroKey)}, URL: "https://card.example/", PICC: "picc_data", MAC: "cmac", Input: c.input, FileID: 0xE104}}
		file := ndef("card.example/" + c.url)
		for _, shown := range [][]byte{x(t, c.uid), shownRandom} {
			card := &recorded{t, [][2]string{
				{selectNDEF, "9000"},
				{"00A4000C02E104", "9000"},
				{"00B0000000", fmt.Sprintf("%x9000", file)},
			}}
			proof, err := prover(t, k).Prove(t.Context(), card, shown)
			if err != nil || proof.Assurance != hw.AssuranceDynamic || proof.Counter != c.counter || proof.Suspect || len(card.steps) != 0 {
				t.Fatalf("%s: assurance %d, counter %d, suspect %v, error %v", c.url, proof.Assurance, proof.Counter, proof.Suspect, err)
			}
			if random := len(shown) == 4; random != (proof.UID != nil) || random && !bytes.Equal(proof.UID, x(t, c.uid)) {
				t.Fatalf("%s: UID told %v", c.url, proof.UID != nil)
			}
		}
	}
}

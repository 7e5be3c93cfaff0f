package card

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func x(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(t testing.TB, s string) Key {
	t.Helper()
	k, err := NewKey(x(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const zeroKey = "00000000000000000000000000000000"

// RFC 4493, section 4, examples 1 to 4.
func TestCMACVectors(t *testing.T) {
	k := key(t, "2b7e151628aed2a6abf7158809cf4f3c")
	m := x(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	for n, want := range map[int]string{
		0:  "bb1d6929e95937287fa37d129b756746",
		16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		if got := CMAC(k, m[:n]); !bytes.Equal(got[:], x(t, want)) {
			t.Errorf("%d bytes: %x, want %s", n, got, want)
		}
	}
}

// AN10922 §2.2.1, and AN10957's example of a short input.
func TestDiversifyVectors(t *testing.T) {
	for _, c := range []struct{ master, input, want string }{
		{"00112233445566778899AABBCCDDEEFF", "04782E21801D803042F54E585020416275", "A8DD63A3B89D54B37CA802473FDA9175"},
		{"f3f9377698707b688eaf84abe39e3791", "04deadbeeffeed", "0bb408baff98b6ee9f2e1585777f6a51"},
	} {
		got, err := Diversify(key(t, c.master), x(t, c.input))
		if err != nil || !bytes.Equal(got.get()[:], x(t, c.want)) {
			t.Errorf("input of %d bytes: error %v or another key", len(c.input)/2, err)
		}
	}
	for _, n := range []int{0, 32} {
		if _, err := Diversify(key(t, zeroKey), make([]byte, n)); err == nil {
			t.Errorf("an input of %d bytes passed", n)
		}
	}
	if _, err := Diversify(key(t, zeroKey), make([]byte, 31)); err != nil {
		t.Error(err)
	}
}

// AN12196, pages 12 and 18 (3.4 and 3.5).
func TestSUNVectors(t *testing.T) {
	for _, c := range []struct {
		enc, mac, uid, input string
		counter              uint32
	}{
		{"EF963FF7828658A599F3041510671E88", "94EED9EE65337086", "04de5f1eacc040", "", 61},
		{"FD91EC264309878BE6345CBE53BADF40", "ECC1E7F6C6C73BF6", "04958CAA5C5E80", "CEE9A53E3E463EF1F459635736738962&cmac=", 8},
	} {
		k := key(t, zeroKey)
		uid, n, ok := openPICC(k, [16]byte(x(t, c.enc)))
		if !ok || !bytes.Equal(uid[:], x(t, c.uid)) || n != c.counter {
			t.Errorf("%s: ok %v, counter %d", c.enc, ok, n)
		}
		if got := SUNMAC(k, uid, n, []byte(c.input)); !bytes.Equal(got[:], x(t, c.mac)) {
			t.Errorf("%s: MAC %x, want %s", c.enc, got, c.mac)
		}
		again := SealPICC(k, uid, n, [5]byte{1, 2, 3, 4, 5})
		if u, m, ok := openPICC(k, again); !ok || u != uid || m != n {
			t.Errorf("%s: what is sealed does not open", c.enc)
		}
	}
}

// AN12196 §6.6 (key 0) and §6.10 (key 3): both sides.
func TestEV2Vectors(t *testing.T) {
	for _, c := range []struct{ challenge, rndA, answer, last, ti, enc, mac string }{
		{"A04C124213C186F22399D33AC2A30215", "13C5DB8A5930439FC3DEF9A4C675360F", "35C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D", "3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F08120663", "9d00c4df", "1309C877509E5A215007FF0ED19CA564", "4C6626F5E72EA694202139295C7A7FC7"},
		{"B875CEB0E66A6C5CD00898DC371F92D1", "B98F4C50CF1C2E084FD150E33992B048", "FF0306E47DFBC50087C4D8A78E88E62DE1E8BE457AA477C707E2F0874916A8B1", "0CC9A8094A8EEA683ECAAC5C7BF20584206D0608D477110FC6B3D5D3F65C3A6A", "7614281A", "7A93D6571E4B180FCA6AC90C9A7488D4", "FC4AF159B62E549B5812394CAB1918CC"},
	} {
		k, rndA := key(t, zeroKey), [16]byte(x(t, c.rndA))
		rndB, answer := answerEV2(k, rndA, [16]byte(x(t, c.challenge)))
		if !bytes.Equal(answer[:], x(t, c.answer)) {
			t.Errorf("answer %x, want %s", answer, c.answer)
		}
		s, ok := finishEV2(k, rndA, rndB, [32]byte(x(t, c.last)))
		if !ok || !bytes.Equal(s.ti[:], x(t, c.ti)) || !bytes.Equal(s.enc.get()[:], x(t, c.enc)) || !bytes.Equal(s.mac.get()[:], x(t, c.mac)) {
			t.Errorf("key agreement failed (ok %v)", ok)
		}
		bad := [32]byte(x(t, c.last))
		bad[31] ^= 1 // capabilities are in the second block: RndA' ends there too
		bad[16] ^= 1
		if _, ok := finishEV2(k, rndA, rndB, bad); ok {
			t.Error("a changed cryptogram passed")
		}
		message, mine, ok := CardEV2(k, rndB, answer, [4]byte(x(t, c.ti)))
		if !ok || !bytes.Equal(message[:], x(t, c.last)) || *mine.enc.get() != *s.enc.get() {
			t.Error("the card's side disagrees")
		}
		answer[31] ^= 1
		if _, _, ok := CardEV2(k, rndB, answer, [4]byte{}); ok {
			t.Error("the card's side takes a changed answer")
		}
		if got := CardChallenge(k, rndB); !bytes.Equal(got[:], x(t, c.challenge)) {
			t.Error("challenge")
		}
	}
}

// AN12196 §7.3: GetCardUID in CommMode.Full, and §5.3's MAC.
func TestGetCardUIDVector(t *testing.T) {
	session := func() *Session {
		return &Session{enc: key(t, "2B4D963C014DC36F24F69A50A394F875"), mac: key(t, "379D32130CE61705DD5FD8C36B95D764"), ti: [4]byte(x(t, "DF055522"))}
	}
	s := session()
	if got := s.CommandMAC(0x51); !bytes.Equal(got[:], x(t, "8E2C155ADDA99BE3")) {
		t.Errorf("command MAC %x", got)
	}
	answer := x(t, "70756055688505B52A5E26E59E329CD6 595F672298EA41B7")
	uid, ok := s.openUID(answer)
	if !ok || !bytes.Equal(uid[:], x(t, "04958CAA5C5E80")) {
		t.Errorf("ok %v", ok)
	}
	s = session()
	if enc := s.SealUID(uid); !bytes.Equal(enc[:], answer[:16]) {
		t.Errorf("the card's side: %x", enc)
	}
	if mac := s.ResponseMAC(answer[:16]); !bytes.Equal(mac[:], answer[16:]) {
		t.Errorf("the card's side: MAC %x", mac)
	}
	for i := range answer {
		bad := bytes.Clone(answer)
		bad[i] ^= 1
		if _, ok := session().openUID(bad); ok {
			t.Errorf("a change of byte %d passed", i)
		}
	}
	s = &Session{mac: key(t, "8248134A386E86EB7FAF54A52E536CB6"), ti: [4]byte(x(t, "7A21085E"))}
	if got := s.sign(0xF5, []byte{0x02}); !bytes.Equal(got[:], x(t, "6597A457C8CD442C")) {
		t.Errorf("§5.3: MAC %x", got)
	}
	// A right MAC over something that is no padded UID.
	s = session()
	var enc [16]byte
	s.count = 1
	iv := s.responseIV()
	s.enc.encrypt(&iv, enc[:])
	s.count = 0
	mac := s.ResponseMAC(enc[:])
	if _, ok := session().openUID(append(enc[:], mac[:]...)); ok {
		t.Error("missing padding passed")
	}
}

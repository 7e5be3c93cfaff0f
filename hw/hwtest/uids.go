package hwtest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// CardSet draws one to three different UIDs of 4, 7 or 10 bytes that resemble
// each other: the same but for a bit or two, or one the beginning of the other.
func CardSet(rnd *rand.Rand) [][]byte {
	n := 1 + rnd.IntN(3)
	base := uid(rnd, 10)
	var set [][]byte
	for len(set) < n {
		u := slices.Clone(base[:[]int{4, 7, 10}[rnd.IntN(3)]])
		switch rnd.IntN(4) {
		case 0: // an unrelated one
			u = uid(rnd, len(u))
		case 1: // exactly the base's beginning
		default:
			for range 1 + rnd.IntN(2) {
				u[rnd.IntN(len(u))] ^= 1 << rnd.IntN(8)
			}
		}
		if !valid(u) || slices.ContainsFunc(set, func(v []byte) bool { return slices.Equal(u, v) }) {
			continue
		}
		set = append(set, u)
	}
	return set
}

// uid draws one UID that a card may have.
func uid(rnd *rand.Rand, n int) []byte {
	for {
		u := make([]byte, n)
		for i := range u {
			u[i] = byte(rnd.Uint32())
		}
		if valid(u) {
			return u
		}
	}
}

// valid: no cascade tag where a UID's last part begins (ISO/IEC 14443-3, 6.5.4),
// and not a random UID, which cannot be told beforehand.
func valid(u []byte) bool {
	return !(len(u) == 4 && (u[0] == 0x88 || u[0] == 0x08) || len(u) == 7 && u[3] == 0x88)
}

// forms lists the ways in which a UID could be written, as given and reversed.
func forms(u []byte) map[string][]byte {
	out := map[string][]byte{}
	r := slices.Clone(u)
	slices.Reverse(r)
	for name, b := range map[string][]byte{"": u, ", reversed": r} {
		h := hex.EncodeToString(b)
		out["raw"+name] = b
		out["quoted"+name] = []byte(strings.Trim(strconv.Quote(string(b)), `"`))
		if j, err := json.Marshal(string(b)); err == nil {
			out["JSON"+name] = bytes.Trim(j, `"`)
		}
		out["hexadecimal"+name] = []byte(h)
		out["upper-case hexadecimal"+name] = []byte(strings.ToUpper(h))
		for _, sep := range []string{" ", ":", "-", ", ", ",", " 0x", ", 0x", `\x`} {
			for f, verb := range map[string]string{"hexadecimal": "%02x", "upper-case hexadecimal": "%02X", "short hexadecimal": "%x", "decimal bytes": "%d"} {
				out[fmt.Sprintf("%s with %q%s", f, sep, name)] = []byte(join(b, verb, sep))
			}
		}
		out["decimal"+name] = []byte(new(big.Int).SetBytes(b).String())
		out["base64"+name] = []byte(base64.RawStdEncoding.EncodeToString(b))
		out["base64 for URLs"+name] = []byte(base64.RawURLEncoding.EncodeToString(b))
	}
	if len(u) == 4 {
		out["decimal, signed"] = []byte(fmt.Sprint(int32(binary.BigEndian.Uint32(u))))
	}
	return out
}

func join(b []byte, verb, sep string) string {
	parts := make([]string, len(b))
	for i, x := range b {
		parts[i] = fmt.Sprintf(verb, x)
	}
	return strings.Join(parts, sep)
}

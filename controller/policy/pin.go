package policy

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// PIN opens the staff's menu where there is no reader, or no badge at hand. It is a
// section of its own: building staff set it, and nobody reads it back.
type PIN struct {
	// Hash is argon2id's in the PHC string format; empty: there is none. Ten to the
	// power of six are few: it keeps a PIN from being read, and not from whoever takes
	// the signed policy away and has a day to try.
	Hash string    `json:"hash"`
	Set  time.Time `json:"set,omitzero"`
}

// Bounds of a PIN, in digits.
const (
	MinPIN = 6
	MaxPIN = 12
)

// Costs of new hashes: RFC 9106 §4 leaves memory to what there is, and OWASP's
// minimum for argon2id is 19 MiB in two passes; a board with 1 GiB has that to spare
// for half a second.
const (
	pinMemory = 19 * 1024 // KiB
	pinPasses = 2
	saltBytes = 16
	hashBytes = 32
)

// Bounds of hashes that are verified: a policy cannot make a terminal stand still.
const (
	maxPINMemory = 64 * 1024
	maxPINPasses = 8
	maxPINHash   = 200
)

// ErrPIN says why digits cannot be a PIN.
var ErrPIN = errors.New("not a PIN")

// CheckPIN refuses what is too short, no number, or tried first by everybody.
func CheckPIN(digits string) error {
	if len(digits) < MinPIN || len(digits) > MaxPIN || strings.Trim(digits, "0123456789") != "" {
		return fmt.Errorf("cannot take it: %d to %d digits and nothing else: %w", MinPIN, MaxPIN, ErrPIN)
	}
	for _, step := range []byte{0, 1, 10 - 1} { // 000000, 123456, 987654, also past nine
		i := 1
		for i < len(digits) && (digits[i]-'0') == (digits[i-1]-'0'+step)%10 {
			i++
		}
		if i == len(digits) {
			return fmt.Errorf("cannot take it: everybody tries that one first: %w", ErrPIN)
		}
	}
	return nil
}

// HashPIN makes the section for digits that CheckPIN takes, with a salt of 16 bytes.
func HashPIN(digits string, salt []byte, now time.Time) (PIN, error) {
	if err := CheckPIN(digits); err != nil {
		return PIN{}, err
	}
	if len(salt) != saltBytes {
		return PIN{}, fmt.Errorf("cannot hash a PIN with a salt of %d bytes, want %d", len(salt), saltBytes)
	}
	enc := base64.RawStdEncoding.EncodeToString
	sum := argon2.IDKey([]byte(digits), salt, pinPasses, pinMemory, 1, hashBytes)
	return PIN{Hash: fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, pinMemory, pinPasses, enc(salt), enc(sum)), Set: now.UTC()}, nil
}

// Verify tells whether digits are the PIN, in a time that does not depend on how
// much of them is right. Without a PIN nothing is.
func (p PIN) Verify(digits string) bool {
	h, err := p.parse()
	if err != nil || len(digits) < MinPIN || len(digits) > MaxPIN {
		return false
	}
	got := argon2.IDKey([]byte(digits), h.salt, h.passes, h.memory, 1, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(got, h.sum) == 1
}

// There tells whether there is a PIN.
func (p PIN) There() bool { return p.Hash != "" }

type pinHash struct {
	memory, passes uint32
	salt, sum      []byte
}

var errHash = errors.New("cannot use the hash of the PIN: set it again")

// parse reads the PHC string: $argon2id$v=19$m=…,t=…,p=1$salt$hash.
func (p PIN) parse() (h pinHash, err error) {
	parts := strings.Split(p.Hash, "$")
	if len(p.Hash) > maxPINHash || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, errHash
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 || costs[2] != "p=1" {
		return h, errHash
	}
	read := func(s, name string, most uint64) uint32 {
		digits, ok := strings.CutPrefix(s, name)
		n, bad := strconv.ParseUint(digits, 10, 32)
		if !ok || bad != nil || n < 1 || n > most {
			err = errHash
		}
		return uint32(n)
	}
	h.memory, h.passes = read(costs[0], "m=", maxPINMemory), read(costs[1], "t=", maxPINPasses)
	var bad1, bad2 error
	h.salt, bad1 = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, bad2 = base64.RawStdEncoding.DecodeString(parts[5])
	if bad1 != nil || bad2 != nil || len(h.salt) < 8 || len(h.sum) != hashBytes {
		err = errHash
	}
	return h, err
}

func (p PIN) check(c *checker) {
	if _, err := p.parse(); p.There() && err != nil {
		c.add("pin.hash", "Le code de l’équipe n’est pas lisible : choisissez-en un autre.")
	}
}

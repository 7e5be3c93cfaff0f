package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"
)

// A list is one category's names, as terminals get it: not the names, but the
// beginnings of their digests, sorted. Names are cut into buckets by the first
// bits of their SHA-256, 16 to 31 names a bucket, and each keeps the next 32
// bits: 4.25 bytes a name at most. A name that is on no list is taken for one
// that is with a probability of at most 31 in 2³², which is 7 in a billion.
//
//	0   8  magic
//	8   4  number of names n (little-endian, as all that follows)
//	12  1  number of bits b that choose the bucket
//	13  1  length of the category's name
//	14 32  category, zeros behind it
//	46  2  zero
//	48  4·(2^b+1)  where each bucket begins, in names; the last one is n
//	…   4·n        the names
type List struct {
	Category string
	Names    int
	shift    uint
	index    []byte
	tails    []byte
}

// Limits of a list.
const (
	MaxListNames = 12 << 20 // the largest category known has about 5 million
	MaxList      = 64 << 20 // bytes
	ListHead     = 48       // bytes before the index
	listMagic    = "BORNEL1\n"
	perBucket    = 4 // bits: a bucket has at least 16 names
)

// ErrList reports bytes that are no list.
var ErrList = errors.New("not a list of names")

var categoryShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// ValidCategory tells whether s can name a category.
func ValidCategory(s string) bool { return categoryShape.MatchString(s) }

var digestShape = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ValidDigest tells whether s can be a list's digest.
func ValidDigest(s string) bool { return digestShape.MatchString(s) }

// ListDigest names a list by its bytes: SHA-256 in hex.
func ListDigest(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}

// NameKey is what a list keeps of a name, which is in small letters and has no
// dot at its end.
func NameKey(name string) uint64 {
	d := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(d[:])
}

// BuildList writes a list of the names with these keys, which it sorts. The
// same names give the same bytes.
func BuildList(category string, keys []uint64) ([]byte, error) {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	switch {
	case !ValidCategory(category):
		return nil, fmt.Errorf("cannot make the list %.40q: its name is not 1 to 32 small letters, digits, _ or -", category)
	case len(keys) > MaxListNames:
		return nil, fmt.Errorf("cannot make the list %s: %d names pass the limit of %d", category, len(keys), MaxListNames)
	}
	b := max(bits.Len(uint(len(keys)))-1-perBucket, 0)
	out := make([]byte, ListHead, ListHead+4*(1<<b+1)+4*len(keys))
	copy(out, listMagic)
	binary.LittleEndian.PutUint32(out[8:], uint32(len(keys)))
	out[12], out[13] = byte(b), byte(len(category))
	copy(out[14:], category)
	at := 0
	for bucket := range uint64(1 << b) {
		out = binary.LittleEndian.AppendUint32(out, uint32(at))
		for at < len(keys) && bucketOf(keys[at], uint(64-b)) == bucket {
			at++
		}
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(at))
	for _, k := range keys {
		out = binary.LittleEndian.AppendUint32(out, tailOf(k, uint(64-b)))
	}
	return out, nil
}

func bucketOf(k uint64, shift uint) uint64 { return k >> shift } // 0 when shift is 64

func tailOf(k uint64, shift uint) uint32 { return uint32(k >> (shift - 32)) }

// ListCategory tells the category out of a list's first ListHead bytes; "" when
// they are none.
func ListCategory(head []byte) string {
	if len(head) < ListHead || string(head[:8]) != listMagic || int(head[13]) > 32 {
		return ""
	}
	if c := string(head[14 : 14+head[13]]); ValidCategory(c) {
		return c
	}
	return ""
}

// OpenList reads a list in place: b must not change. What it accepts can be
// asked without a further look at its structure.
func OpenList(b []byte) (List, error) {
	bad := func(why string) (List, error) { return List{}, fmt.Errorf("cannot read a list: %s: %w", why, ErrList) }
	if len(b) < ListHead || len(b) > MaxList || string(b[:8]) != listMagic {
		return bad("it does not begin as one")
	}
	n, width, long := int(binary.LittleEndian.Uint32(b[8:])), uint(b[12]), int(b[13])
	if n > MaxListNames || width > 24 || long > 32 {
		return bad("a number in its head is too large")
	}
	l := List{Category: string(b[14 : 14+long]), Names: n, shift: 64 - width}
	if !ValidCategory(l.Category) || strings.Trim(string(b[14+long:ListHead]), "\x00") != "" {
		return bad("its category has no name")
	}
	size := 4 * (1<<width + 1)
	if len(b) != ListHead+size+4*n {
		return bad(fmt.Sprintf("it has %d bytes", len(b)))
	}
	l.index, l.tails = b[ListHead:ListHead+size], b[ListHead+size:]
	last := 0
	for i := range 1<<width + 1 {
		at := l.start(i)
		if at < last || at > n || i == 0 && at != 0 || i == 1<<width && at != n {
			return bad("its index leads astray")
		}
		last = at
	}
	return l, nil
}

func (l List) start(bucket int) int { return int(binary.LittleEndian.Uint32(l.index[4*bucket:])) }

func (l List) tail(i int) uint32 { return binary.LittleEndian.Uint32(l.tails[4*i:]) }

// Has tells whether the list holds name or a name above it: example.com stands
// for www.example.com too. name is in small letters and has no dot at its end.
func (l List) Has(name string) bool {
	for strings.Contains(name, ".") {
		if l.holds(NameKey(name)) {
			return true
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return false
}

func (l List) holds(k uint64) bool {
	b := int(bucketOf(k, l.shift))
	low, high := l.start(b), l.start(b+1)
	t := tailOf(k, l.shift)
	for low < high {
		mid := (low + high) / 2
		switch v := l.tail(mid); {
		case v == t:
			return true
		case v < t:
			low = mid + 1
		default:
			high = mid
		}
	}
	return false
}

package warden

import (
	"bytes"
	"encoding/binary"
)

// needles finds patterns in bytes about as fast as memory can be read. Wherever
// a pattern begins, one word of eight bytes whose place is a multiple of stride
// lies inside it: only those words are looked at.
type needles struct {
	stride   int
	patterns [][]byte
	filter   [1 << 10]uint64 // which hashes of a word's occur
	words    map[uint64][]placed
}

// placed is where in which pattern a word occurs.
type placed struct{ pattern, at int }

// newNeedles takes patterns of 15 bytes or more.
func newNeedles(patterns ...[]byte) *needles {
	n := &needles{stride: 16, patterns: patterns, words: map[uint64][]placed{}}
	for _, p := range patterns {
		if len(p) < 16+8-1 {
			n.stride = 8
		}
	}
	for i, p := range patterns {
		for at := 0; at < n.stride && at+8 <= len(p); at++ {
			w := binary.LittleEndian.Uint64(p[at:])
			n.words[w] = append(n.words[w], placed{i, at})
			h := hash(w)
			n.filter[h>>6] |= 1 << (h & 63)
		}
	}
	return n
}

func hash(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 >> 48 }

// in calls hit for each occurrence, with the place of its first byte.
func (n *needles) in(b []byte, hit func(pattern, at int)) {
	for i := 0; i+8 <= len(b); i += n.stride {
		w := binary.LittleEndian.Uint64(b[i:])
		if h := hash(w); n.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, p := range n.words[w] {
			if from := i - p.at; from >= 0 && bytes.HasPrefix(b[from:], n.patterns[p.pattern]) {
				hit(p.pattern, from)
			}
		}
	}
}

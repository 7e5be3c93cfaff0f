package x11

import (
	"bytes"
	"testing"
)

func FuzzParseAuthority(f *testing.F) {
	f.Add(wild(make([]byte, 16)).encode())
	f.Add([]byte{1, 0, 0, 4, 'h', 'o', 's', 't', 0, 1, '0', 0, 0, 0, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseAuthority(b)
		if err != nil {
			return
		}
		var again []byte
		for _, a := range all {
			again = append(again, a.encode()...)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x read and written is %x", b, again)
		}
	})
}

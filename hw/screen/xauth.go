package screen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	cookieName = "MIT-MAGIC-COOKIE-1"
	cookieLen  = 16
	maxAuth    = 64 << 10 // bytes of an authority file
)

// readCookie finds a display's cookie in an authority file.
func readCookie(file, display string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuth))
	if err != nil {
		return nil, err
	}
	defer clear(b)
	c, err := findCookie(b, display)
	if err != nil {
		return nil, fmt.Errorf("cannot use authority file %s: %w", file, err)
	}
	return c, nil
}

// findCookie reads entries of family, address, display number, name and data,
// each after its length, big-endian (Xauth(7), "FILE FORMAT"). Whose address it
// is does not matter: what we connect to is a socket of this machine.
func findCookie(b []byte, display string) ([]byte, error) {
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, errors.New("its last entry is cut off")
		}
		b = b[2:]
		var field [4][]byte // address, number, name, data
		for i := range field {
			if len(b) < 2 {
				return nil, errors.New("its last entry is cut off")
			}
			n := int(binary.BigEndian.Uint16(b))
			if b = b[2:]; len(b) < n {
				return nil, errors.New("its last entry is cut off")
			}
			field[i], b = b[:n], b[n:]
		}
		if number := string(field[1]); (number == "" || number == display) && string(field[2]) == cookieName && len(field[3]) == cookieLen {
			return bytes.Clone(field[3]), nil
		}
	}
	return nil, fmt.Errorf("it has no cookie for display :%s", display)
}

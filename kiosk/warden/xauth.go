package warden

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Xauthority files: Xau(3), "family, address, number, name, data", each but
// the first behind its length, big-endian.
const (
	familyWild = 0xffff
	cookieName = "MIT-MAGIC-COOKIE-1"
	maxAuth    = 64 << 10
)

// newCookie makes a cookie for a display of our own.
func newCookie() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}

// authFile returns an Xauthority file that fits display number on any host
// name: a sandbox has one of its own.
func authFile(number int, cookie []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, familyWild)
	for _, part := range [][]byte{nil, []byte(strconv.Itoa(number)), []byte(cookieName), cookie} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(part)))
		b = append(b, part...)
	}
	return b
}

var errAuth = errors.New("not an Xauthority file")

// parseAuth finds the cookie of display number.
func parseAuth(b []byte, number int) ([]byte, error) {
	if len(b) > maxAuth {
		return nil, fmt.Errorf("cannot read the display's cookie: more than %d bytes: %w", maxAuth, errAuth)
	}
	want := strconv.Itoa(number)
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, fmt.Errorf("cannot read the display's cookie: %w", errAuth)
		}
		b = b[2:]
		var parts [4][]byte
		for i := range parts {
			if len(b) < 2 {
				return nil, fmt.Errorf("cannot read the display's cookie: %w", errAuth)
			}
			n := int(binary.BigEndian.Uint16(b))
			if len(b) < 2+n {
				return nil, fmt.Errorf("cannot read the display's cookie: %w", errAuth)
			}
			parts[i], b = b[2:2+n], b[2+n:]
		}
		num := string(parts[1])
		if (num == want || num == "") && string(parts[2]) == cookieName {
			return bytes.Clone(parts[3]), nil
		}
	}
	return nil, fmt.Errorf("cannot find a cookie for display :%d: start the display with -auth, and give the same file here", number)
}

// outerCookie reads the outer display's cookie. The file is another role's:
// no link is followed, and nothing but a file is opened.
func (d Display) outerCookie() ([]byte, error) {
	n, err := d.number()
	if err != nil {
		return nil, err
	}
	if d.Authority == "" {
		return nil, nil // a display without access control: tests
	}
	fd, err := unix.Open(d.Authority, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the display's cookie %s: %w", d.Authority, err)
	}
	f := os.NewFile(uintptr(fd), d.Authority)
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuth+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the display's cookie: %w", err)
	}
	return parseAuth(b, n)
}

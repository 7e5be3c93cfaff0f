package x11

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	cookieName = "MIT-MAGIC-COOKIE-1"
	// CookieLen is how many bytes a cookie has.
	CookieLen    = 16
	familyLocal  = 256
	familyWild   = 65535
	maxAuthority = 64 << 10
)

// authority is one entry of an X authority file (Xau, "Xauth.h").
type authority struct {
	family  uint16
	address string
	number  string
	name    string
	data    []byte
}

// encode writes the entry in the file's own form: big-endian counted strings.
func (a authority) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, a.family)
	for _, s := range []string{a.address, a.number, a.name, string(a.data)} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	return b
}

// wild is an entry that serves any display: the server's number is not known
// before it has started.
func wild(cookie []byte) authority {
	return authority{family: familyWild, name: cookieName, data: cookie}
}

// parseAuthority reads an authority file's entries.
func parseAuthority(b []byte) ([]authority, error) {
	var all []authority
	for len(b) > 0 {
		var a authority
		if len(b) < 2 {
			return nil, errCutAuthority
		}
		a.family, b = binary.BigEndian.Uint16(b), b[2:]
		var parts [4]string
		for i := range parts {
			if len(b) < 2 {
				return nil, errCutAuthority
			}
			n := int(binary.BigEndian.Uint16(b))
			if b = b[2:]; len(b) < n {
				return nil, errCutAuthority
			}
			parts[i], b = string(b[:n]), b[n:]
		}
		a.address, a.number, a.name, a.data = parts[0], parts[1], parts[2], []byte(parts[3])
		all = append(all, a)
	}
	return all, nil
}

var errCutAuthority = errors.New("cannot read the X authority file: it is cut short; write it anew with xauth")

// Cookie gives the cookie for a local display's number ("0") out of the
// file at path; nil when it has none.
func Cookie(path, number string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the X authority file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuthority+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the X authority file: %w", err)
	}
	if len(b) > maxAuthority {
		return nil, fmt.Errorf("cannot read the X authority file: it passes %d bytes", maxAuthority)
	}
	all, err := parseAuthority(b)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	for _, a := range all {
		here := a.family == familyWild || a.family == familyLocal && a.address == host
		if here && (a.number == "" || a.number == number) && a.name == cookieName && len(a.data) == CookieLen {
			return a.data, nil
		}
	}
	return nil, nil
}

// WriteAuthority makes a file, readable by uid alone, that holds one cookie.
func WriteAuthority(path string, cookie []byte, uid int) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot replace the X authority file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the X authority file: %w", err)
	}
	_, err = f.Write(wild(cookie).encode())
	if err == nil && os.Getuid() == 0 {
		err = f.Chown(uid, uid)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write the X authority file: %w", err)
	}
	return nil
}

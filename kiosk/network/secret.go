package network

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"borne/controller/policy"
)

const (
	maxSecret = 256      // bytes of a key or a password
	maxKey    = 16 << 10 // of a certificate or its key
)

// secret reads a key or a password: its file's first line.
func (s *Setter) secret(name string) (string, error) {
	if !policy.SecretName(name) {
		return "", fmt.Errorf("cannot read a secret: %.40q is no name of one", name)
	}
	b, err := s.private(name, maxSecret+2)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" || len(line) > maxSecret || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("cannot use the secret %q: its file's first line has to be a key or a password of 1 to %d bytes, without control characters", name, maxSecret)
	}
	return line, nil
}

// private reads a file of the secrets' folder that nobody but its owner, this
// user, reads. Its content is in no error.
func (s *Setter) private(name string, most int) ([]byte, error) {
	path := filepath.Join(s.cfg.Secrets, name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot find the secret %q on this terminal: write it into %s, and run chmod 600 on it", name, path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret %q: %w", name, err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("cannot look at the secret %q: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		return nil, fmt.Errorf("cannot use the secret %q: others could read or change it; it has to be a file of root, and chmod 600 run on %s", name, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret %q: %w", name, err)
	}
	if len(b) > most {
		return nil, fmt.Errorf("cannot use the secret %q: it passes %d bytes", name, most)
	}
	return b, nil
}

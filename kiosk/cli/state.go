package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// claim marks the state folder as a real terminal's or a simulated one's, for
// good: receipts of a simulation must never continue the chain of a real
// terminal, nor the other way round.
func claim(state string, sim bool) error {
	if err := os.MkdirAll(state, 0o755); err != nil {
		return fmt.Errorf("cannot make the state folder: %w", err)
	}
	want := "real"
	if sim {
		want = "sim"
	}
	path := filepath.Join(state, "kind")
	b, err := os.ReadFile(path)
	switch got := strings.TrimSpace(string(b)); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("cannot read what the state folder is: %w", err)
	case got == want:
		return nil
	case got == "real":
		return fmt.Errorf("cannot use -sim on %s: it is the state of a real terminal; name another state folder in the configuration", state)
	case got == "sim":
		return fmt.Errorf("cannot run on %s without -sim: it is the state of a simulated terminal; name another state folder in the configuration", state)
	default:
		return fmt.Errorf("cannot tell what %s is: its file kind says %.20q, want real or sim", state, got)
	}
	// No mark: a folder that a terminal worked in without one was a real one.
	for _, sub := range []string{"agent", "warden"} {
		if _, err := os.Lstat(filepath.Join(state, sub)); err == nil && sim {
			return fmt.Errorf("cannot use -sim on %s: it may be the state of a real terminal; name another state folder in the configuration", state)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("cannot mark the state folder: %w", err)
	}
	_, err = f.WriteString(want + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot mark the state folder: %w", err)
	}
	return nil
}

// ownFolder makes path for one uid alone. An existing folder of somebody else
// is an error: chown would follow whatever they put there.
func ownFolder(path string, uid int) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make %s: %w", path, err)
	} else if err == nil {
		if err := os.Lchown(path, uid, uid); err != nil {
			return fmt.Errorf("cannot give %s to user %d: %w", path, uid, err)
		}
	}
	st, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", path, err)
	}
	if owner := ownerOf(st); !st.IsDir() || owner != uid {
		return fmt.Errorf("cannot use %s: it belongs to user %d, want a folder of user %d; move it away, or set uid_base as it was", path, owner, uid)
	}
	if st.Mode().Perm() != 0o700 {
		return os.Chmod(path, 0o700)
	}
	return nil
}

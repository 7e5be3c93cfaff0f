package warden

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ownAccounts begins the names of accounts that an administrator may give a
// terminal's uids, so that listings show them.
const ownAccounts = "borne-"

// uidLocks is where running wardens hold the uids that are theirs.
const uidLocks = "/run/borne-uids.lock"

// checkAccounts refuses uids that are somebody's: a start ends every process
// of this terminal's uids, and a wipe counts their files. passwd and subuid are
// the paths of passwd(5) and subuid(5); a missing file holds nobody.
func checkAccounts(r uidRange, passwd, subuid string) error {
	for _, file := range []struct {
		path          string
		fields, first int // how many, and which is the first uid
		ranged        bool
	}{{passwd, 7, 2, false}, {subuid, 3, 1, true}} {
		b, err := os.ReadFile(file.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot check that the terminal's user ids are free: %w", err)
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Split(strings.TrimSpace(line), ":")
			if len(f) < file.fields || strings.HasPrefix(f[0], ownAccounts) {
				continue
			}
			from, err := strconv.ParseUint(f[file.first], 10, 32)
			if err != nil {
				continue
			}
			n := uint64(1)
			if file.ranged {
				if n, err = strconv.ParseUint(f[2], 10, 32); err != nil {
					continue
				}
			}
			if from <= uint64(r.to) && uint64(r.from) < from+n {
				return fmt.Errorf("cannot use the user ids %d to %d: %s gives %d to %.40q, whose processes a start would end; set uid_base to %d ids that are nobody's",
					r.from, r.to, file.path, max(from, uint64(r.from)), f[0], uidCount)
			}
		}
	}
	return nil
}

// lockUIDs keeps a second warden, on whatever state folder, off the same uids.
// The lock is gone with the file, or with this process.
func lockUIDs(path string, r uidRange) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot hold the terminal's user ids: %w", err)
	}
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(r.from), Len: int64(r.to - r.from + 1)}
	// What a killed warden was just starting holds the lock for a moment more.
	limit := time.Now().Add(lockWait)
	for {
		if err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) || time.Now().After(limit) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("cannot use the user ids %d to %d: another terminal on this machine uses some of them; give this one another uid_base", r.from, r.to)
	}
	return nil, fmt.Errorf("cannot hold the terminal's user ids: %w", err)
}

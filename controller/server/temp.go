package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tempSuffix ends the name of a folder that is there while a backup or a restore
// runs: what an administrator names backup-2026 is none.
const tempSuffix = ".tmp"

// temporary makes a folder in the state folder, for a copy of the store and the
// keys. It is locked until done takes it away: a kill lets go of the lock, and
// sweep knows by that.
func temporary(state, what string) (dir string, done func(), err error) {
	if dir, err = os.MkdirTemp(state, what+"-*"+tempSuffix); err != nil {
		return "", nil, err
	}
	f, err := os.Open(dir)
	if err == nil {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, func() { os.RemoveAll(dir); f.Close() }, nil
}

// sweep takes away what backups and restores left that were killed.
func sweep(state string) error {
	var failed error
	for _, what := range []string{"backup", "restore"} {
		all, err := filepath.Glob(filepath.Join(quoted(state), what+"-*"+tempSuffix))
		failed = errors.Join(failed, err)
		for _, dir := range all {
			failed = errors.Join(failed, sweepOne(dir))
		}
	}
	return failed
}

func sweepOne(dir string) error {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("cannot take away %s: %w", dir, err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // somebody looks at a backup just now
	}
	return os.RemoveAll(dir)
}

// What a restore sets aside is named by its second, and kept for as many days as
// the shortest class may be: long enough to find that the backup was the wrong one,
// and no reason to keep for years what was due.
const (
	beforeMark = ".before-"
	beforeTime = "20060102T150405"
	asideDays  = 30
)

// aside are the files that restores set aside.
func aside(state string) []string {
	store, _ := filepath.Glob(filepath.Join(quoted(storeDir(state)), "*"+beforeMark+"*"))
	keys, _ := filepath.Glob(quoted(keysDir(state)) + beforeMark + "*")
	return append(store, keys...)
}

// goneBy is when the controller deletes what was set aside at a time.
func goneBy(at time.Time) time.Time { return at.UTC().Truncate(time.Second).AddDate(0, 0, asideDays) }

// sweepAside deletes what was set aside too long ago, and returns how many files and
// folders went. A name without a time is somebody's own.
func sweepAside(state string, now time.Time) (n int, failed error) {
	for _, path := range aside(state) {
		_, mark, _ := strings.Cut(filepath.Base(path), beforeMark)
		at, err := time.Parse(beforeTime, mark)
		if err != nil || now.Before(goneBy(at)) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			failed = errors.Join(failed, fmt.Errorf("cannot delete what a restore set aside: %w; delete it by hand", err))
			continue
		}
		n++
	}
	return n, failed
}

// quoted is a path as Glob takes it for itself.
func quoted(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

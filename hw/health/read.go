package health

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits of reading: what the kernel shows is short, and a look is bounded.
const (
	maxAttr    = 4 << 10   // bytes of a sysfs attribute
	maxMounts  = 256 << 10 // bytes of mountinfo
	maxFstab   = 64 << 10
	maxEntries = 64 // of a folder
	maxSubject = 64 // bytes of a name that the kernel gives
)

// tree is the file system below a root.
type tree struct{ root string }

// read returns at most limit bytes of a file; a longer one is an error.
func (t tree) read(name string, limit int64) (string, error) {
	f, err := os.Open(path.Join(t.root, name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(b)) > limit {
		return "", errors.New("cannot read " + name + ": it is too long")
	}
	return string(b), nil
}

// hidden says that there is such a file or folder, and that it cannot be read:
// what it would show is not gone.
func (t tree) hidden(name string) bool {
	f, err := os.Open(path.Join(t.root, name))
	if err == nil {
		f.Close()
		return false
	}
	return !errors.Is(err, fs.ErrNotExist)
}

// there says whether a file exists, readable or not.
func (t tree) there(name string) bool {
	_, err := os.Lstat(path.Join(t.root, name))
	return err == nil
}

// word reads an attribute of one line.
func (t tree) word(name string) (string, bool) {
	s, err := t.read(name, maxAttr)
	return strings.TrimSpace(s), err == nil
}

// number reads an attribute that is a number, decimal or 0x….
func (t tree) number(name string) (int64, bool) {
	s, ok := t.word(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 0, 64)
	return n, err == nil
}

// list returns the names in a folder that begin with prefix, sorted; the first
// of them when there are too many.
func (t tree) list(dir, prefix string) []string {
	f, err := os.Open(path.Join(t.root, dir))
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(1024) // what could be read is what there is
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix) })
	slices.Sort(names)
	return names[:min(len(names), maxEntries)]
}

// subject makes a name that the kernel gives fit for records.
func subject(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7E {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxSubject)]
}

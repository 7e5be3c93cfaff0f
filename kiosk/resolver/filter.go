package resolver

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// A name that is refused again within sameFor counts once: a page asks for it
// again and again, and once for each kind of address.
const (
	sameFor   = time.Minute
	sameNames = 256 // remembered, as digests
)

// filter knows which names a session does not get.
type filter struct {
	lists []wire.List
	allow map[string]bool
	block map[string]bool
	hit   func(list int)

	mu   sync.Mutex
	seen map[uint64]time.Time
}

func newFilter(o sandbox.Resolving, hit func(int)) (*filter, error) {
	f := &filter{allow: set(o.Allow), block: set(o.Block), hit: hit, seen: map[uint64]time.Time{}}
	for _, path := range o.Lists {
		l, err := mapList(path)
		if err != nil {
			return nil, err
		}
		f.lists = append(f.lists, l)
	}
	return f, nil
}

// mapList opens a list where it lies: its bytes are the machine's, shared with
// the resolver of the next session. The warden has verified them.
func mapList(path string) (wire.List, error) {
	file, err := os.Open(path)
	if err != nil {
		return wire.List{}, fmt.Errorf("cannot open a list: %w", err)
	}
	defer file.Close()
	fi, err := file.Stat()
	if err != nil || fi.Size() == 0 || fi.Size() > wire.MaxList {
		return wire.List{}, fmt.Errorf("cannot open a list of %d bytes: %w", fi.Size(), wire.ErrList)
	}
	b, err := unix.Mmap(int(file.Fd()), 0, int(fi.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return wire.List{}, fmt.Errorf("cannot map a list: %w", err)
	}
	return wire.OpenList(b)
}

func set(names []string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[strings.ToLower(strings.Trim(n, "."))] = true
	}
	return m
}

// under tells whether m has name or one above it.
func under(m map[string]bool, name string) bool {
	for len(m) > 0 && name != "" {
		if m[name] {
			return true
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return false
}

// allowed tells whether the policy lets a name through whatever a list says.
func (f *filter) allowed(name string) bool { return under(f.allow, strings.TrimSuffix(name, ".")) }

// refuses tells whether a list has name, and counts that for asked, the name
// that the session asked for.
func (f *filter) refuses(name, asked string) bool {
	name = strings.TrimSuffix(name, ".")
	at := -1
	if under(f.block, name) {
		at = sandbox.OwnHit
	}
	for i := 0; i < len(f.lists) && at < 0; i++ {
		if f.lists[i].Has(name) {
			at = i
		}
	}
	if at < 0 {
		return false
	}
	if f.hit != nil && f.first(wire.NameKey(asked), time.Now()) {
		f.hit(at)
	}
	return true
}

// first tells whether a name was not refused within the last minute.
func (f *filter) first(key uint64, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, known := f.seen[key]
	if known && now.Sub(at) < sameFor {
		return false
	}
	if len(f.seen) >= sameNames {
		clear(f.seen)
	}
	f.seen[key] = now
	return true
}

// Package lists keeps the terminal's copies of the category lists that its
// policy names: it fetches what is missing, verifies each by its digest, and
// tells which ones a session can be given.
package lists

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// Fetch writes the list of that digest to w from byte from on, and returns how
// many bytes that were.
type Fetch func(ctx context.Context, digest string, from int64, w io.Writer) (int64, error)

// Config is what a Keeper needs.
type Config struct {
	Dir string       // of this role
	Log *slog.Logger // nil: discarded
	// Sleep waits between attempts; nil: a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Times between attempts to fetch.
const (
	retryMin = 5 * time.Second
	retryMax = 10 * time.Minute
)

// Keeper keeps lists. Safe for concurrent use.
type Keeper struct {
	cfg     Config
	changed chan struct{}
	poke    chan struct{}

	mu    sync.Mutex
	want  policy.Filter
	have  map[string]string // digest → category
	older map[string]string // category → digest of the list that stands in until the newer one is here
}

// Open reads what an earlier start left.
func Open(c Config) (*Keeper, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	k := &Keeper{cfg: c, changed: make(chan struct{}, 1), poke: make(chan struct{}, 1), have: map[string]string{}, older: map[string]string{}}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the lists' folder: %w", err)
	}
	all, err := os.ReadDir(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the lists' folder: %w", err)
	}
	for _, e := range all {
		if !wire.ValidDigest(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		category, err := k.verify(filepath.Join(c.Dir, e.Name()), e.Name())
		if err != nil {
			k.cfg.Log.Warn("a list on the disk is not usable and is fetched again", "err", err)
			os.Remove(filepath.Join(c.Dir, e.Name()))
			continue
		}
		k.have[e.Name()], k.older[category] = category, e.Name()
	}
	return k, nil
}

// Changed yields when Using may answer otherwise than before.
func (k *Keeper) Changed() <-chan struct{} { return k.changed }

// Want says what the policy now asks for.
func (k *Keeper) Want(f policy.Filter) {
	k.mu.Lock()
	k.want = f
	for _, c := range f.Categories {
		if k.have[c.Digest] == c.Name {
			k.older[c.Name] = c.Digest
		}
	}
	k.mu.Unlock()
	wake(k.poke)
}

// Using returns the lists to give a session of that policy, and the categories
// that have none: no session may open then. While a newer list is on its way,
// the one before stands in for it.
func (k *Keeper) Using(f policy.Filter) (use []sandbox.List, missing []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range f.Categories {
		switch old := k.older[c.Name]; {
		case k.have[c.Digest] == c.Name:
			use = append(use, sandbox.List{Category: c.Name, Digest: c.Digest})
		case old != "":
			use = append(use, sandbox.List{Category: c.Name, Digest: old})
		default:
			missing = append(missing, c.Name)
		}
	}
	return use, missing
}

// Run fetches what is wanted and missing, until ctx ends; it then returns nil.
func (k *Keeper) Run(ctx context.Context, fetch Fetch) error {
	wait := retryMin
	for {
		failed := k.round(ctx, fetch)
		if !failed {
			wait = retryMin
			select {
			case <-ctx.Done():
				return nil
			case <-k.poke:
			}
			continue
		}
		if k.cfg.Sleep(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, retryMax)
	}
}

// round fetches each missing list once. It tells whether one could not be had.
func (k *Keeper) round(ctx context.Context, fetch Fetch) (failed bool) {
	k.mu.Lock()
	var todo []policy.Category
	for _, c := range k.want.Categories {
		if k.have[c.Digest] != c.Name && wire.ValidDigest(c.Digest) {
			todo = append(todo, c)
		}
	}
	k.mu.Unlock()
	for _, c := range todo {
		if err := k.get(ctx, fetch, c); err != nil {
			if ctx.Err() != nil {
				return true
			}
			k.cfg.Log.Warn("a list cannot be had yet", "category", c.Name, "err", err)
			failed = true
			continue
		}
		k.mu.Lock()
		k.have[c.Digest], k.older[c.Name] = c.Name, c.Digest
		k.mu.Unlock()
		k.cfg.Log.Info("list ready", "category", c.Name)
		wake(k.changed)
	}
	if !failed {
		k.tidy()
	}
	return failed
}

// get fetches one list. What came before the line broke is kept, and gone on
// with; what does not verify in the end is thrown away.
func (k *Keeper) get(ctx context.Context, fetch Fetch, c policy.Category) error {
	part := filepath.Join(k.cfg.Dir, "part-"+c.Digest)
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot keep a list: %w", err)
	}
	defer f.Close()
	from, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("cannot keep a list: %w", err)
	}
	if from > wire.MaxList {
		from = 0
		if err := errors.Join(f.Truncate(0), seekStart(f)); err != nil {
			return fmt.Errorf("cannot keep a list: %w", err)
		}
	}
	if _, err := fetch(ctx, c.Digest, from, f); err != nil {
		return err
	}
	category, err := k.verify(part, c.Digest)
	if err == nil && category != c.Name {
		err = fmt.Errorf("cannot use a list: it is of the category %s, not %s", category, c.Name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot keep a list: %w", err)
	}
	if err := os.Rename(part, filepath.Join(k.cfg.Dir, c.Digest)); err != nil {
		return fmt.Errorf("cannot keep a list: %w", err)
	}
	return nil
}

// verify reads a whole list, and returns its category.
func (k *Keeper) verify(path, digest string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read a list: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, wire.MaxList+1))
	if err != nil {
		return "", fmt.Errorf("cannot read a list: %w", err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != digest {
		return "", errors.New("cannot use a list: its digest is another than the policy's")
	}
	l, err := wire.OpenList(b)
	if err != nil {
		return "", err
	}
	return l.Category, nil
}

// tidy removes what neither the policy wants nor stands in for what it wants.
func (k *Keeper) tidy() {
	k.mu.Lock()
	defer k.mu.Unlock()
	used := map[string]bool{}
	for _, c := range k.want.Categories {
		used[c.Digest], used[k.older[c.Name]] = true, true
	}
	all, err := os.ReadDir(k.cfg.Dir)
	if err != nil {
		k.cfg.Log.Warn("lists that nobody wants are left", "err", err)
		return
	}
	for _, e := range all {
		if used[e.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(k.cfg.Dir, e.Name())); err != nil {
			k.cfg.Log.Warn("lists that nobody wants are left", "err", err)
			continue
		}
		if c := k.have[e.Name()]; k.older[c] == e.Name() {
			delete(k.older, c)
		}
		delete(k.have, e.Name())
	}
}

func seekStart(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

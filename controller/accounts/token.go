package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"borne/controller/audit"
	"borne/controller/store"
)

// Limits on keys of the API.
const (
	MaxTokenDays = 366
	maxTokens    = 100 // that work at once
	perSecond    = 10  // requests of one key
	atOnce       = 50
	usedEvery    = time.Hour // how exactly it is kept when a key was used
)

// ErrTokens: there are as many keys as there may be.
var ErrTokens = errors.New("there are as many keys as there may be")

// NewToken is a key of the API to be. It has a role, as a person does.
type NewToken struct {
	Name   string
	Role   Role
	Sites  []string
	Groups []string
	All    bool // on every site: it must be said
	Days   int  // for how long
}

// TokenRoles are the roles that a program may have: it agrees to nothing for a
// head of an establishment.
func TokenRoles() []Role {
	return slices.DeleteFunc(Roles(), func(r Role) bool { return r == Head })
}

// MakeToken makes a key and returns it: it is kept nowhere. It works as long as
// whoever made it is an administrator of every site.
func (s *Service) MakeToken(ctx context.Context, by Person, n NewToken) (id, key string, err error) {
	u, err := NewUser{Name: n.Name, Role: n.Role, Sites: n.Sites, Groups: n.Groups, All: n.All}.checked()
	switch {
	case err != nil:
		return "", "", fmt.Errorf("cannot make a key: %w", err)
	case !slices.Contains(TokenRoles(), n.Role):
		return "", "", fmt.Errorf("cannot make a key: no program has the role %q", n.Role)
	case n.Days < 1 || n.Days > MaxTokenDays:
		return "", "", fmt.Errorf("cannot make a key: it works for 1 to %d days", MaxTokenDays)
	}
	var secret [32]byte
	rand.Read(secret[:]) // never fails since Go 1.24
	now := s.now().UTC()
	id = "key-" + randomID()
	key = "borne_" + strings.TrimPrefix(id, "key-") + "_" + base64.RawURLEncoding.EncodeToString(secret[:])
	row := store.Token{Name: u.Name, Digest: keyDigest(key), By: by.ID, Role: string(u.Role), Sites: u.Sites, Groups: u.Groups, Created: now, Expires: now.AddDate(0, 0, n.Days)}
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		open := 0
		for t, err := range store.List[store.Token](tx, "", "", false) {
			if err != nil {
				return err
			}
			if t.Row.Revoked.IsZero() && now.Before(t.Row.Expires) {
				open++
			}
		}
		if open >= maxTokens {
			return ErrTokens
		}
		if err := there(tx, u.Sites, u.Groups); err != nil {
			return err
		}
		if err := store.Put(tx, store.Item[store.Token]{Meta: store.Meta{ID: id}, Row: row}); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: by.ID, Action: "token.created", Target: id,
			Detail: row.Name + ", " + scopeText(store.User{Role: row.Role, Sites: row.Sites, Groups: row.Groups}) + ", " + row.Expires.Format(time.DateOnly)})
	})
	if err != nil {
		return "", "", fmt.Errorf("cannot make a key: %w", err)
	}
	return id, key, nil
}

// RevokeToken ends a key at once.
func (s *Service) RevokeToken(ctx context.Context, by Person, id string) error {
	now := s.now().UTC()
	err := s.store.Decide(ctx, func(tx store.Tx) error {
		t, err := store.Get[store.Token](tx, id)
		if err != nil || !t.Row.Revoked.IsZero() {
			return err
		}
		t.Row.Revoked = now
		if err := store.Put(tx, t); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: by.ID, Action: "token.revoked", Target: id, Detail: t.Row.Name})
	})
	if err != nil {
		return fmt.Errorf("cannot revoke the key: %w", err)
	}
	return nil
}

// keyForm is a key as it is written: its name and its secret.
var keyForm = regexp.MustCompile(`^borne_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$`)

// Token tells which program has the key: ErrLogin for one that opens nothing, ErrRate
// for too many wrong ones from an address, or too many requests with a good one.
func (s *Service) Token(ctx context.Context, key, from string) (p Person, err error) {
	now := s.now().UTC()
	var t store.Item[store.Token]
	err = s.store.View(ctx, func(tx store.Tx) error {
		t, p, err = s.token(tx, key, now)
		return err
	})
	switch {
	case errors.Is(err, ErrLogin) && s.limit.wrong(from, now):
		return Person{}, ErrRate
	case err != nil:
		return Person{}, err
	case !s.pace.allow(t.ID, now):
		return Person{}, ErrRate
	}
	if now.Sub(t.Row.Used) < usedEvery {
		return p, nil
	}
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, t.ID, func(it *store.Item[store.Token]) error { it.Row.Used = now; return nil })
	})
	if err != nil {
		return Person{}, fmt.Errorf("cannot note that a key was used: %w", err)
	}
	return p, nil
}

// TokenWorks tells whether a key opens anything now.
func TokenWorks(tx store.Tx, t store.Item[store.Token], now time.Time) (bool, error) {
	if !t.Row.Revoked.IsZero() || !now.Before(t.Row.Expires) {
		return false, nil
	}
	maker, err := store.Get[store.User](tx, t.Row.By)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return everything(maker.Row), err
}

func (s *Service) token(tx store.Tx, key string, now time.Time) (t store.Item[store.Token], p Person, err error) {
	found := keyForm.FindStringSubmatch(key)
	if found == nil {
		return t, p, ErrLogin
	}
	t, err = store.Get[store.Token](tx, "key-"+found[1])
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return t, p, err
	}
	// A key that is not there is compared too: how long it takes tells nothing.
	same := subtle.ConstantTimeCompare(keyDigest(key), pad(t.Row.Digest)) == 1
	if err != nil || !same {
		return t, p, ErrLogin
	}
	works, err := TokenWorks(tx, t, now)
	if err == nil && !works {
		err = ErrLogin
	}
	if err != nil {
		return t, p, err
	}
	sites, err := heldOn(tx, t.Row.Sites, t.Row.Groups)
	return t, Person{ID: t.ID, Name: t.Row.Name, Role: Role(t.Row.Role), Sites: sites, Groups: t.Row.Groups, Token: true, Since: t.Row.Created, Expires: t.Row.Expires}, err
}

// pad makes a digest of a missing one, which no key has.
func pad(b []byte) []byte {
	if len(b) == sha256.Size {
		return b
	}
	return make([]byte, sha256.Size)
}

// keyDigest is what is kept of a key. A plain hash of 256 random bits leaves
// nothing to guess.
func keyDigest(key string) []byte {
	h := sha256.Sum256([]byte("borne/token/1\x00" + key))
	return h[:]
}

// SweepTokens deletes keys that ended before a day.
func SweepTokens(tx store.Tx, before, now time.Time) (int, error) {
	var over []string
	for t, err := range store.List[store.Token](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		ended := t.Row.Expires
		if !t.Row.Revoked.IsZero() && t.Row.Revoked.Before(ended) {
			ended = t.Row.Revoked
		}
		if ended.Before(before) && ended.Before(now) {
			over = append(over, t.ID)
		}
	}
	for _, id := range over {
		if err := tx.Delete(store.KindToken, id); err != nil {
			return 0, err
		}
	}
	return len(over), nil
}

// pace bounds the requests of each key.
type pace struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

func (p *pace) allow(id string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.by[id]
	if one == nil {
		if len(p.by) >= maxTracked {
			clear(p.by)
		}
		one = rate.NewLimiter(perSecond, atOnce)
		p.by[id] = one
	}
	return one.AllowN(now, 1)
}

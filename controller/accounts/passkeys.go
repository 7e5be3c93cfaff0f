package accounts

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"borne/controller/audit"
	"borne/controller/store"
)

// Errors of passkeys that callers tell apart.
var (
	// ErrLastWay: without it nothing but a new link would open the account.
	ErrLastWay = errors.New("it is the account's last way in")
	ErrMany    = errors.New("the account has as many passkeys as it may")
)

// maxPasskeys of one account.
const maxPasskeys = 20

// Passkeys lists those of an account.
func (s *Service) Passkeys(ctx context.Context, user string) (all []store.Item[store.Passkey], err error) {
	err = s.store.View(ctx, func(tx store.Tx) (err error) { all, err = passkeysOf(tx, user); return err })
	return all, err
}

func passkeysOf(tx store.Tx, user string) (all []store.Item[store.Passkey], err error) {
	for it, err := range store.Find[store.Passkey](tx, "user", user) {
		if err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	return all, nil
}

// Passkey finds whose passkey it is: its owner's name, and it; ErrUnknown for one
// that opens nothing.
func (s *Service) Passkey(ctx context.Context, key []byte) (p store.Item[store.Passkey], name string, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		it, u, err := passkey(tx, hex.EncodeToString(key))
		p, name = it, u.Row.Name
		return err
	})
	return p, name, err
}

func passkey(tx store.Tx, id string) (p store.Item[store.Passkey], u store.Item[store.User], err error) {
	if p, err = store.Get[store.Passkey](tx, id); err == nil {
		u, err = store.Get[store.User](tx, p.Row.User)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && u.Row.Disabled {
		err = ErrUnknown
	}
	return p, u, err
}

// AddPasskey keeps a new passkey of an account.
func (s *Service) AddPasskey(ctx context.Context, user string, key []byte, name string, doc json.RawMessage) error {
	now := s.now().UTC()
	err := s.store.Decide(ctx, func(tx store.Tx) error {
		have, err := passkeysOf(tx, user)
		if err != nil {
			return err
		}
		if len(have) >= maxPasskeys {
			return ErrMany
		}
		// A name that another passkey has gives ErrConflict: no device makes one twice.
		row := store.Passkey{User: user, Name: strings.TrimSpace(name), Doc: doc, Created: now}
		if err := store.Put(tx, store.Item[store.Passkey]{Meta: store.Meta{ID: hex.EncodeToString(key)}, Row: row}); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: user, Action: "passkey.added", Target: user, Detail: row.Name})
	})
	if err != nil {
		return fmt.Errorf("cannot keep the passkey: %w", err)
	}
	return nil
}

// RenamePasskey gives a passkey of the account another name.
func (s *Service) RenamePasskey(ctx context.Context, user, id, name string) error {
	return s.own(ctx, user, id, func(tx store.Tx, p store.Item[store.Passkey]) error {
		p.Row.Name = strings.TrimSpace(name)
		return store.Put(tx, p)
	})
}

// RemovePasskey deletes a passkey of the account, unless it is the last way in. The
// account's other sessions end with it: one of them may be a thief's. login is the
// one that stays.
func (s *Service) RemovePasskey(ctx context.Context, user, id, login string) error {
	return s.own(ctx, user, id, func(tx store.Tx, p store.Item[store.Passkey]) error {
		have, err := passkeysOf(tx, user)
		if err != nil {
			return err
		}
		if len(have) == 1 {
			other, err := s.vouched(tx, user)
			if err != nil {
				return err
			}
			if !other {
				return ErrLastWay
			}
		}
		if err := tx.Delete(store.KindPasskey, id); err != nil {
			return err
		}
		var others []string
		for l, err := range store.Find[store.Login](tx, "user", user) {
			if err != nil {
				return err
			}
			if l.ID != login {
				others = append(others, l.ID)
			}
		}
		for _, l := range others {
			if err := tx.Delete(store.KindLogin, l); err != nil {
				return err
			}
		}
		return audit.Append(tx, audit.Entry{At: s.now().UTC(), Actor: user, Action: "passkey.removed", Target: user, Detail: p.Row.Name})
	})
}

// own changes a passkey that is the account's; another's is not there.
func (s *Service) own(ctx context.Context, user, id string, change func(store.Tx, store.Item[store.Passkey]) error) error {
	err := s.store.Decide(ctx, func(tx store.Tx) error {
		p, err := store.Get[store.Passkey](tx, id)
		if err != nil {
			return err
		}
		if p.Row.User != user {
			return store.ErrNotFound
		}
		return change(tx, p)
	})
	if err != nil {
		return fmt.Errorf("cannot change the passkey: %w", err)
	}
	return nil
}

// LoginPasskey begins the session of somebody whose passkey was believed; doc is
// how it is kept from now on, and was how it was when it was believed: what
// another login changed meanwhile gives ErrUnknown, or a copied counter would pass.
func (s *Service) LoginPasskey(ctx context.Context, was store.Item[store.Passkey], doc json.RawMessage, from string) (cookie string, p Person, err error) {
	now := s.now().UTC()
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		k, u, err := passkey(tx, was.ID)
		if err != nil {
			return err
		}
		if k.Rev != was.Rev {
			return ErrUnknown
		}
		k.Row.Doc, k.Row.Used = doc, now
		if err := store.Put(tx, k); err != nil {
			return err
		}
		cookie, p, err = s.enter(tx, u, how("passkey", from), "", now)
		return err
	})
	if err != nil {
		return "", Person{}, fmt.Errorf("cannot log in: %w", err)
	}
	return cookie, p, nil
}

// Failed counts a login that did not succeed, and tells whether there were too
// many from that address. It keeps nobody out who has what it takes.
func (s *Service) Failed(from string) (tooMany bool) { return s.limit.wrong(from, s.now().UTC()) }

// vouched tells whether the provider of today lets the account in: a link to one
// that was configured once opens nothing.
func (s *Service) vouched(tx store.Tx, user string) (bool, error) {
	for link, err := range store.Find[store.Identity](tx, "user", user) {
		if err != nil {
			return false, err
		}
		if s.issuer != "" && link.Row.Issuer == s.issuer {
			return true, nil
		}
	}
	return false, nil
}

package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
)

// Errors of changes to accounts that callers tell apart.
var (
	ErrLast  = errors.New("it is the last administrator's; make another one first")
	ErrOwn   = errors.New("nobody changes their own rights")
	ErrEmail = errors.New("another open account has that mail address already")
	ErrStale = errors.New("somebody changed it meanwhile")
)

// Send hands a link's token on, in the transaction that makes it.
type Send func(tx store.Tx, user store.Item[store.User], token string, expires time.Time) error

// Invite makes an account, and a link that opens it for a while; without a while
// there is none: the person comes by their provider.
func (s *Service) Invite(ctx context.Context, by Person, n NewUser, valid time.Duration, send Send) (id string, err error) {
	if n, err = n.checked(); err != nil {
		return "", err
	}
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		if id, err = s.create(tx, by.ID, n); err != nil || valid <= 0 {
			return err
		}
		return s.link(tx, by.ID, id, valid, send)
	})
	if err != nil {
		return "", fmt.Errorf("cannot create the account: %w", err)
	}
	return id, nil
}

// LinkFor makes a link that opens an account for a while. forget takes away what
// opened it before: its passkeys, its sessions and the provider's person.
func (s *Service) LinkFor(ctx context.Context, by Person, user string, valid time.Duration, forget bool, send Send) error {
	err := s.store.Decide(ctx, func(tx store.Tx) error {
		if forget {
			if _, err := store.Get[store.User](tx, user); err != nil {
				return err
			}
			if err := Forget(tx, user); err != nil {
				return err
			}
			if err := audit.Append(tx, audit.Entry{At: s.now(), Actor: by.ID, Action: "user.forgotten", Target: user}); err != nil {
				return err
			}
		}
		return s.link(tx, by.ID, user, valid, send)
	})
	if err != nil {
		return fmt.Errorf("cannot make a login link: %w", err)
	}
	return nil
}

// Change sets an account as it shall be; rev is what it was read at. Suspended
// closes it for a while: what opened it will open it again. Nobody changes their
// own rights, and an administrator of every site stays.
func (s *Service) Change(ctx context.Context, by Person, user string, rev uint64, n NewUser, suspended bool) error {
	n, err := n.checked()
	if err != nil {
		return err
	}
	now := s.now().UTC()
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		u, err := store.Get[store.User](tx, user)
		if err != nil {
			return err
		}
		if u.Rev != rev {
			return ErrStale
		}
		was := u.Row
		u.Row.Name, u.Row.Email, u.Row.Role, u.Row.Disabled = n.Name, n.Email, string(n.Role), suspended
		u.Row.Sites, u.Row.Groups = n.Sites, n.Groups
		rights := was.Role != u.Row.Role || was.Disabled != suspended || !slices.Equal(was.Sites, n.Sites) || !slices.Equal(was.Groups, n.Groups)
		if rights && by.ID == user {
			return ErrOwn
		}
		if err := there(tx, n.Sites, n.Groups); err != nil {
			return err
		}
		if !suspended {
			if err := freeEmail(tx, n.Email, user); err != nil {
				return err
			}
		}
		if err := store.Put(tx, u); err != nil {
			return err
		}
		if err := stays(tx, was); err != nil {
			return err
		}
		if suspended && !was.Disabled {
			if err := forget[store.Login](tx, user); err != nil {
				return err
			}
		}
		for _, c := range []struct {
			action, detail string
			is             bool
		}{
			{"user.disabled", "", suspended && !was.Disabled},
			{"user.enabled", "", !suspended && was.Disabled},
			{"user.rights", scopeText(was) + " → " + scopeText(u.Row), rights && scopeText(was) != scopeText(u.Row)},
			{"user.changed", "", was.Name != n.Name || was.Email != n.Email},
		} {
			if !c.is {
				continue
			}
			if err := audit.Append(tx, audit.Entry{At: now, Actor: by.ID, Action: c.action, Target: user, Detail: c.detail}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot change the account: %w", err)
	}
	return nil
}

// Remove deletes an account and everything that opens it.
func (s *Service) Remove(ctx context.Context, by Person, user string, rev uint64) error {
	err := s.store.Decide(ctx, func(tx store.Tx) error {
		u, err := store.Get[store.User](tx, user)
		if err != nil {
			return err
		}
		switch {
		case u.Rev != rev:
			return ErrStale
		case by.ID == user:
			return ErrOwn
		}
		if err := Forget(tx, user); err != nil {
			return err
		}
		if err := tx.Delete(store.KindUser, user); err != nil {
			return err
		}
		if err := stays(tx, u.Row); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: s.now(), Actor: by.ID, Action: "user.removed", Target: user, Detail: u.Row.Name})
	})
	if err != nil {
		return fmt.Errorf("cannot remove the account: %w", err)
	}
	return nil
}

// everything tells whether an account is open to an administrator of every site.
func everything(u store.User) bool {
	return u.Role == string(Administrator) && !u.Disabled && len(u.Sites)+len(u.Groups) == 0
}

// stays refuses what leaves no administrator of every site, where there was one.
func stays(tx store.Tx, was store.User) error {
	if !everything(was) {
		return nil
	}
	for u, err := range store.List[store.User](tx, "", "", false) {
		if err != nil {
			return err
		}
		if everything(u.Row) {
			return nil
		}
	}
	return ErrLast
}

// checked refuses an account that makes no sense.
func (n NewUser) checked() (NewUser, error) {
	n.Name, n.Email = strings.TrimSpace(n.Name), strings.TrimSpace(n.Email)
	n.Sites, n.Groups = slices.Compact(slices.Sorted(slices.Values(n.Sites))), slices.Compact(slices.Sorted(slices.Values(n.Groups)))
	if _, err := ParseRole(string(n.Role)); err != nil {
		return n, fmt.Errorf("cannot keep the account: %w", err)
	}
	switch {
	case n.Name == "" || len(n.Name) > 120:
		return n, errors.New("cannot keep the account: give a name of at most 120 bytes")
	case len(n.Email) > maxEmail || (n.Email != "" && !strings.Contains(n.Email, "@")):
		return n, fmt.Errorf("cannot keep the account: %.40q is no mail address", n.Email)
	case n.All == (len(n.Sites)+len(n.Groups) > 0):
		return n, errors.New("cannot keep the account: name the sites of the role, or say that it is held on all of them")
	}
	return n, nil
}

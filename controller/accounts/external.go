package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"borne/controller/audit"
	"borne/controller/store"
)

// External is somebody whom an OpenID provider vouches for.
type External struct {
	Issuer   string
	Subject  string
	Email    string
	Verified bool   // the address is theirs
	Token    string // to log out there
}

// maxHint bounds the token that is kept: it comes back in an address.
const maxHint = 4096

// LoginExternal begins the session of somebody whom a provider vouches for. Who
// was linked is known by their subject; the first time, by the verified address
// of an account that an administrator made and that nobody is linked to yet.
// Nothing else that a provider says counts: it opens no account and gives no
// right. Whoever has no account gets ErrUnknown, and ErrRate after too many
// attempts from the same address; neither keeps anybody else out.
func (s *Service) LoginExternal(ctx context.Context, e External, from string) (cookie string, p Person, err error) {
	now := s.now().UTC()
	if len(e.Token) > maxHint {
		e.Token = ""
	}
	// A look first: whoever has no account must cost no write transaction.
	err = s.store.View(ctx, func(tx store.Tx) error { _, _, err := whoIs(tx, e); return err })
	if errors.Is(err, ErrUnknown) && s.limit.wrong(from, now) {
		err = ErrRate
	}
	if err != nil {
		return "", Person{}, fmt.Errorf("cannot log in: %w", err)
	}
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		link, u, err := whoIs(tx, e)
		if err != nil {
			return err
		}
		if link.Rev == 0 {
			if err := audit.Append(tx, audit.Entry{At: now, Actor: u.ID, Action: "identity.linked", Target: u.ID, Detail: e.Issuer}); err != nil {
				return err
			}
			link.Row.Created = now
		}
		link.Row.Used = now
		if err := store.Put(tx, link); err != nil {
			return err
		}
		cookie, p, err = s.enter(tx, u, how("oidc", from), e.Token, now)
		return err
	})
	if err != nil {
		return "", Person{}, fmt.Errorf("cannot log in: %w", err)
	}
	return cookie, p, nil
}

// whoIs finds the account of somebody, and their link to it: a new one, with Rev
// 0, when they come for the first time.
func whoIs(tx store.Tx, e External) (link store.Item[store.Identity], u store.Item[store.User], err error) {
	link, err = store.Get[store.Identity](tx, identityID(e.Issuer, e.Subject))
	switch {
	case err == nil:
		u, err = store.Get[store.User](tx, link.Row.User)
		if errors.Is(err, store.ErrNotFound) || err == nil && u.Row.Disabled {
			err = ErrUnknown
		}
		return link, u, err
	case !errors.Is(err, store.ErrNotFound):
		return link, u, err
	case !e.Verified || e.Email == "":
		return link, u, ErrUnknown
	}
	found := 0
	for it, err := range store.List[store.User](tx, "", "", false) {
		if err != nil {
			return link, u, err
		}
		if !it.Row.Disabled && sameAddress(it.Row.Email, e.Email) {
			u, found = it, found+1
		}
	}
	if found != 1 {
		return link, u, ErrUnknown
	}
	// An address that was given to somebody else must not open its old owner's account.
	for it, err := range store.Find[store.Identity](tx, "user", u.ID) {
		if err != nil {
			return link, u, err
		}
		if it.Row.Issuer == e.Issuer {
			return link, u, ErrUnknown
		}
	}
	link = store.Item[store.Identity]{Meta: store.Meta{ID: identityID(e.Issuer, e.Subject)},
		Row: store.Identity{User: u.ID, Issuer: e.Issuer, Subject: e.Subject}}
	return link, u, nil
}

// Forget deletes everything that opens an account: its links, its sessions,
// its passkeys, and the people of a provider that are linked to it.
func Forget(tx store.Tx, user string) error {
	if err := forget[store.Login](tx, user); err != nil {
		return err
	}
	if err := forget[store.Passkey](tx, user); err != nil {
		return err
	}
	return forget[store.Identity](tx, user)
}

func forget[T store.Row](tx store.Tx, user string) error {
	var ids []string
	var row T
	for it, err := range store.Find[T](tx, "user", user) {
		if err != nil {
			return err
		}
		ids = append(ids, it.ID)
	}
	for _, id := range ids {
		if err := tx.Delete(row.Table(), id); err != nil {
			return err
		}
	}
	return nil
}

// SetEmail gives an account its mail address, by which a provider's person is
// matched the first time.
func (s *Service) SetEmail(ctx context.Context, by, user, email string) error {
	if len(email) > maxEmail || !strings.Contains(email, "@") {
		return fmt.Errorf("cannot set the mail address: %.40q is none", email)
	}
	err := s.store.Decide(ctx, func(tx store.Tx) error {
		u, err := store.Get[store.User](tx, user)
		if err != nil {
			return err
		}
		if u.Row.Email == email {
			return nil
		}
		if err := freeEmail(tx, email, user); err != nil {
			return err
		}
		u.Row.Email = email
		if err := store.Put(tx, u); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: s.now().UTC(), Actor: by, Action: "account.email", Target: user})
	})
	if err != nil {
		return fmt.Errorf("cannot set the mail address: %w", err)
	}
	return nil
}

// maxEmail bounds a mail address, in bytes.
const maxEmail = 200

// freeEmail refuses an address that another open account has: it lets people in.
func freeEmail(tx store.Tx, email, but string) error {
	if email == "" {
		return nil
	}
	for it, err := range store.List[store.User](tx, "", "", false) {
		if err != nil {
			return err
		}
		if it.ID != but && !it.Row.Disabled && sameAddress(it.Row.Email, email) {
			return fmt.Errorf("%w: that of %s", ErrEmail, it.Row.Name)
		}
	}
	return nil
}

// sameAddress tells whether two mail addresses are one: letters of ASCII in any
// case, and everything else as it is written. Unicode's own folding takes the Kelvin
// sign for a k, and whoever has the one address would get the other's account.
func sameAddress(a, b string) bool { return lowerASCII(a) == lowerASCII(b) }

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func identityID(issuer, subject string) string {
	h := sha256.Sum256([]byte("borne/identity/1\x00" + issuer + "\x00" + subject))
	return hex.EncodeToString(h[:])
}

// OrphanIdentities deletes at most limit links of people to accounts that are
// gone, and returns how many.
func OrphanIdentities(tx store.Tx, limit int) (int, error) {
	return orphans(tx, limit, func(i store.Identity) string { return i.User })
}

// OrphanPasskeys does the same for passkeys.
func OrphanPasskeys(tx store.Tx, limit int) (int, error) {
	return orphans(tx, limit, func(p store.Passkey) string { return p.User })
}

func orphans[T store.Row](tx store.Tx, limit int, user func(T) string) (int, error) {
	var ids []string
	var row T
	for it, err := range store.List[T](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		_, err := store.Get[store.User](tx, user(it.Row))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		if err != nil && len(ids) < limit {
			ids = append(ids, it.ID)
		}
	}
	for _, id := range ids {
		if err := tx.Delete(row.Table(), id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

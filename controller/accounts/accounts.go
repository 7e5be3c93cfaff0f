package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"borne/controller/audit"
	"borne/controller/store"
)

// Errors that callers tell apart.
var (
	ErrLink  = errors.New("the login link is unknown, was used, or expired")
	ErrLogin = errors.New("not logged in")
	ErrRate  = errors.New("too many attempts")
	// ErrUnknown: somebody proved who they are, and no account is open to them.
	ErrUnknown = errors.New("no account is open to this person")
)

// LinkMinutes is how long a login link is valid.
const LinkMinutes = 15

const (
	useLink    = "link"
	useSession = "session"
)

// Options set how long people stay logged in. Zero values take the defaults.
type Options struct {
	Issuer   string           // the OpenID provider that lets people in now; none when empty
	Idle     time.Duration    // without a request; 2 hours
	Absolute time.Duration    // whatever the person does; 12 hours
	Now      func() time.Time // time.Now
}

// Service lets people in.
type Service struct {
	store          store.Store
	issuer         string
	idle, absolute time.Duration
	now            func() time.Time
	limit          *limiter
	pace           *pace
}

// New returns the service over the store.
func New(st store.Store, o Options) *Service {
	if o.Idle <= 0 {
		o.Idle = 2 * time.Hour
	}
	if o.Absolute <= 0 {
		o.Absolute = 12 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{store: st, issuer: o.Issuer, idle: o.Idle, absolute: o.Absolute, now: o.Now, limit: newLimiter(), pace: &pace{by: map[string]*rate.Limiter{}}}
}

// NewUser is an account to be.
type NewUser struct {
	Name   string
	Email  string
	Role   Role
	Sites  []string // where the role is held
	Groups []string // of sites, where it is held too
	All    bool     // on every site: it must be said, an empty list alone is refused
}

// Create makes an account and returns its id. actor is a user's id, or
// audit.Controller for the machine's own administrator.
func (s *Service) Create(ctx context.Context, actor string, u NewUser) (id string, err error) {
	if u, err = u.checked(); err == nil {
		err = s.store.Decide(ctx, func(tx store.Tx) (err error) {
			id, err = s.create(tx, actor, u)
			return err
		})
	}
	if err != nil {
		return "", fmt.Errorf("cannot create the account: %w", err)
	}
	return id, nil
}

func (s *Service) create(tx store.Tx, actor string, u NewUser) (string, error) {
	id, now := randomID(), s.now().UTC()
	if err := there(tx, u.Sites, u.Groups); err != nil {
		return "", err
	}
	if err := freeEmail(tx, u.Email, ""); err != nil {
		return "", err
	}
	row := store.User{Name: u.Name, Email: u.Email, Role: string(u.Role), Sites: u.Sites, Groups: u.Groups, Created: now}
	if err := store.Put(tx, store.Item[store.User]{Meta: store.Meta{ID: id}, Row: row}); err != nil {
		return "", err
	}
	return id, audit.Append(tx, audit.Entry{At: now, Actor: actor, Action: "user.created", Target: id, Detail: scopeText(row)})
}

// Link makes a one-time login link for the user and returns its token, which
// is kept nowhere. Links made before and not used no longer work.
func (s *Service) Link(ctx context.Context, actor, user string) (token string, expires time.Time, err error) {
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		return s.link(tx, actor, user, LinkMinutes*time.Minute, func(_ store.Tx, _ store.Item[store.User], made string, ends time.Time) error {
			token, expires = made, ends
			return nil
		})
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("cannot make a login link: %w", err)
	}
	return token, expires, nil
}

// ErrDisabled: no link opens an account that is closed.
var ErrDisabled = errors.New("the account is disabled")

// link makes a link within a transaction, and hands its token to send.
func (s *Service) link(tx store.Tx, actor, user string, valid time.Duration, send Send) error {
	token, now := newToken(), s.now().UTC()
	u, err := store.Get[store.User](tx, user)
	if err != nil {
		return err
	}
	if u.Row.Disabled {
		return ErrDisabled
	}
	var old []string
	for it, err := range store.Find[store.Login](tx, "user", user) {
		if err != nil {
			return err
		}
		if it.Row.Use == useLink && it.Row.Used.IsZero() {
			old = append(old, it.ID)
		}
	}
	for _, id := range old {
		if err := tx.Delete(store.KindLogin, id); err != nil {
			return err
		}
	}
	row := store.Login{Use: useLink, User: user, Created: now, Expires: now.Add(valid)}
	if err := store.Put(tx, store.Item[store.Login]{Meta: store.Meta{ID: digest(token)}, Row: row}); err != nil {
		return err
	}
	if err := send(tx, u, token, row.Expires); err != nil {
		return err
	}
	return audit.Append(tx, audit.Entry{At: now, Actor: actor, Action: "login.link", Target: user})
}

// LinkUntil is until when a link that was not used yet opens the account; zero: none does.
func LinkUntil(tx store.Tx, user string, now time.Time) (until time.Time, err error) {
	for it, err := range store.Find[store.Login](tx, "user", user) {
		if err != nil {
			return until, err
		}
		if it.Row.Use == useLink && it.Row.Used.IsZero() && now.Before(it.Row.Expires) {
			until = it.Row.Expires
		}
	}
	return until, nil
}

// Disable closes an account: its links and sessions end at once. The last
// administrator stays, or nobody could open another account.
func (s *Service) Disable(ctx context.Context, actor, user string) error {
	now := s.now().UTC()
	err := s.store.Decide(ctx, func(tx store.Tx) error {
		others := 0
		for u, err := range store.List[store.User](tx, "", "", false) {
			if err != nil {
				return err
			}
			if u.ID != user && everything(u.Row) {
				others++
			}
		}
		u, err := store.Get[store.User](tx, user)
		if err != nil {
			return err
		}
		if everything(u.Row) && others == 0 {
			return ErrLast
		}
		u.Row.Disabled = true
		if err := store.Put(tx, u); err != nil {
			return err
		}
		if err := Forget(tx, user); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: actor, Action: "user.disabled", Target: user})
	})
	if err != nil {
		return fmt.Errorf("cannot close the account: %w", err)
	}
	return nil
}

// goodLink returns the link that token opens and whose it is, or ErrLink.
func goodLink(tx store.Tx, token string, now time.Time) (link store.Item[store.Login], u store.Item[store.User], err error) {
	if len(token) != tokenLen {
		return link, u, ErrLink
	}
	if link, err = store.Get[store.Login](tx, digest(token)); err == nil {
		if link.Row.Use != useLink || !link.Row.Used.IsZero() || !now.Before(link.Row.Expires) {
			return link, u, ErrLink
		}
		u, err = store.Get[store.User](tx, link.Row.User)
	}
	if errors.Is(err, store.ErrNotFound) || (err == nil && u.Row.Disabled) {
		return link, u, ErrLink
	}
	return link, u, err
}

// Redeem turns a link's token into a session and returns its cookie's value. A
// token that opens nothing gives ErrLink, and ErrRate after too many of them
// from the same address (from, an IP address).
func (s *Service) Redeem(ctx context.Context, token, from string) (cookie string, p Person, err error) {
	now := s.now().UTC()
	// A look first: a wrong token must cost no write transaction.
	err = s.store.View(ctx, func(tx store.Tx) error { _, _, err := goodLink(tx, token, now); return err })
	if errors.Is(err, ErrLink) && s.limit.wrong(from, now) {
		err = ErrRate
	}
	if err != nil {
		return "", Person{}, fmt.Errorf("cannot log in: %w", err)
	}
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		link, u, err := goodLink(tx, token, now) // it may have been used meanwhile
		if err != nil {
			return err
		}
		link.Row.Used = now
		if err := store.Put(tx, link); err != nil {
			return err
		}
		cookie, p, err = s.enter(tx, u, how("link", from), "", now)
		return err
	})
	if err != nil {
		return "", Person{}, fmt.Errorf("cannot log in: %w", err)
	}
	return cookie, p, nil
}

// how is the way in, and the address that it was used from: what follows in the audit
// was done there.
func how(way, from string) string { return strings.TrimSpace(way + " " + from) }

// enter begins the session of somebody who proved who they are; how is said in
// the audit.
func (s *Service) enter(tx store.Tx, u store.Item[store.User], how, hint string, now time.Time) (cookie string, p Person, err error) {
	u.Row.LastSeen = now
	if err := store.Put(tx, u); err != nil {
		return "", p, err
	}
	cookie = newToken()
	l := store.Item[store.Login]{Meta: store.Meta{ID: digest(cookie)},
		Row: store.Login{Use: useSession, User: u.ID, Created: now, Expires: s.expires(now, now), Hint: hint}}
	if err := store.Put(tx, l); err != nil {
		return "", p, err
	}
	if p, err = s.person(tx, u, l); err != nil {
		return "", p, err
	}
	return cookie, p, audit.Append(tx, audit.Entry{At: now, Actor: u.ID, Action: "login", Target: u.ID, Detail: how})
}

// Authenticate tells who holds the cookie, and keeps the session from falling
// idle.
func (s *Service) Authenticate(ctx context.Context, cookie string) (Person, error) {
	p, stale, err := s.look(ctx, cookie)
	if err != nil || !stale {
		return p, err
	}
	now := s.now().UTC()
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, p.Login, func(it *store.Item[store.Login]) error {
			it.Row.Expires = s.expires(it.Row.Created, now)
			return nil
		})
	})
	if errors.Is(err, store.ErrNotFound) { // logged out meanwhile
		return Person{}, ErrLogin
	}
	if err != nil {
		return Person{}, fmt.Errorf("cannot keep the session: %w", err)
	}
	return p, nil
}

// Peek tells who holds the cookie and leaves the session as it is: an open page
// that only listens must not keep it alive.
func (s *Service) Peek(ctx context.Context, cookie string) (Person, error) {
	p, _, err := s.look(ctx, cookie)
	return p, err
}

// look reads the session; stale says that its idle end should be moved on. It
// moves at most once a minute, so that reading pages does not write each time.
func (s *Service) look(ctx context.Context, cookie string) (p Person, stale bool, err error) {
	if len(cookie) != tokenLen {
		return Person{}, false, ErrLogin
	}
	now := s.now().UTC()
	err = s.store.View(ctx, func(tx store.Tx) error {
		l, err := store.Get[store.Login](tx, digest(cookie))
		if errors.Is(err, store.ErrNotFound) {
			return ErrLogin
		}
		if err != nil {
			return err
		}
		if l.Row.Use != useSession || !now.Before(l.Row.Expires) {
			return ErrLogin
		}
		u, err := store.Get[store.User](tx, l.Row.User)
		if err != nil || u.Row.Disabled {
			return ErrLogin
		}
		if p, err = s.person(tx, u, l); err != nil {
			return err
		}
		stale = s.expires(l.Row.Created, now).Sub(l.Row.Expires) >= min(time.Minute, s.idle/4)
		return nil
	})
	if err != nil {
		return Person{}, false, err
	}
	return p, stale, nil
}

// Logout ends the session. hint is the token with which the person logs out at
// their OpenID provider too; empty when they did not come from one.
func (s *Service) Logout(ctx context.Context, p Person) (hint string, err error) {
	err = s.store.Decide(ctx, func(tx store.Tx) error {
		if l, err := store.Get[store.Login](tx, p.Login); err == nil {
			hint = l.Row.Hint
		}
		if err := tx.Delete(store.KindLogin, p.Login); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return audit.Append(tx, audit.Entry{At: s.now(), Actor: p.ID, Action: "logout", Target: p.ID})
	})
	if err != nil {
		return "", fmt.Errorf("cannot log out: %w", err)
	}
	return hint, nil
}

// Sweep deletes links and sessions that are over, and returns how many.
func Sweep(tx store.Tx, now time.Time) (int, error) {
	var over []string
	for it, err := range store.List[store.Login](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if !now.Before(it.Row.Expires) || (it.Row.Use == useLink && !it.Row.Used.IsZero()) {
			over = append(over, it.ID)
		}
	}
	for _, id := range over {
		if err := tx.Delete(store.KindLogin, id); err != nil {
			return 0, err
		}
	}
	return len(over), nil
}

func (s *Service) expires(created, now time.Time) time.Time {
	idle, end := now.Add(s.idle), created.Add(s.absolute)
	if end.Before(idle) {
		return end
	}
	return idle
}

func (s *Service) person(tx store.Tx, u store.Item[store.User], l store.Item[store.Login]) (Person, error) {
	p, err := Holder(tx, u)
	p.Login, p.Since, p.Expires = l.ID, l.Row.Created, l.Row.Created.Add(s.absolute)
	return p, err
}

// tokenLen is the length of a token: 128 bits, base64url.
const tokenLen = 22

func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func randomID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// digest names a token's row. A plain hash is enough: tokens are 128 random
// bits, so there is no guessing to slow down, and lookup by hash leaks no timing.
func digest(token string) string {
	h := sha256.Sum256([]byte("borne/login/1\x00" + token))
	return hex.EncodeToString(h[:])
}

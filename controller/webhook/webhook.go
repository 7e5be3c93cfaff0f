// Package webhook posts what the controller has to tell to other systems of the
// Département. As with mails the outbox is a table: whatever decides that somebody
// is told does so in its own transaction, and no restart loses it.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"borne/controller/store"
)

// Times of the sender.
const (
	lookEvery = 5 * time.Second
	giveUp    = 24 * time.Hour // nobody needs to know a day later
	maxWait   = 30 * time.Minute
)

// MaxBody bounds one post, in bytes.
const MaxBody = 256 << 10

// maxWaiting bounds the posts that wait for one hook.
const maxWaiting = 200

// ErrFull reports that too much waits for a hook already.
var ErrFull = errors.New("too many posts wait for it")

// Queue puts a post into the outbox.
func Queue(tx store.Tx, id, hook string, body []byte, test bool, now time.Time) error {
	if len(body) > MaxBody {
		return fmt.Errorf("cannot post %d bytes: the limit is %d", len(body), MaxBody)
	}
	n := 0
	for _, err := range store.Find[store.HookPost](tx, "hook", hook) {
		if err != nil {
			return err
		}
		if n++; n >= maxWaiting {
			return fmt.Errorf("cannot queue a post for %s: %w", hook, ErrFull)
		}
	}
	return store.Put(tx, store.Item[store.HookPost]{Meta: store.Meta{ID: store.TimeID(now, id)}, Row: store.HookPost{Hook: hook, Body: body, Test: test, Queued: now.UTC()}})
}

// Sign is the header's value: HMAC-SHA-256 over the time, a dot and the body, so
// that a post that was overheard cannot be sent again much later.
func Sign(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, key)
	m.Write([]byte(t))
	m.Write([]byte{'.'})
	m.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(m.Sum(nil))
}

// Poster sends one post. Its error has a French() sentence that names no address.
type Poster interface {
	Post(ctx context.Context, address string, header http.Header, body []byte) error
}

// Sender sends what is in the outbox.
type Sender struct {
	Store store.Store
	Post  Poster
	Key   func(hook string, turn int) []byte // what posts are signed with
	Now   func() time.Time
	Log   *slog.Logger
	Look  time.Duration // how often the outbox is looked at; 0: every five seconds
}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	look := s.Look
	if look <= 0 {
		look = lookEvery
	}
	t := time.NewTicker(look)
	defer t.Stop()
	for {
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("cannot look after the posts that wait", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

type due struct {
	post store.Item[store.HookPost]
	hook store.Hook
}

// look lists what is due, in its order, and what nobody waits for any more: a hook
// that was deleted or turned off, or a day that passed. Of a hook that refuses, the
// posts behind the first wait as well.
func (s *Sender) look(ctx context.Context, now time.Time) (all []due, over []string, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		all, over = nil, nil
		waits := map[string]bool{}
		for it, err := range store.List[store.HookPost](tx, "", "", false) {
			if err != nil {
				return err
			}
			h, err := store.Get[store.Hook](tx, it.Row.Hook)
			switch {
			case err != nil && !errors.Is(err, store.ErrNotFound):
				return err
			case err != nil, !h.Row.On && !it.Row.Test, now.Sub(it.Row.Queued) > giveUp:
				over = append(over, it.ID)
			case !it.Row.Test && (waits[it.Row.Hook] || now.Before(it.Row.Next)):
				waits[it.Row.Hook] = true
			default:
				all = append(all, due{it, h.Row})
			}
		}
		return nil
	})
	return all, over, err
}

func (s *Sender) round(ctx context.Context) error {
	all, over, err := s.look(ctx, s.Now().UTC())
	if err != nil {
		return err
	}
	if len(over) > 0 {
		s.Log.Warn("posts to other systems are given up", "count", len(over))
		err := s.Store.Decide(ctx, func(tx store.Tx) error {
			for _, id := range over {
				if err := tx.Delete(store.KindHookPost, id); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	refused := map[string]bool{}
	for _, d := range all {
		hook := d.post.Row.Hook
		if refused[hook] && !d.post.Row.Test {
			continue
		}
		now := s.Now().UTC()
		failed := s.Post.Post(ctx, d.hook.Address, s.header(d, now), d.post.Row.Body)
		if ctx.Err() != nil {
			return nil // it waits: sent again rather than lost
		}
		if refused[hook] = failed != nil; failed != nil {
			s.Log.Warn("another system did not take a post; it is tried again", "hook", hook, "tries", d.post.Row.Tries+1, "why", sentence(failed))
		}
		if err := s.note(ctx, d.post, failed, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sender) header(d due, now time.Time) http.Header {
	return http.Header{"Content-Type": {"application/json"}, "Borne-Delivery": {d.post.ID},
		"Borne-Signature": {Sign(s.Key(d.post.Row.Hook, d.hook.Turn), now, d.post.Row.Body)}}
}

// sentence is what a person is told of a failure. The error itself would repeat the
// address, in which some systems have their password.
func sentence(err error) string {
	var said interface{ French() string }
	if errors.As(err, &said) {
		return said.French()
	}
	return "L’envoi a échoué."
}

// note keeps what became of an attempt. One that is tried by hand is not tried
// again: whoever tries sees what came of it.
func (s *Sender) note(ctx context.Context, p store.Item[store.HookPost], failed error, now time.Time) error {
	return s.Store.Decide(ctx, func(tx store.Tx) error {
		err := store.Update(tx, p.Row.Hook, func(h *store.Item[store.Hook]) error {
			if h.Row.Error = ""; failed == nil {
				h.Row.Sent, h.Row.Failed = now, time.Time{}
				return nil
			}
			h.Row.Failed, h.Row.Error = now, sentence(failed)
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if failed == nil || p.Row.Test {
			if err := tx.Delete(store.KindHookPost, p.ID); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		}
		err = store.Update(tx, p.ID, func(it *store.Item[store.HookPost]) error {
			it.Row.Tries++
			it.Row.Next = now.Add(min(time.Minute<<min(it.Row.Tries, 6), maxWait))
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return nil // its hook was deleted meanwhile
		}
		return err
	})
}

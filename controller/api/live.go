package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"borne/controller/accounts"
	"borne/controller/store"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// gather is how long changes are collected before they are sent: a burst of one
// terminal's changes then is one event.
const gather = 100 * time.Millisecond

// writeWithin bounds one write to a reader that went silent.
const writeWithin = 10 * time.Second

func (a *API) live(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
	select {
	case a.streams <- struct{}{}:
	default:
		return nil, &problem{Status: http.StatusServiceUnavailable, Detail: "Trop de consoles sont ouvertes en même temps. Réessayez dans un instant.",
			header: http.Header{"Retry-After": {"15"}}}
	}
	p := person(ctx)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { <-a.streams }()
		r, w := humago.Unwrap(hc)
		f := &feed{api: a, person: p, cookie: cookieOf(r, a.Secure), w: w, rc: http.NewResponseController(w), called: map[string]bool{}}
		if err := f.run(r.Context()); err != nil && r.Context().Err() == nil {
			a.Log.Info("live feed ended", "user", p.ID, "error", err)
		}
	}}, nil
}

func cookieOf(r *http.Request, secure bool) string {
	c, err := r.Cookie(cookieName(secure))
	if err != nil {
		return ""
	}
	return c.Value
}

// feed is one open live feed. What waits to be sent is a set of terminals, not
// a queue of events: it cannot grow past the fleet, however slow the reader.
type feed struct {
	api    *API
	person accounts.Person
	cookie string
	w      http.ResponseWriter
	rc     *http.ResponseController
	called map[string]bool // terminals whose call was told; kept for building staff alone
}

func (f *feed) run(ctx context.Context) error {
	h := f.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	f.w.WriteHeader(http.StatusOK)
	for ctx.Err() == nil {
		changes, cancel := f.api.Live.Subscribe()
		// Subscribed before hello: what changes while the page reads the fleet is not lost.
		err := f.hello(ctx)
		if err == nil {
			err = f.follow(ctx, changes)
		}
		cancel()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// follow sends changes until the reader is gone (an error), or until it fell
// behind (nil): then it starts again with a hello, and the page reads anew.
func (f *feed) follow(ctx context.Context, changes <-chan string) error {
	beat := time.NewTicker(f.api.Heartbeat)
	defer beat.Stop()
	dirty := map[string]bool{}
	var flush <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case id, ok := <-changes:
			if !ok {
				return nil
			}
			if len(dirty) == 0 {
				flush = time.After(gather)
			}
			dirty[id] = true
		case <-flush:
			if err := f.terminals(ctx, dirty); err != nil {
				return err
			}
			clear(dirty)
			flush = nil
		case <-beat.C:
			// Whoever logged out, or was disabled, hears no more.
			p, err := f.api.Accounts.Peek(ctx, f.cookie)
			if err != nil {
				return fmt.Errorf("cannot go on: %w", err)
			}
			f.person = p
			if err := f.write(": still here\n\n"); err != nil {
				return err
			}
		}
	}
}

func (f *feed) hello(ctx context.Context) error {
	var gen uint64
	err := f.api.Store.View(ctx, func(tx store.Tx) error {
		s, err := store.Get[store.Setting](tx, store.SettingController)
		gen = s.Row.Generation
		return err
	})
	if err != nil {
		return err
	}
	beat := int((f.api.Heartbeat + time.Second - 1) / time.Second)
	return f.event("hello", LiveHello{Time: f.api.Now().UTC(), Generation: gen, Heartbeat: beat})
}

func (f *feed) terminals(ctx context.Context, ids map[string]bool) error {
	var briefs []TerminalBrief
	err := f.api.Store.View(ctx, func(tx store.Tx) error {
		briefs = briefs[:0]
		for id := range ids {
			it, err := store.Get[store.Terminal](tx, id)
			if err != nil {
				continue // deleted meanwhile: the next full reading shows it
			}
			if f.person.Sees(it.Site) {
				briefs = append(briefs, f.api.briefFor(f.person, tx, it))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range briefs {
		if f.person.Role == accounts.Building {
			// That something changed at a terminal would tell that somebody is there.
			if b.Help == nil && !f.called[b.ID] {
				continue
			}
			f.called[b.ID] = b.Help != nil
		}
		if err := f.event("terminal", b); err != nil {
			return err
		}
	}
	return nil
}

func (f *feed) event(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot write event %s: %w", name, err)
	}
	return f.write("event: " + name + "\ndata: " + string(b) + "\n\n")
}

func (f *feed) write(s string) error {
	if err := f.rc.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return fmt.Errorf("cannot bound a write: %w", err)
	}
	if _, err := f.w.Write([]byte(s)); err != nil {
		return err
	}
	return f.rc.Flush()
}

package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// canaryMark is what a canary may be: it goes into a script and a cookie.
var canaryMark = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)

// plantCanary writes the marker where pages keep things, reads each back, and
// gives how many of the four stores have it.
const plantCanary = `(async (m) => {
  document.cookie = 'canari=' + m + '; max-age=86400; secure; samesite=strict';
  localStorage.setItem('canari', m);
  const db = await new Promise((ok, no) => { const r = indexedDB.open('canari', 1); r.onupgradeneeded = () => r.result.createObjectStore('c'); r.onsuccess = () => ok(r.result); r.onerror = () => no(r.error); });
  const store = (mode) => db.transaction('c', mode).objectStore('c');
  const done = (r) => new Promise((ok, no) => { r.onsuccess = () => ok(r.result); r.onerror = () => no(r.error); });
  await done(store('readwrite').put(m, 'canari'));
  const cache = await caches.open('canari');
  await cache.put('/canari', new Response(m));
  const back = [document.cookie.includes(m), localStorage.getItem('canari') === m, await done(store('readonly').get('canari')) === m,
    await (await cache.match('/canari')).text() === m];
  db.close();
  return back.filter(Boolean).length;
})`

// canaryStores is how many stores a whole canary is in: cookie, localStorage,
// IndexedDB and CacheStorage.
const canaryStores = 4

// PlantWebCanary writes marker (16 to 128 letters, digits, "_" or "-") into the
// cookie jar, localStorage, IndexedDB and CacheStorage of the canary's origin,
// in a tab behind the others that is closed again, and reads it back from each.
// An error means that the canary is not planted whole.
func (s *Session) PlantWebCanary(ctx context.Context, marker string) error {
	if !canaryMark.MatchString(marker) {
		return errors.New("cannot plant the web canary: its marker is not 16 to 128 letters, digits, _ or -")
	}
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	s.setPlanting(true)
	defer s.setPlanting(false)
	var t struct {
		TargetID string `json:"targetId"`
	}
	if err := s.p.Call(ctx, "", "Target.createTarget", map[string]any{"url": CanaryOrigin + "/", "background": true}, &t); err != nil {
		return fmt.Errorf("cannot plant the web canary: %w", err)
	}
	defer s.p.Call(context.WithoutCancel(ctx), "", "Target.closeTarget", map[string]any{"targetId": t.TargetID}, nil)
	quoted, _ := json.Marshal(marker)
	js := "location.origin === '" + CanaryOrigin + "' && document.title === 'canari' ? " + plantCanary + "(" + string(quoted) + ") : -1"
	last := errors.New("its page did not open")
	for {
		for _, tab := range s.followed(true) {
			var n int
			if tab.target != t.TargetID {
				continue
			}
			if err := s.eval(ctx, tab.session, 0, js, &n); err != nil {
				last = err
			} else if n == canaryStores {
				return nil
			} else if n >= 0 {
				return fmt.Errorf("cannot plant the web canary: %d of %d stores took it", n, canaryStores)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot plant the web canary: %w (%v)", last, ctx.Err())
		case <-s.p.Done():
			return s.p.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Session) setPlanting(on bool) {
	s.mu.Lock()
	s.planting = on
	s.mu.Unlock()
}

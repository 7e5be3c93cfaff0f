package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"borne/controller/store"
)

// sick is a store whose Decide does as the test says.
type sick struct {
	store.Store
	decide func(context.Context) error
}

func (s sick) Decide(ctx context.Context, _ func(store.Tx) error) error { return s.decide(ctx) }

func TestHealth(t *testing.T) {
	w := start(t)
	if a := w.do("", "GET", "/healthz", nil); a.StatusCode != http.StatusOK || string(a.body) != "ok\n" {
		t.Errorf("a good store: %s %s", a.Status, a.body)
	}
	release := make(chan struct{})
	defer close(release)
	for name, c := range map[string]struct {
		decide func(context.Context) error
		want   string
	}{
		"full":    {func(context.Context) error { return fmt.Errorf("cannot apply records: %w", store.ErrFull) }, "store: the disk is full; free some space, nothing is lost meanwhile\n"},
		"broken":  {func(context.Context) error { return store.ErrNotFound }, "store: cannot be used; look at the controller's log\n"},
		"hanging": {func(context.Context) error { <-release; return nil }, "store: cannot be used; look at the controller's log\n"},
	} {
		api, err := New(Config{Store: sick{w.st, c.decide}, Accounts: w.acc, Live: w.live, Orders: w, Publisher: w, Healthy: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second waits for the first, and not for ever
			r := httptest.NewRecorder()
			api.Handler().ServeHTTP(r, httptest.NewRequest("GET", "/healthz", nil))
			if r.Code != http.StatusServiceUnavailable || r.Body.String() != c.want {
				t.Errorf("%s: %d %q", name, r.Code, r.Body)
			}
		}
	}
}

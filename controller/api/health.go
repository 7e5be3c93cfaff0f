package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"borne/controller/store"
)

// health answers whether the store reads and takes what terminals report: what
// somebody watches who wants to know before people do.
func (a *API) health(w http.ResponseWriter, r *http.Request) {
	err := a.probe(r.Context())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err == nil {
		_, _ = w.Write([]byte("ok\n")) // the client may be gone
		return
	}
	a.Log.Error("unhealthy", "error", err)
	w.WriteHeader(http.StatusServiceUnavailable)
	words := "store: cannot be used; look at the controller's log\n"
	if errors.Is(err, store.ErrFull) {
		words = "store: the disk is full; free some space, nothing is lost meanwhile\n"
	}
	_, _ = w.Write([]byte(words))
}

// securityTxt tells whoever found a hole whom to tell.
func (a *API) securityTxt(w http.ResponseWriter, _ *http.Request) {
	var text []byte
	if a.SecurityTxt != nil {
		text = a.SecurityTxt()
	}
	if len(text) == 0 {
		writeProblem(w, errNotFound())
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text) // the client may be gone
}

// probe decides nothing: that waits until every record is applied, and writes
// no page. One runs at a time, however many ask and however long it hangs.
func (a *API) probe(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, a.Healthy)
	defer done()
	late := func() error { return fmt.Errorf("cannot use the store: no answer within %s: %w", a.Healthy, ctx.Err()) }
	select {
	case a.probing <- struct{}{}:
	case <-ctx.Done():
		return late()
	}
	result := make(chan error, 1)
	go func() {
		defer func() { <-a.probing }()
		result <- a.Store.Decide(ctx, func(tx store.Tx) error {
			_, err := store.Get[store.Setting](tx, store.SettingController)
			return err
		})
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return late()
	}
}

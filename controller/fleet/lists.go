package fleet

import (
	"net/http"
	"time"

	"borne/controller/wire"
)

// Limits on those who fetch lists: some tens of megabytes each, over lines of
// schools.
const (
	maxFetches  = 32 // at a time
	fetchWithin = 10 * time.Minute
	fetchAgain  = "60" // seconds
)

// list gives a terminal one list of names, from where it asks on (Range). Lists
// are public; that they come over this listener lets nobody else load it.
func (f *Fleet) list(w http.ResponseWriter, r *http.Request) {
	digest := r.PathValue("digest")
	if f.cfg.Lists == nil || !wire.ValidDigest(digest) {
		f.answer(w, nil, refuse(http.StatusNotFound, "request", "there is no such list"))
		return
	}
	select {
	case f.lists <- struct{}{}:
		defer func() { <-f.lists }()
	default:
		w.Header().Set("Retry-After", fetchAgain)
		f.answer(w, nil, refuse(http.StatusServiceUnavailable, "rate", "many terminals fetch lists; try again in a minute"))
		return
	}
	file, err := f.cfg.Lists(digest)
	if err != nil {
		f.answer(w, nil, refuse(http.StatusNotFound, "request", "there is no such list"))
		return
	}
	defer file.Close()
	// Without a deadline (a test's recorder) the answer goes on unbounded.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fetchWithin))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+digest+`"`)
	http.ServeContent(w, r, "", time.Time{}, file)
}

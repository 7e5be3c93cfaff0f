package fetch

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

// postWithin bounds one post, its answer's head included.
const postWithin = 15 * time.Second

// Post sends body to an address, on Get's terms but for redirects: what is signed
// for one address is not for another. What the answer says beside its status is
// not read.
func (f *Fetcher) Post(ctx context.Context, address string, header http.Header, body []byte) error {
	u, err := f.parse(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, postWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return &Error{Sentence: "L’adresse n’est pas lisible. Elle commence par https://.", Err: err}
	}
	req.Header = header.Clone()
	req.Header.Set("User-Agent", f.cfg.Agent)
	client := http.Client{Transport: f.trip, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return told(err)
	}
	res.Body.Close()
	switch code := strconv.Itoa(res.StatusCode); {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return &Error{Sentence: "L’adresse renvoie à une autre (réponse " + code + ") : donnez celle qui répond elle-même."}
	case res.StatusCode < 200 || res.StatusCode >= 300:
		return &Error{Sentence: "L’adresse n’a pas accepté l’envoi (réponse " + code + ")."}
	}
	return nil
}

package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// maxOrder bounds an order's document, in bytes.
const maxOrder = 64 << 10

// orders remembers where orders are. An authority that takes its time with a
// certificate need not say again where the order is (RFC 8555 section 7.4 asks for no
// Location), and golang.org/x/crypto/acme, up to v0.57.0, waits at the address that
// was said last, which is then none.
type orders struct {
	http.RoundTripper
	mu sync.Mutex
	of map[string]string // an order's own address, by that of its end
}

func newOrders(t http.RoundTripper) *orders {
	return &orders{RoundTripper: t, of: map[string]string{}}
}

// RoundTrip implements http.RoundTripper.
func (o *orders) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := o.RoundTripper.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost {
		return res, err
	}
	at := res.Header.Get("Location")
	if at == "" {
		o.mu.Lock()
		defer o.mu.Unlock()
		if at = o.of[r.URL.String()]; at != "" {
			res.Header.Set("Location", at)
		}
		return res, nil
	}
	if res.StatusCode != http.StatusCreated {
		return res, nil
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxOrder))
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b), res.Body), res.Body}
	var order struct{ Finalize string }
	if err != nil || json.Unmarshal(b, &order) != nil || order.Finalize == "" {
		return res, nil // an account, or what the client will not like either
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.of) // one certificate is asked for at a time
	o.of[order.Finalize] = at
	return res, nil
}

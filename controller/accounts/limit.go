package accounts

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits on attempts to log in. Tokens cannot be guessed; this keeps a flood
// from filling the audit and the store's queue.
const (
	perAddress  = 10  // attempts at once from one address, then one each 6 seconds
	overall     = 100 // at once from everywhere, then ten a second
	maxTracked  = 4096
	refillEvery = 6 * time.Second
)

type limiter struct {
	mu  sync.Mutex
	all *rate.Limiter
	by  map[string]*rate.Limiter
}

func newLimiter() *limiter {
	return &limiter{all: rate.NewLimiter(10, overall), by: map[string]*rate.Limiter{}}
}

func (l *limiter) allow(from string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.by[from]
	if one == nil {
		if len(l.by) >= maxTracked {
			for k, v := range l.by { // those that are full again hold nothing worth keeping
				if v.TokensAt(now) >= perAddress {
					delete(l.by, k)
				}
			}
			if len(l.by) >= maxTracked {
				return false
			}
		}
		one = rate.NewLimiter(rate.Every(refillEvery), perAddress)
		l.by[from] = one
	}
	return one.AllowN(now, 1) && l.all.AllowN(now, 1)
}

package accounts

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits on wrong attempts to log in. Tokens cannot be guessed: this keeps
// somebody who tries from making noise. A good link is never refused by it, so
// that nobody behind the same proxy or school network can lock others out.
const (
	perAddress  = 10 // wrong attempts at once from one address
	refillEvery = 6 * time.Second
	maxTracked  = 4096 // addresses; then all start anew
)

type limiter struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

func newLimiter() *limiter { return &limiter{by: map[string]*rate.Limiter{}} }

// wrong counts a wrong attempt, and tells whether it passes the limit.
func (l *limiter) wrong(from string, now time.Time) (tooMany bool) {
	from = network(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.by[from]
	if one == nil {
		if len(l.by) >= maxTracked {
			clear(l.by)
		}
		one = rate.NewLimiter(rate.Every(refillEvery), perAddress)
		l.by[from] = one
	}
	return !one.AllowN(now, 1)
}

// network is an address, or the /64 of an IPv6 one: whoever has one address
// there has all of them.
func network(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return "unknown"
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

package fleet

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	burst      = 10   // enrolments at once from one address
	addresses  = 4096 // remembered; then all start anew, under the common limit
	renewEvery = 10 * time.Minute
	renewBurst = 5
)

// limiter bounds the attempts of each key and of all.
type limiter struct {
	mu    sync.Mutex
	all   *rate.Limiter
	each  map[string]*rate.Limiter
	one   rate.Limit
	burst int
	now   func() time.Time
}

func newLimiter(all, one rate.Limit, burst int, now func() time.Time) *limiter {
	return &limiter{all: rate.NewLimiter(all, 5*burst), each: map[string]*rate.Limiter{}, one: one, burst: burst, now: now}
}

func (l *limiter) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.each[key]
	if one == nil {
		if len(l.each) >= addresses {
			clear(l.each)
		}
		one = rate.NewLimiter(l.one, l.burst)
		l.each[key] = one
	}
	// The key first: one that is over its limit takes nothing from the others.
	now := l.now()
	return one.AllowN(now, 1) && l.all.AllowN(now, 1)
}

// network names where a request comes from: an IPv4 address, or the /64 of an
// IPv6 one, since whoever has one address there has all of them.
func network(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return "unknown"
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return "unknown"
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

package uplink

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// TestAnotherWay: the connection is made anew by the way that is asked for, what
// it says is marked with it, a way that is none is told, and the first one serves
// again.
func TestAnotherWay(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	px, closed := startProxy(t, "", nil), startProxy(t, "Basic of-somebody", nil)
	l := run(t, c, newOutbox(1, 0), nil)
	welcomed := func(way uint64) {
		t.Helper()
		c.next().welcome(1, 0)
		if e := until(t, l, func(e Event) bool { return e.Welcome != nil }); e.Way != way {
			t.Errorf("welcomed by way %d, not %d", e.Way, way)
		}
	}
	welcomed(0)
	welcomed(l.Via(&url.URL{Scheme: "http", Host: px.addr}))
	px.mu.Lock()
	if len(px.tunnels) != 1 || px.tunnels[0] != strings.TrimPrefix(c.url, "https://") {
		t.Errorf("tunnels: %v", px.tunnels)
	}
	px.mu.Unlock()
	bad := l.Via(&url.URL{Scheme: "http", Host: closed.addr})
	until(t, l, func(e Event) bool {
		if e.Welcome != nil {
			t.Fatal("welcomed through a proxy that refuses")
		}
		return e.Offline != nil && e.Way == bad && errors.Is(e.Offline.Err, ErrProxyAuth)
	})
	welcomed(l.Via(nil))
}

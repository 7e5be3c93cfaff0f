package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"borne/scripts/internet"
)

// gate is a school's proxy: it opens tunnels to the test's web, and notes where to.
type gate struct {
	mu    sync.Mutex
	asked []string
}

const gatePort = 3128

// pac sends the hosts below a domain through the gate, as a file in the rules.
func pac(domain string) string {
	text := fmt.Sprintf(`function FindProxyForURL(url, host) { return dnsDomainIs(host, ".%s") ? "PROXY %s:%d" : "DIRECT" }`, domain, internet.Number(3).Web, gatePort)
	return "data:application/x-ns-proxy-autoconfig;base64," + base64.StdEncoding.EncodeToString([]byte(text))
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	g.mu.Lock()
	g.asked = append(g.asked, r.Host)
	g.mu.Unlock()
	far, err := net.DialTimeout("tcp4", net.JoinHostPort(internet.Number(3).Web, "443"), 10*time.Second)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer far.Close()
	w.WriteHeader(http.StatusOK)
	near, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	go func() { io.Copy(far, buf); far.Close() }()
	io.Copy(near, far)
}

func (g *gate) saw(host string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.asked, host)
}

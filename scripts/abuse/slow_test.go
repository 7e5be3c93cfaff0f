package abuse

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
)

// forwarded claims to be a proxy's: nobody is one here, so it tells nothing.
func forwarded(t *testing.T, g *target) {
	// Wrong tries are limited by address: one that the client makes up would be a new one each time.
	status := 0
	for i := range 40 {
		a := g.do(ask{method: "POST", path: "/api/login/link", body: `{"token":"` + strings.Repeat("x", 32) + `"}`, header: []string{"X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i), "X-Real-IP", fmt.Sprintf("192.0.2.%d", i), "Forwarded", fmt.Sprintf("for=192.0.2.%d", i)}})
		status = a.status
	}
	if status != 429 {
		t.Errorf("after 40 wrong links under made-up addresses: %d, want 429", status)
	}
}

// slow holds hundreds of connections that never finish what they say, and asks
// something as anybody would meanwhile.
func slow(t *testing.T, g *target) {
	const each = 150
	adm := g.as(accounts.Administrator, "")
	host := "Host: " + strings.TrimPrefix(g.url, "https://") + "\r\n"
	kinds := map[string]string{
		"headers":                    "GET /api/me HTTP/1.1\r\n" + host + "X-A: ",
		"body":                       "POST /api/login/link HTTP/1.1\r\n" + host + "X-Borne: 1\r\nOrigin: " + g.url + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		"body of somebody logged in": "POST /api/terminals/" + mine + "-1/commands HTTP/1.1\r\n" + host + "X-Borne: 1\r\nOrigin: " + g.url + "\r\nCookie: __Host-borne=" + adm + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	}
	ended := make(chan string, len(kinds)*each)
	for name, begin := range kinds {
		for range each {
			c := g.connect()
			if _, err := io.WriteString(c, begin); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			go func() {
				defer c.Close()
				stop := make(chan struct{})
				go func() { // a byte now and then
					for tick := time.NewTicker(700 * time.Millisecond); ; {
						select {
						case <-stop:
							tick.Stop()
							return
						case <-tick.C:
							if _, err := c.Write([]byte("a")); err != nil {
								return
							}
						}
					}
				}()
				_, err := io.ReadAll(c)
				close(stop)
				if e, ok := err.(interface{ Timeout() bool }); ok && e.Timeout() {
					ended <- name + ": it is held open"
					return
				}
				ended <- ""
			}()
		}
	}
	for range 20 {
		if a := g.do(ask{cookie: adm, method: "GET", path: "/api/me"}); a.status != 200 {
			t.Fatalf("meanwhile nobody else is served: %d %s", a.status, a.body)
		}
	}
	for range len(kinds) * each {
		select {
		case why := <-ended:
			if why != "" {
				t.Fatal(why)
			}
		case <-time.After(soon):
			t.Fatal("slow connections are held open")
		}
	}
	t.Logf("%d slow connections, all ended by the controller; others were served meanwhile", len(kinds)*each)
}

package internet

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// TestServesByName asks for a page by name, as a browser behind the cable would.
func TestServesByName(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: network namespaces need root")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	n, err := Number(5).Up(ctx, "demarche.test")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Down()
	if err := n.Serve(80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "bonjour ", r.Host) })); err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, n.Resolver+":53")
	}}}
	c := http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
	for host, want := range map[string]bool{"www.demarche.test": true, "ailleurs.test": false} {
		r, err := c.Get("http://" + host + "/")
		if (err == nil) != want {
			t.Fatalf("%s: %v, want an answer: %v", host, err, want)
		}
		if err == nil {
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if string(b) != "bonjour "+host {
				t.Errorf("%s: got %q", host, b)
			}
		}
	}
}

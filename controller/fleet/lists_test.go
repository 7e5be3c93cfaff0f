package fleet

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// fetch asks for a path as a terminal does, from a byte on.
func (x *terminal) fetch(path, from string) (*http.Response, []byte, error) {
	c, err := tls.Dial("tcp", x.w.addr, x.config())
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	must(x.w.t, c.SetDeadline(time.Now().Add(patience)))
	tr := &http.Transport{DisableKeepAlives: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	req, err := http.NewRequest("GET", "https://"+x.w.addr+path, nil)
	must(x.w.t, err)
	if from != "" {
		req.Header.Set("Range", "bytes="+from+"-")
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

func TestListsAreForTerminals(t *testing.T) {
	list := bytes.Repeat([]byte("names "), 10000)
	digest := wire.ListDigest(list)
	w := newWorld(t, func(c *Config) {
		c.Lists = func(d string) (io.ReadSeekCloser, error) {
			if d != digest {
				return nil, fs.ErrNotExist
			}
			return inMemory{bytes.NewReader(list)}, nil
		}
	})
	x := enrolled(w)
	if resp, b, err := x.fetch(wire.PathLists+digest, ""); err != nil || resp.StatusCode != 200 || !bytes.Equal(b, list) {
		t.Errorf("%v, %d bytes, %v", resp, len(b), err)
	}
	if resp, b, err := x.fetch(wire.PathLists+digest, "59000"); err != nil || resp.StatusCode != 206 || !bytes.Equal(b, list[59000:]) {
		t.Errorf("the rest: %v, %d bytes, %v", resp, len(b), err)
	}
	for _, path := range []string{strings.Repeat("0", 64), "..%2f..%2fkeys", "x"} {
		if resp, _, err := x.fetch(wire.PathLists+path, ""); err != nil || resp.StatusCode != 404 {
			t.Errorf("%s: %v, %v", path, resp, err)
		}
	}
	nobody := newTerminal(w)
	if resp, _, err := nobody.fetch(wire.PathLists+digest, ""); err == nil && resp.StatusCode != 403 {
		t.Errorf("somebody without a certificate: %v", resp.Status)
	}
	// A terminal that was shut out gets nothing either.
	w.decide(func(tx store.Tx) error { _, err := Revoke(tx, x.resp.Terminal, w.now()); return err })
	if resp, _, err := x.fetch(wire.PathLists+digest, ""); err == nil {
		t.Errorf("a revoked terminal: %v", resp.Status)
	}
	if len(w.f.lists) != 0 {
		t.Error("a place of those who fetch is not given back")
	}
}

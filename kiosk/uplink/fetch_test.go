package uplink

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"borne/controller/wire"
)

func TestFetchList(t *testing.T) {
	root := newAuthority(t, "root", "Borne")
	c := startController(t, root)
	list := bytes.Repeat([]byte("names "), 20000)
	digest := wire.ListDigest(list)
	c.mu.Lock()
	c.lists = map[string][]byte{digest: list}
	c.mu.Unlock()
	l := run(t, c, newOutbox(0, 0), nil)
	for _, from := range []int64{0, 7, int64(len(list)) - 1, int64(len(list))} {
		var got bytes.Buffer
		n, err := l.FetchList(t.Context(), digest, from, &got)
		if err != nil || n != int64(len(list))-from || !bytes.Equal(got.Bytes(), list[from:]) {
			t.Errorf("from %d: %d bytes, %v", from, n, err)
		}
	}
	if _, err := l.FetchList(t.Context(), strings.Repeat("0", 64), 0, &bytes.Buffer{}); !errors.Is(err, ErrNoList) {
		t.Errorf("a list that is not there: %v", err)
	}
	c.mu.Lock()
	c.revoked = true
	c.mu.Unlock()
	if _, err := l.FetchList(t.Context(), digest, 0, &bytes.Buffer{}); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
		t.Errorf("a revoked terminal: %v", err)
	}
}

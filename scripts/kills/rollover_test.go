package kills

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestKeysRollOver changes root, issuer and signing key of the real controller
// under the real terminal: it hears by itself, starts again when nobody is there,
// and serves and proves under the new keys alone.
func TestKeysRollOver(t *testing.T) {
	p := newPost(t, 6*time.Minute, nil)
	keys := func(words ...string) string {
		t.Helper()
		said, err := p.stand.Controller(p.ctx, append([]string{"keys"}, words...)...)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	for _, step := range []string{"announce", "switch", "retire"} {
		from := p.log.Mark()
		keys("-step", step)
		p.eventually("the terminal has heard of "+step, 90*time.Second, func() error {
			if said := keys(); !strings.Contains(said, "every terminal has heard") {
				return fmt.Errorf("%s\n%s", said, p.log.Tail(20))
			}
			return nil
		})
		p.come(from, 60*time.Second, "welcome")
	}
	from := p.log.Mark()
	p.finish()
	p.come(from, 60*time.Second, "welcome")
	p.proven(false)
	if n := len(p.ledger.sessions); n != 1 {
		t.Fatalf("the controller has %d sessions, want 1", n)
	}
	if said := keys(); !strings.Contains(said, "settled") {
		t.Errorf("at the end: %s", said)
	}
}

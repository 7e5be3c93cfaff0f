package warden

import (
	"context"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// inOwnNetwork runs f in a fresh network namespace, whose switch is its own.
func inOwnNetwork(t *testing.T, f func() error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: needs root")
	}
	must(t, onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	}))
}

func TestForwardingIsGivenBack(t *testing.T) {
	ctx := context.Background()
	expect := func(when string, on, guarded bool) error {
		is, err := forwards()
		if err != nil {
			return err
		}
		names, err := inetTables(ctx)
		if has := slices.Contains(names, guardTable); err == nil && (is != on || has != guarded) {
			t.Errorf("%s: forwarding %t, guarded %t; want %t and %t", when, is, has, on, guarded)
		}
		return err
	}
	inOwnNetwork(t, func() error {
		for _, s := range []struct {
			when        string
			do          func() error
			on, guarded bool
		}{
			{"a machine that forwards nothing", func() error { return os.WriteFile(forwardSwitch, []byte("0"), 0) }, false, false},
			{"a sandbox", func() error { return forwarding(ctx) }, true, true},
			{"another one", func() error { return forwarding(ctx) }, true, true},
			{"an end beside another terminal's sandbox", func() error {
				if _, err := nft(ctx, "", "add", "table", "inet", tablePrefix("abcdef")+"3"); err != nil {
					return err
				}
				return unforward(ctx)
			}, true, true},
			{"an end beside another terminal's shell", func() error {
				if _, err := nft(ctx, "", "delete", "table", "inet", tablePrefix("abcdef")+"3"); err != nil {
					return err
				}
				if _, err := nft(ctx, "", "add", "table", "inet", shellTable("abcdef")); err != nil {
					return err
				}
				return unforward(ctx)
			}, false, false},
			{"a machine that forwards by itself", func() error { return os.WriteFile(forwardSwitch, []byte("1"), 0) }, true, false},
			{"a sandbox on it", func() error { return forwarding(ctx) }, true, false},
			{"an end on it", func() error { return unforward(ctx) }, true, false},
		} {
			if err := s.do(); err != nil {
				return err
			}
			if err := expect(s.when, s.on, s.guarded); err != nil {
				return err
			}
		}
		return nil
	})
}

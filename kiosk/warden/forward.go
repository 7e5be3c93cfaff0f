package warden

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	forwardSwitch = "/proc/sys/net/ipv4/ip_forward"
	// forwardLock is held by whoever turns the switch, or relies on it while
	// its rules are not there yet.
	forwardLock = "/run/borne-forward.lock"
	guardTable  = "borne_guard"
)

// guard stands as long as Borne has forwarding on: this machine forwarded
// nothing before, and forwards nothing now but sandboxes' packets. It also is
// the note, which survives a kill, of who turned the switch.
const guard = `table inet borne_guard
delete table inet borne_guard
table inet borne_guard {
  chain forward {
    type filter hook forward priority -20; policy accept;
    iifname != "bn*" oifname != "bn*" drop
  }
}
`

// lockForwarding keeps other wardens of this machine from turning the switch.
func lockForwarding() (unlock func(), err error) {
	f, err := os.OpenFile(forwardLock, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot hold the forwarding of packets: %w", err)
	}
	// Not without an end: each holder runs nft once or twice, under a deadline.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot hold the forwarding of packets: %w", err)
	}
	return func() { f.Close() }, nil
}

func forwards() (bool, error) {
	b, err := os.ReadFile(forwardSwitch)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", forwardSwitch, err)
	}
	return strings.TrimSpace(string(b)) == "1", nil
}

// forwarding turns IPv4 forwarding on, behind the guard. A machine that already
// forwards (a router, containers) is left as it is.
func forwarding(ctx context.Context) error {
	if on, err := forwards(); err != nil || on {
		return err
	}
	if _, err := nft(ctx, guard, "-f", "-"); err != nil {
		return fmt.Errorf("cannot guard forwarding: %w", err)
	}
	if err := os.WriteFile(forwardSwitch, []byte("1"), 0); err != nil {
		return fmt.Errorf("cannot turn forwarding on: %w", err)
	}
	return nil
}

// unforward turns forwarding off again at a clean end, when Borne had turned it
// on and no other terminal's sandbox on this machine is there to need it. After
// a kill the guard stays, and the next clean end finds it.
func unforward(ctx context.Context) error {
	unlock, err := lockForwarding()
	if err != nil {
		return err
	}
	defer unlock()
	names, err := inetTables(ctx)
	if err != nil {
		return err
	}
	guarded := false
	for _, n := range names {
		if n == guardTable {
			guarded = true
		} else if strings.HasPrefix(n, "borne_") && !strings.HasPrefix(n, shellTable("")) {
			return nil
		}
	}
	if !guarded {
		return nil
	}
	if err := os.WriteFile(forwardSwitch, []byte("0"), 0); err != nil {
		return fmt.Errorf("cannot turn forwarding off: %w", err)
	}
	return rules{table: guardTable}.remove(ctx)
}

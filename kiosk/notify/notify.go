// Package notify tells the service manager how this process is (sd_notify(3)),
// and feeds its watchdog.
package notify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// States to send.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	alive    = "WATCHDOG=1"
)

// Notifier writes to the manager's socket; without one it does nothing.
type Notifier struct {
	socket string
	every  time.Duration
}

// FromEnv reads NOTIFY_SOCKET and WATCHDOG_USEC, and takes them out of the
// environment, so that no child process speaks in our name.
func FromEnv() *Notifier {
	n := &Notifier{socket: os.Getenv("NOTIFY_SOCKET")}
	pid := os.Getenv("WATCHDOG_PID")
	if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 &&
		(pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.every = time.Duration(us) * time.Microsecond / 3
	}
	for _, k := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(k)
	}
	return n
}

// Send tells state, one of the constants or STATUS=…
func (n *Notifier) Send(state string) error {
	if n.socket == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"}) // a leading @ is an abstract name
	if err != nil {
		return fmt.Errorf("cannot tell the service manager: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("cannot tell the service manager: %w", err)
	}
	return nil
}

// Watch feeds the watchdog until ctx ends, as long as well says so; a nil well
// is always well. Without a watchdog it returns at once.
func (n *Notifier) Watch(ctx context.Context, well func() bool) error {
	if n.socket == "" || n.every <= 0 {
		return nil
	}
	t := time.NewTicker(n.every)
	defer t.Stop()
	for {
		if well == nil || well() {
			if err := n.Send(alive); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

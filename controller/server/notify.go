package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// notifyWithin bounds one message.
const notifyWithin = time.Second

// notifier talks to the service manager (sd_notify(3)): one datagram a message.
// Without NOTIFY_SOCKET it does nothing.
type notifier struct {
	addr  *net.UnixAddr
	every time.Duration // half of what the watchdog allows; 0 for none
}

func newNotifier(env func(string) string) notifier {
	var n notifier
	path := env("NOTIFY_SOCKET")
	if path == "" {
		return n
	}
	if path[0] == '@' {
		path = "\x00" + path[1:] // abstract socket
	}
	n.addr = &net.UnixAddr{Name: path, Net: "unixgram"}
	// WATCHDOG_PID names whom it is for: not this process when it is a child.
	if pid := env("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if usec, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
			n.every = time.Duration(usec) * time.Microsecond / 2
		}
	}
	return n
}

func (n notifier) send(state string) error {
	if n.addr == nil {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, n.addr)
	if err != nil {
		return fmt.Errorf("cannot reach the service manager: %w", err)
	}
	defer c.Close()
	// A manager that does not read must not hold anything up.
	if err := c.SetWriteDeadline(time.Now().Add(notifyWithin)); err != nil {
		return fmt.Errorf("cannot bound a message to the service manager: %w", err)
	}
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("cannot tell the service manager: %w", err)
	}
	return nil
}

// watchdog says that all is well as long as healthy does.
func (n notifier) watchdog(ctx context.Context, healthy func(context.Context) error, failed func(error)) {
	if n.addr == nil || n.every == 0 {
		return
	}
	t := time.NewTicker(n.every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			err := healthy(ctx)
			if err == nil {
				err = n.send("WATCHDOG=1")
			}
			if err != nil {
				failed(err)
			}
		}
	}
}

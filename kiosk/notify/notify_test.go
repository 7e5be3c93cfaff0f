package notify

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// manager listens as systemd does.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	return c
}

func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 256)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c := manager(t, path)
	t.Setenv("NOTIFY_SOCKET", path)
	n := FromEnv()
	if os.Getenv("NOTIFY_SOCKET") != "" {
		t.Error("children inherit the socket")
	}
	if err := n.Send(Ready); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, c); got != "READY=1" {
		t.Errorf("got %q", got)
	}
}

func TestWatchdogStopsWhenNotWell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c := manager(t, path)
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "3000")
	n := FromEnv()
	ctx, cancel := context.WithCancel(t.Context())
	asked, done := make(chan bool), make(chan error, 1)
	go func() {
		done <- n.Watch(ctx, func() bool {
			select {
			case v := <-asked:
				return v
			case <-ctx.Done():
				return false
			}
		})
	}()
	asked <- true
	if got := heard(t, c); got != "WATCHDOG=1" {
		t.Errorf("got %q", got)
	}
	asked <- false // not well: nothing is sent for it
	asked <- false
	if err := n.Send("STATUS=after"); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, c); got != "STATUS=after" {
		t.Errorf("an unwell process sent %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "1000")
	n := FromEnv()
	if err := n.Send(Ready); err != nil {
		t.Error(err)
	}
	if err := n.Watch(t.Context(), nil); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	if err := FromEnv().Send(Ready); err == nil {
		t.Error("a socket nobody listens on is no error")
	}
}

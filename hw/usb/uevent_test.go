package usb

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTheKernelIsHeardAndNobodyElse has the real kernel tell of a device: of
// its null device, since no test can plug anything in.
func TestTheKernelIsHeardAndNobodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: to have the kernel tell of a device needs root")
	}
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var heard []string
	done := make(chan error, 1)
	go func() {
		done <- l.next(func(u Uevent) bool {
			if u.Path == "/forged" || u.Values["DEVNAME"] == "null" {
				heard = append(heard, u.Path)
			}
			return u.Values["DEVNAME"] == "null"
		})
	}()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	forged := []byte("add@/forged\x00SUBSYSTEM=usb\x00DEVTYPE=usb_device\x00")
	if err := unix.Sendto(fd, forged, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		t.Logf("this kernel lets nobody forge an event: %v", err)
	}
	if err := os.WriteFile("/sys/devices/virtual/mem/null/uevent", []byte("change"), 0); err != nil {
		t.Skipf("SKIP: this kernel tells of no device when asked: %v", err)
	}
	select {
	case err = <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the kernel is not heard")
	}
	if err != nil || len(heard) != 1 || heard[0] == "/forged" {
		t.Errorf("heard %q, %v", heard, err)
	}
}

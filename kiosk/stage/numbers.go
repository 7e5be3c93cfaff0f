package stage

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"borne/kiosk/x11"
)

// Display numbers that we choose from: above those that desktops, and servers
// told to find one by themselves, take first.
const (
	firstDisplay = 60
	lastDisplay  = 160
)

// errTaken says that another server took the number at the same moment.
var errTaken = errors.New("cannot start the display: its number was taken meanwhile")

// inUse tells whether a server has the number. Of several servers that find
// it free at once, the number's lock file lets one through, the others end and
// we try the next. A server's own search (-displayfd) is no help: it takes no
// lock, and without an abstract socket it removes a living server's socket.
func inUse(number int) bool {
	path := filepath.Join(x11.Sockets, "X"+strconv.Itoa(number))
	for _, address := range []string{path, "@" + path} {
		c, err := net.DialTimeout("unix", address, time.Second)
		if err == nil {
			c.Close()
			return true
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
			return true // not ours to judge
		}
	}
	return lockHolder(number) != 0
}

func lockPath(number int) string { return "/tmp/.X" + strconv.Itoa(number) + "-lock" }

// lockHolder is the pid of the living server that locked the number, or 0.
func lockHolder(number int) int {
	b, err := os.ReadFile(lockPath(number))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return 0
	}
	return pid
}

// tidy removes what a killed server leaves: others would take its number for
// used.
func tidy(number, pid int) {
	b, err := os.ReadFile(lockPath(number))
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(pid) {
		return
	}
	os.Remove(filepath.Join(x11.Sockets, "X"+strconv.Itoa(number)))
	os.Remove(lockPath(number))
}

package browser

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// StandinName is the name under which the terminal's binary is lorca's
// stand-in. lorca chooses the arguments, so only argv[0] can tell.
const StandinName = "borne-lorca-standin"

// standinSocket is the socket beside the stand-in's link, in a folder that
// only our own uid may enter.
const standinSocket = "standin.sock"

// IsStandin tells whether this process was started as lorca's stand-in: main
// and TestMain ask it before anything else, and exit with StandinMain.
func IsStandin(args []string) bool {
	return len(args) > 0 && filepath.Base(args[0]) == StandinName
}

// StandinMain plays the browser that lorca believes to start: it fetches the
// address of the single-use WebSocket from the agent and prints it as Chromium
// would. It ends when the agent closes the socket, or ends. The address is a
// secret: it comes neither by argument nor by environment, which other
// processes of the same user could read. It gives the exit code.
func StandinMain(args []string, stderr io.Writer) int {
	c, err := net.Dial("unix", filepath.Join(filepath.Dir(args[0]), standinSocket))
	if err != nil {
		fmt.Fprintln(stderr, "cannot reach the agent:", err)
		return 1
	}
	defer c.Close()
	b := make([]byte, 256)
	n, err := c.Read(b)
	address := strings.TrimSpace(string(b[:n]))
	if err != nil || !strings.HasPrefix(address, "ws://127.0.0.1:") {
		fmt.Fprintln(stderr, "cannot learn the browser's address from the agent")
		return 1
	}
	fmt.Fprintf(stderr, "DevTools listening on %s\n", address)
	io.Copy(io.Discard, c) // until the agent lets go
	return 0
}

// standin is the agent's side: a folder with the link and the socket.
type standin struct {
	dir string
	ln  *net.UnixListener
}

// newStandin makes the folder: a link to the executable exe, and the socket.
func newStandin(exe string) (*standin, error) {
	dir, err := os.MkdirTemp("", "borne-shell-")
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the shell's stand-in: %w", err)
	}
	s := &standin{dir: dir}
	if err := os.Symlink(exe, s.path()); err != nil {
		s.close()
		return nil, fmt.Errorf("cannot prepare the shell's stand-in: %w", err)
	}
	s.ln, err = net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, standinSocket), Net: "unix"})
	if err != nil {
		s.close()
		return nil, fmt.Errorf("cannot prepare the shell's stand-in: %w", err)
	}
	return s, nil
}

func (s *standin) path() string { return filepath.Join(s.dir, StandinName) }

// serve gives the address to the one process and holds its connection until
// done is closed.
func (s *standin) serve(address string, done <-chan struct{}) {
	defer s.close()
	go func() { <-done; s.ln.Close() }()
	c, err := s.ln.AcceptUnix()
	if err != nil {
		return
	}
	defer c.Close()
	if peer(c) != os.Getuid() {
		return
	}
	if _, err := c.Write([]byte(address + "\n")); err != nil {
		return
	}
	<-done
}

func (s *standin) close() {
	if s.ln != nil {
		s.ln.Close()
	}
	os.RemoveAll(s.dir)
}

// peer is the uid at a socket's other end; -1 when the kernel does not say.
func peer(c *net.UnixConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1
	}
	uid := -1
	raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid
}

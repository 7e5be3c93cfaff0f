// Package stage is the terminal's outer display: the X server that the shell
// and the session are seen on, its small window manager, and what a person's
// hands did on it. The shell always fills the screen; the session is drawn
// into one window below the shell's bar, which is shown or taken away.
package stage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// startDeadline is how long a server may take to name its display.
	startDeadline = 20 * time.Second
	// stopGrace is how long a server may take to end by itself.
	stopGrace = 2 * time.Second
	socketDir = "/tmp/.X11-unix"
)

// ServerConfig says which display the terminal is shown on.
type ServerConfig struct {
	Kind          string // "auto", "xephyr", "xvfb", "xorg", or ":N" for one that runs already
	Width, Height int    // pixels; Xorg takes the screen's own
	Dir           string // folder for authority files and Xorg's configuration; only its owner may write there
	UID           int    // whom the server runs as, when we are root; Xorg stays root
	Clients       []int  // uids that may connect: each gets an authority file of its own
	Log           *slog.Logger
}

// Server is an X server that is ours, or one that ran already.
type Server struct {
	display string
	kind    string
	dir     string
	done    chan struct{}
	err     error
	stop    chan struct{}
	log     *slog.Logger
}

// Start starts the outer display and returns when it takes connections. The
// server ends with Stop, with ctx, or with this process.
func Start(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	kind, why, err := choose(cfg.Kind, os.Getenv("DISPLAY"))
	if err != nil {
		return nil, err
	}
	s := &Server{kind: kind, dir: cfg.Dir, done: make(chan struct{}), stop: make(chan struct{}), log: cfg.Log}
	if strings.HasPrefix(kind, ":") {
		s.display = kind
		close(s.done)
		s.err = errors.New("the display is not ours")
		cookie, err := cookieFor(outerAuthority(), displayNumber(kind))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		cfg.Log.Info("outer display", "kind", "existing", "display", kind, "why", why)
		return s, cfg.admit(cookie)
	}
	cookie := make([]byte, cookieLen)
	rand.Read(cookie)
	if err := cfg.admit(cookie); err != nil {
		return nil, err
	}
	for number := firstDisplay; ; number++ {
		if number > lastDisplay {
			return nil, errors.New("cannot start the display: no display number is free; stop X servers that nobody uses")
		}
		if inUse(number) {
			continue
		}
		cmd, err := cfg.command(kind, cookie, number)
		if err != nil {
			return nil, err
		}
		if err := s.run(ctx, cmd, number, cookie); err == nil {
			break
		} else if !errors.Is(err, errTaken) {
			return nil, err
		}
	}
	cfg.Log.Info("outer display", "kind", kind, "display", s.display, "why", why)
	sweepLocks(cfg.UID)
	return s, nil
}

// sweepLocks removes what servers of this account left that were killed
// together with whoever started them.
func sweepLocks(uid int) {
	for number := firstDisplay; number <= lastDisplay; number++ {
		i, err := os.Lstat(lockPath(number))
		if err != nil {
			continue
		}
		if st, ok := i.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid && lockHolder(number) == 0 {
			os.Remove(filepath.Join(socketDir, "X"+strconv.Itoa(number)))
			os.Remove(lockPath(number))
		}
	}
}

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
	path := filepath.Join(socketDir, "X"+strconv.Itoa(number))
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

var displayName = regexp.MustCompile(`^:[0-9]{1,5}$`)

// choose settles "auto", and says why for the log.
func choose(kind, display string) (string, string, error) {
	switch {
	case kind == "auto" || kind == "":
		if display != "" {
			return "xephyr", "a window in the display " + display, nil
		}
		return "xvfb", "there is no display here: nothing is seen but the remote view", nil
	case kind == "xephyr" && display == "":
		return "", "", errors.New(`cannot open a window for the terminal: DISPLAY is not set; set display = "xvfb"`)
	case kind == "xephyr", kind == "xvfb", kind == "xorg", displayName.MatchString(kind):
		return kind, "configured", nil
	}
	return "", "", fmt.Errorf(`cannot show the terminal on %q: display takes "auto", "xephyr", "xvfb", "xorg" or ":N"`, kind)
}

func displayNumber(display string) string {
	_, n, _ := strings.Cut(display, ":")
	n, _, _ = strings.Cut(n, ".")
	return n
}

// admit writes one authority file for each client.
func (cfg ServerConfig) admit(cookie []byte) error {
	for _, uid := range cfg.Clients {
		if err := writeAuthority(AuthorityPath(cfg.Dir, uid), cookie, uid); err != nil {
			return err
		}
	}
	return nil
}

// AuthorityPath is the file that holds uid's cookie for a server of dir.
func AuthorityPath(dir string, uid int) string {
	return filepath.Join(dir, "authority."+strconv.Itoa(uid))
}

// command builds the server's command line out of constants of ours.
func (cfg ServerConfig) command(kind string, cookie []byte, number int) (*exec.Cmd, error) {
	uid := cfg.UID
	if kind == "xorg" || os.Getuid() != 0 {
		uid = os.Getuid()
	}
	auth := filepath.Join(cfg.Dir, "server.authority")
	if err := writeAuthority(auth, cookie, uid); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		// A server without root's rights cannot make the folder as it must be.
		if err := os.Mkdir(socketDir, 0o1777); err == nil {
			os.Chmod(socketDir, 0o1777|os.ModeSticky)
		}
	}
	// "local" is the abstract socket: it would be reachable from every mount
	// namespace, which the socket in a folder is not.
	args := []string{":" + strconv.Itoa(number), "-auth", auth, "-nolisten", "tcp", "-nolisten", "local", "-noreset"}
	size := fmt.Sprintf("%dx%d", cfg.Width, cfg.Height)
	env := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/nonexistent"}
	name := ""
	switch kind {
	case "xvfb":
		name = "Xvfb"
		args = append(args, "-screen", "0", size+"x24")
	case "xephyr":
		name = "Xephyr"
		args = append(args, "-screen", size, "-title", "Borne", "-no-host-grab")
		outer := filepath.Join(cfg.Dir, "desktop.authority")
		if err := cfg.borrow(outer, uid); err != nil {
			return nil, err
		}
		env = append(env, "DISPLAY="+os.Getenv("DISPLAY"), "XAUTHORITY="+outer)
	case "xorg":
		name = "Xorg"
		conf := filepath.Join(cfg.Dir, "xorg.conf.d")
		if err := os.MkdirAll(conf, 0o755); err != nil {
			return nil, fmt.Errorf("cannot write Xorg's configuration: %w", err)
		}
		if err := os.WriteFile(filepath.Join(conf, "10-borne.conf"), []byte(xorgConf), 0o644); err != nil {
			return nil, fmt.Errorf("cannot write Xorg's configuration: %w", err)
		}
		args = append(args, "-novtswitch", "-configdir", conf, "-background", "none", "-s", "0", "-dpms")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("cannot start the display: %s is not installed; install the package that has it (apt-get install xvfb xserver-xephyr xserver-xorg-core): %w", name, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if uid != os.Getuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	return cmd, nil
}

// borrow copies the desktop's cookie for the server's uid.
func (cfg ServerConfig) borrow(to string, uid int) error {
	cookie, err := cookieFor(outerAuthority(), displayNumber(os.Getenv("DISPLAY")))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if cookie == nil {
		// A desktop may admit by user instead: let it decide.
		return os.RemoveAll(to)
	}
	return writeAuthority(to, cookie, uid)
}

// xorgConf takes from the keyboard what would leave the terminal: the console
// switch (Ctrl+Alt+F1), the kill (Ctrl+Alt+Backspace) and blanking.
const xorgConf = `Section "ServerFlags"
	Option "DontVTSwitch" "true"
	Option "DontZap" "true"
	Option "DontZoom" "true"
	Option "AllowMouseOpenFail" "true"
	Option "BlankTime" "0"
	Option "StandbyTime" "0"
	Option "SuspendTime" "0"
	Option "OffTime" "0"
EndSection
`

// run starts cmd and waits until it takes connections. The thread that starts
// a process is the parent that PDEATHSIG watches, so one thread stays with the
// server for as long as it runs.
func (s *Server) run(ctx context.Context, cmd *exec.Cmd, number int, cookie []byte) error {
	var said tail
	cmd.Stderr = &said
	started := make(chan error, 1)
	done := make(chan struct{})
	s.done, s.display = done, ":"+strconv.Itoa(number)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			err = cmd.Wait()
			tidy(number, cmd.Process.Pid)
		}
		s.err = fmt.Errorf("cannot use the display any longer: its server ended: %w", errors.Join(err, said.err()))
		close(done)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start the display: %w", err)
	}
	go s.end(ctx, cmd.Process, done, s.stop)
	limit, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	for {
		x, err := connect(limit, s.display, cookie)
		if err == nil {
			x.Close()
			if holder := lockHolder(number); holder != cmd.Process.Pid {
				err = errTaken // it is the other one that answers
				s.Stop()
				s.stop = make(chan struct{})
			}
			return err
		}
		select {
		case <-done:
			// A lock that is still there is not ours. Its holder may be dead: an account
			// that is not its owner cannot take it over, and the next number will do.
			if _, err := os.Lstat(lockPath(number)); err == nil {
				return errTaken
			}
			return fmt.Errorf("cannot start the display with %s: %w", filepath.Base(cmd.Path), s.err)
		case <-limit.Done():
			s.Stop()
			return fmt.Errorf("cannot start the display: %s takes no connection (%v): %w", filepath.Base(cmd.Path), limit.Err(), s.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tidy removes what a killed server leaves: others would take its number for
// used.
func tidy(number, pid int) {
	b, err := os.ReadFile(lockPath(number))
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(pid) {
		return
	}
	os.Remove(filepath.Join(socketDir, "X"+strconv.Itoa(number)))
	os.Remove(lockPath(number))
}

// end stops the server by its pid: by asking, then by force.
func (s *Server) end(ctx context.Context, p *os.Process, done, stop chan struct{}) {
	select {
	case <-done:
		return
	case <-ctx.Done():
	case <-stop:
	}
	p.Signal(syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(stopGrace):
		p.Kill()
	}
}

// Display is the server's address, ":N".
func (s *Server) Display() string { return s.display }

// Kind is what Start chose: "xvfb", "xephyr", "xorg" or ":N".
func (s *Server) Kind() string { return s.kind }

// Authority is the authority file of one of the clients that Start was given.
func (s *Server) Authority(uid int) string { return AuthorityPath(s.dir, uid) }

// Done is closed when the server has ended; of a display that ran already it
// is nil, since nobody tells us.
func (s *Server) Done() <-chan struct{} {
	if strings.HasPrefix(s.kind, ":") {
		return nil
	}
	return s.done
}

// Err says why the server ended; it may be called once Done is closed.
func (s *Server) Err() error { return s.err }

// Stop ends the server and waits for its end. It may be called more than once,
// from one goroutine.
func (s *Server) Stop() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	<-s.done
}

// tail keeps the last words of a server, for its error message.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - 2048; n > 0 {
		t.b = t.b[n:]
	}
	return len(p), nil
}

// err may be asked once the server has ended.
func (t *tail) err() error {
	if s := strings.TrimSpace(string(t.b)); s != "" {
		return errors.New(s)
	}
	return nil
}

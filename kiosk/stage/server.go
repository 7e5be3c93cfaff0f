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
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"borne/kiosk/x11"

	"golang.org/x/sys/unix"
)

const (
	// startDeadline is how long a server may take to name its display.
	startDeadline = 20 * time.Second
	// stopGrace is how long a server may take to end by itself.
	stopGrace = 2 * time.Second
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
		cookie, err := x11.Cookie(outerAuthority(), x11.Number(kind))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		cfg.Log.Info("outer display", "kind", "existing", "display", kind, "why", why)
		return s, cfg.admit(cookie)
	}
	cookie := make([]byte, x11.CookieLen)
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
			os.Remove(filepath.Join(x11.Sockets, "X"+strconv.Itoa(number)))
			os.Remove(lockPath(number))
		}
	}
}

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
	case kind == "xephyr", kind == "xvfb", kind == "xorg", x11.IsDisplay(kind):
		return kind, "configured", nil
	}
	return "", "", fmt.Errorf(`cannot show the terminal on %q: display takes "auto", "xephyr", "xvfb", "xorg" or ":N"`, kind)
}

// admit writes one authority file for each client.
func (cfg ServerConfig) admit(cookie []byte) error {
	for _, uid := range cfg.Clients {
		if err := x11.WriteAuthority(AuthorityPath(cfg.Dir, uid), cookie, uid); err != nil {
			return err
		}
	}
	return nil
}

// AuthorityPath is the file that holds uid's cookie for a server of dir.
func AuthorityPath(dir string, uid int) string {
	return filepath.Join(dir, "authority."+strconv.Itoa(uid))
}

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
		// Never unlocked: what this thread gives up, no other work may lack.
		runtime.LockOSThread()
		var err error
		if s.kind != "xorg" { // which may be started by a set-uid wrapper
			if err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				err = fmt.Errorf("cannot give up privileges: %w", err)
			}
		}
		if err == nil {
			err = cmd.Start()
		}
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
		x, err := x11.Connect(limit, s.display, cookie)
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

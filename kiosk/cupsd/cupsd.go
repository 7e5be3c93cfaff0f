// Package cupsd runs a private cupsd for a printer that knows neither IPP nor
// PDF, so that kiosk/printer can speak to it as to any other. It leaves nothing:
// all it writes lies in one folder in memory, no file of a job and no history is
// kept, nothing is logged, and the folder is emptied before and after.
//
// Who runs it: the agent, as a child with the agent's own uid. cupsd gives up a
// root's rights only for its filters and keeps them itself; without them it does
// all that one queue needs. So documents pass, for as long as they print, through
// memory that the agent's uid may read. That is what such a printer costs: with
// one that speaks IPP, only the session's press sees a document.
//
// A service that runs so needs, for cups+usb, AF_NETLINK among its address
// families and the device itself (char-usb_device); for cups+parallel, the device.
//
// Counts are guesses: the queue hands over a stream and hears of no paper.
package cupsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Events is the number of the subscription that tells how jobs ended: with no
// history, nothing else does. It is printer.Target's Queue.
const Events = 1

const (
	queue     = "borne"
	startTime = 20 * time.Second // until it answers
	stopTime  = 5 * time.Second  // until it is killed
	goneTime  = 5 * time.Second  // until what it started is gone
	firstRest = time.Second      // before it is started again
	longRest  = time.Minute
)

// Config is one queue.
type Config struct {
	Dir     string            // in memory; the package's own: all in it is removed
	Printer string            // cups+…, see Device
	Driver  string            // path of a PPD; DefaultDriver when empty
	Options map[string]string // choices of that PPD: "OptionDuplex": "True" for a printer with a duplexer
	Log     *slog.Logger      // that it ended, and nothing of jobs; nil: nowhere
}

// DefaultDriver speaks PCL 6, as most office printers without IPP do, in black.
// Its package, cups-filters, has pxlcolor.ppd beside it.
const DefaultDriver = "/usr/share/ppd/cupsfilters/pxlmono.ppd"

// Errors of Start.
var (
	ErrNotMemory = errors.New("not in memory: name a folder on a tmpfs, such as below /run")
	ErrRoot      = errors.New("cupsd would run as root: start the agent as its own user")
	ErrMissing   = errors.New("cupsd is missing: install the packages cups and cups-filters")
)

// Server is a running cupsd. When it ends by itself, it is started again with
// everything emptied.
type Server struct {
	cfg  Config
	bin  string
	ppd  []byte
	log  *slog.Logger
	stop context.CancelFunc
	done chan struct{} // closed when nothing is left
}

// Start empties the folder, ends what an earlier one left running, and starts
// cupsd; ctx bounds the start. Close ends it.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s, err := prepare(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot start the print queue: %w", err)
	}
	p, err := s.begin(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start the print queue: %w", err), s.clear())
	}
	alive, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan struct{})
	go s.keep(alive, p)
	return s, nil
}

func prepare(cfg Config) (*Server, error) {
	if os.Geteuid() == 0 {
		return nil, ErrRoot
	}
	if !filepath.IsAbs(cfg.Dir) || filepath.Clean(cfg.Dir) != cfg.Dir || !plain(cfg.Dir) {
		return nil, errors.New("the folder's name is no plain whole path")
	}
	if len(socket(cfg.Dir)) >= len(unix.RawSockaddrUnix{}.Path) {
		return nil, errors.New("the folder's path is too long for a socket in it")
	}
	dev, err := Device(cfg.Printer)
	if err != nil {
		return nil, err
	}
	bin, err := look()
	if err != nil {
		return nil, err
	}
	if err := backend(dev); err != nil {
		return nil, err
	}
	if cfg.Driver == "" {
		cfg.Driver = DefaultDriver
	}
	ppd, err := driver(cfg.Driver, cfg.Options)
	if err != nil {
		return nil, err
	}
	if err := inMemory(cfg.Dir); err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, bin: bin, ppd: ppd, log: log}, nil
}

// Installed tells whether there is a cupsd to start: nil, or ErrMissing.
func Installed() error {
	_, err := look()
	return err
}

func look() (string, error) {
	for _, name := range []string{"cupsd", "/usr/sbin/cupsd"} { // PATH of a service may lack it
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// backends is where CUPS has the programs that speak to printers.
const backends = "/usr/lib/cups/backend"

// backend looks for the one of a device. Debian lets only root run those for which
// its cupsd keeps a root's rights (usb, lpd): ours has none to keep.
func backend(dev string) error {
	name, _, _ := strings.Cut(dev, ":")
	path := filepath.Join(backends, name)
	err := unix.Access(path, unix.X_OK)
	if errors.Is(err, unix.EACCES) {
		return fmt.Errorf("cannot run %s: only root may; allow it with dpkg-statoverride --update --add root root 0755 %s-available/%s", path, backends, name)
	}
	if err != nil {
		return fmt.Errorf("cannot run %s: %w; install the packages cups and cups-filters", path, err)
	}
	return nil
}

// inMemory refuses a folder whose files would reach a disk. It makes the folder.
func inMemory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make its folder: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("cannot tell where %s lies: %w", dir, err)
	}
	if t := int64(fs.Type); t != unix.TMPFS_MAGIC && t != unix.RAMFS_MAGIC {
		return errors.Join(fmt.Errorf("%s is %w", dir, ErrNotMemory), os.Remove(dir))
	}
	return nil
}

// URI is the queue's address. Its host is nobody's: Dial goes there.
func (s *Server) URI() string { return "ipp://localhost/printers/" + queue }

// Dial connects to it: a printer.DialFunc.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) { return Dial(ctx, s.cfg.Dir) }

// Dial connects to the cupsd that works in dir, if one does.
func Dial(ctx context.Context, dir string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket(dir))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the print queue: %w", err)
	}
	return c, nil
}

func socket(dir string) string { return filepath.Join(dir, "sock") }

// Close stops what prints, ends cupsd and removes its folder.
func (s *Server) Close() error {
	s.stop()
	<-s.done
	return s.clear()
}

// keep starts cupsd again whenever it ends by itself.
func (s *Server) keep(ctx context.Context, p *process) {
	defer close(s.done)
	for pause, begun := firstRest, time.Now(); ; {
		select {
		case <-ctx.Done():
			p.end()
			return
		case <-p.ended:
		}
		s.log.Warn("the print queue ended, and is started again")
		if time.Since(begun) > longRest {
			pause = firstRest
		}
		for p = nil; p == nil; pause = min(2*pause, longRest) {
			if !rest(ctx, pause) {
				return
			}
			var err error
			if p, err = s.begin(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("the print queue does not start", "error", err)
			}
		}
		begun = time.Now()
	}
}

func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// clear ends what still runs and removes all that was written.
func (s *Server) clear() error {
	return errors.Join(endLeft(s.cfg.Dir), os.RemoveAll(s.cfg.Dir))
}

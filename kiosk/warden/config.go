package warden

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"borne/controller/policy"
	"borne/kiosk/sandbox"
)

// Config says how the role runs on this machine. Zero values get defaults
// where one is named.
type Config struct {
	State         string       // folder that outlives a restart; the warden's part is State/warden
	Run           string       // folder on a tmpfs, such as /run/borne
	UIDBase       int          // first of 110 uids that are nobody else's; default 61000
	Net           netip.Prefix // IPv4 /24 for the sandboxes' links; default 10.213.0.0/24
	Resolver      netip.Addr   // DNS server for sandboxes; default: the machine's own
	Chromium      string       // the program itself; default /usr/lib/chromium/chromium
	Display       Display      // the outer X server; an empty Name means: no display
	Agent         Agent        // the agent; the zero value starts none
	DNS           []string     // arguments that make this program the resolver of one sandbox; none starts none, and no name resolves
	Press         []string     // arguments that make this program the print role; none starts none, nor the two that follow
	Count         []string     // … the role that counts documents for it
	Preview       []string     // … the role that shows their first pages
	Self          []string     // argv that runs InitMain; default: this binary, InitRole
	Programs      Programs     // what runs in a sandbox; default: X server, window manager, browser
	ShellPrograms Programs     // what runs for the shell; default: one browser
	// Plan works out what a policy asks for; nil: no standby can be made.
	Plan func(p policy.Policy, ask sandbox.Prepare) (Plan, error)
	// Line sets the terminal's cable and Wi-Fi; nil: they are as they were installed.
	Line   func(context.Context, policy.Line) error
	Places []string             // where an examination looks for files; default Places()
	Beat   func(shown bool)     // called at each beat of the agent; nil: nobody cares
	Ports  func(open bool)      // called when staff put the terminal out of service, and when that ends; nil: nobody cares
	News   <-chan sandbox.Event // what others see that the agent should hear of; nil: nothing
	Clock  Waker                // that can start the machine; nil: it is never switched off
	Build  string
	Sim    bool
	Log    *slog.Logger // default: discard

	passwd, subuid string // whose accounts must be spared; default: the machine's
}

// Display is the outer X server, which the shell and the sandboxes' displays
// are drawn on.
type Display struct {
	Name      string // ":7"
	Authority string // Xauthority file that holds its cookie
}

// number returns the display's number.
func (d Display) number() (int, error) {
	var n int
	if _, err := fmt.Sscanf(d.Name, ":%d", &n); err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("cannot use display %.40q: want :N on this machine", d.Name)
	}
	return n, nil
}

func (d Display) socket() string {
	n, _ := d.number()
	return fmt.Sprintf("/tmp/.X11-unix/X%d", n)
}

// Places lists the folders, beside State and Run, where an examination looks
// for files: every place where an ordinary uid may usually write.
func Places() []string {
	return []string{"/tmp", "/var/tmp", "/dev/shm", "/run", "/home", "/var/lib", "/var/spool", "/var/cache", "/var/log", "/var/crash", "/media", "/mnt", "/srv"}
}

// Uids of a terminal, from Config.UIDBase on.
const (
	offAgent     = 0
	offShell     = 1
	offDisplay   = 2 // the outer X server
	offBrowsers  = 10
	offDisplays  = 30
	offPresses   = 50
	offResolvers = 70
	offCounters  = 90
	slots        = 20
	uidCount     = 110
)

func (c Config) withDefaults() (Config, error) {
	if c.UIDBase == 0 {
		c.UIDBase = 61000
	}
	if !c.Net.IsValid() {
		c.Net = netip.MustParsePrefix("10.213.0.0/24")
	}
	if c.Chromium == "" {
		c.Chromium = "/usr/lib/chromium/chromium"
	}
	if len(c.Self) == 0 {
		c.Self = []string{"/proc/self/exe", InitRole}
	}
	if c.Programs == nil {
		c.Programs = browserPrograms
	}
	if c.ShellPrograms == nil {
		c.ShellPrograms = shellPrograms
	}
	if c.Places == nil {
		c.Places = Places()
	}
	if c.passwd == "" {
		c.passwd = "/etc/passwd"
	}
	if c.subuid == "" {
		c.subuid = "/etc/subuid"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case !filepath.IsAbs(c.State) || !filepath.IsAbs(c.Run):
		return c, fmt.Errorf("cannot start: state %q and run %q must be absolute paths", c.State, c.Run)
	case c.UIDBase < 1000 || c.UIDBase > 1<<30:
		return c, fmt.Errorf("cannot start: uid_base %d is not between 1000 and %d", c.UIDBase, 1<<30)
	case !c.Net.Addr().Is4() || c.Net.Bits() > 24:
		return c, fmt.Errorf("cannot start: net %s must be an IPv4 /24 that is used nowhere else", c.Net)
	case os.Geteuid() != 0:
		return c, errors.New("cannot start: this role must run as root; start it with sudo or as a service")
	}
	if c.Display.Name != "" {
		if _, err := c.Display.number(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// tag names this instance, so that several run on one machine.
func (c Config) tag() string {
	h := sha256.Sum256([]byte(filepath.Clean(c.State)))
	return hex.EncodeToString(h[:3])
}

// mark begins the source of each tmpfs of this instance's sandboxes.
func (c Config) mark() string { return "borne-" + c.tag() + "-" }

func (c Config) pool() uidRange {
	return uidRange{c.UIDBase + offBrowsers, c.UIDBase + offCounters + slots - 1}
}

func (c Config) all() uidRange { return uidRange{c.UIDBase, c.UIDBase + uidCount - 1} }

// makeStateDir makes the warden's folder. The agent passes through state to its
// own folder in it.
func makeStateDir(state string) error {
	err := os.MkdirAll(state, 0o755)
	if err == nil {
		err = os.MkdirAll(state+"/warden", 0o700)
	}
	if err != nil {
		return fmt.Errorf("cannot make the state folder: %w", err)
	}
	return nil
}

// lockWait is how long a start waits for the lock of one that was killed.
const lockWait = time.Second

// lock keeps a second warden off the same state folder.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir+"/lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the state folder: %w", err)
	}
	// What a killed warden was just starting holds the lock for a moment more.
	limit := time.Now().Add(lockWait)
	for err = unix.EWOULDBLOCK; errors.Is(err, unix.EWOULDBLOCK); time.Sleep(10 * time.Millisecond) {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil || time.Now().After(limit) {
			break
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot use state folder %s: another warden runs on it; stop that one first, or give this one another folder", dir)
		}
		return nil, fmt.Errorf("cannot lock state folder %s: %w", dir, err)
	}
	return f, nil
}

// systemResolver reads the machine's DNS server, which may be on loopback: the
// sandboxes' resolvers live in the machine's network.
func systemResolver(paths ...string) (netip.Addr, error) {
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || len(b) > 64<<10 {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 2 || f[0] != "nameserver" {
				continue
			}
			if a, err := netip.ParseAddr(f[1]); err == nil && a.Is4() && !a.IsUnspecified() {
				return a, nil
			}
		}
	}
	return netip.Addr{}, errors.New("cannot find a DNS server: set resolver in the configuration to an IPv4 address")
}

func numCPU() int { return runtime.NumCPU() }

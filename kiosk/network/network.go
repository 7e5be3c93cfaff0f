// Package network sets the terminal's cable and Wi-Fi as its rules say, through
// NetworkManager, which Raspberry Pi OS has from Bookworm on, as Debian's desktop:
// it renders connection profiles (nm-settings-keyfile(5)) into a folder, each
// whole or not at all, and has NetworkManager read and take them. Profiles that
// are not ours are left alone: with a lower priority they are what NetworkManager
// falls back to.
//
// Secrets are in no rules, which every terminal of a place gets, and which backups
// and histories hold. Each lies in a file of the terminal, by the name that the
// rules give; only root reads it, and no error or log repeats it. The profiles
// hold it as NetworkManager wants it: only root reads these either.
//
// Where there is no NetworkManager the network is as it was installed: rules that
// want something else of it are an error, and the terminal keeps those before.
package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"borne/controller/policy"
)

// ErrAbsent reports that there is no NetworkManager here.
var ErrAbsent = errors.New("there is no NetworkManager here (nmcli is not found)")

// Config says where things lie. Dir and Secrets are required.
type Config struct {
	Dir     string // of profiles: /etc/NetworkManager/system-connections
	Secrets string // folder of the terminal's secrets, and of the authorities that we write
	Tool    string // nmcli; "": where PATH says
	Log     *slog.Logger
}

// Setter sets the line. Its calls must not overlap.
type Setter struct{ cfg Config }

// New makes one; nothing is looked at before Set.
func New(c Config) *Setter {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Setter{c}
}

// Names of what is ours.
const (
	prefix = "borne-"
	suffix = ".nmconnection"
	cable  = "borne-cable"
	wifi   = "borne-wifi"
)

const (
	toolWithin = 45 * time.Second
	upWithin   = "30" // seconds that NetworkManager has to bring a connection up
	maxSaid    = 300  // bytes of what the tool says
)

// Set has the line as the rules say. What is so already stays untouched, also the
// connection in use; after an error it may be partly set, and Set puts it right.
func (s *Setter) Set(ctx context.Context, l policy.Line) error {
	want, authorities, err := s.render(l)
	if err != nil {
		return err
	}
	have, err := s.ours()
	if err != nil {
		return err
	}
	// Profiles are written before they are in use: whoever was cut off or refused in
	// between has them on the disk, and another network in the air.
	unsure := s.pending()
	var changed, gone []string
	for name, text := range want {
		if unsure || !bytes.Equal(have[name], text) {
			changed = append(changed, name)
		}
	}
	for name := range have {
		if want[name] == nil {
			gone = append(gone, name)
		}
	}
	if len(changed)+len(gone) == 0 && !unsure {
		return nil
	}
	tool, err := s.tool()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.cfg.Secrets, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of secrets: %w", err)
	}
	for name, text := range authorities {
		if err := write(filepath.Join(s.cfg.Secrets, name), text); err != nil {
			return err
		}
	}
	if err := write(s.mark(), []byte("1\n")); err != nil {
		return err
	}
	slices.Sort(changed)
	for _, name := range changed {
		if err := write(filepath.Join(s.cfg.Dir, name+suffix), want[name]); err != nil {
			return err
		}
	}
	for _, name := range gone {
		if err := os.Remove(filepath.Join(s.cfg.Dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot take a connection's profile away: %w", err)
		}
	}
	if err := syncDir(s.cfg.Dir); err != nil {
		return err
	}
	if err := run(ctx, tool, "connection", "reload"); err != nil {
		return err
	}
	var failed []error // a cable that is not plugged in does not keep the Wi-Fi away
	for _, name := range changed {
		failed = append(failed, run(ctx, tool, "--wait", upWithin, "connection", "up", "id", name))
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if err := os.Remove(s.mark()); err != nil {
		return fmt.Errorf("cannot note that the network is set: %w", err)
	}
	s.forget(authorities)
	s.cfg.Log.Info("cable and Wi-Fi are as the rules say", "set", changed, "taken away", gone)
	return nil
}

// mark is a file that is there while profiles may be on the disk and not in use.
func (s *Setter) mark() string { return filepath.Join(s.cfg.Secrets, ".pending") }

func (s *Setter) pending() bool {
	_, err := os.Stat(s.mark())
	return err == nil
}

// forget takes authorities away that no profile names any more.
func (s *Setter) forget(kept map[string][]byte) {
	found, err := filepath.Glob(filepath.Join(s.cfg.Secrets, authority+prefix+"*"+pemSuffix))
	if err != nil {
		return // the pattern is ours
	}
	for _, path := range found {
		if kept[filepath.Base(path)] == nil {
			if err := os.Remove(path); err != nil {
				s.cfg.Log.Warn("an authority that is no longer named stays", "error", err)
			}
		}
	}
}

// ours are the profiles of ours that are there, by name.
func (s *Setter) ours() (map[string][]byte, error) {
	all := map[string][]byte{}
	found, err := filepath.Glob(filepath.Join(s.cfg.Dir, prefix+"*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("cannot look for the connections' profiles: %w", err)
	}
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read a connection's profile: %w", err)
		}
		all[strings.TrimSuffix(filepath.Base(path), suffix)] = b
	}
	return all, nil
}

func (s *Setter) tool() (string, error) {
	name := s.cfg.Tool
	if name == "" {
		name = "nmcli"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("cannot set the cable or the Wi-Fi: %w; install NetworkManager, or leave both out of the rules", ErrAbsent)
	}
	return path, nil
}

// run has nmcli do something. What it says holds no secret: it is given none.
func run(ctx context.Context, tool string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, toolWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limited{&said}, &limited{&said}
	if err := cmd.Run(); err != nil {
		text := strings.Join(strings.Fields(strings.ToValidUTF8(said.String(), "")), " ")
		return fmt.Errorf("cannot set the cable or the Wi-Fi: nmcli %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return nil
}

// limited keeps the first bytes.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), maxSaid-min(maxSaid, l.b.Len()))])
	return len(p), nil
}

// write makes a file whole or not at all, for root alone: NetworkManager passes
// by others, and by names that begin with a dot.
func write(path string, text []byte) (err error) {
	fail := func(err error) error { return fmt.Errorf("cannot write %s: %w", path, err) }
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fail(err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fail(err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot keep the connections' profiles: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("cannot keep the connections' profiles: %w", err)
	}
	return nil
}

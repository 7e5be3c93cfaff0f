// Package printertest has printers for tests: a real one (ippeveprinter of CUPS)
// whose engine fails when it is told to and says what really came out, and a Fake
// one for what the real one cannot do.
package printertest

import (
	"bytes"
	"context"
	_ "embed" // the engine
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed engine.sh
var engine []byte

// ErrMissing tells that this machine lacks a program: skip the test.
var ErrMissing = errors.New("a program is missing")

// patience bounds the wait for what must come; it is no measure.
const patience = 30 * time.Second

// Options are how a printer is.
type Options struct {
	Duplex  bool
	Colour  bool
	Formats string   // "application/pdf,image/jpeg" when empty
	Args    []string // more of ippeveprinter's, "-V", "1.1" for example
}

// Printer is a running ippeveprinter in a folder of its own.
type Printer struct {
	Dir  string
	port int
	opts Options
	bus  *exec.Cmd
	cmd  *exec.Cmd
	log  *os.File

	ended    chan struct{} // closed when cmd is gone
	busEnded chan struct{}
}

// Start starts a printer on a free port of the loopback interface.
func Start(o Options) (*Printer, error) {
	for _, name := range []string{"ippeveprinter", "dbus-daemon", "pdfinfo"} {
		if _, err := look(name); err != nil {
			return nil, fmt.Errorf("cannot start a test printer: %w: %s; run scripts/setup", ErrMissing, name)
		}
	}
	dir, err := os.MkdirTemp("", "printer")
	if err != nil {
		return nil, fmt.Errorf("cannot start a test printer: %w", err)
	}
	p := &Printer{Dir: dir, opts: o}
	if err := p.prepare(); err != nil {
		p.Close()
		return nil, fmt.Errorf("cannot start a test printer: %w", err)
	}
	// Between asking for a free port and taking it somebody else may.
	for range 5 {
		if p.port, err = freePort(); err == nil {
			if err = p.On(); err == nil {
				return p, nil
			}
		}
	}
	p.Close()
	return nil, fmt.Errorf("cannot start a test printer: %w", err)
}

// look finds a program, in the folders of root too.
func look(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
`

// prepare makes the folder and the bus: ippeveprinter waits for one, though
// nobody announces anything on it.
func (p *Printer) prepare() error {
	for _, d := range []string{"ctl", "out", "spool", "keys"} {
		if err := os.Mkdir(filepath.Join(p.Dir, d), 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(p.Dir, "engine"), engine, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.Dir, "bus.conf"), fmt.Appendf(nil, busConfig, p.Dir), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.Dir, "log"))
	if err != nil {
		return err
	}
	p.log = log
	p.bus = p.command("dbus-daemon", "--nofork", "--config-file="+filepath.Join(p.Dir, "bus.conf"))
	if p.busEnded, err = start(p.bus); err != nil {
		return err
	}
	return until(func() bool { _, err := os.Stat(filepath.Join(p.Dir, "bus")); return err == nil })
}

func (p *Printer) command(name string, args ...string) *exec.Cmd {
	path, _ := look(name)
	c := exec.Command(path, args...)
	c.Stdout, c.Stderr = p.log, p.log
	c.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+filepath.Join(p.Dir, "bus"), "TMPDIR="+p.Dir)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// start starts a program from a thread that stays until it ends: the signal of its
// parent's death comes when that thread ends (prctl(2)).
func start(c *exec.Cmd) (ended chan struct{}, err error) {
	ended = make(chan struct{})
	begun := make(chan error)
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		begun <- err
		if err == nil {
			c.Wait()
		}
	}()
	return ended, <-begun
}

// On switches the printer on, at the port it had before. Its memory is empty.
func (p *Printer) On() error {
	formats := p.opts.Formats
	if formats == "" {
		formats = "application/pdf,image/jpeg"
	}
	args := []string{"-r", "off", "-n", "localhost", "-p", strconv.Itoa(p.port), "-c", filepath.Join(p.Dir, "engine"),
		"-d", filepath.Join(p.Dir, "spool"), "-K", filepath.Join(p.Dir, "keys"), "-f", formats}
	if p.opts.Duplex {
		args = append(args, "-2")
	}
	if p.opts.Colour {
		args = append(args, "-s", "20,10")
	}
	cmd := p.command("ippeveprinter", append(append(args, p.opts.Args...), "Borne test")...)
	ended, err := start(cmd)
	if err != nil {
		return err
	}
	p.cmd, p.ended = cmd, ended
	err = until(func() bool {
		if p.gone() {
			return true
		}
		c, err := net.Dial("tcp", p.addr())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if p.gone() {
		return fmt.Errorf("ippeveprinter ended; its log says %q", p.Log())
	}
	return err
}

func (p *Printer) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Off cuts the printer's power. What its engine prints at that moment goes on.
func (p *Printer) Off() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		<-p.ended
		p.cmd = nil
	}
}

// Freeze makes the printer answer nobody, and Thaw lets it go on: what was sent
// meanwhile is still there.
func (p *Printer) Freeze() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *Printer) Thaw() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Close switches the printer off and removes its folder.
func (p *Printer) Close() error {
	p.Off()
	if p.busEnded != nil {
		p.bus.Process.Kill()
		<-p.busEnded
	}
	if p.log != nil {
		p.log.Close()
	}
	return os.RemoveAll(p.Dir)
}

func (p *Printer) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// URI is the printer's address.
func (p *Printer) URI() string { return "ipp://" + p.addr() + "/ipp/print" }

// SecureURI is its address with TLS.
func (p *Printer) SecureURI() string { return "ipps://" + p.addr() + "/ipp/print" }

// Log is the end of what ippeveprinter said.
func (p *Printer) Log() string {
	b, _ := os.ReadFile(filepath.Join(p.Dir, "log"))
	return string(b[max(0, len(b)-2000):])
}

// Output is what came out of the printer for one job.
type Output struct {
	Sides []string // "copy page[,page]"
	End   string   // printed, aborted, unreadable; "" while it prints
}

// Output tells what came out for a job so far; nothing for one it never began.
func (p *Printer) Output(job int) Output {
	path := filepath.Join(p.Dir, "out", strconv.Itoa(job))
	var o Output
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		o.Sides = append(o.Sides, strings.TrimSpace(line))
	}
	b, _ = os.ReadFile(path + ".end")
	o.End = string(bytes.TrimSpace(b))
	return o
}

// Jobs counts the jobs that the engine began.
func (p *Printer) Jobs() int { return p.JobsSince(time.Time{}) }

// JobsSince counts those that it has printed since then. A printer that was off
// counts its jobs from 1 again, and one of the same number takes the place of
// what was printed before.
func (p *Printer) JobsSince(then time.Time) int {
	all, _ := filepath.Glob(filepath.Join(p.Dir, "out", "*"))
	n := 0
	for _, f := range all {
		if fi, err := os.Stat(f); err == nil && !strings.Contains(filepath.Base(f), ".") && fi.ModTime().After(then) {
			n++
		}
	}
	return n
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func until(done func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return untilCtx(ctx, done)
}

// untilCtx looks again and again: the programs here tell nothing by themselves.
func untilCtx(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait any longer: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

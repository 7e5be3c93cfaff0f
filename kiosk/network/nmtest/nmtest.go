// Package nmtest has a real NetworkManager for tests, with a bus, a cable and a
// house's network of its own in namespaces of its own: it sees none of the host's
// devices, and the host sees none of it.
package nmtest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unpacked is where scripts/setup lays Debian's NetworkManager: it is unpacked and
// never installed, so that nothing of the host can start it.
const unpacked = "/var/cache/borne/networkmanager"

// The house's network: who answers there, and addresses for the terminal.
const (
	House      = "10.77.0.1"
	Controller = House + ":443"
	Installed  = "10.77.0.9/24" // by the profile that was there before ours
)

// inside says that this process is in the namespaces.
const inside = "BORNE_NMTEST_INSIDE"

// patience bounds the wait for what must come; it is no measure.
const patience = 30 * time.Second

//go:embed bus.conf
var bus []byte

//go:embed nm.conf
var conf []byte

//go:embed installed.nmconnection
var installed []byte

// Tool is a program of NetworkManager's; "" with the reason when there is none.
func Tool(name string) (path string, env []string, why string) {
	if found, err := exec.LookPath(name); err == nil {
		return found, nil, ""
	}
	for _, dir := range []string{"usr/sbin", "usr/bin"} {
		path := filepath.Join(unpacked, dir, name)
		if _, err := os.Stat(path); err == nil {
			libs, err := filepath.Glob(filepath.Join(unpacked, "usr/lib/*-linux-gnu*"))
			if err == nil && len(libs) > 0 {
				return path, []string{"LD_LIBRARY_PATH=" + strings.Join(libs, ":")}, ""
			}
		}
	}
	return "", nil, name + " is not here; run scripts/setup"
}

// Bed is a terminal's machine with one cable, which NetworkManager runs.
type Bed struct {
	Dir     string // of profiles
	Secrets string
	Nmcli   string
	t       *testing.T
}

// Enter runs the test that calls it again in namespaces of its own. It returns nil in
// the outer run, where there is nothing more to do, and the bed in the inner one.
func Enter(t *testing.T) *Bed {
	t.Helper()
	daemon, env, why := Tool("NetworkManager")
	nmcli, _, no := Tool("nmcli")
	switch {
	case why != "" || no != "":
		t.Skip("SKIP: ", why, no)
	case os.Getuid() != 0:
		t.Skip("SKIP: namespaces of the network need root")
	}
	check := exec.Command(daemon, "--version")
	check.Env = append(os.Environ(), env...)
	if out, err := check.CombinedOutput(); err != nil {
		t.Skipf("SKIP: NetworkManager does not run here: %v: %s", err, out)
	}
	if os.Getenv(inside) != "" {
		return begin(t, daemon, nmcli, env)
	}
	cmd := exec.Command("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
		os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // Pdeathsig is of the thread
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("SKIP: %s", out)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Fatalf("it did not run: %s", out)
	}
	t.Logf("%s", out)
	return nil
}

// begin makes the network of a house and its terminal, and starts NetworkManager.
func begin(t *testing.T, daemon, nmcli string, env []string) *Bed {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v: %s", name, args, err, out)
		}
	}
	// What is written to the machine's own places stays here; and a read-only /sys tells
	// NetworkManager that no udev will speak to it.
	for _, dir := range []string{"/run", "/var/lib"} {
		must(unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	}
	must(unix.Mount("sysfs", "/sys", "sysfs", unix.MS_RDONLY, ""))
	b := &Bed{Dir: "/run/profiles", Secrets: "/run/secrets", Nmcli: "/run/nmcli", t: t}
	for _, dir := range []string{"/run/dbus", "/run/NetworkManager", "/var/lib/NetworkManager", "/run/none", b.Dir, b.Secrets} {
		must(os.Mkdir(dir, 0o700))
	}
	must(os.WriteFile("/run/bus.conf", bus, 0o600))
	must(os.WriteFile("/run/nm.conf", conf, 0o600))
	must(os.WriteFile(filepath.Join(b.Dir, "installed.nmconnection"), installed, 0o600))
	must(os.WriteFile(b.Nmcli, fmt.Appendf(nil, "#!/bin/sh\nexec env %s %s \"$@\"\n", strings.Join(env, " "), nmcli), 0o700))

	house, err := newHouse()
	must(err)
	t.Cleanup(func() { house.Close() })
	run("ip", "link", "set", "lo", "up")
	run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "house")
	must(house.take())

	b.start("dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--nopidfile")
	b.until("the bus is there", func() bool { _, err := os.Stat("/run/dbus/system_bus_socket"); return err == nil })
	b.startWith(env, daemon, "--no-daemon", "--config=/run/nm.conf", "--config-dir=/run/none", "--state-file=/run/nm.state", "--pid-file=/run/nm.pid")
	b.until("NetworkManager has taken the profile that was there", func() bool { return b.Has(Installed) })
	return b
}

// start starts what dies with these namespaces.
func (b *Bed) start(name string, args ...string) { b.startWith(nil, name, args...) }

func (b *Bed) startWith(env []string, name string, args ...string) {
	b.t.Helper()
	log, err := os.CreateTemp("/run", "log")
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	log.Close()
	b.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if b.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			b.t.Logf("%s: %s", name, text[max(0, len(text)-6000):])
		}
	})
}

func (b *Bed) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// Has tells whether the cable has an address, 10.77.0.2/24.
func (b *Bed) Has(address string) bool {
	out, err := exec.Command("ip", "-4", "-o", "addr", "show", "dev", "cable").Output()
	return err == nil && strings.Contains(string(out), "inet "+address+" ")
}

// Ask asks nmcli.
func (b *Bed) Ask(args ...string) string {
	b.t.Helper()
	out, err := exec.Command(b.Nmcli, args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("nmcli %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Reach connects to the controller of the house, over the cable as it is now.
func (b *Bed) Reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", Controller)
	if err != nil {
		return err
	}
	return c.Close()
}

// house is the other end of the cable, in a namespace of its own.
type house struct {
	ns     *os.File
	listen net.Listener
}

func newHouse() (*house, error) {
	h := &house{}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			h.ns, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
	}()
	return h, <-made
}

// take takes its end of the cable, and answers as the controller.
func (h *house) take() error {
	if out, err := exec.Command("ip", "link", "set", "house", "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.ns.Fd())).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot move the cable's end: %w: %s", err, out)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET)
		for _, args := range []string{"addr add " + House + "/24 dev house", "link set house up"} {
			if err == nil {
				err = exec.Command("ip", strings.Fields(args)...).Run()
			}
		}
		if err == nil {
			h.listen, err = net.Listen("tcp4", Controller)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		return fmt.Errorf("cannot make the house's network: %w", err)
	}
	go func() {
		for {
			c, err := h.listen.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return nil
}

func (h *house) Close() error {
	var err error
	if h.listen != nil {
		err = h.listen.Close()
	}
	return errors.Join(err, h.ns.Close())
}

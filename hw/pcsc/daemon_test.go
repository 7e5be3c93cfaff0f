package pcsc

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain runs more tests at once than there are processors: each has a pcscd of
// its own, and waits for it nearly all the time.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" || f.Name == "test.fuzz" }) // a fuzzer's workers do work
	if !asked {
		if err := flag.Set("test.parallel", "16"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// patience is how long tests wait for a daemon that polls its reader twice a second,
// on a machine that does other things too.
const patience = 20 * time.Second

// daemon is a real pcscd with the virtual reader of vsmartcard. Its socket's path is
// compiled in, so that it has a /run of its own.
type daemon struct {
	t      *testing.T
	dir    string
	port   int
	socket string // a link, which follows restarts
	cmd    *exec.Cmd
	said   bytes.Buffer
}

func startDaemon(t *testing.T) *daemon {
	t.Helper()
	lib, err := filepath.Glob("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
	path, lookErr := exec.LookPath("pcscd")
	switch {
	case os.Getuid() != 0:
		t.Skip("SKIP: a private /run for pcscd needs root")
	case err != nil || lookErr != nil || len(lib) == 0:
		t.Skip("SKIP: pcscd or vsmartcard-vpcd is not installed (see scripts/setup)")
	}
	dir, err := os.MkdirTemp("", "pcscd") // not t.TempDir: a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: dir, socket: filepath.Join(dir, "comm"), port: freePorts(t)}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("pcscd said:\n%.8000s", d.said.String())
		}
		os.RemoveAll(dir)
	})
	if err := os.Mkdir(d.config(), 0o700); err != nil {
		t.Fatal(err)
	}
	d.plug()
	d.start(path)
	return d
}

// freePorts finds two ports in a row that nobody has: the virtual reader has two
// slots. They lie below those that the kernel gives to whoever asks for any
// (ip_local_port_range), or a connection of another test could take them before
// pcscd does; each is given once to the tests of this process.
func freePorts(t *testing.T) int {
	given.Lock()
	defer given.Unlock()
	for range 1000 {
		port := (20_000 + rand.IntN(10_000)) &^ 1
		if given.ports[port] {
			continue
		}
		free := true
		for _, p := range []int{port, port + 1} {
			ln, err := net.Listen("tcp", fmt.Sprintf(":%d", p))
			if free = free && err == nil; err == nil {
				ln.Close()
			}
		}
		if free {
			given.ports[port] = true
			return port
		}
	}
	t.Fatal("no two free ports in a row")
	return 0
}

// given are the ports of this run.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

func (d *daemon) config() string { return filepath.Join(d.dir, "reader.conf.d") }

// plug writes the virtual reader into pcscd's configuration, unplug takes it out.
func (d *daemon) plug() {
	text := fmt.Sprintf("FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x%X\nLIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\nCHANNELID 0x%X\n", d.port, d.port)
	if err := os.WriteFile(filepath.Join(d.config(), "vpcd"), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) unplug() {
	if err := os.Remove(filepath.Join(d.config(), "vpcd")); err != nil {
		d.t.Fatal(err)
	}
}

// start starts pcscd and waits until it takes clients.
func (d *daemon) start(path string) {
	d.t.Helper()
	d.cmd = exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`mount -t tmpfs -o size=1m none /run && mkdir /run/pcscd && exec "$0" --foreground --config "$1"`, path, d.config())
	d.cmd.Stdout, d.cmd.Stderr = &d.said, &d.said
	d.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	// The death signal is the thread's, not the process's.
	runtime.LockOSThread()
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Remove(d.socket); err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	if err := os.Symlink(fmt.Sprintf("/proc/%d/root/run/pcscd/pcscd.comm", d.cmd.Process.Pid), d.socket); err != nil {
		d.t.Fatal(err)
	}
	var c *client
	d.eventually("pcscd takes clients", func() (err error) {
		c, err = dial(d.t.Context(), d.socket, func() {})
		return err
	})
	c.close()
}

// kill ends pcscd as a crash does.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait() // it was killed: that is its error
	d.cmd = nil
}

func (d *daemon) restart() {
	d.t.Helper()
	d.kill()
	path, err := exec.LookPath("pcscd")
	if err != nil {
		d.t.Fatal(err)
	}
	d.start(path)
}

// eventually asks until there is no error.
func (d *daemon) eventually(what string, ask func() error) {
	d.t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = ask(); err == nil {
			return
		}
	}
	d.t.Fatalf("%s: never: %v", what, err)
}

// settle waits until pcscd says that a card is there, or not.
func (d *daemon) settle(present bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	c, err := dial(ctx, d.socket, func() {})
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.close()
	for {
		all, err := c.watch(ctx)
		if err != nil {
			d.t.Fatal(err)
		}
		if s, err := pick(all, Any); err != nil {
			d.t.Fatal(err)
		} else if s.present == present {
			return
		}
		if _, err := c.changed(ctx, patience); err != nil {
			d.t.Fatalf("pcscd never says present=%v: %v", present, err)
		}
	}
}

// card is a card on the virtual reader: vsmartcard's protocol, messages behind
// their length in two bytes, and commands of one byte.
type card struct {
	conn net.Conn
	over sync.WaitGroup
}

// storageATR is a memory card's (PC/SC part 3, 3.1.3.2.3).
func storageATR() []byte {
	return []byte{0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0, 0, 3, 6, 3, 0, 1, 0, 0, 0, 0, 0x6A}
}

// insert holds a card out; answer nil pulls it away in the middle of a command.
func (d *daemon) insert(answer func(apdu []byte) []byte) *card {
	d.t.Helper()
	var conn net.Conn
	d.eventually("the virtual reader listens", func() (err error) {
		conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.port))
		return err
	})
	k := &card{conn: conn}
	k.over.Go(func() { k.serve(answer) })
	d.t.Cleanup(k.pull)
	return k
}

func (k *card) serve(answer func([]byte) []byte) {
	defer k.conn.Close()
	for {
		b, err := readMessage(k.conn)
		if err != nil {
			return
		}
		var a []byte
		switch {
		case len(b) == 1 && b[0] == 4:
			a = storageATR()
		case len(b) <= 1: // power off, power on, reset
			continue
		default:
			if a = answer(b); a == nil {
				return
			}
		}
		if _, err := k.conn.Write(append([]byte{byte(len(a) >> 8), byte(len(a))}, a...)); err != nil {
			return
		}
	}
}

// pull takes the card away.
func (k *card) pull() {
	k.conn.Close()
	k.over.Wait()
}

// remove takes it away, and waits until pcscd has seen it.
func (d *daemon) remove(k *card) {
	d.t.Helper()
	k.pull()
	d.settle(false)
}

// uidCard answers with its UID, and to nothing else.
func uidCard(uid ...byte) func([]byte) []byte {
	return func(apdu []byte) []byte {
		if bytes.Equal(apdu, getUID()) {
			return append(bytes.Clone(uid), 0x90, 0x00)
		}
		return []byte{0x6D, 0x00}
	}
}

func readMessage(c net.Conn) ([]byte, error) {
	var h [2]byte
	if err := readFull(c, h[:]); err != nil {
		return nil, err
	}
	b := make([]byte, int(h[0])<<8|int(h[1]))
	return b, readFull(c, b)
}

func readFull(c net.Conn, b []byte) error {
	for n := 0; n < len(b); {
		m, err := c.Read(b[n:])
		if n += m; err != nil {
			return err
		}
	}
	return nil
}

// journal keeps log lines of a reader that runs beside the test.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) bytes() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.b.Bytes())
}

func (j *journal) has(s string) bool { return strings.Contains(string(j.bytes()), s) }

package count

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/confine"
	"borne/kiosk/peer"
	"borne/kiosk/sealed"

	"golang.org/x/sys/unix"
)

// The test program plays the roles of the real one, and some that go wrong.
const (
	measureRole = "measure"
	hangRole    = "hang"
	crashRole   = "crash"
	talkRole    = "talk"
	tryRole     = "try"
	askRole     = "ask"
)

func TestMain(m *testing.M) {
	if IsChild(os.Args) {
		os.Exit(ChildMain(os.Args, os.Stderr))
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case measureRole:
			os.Exit(measureMain(os.Args[2:]))
		case hangRole:
			select {}
		case crashRole:
			unix.Kill(os.Getpid(), unix.SIGSEGV)
			select {}
		case talkRole:
			os.Stdout.Write(bytes.Repeat([]byte("x"), 1<<20))
			os.Exit(0)
		case tryRole:
			os.Exit(tryMain(os.Args[2]))
		case askRole:
			os.Exit(askMain(os.Args[2], os.Args[3]))
		}
	}
	os.Exit(m.Run())
}

func self(role string) []string { return []string{"/proc/self/exe", role} }

// measured is what became of one child.
type measured struct {
	Out  []byte
	Err  string
	RSS  int64 // bytes
	Took time.Duration
}

// measureMain runs one child on a file. It is a small process of its own, as the
// counter is: at exec the kernel counts what the parent holds as the child's peak.
func measureMain(args []string) int {
	f, err := os.Open(args[0])
	if err != nil {
		return 1
	}
	s := &server{Config: Config{Self: self(ChildRole)}}
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	begin := time.Now()
	cmd := s.command(ctx, f, &out, args[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	m := measured{}
	if err := cmd.Run(); err != nil {
		m.Err = err.Error() + ": " + said.String()[:min(said.Len(), 300)]
	}
	m.Took = time.Since(begin)
	m.Out = out.Bytes()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.RSS = int64(u.Maxrss) << 10
	}
	json.NewEncoder(os.Stdout).Encode(m)
	return 0
}

func measure(t *testing.T, doc []byte, args ...string) measured {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doc")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command("/proc/self/exe", append([]string{measureRole, path}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var m measured
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// memory is doc as the press holds it.
func memory(t *testing.T, doc []byte) *os.File {
	t.Helper()
	f, err := sealed.Make("document", func(w io.Writer) error { _, err := w.Write(doc); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// counter starts a counter whose children play role.
func counter(t *testing.T, role string, wait time.Duration) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "count.sock")
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	ln, err := Listen(path, peer.UIDs{From: os.Getuid(), To: os.Getuid()}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, Config{Self: self(role), Deadline: wait, Log: log}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return Dial(path)
}

// attempts are what a child that was taken over would try.
var attempts = map[string]func() error{
	"socket":   func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
	"internet": func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err },
	"open":     func() error { _, err := unix.Open("/etc/hosts", unix.O_RDONLY, 0); return err },
	"create":   func() error { _, err := unix.Open("/tmp/x-of-a-child", unix.O_CREAT|unix.O_WRONLY, 0o600); return err },
	"exec":     func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
	"fork": func() error {
		_, _, e := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if e == 0 {
			return nil
		}
		return e
	},
	"ptrace": func() error { return unix.PtraceAttach(os.Getppid()) },
	"kill":   func() error { return unix.Kill(os.Getppid(), 0) },
	"executable": func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	},
	"limits":    func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) },
	"memfd":     func() error { _, err := unix.MemfdCreate("x", 0); return err },
	"unlink":    func() error { return unix.Unlink("/tmp/x-of-nobody") },
	"namespace": func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"key":       func() error { _, err := unix.KeyctlInt(0, 0, 0, 0, 0); return err },
}

// readers may open and exec: that is how poppler begins.
var readersMay = map[string]bool{"open": true, "exec": true, "executable": true}

// tryMain tells which of them it may do.
func tryMain(kind string) int {
	l := confine.Limits{Memory: childMemory, CPU: childCPU, Files: childFiles}
	do := confine.Alone
	if kind == "reader" {
		do = confine.Reader
	}
	if err := do(l); err != nil {
		fmt.Println(err)
		return 1
	}
	for name, try := range attempts {
		if kind == "reader" && readersMay[name] {
			continue
		}
		if err := try(); err == nil || err == unix.ENOENT {
			fmt.Printf("%s: %v\n", name, err)
		}
	}
	if kind != "reader" {
		// Memory ends before 200 MB, and the process with it.
		fmt.Println("end")
		var all [][]byte
		for range 300 {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
		}
		fmt.Println("held", len(all))
	} else {
		fmt.Println("end")
	}
	return 0
}

// askMain asks as another user.
func askMain(socket, path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	f, err := sealed.Make("document", func(w io.Writer) error { _, err := w.Write(b); return err })
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	format, n, err := Dial(socket).Count(ctx, f)
	fmt.Println(strings.TrimSpace(fmt.Sprint(format, n, err)))
	return 0
}

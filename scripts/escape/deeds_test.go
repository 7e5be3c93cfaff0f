package escape

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// deedX11 greets an X server: socket, then its cookie in hexadecimal or "-".
func deedX11(args []string) string {
	var cookie []byte
	if args[1] != "-" {
		cookie, _ = hex.DecodeString(args[1])
	}
	s, err := openScreen(args[0], cookie)
	if err != nil {
		return "refused: " + err.Error()
	}
	defer s.close()
	return fmt.Sprintf("opened, %d windows", len(s.windows()))
}

// deedSocket connects to a Unix socket; "@name" is an abstract one.
func deedSocket(args []string) string {
	c, err := net.DialTimeout("unix", args[0], time.Second)
	if err == nil {
		c.Close()
	}
	return said(err, "connected")
}

// self starts this program again, from the file that it runs from.
func self(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append([]string{intruder}, args...)...)
	return cmd
}

// deedSetsid leaves a process behind that belongs to nobody: a session of its
// own, no parent, deaf to signals.
func deedSetsid(args []string) string {
	cmd := self("linger", args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if len(args) > 1 && args[1] == "userns" {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return "refused: " + err.Error()
	}
	if len(args) > 1 && args[1] == "stopped" {
		time.Sleep(200 * time.Millisecond)
		syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP)
	}
	return "left"
}

// deedLinger waits for two minutes, whoever asks it to leave.
func deedLinger([]string) string {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	time.Sleep(2 * time.Minute)
	return ""
}

// deedFork starts processes until it has as many as asked, or is stopped.
func deedFork(args []string) string {
	want, _ := strconv.Atoi(args[1])
	n := 0
	for ; n < want; n++ {
		cmd := exec.Command("/usr/bin/sleep", "77"+args[0])
		if err := cmd.Start(); err != nil {
			break
		}
	}
	return strconv.Itoa(n)
}

// deedMemory takes memory, in megabytes, and holds it a moment.
func deedMemory(args []string) string {
	want, _ := strconv.Atoi(args[0])
	for mb := 0; mb < want; mb += 64 {
		b, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return "stopped " + strconv.Itoa(mb)
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	}
	return "took " + args[0]
}

// deedFill writes one file until the folder is full, at most the megabytes asked.
func deedFill(args []string) string {
	want, _ := strconv.Atoi(args[1])
	f, err := os.Create(args[0] + "/plein")
	if err != nil {
		return "refused: " + err.Error()
	}
	defer os.Remove(f.Name())
	defer f.Close()
	b := make([]byte, 1<<20)
	n := 0
	for ; n < want; n++ {
		if _, err := f.Write(b); err != nil {
			break
		}
	}
	return strconv.Itoa(n)
}

// deedKill sends a signal that does nothing to those who do not wait for it:
// inside, the number is another process's.
func deedKill(args []string) string {
	pid, _ := strconv.Atoi(args[0])
	return said(syscall.Kill(pid, syscall.SIGWINCH), "sent")
}

// deedVictim says when it listens, and ends at that signal, as whoever is killed would.
func deedVictim([]string) string {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	fmt.Println("listens")
	select {
	case <-c:
	case <-time.After(time.Minute):
	}
	return ""
}

// deedProcs lists the processes in sight.
func deedProcs([]string) string {
	var b strings.Builder
	for _, p := range processes() {
		fmt.Fprintln(&b, strings.Join(p.argv, " "))
	}
	return b.String()
}

func deedUserns([]string) string {
	cmd := exec.Command("/usr/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}}
	return said(cmd.Run(), "made")
}

func deedExec(args []string) string {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	return said(err, "ran "+string(out))
}

// deedShm makes a System V segment, which outlives its maker.
func deedShm(args []string) string {
	key, _ := strconv.Atoi(args[0])
	_, err := unix.SysvShmGet(key, 4096, unix.IPC_CREAT|0o600)
	return said(err, "made")
}

// deedHTTP asks http://address/path with the host given.
func deedHTTP(args []string) string {
	req, err := http.NewRequest("GET", "http://"+args[0], nil)
	if err != nil {
		return "refused: " + err.Error()
	}
	for i := 1; i+1 < len(args); i += 2 {
		if args[i] == "Host" {
			req.Host = args[i+1]
			continue
		}
		req.Header.Set(args[i], args[i+1])
	}
	r, err := (&http.Client{Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return "refused: " + err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(r.Body, 2000))
	return fmt.Sprintf("status %d %s", r.StatusCode, b)
}

// deedGet fetches a page as a program would: the positive control of the network.
func deedGet(args []string) string { return deedTCP(args) }

// deedPrivileges tries to become root.
func deedPrivileges([]string) string {
	return said(syscall.Setuid(0), "root")
}

func deedMknod(args []string) string {
	return said(unix.Mknod(args[0], unix.S_IFBLK|0o600, int(unix.Mkdev(8, 0))), "made")
}

func deedMount(args []string) string {
	return said(unix.Mount("none", args[0], "tmpfs", 0, ""), "mounted")
}

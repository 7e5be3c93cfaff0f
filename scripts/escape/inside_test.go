package escape

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// intruder is the hidden argument that makes this test's binary a hostile
// program: what a taken-over browser would run.
const intruder = "escape-intruder"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == intruder {
		intrude(os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

// inside runs a hostile program in the session's sandbox: its namespaces, its
// user, its control groups, no privilege to gain. What this run took away is
// not entered. It returns what the program printed.
func (a *attempt) inside(args ...string) string {
	out, err := a.run(a.inner0(), args...)
	if err != nil {
		a.fail("cannot run a hostile program in the sandbox: %v: %s", err, out)
	}
	return out
}

// inner0 lists nsenter's arguments.
func (h *hall) inner0() []string {
	uid := strconv.Itoa(h.uid())
	args := []string{"nsenter", "-t", strconv.Itoa(h.init)}
	for g, flag := range map[guard]string{mountns: "-m", netns: "-n", ipcns: "-i", pidns: "-p"} {
		// Outside the PID namespace, its /proc does not show who runs there: the tree goes with it.
		if !h.without(g) && !(g == mountns && h.without(pidns)) {
			args = append(args, flag)
		}
	}
	if h.without(users) {
		uid = "0"
	}
	return append(args, "-u", "-S", uid, "-G", uid)
}

// outside runs it in the machine's own namespaces, as another user.
func (a *attempt) outside(uid int, args ...string) string {
	id := strconv.Itoa(uid)
	out, err := a.run([]string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups"}, args...)
	if err != nil {
		a.fail("cannot run a hostile program: %v: %s", err, out)
	}
	return out
}

// uid is the session's user.
func (h *hall) uid() int {
	fi, err := os.Stat(h.root("/home/session"))
	if err != nil {
		panic(failure{fmt.Errorf("cannot find the session's user: %w", err)})
	}
	return int(fi.Sys().(*syscall.Stat_t).Uid)
}

func (a *attempt) run(prefix []string, args ...string) (string, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer self.Close()
	ctx, cancel := context.WithTimeout(a.ctx, 30*time.Second)
	defer cancel()
	argv := append(slices.Clone(prefix), "/proc/self/fd/3", intruder)
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], args...)...)
	cmd.ExtraFiles = []*os.File{self}
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	gate, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	if slices.Contains(prefix, "nsenter") && !a.without(limits) {
		a.join(cmd.Process.Pid)
	}
	io.WriteString(gate, "go\n")
	gate.Close()
	err = cmd.Wait()
	return strings.TrimSpace(out.String()), err
}

// join puts a process, and what it has started, into the sandbox's control groups. The process goes
// first: what it forks from then on is born there, so the list taken afterwards misses nobody.
func (a *attempt) join(pid int) {
	folders := a.groups()
	for _, list := range []func(int) []int{func(p int) []int { return []int{p} }, descendants} {
		for _, p := range list(pid) {
			for _, dir := range folders {
				os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(p)), 0)
			}
		}
	}
}

// groups are the folders of the sandbox's control groups.
func (a *attempt) groups() (folders []string) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", a.init))
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 || part[2] == "/" {
			continue
		}
		for m := range strings.Lines(string(mounts)) {
			f := strings.Fields(m)
			sep := slices.Index(f, "-")
			if sep < 0 || len(f) < sep+4 {
				continue
			}
			v2 := part[1] == "" && f[sep+1] == "cgroup2"
			v1 := part[1] != "" && f[sep+1] == "cgroup" && strings.Contains(","+f[sep+3]+",", ","+strings.Split(part[1], ",")[0]+",")
			if v1 || v2 {
				folders = append(folders, filepath.Join(f[4], part[2]))
				break
			}
		}
	}
	return folders
}

// descendants are pid and those below it.
func descendants(pid int) []int {
	all := []int{pid}
	list := processes()
	for i := 0; i < len(all); i++ {
		for _, p := range list {
			if p.parent == all[i] {
				all = append(all, p.pid)
			}
		}
	}
	return all
}

// intrude is the hostile program. It waits until it is in its control groups.
func intrude(args []string) {
	unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if args[0] != "linger" && args[0] != "victim" {
		io.ReadAll(os.Stdin)
	}
	rest := args[1:]
	deeds := map[string]func([]string) string{
		"tcp": deedTCP, "udp": deedUDP, "read": deedRead, "write": deedWrite, "list": deedList, "x11": deedX11, "socket": deedSocket,
		"setsid": deedSetsid, "linger": deedLinger, "fork": deedFork, "memory": deedMemory, "fill": deedFill, "kill": deedKill, "procs": deedProcs,
		"userns": deedUserns, "exec": deedExec, "open": deedOpen, "shm": deedShm, "http": deedHTTP, "get": deedGet, "privileges": deedPrivileges,
		"mknod": deedMknod, "mount": deedMount, "victim": deedVictim,
	}
	deed, ok := deeds[args[0]]
	if !ok {
		fmt.Println("no such deed")
		os.Exit(2)
	}
	fmt.Println(deed(rest))
}

func said(err error, ok string) string {
	if err != nil {
		return "refused: " + err.Error()
	}
	return ok
}

// deedTCP speaks HTTP to an address; "reached" and what it answered.
func deedTCP(args []string) string {
	c, err := net.DialTimeout("tcp", args[0], time.Second)
	if err != nil {
		return "refused: " + err.Error()
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", args[0])
	b, _ := io.ReadAll(io.LimitReader(c, 400))
	return "reached " + string(b)
}

// deedUDP sends a datagram, several times: it may be lost.
func deedUDP(args []string) string {
	c, err := net.Dial("udp", args[0])
	if err != nil {
		return "refused: " + err.Error()
	}
	defer c.Close()
	for range 3 {
		_, err = c.Write([]byte("fuite"))
	}
	return said(err, "sent")
}

func deedRead(args []string) string {
	b, err := os.ReadFile(args[0])
	if len(b) > 4000 {
		b = b[:4000]
	}
	return said(err, "read "+string(b))
}

func deedWrite(args []string) string {
	return said(os.WriteFile(args[0], []byte("ecrit"), 0o755), "written")
}

func deedList(args []string) string {
	e, err := os.ReadDir(args[0])
	var names []string
	for _, x := range e {
		names = append(names, x.Name())
	}
	return said(err, "listed "+strings.Join(names, " "))
}

func deedOpen(args []string) string {
	fd, err := unix.Open(args[0], unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
	}
	return said(err, "opened")
}

// plant writes a file of the session's own.
func (a *attempt) plant(path, text string) error {
	dir := a.root("/home/session/Downloads")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	return errors.Join(os.Chown(dir, a.uid(), a.uid()), os.Chown(path, a.uid(), a.uid()))
}

package escape

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outerSocket and outerCookie are what a client of the outer display needs. A
// hostile program has the cookie only when this run gave it away.
func (h *hall) outerSocket() string {
	return "/tmp/.X11-unix/X" + strings.TrimPrefix(h.env[0], "DISPLAY=:")
}

func (h *hall) outerCookie() string {
	if !h.without(cookie) {
		return "-"
	}
	b, err := cookieOf(strings.TrimPrefix(h.env[1], "XAUTHORITY="))
	if err != nil {
		panic(failure{err})
	}
	return fmt.Sprintf("%x", b)
}

// did is the form of what a program inside is refused.
func did(category, name, success, prefix string, guards []guard, args func(a *attempt) []string) row {
	return row{category, name, "a program of the session: " + name, success, guards, func(a *attempt) string {
		if out := a.inside(args(a)...); strings.HasPrefix(out, prefix) {
			return strings.SplitN(out, "\n", 2)[0]
		}
		return ""
	}}
}

func fixed(args ...string) func(*attempt) []string { return func(*attempt) []string { return args } }

// processRows are what a taken-over browser could do to the machine.
func processRows() []row {
	host := func(name string) string { return filepath.Join(os.TempDir(), name) }
	return []row{
		{"processes", "a file of the machine", "a program of the session reads a file that everybody on the machine may read", "it is read", by(mountns), func(a *attempt) string {
			path := host(letters(9))
			if err := os.WriteFile(path, []byte("secret"), 0o644); err != nil {
				a.fail("%v", err)
			}
			defer os.Remove(path)
			if out := a.inside("read", path); strings.HasPrefix(out, "read secret") {
				return out
			}
			return ""
		}},
		{"processes", "a file left on the machine", "a program of the session writes where everybody may", "the file is on the machine", by(mountns), func(a *attempt) string {
			path := host(letters(9))
			if out := a.inside("write", path); out != "written" {
				a.fail("it cannot write at all: %s", out)
			}
			if _, err := os.Stat(path); err == nil {
				os.Remove(path)
				return path + " is there"
			}
			return ""
		}},
		did("processes", "the machine's passwords", "they are read", "read", by(mountns, users), fixed("read", "/etc/shadow")),
		{"processes", "the agent's state", "a program of the session lists the agent's folder", "it is listed", by(mountns, users), func(a *attempt) string {
			dirs, _ := filepath.Glob("/var/tmp/borne-escape-*/terminal")
			if len(dirs) == 0 {
				a.fail("the agent has no folder")
			}
			if out := a.inside("list", dirs[0]); strings.HasPrefix(out, "listed") {
				return out
			}
			return ""
		}},
		did("processes", "the memory device", "it is opened", "opened", by(mountns, users), fixed("open", "/dev/kmsg")),
		{"processes", "other processes in sight", "a program of the session lists processes", "the agent is among them", by(pidns, mountns), func(a *attempt) string {
			if out := a.inside("procs"); strings.Contains(out, "borne-controller") {
				return "it sees the controller"
			}
			return ""
		}},
		{"processes", "a signal to a program of the machine", "a program of the session sends a signal outside", "it arrives", by(pidns, users), func(a *attempt) string {
			victim := exec.Command("/proc/self/exe", intruder, "victim")
			out, err := victim.StdoutPipe()
			if err == nil {
				err = victim.Start()
			}
			if err != nil {
				a.fail("%v", err)
			}
			defer victim.Process.Kill()
			if _, err := out.Read(make([]byte, 1)); err != nil { // it listens from here on
				a.fail("the program of the machine does not begin: %v", err)
			}
			fell := make(chan struct{})
			go func() { victim.Wait(); close(fell) }()
			a.inside("kill", strconv.Itoa(victim.Process.Pid))
			select {
			case <-fell:
				return "it got the signal"
			case <-time.After(a.patience):
				return ""
			}
		}},
		{"processes", "shared memory", "a program of the session makes a System V segment", "the machine has it", by(ipcns), func(a *attempt) string {
			key := 0x42000000 + os.Getpid()
			if out := a.inside("shm", strconv.Itoa(key)); out != "made" {
				a.fail("it cannot make one at all: %s", out)
			}
			id, err := unix.SysvShmGet(key, 0, 0)
			if err != nil {
				return ""
			}
			unix.SysvShmCtl(id, unix.IPC_RMID, nil)
			return "the segment is there"
		}},
		{"processes", "a downloaded program", "a program of the session runs a file that was downloaded", "it runs", by(noexec), func(a *attempt) string {
			path := "/home/session/Downloads/" + letters(9)
			if err := a.plant(a.root(path), "#!/bin/sh\necho parti\n"); err != nil {
				a.fail("%v", err)
			}
			if err := os.Chmod(a.root(path), 0o755); err != nil {
				a.fail("%v", err)
			}
			if out := a.inside("exec", path); strings.HasPrefix(out, "ran parti") {
				return out
			}
			return ""
		}},
		did("processes", "to become root", "it does", "root", by(users), fixed("privileges")),
		did("processes", "to write over the system", "it is written", "written", by(mountns, users), fixed("write", "/usr/lib/borne-evasion")),
		did("processes", "to change the browser's policy", "it is written", "written", by(mountns, users), fixed("write", "/etc/chromium-evasion")),
	}
}

// displayRows spy on what is not the session's.
func displayRows() []row {
	return []row{
		{"display", "the outer display's socket", "a program of the session connects to the display that the shell is on", "it is connected", by(mountns), func(a *attempt) string {
			if out := a.inside("socket", a.outerSocket()); out == "connected" {
				return out
			}
			return ""
		}},
		{"display", "windows of the outer display", "a program of the session lists the windows that a person sees", "they are listed", by(mountns, cookie), func(a *attempt) string {
			out := a.inside("x11", a.outerSocket(), a.outerCookie())
			if strings.Contains(out, "opened") {
				return out
			}
			return ""
		}},
		{"display", "the outer display's cookie", "a program of the session reads the agent's authority file", "it is read", by(mountns, users), func(a *attempt) string {
			if out := a.inside("read", strings.TrimPrefix(a.env[1], "XAUTHORITY=")); strings.HasPrefix(out, "read") {
				return "it is read"
			}
			return ""
		}},
	}
}

// bombRows take more than a session's share.
func bombRows() []row {
	return []row{
		{"bombs", "a fork bomb", "a program of the session starts 700 processes", "more than its 400 run", by(limits), func(a *attempt) string {
			tag := strconv.Itoa(int(time.Now().UnixNano() % 100000))
			defer func() {
				for _, p := range running("77" + tag) {
					syscall.Kill(p.pid, syscall.SIGKILL)
				}
			}()
			a.inside("fork", tag, "700")
			if n := len(running("77" + tag)); n > 400 {
				return fmt.Sprintf("%d processes run", n)
			}
			return ""
		}},
		{"bombs", "a full disk", "a program of the session fills its temporary folder", "it holds more than the 256 MB that it has", by(sizes), func(a *attempt) string {
			out := a.inside("fill", "/tmp", "400")
			if n, err := strconv.Atoi(out); err != nil || n == 0 {
				a.fail("nothing can be written: %s", out)
			} else if n > 300 {
				return out + " MB are written"
			}
			return ""
		}},
		{"bombs", "all the memory", "a program of the session takes 2,500 MB", "it gets them, of the 1,500 that a session has", by(limits), func(a *attempt) string {
			out, _ := a.run(a.inner0(), "memory", "2500")
			if strings.HasPrefix(out, "took") {
				return out
			}
			return ""
		}},
	}
}

// survivorRows leave a process behind; then the session ends by its button.
func survivorRows() []row {
	daemon := func(name string, how ...string) row {
		return row{"survivors", name, "a program of the session leaves a process behind: " + name, "it runs after the session's end", by(pidns, users, limits), func(a *attempt) string {
			mark := "evade" + letters(12)
			if out := a.inside(append([]string{"setsid", mark}, how...)...); out != "left" {
				a.fail("it could not even begin: %s", out)
			}
			if len(running(mark)) == 0 {
				a.fail("it does not run before the end")
			}
			a.end()
			left := running(mark)
			for _, p := range left {
				syscall.Kill(p.pid, syscall.SIGKILL)
			}
			if len(left) > 0 {
				return fmt.Sprintf("process %d lives on", left[0].pid)
			}
			return ""
		}}
	}
	return []row{
		daemon("a session of its own (setsid)"),
		daemon("in namespaces of its own", "userns"),
		daemon("stopped (SIGSTOP)", "stopped"),
	}
}

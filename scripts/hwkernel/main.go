// Command hwkernel is the init of the stage with a real kernel (scripts/hw-kernel):
// inside User-Mode Linux it mounts what drivers need, runs each test program of
// /tests and switches the machine off. On its console it says, for each program,
//
//	hw-kernel: RESULT name ok|failed
//
// and at last "hw-kernel: DONE", without which the stage has failed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// programTime bounds one test program.
const programTime = 3 * time.Minute

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "cannot run hwkernel here: it is the init of a machine that it switches off; use scripts/hw-kernel")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Println("hw-kernel: FAILED", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("hw-kernel: FAILED cannot switch the machine off:", err)
	}
}

func run() error {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"configfs", "/sys/kernel/config"},
	} {
		if err := unix.Mount("none", m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("cannot mount %s on %s: %w", m.kind, m.at, err)
		}
	}
	version, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	fmt.Println("hw-kernel: Linux", strings.TrimSpace(string(version)))
	tests, err := filepath.Glob("/tests/*.test")
	if err != nil {
		return err
	}
	if len(tests) == 0 {
		return fmt.Errorf("there is no test program in /tests")
	}
	for _, t := range tests {
		name := strings.TrimSuffix(filepath.Base(t), ".test")
		verdict := "ok"
		if err := program(t); err != nil {
			fmt.Println("hw-kernel:", name, err)
			verdict = "failed"
		}
		fmt.Println("hw-kernel: RESULT", name, verdict)
	}
	fmt.Println("hw-kernel: DONE")
	return nil
}

func program(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), programTime)
	defer cancel()
	c := exec.CommandContext(ctx, path, "-test.v", "-test.run", "Kernel", "-test.timeout", (programTime - 10*time.Second).String())
	c.Env = []string{"BORNE_HW_KERNEL=1", "HOME=/tmp", "TMPDIR=/tmp", "PATH=/bin"}
	c.Stdout, c.Stderr, c.Dir = os.Stdout, os.Stdout, "/tmp"
	return c.Run()
}

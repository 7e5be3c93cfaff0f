package scan

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cellEnv makes this program the first process of a mount namespace: it has a
// file system there, leaves a process that sees all of it, and shuts itself into a
// folder of it.
const cellEnv = "SCAN_CELL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(cellEnv); dir != "" {
		if err := shut(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shut stays as long as its standard input is open. The other process says where it is.
func shut(dir string) error {
	in := bufio.NewReader(os.Stdin)
	text, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("scan-test", dir, "tmpfs", 0, "size=1m"),
		os.WriteFile(dir+"/note", []byte(text), 0o600),
		os.Mkdir(dir+"/cell", 0o700)); err != nil {
		return err
	}
	if os.Getenv("SCAN_BOUND") != "" {
		if err := unix.Mount(dir+"/cell", dir+"/cell", "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	other := exec.Command("sleep", "600")
	other.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := errors.Join(other.Start(), unix.Chroot(dir+"/cell"), unix.Chdir("/")); err != nil {
		return err
	}
	fmt.Println("shut", other.Process.Pid)
	_, err = io.Copy(io.Discard, in)
	return err
}

// TestAProcessInACellHidesNothing: the first process of a namespace has a root of its
// own, and is shown nothing of what lies outside of that: the file is found by what
// another one sees. It may be the only one left of its file system's device that
// is shown a part of it.
func TestAProcessInACellHidesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: mounts need root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, bound := range map[string]string{"shown nothing": "", "shown a part": "yes"} {
		t.Run(name, func(t *testing.T) {
			dir, since, marker := t.TempDir(), time.Now().Add(-time.Second), "MARQUE"+rand.Text()
			c := exec.Command(self)
			c.Env = append(os.Environ(), cellEnv+"="+dir, "SCAN_BOUND="+bound)
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.StdoutPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Wait()
			defer in.Close()
			fmt.Fprintln(in, marker)
			line, _ := bufio.NewReader(out).ReadString('\n')
			var other int
			if _, err := fmt.Sscanf(line, "shut %d", &other); err != nil {
				t.Fatalf("no process in a cell: %s", line)
			}
			// As it must be for this to prove something.
			shown := func(pid int) (n int) {
				b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
				if err != nil {
					t.Fatal(err)
				}
				return strings.Count(string(b), " scan-test ")
			}
			if few, more := shown(c.Process.Pid), shown(other); few != len(bound)/3 || more != few+1 {
				t.Fatalf("the one in the cell is shown %d mounts, the other %d", few, more)
			}
			if other < c.Process.Pid {
				t.Log("numbers began again in between: the other is asked first")
			}
			res, err := New(marker).Mounts(context.Background(), since)
			if err != nil || len(res.Hits) != 1 || !strings.HasSuffix(res.Hits[0].Place, filepath.Join(dir, "note")) {
				t.Errorf("got %v, %v; want a hit in %s/note", res.Hits, err, dir)
			}
			if res, err := New(marker).Mounts(context.Background(), time.Now().Add(time.Hour)); err != nil || len(res.Hits) != 0 {
				t.Errorf("of what changes in an hour: got %v, %v", res.Hits, err)
			}
		})
	}
}

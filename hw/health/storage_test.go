package health

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"borne/hw"
)

func TestMounts(t *testing.T) {
	const info = `1 0 0:1 / / rw - ext4 /dev/a rw
2 1 0:2 / /var rw - ext4 /dev/b ro
3 1 0:3 / /var/lib/a\040b rw - tmpfs none rw
4 1 0:4 / /va ro - tmpfs none ro
5 1 0:5 / /over rw - ext4 /dev/c ro
6 1 0:6 / /over rw - ext4 /dev/d rw
7 1 0:7 / /cut - ext4
8 1 0:8 / /deep/er ro - tmpfs none rw
9 1 0:9 / /deep rw - tmpfs none rw
`
	for folder, want := range map[string]string{
		"/var/lib/x":     "storage-read-only /var/lib/x on 0",
		"/var/lib/a b/c": "storage-read-only /var/lib/a b/c off 0",
		"/variety":       "storage-read-only /variety off 0", // in /, not in /var or /va
		"/va/x":          "storage-read-only /va/x on 0",
		"/over":          "storage-read-only /over off 0",     // the mount on top
		"/deep/er/x":     "storage-read-only /deep/er/x on 0", // the one nearest to the folder, in whatever order
		"/cut/x":         "storage-read-only /cut/x off 0",
	} {
		b := newBoard(t, map[string]string{"proc/self/mountinfo": info})
		expect(t, text((&judge{}).step(mounts(tree{b.root}, folder))), want)
	}
}

func FuzzMounts(f *testing.F) {
	f.Add(mountinfo("rw", "ro"), "/dev/a / ext4 defaults 0 1")
	f.Add("1 0 0:1 / /a\\134\\04 rw - a b rw", "x /\\040 y z")
	f.Add("MemTotal: 10 kB\nMemAvailable: 3 kB", "# Data CRC Errors Occurred:\t 3")
	f.Fuzz(func(t *testing.T, info, fstab string) {
		for _, m := range parseMounts(info) {
			_ = holds(m.point, state)
		}
		for p := range writable(fstab) {
			if !strings.HasPrefix(p, "/") {
				t.Fatalf("%q", p)
			}
		}
		if share, ok := memoryLeft(info); ok && (share < 0 || share > 1000) {
			t.Fatalf("%d thousandths of memory", share)
		}
		if n := sumErrors(info); n < 0 {
			t.Fatalf("%d errors", n)
		}
	})
}

// TestRealDisk damages a real file system: the kernel counts the error and
// makes it read-only.
func TestRealDisk(t *testing.T) {
	if dir := os.Getenv("BORNE_TEST_DISK"); dir != "" {
		realDisk(t, dir)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("SKIP: only root mounts a file system")
	}
	for _, n := range []string{"mkfs.ext4", "mount"} {
		if _, err := exec.LookPath(n); err != nil {
			t.Skip("SKIP: " + n + " is not installed")
		}
	}
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 4<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	// The mount lives and dies with the other process.
	cmd := exec.Command(os.Args[0], "-test.run=^TestRealDisk$", "-test.v")
	cmd.Env = append(os.Environ(), "BORNE_TEST_DISK="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if s := string(out); strings.Contains(s, "SKIP: ") {
		t.Skip(s[strings.Index(s, "SKIP: "):])
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func realDisk(t *testing.T, dir string) {
	point := filepath.Join(dir, "state")
	if err := os.Mkdir(point, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip("SKIP: no mount namespace here: ", err)
	}
	if out, err := exec.Command("mount", "-o", "loop,errors=remount-ro", filepath.Join(dir, "image"), point).CombinedOutput(); err != nil {
		t.Skipf("SKIP: no loop device here: %v: %s", err, out)
	}
	defer func() {
		if err := syscall.Unmount(point, 0); err != nil {
			t.Error(err)
		}
	}()
	l, j := &looker{state: filepath.Join(point, "kiosk")}, &judge{}
	l.root = "/"
	device := ""
	find := func(all []Report) (readOnly, errors hw.Level) {
		for _, r := range all {
			switch {
			case r.Code == ReadOnly && r.Subject == subject(l.state):
				readOnly = r.State
			case r.Code == StorageErrors && r.Subject == subject("ext4 "+device):
				errors = r.State
			}
		}
		return
	}
	source, err := exec.Command("findmnt", "-n", "-o", "SOURCE", point).Output()
	if err != nil {
		t.Fatal(err)
	}
	device = filepath.Base(strings.TrimSpace(string(source)))
	if ro, e := find(j.step(l.look())); ro != hw.Off || e != hw.Off {
		t.Fatalf("well: read-only %v, errors %v", ro, e)
	}
	if err := os.WriteFile("/sys/fs/ext4/"+device+"/trigger_fs_error", []byte("a test"), 0); err != nil {
		t.Fatal(err)
	}
	if ro, e := find(j.step(l.look())); ro != hw.On || e != hw.On {
		t.Fatalf("damaged: read-only %v, errors %v", ro, e)
	}
}

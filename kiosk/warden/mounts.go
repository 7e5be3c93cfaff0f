package warden

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Shown to a sandbox read-only, where the machine has them. All else of the
// machine's files is not there at all.
var shownEtc = []string{"X11", "alternatives", "ca-certificates", "fonts", "gtk-3.0", "ld.so.cache", "ld.so.conf",
	"ld.so.conf.d", "localtime", "mime.types", "ssl", "xdg"}

// writable lists the sandbox's writable folders. Share is the part of the
// sandbox's tmpfs size, in percent, that each may fill.
var writable = []struct {
	path  string
	mode  string
	share int
}{
	{"/home", "0755", 100}, {"/tmp", "1777", 50}, {"/dev/shm", "1777", 100},
	{"/run", "0755", 5}, {"/var/tmp", "1777", 5}, {"/var/lib", "0755", 5},
}

// buildRoot makes the sandbox's file tree and moves into it: a small read-only
// root that shows /usr and a few files of /etc, with a tmpfs on each writable
// path. It runs as PID 1, in its own mount namespace.
func buildRoot(s spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	m := mounter{mark: s.Mark, root: s.Root}
	m.tmpfs("/", "0755", 4, 4000)
	m.shown("/usr")
	for _, p := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64"} {
		m.shown(p)
	}
	m.dir("/etc", 0o755)
	for _, p := range shownEtc {
		m.shown("/etc/" + p)
	}
	m.shown("/var/cache/fontconfig") // built by root; rebuilding it costs each session a second
	m.shown("/sys/devices/system/cpu")
	m.devices()
	for _, w := range writable {
		mb := max(s.TmpfsMB*w.share/100, 4)
		m.tmpfs(w.path, w.mode, mb, 200+mb*40)
	}
	m.accounts(s)
	for _, b := range s.Binds {
		m.bind(b.From, b.To)
	}
	for _, f := range s.Folders {
		m.dir(f.Path, 0o755)
		if m.err == nil {
			m.fail("make "+f.Path, os.Lchown(m.root+f.Path, f.UID, f.UID))
		}
	}
	for _, f := range s.Files {
		m.file(f)
	}
	m.dir("/proc", 0o555)
	// Not read-only: Chromium's sandbox writes its own uid_map there.
	m.mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "hidepid=invisible")
	if m.err != nil {
		return m.err
	}
	if s.Hostname != "" {
		if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
			return fmt.Errorf("cannot name the sandbox: %w", err)
		}
	}
	return m.enter()
}

// mounter builds below root; after the first error it does nothing.
type mounter struct {
	mark, root string
	err        error
}

func (m *mounter) fail(what string, err error) {
	if m.err == nil && err != nil {
		m.err = fmt.Errorf("cannot %s in the sandbox: %w", what, err)
	}
}

func (m *mounter) dir(path string, mode os.FileMode) {
	if m.err == nil {
		m.fail("make "+path, os.MkdirAll(m.root+path, mode))
	}
}

func (m *mounter) mount(source, path, fs string, flags uintptr, data string) {
	if m.err == nil {
		m.fail("mount "+path, unix.Mount(source, m.root+path, fs, flags, data))
	}
}

func (m *mounter) tmpfs(path, mode string, mb, inodes int) {
	m.dir(path, 0o755)
	m.mount(m.mark, path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC,
		fmt.Sprintf("size=%dm,nr_inodes=%d,mode=%s", mb, inodes, mode))
}

// shown shows one path of the machine at its place, when it exists.
func (m *mounter) shown(path string) {
	fi, err := os.Lstat(path)
	if m.err != nil || errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil && fi.Mode()&os.ModeSymlink != 0 {
		var to string
		to, err = os.Readlink(path)
		if err == nil {
			m.dir(filepath.Dir(path), 0o755)
			err = os.Symlink(to, m.root+path)
		}
		m.fail("show "+path, err)
		return
	}
	m.fail("show "+path, err)
	m.bind(path, path)
}

// bind shows from at to, read-only, without set-uid programs nor devices, and
// with all that is mounted below it.
func (m *mounter) bind(from, to string) {
	if m.err != nil {
		return
	}
	fi, err := os.Stat(from)
	if err != nil {
		m.fail("show "+from, err)
		return
	}
	m.target(to, fi.IsDir())
	m.mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
	if m.err == nil {
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
		m.fail("protect "+to, unix.MountSetattr(unix.AT_FDCWD, m.root+to, unix.AT_RECURSIVE, &attr))
	}
}

func (m *mounter) target(path string, isDir bool) {
	if isDir {
		m.dir(path, 0o755)
		return
	}
	m.dir(filepath.Dir(path), 0o755)
	if m.err == nil {
		f, err := os.OpenFile(m.root+path, os.O_CREATE|os.O_WRONLY, 0o444)
		if err == nil {
			f.Close()
		}
		m.fail("make "+path, err)
	}
}

func (m *mounter) devices() {
	m.tmpfs("/dev", "0755", 1, 200)
	for _, n := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		m.target("/dev/"+n, false)
		m.mount("/dev/"+n, "/dev/"+n, "", unix.MS_BIND, "")
	}
	for _, l := range [][2]string{{"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"}} {
		if m.err == nil {
			m.fail("link "+l[1], os.Symlink(l[0], m.root+l[1]))
		}
	}
}

// accounts writes who exists in there, and each one's home.
func (m *mounter) accounts(s spec) {
	var passwd, group strings.Builder
	fmt.Fprint(&passwd, "root:x:0:0::/:/usr/sbin/nologin\n")
	fmt.Fprint(&group, "root:x:0:\n")
	for _, u := range s.Users {
		fmt.Fprintf(&passwd, "%s:x:%d:%d::/home/%s:/usr/sbin/nologin\n", u.Name, u.UID, u.UID, u.Name)
		fmt.Fprintf(&group, "%s:x:%d:\n", u.Name, u.UID)
		if u.Home {
			m.dir("/home/"+u.Name, 0o700)
			if m.err == nil {
				m.fail("make a home", os.Lchown(m.root+"/home/"+u.Name, u.UID, u.UID))
			}
		}
	}
	var id [16]byte
	rand.Read(id[:])
	for name, text := range map[string]string{
		"passwd": passwd.String(), "group": group.String(), "hosts": "127.0.0.1 localhost\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
		"hostname":      s.Hostname + "\n",
		"machine-id":    hex.EncodeToString(id[:]) + "\n", // the machine's own would follow a person around
	} {
		m.file(file{Path: "/etc/" + name, Mode: 0o444, Data: []byte(text)})
	}
	m.dir("/tmp/.X11-unix", 0o755)
	if m.err == nil {
		m.fail("make the display's folder", os.Chmod(m.root+"/tmp/.X11-unix", 0o1777|os.ModeSticky))
	}
}

func (m *mounter) file(f file) {
	m.dir(filepath.Dir(f.Path), 0o755)
	if m.err != nil {
		return
	}
	p := m.root + f.Path
	err := os.WriteFile(p, f.Data, 0o600)
	if err == nil {
		err = os.Lchown(p, f.UID, f.UID)
	}
	if err == nil {
		err = os.Chmod(p, os.FileMode(f.Mode))
	}
	m.fail("write "+f.Path, err)
}

// enter makes the new tree the root, and lets the old one go.
func (m *mounter) enter() error {
	for _, p := range []string{"/dev", "/"} {
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(unix.AT_FDCWD, m.root+p, 0, &attr); err != nil {
			return fmt.Errorf("cannot make %s read-only in the sandbox: %w", p, err)
		}
	}
	if err := os.Chdir(m.root); err != nil {
		return fmt.Errorf("cannot enter the sandbox: %w", err)
	}
	// pivot_root(".", ".") stacks the old root on the new one; see pivot_root(2).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot enter the sandbox: pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("cannot let the machine's files go: %w", err)
	}
	return os.Chdir("/")
}

// drop takes a bind mount or a file away.
func drop(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && err != unix.EINVAL {
		return fmt.Errorf("cannot hide %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot hide %s: %w", path, err)
	}
	return nil
}

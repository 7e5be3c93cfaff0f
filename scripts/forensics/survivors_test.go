package forensics

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// survivor leaves text where a sink would leave it after a wipe that forgot it:
// in the next person's sandbox, whose browser it is given, or outside of any.
// It returns a part of the place that a search must name, and what takes the
// survivor away.
type survivor func(h *hall, next being, text []byte) (place string, away func() error, err error)

// survivors plants one for each sink, after a wipe, in another form for each,
// sees a sweep name every one, and finds nothing once they are gone: a suite
// that finds nothing must be able to find.
func (h *hall) survivors(t *testing.T) {
	h.t = t
	h.give(usual)
	// A sandbox may be replaced at any time: the browser that is asked about the
	// rules goes after a moment, a standby that died is made again. What was left
	// in one that is gone is gone with it, and is left in the next.
	last := time.Now().Add(time.Minute)
	for {
		var b being
		if err := h.until(time.Minute, func() (err error) { b, err = h.browserProcess(); return err }); err != nil {
			t.Fatalf("no standby: %v\n%s", err, h.log.Tail(20))
		}
		missed, stayed := h.leaveAll(b)
		if stayed {
			for _, m := range missed {
				t.Error(m)
			}
		}
		if stayed || t.Failed() {
			return
		}
		if time.Now().After(last) {
			t.Fatalf("no standby stays for as long as a search takes\n%s", h.log.Tail(40))
		}
		t.Logf("the sandbox of process %d was replaced meanwhile: once more", b.pid)
	}
}

// leaveAll leaves every survivor, those of sandboxes in that of b, takes them away
// again, and tells which the search missed, and whether b stayed until it was over.
func (h *hall) leaveAll(b being) (missed []string, stayed bool) {
	t := h.t
	const cycle = 9999
	places := map[string]string{}
	var away []func() error
	var refused []string
	for i, s := range sinks() {
		form := formOf(i)
		place, undo, err := s.left(h, b, form.write(h.canaries.value(cycle, i)))
		if err != nil {
			refused = append(refused, fmt.Sprintf("%s: cannot plant a survivor: %v", s.name, err))
			continue
		}
		places[s.name] = place
		away = append(away, undo)
		t.Logf("%-18s left in %-10s as %s", s.name, place, form.name)
	}
	found := h.sweep(h.began)
	stayed = h.stays(b)
	for i, s := range sinks() {
		form := formOf(i).name
		named := false
		for _, x := range found.Hits {
			n, sink, ok := h.canaries.of(x)
			named = named || ok && n == cycle && sink == i && strings.Contains(x.Place, places[s.name]) && (x.As == form || strings.HasPrefix(x.As, form+"/"))
		}
		if places[s.name] != "" && !named {
			missed = append(missed, fmt.Sprintf("the survivor of %s, left in %s as %s, was not found there", s.name, places[s.name], form))
		}
	}
	t.Logf("%d survivors planted, %d hits; the sandbox of process %d stayed: %t", len(places), len(found.Hits), b.pid, stayed)
	if len(missed) > 0 {
		missed = append(missed, h.sees(b))
	}
	slices.Reverse(away)
	for _, undo := range away {
		if err := undo(); err != nil {
			t.Error(err)
		}
	}
	if left := h.sweep(h.began); len(left.Hits) > 0 {
		t.Errorf("after the survivors were taken away:\n%s", h.list(left.Hits))
	}
	return append(refused, missed...), stayed
}

// stays tells whether that very process still runs: its number may be another's.
func (h *hall) stays(b being) bool {
	return slices.ContainsFunc(h.sessionProcesses(), func(o being) bool { return o.pid == b.pid && o.began == b.began })
}

// sees tells what the processes beside b see of its mounts, for whoever asks why
// a search missed something there.
func (h *hall) sees(b being) string {
	space := func(pid int) string {
		ns, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid)) // none: it ended
		return ns
	}
	ours := space(b.pid)
	said := fmt.Sprintf("the sandbox of process %d, %s:", b.pid, ours)
	for _, o := range h.sessionProcesses() {
		if space(o.pid) == ours {
			root, _ := os.Readlink(fmt.Sprintf("/proc/%d/root", o.pid))
			list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", o.pid))
			said += fmt.Sprintf(" %d (%s) in %s sees %d mounts;", o.pid, o.name, root, bytes.Count(list, []byte("\n")))
		}
	}
	return said
}

// formOf gives each sink another form. An environment holds none with zeros.
func formOf(i int) form {
	if sinks()[i].name == "environment" {
		return forms[0]
	}
	return forms[i%len(forms)]
}

// form is one way to write a text.
type form struct {
	name  string
	write func(string) []byte
}

// forms are those that survivors are left in.
var forms = []form{
	{"utf-8", func(s string) []byte { return []byte(s) }},
	{"utf-16", func(s string) []byte { return wide(s, 2) }},
	{"base64", func(s string) []byte { return []byte(base64.StdEncoding.EncodeToString([]byte(s + ".."))) }},
	{"hex", func(s string) []byte { return []byte(hex.EncodeToString([]byte(s))) }},
	{"utf-32", func(s string) []byte { return wide(s, 4) }},
	{"base64", func(s string) []byte { return []byte(base64.StdEncoding.EncodeToString([]byte("=" + s + "."))) }},
	{"percent", func(s string) []byte {
		var b bytes.Buffer
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		return b.Bytes()
	}},
	{"base64", func(s string) []byte { return []byte(base64.StdEncoding.EncodeToString([]byte("==" + s + "..."))) }},
}

func wide(s string, step int) []byte {
	b := make([]byte, step*len(s))
	for i := range len(s) {
		b[step*i] = s[i]
	}
	return b
}

func inFile(path string) survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) { return leave(path, path, text) }
}

// leave writes a file, and takes away the folders that it had to make.
func leave(path, place string, text []byte) (string, func() error, error) {
	gone := path
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		gone = dir
	}
	if _, err := os.Lstat(path); err == nil {
		return "", nil, fmt.Errorf("%s is there already", path)
	}
	return place, func() error { return os.RemoveAll(gone) }, write(path, "..."+string(text))
}

// inBox is a file in the next session's sandbox, as if it had come with it.
func inBox(path string) survivor {
	return func(h *hall, next being, text []byte) (string, func() error, error) {
		place := path + ".survivor"
		return leave(fmt.Sprintf("/proc/%d/root%s", next.pid, place), place, text)
	}
}

func inProfile(path string) survivor { return inBox("/home/session/profile/" + path) }

func inRun(name string) survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		return leave(h.path("run/"+name), "/run/"+name, text)
	}
}

func inState(name string) survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		place, away, err := leave(h.path(name), "/"+name, text)
		return place, func() error { return errors.Join(away(), trim(h.dir), trim(h.path("terminal"))) }, err
	}
}

// inLog is a line that a program wrote to its log.
func inLog() survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		f, err := os.OpenFile(h.path("log"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return "", nil, err
		}
		defer f.Close()
		_, err = f.WriteString("level=ERROR msg=x detail=" + string(text) + "\n")
		return "/stand/log", func() error { return errors.Join(os.Truncate(h.path("log"), 0), trim(h.dir)) }, err
	}
}

// inDeleted is a file that was removed from a state's file system: its blocks
// still hold what it held.
func inDeleted(part string) survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		dir, image := h.path("terminal"), h.images["terminal"]
		if part == "controller" {
			dir, image = h.dir, h.images[""]
		}
		if image == "" {
			return "", func() error { return nil }, nil // said when it was mounted
		}
		path := filepath.Join(dir, "deleted")
		err := write(path, string(text))
		unix.Sync()
		return image, func() error { return trim(dir) }, errors.Join(err, os.Remove(path))
	}
}

// trim has the free blocks of a file system forgotten in its image too.
func trim(dir string) error {
	unix.Sync()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil && st.Type == unix.TMPFS_MAGIC {
		return nil // it has none
	}
	if out, err := exec.Command("fstrim", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot trim %s: %w: %s", dir, err, out)
	}
	return nil
}

func inProcess(name string) survivor { return lives(name, "memory") }
func inUnnamed(name string) survivor { return lives(name, "unnamed") }
func inMemfd() survivor              { return lives("keeper", "memfd") }
func short(name string) string       { return name[:min(len(name), 15)] } // as the kernel keeps names
func stop(c *exec.Cmd) error         { c.Process.Kill(); c.Wait(); return nil }

// lives is a process of that name which holds the text and outlived its session.
func lives(name, as string) survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		dir, err := os.MkdirTemp("", "survivor")
		if err != nil {
			return "", nil, err
		}
		link := filepath.Join(dir, name)
		self, err := os.Executable()
		if err == nil {
			err = os.Symlink(self, link)
		}
		if err != nil {
			return "", nil, err
		}
		c := exec.Command(link, "-test.run=^$")
		c.Env = append(os.Environ(), insideEnv+"=hold", "FORENSICS_AS="+as)
		c.Stdin, c.SysProcAttr = bytes.NewReader(text), &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			return "", nil, err
		}
		if _, err := out.Read(make([]byte, 8)); err != nil {
			stop(c)
			return "", nil, err
		}
		place := "(" + short(name) + ")"
		if as != "memory" {
			place += " fd "
		}
		return place, func() error { return errors.Join(stop(c), os.RemoveAll(dir)) }, nil
	}
}

func inEnvironment() survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		c := exec.Command("/usr/bin/sleep", "600")
		c.Env, c.SysProcAttr = []string{"DOSSIER=" + string(text)}, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return "(sleep)", func() error { return stop(c) }, c.Start()
	}
}

// inSegment is shared memory that nobody has attached any more.
func inSegment() survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		id, seg, err := segment(string(text))
		if err == nil {
			err = unix.SysvShmDetach(seg)
		}
		return fmt.Sprintf("shared memory %d", id), func() error { _, err := unix.SysvShmCtl(id, unix.IPC_RMID, nil); return err }, err
	}
}

// inSwap is a page in a swap file: there is one only in the list that this test
// gives to the search.
func inSwap() survivor {
	return func(h *hall, _ being, text []byte) (string, func() error, error) {
		dir, err := os.MkdirTemp(filepath.Dir(h.dir), "swap")
		if err != nil {
			return "", nil, err
		}
		list, file := filepath.Join(dir, "swaps"), filepath.Join(dir, "swapfile")
		err = errors.Join(write(file, strings.Repeat("\x00", 4096)+string(text)), write(list, "Filename Type Size Used Priority\n"+file+" file 8 4 -2\n"))
		old := h.swaps
		h.swaps = list
		return file, func() error { h.swaps = old; return os.RemoveAll(dir) }, err
	}
}

package forensics

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"borne/scripts/internet"

	"golang.org/x/sys/unix"
)

// end is one way in which a session ends.
type end struct {
	name    string
	reasons []string // what the controller may be told
	weight  int      // of a hundred or so, in a long run
	slow    bool     // lasts a minute by itself: long runs only
	// run ends the session and returns once its wipe is on its way. It may do
	// without its receipt for a while, and say what happened instead.
	run func(h *hall, b being) string
}

// ends lists them all.
func ends() []end {
	return []end{
		{"button", []string{"button"}, 14, false, func(h *hall, _ being) string { h.end(); return "" }},
		{"browser crash", []string{"crash"}, 14, false, func(h *hall, b being) string { h.kill(syscall.SIGSEGV, b.pid); return "" }},
		{"agent kill -9", []string{"restart"}, 14, false, func(h *hall, _ being) string { h.kill(syscall.SIGKILL, h.agent()); return "" }},
		// The browser dies with the warden: the agent may see either go first.
		{"warden kill -9", []string{"warden", "restart", "crash"}, 14, false, func(h *hall, _ being) string {
			_, warden := h.stand.Pids()
			h.kill(syscall.SIGKILL, warden)
			return ""
		}},
		{"power cut", []string{"restart"}, 14, false, (*hall).powerCut},
		{"wipe fails: a process stays", []string{"button"}, 6, false, (*hall).processStays},
		{"wipe fails: a mount stays", []string{"button"}, 6, false, (*hall).mountStays},
		{"wipe fails: a file stays", []string{"button"}, 6, false, (*hall).fileStays},
		{"disk full", []string{"button", "crash"}, 6, false, (*hall).diskFull},
		{"idle", []string{"idle"}, 2, true, func(h *hall, _ being) string { return "" }},
		{"time", []string{"time"}, 2, true, (*hall).timeIsUp},
	}
}

func (h *hall) end() {
	h.t.Helper()
	h.reach(func() error { return h.stand.End(h.ctx) }, "ending", "wiping")
}

func (h *hall) kill(sig syscall.Signal, pids ...int) {
	h.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			h.t.Fatalf("cannot kill process %d: %v", pid, err)
		}
	}
}

// agent is the agent's process.
func (h *hall) agent() int {
	h.t.Helper()
	_, warden := h.stand.Pids()
	for _, b := range beings() {
		if b.uid == uidBase && b.parent == warden {
			return b.pid
		}
	}
	h.t.Fatalf("no agent runs\n%s", h.log.Tail(20))
	return 0
}

// powerCut kills everything of both programs at once; both are started again.
func (h *hall) powerCut(being) string {
	controller, warden := h.stand.Pids()
	pids := []int{warden, controller}
	for _, b := range beings() {
		pids = append(pids, b.pid)
	}
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL) // some die with others
	}
	return ""
}

// processStays leaves a process of the session's user where the wipe cannot end
// it by ending the sandbox, until its first attempt has failed.
func (h *hall) processStays(b being) string {
	c := exec.Command("/usr/bin/sleep", "600")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uint32(b.uid), Gid: uint32(b.uid)}}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	return h.untilItFails(func() { c.Process.Kill(); c.Wait() })
}

// fileStays leaves a file of the session's user outside of its sandbox, named
// after the person, until the first attempt has failed. What a wipe tells of it
// is kept, and must not hold its name.
func (h *hall) fileStays(b being) string {
	at := filepath.Join("/var/tmp", "dossier-"+h.web.canary("var-tmp"))
	if err := errors.Join(write(at+"/"+h.web.canary("tmp"), ""), os.Chown(at+"/"+h.web.canary("tmp"), b.uid, b.uid), os.Chown(at, b.uid, b.uid)); err != nil {
		h.t.Fatal(err)
	}
	return h.untilItFails(func() {
		if err := os.RemoveAll(at); err != nil {
			h.t.Fatal(err)
		}
	})
}

// mountStays holds the session's home with everything in it, from outside,
// until the first attempt has failed.
func (h *hall) mountStays(b being) string {
	at := filepath.Join(filepath.Dir(h.dir), "held")
	if err := os.MkdirAll(at, 0o700); err != nil {
		h.t.Fatal(err)
	}
	fd, err := clone(b.pid, "/home")
	if err != nil {
		h.t.Fatalf("cannot hold the session's home: %v", err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		h.t.Fatalf("cannot hold the session's home: %v", err)
	}
	unix.Close(fd)
	said := h.untilItFails(func() {
		// What was held is found there: the search is not blind to it.
		if res, err := h.finder.Below(h.ctx, h.began, at); err != nil || len(res.Hits) == 0 {
			h.t.Errorf("the held home shows no canary (%d files, %v): the search proves nothing", res.Looked, err)
		}
		if err := unix.Unmount(at, 0); err != nil {
			h.t.Fatalf("cannot let the session's home go: %v", err)
		}
	})
	return said
}

// clone gives a mount of another process's namespace, attached nowhere yet.
func clone(pid int, path string) (fd int, err error) {
	err = internet.Thread(func() error {
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := errors.Join(unix.Unshare(unix.CLONE_FS), unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS)); err != nil {
			return err
		}
		fd, err = unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		return err
	})
	return fd, err
}

// untilItFails ends the session, lets go once the first attempt has failed, and
// says how many failed.
func (h *hall) untilItFails(letGo func()) string {
	h.t.Helper()
	from := h.log.Mark()
	h.end()
	_, ok := h.log.Line(from, time.Minute, wiped)
	failed := ok && len(h.log.Match(from, failedWipe)) > 0
	letGo()
	if !failed {
		h.t.Errorf("a wipe that could not succeed was not told to fail\n%s", h.log.Tail(30))
	}
	return "first attempt failed"
}

// timeIsUp keeps moving until the minute has passed.
func (h *hall) timeIsUp(being) string {
	from := h.log.Mark()
	for i := range 60 {
		if err := h.stand.Gesture(h.ctx, "/sim/input", map[string]any{"type": "move", "x": 300 + i, "y": 300}); err != nil {
			h.t.Logf("the pointer does not move: %v", err)
		}
		if _, ok := h.log.Phase(from, 2*time.Second, "wiping"); ok {
			return ""
		}
	}
	return ""
}

// diskFull leaves no room for the terminal's state until the session's sandbox
// is gone all the same, or its receipt is there.
func (h *hall) diskFull(b being) string {
	h.t.Helper()
	path := h.path("terminal/filler")
	if err := fill(path); err != nil {
		h.t.Fatalf("cannot fill the disk: %v", err)
	}
	from := h.log.Mark()
	said := "the journal had room, the receipt came"
	var last error
	err := h.until(2*time.Minute, func() error {
		if h.log.Now() == "active" {
			last = h.stand.End(h.ctx)
		}
		if _, ok := h.log.Phase(from, 500*time.Millisecond, "thanks", "broken"); ok {
			return nil
		}
		if syscall.Kill(b.pid, 0) == nil {
			return errors.New("the session's browser lives on")
		}
		if len(h.log.Match(from, noRoom)) > 0 && !h.lives(b.uid) {
			said = "the sandbox was destroyed, its receipt waited for room"
			return nil
		}
		return errors.New("neither a receipt nor an end")
	})
	if err != nil {
		h.t.Fatalf("a full disk: %v (%v)\n%s", err, last, h.log.Tail(40))
	}
	// Destroyed, with or without a receipt: nothing is left already.
	if hits := h.sweep(h.began).Hits; len(hits) > 0 {
		h.t.Errorf("while the disk is full: %d canaries are left\n%s", len(hits), h.list(hits))
	}
	if err := os.Remove(path); err != nil {
		h.t.Fatal(err)
	}
	if h.log.Now() == "broken" {
		// As staff would: room is made, the terminal is started again.
		said = "out of service without room for the evidence; its receipt after a restart"
		h.kill(syscall.SIGKILL, h.agent())
	}
	return said
}

// fill writes until nothing more fits.
func fill(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	block := bytes.Repeat([]byte{0xff}, 1<<20)
	for len(block) >= 512 {
		if _, err := f.Write(block); errors.Is(err, unix.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil && !errors.Is(err, unix.ENOSPC) {
		return err
	}
	return nil
}

// What the terminal logs.
var (
	wiped      = regexp.MustCompile(`msg=wiped session=\S+ `)
	failedWipe = regexp.MustCompile(`msg=wiped session=\S+ ms=\d+ failure=("[^"]|[^"\s])`)
	noRoom     = regexp.MustCompile(`the journal cannot be written`)
)

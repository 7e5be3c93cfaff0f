package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// keyboard presses real keys on the terminal's display, with xdotool.
type keyboard struct {
	t   *testing.T
	env []string
}

// keyboard finds the terminal's display: the X server that its root role started
// says on its command line which one it is, and where its cookie lies.
func (h *hall) keyboard() keyboard {
	h.t.Helper()
	_, warden := h.stand.Pids()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		rest := stat[bytes.LastIndexByte(stat, ')')+1:]
		if f := strings.Fields(string(rest)); len(f) < 2 || f[1] != strconv.Itoa(warden) {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil {
			continue
		}
		argv := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		if len(argv) > 3 && filepath.Base(argv[0]) == "Xvfb" && argv[2] == "-auth" {
			return keyboard{h.t, []string{"DISPLAY=" + argv[1], "XAUTHORITY=" + argv[3], "PATH=" + os.Getenv("PATH")}}
		}
	}
	h.t.Fatal("cannot find the terminal's display")
	return keyboard{}
}

func (k keyboard) run(stdin string, args ...string) {
	k.t.Helper()
	c := exec.Command("xdotool", args...)
	c.Env, c.Stdin = k.env, strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		k.t.Fatalf("xdotool %s: %v: %s", args[0], err, out)
	}
}

func (k keyboard) press(keys ...string) {
	k.t.Helper()
	for _, key := range keys {
		k.run("", "key", "--delay", "60", key)
	}
}

// typed hands the text over on standard input: an X server keeps the command
// lines of its clients in its memory, and there the search would find it.
func (k keyboard) typed(text string) {
	k.t.Helper()
	k.run(text, "type", "--delay", "25", "--file", "-")
}

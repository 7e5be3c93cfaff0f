package stand

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Keyboard presses real keys on the terminal's display, with xdotool.
type Keyboard struct{ env []string }

// Keyboard finds the display by the server that the warden started: its number,
// and the file with its cookie, are its first arguments.
func (s *Stand) Keyboard() (*Keyboard, error) {
	_, warden := s.Pids()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot find the terminal's display: %w", err)
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
		cmd, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil {
			continue
		}
		argv := strings.Split(string(cmd), "\x00")
		if len(argv) > 3 && strings.HasPrefix(argv[1], ":") && argv[2] == "-auth" {
			return &Keyboard{[]string{"DISPLAY=" + argv[1], "XAUTHORITY=" + argv[3], "PATH=" + os.Getenv("PATH")}}, nil
		}
	}
	return nil, errors.New("cannot find the terminal's display: no child of the warden is an X server")
}

func (k *Keyboard) run(stdin string, args ...string) error {
	c := exec.Command("xdotool", args...)
	c.Env, c.Stdin = k.env, strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot press keys: xdotool %s: %w: %s", args[0], err, out)
	}
	return nil
}

// Press presses keys one after the other, by xdotool's names.
func (k *Keyboard) Press(keys ...string) error {
	for _, key := range keys {
		if err := k.run("", "key", "--delay", "60", key); err != nil {
			return err
		}
	}
	return nil
}

// Type hands the text over on standard input: an X server keeps the command
// lines of its clients in its memory, and there a search would find it.
func (k *Keyboard) Type(text string) error {
	return k.run(text, "type", "--delay", "25", "--file", "-")
}

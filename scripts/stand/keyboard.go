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

// Keyboard finds the display by the environment of the agent that runs now.
func (s *Stand) Keyboard() (*Keyboard, error) {
	_, warden := s.Pids()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot find the agent's display: %w", err)
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
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue
		}
		var out []string
		for _, kv := range strings.Split(string(env), "\x00") {
			if strings.HasPrefix(kv, "DISPLAY=") || strings.HasPrefix(kv, "XAUTHORITY=") {
				out = append(out, kv)
			}
		}
		if len(out) == 2 {
			return &Keyboard{append(out, "PATH="+os.Getenv("PATH"))}, nil
		}
	}
	return nil, errors.New("cannot find the agent's display: no child of the warden has one")
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

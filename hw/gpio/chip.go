package gpio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"borne/hw"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// chip is an open GPIO character device.
type chip struct {
	f     *os.File
	name  string // gpiochip0
	label string
	lines int
}

// openNode opens one chip by its node.
func openNode(path string) (*chip, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	info, err := uapi.GetChipInfo(f.Fd())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no GPIO chip: %w", path, err), f.Close())
	}
	return &chip{f: f, name: text(info.Name[:]), label: text(info.Label[:]), lines: int(info.Lines)}, nil
}

func (c *chip) close() { _ = c.f.Close() } // read-only use: nothing can be lost

func (c *chip) String() string { return fmt.Sprintf("%s (%s)", c.name, c.label) }

// text takes a kernel name up to its zero byte.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// nodes lists the chips' nodes. Links are left out: Raspberry Pi OS links gpiochip4
// to gpiochip0 on a Pi 5, and that is one chip, not two.
func nodes() ([]string, error) {
	all, err := filepath.Glob("/dev/gpiochip*")
	slices.Sort(all)
	return slices.DeleteFunc(all, func(n string) bool {
		fi, err := os.Lstat(n)
		return err != nil || fi.Mode()&fs.ModeSymlink != 0
	}), err
}

// findChip opens the chip of an address. Labels are stable; names are given in
// the order of discovery and moved between kernels on the Pi 5.
func findChip(want string) (*chip, error) {
	if regexp.MustCompile(`^gpiochip[0-9]{1,3}$`).MatchString(want) {
		c, err := openNode("/dev/" + want)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%w: /dev/%s does not exist; name the chip by its label, as in pinctrl-bcm2711, or auto", hw.ErrAbsent, want)
		case errors.Is(err, fs.ErrPermission):
			return nil, denied(err)
		}
		return c, err
	}
	labels := []string{want}
	if want == Auto {
		labels = headers()
	}
	nodes, err := nodes()
	if err != nil {
		return nil, err
	}
	var found *chip
	var others []string
	var failed error
	for _, n := range nodes {
		c, err := openNode(n)
		switch {
		case err != nil:
			failed = err
		case !slices.Contains(labels, c.label):
			others = append(others, c.String())
			c.close()
		case found != nil:
			err := fmt.Errorf("two chips have the label %q: %s and %s; write the chip's name instead", c.label, found.name, c.name)
			c.close()
			found.close()
			return nil, err
		default:
			found = c
		}
	}
	switch {
	case found != nil:
		return found, nil
	case errors.Is(failed, fs.ErrPermission):
		return nil, denied(failed)
	case failed != nil:
		return nil, failed
	case len(others) == 0:
		return nil, fmt.Errorf("%w: this machine has no GPIO chip (no /dev/gpiochip*); remove the device from the configuration, or check that the kernel has GPIO_CDEV", hw.ErrAbsent)
	}
	return nil, fmt.Errorf("%w: no GPIO chip has the label %s; this machine has %s", hw.ErrAbsent, strings.Join(labels, " or "), strings.Join(others, ", "))
}

func denied(err error) error {
	return fmt.Errorf("%w; give /dev/gpiochip* to the agent's user (group gpio, or a udev rule)", err)
}

// offset finds a line by its number or name.
func (c *chip) offset(line string) (int, error) {
	if n, err := strconv.Atoi(line); err == nil {
		if n < 0 || n >= c.lines {
			return 0, fmt.Errorf("chip %s has the lines 0 to %d, and no %d", c, c.lines-1, n)
		}
		return n, nil
	}
	found := -1
	for o := range c.lines {
		info, err := uapi.GetLineInfoV2(c.f.Fd(), o)
		if err != nil {
			return 0, fmt.Errorf("cannot read line %d of chip %s: %w; GPIO needs Linux 5.10 or newer", o, c, err)
		}
		if text(info.Name[:]) != line {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("chip %s has two lines named %q: %d and %d; write the number", c, line, found, o)
		}
		found = o
	}
	if found >= 0 {
		return found, nil
	}
	// A Pi's device tree names some pins by their other function (GPIO14 is TXD1).
	if n, ok := headerLine(line); ok && slices.Contains(headers(), c.label) && n < c.lines {
		return n, nil
	}
	return 0, fmt.Errorf("chip %s has no line named %q; write its number, 0 to %d", c, line, c.lines-1)
}

// Named is one thing a person can configure: a chip of this machine.
type Named struct {
	Name, Label string
	Lines       int
}

// Chips lists this machine's chips, for the list of what is there.
func Chips() ([]Named, error) {
	nodes, err := nodes()
	if err != nil {
		return nil, err
	}
	var out []Named
	var failed error
	for _, n := range nodes {
		c, err := openNode(n)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("cannot look at GPIO chip %s: %w", n, err))
			continue
		}
		out = append(out, Named{c.name, c.label, c.lines})
		c.close()
	}
	return out, failed
}

package gpio_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"borne/hw/gpio"

	"golang.org/x/sys/unix"
)

// simChip is a chip of the kernel's gpio-sim, wired from outside through sysfs.
type simChip struct {
	t          *testing.T
	cfg, lines string
	label      string
	unplugged  bool
}

const simHome = "/sys/kernel/config/gpio-sim"

// needSim skips where the kernel has no gpio-sim.
func needSim(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(simHome); err != nil {
		t.Skip("SKIP: no gpio-sim here; scripts/hw-kernel has one")
	}
}

// newChip plugs a chip of 8 lines named GPIO0 to GPIO7 but for GPIO3, which has
// two, and GPIO4, which has another name. It skips where there
// is no gpio-sim.
func newChip(t *testing.T, label string) *simChip {
	t.Helper()
	needSim(t)
	cfg, err := os.MkdirTemp(simHome, "borne")
	if err != nil {
		t.Skipf("SKIP: gpio-sim cannot be used: %v", err)
	}
	c := &simChip{t: t, cfg: cfg, label: label}
	mkdir(t, cfg+"/bank0")
	write(t, cfg+"/bank0/num_lines", "8")
	write(t, cfg+"/bank0/label", label)
	dirs := []string{cfg + "/bank0", cfg}
	for n := range 8 {
		name := fmt.Sprintf("GPIO%d", n)
		if n == 4 {
			name = "SPI_CE0"
		}
		if n == 5 {
			name = "GPIO3"
		}
		d := fmt.Sprintf("%s/bank0/line%d", cfg, n)
		mkdir(t, d)
		write(t, d+"/name", name)
		dirs = append([]string{d}, dirs...)
	}
	t.Cleanup(func() {
		c.unplug()
		for _, d := range dirs {
			if err := unix.Rmdir(d); err != nil {
				t.Errorf("%s: %v", d, err)
			}
		}
	})
	c.plug()
	return c
}

func (c *simChip) plug() {
	c.unplugged = false
	write(c.t, c.cfg+"/live", "1")
	c.lines = "/sys/devices/platform/" + read(c.t, c.cfg+"/dev_name") + "/" + read(c.t, c.cfg+"/bank0/chip_name")
}

func (c *simChip) unplug() {
	if !c.unplugged {
		c.unplugged = true
		write(c.t, c.cfg+"/live", "0")
	}
}

// value is the level on the wire.
func (c *simChip) value(line int) string {
	return read(c.t, fmt.Sprintf("%s/sim_gpio%d/value", c.lines, line))
}

// pull drives an input from outside.
func (c *simChip) pull(line int, up bool) {
	v := "pull-down"
	if up {
		v = "pull-up"
	}
	write(c.t, fmt.Sprintf("%s/sim_gpio%d/pull", c.lines, line), v)
}

func (c *simChip) address(line string) gpio.Address { return gpio.Address{Chip: c.label, Line: line} }

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, v string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(v), 0); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

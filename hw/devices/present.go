package devices

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"borne/hw"
	"borne/hw/gpio"
)

// Present says whether a device is there without opening it, so that a terminal
// at work is not disturbed. hw.ErrAbsent: it is not; nil: it is, or only opening
// it can tell (displays, meters).
func Present(d hw.Device) error {
	if d.Sim {
		return nil
	}
	node := d.Path
	switch d.Driver {
	case "x11", "wlr", "shelly1", "shelly2", "tasmota":
		return nil
	case "gpio":
		return chipPresent(d)
	case "pcsc":
		node = "/run/pcscd/pcscd.comm"
	case "backlight":
		node = filepath.Join("/sys/class/backlight", d.Path)
	}
	switch _, err := os.Stat(node); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot find device %q: %w: %s does not exist", d, hw.ErrAbsent, node)
	case err != nil:
		return fmt.Errorf("cannot find device %q: %w", d, err)
	}
	return nil
}

func chipPresent(d hw.Device) error {
	a, err := gpio.ParseAddress(d.Path)
	if err != nil {
		return fmt.Errorf("cannot use device %q: %w", d, err)
	}
	chips, err := gpio.Chips()
	if err != nil {
		return fmt.Errorf("cannot find device %q: %w", d, err)
	}
	for _, c := range chips {
		if a.Chip == c.Label || a.Chip == c.Name || a.Chip == "auto" && strings.HasPrefix(c.Label, "pinctrl-") {
			return nil
		}
	}
	return fmt.Errorf("cannot find device %q: %w: this machine has no GPIO chip of that name", d, hw.ErrAbsent)
}

// Found lists device names of what is on this machine and could have a role.
func Found() []string {
	var names []string
	for _, n := range []struct{ driver, pattern string }{
		{"mfrc522", "/dev/spidev*"}, {"pn532", "/dev/i2c-*"}, {"wedge", "/dev/input/by-id/*-event-kbd"},
		{"pcsc", "/run/pcscd/pcscd.comm"}, {"backlight", "/sys/class/backlight/*"}, {"cec", "/dev/cec*"}, {"rtc", "/dev/rtc?"}, {"watchdog", "/dev/watchdog?"},
	} {
		paths, err := filepath.Glob(n.pattern)
		if err != nil { // the patterns are ours
			continue
		}
		for _, p := range paths {
			switch n.driver {
			case "pcsc":
				p = "any"
			case "backlight":
				p = filepath.Base(p)
			}
			names = append(names, n.driver+":"+p)
		}
	}
	chips, err := gpio.Chips()
	if err != nil {
		chips = nil // nobody may look: then none can be offered
	}
	for _, c := range chips {
		names = append(names, "gpio:"+c.Label+"/…")
	}
	slices.Sort(names)
	return names
}

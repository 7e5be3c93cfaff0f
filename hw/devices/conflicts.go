package devices

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"borne/hw"
	"borne/hw/gpio"
)

// use is something of the terminal that a device needs for itself.
type use struct {
	what string // the same for two uses of one thing
	say  string // to a person
	bus  string // uses by devices on one bus do not disturb each other; empty: nobody else's
}

// pinUse is one pin of a Raspberry Pi's header.
func pinUse(n int, bus string) use {
	return use{what: fmt.Sprintf("header/GPIO%d", n), say: fmt.Sprintf("pin GPIO%d", n), bus: bus}
}

// uses lists what a real device takes: its node, its lines, and the header's pins
// behind its bus (SPI0, SPI1, I2C1 and the first UART of a Raspberry Pi).
func uses(d hw.Device) []use {
	if d.Sim {
		return nil
	}
	var out []use
	if d.Driver == "gpio" {
		a, err := gpio.ParseAddress(d.Path)
		if err != nil {
			return nil // Check says so
		}
		if n, ok := a.Header(); ok {
			return []use{pinUse(n, "")}
		}
		return []use{{what: a.Pin(), say: "GPIO line " + a.Pin()}}
	}
	node := use{what: d.Path, say: d.Path}
	var pins []int
	switch {
	case regexp.MustCompile(`^/dev/spidev0\.[01]$`).MatchString(d.Path):
		// The chip select is the node's own; clock and data are the bus's.
		out = append(out, pinUse(8-int(d.Path[len(d.Path)-1]-'0'), ""))
		pins = []int{9, 10, 11}
	case regexp.MustCompile(`^/dev/spidev1\.[0-2]$`).MatchString(d.Path):
		out = append(out, pinUse(18-int(d.Path[len(d.Path)-1]-'0'), ""))
		pins = []int{19, 20, 21}
	case d.Path == "/dev/i2c-1":
		node.bus = "i2c"
		pins = []int{2, 3}
	case d.Path == "/dev/serial0", d.Path == "/dev/ttyAMA0", d.Path == "/dev/ttyS0":
		pins = []int{14, 15}
	}
	if strings.HasPrefix(d.Path, "/dev/") {
		out = append(out, node)
	}
	for _, n := range pins {
		out = append(out, pinUse(n, busOf(d.Path)))
	}
	for _, opt := range []string{"rst", "irq"} {
		if v := d.Options[opt]; v != "" {
			if n, ok := (gpio.Address{Chip: gpio.Auto, Line: v}).Header(); ok {
				out = append(out, pinUse(n, ""))
			}
		}
	}
	return out
}

// busOf names the bus of a node without its chip select.
func busOf(path string) string {
	if m := regexp.MustCompile(`^/dev/(spidev[0-9]+)\.`).FindStringSubmatch(path); m != nil {
		return m[1]
	}
	return path
}

// Conflicts finds devices that would use one pin, line or node. Its error names
// both roles, what they share, and what to do; nil: there is none.
func Conflicts(configured map[string]hw.Device) error {
	type holder struct {
		role string
		use
	}
	var found []error
	held := map[string][]holder{}
	roles := slices.Sorted(maps.Keys(configured)) // the same error for the same configuration
	for _, role := range roles {
		d := configured[role]
		told := map[string]bool{} // once for each other device
		for _, u := range uses(d) {
			for _, h := range held[u.what] {
				switch {
				case u.bus != "" && u.bus == h.bus, told[h.role]:
				case h.role == role:
					told[role] = true
					found = append(found, fmt.Errorf("cannot use device %q for %s: its options take %s twice; wire one of them to another pin", d, role, u.say))
				default:
					told[h.role] = true
					found = append(found, fmt.Errorf("cannot use %s for both %s (%q) and %s (%q): wire one of them to another pin, and change its name in the configuration",
						u.say, h.role, configured[h.role], role, d))
				}
			}
			held[u.what] = append(held[u.what], holder{role, u})
		}
	}
	return errors.Join(found...)
}

package hw

import (
	"fmt"
	"regexp"
	"strings"
)

// Kind is what a device can do for a terminal.
type Kind uint8

// Kinds of devices.
const (
	KindReader   Kind = iota + 1 // reads badges
	KindInput                    // a contact
	KindOutput                   // a relay, light or buzzer
	KindScreen                   // a way to darken the display
	KindClock                    // a real-time clock
	KindWatchdog                 // restarts a machine that hangs
	KindMeter                    // measures what the terminal draws
)

func (k Kind) String() string {
	return [...]string{"", "badge reader", "contact", "output", "screen", "clock", "watchdog", "meter"}[min(k, KindMeter)]
}

// Role is a device's place on a terminal, as [devices] of the configuration names it.
type Role struct {
	Name string // "screen-1" to "screen-9" share the role "screen"
	Kind Kind
}

// Roles lists what devices can be on a terminal.
func Roles() []Role {
	return []Role{
		{"badge-reader", KindReader},
		{"case", KindInput},     // of the terminal: On is open
		{"call", KindInput},     // button that calls staff: On is pressed
		{"alarm", KindInput},    // of the building against intruders: On is armed, and the terminal is closed
		{"presence", KindInput}, // On: somebody stands there
		{"light", KindOutput},   // On while somebody can use the terminal or does
		{"buzzer", KindOutput},
		{"mains", KindOutput},  // relay of what may be without power while the terminal sleeps
		{"screen", KindScreen}, // screen-1, screen-2…: in the order in which they are tried
		{"clock", KindClock},
		{"watchdog", KindWatchdog},
		{"meter", KindMeter}, // of all that the terminal draws, its screen included
	}
}

// RoleOf finds a role by its name in the configuration.
func RoleOf(name string) (Role, error) {
	if regexp.MustCompile(`^screen-[1-9]$`).MatchString(name) {
		return Role{"screen", KindScreen}, nil
	}
	var names []string
	for _, r := range Roles() {
		switch {
		case r.Name == "screen":
			names = append(names, "screen-1 to screen-9")
		case r.Name == name:
			return r, nil
		default:
			names = append(names, r.Name)
		}
	}
	return Role{}, fmt.Errorf("cannot use %.40q as a role: roles are %s", name, strings.Join(names, ", "))
}

// Fits says whether a device can have a role, and which drivers could.
func (r Role) Fits(d Device) error {
	var could []string
	for _, n := range driverNames(d.Sim) {
		for _, k := range drivers()[n].kinds {
			if k != r.Kind && !(r.Kind == KindScreen && k == KindOutput) { // an output may be the relay of a screen's mains
				continue
			}
			if n == d.Driver {
				return nil
			}
			could = append(could, n)
			break
		}
	}
	return fmt.Errorf("cannot use device %q as %s: that takes a %s; drivers for it are %s", d, r.Name, r.Kind, strings.Join(could, ", "))
}

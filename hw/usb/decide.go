package usb

import (
	"fmt"
	"slices"
)

// Device is one device at one port.
type Device struct {
	Port    string // the kernel's name of its place: bus, then ports, "1-1.4"
	Number  int    // new at each plugging
	Serial  string // never leaves this machine
	Said    Said
	Damaged bool // what it says makes no sense
}

// Mark is how an input device that belongs here is known again. A device can
// lie about each part; that is why its port counts, and why a change is told.
type Mark struct {
	Port       string  `json:"port"`
	Vendor     uint16  `json:"vendor"`
	Product    uint16  `json:"product"`
	Interfaces []Class `json:"interfaces"`
}

// MarkOf makes a device's mark.
func MarkOf(d Device) Mark { return Mark{d.Port, d.Said.Vendor, d.Said.Product, d.Said.Interfaces} }

func (m Mark) equal(o Mark) bool {
	return m.Port == o.Port && m.Vendor == o.Vendor && m.Product == o.Product && slices.Equal(m.Interfaces, o.Interfaces)
}

// Rules say what may be plugged in, beside the input devices that belong here.
type Rules struct {
	Anywhere []Class            // at every port
	Ports    map[string][]Class // at one more
	Serials  []string           // devices that may be anything but storage, such as the badge reader
}

// DefaultRules let in what a terminal is made of.
func DefaultRules() Rules { return Rules{Anywhere: []Class{Hub, Printer, SmartCard}} }

// Memory is what was seen before.
type Memory struct {
	Inputs  []Mark          // input devices that belong here
	Stored  map[string]bool // ports that had storage since the terminal started
	Seen    map[string]Mark // what was let in at a port since the terminal started
	Opening bool            // maintenance, or the very first start: new input devices are taken in
}

// Reason is why a device was let in or not: a code that staff read as a sentence.
type Reason string

// Reasons.
const (
	Allowed    Reason = "allowed"
	Replugged  Reason = "usb-replugged"        // let in, and told: an input device that was taken out and came back
	IsStorage  Reason = "usb-storage"          // refused, as are the next ones
	WasStorage Reason = "usb-input-on-storage" // a stick that becomes a keyboard
	NewInput   Reason = "usb-input"            // a keyboard or mouse that does not belong here
	NotAllowed Reason = "usb-class"
	Unreadable Reason = "usb-unreadable"
)

// Verdict is the decision about one device.
type Verdict struct {
	Allow  bool
	Learn  bool // it belongs here from now on
	Reason Reason
	Class  Class // what decided
}

// Tell tells whether staff should hear of it.
func (v Verdict) Tell() bool { return v.Reason != Allowed }

// Decide is the whole rule. It has no other input than these, and changes nothing.
func Decide(r Rules, m Memory, d Device) Verdict {
	switch {
	case d.Damaged:
		return Verdict{Reason: Unreadable}
	case d.has(Storage) && d.has(Input):
		return Verdict{Reason: WasStorage, Class: Storage}
	case d.has(Storage):
		return Verdict{Reason: IsStorage, Class: Storage}
	case d.has(Input) && m.Stored[d.Port]:
		return Verdict{Reason: WasStorage, Class: Input}
	case d.Serial != "" && slices.Contains(r.Serials, d.Serial):
		return Verdict{Allow: true, Reason: Allowed}
	}
	may := slices.Concat(r.Anywhere, r.Ports[d.Port])
	for _, c := range d.classes() {
		if c != Input && !slices.Contains(may, c) {
			return Verdict{Reason: NotAllowed, Class: c}
		}
	}
	if !d.has(Input) || slices.Contains(may, Input) {
		return Verdict{Allow: true, Reason: Allowed}
	}
	mark := MarkOf(d)
	switch belongs := slices.ContainsFunc(m.Inputs, mark.equal); {
	case m.Opening:
		return Verdict{Allow: true, Learn: !belongs, Reason: Allowed, Class: Input}
	case !belongs:
		return Verdict{Reason: NewInput, Class: Input}
	}
	if _, before := m.Seen[d.Port]; before {
		return Verdict{Allow: true, Reason: Replugged, Class: Input}
	}
	return Verdict{Allow: true, Reason: Allowed, Class: Input}
}

// classes are the device's own and its interfaces', each once.
func (d Device) classes() []Class {
	all := slices.Clone(d.Said.Interfaces)
	// A class of the device's own stands for all of it, with two exceptions that refer to the interfaces.
	if c := d.Said.Class; c != PerInterface && c != Misc {
		all = append(all, c)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (d Device) has(c Class) bool { return slices.Contains(d.classes(), c) }

// String names the place and the class, and nothing that tells one device from another.
func (v Verdict) String() string { return fmt.Sprintf("%s (%02x)", v.Reason, byte(v.Class)) }

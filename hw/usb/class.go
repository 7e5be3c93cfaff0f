package usb

import (
	"fmt"
	"slices"
)

// Class is a device class of the USB-IF (usb.org/defined-class-codes).
type Class byte

// Classes that rules are about.
const (
	PerInterface Class = 0x00 // of a device: see its interfaces
	Audio        Class = 0x01
	Comm         Class = 0x02
	Input        Class = 0x03 // HID
	Image        Class = 0x06
	Printer      Class = 0x07
	Storage      Class = 0x08
	Hub          Class = 0x09
	CommData     Class = 0x0a
	SmartCard    Class = 0x0b
	Video        Class = 0x0e
	Misc         Class = 0xef // of a device: its interfaces come in groups
	Vendor       Class = 0xff
)

// names are those of the configuration. Storage has none: no rule lets it in.
var names = map[string]Class{"audio": Audio, "comm": Comm, "comm-data": CommData, "input": Input, "image": Image, "printer": Printer,
	"hub": Hub, "smart-card": SmartCard, "video": Video, "vendor": Vendor}

// ParseClass reads a class's name.
func ParseClass(name string) (Class, error) {
	if name == "storage" {
		return 0, fmt.Errorf("cannot allow storage: a terminal never takes any")
	}
	c, ok := names[name]
	if !ok {
		var all []string
		for n := range names {
			all = append(all, n)
		}
		slices.Sort(all)
		return 0, fmt.Errorf("cannot tell what class %.20q is: write one of %v", name, all)
	}
	return c, nil
}

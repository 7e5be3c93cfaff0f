package usb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	maxDescriptors = 64 << 10 // the kernel keeps at most eight configurations of 64 KiB; none known passes 4 KiB
	maxInterfaces  = 128      // of all configurations and settings

	typeDevice    = 1
	typeConfig    = 2
	typeInterface = 4
)

// errDescriptors reports a device whose words about itself make no sense.
var errDescriptors = errors.New("its descriptors make no sense")

// Said is what a device says of itself.
type Said struct {
	Class           Class
	Vendor, Product uint16
	Interfaces      []Class // of every configuration and setting: it may be switched to any
}

// ParseDescriptors reads the kernel's file "descriptors": the device's, then
// each configuration with what belongs to it (USB 2.0, 9.6). It is strict: a
// device that cannot be understood is not let in.
func ParseDescriptors(b []byte) (Said, error) {
	if len(b) > maxDescriptors {
		return Said{}, fmt.Errorf("cannot read a device: %d bytes: %w", len(b), errDescriptors)
	}
	if len(b) < 18 || b[0] != 18 || b[1] != typeDevice {
		return Said{}, fmt.Errorf("cannot read a device: no device descriptor: %w", errDescriptors)
	}
	s := Said{Class: Class(b[4]), Vendor: binary.LittleEndian.Uint16(b[8:]), Product: binary.LittleEndian.Uint16(b[10:])}
	configs := int(b[17])
	b = b[18:]
	for n := 0; len(b) > 0; n++ {
		if n == configs || len(b) < 9 || b[0] < 9 || b[1] != typeConfig {
			return Said{}, fmt.Errorf("cannot read a device: configuration %d: %w", n, errDescriptors)
		}
		total := int(binary.LittleEndian.Uint16(b[2:]))
		if total < int(b[0]) || total > len(b) {
			return Said{}, fmt.Errorf("cannot read a device: configuration %d is cut short: %w", n, errDescriptors)
		}
		if err := s.configuration(b[b[0]:total]); err != nil {
			return Said{}, err
		}
		b = b[total:]
	}
	if len(s.Interfaces) == 0 {
		return Said{}, fmt.Errorf("cannot read a device: it has no interface: %w", errDescriptors)
	}
	return s, nil
}

// configuration reads what follows a configuration's own descriptor.
func (s *Said) configuration(b []byte) error {
	for len(b) > 0 {
		if len(b) < 2 || b[0] < 2 || int(b[0]) > len(b) {
			return fmt.Errorf("cannot read a device: a descriptor is cut short: %w", errDescriptors)
		}
		if b[1] == typeInterface {
			if b[0] < 9 || len(s.Interfaces) == maxInterfaces {
				return fmt.Errorf("cannot read a device: its interfaces: %w", errDescriptors)
			}
			s.Interfaces = append(s.Interfaces, Class(b[5]))
		}
		b = b[b[0]:]
	}
	return nil
}

package config

import (
	"fmt"
	"regexp"

	"borne/hw/usb"
)

// ports is the section [usb].
type ports struct {
	Guard   bool                `toml:"guard"`
	Allow   []string            `toml:"allow"`   // classes, at every port
	Serials []string            `toml:"serials"` // devices of any class but storage
	Ports   map[string][]string `toml:"ports"`   // classes at one more port
}

var (
	portName   = regexp.MustCompile(`^[0-9]{1,4}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}$`)
	serialName = regexp.MustCompile(`^[ -~]{1,126}$`)
)

func (p ports) check() (r usb.Rules, wrong []error) {
	classes := func(where string, names []string) (list []usb.Class) {
		for _, n := range names {
			c, err := usb.ParseClass(n)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("usb.%s: %w", where, err))
				continue
			}
			list = append(list, c)
		}
		return list
	}
	r.Anywhere = classes("allow", p.Allow)
	for _, s := range p.Serials {
		r.Serials = append(r.Serials, s)
		if !serialName.MatchString(s) {
			wrong = append(wrong, fmt.Errorf("usb.serials: %.40q: write the serial number as the file serial below /sys/bus/usb/devices has it", s))
		}
	}
	for port, names := range p.Ports {
		if !portName.MatchString(port) {
			wrong = append(wrong, fmt.Errorf("usb.ports: %.40q: write the port as /sys/bus/usb/devices names it, such as 1-1.4", port))
		}
		if r.Ports == nil {
			r.Ports = map[string][]usb.Class{}
		}
		r.Ports[port] = classes("ports."+port, names)
	}
	return r, wrong
}

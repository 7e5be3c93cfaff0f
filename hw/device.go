package hw

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Limits of a device name, so that a damaged configuration cannot flood logs.
const (
	maxDeviceName = 256
	maxDeviceOpts = 16
)

// Device is a parsed device name:
//
//	mfrc522:/dev/spidev0.0?rst=GPIO25&gain=48&clock=4MHz
//	sim:mfrc522?poll=100ms
//
// Options hold only names that the driver knows; their values are checked by
// the driver that is opened.
type Device struct {
	Driver  string            // "mfrc522", "case", "call", "screen", "output"
	Sim     bool              // served by the simulator's bench
	Path    string            // device node, or what its driver takes instead; empty when Sim
	Options map[string]string // never nil
	raw     string
}

// String returns the name as it was configured.
func (d Device) String() string { return d.raw }

// driver says what a driver's name takes.
type driver struct {
	path    string // pattern of what follows the colon; empty: no driver for real hardware
	example string // of such a path
	sim     bool   // the bench offers it
	kinds   []Kind
	options []string
}

// drivers is a function, not a variable, so that nothing can change it.
func drivers() map[string]driver {
	return map[string]driver{
		"mfrc522":  {kinds: []Kind{KindReader}, path: `/dev/spidev[0-9]{1,3}\.[0-9]{1,2}`, example: "/dev/spidev0.0", sim: true, options: []string{"clock", "gain", "poll", "rst", "script"}},
		"pn532":    {kinds: []Kind{KindReader}, path: `/dev/(spidev[0-9]{1,3}\.[0-9]{1,2}|i2c-[0-9]{1,3}|tty(AMA|S|USB|ACM)[0-9]{1,3}|serial[0-9])`, example: "/dev/i2c-1", sim: true, options: []string{"bus", "clock", "poll", "retries", "rst", "script"}},
		"gpio":     {kinds: []Kind{KindInput, KindOutput}, path: `[A-Za-z0-9][A-Za-z0-9_.:@-]{0,30}/[A-Za-z0-9][A-Za-z0-9_.:+-]{0,30}`, example: "auto/17", options: []string{"active", "debounce", "pull", "safe"}},
		"rtc":      {kinds: []Kind{KindClock}, path: `/dev/rtc[0-9]{1,2}`, example: "/dev/rtc0", sim: true},
		"watchdog": {kinds: []Kind{KindWatchdog}, path: `/dev/watchdog[0-9]{1,2}`, example: "/dev/watchdog0", options: []string{"timeout"}},
		"wedge":    {kinds: []Kind{KindReader}, path: `/dev/input/(event[0-9]{1,3}|by-(id|path)/[A-Za-z0-9_.:+@-]{1,160})`, example: "/dev/input/by-id/usb-…-event-kbd", options: []string{"end", "format", "gap"}},
		"pcsc":     {kinds: []Kind{KindReader}, path: `[A-Za-z0-9][A-Za-z0-9_.:()\[\]-]{0,99}`, example: "any"}, // or a part of the reader's name; see pcsc.Options
		"case":     {kinds: []Kind{KindInput}, sim: true},
		"alarm":    {kinds: []Kind{KindInput}, sim: true},
		"presence": {kinds: []Kind{KindInput}, sim: true},
		"call":     {kinds: []Kind{KindInput}, sim: true},
		"screen":   {kinds: []Kind{KindScreen}, sim: true},

		// The display's light, by each way that darkens it; see devices.OpenScreens.
		"x11":       {kinds: []Kind{KindScreen}, path: `auto|:[0-9]{1,5}`, example: "auto", options: []string{"authority"}},
		"wlr":       {kinds: []Kind{KindScreen}, path: `auto|/[A-Za-z0-9_./-]{1,100}`, example: "/run/user/1000/wayland-1"},
		"cec":       {kinds: []Kind{KindScreen}, path: `/dev/cec[0-9]{1,3}`, example: "/dev/cec0"},
		"backlight": {kinds: []Kind{KindScreen}, path: `[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}`, example: "rpi_backlight"},

		"output": {kinds: []Kind{KindOutput}, sim: true, options: []string{"name"}},

		// Energy meters on the local network: host, port where it is not 80, and the
		// channel of those that have several. Their Gen2 covers Gen3 and Gen4.
		"shelly1": {kinds: []Kind{KindMeter}, path: meterHost + `/[0-9]`, example: "192.168.1.40/0"},
		"shelly2": {kinds: []Kind{KindMeter}, path: meterHost + `/[0-9]`, example: "192.168.1.40/0"},
		"tasmota": {kinds: []Kind{KindMeter}, path: meterHost, example: "192.168.1.40"},
		"meter":   {kinds: []Kind{KindMeter}, sim: true, options: []string{"dialect", "script"}},
	}
}

// meterHost is the pattern of a host and its port.
const meterHost = `[A-Za-z0-9][A-Za-z0-9.-]{0,62}(:[0-9]{1,5})?`

// ParseDevice parses a device name. Its errors name the device, what is wrong
// and what is allowed.
func ParseDevice(s string) (Device, error) {
	if len(s) > maxDeviceName {
		return Device{}, fmt.Errorf("cannot read a device name of %d bytes: the limit is %d", len(s), maxDeviceName)
	}
	fail := func(format string, a ...any) (Device, error) {
		return Device{}, fmt.Errorf("cannot use device %q: "+format, append([]any{s}, a...)...)
	}
	for _, r := range s {
		if r < 0x21 || r > 0x7E {
			return fail("it has a space or an unprintable character; remove it")
		}
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" {
		return fail("write driver:path or sim:driver, for example mfrc522:/dev/spidev0.0 or sim:mfrc522")
	}
	if strings.Contains(rest, "#") {
		return fail("# is not allowed in it")
	}
	place, query, _ := strings.Cut(rest, "?")
	d := Device{Driver: scheme, Path: place, Options: map[string]string{}, raw: s}
	if scheme == "sim" {
		d.Driver, d.Path, d.Sim = place, "", true
	}
	spec, known := drivers()[d.Driver]
	switch {
	case !known:
		return fail("unknown driver %q; known drivers are %s", d.Driver, strings.Join(driverNames(d.Sim), ", "))
	case d.Sim && !spec.sim, !d.Sim && spec.path == "":
		return fail("driver %q is not available here; use one of %s", d.Driver, strings.Join(driverNames(d.Sim), ", "))
	case strings.Contains(d.Path, ".."), strings.Contains(d.Path, "//"):
		return fail("path %q must be a plain path without .. or //", d.Path)
	case !d.Sim && !regexp.MustCompile("^(?:"+spec.path+")$").MatchString(d.Path):
		return fail("path %q is not one that this driver takes; write it as in %s:%s", d.Path, d.Driver, spec.example)
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return fail("its options are not of the form name=value&name=value: %w", err)
	}
	if len(q) > maxDeviceOpts {
		return fail("it has %d options; the limit is %d", len(q), maxDeviceOpts)
	}
	names := make([]string, 0, len(q))
	for k := range q {
		names = append(names, k)
	}
	slices.Sort(names) // the same error for the same name, whatever the map's order
	for _, k := range names {
		switch v := q[k]; {
		case !slices.Contains(spec.options, k):
			return fail("unknown option %q; %s", k, allowed(spec.options))
		case len(v) != 1:
			return fail("option %q is given %d times; give it once", k, len(v))
		case v[0] == "":
			return fail("option %q has no value; write %s=value or remove it", k, k)
		default:
			d.Options[k] = v[0]
		}
	}
	return d, nil
}

func allowed(opts []string) string {
	if len(opts) == 0 {
		return "this driver takes no option"
	}
	return "allowed options are " + strings.Join(opts, ", ")
}

func driverNames(sim bool) []string {
	var out []string
	for n, d := range drivers() {
		if sim && d.sim || !sim && d.path != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

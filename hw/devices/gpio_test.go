package devices_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"borne/hw"
	"borne/hw/devices"
	"borne/hw/gpio"
	"borne/hw/rtc"
	"borne/hw/watchdog"
)

func TestGPIOOptions(t *testing.T) {
	for _, name := range []string{
		"gpio:auto/17", "gpio:pinctrl-bcm2711/17?active=low", "gpio:gpiochip0/GPIO17?active=high&pull=up&debounce=50ms",
		"gpio:auto/GPIO4?debounce=0&pull=down", "gpio:auto/4?safe=on&active=low&pull=off", "gpio:auto/4?safe=off",
	} {
		if err := devices.Check(parse(t, name)); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{
		"gpio:auto/17?active=yes":             "option active=yes must be low",
		"gpio:auto/17?pull=none":              "option pull=none must be up, down or off",
		"gpio:auto/17?safe=low":               "option safe=low must be off or on",
		"gpio:auto/17?debounce=1h":            "option debounce=1h must be 0 or a duration between 1ms and 1s",
		"gpio:auto/17?debounce=30":            "option debounce=30",
		"gpio:auto/17?safe=on&debounce=30ms":  "option safe is for outputs and debounce for contacts",
		"gpio:auto/17?debounce=-5ms&pull=off": "option debounce=-5ms",
	} {
		if err := devices.Check(parse(t, name)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
	}
	e := env(t)
	_, err := devices.OpenInput(t.Context(), parse(t, "gpio:auto/17?safe=on"), e)
	if err == nil || !strings.Contains(err.Error(), "option safe is for outputs; remove it") {
		t.Errorf("error %v", err)
	}
	_, err = devices.OpenOutput(t.Context(), parse(t, "gpio:auto/17?debounce=5ms"), e)
	if err == nil || !strings.Contains(err.Error(), "option debounce is for contacts; remove it") {
		t.Errorf("error %v", err)
	}
	if nodes, _ := filepath.Glob("/dev/gpiochip*"); len(nodes) > 0 {
		t.Skip("SKIP: this machine has GPIO chips")
	}
	e.Bench = nil // a real device needs none
	_, in := devices.OpenInput(t.Context(), parse(t, "gpio:auto/17"), e)
	_, out := devices.OpenOutput(t.Context(), parse(t, "gpio:gpiochip0/17"), e)
	for _, err := range []error{in, out} {
		if !errors.Is(err, hw.ErrAbsent) {
			t.Errorf("error %v, want hw.ErrAbsent", err)
		}
	}
}

// The patterns of paths in package hw, which imports nothing of ours, are the drivers'.
func TestPathsAreTheDrivers(t *testing.T) {
	src, err := os.ReadFile("../device.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{gpio.AddressPattern, rtc.PathPattern, watchdog.PathPattern} {
		if !strings.Contains(string(src), "`"+p+"`") {
			t.Errorf("hw.ParseDevice does not take what the driver takes: %s", p)
		}
	}
}

func TestConflicts(t *testing.T) {
	for name, c := range map[string]struct {
		devices map[string]string
		want    []string // nil: none
	}{
		"none":                   {map[string]string{"badge-reader": "mfrc522:/dev/spidev0.0?rst=GPIO25", "case": "gpio:auto/17", "relay": "gpio:auto/27?active=low", "tamper": "sim:case", "call": "sim:case", "screen-1": "x11:auto", "screen-2": "wlr:auto"}, nil},
		"two readers on one bus": {map[string]string{"a": "mfrc522:/dev/spidev0.0?rst=GPIO25", "b": "mfrc522:/dev/spidev0.1?rst=GPIO24"}, nil},
		"two lines": {map[string]string{"case": "gpio:auto/17", "relay": "gpio:pinctrl-bcm2711/GPIO17?active=low"},
			[]string{`cannot use pin GPIO17 for both case ("gpio:auto/17") and relay ("gpio:pinctrl-bcm2711/GPIO17?active=low"): wire one of them to another pin`}},
		"reset pin": {map[string]string{"badge-reader": "mfrc522:/dev/spidev0.0?rst=GPIO25", "call": "gpio:pinctrl-rp1/25"},
			[]string{`pin GPIO25 for both badge-reader ("mfrc522:/dev/spidev0.0?rst=GPIO25") and call`}},
		"the bus's pins": {map[string]string{"badge-reader": "mfrc522:/dev/spidev0.0", "call": "gpio:auto/10", "case": "gpio:auto/8", "door": "gpio:auto/7"},
			[]string{"pin GPIO10 for both badge-reader", "pin GPIO8 for both badge-reader"}},
		"one node":         {map[string]string{"a": "mfrc522:/dev/spidev0.0", "b": "mfrc522:/dev/spidev0.0?gain=48"}, []string{"both a (", "and b ("}},
		"a pin of its own": {map[string]string{"a": "mfrc522:/dev/spidev0.0?rst=GPIO8"}, []string{`for a: its options take pin GPIO8 twice`}},
		"another chip":     {map[string]string{"a": "gpio:ftdi-cbus/3", "b": "gpio:ftdi-cbus/03", "c": "gpio:auto/3"}, []string{"GPIO line ftdi-cbus/3 for both a"}},
	} {
		parsed := map[string]hw.Device{}
		for role, d := range c.devices {
			parsed[role] = parse(t, d)
		}
		err := devices.Conflicts(parsed)
		if c.want == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: not found", name)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(c.want) && name != "one node" {
			t.Errorf("%s: %d conflicts:\n%v", name, len(lines), err)
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v\nwant one that says %q", name, err, w)
			}
		}
		if again := devices.Conflicts(maps.Clone(parsed)); again.Error() != err.Error() {
			t.Errorf("%s: not the same twice (%v)", name, slices.Sorted(maps.Keys(parsed)))
		}
	}
}

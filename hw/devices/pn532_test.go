package devices_test

import (
	"errors"
	"strings"
	"testing"

	"borne/hw"
	"borne/hw/devices"
)

func TestPN532Options(t *testing.T) {
	for name, want := range map[string]string{
		"sim:pn532?bus=usb":                  "option bus=usb must be one of spi, i2c, uart",
		"pn532:/dev/i2c-1?bus=spi":           "option bus is for sim:pn532; remove it",
		"pn532:/dev/i2c-1?clock=1MHz":        "option clock is for SPI",
		"pn532:/dev/spidev0.0?clock=10MHz":   "option clock=10MHz must be a frequency between 100kHz and 5MHz",
		"pn532:/dev/ttyAMA0?poll=5":          "option poll=5 must be a duration",
		"pn532:/dev/serial0?retries=0":       "option retries=0 must be a number between 1 and 10",
		"pn532:/dev/ttyUSB0?retries=255":     "option retries=255",
		"sim:pn532?retries=02":               "option retries=02",
		"pn532:/dev/ttyS0?rst=25":            "option rst=25 must be a GPIO line",
		"pn532:/dev/spidev999.99?poll=100ms": "does not exist; enable SPI",
		"pn532:/dev/i2c-999?retries=1":       "does not exist; enable I²C (dtparam=i2c_arm=on",
		"pn532:/dev/ttyAMA999?poll=20ms":     "does not exist; enable the UART",
		"pn532:/dev/serial9":                 "does not exist; enable the UART",
		"pn532:/dev/spidev999.99?clock=1MHz": "does not exist; enable SPI",
	} {
		d := parse(t, name)
		_, err := devices.OpenReader(t.Context(), d, env(t))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
		absent := strings.HasPrefix(want, "does not exist")
		if errors.Is(err, hw.ErrAbsent) != absent {
			t.Errorf("%s: absent is %v, want %v", name, !absent, absent)
		}
		if check := devices.Check(d); (check == nil) != absent {
			t.Errorf("%s: Check says %v", name, check)
		}
	}
}

// In real time, as the binary runs it, on each bus.
func TestPN532TapInRealTime(t *testing.T) {
	for _, name := range []string{"sim:pn532?poll=20ms", "sim:pn532?bus=spi&clock=2MHz&rst=GPIO25&poll=20ms", "sim:pn532?bus=i2c&poll=20ms", "sim:pn532?bus=uart&retries=1&poll=20ms"} {
		e := env(t)
		r, err := devices.OpenReader(t.Context(), parse(t, name), e)
		if err != nil {
			t.Fatal(err)
		}
		for _, uids := range [][][]byte{{{1, 2, 3, 4}}, {{4, 1, 2, 3, 4, 5, 6}, {4, 1, 2, 3, 4, 5, 6, 7, 8, 9}}} {
			if err := e.Bench.Tap(0, uids...); err != nil {
				t.Fatal(err)
			}
			tap, err := r.Next(t.Context())
			if err != nil || len(tap.Badges) != len(uids) {
				t.Fatalf("%s: %d badges, error %v; want %d", name, len(tap.Badges), err, len(uids))
			}
		}
		if n := len(e.Bench.State().Reader.UIDs); n != 2 {
			t.Errorf("%s: the bench shows %d cards", name, n)
		}
		if err := r.Close(); err != nil || e.Bench.PN532().OpenPorts() != 0 {
			t.Errorf("%s: %d ports open after Close, error %v", name, e.Bench.PN532().OpenPorts(), err)
		}
	}
}

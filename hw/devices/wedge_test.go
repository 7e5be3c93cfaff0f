package devices_test

import (
	"errors"
	"strings"
	"testing"

	"borne/hw"
	"borne/hw/devices"
)

func TestWedge(t *testing.T) {
	e := env(t)
	e.Bench = nil
	for _, name := range []string{
		"wedge:/dev/input/event99", "wedge:/dev/input/by-id/usb-Sycreader_RFID_Technology_Co.__Ltd_SYC_ID_IC_USB_Reader_08FF20140315-event-kbd?format=dec10",
		"wedge:/dev/input/by-path/platform-fd500000.pcie-usb-0:1.3:1.0-event-kbd?format=hexrev&end=timeout&gap=50ms",
	} {
		d := parse(t, name)
		if err := devices.Check(d); err != nil {
			t.Error(err)
		}
		if _, err := devices.OpenReader(t.Context(), d, e); !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want hw.ErrAbsent", name, err)
		}
	}
	for name, want := range map[string]string{
		"wedge:/dev/input/event0?format=dec9": "option format=dec9 must be one of [dec10 dec10rev dec8 facility hex hexrev hex8 hex8rev]",
		"wedge:/dev/input/event0?end=space":   "option end=space must be one of [enter tab timeout]",
		"wedge:/dev/input/event0?gap=5s":      "option gap=5s must be a duration between 20ms and 1s",
	} {
		d := parse(t, name)
		_, opened := devices.OpenReader(t.Context(), d, e)
		for _, err := range []error{devices.Check(d), opened} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: error %v, want one that says %q", name, err, want)
			}
		}
	}
}

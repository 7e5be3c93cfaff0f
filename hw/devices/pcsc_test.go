package devices_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"borne/hw"
	"borne/hw/devices"
	"borne/hw/pcsc"
)

func TestPCSCWithoutADaemon(t *testing.T) {
	if _, err := os.Stat(pcsc.DefaultSocket); err == nil {
		t.Skip("SKIP: this machine has a pcscd of its own")
	}
	d := parse(t, "pcsc:ACS")
	if err := devices.Check(d); err != nil {
		t.Fatal(err)
	}
	r, err := devices.OpenReader(t.Context(), d, env(t))
	if r != nil || !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "apt install pcscd") || !strings.HasPrefix(err.Error(), "cannot open reader pcsc:ACS") {
		t.Fatalf("reader %v, error %v; want hw.ErrAbsent and what mends it", r, err)
	}
}

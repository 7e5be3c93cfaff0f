package gpio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Release is what becomes of an output whose holder was killed.
type Release uint8

// Releases.
const (
	ReleaseUnknown Release = iota // the chip's driver does not say
	ReleaseKeeps                  // it keeps its level until somebody opens it again
	ReleaseInput                  // it becomes an input: a resistor decides
)

// String says it in English, for logs.
func (r Release) String() string {
	switch r {
	case ReleaseKeeps:
		return "keeps its level"
	case ReleaseInput:
		return "becomes an input"
	}
	return "depends on the chip"
}

// Released reads what the kernel of this machine does with an output of the chip
// with that label when its holder was killed.
func Released(label string) Release { return released(os.DirFS("/sys"), label) }

func released(sys fs.FS, label string) Release {
	module, without := "", ReleaseUnknown // what drivers older than the parameter do
	switch label {
	case "pinctrl-bcm2835", "pinctrl-bcm2711":
		module, without = "pinctrl_bcm2835", ReleaseInput // bcm2835_pmx_free before Linux 6.11
	case "pinctrl-rp1":
		module, without = "pinctrl_rp1", ReleaseKeeps // rp1_pmx_free spared what was a GPIO
	default:
		return ReleaseUnknown
	}
	b, err := fs.ReadFile(sys, filepath.Join("module", module, "parameters/persist_gpio_outputs"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return without
	case err != nil:
		return ReleaseUnknown
	case strings.TrimSpace(string(b)) == "Y":
		return ReleaseKeeps
	case strings.TrimSpace(string(b)) == "N":
		return ReleaseInput
	}
	return ReleaseUnknown
}

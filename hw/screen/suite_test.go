package screen

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"borne/hw"
	"borne/hw/hwtest"
)

func TestSuiteOnBacklight(t *testing.T) {
	hwtest.ScreenSuite{Open: func(t *testing.T) *hwtest.ScreenRig {
		root := t.TempDir()
		dir := filepath.Join(root, "panel")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]string{"bl_power": "0", "brightness": "7", "max_brightness": "15"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(v), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := NewBacklight(root, "panel")
		if err != nil {
			t.Fatal(err)
		}
		return &hwtest.ScreenRig{Screen: b, Unplug: func() { os.RemoveAll(dir) }, Seen: func() hw.Level {
			power, err := os.ReadFile(filepath.Join(dir, "bl_power"))
			if err != nil {
				t.Fatal(err)
			}
			return wanted(strings.TrimSpace(string(power)) == "0")
		}}
	}}.Run(t)
}

func TestSuiteOnCEC(t *testing.T) {
	for _, mute := range []bool{false, true} {
		hwtest.ScreenSuite{Open: func(t *testing.T) *hwtest.ScreenRig {
			v := &tv{t: t, caps: capLogAddrs | capTransmit, phys: 0x1000, mute: mute}
			c := CEC{Path: "/dev/cec0", open: func(string) (cecDevice, error) { return v, nil }}
			return &hwtest.ScreenRig{Screen: c, Blind: mute, Unplug: func() { v.absent = true },
				Seen: func() hw.Level { return wanted(v.power == 0 || v.power == 2) }}
		}}.Run(t)
	}
}

func TestSuiteOnChain(t *testing.T) {
	hwtest.ScreenSuite{Open: func(t *testing.T) *hwtest.ScreenRig {
		a, b := &lamp{}, &lamp{}
		c, _ := newChain(t, false, a, b)
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		return &hwtest.ScreenRig{Screen: c, Seen: func() hw.Level {
			a.mu.Lock()
			defer a.mu.Unlock()
			b.mu.Lock()
			defer b.mu.Unlock()
			return wanted(a.lit && b.lit)
		}, Unplug: func() {
			for _, l := range []*lamp{a, b} {
				l.fail(errors.New("cannot: it is gone"))
			}
		}}
	}}.Run(t)
}

package screen

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"borne/hw"
)

func TestBacklight(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "rpi_backlight")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(name, v string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(v+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	put("bl_power", "0")
	put("brightness", "180")
	put("max_brightness", "255")
	b, err := NewBacklight(root, "rpi_backlight")
	if err != nil {
		t.Fatal(err)
	}
	light := func(on bool, power, bright string) {
		t.Helper()
		if l, err := b.Light(t.Context(), on); err != nil || l != wanted(on) || get("bl_power") != power || get("brightness") != bright {
			t.Errorf("light %v: %v, %v, bl_power %s, brightness %s", on, l, err, get("bl_power"), get("brightness"))
		}
	}
	light(false, "4", "180")
	light(true, "0", "180")
	put("brightness", "0") // somebody else's doing
	light(true, "0", "255")
	put("bl_power", "1")
	light(true, "0", "255")

	// A driver that does not mind bl_power has its brightness set to 0.
	put("brightness", "90")
	write := b.write
	b.write = func(name, v string) error {
		if name == "bl_power" {
			return nil
		}
		return write(name, v)
	}
	put("bl_power", "0")
	light(false, "0", "0")
	light(false, "0", "0")
	light(true, "0", "90")
	b.write = func(string, string) error { return nil }
	if l, err := b.Light(t.Context(), false); err != nil || l != hw.On {
		t.Errorf("a driver that minds nothing: %v, %v", l, err)
	}
	b.write = write

	put("bl_power", "odd")
	b.write = func(string, string) error { return nil }
	if l, err := b.Light(t.Context(), false); l != hw.Unknown || err == nil || !strings.Contains(err.Error(), "no number") {
		t.Errorf("a bl_power that is no number: %v, %v", l, err)
	}
	b.write = write
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if l, err := b.Light(t.Context(), false); l != hw.Unknown || !errors.Is(err, hw.ErrAbsent) {
		t.Errorf("a backlight that is gone: %v, %v", l, err)
	}
	for _, bad := range []string{"", "..", "a/b", "a..b", strings.Repeat("a", 65)} {
		if _, err := NewBacklight(root, bad); err == nil {
			t.Errorf("name %q was taken", bad)
		}
	}
}

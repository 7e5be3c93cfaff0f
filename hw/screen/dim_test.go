package screen

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"borne/hw"
)

// panel is a backlight on a folder like sysfs'.
func panel(t *testing.T, brightness, most string) (*Backlight, string, func(string) string) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "p")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]string{"bl_power": "0", "brightness": brightness, "max_brightness": most} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(v+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := NewBacklight(root, "p")
	if err != nil {
		t.Fatal(err)
	}
	return b, dir, func(name string) string {
		v, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(v))
	}
}

func TestABacklightIsDimmed(t *testing.T) {
	b, dir, get := panel(t, "180", "255")
	dim := func(on bool, want string) {
		t.Helper()
		if err := b.Dim(t.Context(), on); err != nil || get("brightness") != want {
			t.Errorf("dim %v: %v, brightness %s, want %s", on, err, get("brightness"), want)
		}
	}
	dim(false, "180")
	dim(true, "45")
	dim(true, "45")
	if _, err := b.Light(t.Context(), false); err != nil || get("bl_power") != "4" {
		t.Errorf("dark: %v", err)
	}
	if _, err := b.Light(t.Context(), true); err != nil {
		t.Error(err)
	}
	dim(false, "180")

	// A process that ended while it was dim.
	b, _, get = panel(t, "45", "255")
	dim(false, "255")
	b, dir, get = panel(t, "1", "3")
	dim(true, "1")

	for name, spoil := range map[string]func(){
		"it is dark": func() { os.WriteFile(filepath.Join(dir, "brightness"), []byte("0"), 0o644) },
		"no number":  func() { os.WriteFile(filepath.Join(dir, "brightness"), []byte("much"), 0o644) },
		"reads 200": func() {
			os.WriteFile(filepath.Join(dir, "brightness"), []byte("200"), 0o644)
			b.bright = 0
			b.write = func(string, string) error { return nil }
		},
		"not present": func() { os.RemoveAll(dir) },
	} {
		b, dir, _ = panel(t, "200", "255")
		spoil()
		err := b.Dim(t.Context(), true)
		if err == nil || name != "not present" && !strings.Contains(err.Error(), name) || name == "not present" && !errors.Is(err, hw.ErrAbsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAChainDimsByTheWayThatCan(t *testing.T) {
	b, _, get := panel(t, "200", "255")
	c, err := NewChain(Config{Methods: []Method{{Name: "a", Screen: plain{}}, {Name: "b", Screen: b}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Dim(t.Context(), true); err != nil || get("brightness") != "50" {
		t.Errorf("%v, brightness %s", err, get("brightness"))
	}
	alone, err := NewChain(Config{Methods: []Method{{Name: "a", Screen: plain{}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if err := alone.Dim(t.Context(), true); !errors.Is(err, ErrCannotDim) {
		t.Errorf("without a way: %v", err)
	}
}

// plain is a display that is on or off.
type plain struct{}

func (plain) Light(_ context.Context, on bool) (hw.Level, error) { return wanted(on), nil }

package cupsd

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestRefuses(t *testing.T) {
	if os.Geteuid() == 0 {
		if _, err := Start(t.Context(), Config{Dir: "/dev/shm/never", Printer: "cups+socket://h"}); !errors.Is(err, ErrRoot) {
			t.Errorf("as root: %v", err)
		}
	}
	if !unprivileged(t) {
		return
	}
	good := func() Config {
		return Config{Dir: filepath.Join(t.TempDir(), "q"), Printer: "cups+socket://127.0.0.1:9"}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"relative":   {func(c *Config) { c.Dir = "q" }, "plain whole path"},
		"blank":      {func(c *Config) { c.Dir += " x" }, "plain whole path"},
		"long":       {func(c *Config) { c.Dir += strings.Repeat("x", 100) }, "too long"},
		"address":    {func(c *Config) { c.Printer = "ipp://h/x" }, "write cups+socket"},
		"no driver":  {func(c *Config) { c.Driver = "/nonexistent.ppd" }, "install cups-filters"},
		"no PPD":     {func(c *Config) { c.Driver = "/etc/passwd" }, "it is no PPD"},
		"no option":  {func(c *Config) { c.Options = map[string]string{"Nothing": "True"} }, "no such choice"},
		"no choice":  {func(c *Config) { c.Options = map[string]string{"OptionDuplex": "Maybe"} }, "no such choice"},
		"two lines":  {func(c *Config) { c.Options = map[string]string{"OptionDuplex": "True\n*cupsFilter:"} }, "no such choice"},
		"no program": {func(c *Config) { t.Setenv("PATH", "/nonexistent") }, ""},
	} {
		cfg := good()
		c.change(&cfg)
		s, err := prepare(cfg)
		if c.says == "" {
			if err != nil || s.bin != "/usr/sbin/cupsd" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A backend that nobody but root may run is told at once, with what mends it.
	cfg := good()
	cfg.Printer = "cups+usb://Maker/Model"
	_, err := prepare(cfg)
	if allowed := unix.Access(backends+"/usb", unix.X_OK) == nil; (err == nil) != allowed || !allowed && !strings.Contains(err.Error(), "dpkg-statoverride --update --add root root 0755 "+backends+"-available/usb") {
		t.Errorf("usb: %v", err)
	}
	if err := backend("nothing:x"); err == nil || !strings.Contains(err.Error(), "install") {
		t.Errorf("no backend: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(good().Dir)); err != nil || len(entries) > 0 {
		t.Errorf("what is refused leaves %d files, %v", len(entries), err)
	}
}

func TestOnlyInMemory(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	var fs unix.Statfs_t
	disk, err := os.MkdirTemp("/var/tmp", "cupsd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(disk)
	if err := unix.Statfs(disk, &fs); err != nil || fs.Type == unix.TMPFS_MAGIC {
		t.Skip("SKIP: /var/tmp is in memory here")
	}
	dir := filepath.Join(disk, "q")
	if _, err := Start(t.Context(), Config{Dir: dir, Printer: "cups+socket://127.0.0.1:9"}); !errors.Is(err, ErrNotMemory) {
		t.Errorf("on a disk: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it leaves its folder: %v", err)
	}
}

func TestDevice(t *testing.T) {
	for in, want := range map[string]string{
		"cups+socket://192.0.2.7:9100":                         "socket://192.0.2.7:9100",
		"cups+socket://[2001:db8::7]:9100":                     "socket://[2001:db8::7]:9100",
		"cups+lpd://printer.example/raw":                       "lpd://printer.example/raw",
		"cups+ipp://192.0.2.7/ipp/print":                       "ipp://192.0.2.7/ipp/print",
		"cups+usb://HP/LaserJet%201018?serial=KP1&interface=1": "usb://HP/LaserJet%201018?serial=KP1&interface=1",
		"cups+parallel:/dev/usb/lp0":                           "parallel:/dev/usb/lp0",
	} {
		if got, err := Device(in); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "cups+", "ipp://h/x", "cups+file:/etc/passwd", "cups+http://h/x", "cups+socket:", "cups+socket://", "cups+socket://h/x",
		"cups+socket://user@h", "cups+socket://h?waiteof=false", "cups+lpd://h", "cups+lpd://h/", "cups+usb://HP", "cups+usb://HP/x?y=1", "cups+parallel:/dev/../etc/passwd",
		"cups+parallel:/etc/passwd", "cups+parallel://h/dev/lp0", "cups+socket://h\nState Stopped", "cups+socket://h#x", `cups+lpd://h/\x`, "cups+lpd://h/<x", "cups+socket://-h",
		"cups+ipp://h/" + strings.Repeat("x", 600)} {
		if got, err := Device(in); err == nil {
			t.Errorf("%q is taken as %q", in, got)
		}
	}
}

func FuzzDevice(f *testing.F) {
	f.Add("cups+socket://192.0.2.7:9100")
	f.Add("cups+usb://HP/LaserJet%201018?serial=KP1")
	f.Add("cups+parallel:/dev/usb/lp0")
	f.Fuzz(func(t *testing.T, in string) {
		dev, err := Device(in)
		if err == nil && (Scheme+dev != in || strings.ContainsAny(dev, " \t\r\n#\\<>\"\x00") || len(dev) > 512) {
			t.Errorf("%q gives %q", in, dev)
		}
	})
}

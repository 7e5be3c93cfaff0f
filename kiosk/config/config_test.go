package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestExampleIsTheDefault(t *testing.T) {
	got, err := Parse([]byte(Example()), false)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example gives\n%+v, the defaults are\n%+v", got, want)
	}
	// Its commented lines work as well.
	var b strings.Builder
	for line := range strings.Lines(Example()) {
		if on, ok := strings.CutPrefix(line, "# "); ok && strings.Contains(on, " = \"") && !strings.Contains(on, ": rôle") {
			line = on
		}
		b.WriteString(line)
	}
	all, err := Parse([]byte(b.String()), false)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if all.Proxy == nil || all.Controller == "" || len(all.Devices) != 9 {
		t.Errorf("the commented lines give %+v", all)
	}
	for _, k := range keys() {
		if !strings.Contains(Example(), k) {
			t.Errorf("the example does not tell of %q", k)
		}
	}
}

func TestPorts(t *testing.T) {
	c, err := Parse([]byte("[usb]\nallow = [\"hub\"]\nserials = [\"A1\"]\n[usb.ports]\n\"1-1.4\" = [\"video\", \"audio\"]\n"), false)
	if err != nil || c.USB == nil || len(c.USB.Anywhere) != 1 || len(c.USB.Serials) != 1 || len(c.USB.Ports["1-1.4"]) != 2 {
		t.Errorf("%+v, %v", c.USB, err)
	}
	for text, sim := range map[string]bool{"": true, "[usb]\nguard = false\n": false} {
		if c, err := Parse([]byte(text), sim); err != nil || c.USB != nil {
			t.Errorf("%q, simulated %v: %+v, %v", text, sim, c.USB, err)
		}
	}
	for text, want := range map[string]string{
		"[usb]\nallow = [\"storage\"]":         "never takes any",
		"[usb]\nallow = [\"Hub\"]":             "smart-card",
		"[usb]\nallows = []":                   "unknown key",
		"[usb.ports]\n\"../1\" = [\"hub\"]":    "such as 1-1.4",
		"[usb.ports]\n\"1-1\" = [\"storage\"]": "never takes any",
		"[usb]\nserials = [\"\\u0000\"]":       "serial number",
		"[usb]\nguard = \"yes\"":               "usb.guard",
	} {
		if _, err := Parse([]byte(text), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestKeysAreTheFile(t *testing.T) {
	ft := reflect.TypeFor[file]()
	var tags []string
	for i := range ft.NumField() {
		tags = append(tags, ft.Field(i).Tag.Get("toml"))
	}
	if !reflect.DeepEqual(tags, keys()) {
		t.Errorf("keys() = %v, the file has %v", keys(), tags)
	}
}

func TestParse(t *testing.T) {
	c, err := Parse([]byte(`
state = "/srv/borne"
proxy = "http://u:p%40ss@proxy"
resolver = "192.168.1.1"
display = ":3"
screen = "1920x1080"
net = "192.168.44.0/24"
log = "json"
log_level = "debug"
[devices]
badge-reader = "mfrc522:/dev/spidev0.0"
`), false)
	if err != nil {
		t.Fatal(err)
	}
	if pass, _ := c.Proxy.User.Password(); c.Proxy.Host != "proxy:3128" || pass != "p@ss" {
		t.Errorf("proxy %v", c.Proxy)
	}
	if c.State != "/srv/borne" || c.Resolver.String() != "192.168.1.1" || c.Display != ":3" || c.Width != 1920 || c.Height != 1080 ||
		c.Net.String() != "192.168.44.0/24" || !c.LogJSON || c.LogLevel != slog.LevelDebug || c.Devices["badge-reader"].Driver != "mfrc522" {
		t.Errorf("%+v", c)
	}
}

func TestSimulatedDevices(t *testing.T) {
	c, err := Parse(nil, true)
	if err != nil || !c.Sim || !c.Devices["badge-reader"].Sim {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for in, want := range map[string]string{
		`statee = "/x"`:                              `did you mean "state"?`,
		`STATE = "/x"`:                               `write "state"`,
		`zzzzzzzzzz = 1`:                             `known keys are state, run`,
		`state = "relative"`:                         `write a whole path such as /var/lib/borne-kiosk`,
		`state = "/run/borne-kiosk/s"`:               `it must outlive a restart`,
		`controller = "http://c"`:                    `write https://host`,
		`proxy = "socks5://h:1"`:                     `write "http://host:port"`,
		`resolver = "dns.example"`:                   `write an IP address`,
		`display = "wayland"`:                        `write "auto", "xvfb", "xorg"`,
		`display = ":01"`:                            `write "auto"`,
		`screen = "800"`:                             `such as 1280x800`,
		`screen = "10x10"`:                           `such as 1280x800`,
		`uid_base = 5`:                               `1000 or more`,
		`uid_base = "5"`:                             `cannot read the configuration`,
		`net = "10.0.0.0/8"`:                         `such as 10.213.77.0/24`,
		`net = "8.8.8.0/24"`:                         `such as 10.213.77.0/24`,
		`net = "10.1.2.3/24"`:                        `such as 10.213.77.0/24`,
		`log = "xml"`:                                `write "text" or "json"`,
		`log_level = "loud"`:                         `"debug", "info"`,
		`sim_listen = "0.0.0.0:80"`:                  `loopback`,
		`sim = `:                                     `line 1`,
		"[devices]\nbadge-reader = \"pn533:/dev/x\"": `unknown driver "pn533"`,
		"[devices]\nbadge-reader = \"mfrc522:/dev/spidev0.0?zz=1\"":          `unknown option "zz"`,
		"[devices]\nbadge-reader = \"sim:mfrc522\"":                          `only with -sim`,
		"[devices]\n\"Badge Reader\" = \"mfrc522:/dev/spi\"":                 `roles are badge-reader`,
		"[devices]\ncase = \"mfrc522:/dev/spidev0.0\"":                       `takes a contact`,
		"badge_keys = \"keys\"":                                              `whole path`,
		`printer = "http://10.1.2.3/ipp/print"`:                              `such as ipps://`,
		`printer = "ipp://user@10.1.2.3/ipp/print"`:                          `such as ipps://`,
		`printer = "ipp:10.1.2.3"`:                                           `such as ipps://`,
		`printer = "cups+socket://10.1.2.3/x"`:                               `write cups+socket://192.0.2.7:9100`,
		`printer = "cups+file:///etc/passwd"`:                                `for a printer without IPP or PDF`,
		`printer_driver = "/x.ppd"`:                                          `only a printer at cups+`,
		"printer = \"cups+socket://h\"\nprinter_driver = \"x.ppd\"":          `whole path of an unpacked PPD`,
		"printer = \"cups+socket://h\"\nprinter_driver = \"/x.ppd.gz\"":      `unpacked PPD`,
		"printer = \"cups+socket://h\"\n[printer_options]\nDuplex = \"a b\"": `such as OptionDuplex`,
		"[printer_options]\nOptionDuplex = \"True\"":                         `only a printer at cups+`,
		"[devicse]\nx = \"y\"":                                               `did you mean "devices"?`,
		strings.Repeat("#", MaxFile+1):                                       `passes 65536 bytes`,
	} {
		_, err := Parse([]byte(in), false)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%.60s:\n got %v\nwant %s", in, err, want)
		}
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	_, err := Parse([]byte("display = \"x\"\nnet = \"y\"\nlgo = \"text\"\n"), false)
	for _, want := range []string{"display", "net", `did you mean "log"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	for _, in := range []string{`proxy = "ftp://u:secret@h"`, `proxy = "http://u:secret@%zz"`} {
		if _, err := Parse([]byte(in), false); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kiosk.toml")
	if _, err := Load(path, false); err == nil || !strings.Contains(err.Error(), "borne-kiosk config > "+path) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("log = \"json\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path, true); err != nil || !c.LogJSON || !c.Sim {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Example()))
	f.Add([]byte("[devices]\nx = \"sim:mfrc522\"\n[devices.y]\nz=1"))
	f.Add([]byte("proxy = \"http://a:b@c\"\nscreen = \"x\""))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b, false)
		if err == nil && (c.Devices == nil || c.Width < 640 || c.Net.Bits() != 24) {
			t.Fatalf("%q gives %+v", b, c)
		}
	})
}

func TestQueue(t *testing.T) {
	c, err := Parse([]byte("printer = \"cups+socket://192.0.2.7:9100\"\nprinter_driver = \"/etc/borne/x.ppd\"\n[printer_options]\nOptionDuplex = \"True\"\n"), false)
	if err != nil || c.Printer != "cups+socket://192.0.2.7:9100" || c.Driver != "/etc/borne/x.ppd" || c.Choices["OptionDuplex"] != "True" {
		t.Errorf("%+v, %v", c, err)
	}
}

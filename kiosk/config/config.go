// Package config reads the terminal's one file, strictly: a key that is not
// known is an error, and every value is checked before anything starts.
package config

import (
	_ "embed" // for the example
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"borne/hw"
	"borne/hw/usb"
	"borne/kiosk/cupsd"
)

// Path is where the file lies when -config does not say.
const Path = "/etc/borne/kiosk.toml"

// MaxFile bounds the file, in bytes.
const MaxFile = 64 << 10

//go:embed example.toml
var example string

// Example returns a commented file that holds every default.
func Example() string { return example }

// Config is the checked configuration.
type Config struct {
	State      string        // folder that outlives a restart
	Run        string        // folder in memory
	Controller string        // https://host[:port]; empty: as enrolled
	Proxy      *url.URL      // http://[user:password@]host:port; nil: none
	Trial      time.Duration // in which a network that rules changed has to reach the controller
	Profiles   string        // folder of NetworkManager's profiles; empty: cable and Wi-Fi are as they were installed
	Secrets    string        // folder of the files that rules name, with keys and passwords
	Resolver   netip.Addr
	Display    string // "auto", "xvfb", "xorg" or ":N"
	Width      int
	Height     int
	Chromium   string
	StandbyMB  int // memory from which the next person's browser waits beside a session
	UIDBase    int
	Net        netip.Prefix // a private IPv4 /24 for the sessions' links
	LogJSON    bool
	LogLevel   slog.Level
	Sim        bool
	SimListen  string
	USB        *usb.Rules           // nil: the ports are not guarded
	BadgeKeys  string               // file of the keys that badges prove to have; empty: their numbers count alone
	Printer    string               // ipp://host[:port]/path, ipps://… or cups+… (kiosk/cupsd); empty: none
	Driver     string               // path of the PPD of a printer at cups+…; empty: cupsd.DefaultDriver
	Choices    map[string]string    // of that PPD
	Devices    map[string]hw.Device // by role; never nil
}

// file is what TOML decodes into.
type file struct {
	State      string            `toml:"state"`
	Run        string            `toml:"run"`
	Controller string            `toml:"controller"`
	Proxy      string            `toml:"proxy"`
	Trial      int               `toml:"network_trial_seconds"`
	Profiles   string            `toml:"network_profiles"`
	Secrets    string            `toml:"secrets"`
	Resolver   string            `toml:"resolver"`
	Display    string            `toml:"display"`
	Screen     string            `toml:"screen"`
	Chromium   string            `toml:"chromium"`
	StandbyMB  int               `toml:"standby_mb"`
	UIDBase    int               `toml:"uid_base"`
	Net        string            `toml:"net"`
	Log        string            `toml:"log"`
	LogLevel   string            `toml:"log_level"`
	Sim        bool              `toml:"sim"`
	SimListen  string            `toml:"sim_listen"`
	BadgeKeys  string            `toml:"badge_keys"`
	Printer    string            `toml:"printer"`
	Driver     string            `toml:"printer_driver"`
	Choices    map[string]string `toml:"printer_options"`
	USB        ports             `toml:"usb"`
	Devices    map[string]string `toml:"devices"`
}

// keys lists the keys that file knows.
func keys() []string {
	return []string{"state", "run", "controller", "proxy", "network_trial_seconds", "network_profiles", "secrets", "resolver", "display", "screen", "chromium", "standby_mb", "uid_base", "net",
		"log", "log_level", "sim", "sim_listen", "badge_keys", "printer", "printer_driver", "printer_options",
		"usb", "devices"}
}

func defaults() file {
	return file{State: "/var/lib/borne-kiosk", Run: "/run/borne-kiosk", Display: "auto", Screen: "1280x800",
		Trial: 120, Profiles: "/etc/NetworkManager/system-connections", Secrets: "/etc/borne/secrets", Chromium: "/usr/lib/chromium/chromium", StandbyMB: 1500, UIDBase: 61000, Net: "10.213.77.0/24", Log: "text", LogLevel: "info",
		SimListen: "127.0.0.1:8601", USB: ports{Guard: true, Allow: []string{"hub", "printer", "smart-card"}}}
}

// Load reads the file at path. sim is the flag -sim, which wins over the file.
func Load(path string, sim bool) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration (write one with borne-kiosk config > %s): %w", path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	c, err := Parse(b, sim)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads the file's text. Its error tells everything that is wrong.
func Parse(b []byte, sim bool) (Config, error) {
	if len(b) > MaxFile {
		return Config{}, fmt.Errorf("cannot use the configuration: it passes %d bytes", MaxFile)
	}
	f := defaults()
	meta, err := toml.Decode(string(b), &f)
	if err != nil {
		var p toml.ParseError
		if errors.As(err, &p) {
			return Config{}, fmt.Errorf("cannot read the configuration, line %d: %s", p.Position.Line, p.Message)
		}
		return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	var wrong []error
	for _, k := range meta.Undecoded() {
		wrong = append(wrong, fmt.Errorf("unknown key %q; %s", k.String(), nearest(k[0])))
	}
	// The decoder takes "STATE" for "state"; two spellings of one key would leave open which one counts.
	for _, k := range meta.Keys() {
		if len(k) == 1 && !slices.Contains(keys(), k[0]) && slices.Contains(keys(), strings.ToLower(k[0])) {
			wrong = append(wrong, fmt.Errorf("unknown key %q; write %q", k[0], strings.ToLower(k[0])))
		}
	}
	f.Sim = f.Sim || sim
	c, more := f.check()
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return Config{}, fmt.Errorf("cannot use the configuration: %w", errors.Join(wrong...))
	}
	return c, nil
}

// check turns the text of values into values.
func (f file) check() (c Config, wrong []error) {
	bad := func(key, value, want string) {
		wrong = append(wrong, fmt.Errorf("%s = %q: %s", key, value, want))
	}
	c = Config{State: f.State, Run: f.Run, Controller: f.Controller, Display: f.Display, Chromium: f.Chromium,
		StandbyMB: f.StandbyMB, UIDBase: f.UIDBase, LogJSON: f.Log == "json", Sim: f.Sim, SimListen: f.SimListen, Devices: map[string]hw.Device{}}
	c.Profiles, c.Secrets = f.Profiles, f.Secrets
	for key, p := range map[string]string{"network_profiles": f.Profiles, "secrets": f.Secrets} {
		if (p != "" || key == "secrets") && (!filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/") {
			bad(key, p, "write a whole path such as "+map[string]string{"network_profiles": defaults().Profiles, "secrets": defaults().Secrets}[key])
		}
	}
	for key, p := range map[string]string{"state": f.State, "run": f.Run, "chromium": f.Chromium} {
		if !filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/" {
			bad(key, p, "write a whole path such as "+map[string]string{"state": defaults().State, "run": defaults().Run, "chromium": defaults().Chromium}[key])
		}
	}
	if f.State == f.Run || strings.HasPrefix(f.State, f.Run+"/") {
		bad("state", f.State, "it must outlive a restart; run is in memory, so it cannot lie in there")
	}
	if f.Controller != "" {
		if u, err := url.Parse(f.Controller); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			bad("controller", f.Controller, "write https://host or https://host:port")
		}
	}
	var err error
	if c.Proxy, err = proxy(f.Proxy); err != nil {
		wrong = append(wrong, err)
	}
	if c.Trial = time.Duration(f.Trial) * time.Second; f.Trial < 30 || f.Trial > 900 {
		bad("network_trial_seconds", strconv.Itoa(f.Trial), "write 30 to 900")
	}
	if f.Resolver != "" {
		if c.Resolver, err = netip.ParseAddr(f.Resolver); err != nil {
			bad("resolver", f.Resolver, "write an IP address such as 10.0.0.1, or leave it empty")
		}
	}
	if !slices.Contains([]string{"auto", "xvfb", "xorg"}, f.Display) && !isDisplay(f.Display) {
		bad("display", f.Display, `write "auto", "xvfb", "xorg" or the name of a display such as ":0"`)
	}
	if c.Width, c.Height, err = size(f.Screen); err != nil {
		bad("screen", f.Screen, err.Error())
	}
	if f.StandbyMB < 0 || f.StandbyMB > 1<<20 {
		bad("standby_mb", strconv.Itoa(f.StandbyMB), "write a number of megabytes; 0: always")
	}
	if f.UIDBase < 1000 || f.UIDBase > 2_000_000_000 {
		bad("uid_base", strconv.Itoa(f.UIDBase), "write a number of 1000 or more, with 110 unused user ids after it, such as 61000")
	}
	if c.Net, err = netip.ParsePrefix(f.Net); err != nil || !c.Net.Addr().Is4() || c.Net.Bits() != 24 || c.Net.Masked() != c.Net || !c.Net.Addr().IsPrivate() {
		bad("net", f.Net, "write a private IPv4 network of 256 addresses that nobody uses here, such as "+defaults().Net)
	}
	if f.Log != "text" && f.Log != "json" {
		bad("log", f.Log, `write "text" or "json"`)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, f.LogLevel) || c.LogLevel.UnmarshalText([]byte(f.LogLevel)) != nil {
		bad("log_level", f.LogLevel, `write "debug", "info", "warn" or "error"`)
	}
	if a, err := netip.ParseAddrPort(f.SimListen); err != nil || !a.Addr().IsLoopback() {
		bad("sim_listen", f.SimListen, "write a loopback address with its port, such as "+defaults().SimListen+": who reaches the bench commands the terminal")
	}
	c.Printer, c.Driver = f.Printer, f.Driver
	if len(f.Choices) > 0 {
		c.Choices = f.Choices
	}
	switch _, err := cupsd.Device(f.Printer); {
	case cupsd.Is(f.Printer) && err != nil:
		bad("printer", f.Printer, "for a printer without IPP or PDF, "+err.Error())
	case !cupsd.Is(f.Printer) && f.Printer != "" && !isPrinter(f.Printer):
		bad("printer", f.Printer, "write an address such as ipps://10.1.2.3/ipp/print, or cups+socket://10.1.2.3:9100 for one without IPP or PDF, or leave it empty")
	}
	if f.Driver != "" && (!filepath.IsAbs(f.Driver) || filepath.Clean(f.Driver) != f.Driver || strings.HasSuffix(f.Driver, ".gz")) {
		bad("printer_driver", f.Driver, "write the whole path of an unpacked PPD such as "+cupsd.DefaultDriver+", or leave it empty")
	}
	if !cupsd.Is(f.Printer) && (f.Driver != "" || len(f.Choices) > 0) {
		bad("printer_driver", f.Driver, "only a printer at cups+… has a driver and options: leave both out")
	}
	for o, choice := range f.Choices {
		if !cupsd.IsChoice(o, choice) {
			bad("printer_options", o+" = "+choice, `write names of the PPD such as OptionDuplex = "True"`)
		}
	}
	if c.BadgeKeys = f.BadgeKeys; c.BadgeKeys != "" && (!filepath.IsAbs(c.BadgeKeys) || filepath.Clean(c.BadgeKeys) != c.BadgeKeys) {
		bad("badge_keys", f.BadgeKeys, "write a whole path such as /etc/borne/badge.keys, or leave it empty")
	}
	rules, more := f.USB.check()
	wrong = append(wrong, more...)
	if f.USB.Guard && !f.Sim { // a simulated terminal is somebody's own computer
		c.USB = &rules
	}
	wrong = append(wrong, f.devices(&c)...)
	return c, wrong
}

func (f file) devices(c *Config) (wrong []error) {
	all := f.Devices
	if f.Sim && len(all) == 0 {
		all = map[string]string{"badge-reader": "sim:mfrc522", "case": "sim:case", "call": "sim:call", "alarm": "sim:alarm"}
	}
	for _, name := range sorted(all) {
		role, err := hw.RoleOf(name)
		d, wrongName := hw.ParseDevice(all[name])
		if err == nil {
			err = wrongName
		}
		if err == nil {
			err = role.Fits(d)
		}
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("devices.%.40s: %w", name, err))
		case d.Sim && !f.Sim:
			wrong = append(wrong, fmt.Errorf("devices.%s: %q is simulated; it works only with -sim", name, all[name]))
		default:
			c.Devices[name] = d
		}
	}
	return wrong
}

func proxy(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	const want = `write "http://host:port" or "http://user:password@host:port"`
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("proxy: %s", want) // err would repeat the password
	}
	if u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("proxy = %q: %s", u.Redacted(), want)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "3128")
	}
	return u, nil
}

func isDisplay(s string) bool {
	n, ok := strings.CutPrefix(s, ":")
	v, err := strconv.Atoi(n)
	return ok && err == nil && v >= 0 && v < 1000 && n == strconv.Itoa(v)
}

func size(s string) (w, h int, err error) {
	a, b, ok := strings.Cut(s, "x")
	w, errW := strconv.Atoi(a)
	h, errH := strconv.Atoi(b)
	if !ok || errW != nil || errH != nil || w < 640 || h < 480 || w > 7680 || h > 4320 {
		return 0, 0, errors.New("write width and height in pixels such as 1280x800, from 640x480 to 7680x4320")
	}
	return w, h, nil
}

func sorted(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// nearest proposes the known key that takes the fewest changes of letters.
func nearest(key string) string {
	best, least := "", 4
	for _, k := range keys() {
		if d := distance(key, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return "known keys are " + strings.Join(keys(), ", ")
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance is Levenshtein's, on the first 40 bytes.
func distance(a, b string) int {
	a, b = a[:min(len(a), 40)], b[:min(len(b), 40)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := left
			if a[i] != b[j] {
				d++
			}
			left = row[j+1]
			row[j+1] = min(d, row[j]+1, left+1)
		}
	}
	return row[len(b)]
}

// isPrinter tells whether s is the address of an IPP printer (RFC 8010 §4.4,
// RFC 7472): nothing in it may name a user, a query or a fragment.
func isPrinter(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "ipp" || u.Scheme == "ipps") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		strings.HasPrefix(u.Path, "/")
}

// Package config reads the controller's one file, strictly: a key that is not
// known is an error, and every value is checked before anything starts.
package config

import (
	_ "embed" // for the example
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Path is where the file lies when -config does not say.
const Path = "/etc/borne/controller.toml"

// MaxFile bounds the file, in bytes.
const MaxFile = 64 << 10

//go:embed example.toml
var example string

// Example returns a commented file that holds every default.
func Example() string { return example }

// Config is the checked configuration.
type Config struct {
	State     string
	LogJSON   bool
	LogLevel  slog.Level
	Demo      bool // simulated terminals are accepted, and the console says so
	Console   Console
	Terminals Terminals
	Mail      Mail
	Metrics   string // address; empty: not served
	Idle      time.Duration
	Absolute  time.Duration
	Dwell     time.Duration // that a terminal has to do well with changed rules before others get them; 0: all get them at once
	Within    time.Duration // in which it has to take them, or be back
	Retention []Retention
	Calendars Calendars
	Webhooks  Webhooks
	OIDC      OIDC
	LDAP      LDAP
	Backup    Backup
	Syslog    Syslog
	ACME      ACME
	Proxies   []netip.Prefix // reverse proxies before the console, which are believed
	Security  Security
}

// Calendars is how the official calendars of schools are fetched, once an
// administrator asked for it in the console.
type Calendars struct {
	Address string   // the one that is proposed; {zone} stands for A, B or C
	Proxy   *url.URL // nil: none
	Decides bool     // the proxy alone finds the addresses of names, and refuses private networks
	Private bool     // addresses on private networks are permitted
}

// Webhooks is how other systems are told of what is to be seen to, once an
// administrator named them in the console.
type Webhooks struct {
	Proxy   *url.URL // nil: none
	Decides bool     // as in Calendars
	Private bool     // addresses on private networks are permitted
}

// Of is the address of a zone.
func (c Calendars) Of(zone string) string { return strings.ReplaceAll(c.Address, "{zone}", zone) }

// Console is the listener of people.
type Console struct {
	Listen    string
	Cert, Key string // PEM files; both empty: plain HTTP
	URL       string // as people reach it, without a slash at the end
	acme      bool   // an authority gives the certificate
}

// TLS tells whether the console is served over TLS by this process.
func (c Console) TLS() bool { return c.Cert != "" || c.acme }

// Secure tells whether people reach it over TLS, a proxy's before it included:
// its cookie then never travels in the clear.
func (c Console) Secure() bool { return c.TLS() || strings.HasPrefix(c.URL, "https://") }

// Mail is where the controller sends its mails.
type Mail struct {
	Server   string // host:port; empty: none is sent
	From     string
	User     string
	Password string // a file's path, not the password
	TLS      string // starttls, tls or none
}

// Terminals is the listener of terminals: always mutual TLS.
type Terminals struct {
	Listen string
}

// Retention is one dated rule: days that each class is kept.
type Retention struct {
	From                                       time.Time
	Usage, Security, Account, Audit, Technical int
	Traffic, Hold                              int // 0: as retention.Rules says
}

// file is what TOML decodes into.
type file struct {
	State    string `toml:"state"`
	Log      string `toml:"log"`
	LogLevel string `toml:"log_level"`
	Demo     bool   `toml:"demo"`
	Console  struct {
		Listen string `toml:"listen"`
		Cert   string `toml:"cert"`
		Key    string `toml:"key"`
		URL    string `toml:"url"`
	} `toml:"console"`
	Terminals struct {
		Listen string `toml:"listen"`
	} `toml:"terminals"`
	Metrics struct {
		Listen string `toml:"listen"`
	} `toml:"metrics"`
	Mail struct {
		Server   string `toml:"server"`
		From     string `toml:"from"`
		User     string `toml:"user"`
		Password string `toml:"password_file"`
		TLS      string `toml:"tls"`
	} `toml:"mail"`
	Login struct {
		IdleMinutes int `toml:"idle_minutes"`
		MaxHours    int `toml:"max_hours"`
	} `toml:"login"`
	Rollout struct {
		DwellMinutes  int `toml:"dwell_minutes"`
		WithinMinutes int `toml:"within_minutes"`
	} `toml:"rollout"`
	Calendars struct {
		Address string `toml:"address"`
		Proxy   string `toml:"proxy"`
		Decides bool   `toml:"proxy_decides"`
		Private bool   `toml:"private"`
	} `toml:"calendars"`
	Webhooks struct {
		Proxy   string `toml:"proxy"`
		Decides bool   `toml:"proxy_decides"`
		Private bool   `toml:"private"`
	} `toml:"webhooks"`
	OIDC oidcFile `toml:"oidc"`

	Backup    backupFile   `toml:"backup"`
	LDAP      ldapFile     `toml:"ldap"`
	Syslog    syslogFile   `toml:"syslog"`
	ACME      acmeFile     `toml:"acme"`
	Proxy     proxyFile    `toml:"proxy"`
	Security  securityFile `toml:"security"`
	Retention []struct {
		From      string `toml:"from"`
		Usage     int    `toml:"usage"`
		Security  int    `toml:"security"`
		Account   int    `toml:"account"`
		Audit     int    `toml:"audit"`
		Technical int    `toml:"technical"`
		Traffic   int    `toml:"traffic"`
		Hold      int    `toml:"hold"`
	} `toml:"retention"`
}

func defaults() file {
	f := file{State: "/var/lib/borne-controller", Log: "text", LogLevel: "info"}
	f.Console.Listen = "127.0.0.1:8080"
	f.Terminals.Listen = ":8443"
	f.Metrics.Listen = "127.0.0.1:9464"
	f.Login.IdleMinutes, f.Login.MaxHours = 120, 12
	f.Rollout.DwellMinutes, f.Rollout.WithinMinutes = 10, 15
	f.Mail.TLS = "starttls"
	f.OIDC = oidcDefaults()
	f.LDAP = ldapDefaults()
	f.Calendars.Address = "https://data.education.gouv.fr/api/explore/v2.1/catalog/datasets/fr-en-calendrier-scolaire/exports/json?refine=zones%3AZone%20{zone}"
	return f
}

// Load reads the file at path.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration (write one with borne-controller init): %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return Config{}, fmt.Errorf("cannot load %s: %w", path, err)
	}
	return c, nil
}

// Parse reads the file's text. Its error tells everything that is wrong.
func Parse(b []byte) (Config, error) {
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
		wrong = append(wrong, fmt.Errorf("line %d: unknown key %q", lineOf(b, k), k.String()))
	}
	// The decoder takes "STATE" for "state": two spellings of one key would leave
	// open which one counts.
	for _, k := range meta.Keys() {
		if s := k.String(); s != strings.ToLower(s) {
			wrong = append(wrong, fmt.Errorf("line %d: unknown key %q; write %q", lineOf(b, k), s, strings.ToLower(s)))
		}
	}
	c, more := f.check()
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return Config{}, fmt.Errorf("cannot use the configuration: %w", errors.Join(wrong...))
	}
	return c, nil
}

// lineOf finds the line of a key: the decoder knows it only for what it cannot
// read. It is 0 when the key is written in a way that is not found.
func lineOf(b []byte, k toml.Key) int {
	table, last := strings.Join(k[:len(k)-1], "."), k[len(k)-1]
	header := regexp.MustCompile(`^\s*\[\[?\s*([^\]]+?)\s*\]`)
	key := regexp.MustCompile(`^\s*(?:[\w"'-]+\s*\.\s*)*["']?` + regexp.QuoteMeta(last) + `["']?\s*[.=]`)
	in := ""
	for i, line := range strings.Split(string(b), "\n") {
		if m := header.FindStringSubmatch(line); m != nil {
			in = strings.NewReplacer(`"`, "", `'`, "", " ", "").Replace(m[1])
			if in == k.String() {
				return i + 1
			}
			continue
		}
		if in == table && key.MatchString(line) {
			return i + 1
		}
	}
	return 0
}

// checkMail looks at how mails are sent.
func (f file) checkMail(bad func(key, value, want string)) {
	m := f.Mail
	if !slices.Contains([]string{"starttls", "tls", "none"}, m.TLS) {
		bad("mail.tls", m.TLS, `write "starttls", "tls" or, on loopback, "none"`)
	}
	if m.Server == "" {
		return
	}
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil || host == "" || port == "" {
		bad("mail.server", m.Server, "write host:port, such as smtp.example.fr:587")
	}
	if m.TLS == "none" && !loopback(m.Server) {
		bad("mail.tls", m.TLS, "without protection mails go to a server on loopback only")
	}
	if a, err := mail.ParseAddress(m.From); err != nil || a.Address == "" {
		bad("mail.from", m.From, "write the address that mails come from, such as bornes@example.fr")
	}
	if (m.User == "") != (m.Password == "") {
		bad("mail.password_file", m.Password, "user and password_file go together")
	}
	if m.Password != "" && !filepath.IsAbs(m.Password) {
		bad("mail.password_file", m.Password, "write the whole path of a file that holds the password")
	}
}

// check turns the text of values into values.
func (f file) check() (c Config, wrong []error) {
	bad := func(key, value, want string) { wrong = append(wrong, fmt.Errorf("%s = %q: %s", key, value, want)) }
	c = Config{State: f.State, LogJSON: f.Log == "json", Demo: f.Demo, Metrics: f.Metrics.Listen,
		Console:   Console{Listen: f.Console.Listen, Cert: f.Console.Cert, Key: f.Console.Key, URL: strings.TrimRight(f.Console.URL, "/")},
		Terminals: Terminals{Listen: f.Terminals.Listen}, Mail: Mail{f.Mail.Server, f.Mail.From, f.Mail.User, f.Mail.Password, f.Mail.TLS},
		Idle: time.Duration(f.Login.IdleMinutes) * time.Minute, Absolute: time.Duration(f.Login.MaxHours) * time.Hour,
		Dwell: time.Duration(f.Rollout.DwellMinutes) * time.Minute, Within: time.Duration(f.Rollout.WithinMinutes) * time.Minute}
	if !filepath.IsAbs(f.State) || filepath.Clean(f.State) != f.State || f.State == "/" {
		bad("state", f.State, "write a whole path such as "+defaults().State)
	}
	if f.Log != "text" && f.Log != "json" {
		bad("log", f.Log, `write "text" or "json"`)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, f.LogLevel) || c.LogLevel.UnmarshalText([]byte(f.LogLevel)) != nil {
		bad("log_level", f.LogLevel, `write "debug", "info", "warn" or "error"`)
	}
	for key, a := range map[string]string{"console.listen": f.Console.Listen, "terminals.listen": f.Terminals.Listen} {
		if !address(a) && !(key == "console.listen" && c.Console.Socket() != "") {
			bad(key, a, "write address:port, such as "+defaults().Console.Listen+" or :8443 (the console's may be unix:/a/path behind a proxy)")
		}
	}
	if f.Metrics.Listen != "" && !address(f.Metrics.Listen) {
		bad("metrics.listen", f.Metrics.Listen, "write address:port, or nothing for no metrics")
	}
	f.checkMail(bad)
	if (f.Console.Cert == "") != (f.Console.Key == "") {
		bad("console.cert", f.Console.Cert, "cert and key go together")
	}
	c.ACME, c.Proxies, c.Security = f.ACME.check(c.Console, bad), f.Proxy.check(c.Console, bad), f.Security.check(bad)
	c.Console.acme = c.ACME.Directory != ""
	if !c.Console.TLS() && c.Console.Socket() == "" && !loopback(f.Console.Listen) {
		bad("console.listen", f.Console.Listen, "without cert and key the console is plain HTTP, and may listen on loopback only, such as 127.0.0.1:8080; give both, or put a TLS proxy before it")
	}
	if u, err := url.Parse(f.Console.URL); f.Console.URL != "" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "") {
		bad("console.url", f.Console.URL, "write the console's address as people type it, such as https://bornes.example.fr")
	}
	if f.Login.IdleMinutes < 5 || f.Login.IdleMinutes > 24*60 {
		bad("login.idle_minutes", fmt.Sprint(f.Login.IdleMinutes), "write 5 to 1440")
	}
	if f.Rollout.DwellMinutes < 0 || f.Rollout.DwellMinutes > 24*60 {
		bad("rollout.dwell_minutes", fmt.Sprint(f.Rollout.DwellMinutes), "write 1 to 1440, or 0 to have changed rules reach all terminals at once")
	}
	if f.Rollout.WithinMinutes < 1 || f.Rollout.WithinMinutes > 24*60 {
		bad("rollout.within_minutes", fmt.Sprint(f.Rollout.WithinMinutes), "write 1 to 1440")
	}
	if f.Login.MaxHours < 1 || f.Login.MaxHours > 72 {
		bad("login.max_hours", fmt.Sprint(f.Login.MaxHours), "write 1 to 72")
	}
	c.Calendars = Calendars{Address: f.Calendars.Address, Decides: f.Calendars.Decides, Private: f.Calendars.Private}
	if u, err := url.Parse(c.Calendars.Of("A")); f.Calendars.Address != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		bad("calendars.address", f.Calendars.Address, "write an https address, with {zone} where A, B or C belongs, or nothing to propose none")
	}
	c.Calendars.Proxy = proxy("calendars.proxy", f.Calendars.Proxy, bad)
	c.Webhooks = Webhooks{Proxy: proxy("webhooks.proxy", f.Webhooks.Proxy, bad), Decides: f.Webhooks.Decides, Private: f.Webhooks.Private}
	for key, wrong := range map[string]bool{"calendars.proxy_decides": c.Calendars.Decides && c.Calendars.Proxy == nil, "webhooks.proxy_decides": c.Webhooks.Decides && c.Webhooks.Proxy == nil} {
		if wrong {
			bad(key, "true", "name the proxy as well, or write false")
		}
	}
	c.OIDC = f.OIDC.check(c.Console, bad)
	c.LDAP = f.LDAP.check(bad)
	c.Backup = f.Backup.check(bad)
	c.Syslog = f.Syslog.check(bad)
	for i, r := range f.Retention {
		key := fmt.Sprintf("retention[%d]", i)
		from, err := time.Parse(time.DateOnly, r.From)
		if err != nil {
			bad(key+".from", r.From, "write the day from which it holds, such as 2026-09-01")
		}
		for class, days := range map[string]int{"usage": r.Usage, "security": r.Security, "account": r.Account, "audit": r.Audit, "technical": r.Technical} {
			if days < 30 || days > 3660 {
				bad(key+"."+class, fmt.Sprint(days), "write 30 to 3660 days, for each class")
			}
		}
		for what, days := range map[string]int{"traffic": r.Traffic, "hold": r.Hold} {
			if days < 0 || days > 366 {
				bad(key+"."+what, fmt.Sprint(days), "write 1 to 366 days, or leave it out")
			}
		}
		c.Retention = append(c.Retention, Retention{From: from, Usage: r.Usage, Security: r.Security, Account: r.Account, Audit: r.Audit, Technical: r.Technical,
			Traffic: r.Traffic, Hold: r.Hold})
	}
	slices.SortFunc(wrong, func(x, y error) int { return strings.Compare(x.Error(), y.Error()) })
	return c, wrong
}

// proxy reads a proxy's address; nil for none.
func proxy(key, s string, bad func(key, value, want string)) *url.URL {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		bad(key, s, "write the proxy's address, such as http://proxy.example.fr:3128")
	}
	return u
}

func address(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" || strings.ContainsFunc(port, func(r rune) bool { return r < '0' || r > '9' }) || len(port) > 5 {
		return false
	}
	if host == "" || host == "localhost" {
		return true
	}
	_, err = netip.ParseAddr(host)
	return err == nil
}

func loopback(s string) bool {
	host, _, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && a.IsLoopback())
}

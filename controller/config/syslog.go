package config

import (
	"net"
	"path/filepath"
)

// Syslog is the collector that is told of security events, over TLS.
type Syslog struct {
	Address   string // host:port; empty: nobody is told
	CA        string // PEM file of who vouches for it; empty: the system's authorities
	Cert, Key string // PEM files that this side shows; empty: none
}

type syslogFile struct {
	Address string `toml:"address"`
	CA      string `toml:"ca"`
	Cert    string `toml:"cert"`
	Key     string `toml:"key"`
}

func (f syslogFile) check(bad func(key, value, want string)) Syslog {
	if host, port, err := net.SplitHostPort(f.Address); f.Address != "" && (err != nil || host == "" || port == "") {
		bad("syslog.address", f.Address, "write host:port, such as siem.example.fr:6514")
	}
	for key, v := range map[string]string{"syslog.ca": f.CA, "syslog.cert": f.Cert, "syslog.key": f.Key} {
		if v != "" && !filepath.IsAbs(v) {
			bad(key, v, "write the whole path of a PEM file")
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		bad("syslog.cert", f.Cert, "cert and key go together")
	}
	return Syslog(f)
}

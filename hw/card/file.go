package card

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// The key file is text, UTF-8, one "name value" a line; empty lines and lines
// that begin with # are skipped. Its first other line is the format:
//
//	borne-badge-keys 1
//	mutual.key 00112233445566778899aabbccddeeff
//	mutual.number 1
//	mutual.diversified yes             # the default: AN10922 over UID || system
//	mutual.system d2760000850101       # hexadecimal; may be left out
//	privacy.key …                      # cards with random IDs only
//	privacy.number 2
//	sun.url https://badge.example.org/ # may be left out
//	sun.meta.key …
//	sun.file.key …
//	sun.file.diversified yes
//	sun.file.system …
//	sun.picc picc_data                 # the defaults of the URL's parameters
//	sun.mac cmac
//	sun.input enc                      # may be left out: SDMMAC has no input
//	sun.ndef e104                      # the NDEF file's identifier; the default
//
// Comments after a value are not allowed; they are here for the reader's sake.
const format = "borne-badge-keys 1"

const (
	maxFile  = 4096
	maxLines = 64
)

// ReadKeys reads a key file. It must belong to the agent's user or to root, be
// a plain file, and be readable to its owner only.
func ReadKeys(path string) (Keys, error) {
	k, err := readKeys(path)
	if err != nil {
		return Keys{}, fmt.Errorf("cannot use key file %s: %w", path, err)
	}
	return k, nil
}

func readKeys(path string) (Keys, error) {
	// No link is followed, and a FIFO in its place does not hold the start up.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Keys{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Keys{}, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	switch {
	case !st.Mode().IsRegular():
		return Keys{}, errors.New("it is not a plain file")
	case !ok:
		return Keys{}, errors.New("its owner cannot be told")
	case int(sys.Uid) != os.Geteuid() && sys.Uid != 0:
		return Keys{}, fmt.Errorf("it belongs to user %d; give it to the agent's user or to root", sys.Uid)
	case st.Mode().Perm()&0o077 != 0:
		return Keys{}, fmt.Errorf("others may use it (mode %04o); run chmod 600 on it", st.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	defer clear(b)
	if err != nil {
		return Keys{}, err
	}
	return ParseKeys(b)
}

// ParseKeys reads a key file's content. Its errors name lines and names, never
// what a line holds.
func ParseKeys(b []byte) (Keys, error) {
	if len(b) > maxFile {
		return Keys{}, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	seen := map[string]string{}
	begun := false
	for i, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if i >= maxLines {
			return Keys{}, fmt.Errorf("it has more than %d lines", maxLines)
		}
		if !begun {
			if line != format {
				return Keys{}, fmt.Errorf("line %d is not %q, the format", i+1, format)
			}
			begun = true
			continue
		}
		name, value, ok := strings.Cut(line, " ")
		value = strings.TrimSpace(value)
		_, twice := seen[name]
		switch {
		case !ok || value == "":
			return Keys{}, fmt.Errorf("line %d is not a name and a value", i+1)
		case !known(name): // not shown: it may be a key in the wrong place
			return Keys{}, fmt.Errorf("line %d has an unknown name; names are %s", i+1, strings.Join(names(), ", "))
		case twice:
			return Keys{}, fmt.Errorf("line %d gives %s a second time", i+1, name)
		}
		seen[name] = value
	}
	if !begun {
		return Keys{}, fmt.Errorf("its first line must be %q", format)
	}
	k, err := build(seen)
	if err == nil {
		err = k.check()
	}
	if err != nil {
		return Keys{}, err
	}
	return k, nil
}

func names() []string {
	return []string{
		"mutual.key", "mutual.number", "mutual.diversified", "mutual.system", "privacy.key", "privacy.number",
		"sun.url", "sun.meta.key", "sun.file.key", "sun.file.diversified", "sun.file.system", "sun.picc", "sun.mac", "sun.input", "sun.ndef",
	}
}

func known(name string) bool {
	for _, n := range names() {
		if n == name {
			return true
		}
	}
	return false
}

// build turns lines into keys; what is missing is check's matter.
func build(v map[string]string) (k Keys, err error) {
	if k.Mutual, err = master(v, "mutual", true); err != nil {
		return k, err
	}
	if k.Privacy, err = master(v, "privacy", false); err != nil {
		return k, err
	}
	sun := false
	for n := range v {
		sun = sun || strings.HasPrefix(n, "sun.")
	}
	if !sun {
		return k, nil
	}
	s := &SUN{URL: v["sun.url"], PICC: v["sun.picc"], MAC: v["sun.mac"], Input: v["sun.input"], FileID: ndefFile}
	k.SUN = s
	if s.PICC == "" {
		s.PICC = defaultPICC
	}
	if s.MAC == "" {
		s.MAC = defaultMAC
	}
	for name, p := range map[string]string{"sun.picc": s.PICC, "sun.mac": s.MAC, "sun.input": s.Input} {
		if len(p) > maxName || strings.ContainsAny(p, "=&?# ") {
			return k, fmt.Errorf("%s must be a URL parameter's name of at most %d characters", name, maxName)
		}
	}
	if t, ok := v["sun.meta.key"]; ok {
		if s.Meta, err = parseKey(t); err != nil {
			return k, fmt.Errorf("sun.meta.key: %w", err)
		}
	}
	if t, ok := v["sun.ndef"]; ok {
		n, err := strconv.ParseUint(t, 16, 16)
		if err != nil || len(t) != 4 {
			return k, errors.New("sun.ndef must be four hexadecimal digits, as in e104")
		}
		s.FileID = uint16(n)
	}
	m, err := master(v, "sun.file", true)
	if err != nil {
		return k, err
	}
	if m != nil {
		s.File = *m
	}
	return k, nil
}

// master reads the lines of one key; nil: there are none.
func master(v map[string]string, prefix string, diversified bool) (*MasterKey, error) {
	m := &MasterKey{Diversified: diversified}
	any := false
	for _, f := range []struct {
		name string
		set  func(string) error
	}{
		{"key", func(s string) (err error) { m.Key, err = parseKey(s); return err }},
		{"number", func(s string) error {
			if len(s) != 1 || s[0] < '0' || s[0] > '0'+maxNumber {
				return fmt.Errorf("it must be 0 to %d", maxNumber)
			}
			m.Number = s[0] - '0'
			return nil
		}},
		{"diversified", func(s string) error {
			if s != "yes" && s != "no" {
				return errors.New("it must be yes or no")
			}
			m.Diversified = s == "yes"
			return nil
		}},
		{"system", func(s string) (err error) {
			if m.System, err = hex.DecodeString(s); err != nil {
				return errors.New("it must be hexadecimal")
			}
			return nil
		}},
	} {
		s, ok := v[prefix+"."+f.name]
		if !ok {
			continue
		}
		any = true
		if err := f.set(s); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", prefix, f.name, err)
		}
	}
	if !any {
		return nil, nil
	}
	return m, nil
}

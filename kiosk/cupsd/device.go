package cupsd

import (
	"errors"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Scheme begins the address of a printer that is reached through a queue:
// cups+socket://192.0.2.7:9100.
const Scheme = "cups+"

// Is tells whether a printer's address is one of a queue.
func Is(uri string) bool { return strings.HasPrefix(uri, Scheme) }

// ErrDevice says what may stand after Scheme.
var ErrDevice = errors.New("write cups+socket://192.0.2.7:9100, cups+lpd://192.0.2.7/queue, cups+ipp://192.0.2.7/ipp/print, " +
	"cups+usb://Maker/Model or cups+parallel:/dev/usb/lp0")

// Device checks the address of a queue's printer and returns what CUPS calls its
// device URI. It goes into a file of CUPS: whatever means something there is
// refused (cupsFileGetConf: blanks, # and \).
func Device(uri string) (string, error) {
	dev, ok := strings.CutPrefix(uri, Scheme)
	if !ok || len(dev) > 512 || strings.ContainsFunc(dev, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`#\<>"`, r) }) {
		return "", ErrDevice
	}
	u, err := url.Parse(dev)
	if err != nil || u.User != nil || u.Fragment != "" {
		return "", ErrDevice
	}
	host := u.Hostname() != "" && !strings.HasPrefix(u.Hostname(), "-")
	switch u.Scheme {
	case "socket":
		ok = host && (u.Path == "" || u.Path == "/") && u.RawQuery == ""
	case "lpd", "ipp", "ipps":
		ok = host && len(u.Path) > 1 && u.RawQuery == ""
	case "usb": // usb://Maker/Model?serial=…, as CUPS itself lists it
		ok = host && len(u.Path) > 1 && usbQuery(u.RawQuery)
	case "parallel": // usblp's device files too
		ok = u.Host == "" && u.Opaque == "" && path.Clean(u.Path) == u.Path && strings.HasPrefix(u.Path, "/dev/") && u.RawQuery == ""
	default:
		ok = false
	}
	if !ok {
		return "", ErrDevice
	}
	return dev, nil
}

func usbQuery(raw string) bool {
	q, err := url.ParseQuery(raw)
	for k := range q {
		if !slices.Contains([]string{"serial", "interface"}, k) {
			return false
		}
	}
	return err == nil
}

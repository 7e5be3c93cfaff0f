package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/sandbox"
	"borne/kiosk/uplink"
)

func expect(t *testing.T, name string, f Finding, ok bool, words string) {
	t.Helper()
	if (f.Fix == "") != ok || !strings.Contains(f.Found+" "+f.Fix, words) {
		t.Errorf("%s: %+v, want ok=%v and %q", name, f, ok, words)
	}
}

func TestClock(t *testing.T) {
	at, built := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	is := func(w time.Time, sure bool) func() (time.Time, bool) {
		return func() (time.Time, bool) { return w, sure }
	}
	expect(t, "right", Clock(is(at, true), built), true, "04/05/2026 03:02")
	expect(t, "unsure", Clock(is(at, false), built), false, "NTP")
	expect(t, "past", Clock(is(time.Unix(0, 0), true), built), false, "avant la date")
}

func TestUSB(t *testing.T) {
	root := t.TempDir()
	expect(t, "none", USB(root, true, false, true), true, "pas de prise")
	bus := filepath.Join(root, "bus/usb/devices")
	for name, text := range map[string]string{"usb1": "0\n", "usb2": "1\n"} {
		if err := os.MkdirAll(filepath.Join(bus, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bus, name, "authorized_default"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "one open", USB(root, true, false, true), false, "2 contrôleurs, dont 1 ouverts")
	expect(t, "not running", USB(root, true, false, false), true, "dès que le poste démarre")
	expect(t, "off", USB(root, false, false, true), false, "guard = true")
	expect(t, "simulated", USB(root, false, true, true), true, "simulé")
	if err := os.WriteFile(filepath.Join(bus, "usb2", "authorized_default"), []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, "closed", USB(root, true, false, true), true, "rien n'entre")
	if err := os.Remove(filepath.Join(bus, "usb1", "authorized_default")); err != nil {
		t.Fatal(err)
	}
	expect(t, "not readable", USB(root, true, false, true), false, "impossible de savoir")
}

func TestDNS(t *testing.T) {
	yes := func(context.Context, string) ([]string, error) { return []string{"203.0.113.7"}, nil }
	no := func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }
	expect(t, "found", DNS(t.Context(), yes, "borne.example", false), true, "203.0.113.7")
	expect(t, "not found", DNS(t.Context(), no, "borne.example", false), false, "resolv.conf")
	expect(t, "behind a proxy", DNS(t.Context(), no, "borne.example", true), true, "proxy")
	expect(t, "address", DNS(t.Context(), no, "203.0.113.7", false), true, "inutile")
	expect(t, "unknown", DNS(t.Context(), no, "", false), true, "aucun nom")
}

func TestProxy(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &url.URL{Scheme: "http", Host: ln.Addr().String(), User: url.UserPassword("u", "secret")}
	dial := (&net.Dialer{}).DialContext
	expect(t, "answers", Proxy(t.Context(), dial, u), true, "répond")
	ln.Close()
	f := Proxy(t.Context(), dial, u)
	expect(t, "down", f, false, "ne répond pas")
	if strings.Contains(f.Found+f.Fix, "secret") {
		t.Error("tells the password")
	}
	expect(t, "none", Proxy(t.Context(), dial, nil), true, "aucun proxy")
}

func TestController(t *testing.T) {
	probe := func(err error) Target {
		return Target{Enrolled: true, Controller: "https://c", Probe: func(context.Context) error { return err }}
	}
	expect(t, "well", Controller(t.Context(), probe(nil)), true, "non intercepté")
	expect(t, "intercepted", Controller(t.Context(), probe(fmt.Errorf("x: %w", &uplink.InterceptedError{Host: "c.example", Issuer: "Filtre"}))), false, "exempter c.example")
	expect(t, "proxy user", Controller(t.Context(), probe(uplink.ErrProxyAuth)), false, "nom et un mot de passe")
	expect(t, "proxy refuses", Controller(t.Context(), probe(uplink.ErrProxy)), false, "CONNECT vers https://c")
	expect(t, "revoked", Controller(t.Context(), probe(uplink.ErrRefused)), false, "console")
	expect(t, "down", Controller(t.Context(), probe(errors.New("no route"))), false, "no route")
	reach := Target{Controller: "https://c", Reach: func(context.Context) (string, error) { return "Borne CA", nil }}
	expect(t, "not enrolled", Controller(t.Context(), reach), false, "Borne CA")
	reach.Reach = func(context.Context) (string, error) { return "", errors.New("no route") }
	expect(t, "not enrolled, down", Controller(t.Context(), reach), false, "no route")
	expect(t, "unknown", Controller(t.Context(), Target{}), false, "enrol CODE")
}

func TestChromium(t *testing.T) {
	run := func(out string, err error) RunFunc {
		return func(context.Context, string, ...string) ([]byte, error) { return []byte(out), err }
	}
	expect(t, "there", Chromium(t.Context(), run("Chromium 156.0\n", nil), "/c"), true, "Chromium 156.0")
	expect(t, "missing", Chromium(t.Context(), run("", fs.ErrNotExist), "/c"), false, "apt install chromium")
	expect(t, "silent", Chromium(t.Context(), run("", nil), "/c"), false, "ne démarre pas")
}

func TestDisplay(t *testing.T) {
	all := func(string) (string, error) { return "/usr/bin/x", nil }
	but := func(gone string) func(string) (string, error) {
		return func(n string) (string, error) {
			if n == gone {
				return "", fs.ErrNotExist
			}
			return "/usr/bin/" + n, nil
		}
	}
	expect(t, "auto", Display(all, "auto"), true, "Xvfb")
	expect(t, "no window manager", Display(but("openbox"), ":0"), false, "openbox")
	expect(t, "no Xorg", Display(but("Xorg"), "xorg"), false, "il manque Xorg")
	expect(t, "Xorg not needed", Display(but("Xorg"), ":0"), true, "Xephyr")
}

func TestIsolation(t *testing.T) {
	var all, reduced []wire.Property
	for _, n := range wire.Properties() {
		all = append(all, wire.Property{Name: n, Held: true, Detail: "read from " + n})
		reduced = append(reduced, wire.Property{Name: n, Held: n != wire.PropMemory, Detail: "no controller for " + n})
	}
	gives := func(p []wire.Property, err error) func() (sandbox.Surveyed, error) {
		return func() (sandbox.Surveyed, error) { return sandbox.Surveyed{Props: p}, err }
	}
	look := func(root, running bool, last, measured func() (sandbox.Surveyed, error)) Finding {
		return Isolation(t.Context(), Surveys{Root: root, Running: func() bool { return running }, Last: last,
			Measure: func(context.Context) (sandbox.Surveyed, error) { return measured() }})
	}
	never := func() (sandbox.Surveyed, error) {
		t.Error("looked the wrong way")
		return sandbox.Surveyed{}, nil
	}
	expect(t, "full", look(true, false, never, gives(all, nil)), true, "complète, 16 propriétés sur 16")
	expect(t, "reduced", look(true, false, never, gives(reduced, nil)), false, "réduite, 15 propriétés sur 16")
	expect(t, "not measured", look(true, false, never, gives(all[1:], nil)), false, "réduite, 15 propriétés sur 16")
	expect(t, "fails", look(true, false, never, gives(nil, errors.New("no netns"))), false, "no netns")
	expect(t, "not root", look(false, false, never, never), false, "root")
	// The terminal's own measure needs no root, and disturbs nobody.
	expect(t, "running", look(false, true, gives(all, nil), never), true, "complète, 16")
	expect(t, "starting", look(true, true, gives(nil, fs.ErrNotExist), never), true, "le poste démarre")
	expect(t, "unreadable", look(true, true, gives(nil, errors.New("torn")), never), false, "torn")

	f := look(true, true, gives(reduced, nil), never)
	expect(t, "running, reduced", f, false, "réduite, 15")
	var b strings.Builder
	if wrong, err := Run(t.Context(), &b, []Check{{"isolation", func(context.Context) Finding { return f }}}); err != nil || wrong != 1 {
		t.Errorf("%d, %v", wrong, err)
	}
	for _, want := range []string{"- mémoire limitée                no controller for memory-limit\n              → Activez ce contrôleur", "+ écran à part"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	seen := map[string]bool{}
	for _, n := range wire.Properties() {
		label, fix := property(n)
		if label == n || fix == "" || fix == "fix."+n || seen[label] {
			t.Errorf("%s is told as %q, %q", n, label, fix)
		}
		seen[label] = true
	}
}

func TestKeys(t *testing.T) {
	lost := errors.New("no key")
	expect(t, "believed", Keys(true, true, nil), true, "")
	expect(t, "none", Keys(true, true, lost), false, "Remplacer ce poste")
	expect(t, "not enrolled", Keys(true, false, lost), true, "")
	expect(t, "not root", Keys(false, true, lost), true, "root")
}

func TestDevice(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, "there", Device(os.Stat, hw.Device{Path: "/dev/null"}, 61000), true, "")
	expect(t, "not the agent's", Device(os.Stat, hw.Device{Path: "/dev/kmsg"}, 61000), false, "61000")
	expect(t, "missing", Device(os.Stat, hw.Device{Path: "/dev/spidev9.9"}, 0), false, "dtparam=spi=on")
	expect(t, "a file", Device(os.Stat, hw.Device{Path: plain}, 0), false, "n'est pas un périphérique")
	expect(t, "simulated", Device(os.Stat, hw.Device{Sim: true}, 0), true, "simulé")
}

func TestMemory(t *testing.T) {
	expect(t, "much", Memory(4000, nil, 2000), true, "prêt d'avance")
	expect(t, "little", Memory(1900, nil, 2000), true, "prouvé de la même façon")
	expect(t, "not known", Memory(0, fs.ErrNotExist, 2000), false, "/proc")
}

func TestPrinter(t *testing.T) {
	says := func(p wire.Printer, err error) Finding {
		return Printer(t.Context(), func(context.Context) (wire.Printer, error) { return p, err })
	}
	expect(t, "none", Printer(t.Context(), nil), true, "rien ne s'imprime")
	expect(t, "silent", says(wire.Printer{}, errors.New("no route")), false, "elle ne répond pas")
	expect(t, "no paper", says(wire.Printer{Model: "X 1", State: wire.PrinterStopped, Reasons: []string{"media-empty-error"}}, nil), false, "X 1 ne peut pas imprimer")
	expect(t, "low", says(wire.Printer{State: wire.PrinterReady, Supplies: []wire.Supply{{Name: "Noir", Level: 3, Low: true}, {Name: "Cyan", Level: 80}}}, nil), false, "presque vide : Noir")
	expect(t, "ready", says(wire.Printer{Model: "X 1", State: wire.PrinterReady}, nil), true, "X 1 répond")
}

func TestRunTellsAndCounts(t *testing.T) {
	one := func(f Finding) Check { return Check{"chose", func(context.Context) Finding { return f }} }
	for want, checks := range map[string][]Check{
		"Tout va bien":              {one(well("là"))},
		"Une chose est à corriger":  {one(well("là")), one(amiss("Branchez.", "absent"))},
		"2 choses sont à corriger.": {one(amiss("Branchez.", "absent")), one(amiss("Réglez.", "faux"))},
	} {
		var b strings.Builder
		wrong, err := Run(t.Context(), &b, checks)
		if err != nil || !strings.Contains(b.String(), want) || wrong != strings.Count(b.String(), "→") {
			t.Errorf("%d, %v:\n%s", wrong, err, &b)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, &strings.Builder{}, []Check{one(well("là"))}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

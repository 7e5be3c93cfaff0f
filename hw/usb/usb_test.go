package usb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// descriptors builds what a device says: one configuration for each list of interfaces.
func descriptors(class Class, vendor, product uint16, configs ...[]Class) []byte {
	b := []byte{18, typeDevice, 0, 2, byte(class), 0, 0, 64, 0, 0, 0, 0, 0, 1, 1, 2, 3, byte(len(configs))}
	binary.LittleEndian.PutUint16(b[8:], vendor)
	binary.LittleEndian.PutUint16(b[10:], product)
	for n, list := range configs {
		var body []byte
		for i, c := range list {
			body = append(body, 9, typeInterface, byte(i), 0, 1, byte(c), 0, 0, 0)
			if c == Input {
				body = append(body, 9, 0x21, 0x11, 1, 0, 1, 0x22, 63, 0) // HID descriptor
			}
			body = append(body, 7, 5, 0x81, 3, 8, 0, 10) // endpoint
		}
		b = append(b, 9, typeConfig, byte(9+len(body)), byte((9+len(body))>>8), byte(len(list)), byte(n+1), 0, 0xa0, 50)
		b = append(b, body...)
	}
	return b
}

// sys is a tree as the kernel makes it: real folders below devices, links on the
// bus, interfaces only of what is authorized.
type sys struct {
	t      *testing.T
	root   string
	number int
}

func newSys(t *testing.T, controllers int) *sys {
	s := &sys{t: t, root: t.TempDir()}
	if err := os.MkdirAll(s.root+"/bus/usb/devices", 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range controllers {
		name := fmt.Sprintf("usb%d", i+1)
		s.node(name, fmt.Sprintf("devices/pci0000:00/0000:00:14.%d/%s", i, name), map[string]string{
			"authorized_default": "1\n", "interface_authorized_default": "1\n", "authorized": "1\n", "devnum": "1\n",
			"descriptors": string(descriptors(Hub, 0x1d6b, 2, []Class{Hub}))})
	}
	return s
}

func (s *sys) node(name, path string, files map[string]string) {
	s.t.Helper()
	dir := filepath.Join(s.root, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	for f, text := range files {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Symlink("../../../"+path, filepath.Join(s.root, "bus/usb/devices", name)); err != nil {
		s.t.Fatal(err)
	}
}

// plug does what the kernel does when something is plugged in.
func (s *sys) plug(port, serial string, desc []byte) {
	s.t.Helper()
	s.number++
	bus, _, _ := strings.Cut(port, "-")
	allow, _ := os.ReadFile(s.root + "/bus/usb/devices/usb" + bus + "/authorized_default")
	files := map[string]string{"devnum": fmt.Sprintf("%d\n", s.number+1), "authorized": string(allow), "descriptors": string(desc),
		"removable": "removable\n", "bNumInterfaces": " 1\n"}
	if serial != "" {
		files["serial"] = serial + "\n"
	}
	s.node(port, fmt.Sprintf("devices/pci0000:00/0000:00:14.0/usb%s/%s", bus, port), files)
	s.node(port+":1.0", fmt.Sprintf("devices/pci0000:00/0000:00:14.0/usb%s/%s/%s:1.0", bus, port, port), map[string]string{"bInterfaceClass": "03\n", "authorized": "1\n"})
}

func (s *sys) unplug(port string) {
	s.t.Helper()
	link := s.root + "/bus/usb/devices/" + port
	dir, err := filepath.EvalSymlinks(link)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range []string{link, link + ":1.0", dir} {
		if err := os.RemoveAll(p); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sys) authorized(port string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.root + "/bus/usb/devices/" + port + "/authorized")
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

var (
	keyboard = descriptors(PerInterface, 0x046d, 0xc31c, []Class{Input, Input})
	mouse    = descriptors(PerInterface, 0x046d, 0xc077, []Class{Input})
	stick    = descriptors(PerInterface, 0x0781, 0x5567, []Class{Storage})
	printer  = descriptors(PerInterface, 0x04f9, 0x0042, []Class{Printer})
	badUSB   = descriptors(PerInterface, 0x0781, 0x5567, []Class{Storage}, []Class{Storage, Input}) // its second configuration types
	camera   = descriptors(Misc, 0x046d, 0x0825, []Class{Video, Video, Audio})
	network  = descriptors(Comm, 0x0bda, 0x8152, []Class{Comm, CommData})
)

// guarded is a guard of a terminal whose keyboard and mouse were there when it was set up.
func guarded(t *testing.T, rules Rules) (*sys, *Guard, func() []News) {
	t.Helper()
	s := newSys(t, 2)
	s.plug("1-1", "", descriptors(Hub, 0x05e3, 0x0610, []Class{Hub}))
	s.plug("1-1.1", "", keyboard)
	s.plug("1-1.2", "", mouse)
	var told []News
	g, err := NewGuard(s.root, filepath.Join(t.TempDir(), "usb.json"), rules, func(n News) { told = append(told, n) }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, g, func() []News { was := told; told = nil; return was }
}

func (g *Guard) mustLook(t *testing.T) {
	t.Helper()
	if err := g.Look(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsPluggedInLater(t *testing.T) {
	for name, c := range map[string]struct {
		desc   []byte
		serial string
		port   string
		allow  bool
		reason Reason
	}{
		"storage":                        {stick, "4C53", "1-1.3", false, IsStorage},
		"another keyboard":               {keyboard, "", "1-1.3", false, NewInput},
		"a stick that types too":         {badUSB, "", "1-1.3", false, WasStorage},
		"a printer":                      {printer, "", "2-1", true, ""},
		"a card reader":                  {descriptors(PerInterface, 0x072f, 0x90cc, []Class{SmartCard}), "", "2-1", true, ""},
		"a printer with a slot":          {descriptors(PerInterface, 0x04f9, 0x0043, []Class{Printer, Storage}), "", "2-1", false, IsStorage},
		"a printer with a keyboard":      {descriptors(PerInterface, 0x04f9, 0x0044, []Class{Printer, Input}), "", "2-1", false, NewInput},
		"a camera":                       {camera, "", "2-1", false, NotAllowed},
		"a camera at its port":           {camera, "", "2-4", true, ""},
		"a network":                      {network, "", "2-1", false, NotAllowed},
		"the badge reader":               {keyboard, "BADGE-7", "1-1.4", true, ""},
		"storage with the reader's name": {stick, "BADGE-7", "1-1.4", false, IsStorage},
		"nonsense":                       {[]byte("hello"), "", "2-1", false, Unreadable},
		"nothing":                        {nil, "", "2-1", false, Unreadable},
	} {
		t.Run(name, func(t *testing.T) {
			rules := DefaultRules()
			rules.Serials = []string{"BADGE-7"}
			rules.Ports = map[string][]Class{"2-4": {Video, Audio}}
			s, g, told := guarded(t, rules)
			if n := told(); len(n) != 0 {
				t.Fatalf("told at the first start: %v", n)
			}
			s.plug(c.port, c.serial, c.desc)
			if got := s.authorized(c.port); got != "0" {
				t.Fatalf("the kernel authorized it before anybody decided: %s", got)
			}
			g.mustLook(t)
			want := map[bool]string{true: "1", false: "0"}[c.allow]
			if got := s.authorized(c.port); got != want {
				t.Errorf("authorized %s, want %s", got, want)
			}
			news := told()
			if c.reason == "" && len(news) != 0 || c.reason != "" && (len(news) != 1 || news[0].Verdict.Reason != c.reason || news[0].Port != c.port) {
				t.Errorf("told %v, want %q", news, c.reason)
			}
			g.mustLook(t)
			if news := told(); len(news) != 0 {
				t.Errorf("told again: %v", news)
			}
		})
	}
}

func TestAStickThatBecomesAKeyboard(t *testing.T) {
	s, g, told := guarded(t, DefaultRules())
	s.plug("1-1.3", "", stick)
	g.mustLook(t)
	s.unplug("1-1.3")
	s.plug("1-1.3", "", keyboard)
	g.mustLook(t)
	if s.authorized("1-1.3") != "0" {
		t.Error("it types")
	}
	if n := told(); len(n) != 2 || n[1].Verdict.Reason != WasStorage {
		t.Errorf("told %v", n)
	}
	// Even with the very keyboard's words, at the very keyboard's port.
	s.unplug("1-1.1")
	s.plug("1-1.1", "", stick)
	g.mustLook(t)
	s.unplug("1-1.1")
	s.plug("1-1.1", "", keyboard)
	g.mustLook(t)
	if s.authorized("1-1.1") != "0" {
		t.Error("at the keyboard's port it types")
	}
}

func TestAKeyboardThatIsPluggedInAgain(t *testing.T) {
	s, g, told := guarded(t, DefaultRules())
	s.unplug("1-1.1")
	g.mustLook(t)
	s.plug("1-1.1", "", keyboard)
	g.mustLook(t)
	if n := told(); s.authorized("1-1.1") != "1" || len(n) != 1 || n[0].Verdict.Reason != Replugged {
		t.Errorf("authorized %s, told %v", s.authorized("1-1.1"), n)
	}
	// Between two looks, too: the number is another one.
	s.unplug("1-1.1")
	s.plug("1-1.1", "", keyboard)
	g.mustLook(t)
	if n := told(); len(n) != 1 {
		t.Errorf("told %v", n)
	}
	// Another one in its place.
	s.unplug("1-1.1")
	s.plug("1-1.1", "", mouse)
	g.mustLook(t)
	if n := told(); s.authorized("1-1.1") != "0" || len(n) != 1 || n[0].Verdict.Reason != NewInput {
		t.Errorf("authorized %s, told %v", s.authorized("1-1.1"), n)
	}
	// In maintenance it may be, and then it belongs here, after a new start too.
	if err := g.Open(true); err != nil {
		t.Fatal(err)
	}
	if s.authorized("1-1.1") != "1" {
		t.Error("refused in maintenance")
	}
	s.plug("2-2", "", stick)
	g.mustLook(t)
	if s.authorized("2-2") != "0" {
		t.Error("storage in maintenance")
	}
	if err := g.Open(false); err != nil {
		t.Fatal(err)
	}
	told()
	again, err := NewGuard(s.root, g.file, DefaultRules(), func(n News) { t.Logf("%v", n) }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	again.mustLook(t)
	if s.authorized("1-1.1") != "1" || s.authorized("1-1.2") != "1" || s.authorized("2-2") != "0" {
		t.Error("a new start decides otherwise")
	}
}

func TestAtALaterStartWhatTheKernelLetInIsThrownOut(t *testing.T) {
	s, g, _ := guarded(t, DefaultRules())
	for _, c := range []string{"usb1", "usb2"} { // as after a boot
		if err := os.WriteFile(s.root+"/bus/usb/devices/"+c+"/authorized_default", []byte("1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.plug("1-1.3", "", stick)
	s.plug("2-1", "", keyboard)
	if s.authorized("2-1") != "1" {
		t.Fatal("the tree of this test does not behave as the kernel's")
	}
	var told []News
	if _, err := NewGuard(s.root, g.file, DefaultRules(), func(n News) { told = append(told, n) }, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if s.authorized("1-1.3") != "0" || s.authorized("2-1") != "0" || s.authorized("1-1.1") != "1" || len(told) != 2 {
		t.Errorf("stick %s, second keyboard %s, keyboard %s, told %v", s.authorized("1-1.3"), s.authorized("2-1"), s.authorized("1-1.1"), told)
	}
	tree, _ := Open(s.root)
	if all, closed, err := tree.Closed(); all != 2 || closed != 2 || err != nil {
		t.Errorf("%d of %d controllers closed, %v", closed, all, err)
	}
}

func TestADeviceSwappedWhileItIsDecidedAboutGainsNothing(t *testing.T) {
	s, g, _ := guarded(t, DefaultRules())
	s.plug("2-1", "", printer)
	nodes, err := g.tree.Devices()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(nodes, func(n Node) bool { return n.Port == "2-1" })
	s.unplug("2-1")
	s.plug("2-1", "", stick)
	if err := nodes[i].Authorize(true); err != nil {
		t.Errorf("a device that left is no error: %v", err)
	}
	if s.authorized("2-1") != "0" {
		t.Error("the decision about the printer lets the stick in")
	}
}

func TestAFailedRefusalIsTriedAgain(t *testing.T) {
	s, g, told := guarded(t, DefaultRules())
	s.plug("2-1", "", stick)
	path, err := filepath.EvalSymlinks(s.root + "/bus/usb/devices/2-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"/authorized", []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"/authorized", path+"/kept"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+"/authorized", 0o755); err != nil { // cannot be written
		t.Fatal(err)
	}
	if err := g.Look(); err == nil {
		t.Error("nobody learns that it stays in")
	}
	if err := errors.Join(os.Remove(path+"/authorized"), os.Rename(path+"/kept", path+"/authorized")); err != nil {
		t.Fatal(err)
	}
	g.mustLook(t)
	if n := told(); s.authorized("2-1") != "0" || len(n) != 1 {
		t.Errorf("authorized %s, told %v", s.authorized("2-1"), n)
	}
}

func TestNoUSB(t *testing.T) {
	if g, err := NewGuard(t.TempDir(), "/nonexistent/usb.json", DefaultRules(), nil, nil); g != nil || err != nil {
		t.Errorf("%v, %v", g, err)
	}
}

func TestParseClass(t *testing.T) {
	if c, err := ParseClass("printer"); c != Printer || err != nil {
		t.Errorf("%v, %v", c, err)
	}
	for _, bad := range []string{"storage", "", "Printer", "hid"} {
		if _, err := ParseClass(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestEveryCutOfWhatADeviceSaysIsRefused(t *testing.T) {
	for _, d := range [][]byte{keyboard, badUSB, camera} {
		whole, err := ParseDescriptors(d)
		if err != nil {
			t.Fatal(err)
		}
		for n := range d {
			if s, err := ParseDescriptors(d[:n]); err == nil && len(s.Interfaces) >= len(whole.Interfaces) {
				t.Errorf("%d of %d bytes pass whole", n, len(d))
			}
		}
	}
}

func FuzzParseDescriptors(f *testing.F) {
	for _, d := range [][]byte{keyboard, stick, badUSB, camera, network, nil} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseDescriptors(b)
		if err == nil && (len(s.Interfaces) == 0 || len(s.Interfaces) > maxInterfaces || len(b) > maxDescriptors) {
			t.Errorf("%d interfaces of %d bytes pass", len(s.Interfaces), len(b))
		}
		d := Device{Port: "1-1", Said: s, Damaged: err != nil}
		if v := Decide(DefaultRules(), Memory{Opening: true}, d); v.Allow && (err != nil || d.has(Storage)) {
			t.Errorf("%v lets in %v", v, s)
		}
	})
}

func FuzzParseUevent(f *testing.F) {
	f.Add([]byte("add@/devices/pci0000:00/0000:00:14.0/usb1/1-1\x00ACTION=add\x00SUBSYSTEM=usb\x00DEVTYPE=usb_device\x00"))
	f.Add([]byte("libudev\x00\xfe\xed\xca\xfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := ParseUevent(b)
		if err == nil && (u.Action == "" || !strings.HasPrefix(u.Path, "/") || len(b) > maxUevent) {
			t.Errorf("%+v passes", u)
		}
	})
}

func TestParseUevent(t *testing.T) {
	u, err := ParseUevent([]byte("remove@/devices/x/1-1\x00SUBSYSTEM=usb\x00DEVTYPE=usb_device\x00"))
	if err != nil || !u.Device() || u.Action != "remove" || u.Path != "/devices/x/1-1" {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err = ParseUevent([]byte("add@/devices/x/1-1:1.0\x00SUBSYSTEM=usb\x00DEVTYPE=usb_interface\x00")); err != nil || u.Device() {
		t.Errorf("an interface: %+v, %v", u, err)
	}
	for _, bad := range []string{"", "add@/x", "add/x\x00", "@/x\x00", "add@x\x00", "add@/x\x00noequals\x00", strings.Repeat("a", maxUevent+1) + "\x00"} {
		if _, err := ParseUevent([]byte(bad)); !errors.Is(err, errUevent) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

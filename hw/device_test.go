package hw

import (
	"bytes"
	"encoding/hex"
	"maps"
	"strings"
	"testing"
)

func TestParseDevice(t *testing.T) {
	for in, want := range map[string]Device{
		"mfrc522:/dev/spidev0.0?rst=GPIO25&gain=48&clock=4MHz": {Driver: "mfrc522", Path: "/dev/spidev0.0", Options: map[string]string{"rst": "GPIO25", "gain": "48", "clock": "4MHz"}},
		"mfrc522:/dev/spidev1.0":                               {Driver: "mfrc522", Path: "/dev/spidev1.0", Options: map[string]string{}},
		"sim:mfrc522?poll=50ms":                                {Driver: "mfrc522", Sim: true, Options: map[string]string{"poll": "50ms"}},
		"x11:auto":                                             {Driver: "x11", Path: "auto", Options: map[string]string{}},
		"x11::0?authority=/run/lightdm/root/:0":                {Driver: "x11", Path: ":0", Options: map[string]string{"authority": "/run/lightdm/root/:0"}},
		"cec:/dev/cec0":                                        {Driver: "cec", Path: "/dev/cec0", Options: map[string]string{}},
		"backlight:10-0045":                                    {Driver: "backlight", Path: "10-0045", Options: map[string]string{}},
		"pcsc:ACS_ACR122U":                                     {Driver: "pcsc", Path: "ACS_ACR122U", Options: map[string]string{}},
		"sim:case":                                             {Driver: "case", Sim: true, Options: map[string]string{}},
		"shelly1:192.168.1.40/0":                               {Driver: "shelly1", Path: "192.168.1.40/0", Options: map[string]string{}},
		"shelly2:prise-7.lan:8080/1":                           {Driver: "shelly2", Path: "prise-7.lan:8080/1", Options: map[string]string{}},
		"tasmota:10.0.0.9":                                     {Driver: "tasmota", Path: "10.0.0.9", Options: map[string]string{}},
		"sim:meter?dialect=tasmota":                            {Driver: "meter", Sim: true, Options: map[string]string{"dialect": "tasmota"}},
	} {
		d, err := ParseDevice(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if d.Driver != want.Driver || d.Path != want.Path || d.Sim != want.Sim || !maps.Equal(d.Options, want.Options) || d.String() != in {
			t.Errorf("%s: %+v, want %+v", in, d, want)
		}
	}
}

func badDevices() map[string]string {
	return map[string]string{
		"":                              "write driver:path",
		"mfrc522":                       "write driver:path",
		"mfrc522:":                      "write driver:path",
		"mfrc522:spidev0.0":             "mfrc522:/dev/spidev0.0",
		"mfrc522:/dev/../etc/shadow":    "without ..",
		"mfrc522:/dev/spidev0.0?gian=4": `unknown option "gian"; allowed options are clock, gain, poll, rst`,
		"mfrc522:/dev/spidev0.0?gain=":  `option "gain" has no value`,
		"sim:mfrc522?gain=1&gain=2":     `option "gain" is given 2 times`,
		"sim:mfrc522?gain=%zz":          "name=value",
		"sim:case?open=1":               "takes no option",
		"pn999:/dev/ttyS0":              `unknown driver "pn999"; known drivers are `,
		"sim:toaster":                   "known drivers are alarm, call, case, meter, mfrc522, output, pn532, presence, rtc, screen",
		"case:/dev/gpiochip0":           "not available here",
		"x11:host:0":                    "write it as in x11:auto",
		"cec:/dev/null":                 "write it as in cec:/dev/cec0",
		"backlight:../x":                "without ..",
		"pcsc:any?poll=1s":              "takes no option",
		"sim:pcsc":                      "not available here",
		"sim:cec":                       "not available here",
		"shelly1:192.168.1.40":          "write it as in shelly1:192.168.1.40/0",
		"shelly2:admin@192.168.1.40/0":  "write it as in",
		"tasmota:10.0.0.9/cm":           "write it as in",
		"tasmota:10.0.0.9?password=x":   "takes no option",
		"meter:10.0.0.9":                "not available here",
		"sim:case x":                    "space",
		"sim:case#x":                    "# is not allowed",
		strings.Repeat("a", 300):        "limit is 256",
	}
}

func TestParseDeviceRefusesBadInput(t *testing.T) {
	for in, want := range badDevices() {
		_, err := ParseDevice(in)
		if err == nil || !strings.Contains(err.Error(), want) || len(in) < 256 && !strings.Contains(err.Error(), `"`+in+`"`) {
			t.Errorf("%s: error %v, want one that names it and says %q", in, err, want)
		}
	}
}

func FuzzParseDevice(f *testing.F) {
	f.Add("mfrc522:/dev/spidev0.0?rst=GPIO25&gain=48&clock=4MHz")
	f.Add("sim:output?name=relay")
	for in := range badDevices() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDevice(s)
		if err != nil {
			if len(err.Error()) > 8*maxDeviceName {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		spec, ok := drivers()[d.Driver]
		if !ok || d.Sim == (d.Path != "") || strings.Contains(d.Path, "..") || d.String() != s || len(d.Options) > len(spec.options) {
			t.Fatalf("accepted %q as %+v", s, d)
		}
	})
}

func TestBadgeKey(t *testing.T) {
	if _, err := NewBadgeKey(make([]byte, 31)); err == nil {
		t.Error("a short key was taken")
	}
	key := bytes.Repeat([]byte{0x0b}, 20)
	// RFC 4231, test case 1, its key padded with zeros as HMAC itself does.
	k, err := NewBadgeKey(append(key, make([]byte, 12)...))
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	for range 2 { // the second time after the wiping of the first
		if got := k([]byte("Hi There")); hex.EncodeToString(got[:]) != "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" {
			t.Errorf("key is %x", got)
		}
	}
}

func TestEveryRoleHasDriversAndEveryDriverARole(t *testing.T) {
	for _, r := range Roles() {
		name := r.Name
		if name == "screen" {
			name = "screen-1"
		}
		if got, err := RoleOf(name); err != nil || got != r {
			t.Errorf("RoleOf(%q) = %v, %v", name, got, err)
		}
	}
	for name, d := range drivers() {
		if len(d.kinds) == 0 {
			t.Errorf("driver %s is of no kind: nothing can use it", name)
		}
		if d.path != "" {
			if _, err := ParseDevice(name + ":" + d.example); err != nil && name != "wedge" { // whose example shows a gap
				t.Errorf("the example of %s is refused: %v", name, err)
			}
		}
	}
}

func TestRolesTakeOnlyWhatTheyCanUse(t *testing.T) {
	for _, c := range []struct{ role, device, want string }{
		{"badge-reader", "mfrc522:/dev/spidev0.0", ""},
		{"screen-2", "x11:auto", ""},
		{"screen-3", "gpio:auto/27", ""}, // the relay of its mains
		{"alarm", "gpio:auto/22?pull=up", ""},
		{"light", "sim:output?name=light", ""},
		{"meter", "tasmota:10.0.0.9", ""},
		{"meter", "sim:meter", ""},
		{"meter", "gpio:auto/27", "takes a meter; drivers for it are shelly1, shelly2, tasmota"},
		{"badge-reader", "gpio:auto/27", "takes a badge reader; drivers for it are"},
		{"case", "mfrc522:/dev/spidev0.0", "takes a contact"},
		{"screen-1", "mfrc522:/dev/spidev0.0", "takes a screen"},
		{"screen-0", "x11:auto", "roles are badge-reader"},
		{"relay", "gpio:auto/27", "roles are badge-reader"},
	} {
		d, err := ParseDevice(c.device)
		if err != nil {
			t.Fatal(err)
		}
		r, err := RoleOf(c.role)
		if err == nil {
			err = r.Fits(d)
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %s: %v, want %q", c.device, c.role, err, c.want)
		}
	}
}

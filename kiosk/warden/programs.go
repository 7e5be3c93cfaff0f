package warden

import (
	"fmt"
	"os"
	"strings"
)

// Job is what a sandbox is for, in checked values.
type Job struct {
	Home     string // checked URL
	Lang     string
	Keyboard Keyboard
	Width    int
	Height   int
	Window   uint32 // X window on the outer display
	Outer    int    // outer display's number; -1 without one
	Inner    int    // number for the sandbox's own display
	Browser  int    // uids
	Display  int
	Press    int
	Counter  int
	Chromium string
	Printing Printing
	Canary   string
}

// Programs lists what runs in a sandbox, in the order of their start.
type Programs func(Job) ([]Program, error)

// Places inside a sandbox.
const (
	innerAuth   = "/run/borne/x/session.auth" // for the browser
	displayAuth = "/run/borne/x/display.auth" // for the display server itself
	outerAuth   = "/run/borne/x/outer.auth"   // gone once the display is up
	openboxRC   = "/run/borne/openbox.xml"
	policyPath  = "/etc/chromium/policies/managed/borne.json"
	sessionHome = "/home/session"
	canaryEnv   = "BORNE_CANARY"
)

// browserPrograms is the real list: display server, keyboard, window manager, browser.
func browserPrograms(j Job) ([]Program, error) {
	if j.Outer < 0 {
		return nil, fmt.Errorf("cannot prepare: no display is configured")
	}
	for _, p := range []string{"/usr/bin/Xephyr", "/usr/bin/openbox", "/usr/bin/setxkbmap", j.Chromium} {
		if !exists(p) {
			return nil, fmt.Errorf("cannot prepare: %s is not installed; run scripts/setup", p)
		}
	}
	outer, inner := fmt.Sprintf(":%d", j.Outer), fmt.Sprintf(":%d", j.Inner)
	base := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"}
	display := append(base[:len(base):len(base)], "DISPLAY="+inner, "XAUTHORITY="+displayAuth)
	var list []Program
	list = append(list, j.Printing.before(j)...)
	list = append(list, Program{Name: "Xephyr", UID: j.Display, Wait: WaitDisplay, Vital: true,
		Argv: []string{"/usr/bin/Xephyr", inner, "-displayfd", "3", "-parent", fmt.Sprintf("0x%x", j.Window),
			"-auth", displayAuth, "-nolisten", "tcp", "-noreset", "-no-host-grab"},
		Env: append(base[:len(base):len(base)], "DISPLAY="+outer, "XAUTHORITY="+outerAuth),
		// It is connected: nothing in here may find the way again.
		Drop: []string{fmt.Sprintf("/tmp/.X11-unix/X%d", j.Outer), outerAuth}})
	xkb := []string{"/usr/bin/setxkbmap", "-layout", j.Keyboard.Layout}
	if j.Keyboard.Variant != "" {
		xkb = append(xkb, "-variant", j.Keyboard.Variant)
	}
	list = append(list, Program{Name: "setxkbmap", Argv: xkb, Env: display, UID: j.Display, Wait: WaitExit})
	if j.Keyboard.NumLock && exists("/usr/bin/numlockx") {
		list = append(list, Program{Name: "numlockx", Argv: []string{"/usr/bin/numlockx", "on"}, Env: display, UID: j.Display, Wait: WaitTry})
	}
	list = append(list, Program{Name: "openbox", Argv: []string{"/usr/bin/openbox", "--sm-disable", "--config-file", openboxRC}, Env: display, UID: j.Display, Vital: true})
	env := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "LANGUAGE=" + uiLanguage(j.Lang), "HOME=" + sessionHome, "DISPLAY=" + inner,
		"XAUTHORITY=" + innerAuth, "TZ=Europe/Paris", "NO_AT_BRIDGE=1", canaryEnv + "=" + j.Canary}
	list = append(list, j.Printing.behind(j)...)
	if len(j.Printing.Press) > 0 {
		env = append(env, "CUPS_SERVER="+printSocket)
	}
	argv := append([]string{j.Chromium}, chromiumFlags(sessionHome, j.Lang, j.Width, j.Height)...)
	// The window goes with its last tab; the process must outlive it until the
	// agent has opened a new one on the portal.
	argv = append(argv, "--keep-alive-for-test", "--start-maximized", j.Home)
	return append(list, Program{Name: "chromium", Argv: argv, Env: env, UID: j.Browser, Gets: browserPipe, Vital: true}), nil
}

// sessionProfile is what the browser's profile begins with: the window
// manager's frame, which has none, in the place of Chromium's own, whose buttons
// would minimise the only window into nothing.
func sessionProfile(uid int) ([]folder, file) {
	dir := sessionHome + "/profile"
	return []folder{{dir, uid}, {dir + "/Default", uid}},
		file{dir + "/Default/Preferences", 0o600, uid, []byte(`{"browser":{"custom_chrome_frame":false}}`)}
}

// chromiumFlags are those of both browsers. Its own sandbox stays on: no flag
// here may weaken it.
func chromiumFlags(home, lang string, width, height int) []string {
	return []string{
		"--remote-debugging-pipe",
		"--user-data-dir=" + home + "/profile",
		"--lang=" + uiLanguage(lang),
		fmt.Sprintf("--window-size=%d,%d", width, height),
		"--window-position=0,0",
		"--ozone-platform=x11",
		"--password-store=basic",
		"--no-first-run",
		"--no-default-browser-check",
		"--no-pings",
		"--disable-background-networking",
		"--disable-component-update",
		"--disable-sync",
		"--disable-quic",
		"--disable-breakpad",
		"--disable-crash-reporter",
		"--disable-gpu",
		"--disable-features=Translate,MediaRouter,OptimizationHints,GlobalMediaControls",
		// A page's document in a window above all others: no policy forbids it.
		"--disable-blink-features=DocumentPictureInPictureAPI",
		"--hide-crash-restore-bubble",
		"--noerrdialogs",
	}
}

// uiLanguage is the part of a language tag that Chromium has a catalogue for:
// "fr-x-facile" is its French.
func uiLanguage(tag string) string {
	parts := strings.Split(tag, "-")
	if len(parts) > 1 && len(parts[1]) == 2 {
		return parts[0] + "-" + strings.ToUpper(parts[1])
	}
	return parts[0]
}

// swallowed are keys that would lead out of the browser, or open what a
// session may not use: the window manager takes them and does nothing.
func swallowed() []string {
	keys := []string{"A-Tab", "A-S-Tab", "A-space", "A-Escape", "F1", "F10", "F11", "F12", "C-S-p", "C-S-w", "C-S-q", "C-q", "C-o", "C-s",
		"C-u", "C-S-i", "C-S-j", "C-S-c", "C-S-Delete", "C-S-n", "C-S-m", "C-S-o", "C-S-b", "S-Escape", "C-A-t", "C-A-Delete", "C-A-BackSpace",
		"C-Escape", "Super_L", "Super_R", "W-d", "W-e", "W-r", "W-l", "Print", "A-Print", "S-F10", "Menu", "XF86WWW", "XF86Mail",
		"XF86Explorer", "XF86Search", "XF86HomePage", "XF86Calculator", "XF86Tools", "XF86PowerOff", "XF86Sleep", "XF86Eject"}
	for i := 1; i <= 10; i++ {
		keys = append(keys, fmt.Sprintf("A-F%d", i))
	}
	return keys
}

// openboxConfig is the session's window manager: no menu, no decoration, every
// window fills the display. A window without a class is a video that a page puts
// above all others (picture in picture, which Chromium has no switch for): it is
// not shown.
func openboxConfig() []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
<resistance><strength>0</strength></resistance>
<focus><focusNew>yes</focusNew><followMouse>no</followMouse><focusLast>yes</focusLast></focus>
<placement><policy>Smart</policy><center>yes</center></placement>
<desktops><number>1</number><firstdesk>1</firstdesk><popupTime>0</popupTime></desktops>
<keyboard>
`)
	for _, k := range swallowed() {
		// Openbox grabs a key only when it has an action; this one prints to nowhere.
		fmt.Fprintf(&b, "<keybind key=%q><action name=\"Debug\"><string/></action></keybind>\n", k)
	}
	b.WriteString(`</keyboard>
<mouse><context name="Client"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind></context></mouse>
<menu/>
<applications>
<application class="*"><decor>no</decor><fullscreen>no</fullscreen><layer>below</layer><iconic>yes</iconic></application>
<application class="?*"><layer>normal</layer><iconic>no</iconic></application>
<application class="*" type="normal"><decor>no</decor><maximized>yes</maximized></application>
</applications>
</openbox_config>
`)
	return []byte(b.String())
}

// selfPath is this program's own file, for the roles that run inside a sandbox.
func selfPath() (string, error) {
	p, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return "", fmt.Errorf("cannot find this program's file: %w", err)
	}
	return p, nil
}

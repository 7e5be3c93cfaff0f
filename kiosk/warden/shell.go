package warden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"borne/kiosk/sandbox"
)

const shellHome = "/home/shell"

// openShell starts the shell's browser on the outer display. It lives in mount,
// PID and IPC namespaces of its own, but in the machine's network: its page is
// on loopback. The files are the agent's ends of its pipe.
func (w *warden) openShell(ctx context.Context, s sandbox.Shell) ([]*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	origin, err := parseOrigin(s.Origin)
	if err != nil {
		return nil, err
	}
	if err := checkScreen(s.Width, s.Height); err != nil {
		return nil, err
	}
	if s.Lang == "" {
		s.Lang = "fr"
	}
	if !langShape.MatchString(s.Lang) {
		return nil, fmt.Errorf("cannot open the shell: language %.20q is no BCP 47 tag", s.Lang)
	}
	w.mu.Lock()
	old := w.shell
	w.shell = nil
	w.mu.Unlock()
	if old != nil {
		if err := w.remove(old, time.Now().Add(10*time.Second)); err != nil {
			return nil, err
		}
	}
	uid := w.c.UIDBase + offShell
	b := &box{id: "shell-" + randomID(), slot: -1, pidfd: -1, began: time.Now(), mono: time.Now(), uids: boxUIDs{browser: uid, display: uid}}
	// The fence comes first: the browser is never in the machine's network without it.
	var files []*os.File
	if err = w.fenceShell(ctx, uid, origin); err == nil {
		files, err = w.buildShell(ctx, b, origin.String(), s)
	}
	if err != nil {
		sandbox.CloseAll(files)
		return nil, errors.Join(err, w.remove(b, time.Now().Add(10*time.Second)), w.unfenceShell(context.WithoutCancel(ctx)))
	}
	w.mu.Lock()
	w.shell = b
	w.mu.Unlock()
	go w.watch(b, "shell-lost")
	return files, nil
}

func (w *warden) buildShell(ctx context.Context, b *box, origin string, s sandbox.Shell) ([]*os.File, error) {
	policy, err := json.Marshal(shellPolicy(origin))
	if err != nil {
		return nil, fmt.Errorf("cannot make the shell's policy: %w", err)
	}
	b.spec = spec{Mark: w.c.mark() + b.id, Root: w.rootDir(), Hostname: "borne", TmpfsMB: 128, Users: []user{{"shell", b.uids.browser, true}}}
	outer := -1
	if w.c.Display.Name != "" {
		if outer, err = w.c.Display.number(); err != nil {
			return nil, err
		}
		cookie, err := w.c.Display.outerCookie()
		if err != nil {
			return nil, err
		}
		b.spec.Binds = append(b.spec.Binds, bind{w.c.Display.socket(), w.c.Display.socket()})
		b.spec.Files = append(b.spec.Files, file{innerAuth, 0o400, b.uids.browser, authFile(outer, cookie)})
	}
	if dir := dirOutsideUsr(w.c.Chromium); dir != "" {
		b.spec.Binds = append(b.spec.Binds, bind{dir, dir})
	}
	b.spec.Files = append(b.spec.Files, file{policyPath, 0o444, 0, policy})
	if b.spec.Programs, err = w.c.ShellPrograms(Job{Home: "http://" + origin + "/", Lang: s.Lang, Width: s.Width, Height: s.Height, Outer: outer,
		Browser: b.uids.browser, Chromium: w.c.Chromium}); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.rootDir(), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the shell's folder: %w", err)
	}
	b.group = w.groups.make(b.id, 1024, 300)
	theirs, ours, err := pipePair()
	if err != nil {
		return nil, err
	}
	defer sandbox.CloseAll(theirs)
	statusR, err := w.start(b, theirs, false)
	if err != nil {
		return ours, err
	}
	if err := b.group.enter(b.pid); err != nil {
		statusR.Close()
		return ours, err
	}
	return ours, b.tell(ctx, statusR)
}

// shellPrograms is the real list: one browser.
func shellPrograms(j Job) ([]Program, error) {
	if j.Outer < 0 {
		return nil, errors.New("cannot open the shell: no display is configured")
	}
	if !exists(j.Chromium) {
		return nil, fmt.Errorf("cannot open the shell: %s is not installed; run scripts/setup", j.Chromium)
	}
	env := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "LANGUAGE=" + uiLanguage(j.Lang), "HOME=" + shellHome,
		fmt.Sprintf("DISPLAY=:%d", j.Outer), "XAUTHORITY=" + innerAuth, "TZ=Europe/Paris", "NO_AT_BRIDGE=1"}
	argv := append([]string{j.Chromium}, chromiumFlags(shellHome, j.Lang, j.Width, j.Height)...)
	argv = append(argv, "--kiosk", "--disable-pinch", "--overscroll-history-navigation=0", "--class=borne-shell", "--app="+j.Home)
	return []Program{{Name: "chromium", Argv: argv, Env: env, UID: j.Browser, Gets: browserPipe, Vital: true}}, nil
}

// shellPolicy is Chromium's managed policy for the shell: one origin, and
// nothing that remembers, prints, downloads or leaves.
func shellPolicy(hostPort string) map[string]any {
	p := map[string]any{
		"URLBlocklist": []string{"*", "chrome://*", "chrome-untrusted://*", "chrome-extension://*", "chrome-native://*", "chrome-search://*",
			"devtools://*", "view-source:*", "file://*", "filesystem:*", "javascript://*", "data:*", "about:*", "ftp://*", "mailto:*", "tel:*"},
		"URLAllowlist":               []string{"http://" + hostPort, "about:blank"},
		"DefaultCookiesSetting":      4,
		"DownloadRestrictions":       3,
		"IncognitoModeAvailability":  1,
		"DeveloperToolsAvailability": 2,
		// Else not even the debugging pipe may drive the page.
		"DeveloperToolsAvailabilityAllowlist": []string{"http://" + hostPort},
		"DefaultPopupsSetting":                2,
		"DnsOverHttpsMode":                    "off",
		"NetworkPredictionOptions":            2,
		"WebRtcIPHandling":                    "disable_non_proxied_udp",
		"ExtensionInstallBlocklist":           []string{"*"},
		"NativeMessagingBlocklist":            []string{"*"},
		"BrowserSignin":                       0,
		"ChromeVariations":                    2,
		"SafeBrowsingProtectionLevel":         0,
		"BlockThirdPartyCookies":              true,
		"FullscreenAllowed":                   true, // it is what the window is
		"NewTabPageLocation":                  "about:blank",
		"HomepageIsNewTabPage":                false,
		"DefaultJavaScriptJitSetting":         2, // our own page needs no compiler
		"SitePerProcess":                      true,
		"SandboxExternalProtocolBlocked":      true,
		"ProxySettings":                       map[string]any{"ProxyMode": "direct"}, // whatever the network announces
	}
	for _, page := range strings.Fields(`Geolocation Notifications Clipboard Sensors IdleDetection WindowManagement LocalFonts`) {
		p["Default"+page+"Setting"] = 2 // no page may, none may ask
	}
	for _, device := range strings.Fields(`Serial WebUsb WebHid WebBluetooth FileSystemRead FileSystemWrite`) {
		p["Default"+device+"GuardSetting"] = 2
	}
	for _, off := range strings.Fields(`AllowFileSelectionDialogs AlternateErrorPagesEnabled AudioCaptureAllowed VideoCaptureAllowed
		ScreenCaptureAllowed BackgroundModeEnabled BookmarkBarEnabled BrowserAddPersonEnabled BrowserGuestModeEnabled BuiltInDnsClientEnabled
		ComponentUpdatesEnabled DefaultBrowserSettingEnabled EditBookmarksEnabled EnableMediaRouter MetricsReportingEnabled PasswordManagerEnabled
		PrintingEnabled QuicAllowed SearchSuggestEnabled TranslateEnabled UserFeedbackAllowed PromotionsEnabled AllowDinosaurEasterEgg`) {
		p[off] = false
	}
	p["SavingBrowserHistoryDisabled"] = true
	p["SyncDisabled"] = true
	return p
}

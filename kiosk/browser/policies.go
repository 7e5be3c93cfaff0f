package browser

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"borne/controller/policy"
)

// settings are Chromium's managed policies, by name.
// Source: https://chromeenterprise.google/policies/
type settings map[string]any

// Values that several policies share.
const (
	blockAll  = 2 // Default…Setting and Default…Guard: no page may, none may ask
	allowAll  = 1 // Default…Setting
	disable   = 2 // …Settings of Google's generative features
	disableAI = 1 // the same, of those that count from "allowed 0"
)

// baseSettings are what no session's rules change. The shell's policy is the
// warden's own.
func baseSettings() settings {
	all := settings{}
	for _, group := range []settings{closedDoors(), noAccounts(), nothingKept(), noExtensions(), noDevices(), quietNetwork(), noAssistants(), hardened()} {
		maps.Copy(all, group)
	}
	return all
}

// closedDoors are the ways out of the pages: tools, other profiles, other programs.
func closedDoors() settings {
	return settings{
		"DeveloperToolsAvailability":                    2, // never
		"IncognitoModeAvailability":                     1, // no second kind of window: each session is thrown away whole
		"BrowserGuestModeEnabled":                       false,
		"BrowserAddPersonEnabled":                       false,
		"ProfilePickerOnStartupAvailability":            1,
		"TaskManagerEndProcessEnabled":                  false,
		"BrowserLabsEnabled":                            false,
		"AllowDinosaurEasterEgg":                        false,
		"AllowSystemNotifications":                      false,
		"ExternalProtocolDialogShowAlwaysOpenCheckbox":  false,
		"DefaultBrowserSettingEnabled":                  false,
		"QRCodeGeneratorEnabled":                        false,
		"DesktopSharingHubEnabled":                      false,
		"EnableMediaRouter":                             false, // casting looks for devices of the place
		"BackgroundModeEnabled":                         false,
		"WebAppInstallByUserEnabled":                    false,
		"BookmarkBarEnabled":                            false,
		"EditBookmarksEnabled":                          false,
		"DefaultSearchProviderContextMenuAccessAllowed": false,
		"PromotionsEnabled":                             false,
	}
}

// noAccounts: nobody signs in to the browser itself.
func noAccounts() settings {
	return settings{
		"BrowserSignin":                          0,
		"SyncDisabled":                           true,
		"SigninInterceptionEnabled":              false,
		"AuthSchemes":                            "basic,digest", // no single sign-on with an account of the machine
		"BasicAuthOverHttpEnabled":               false,
		"ShoppingListEnabled":                    false,
		"PaymentMethodQueryEnabled":              false,
		"NTPCardsVisible":                        false,
		"ImportAutofillFormData":                 false,
		"ImportBookmarks":                        false,
		"ImportHistory":                          false,
		"ImportHomepage":                         false,
		"ImportSavedPasswords":                   false,
		"ImportSearchEngine":                     false,
		"CommandLineFlagSecurityWarningsEnabled": true,
	}
}

// nothingKept: the wipe is what erases. These keep the browser from offering to
// keep something, which would frighten.
func nothingKept() settings {
	return settings{
		"PasswordManagerEnabled":          false,
		"PasswordManagerPasskeysEnabled":  false,
		"PasswordSharingEnabled":          false,
		"PasswordLeakDetectionEnabled":    false,
		"AutofillAddressEnabled":          false,
		"AutofillCreditCardEnabled":       false,
		"AutofillPredictionSettings":      disable,
		"AutomatedPasswordChangeSettings": disable,
		"SavingBrowserHistoryDisabled":    true,
		"DefaultCookiesSetting":           4, // for the session
		"UserDataSnapshotRetentionLimit":  0,
	}
}

func noExtensions() settings {
	return settings{
		"ExtensionInstallBlocklist":      []string{"*"},
		"ExtensionAllowedTypes":          []string{},
		"BlockExternalExtensions":        true,
		"ExtensionDeveloperModeSettings": 1,
		"NativeMessagingBlocklist":       []string{"*"},
		"NativeMessagingUserLevelHosts":  false,
		"HideWebStoreIcon":               true,
	}
}

// noDevices: pages reach none of the machine's devices, nor its files, and do
// not ask for any.
func noDevices() settings {
	return settings{
		"DefaultGeolocationSetting":          blockAll,
		"DefaultNotificationsSetting":        blockAll,
		"DefaultSerialGuardSetting":          blockAll,
		"DefaultWebUsbGuardSetting":          blockAll,
		"DefaultWebHidGuardSetting":          blockAll,
		"DefaultWebBluetoothGuardSetting":    blockAll,
		"DefaultSensorsSetting":              blockAll,
		"DefaultIdleDetectionSetting":        blockAll,
		"DefaultWindowManagementSetting":     blockAll,
		"DefaultLocalFontsSetting":           blockAll,
		"DefaultClipboardSetting":            blockAll, // Ctrl+C and Ctrl+V stay; scripts do not read
		"DefaultDirectSocketsSetting":        blockAll,
		"DefaultControlledFrameSetting":      blockAll,
		"DefaultAutomaticDownloadsSetting":   blockAll,
		"DefaultFileSystemReadGuardSetting":  blockAll,
		"DefaultFileSystemWriteGuardSetting": blockAll,
		"AudioCaptureAllowed":                false,
		"VideoCaptureAllowed":                false,
		"ScreenCaptureAllowed":               false,
		"PdfAnnotationsEnabled":              false,
		"AlwaysOpenPdfExternally":            false,
	}
}

// quietNetwork: no request but the pages' own, and no name asked of anyone but
// the place's resolver.
func quietNetwork() settings {
	return settings{
		"DnsOverHttpsMode":                        "off",
		"BuiltInDnsClientEnabled":                 false,
		"QuicAllowed":                             false, // the session's network lets no UDP but DNS out
		"WebRtcIPHandling":                        "disable_non_proxied_udp",
		"NetworkPredictionOptions":                2,
		"BrowserNetworkTimeQueriesEnabled":        false,
		"DomainReliabilityAllowed":                false,
		"AlternateErrorPagesEnabled":              false,
		"SearchSuggestEnabled":                    false, // would send each key typed
		"SafeBrowsingProtectionLevel":             1,
		"SafeBrowsingSurveysEnabled":              false,
		"FeedbackSurveysEnabled":                  false,
		"UserFeedbackAllowed":                     false,
		"MetricsReportingEnabled":                 false,
		"UrlKeyedAnonymizedDataCollectionEnabled": false,
		"ChromeVariations":                        2,
		"ComponentUpdatesEnabled":                 false,
		"SpellCheckServiceEnabled":                false,   // would send what is typed
		"PolicyRefreshRate":                       1800000, // milliseconds, the longest allowed
	}
}

// noAssistants: features that send page text to a service.
func noAssistants() settings {
	return settings{
		"AIModeSettings":                      disableAI,
		"GeminiSettings":                      disableAI,
		"SearchContentSharingSettings":        disableAI,
		"ThirdPartyAiChatSettings":            disableAI,
		"VoiceTypingSettings":                 disableAI,
		"GenAILocalFoundationalModelSettings": disableAI,
		"HelpMeWriteSettings":                 disable,
		"CreateThemesSettings":                disable,
		"DevToolsGenAiSettings":               disable,
		"HistorySearchSettings":               disable,
		"TabCompareSettings":                  disable,
		"BuiltInAIAPIsEnabled":                false,
		"TranslateEnabled":                    false,
		"TranslatorAPIAllowed":                false,
		"LiveTranslateEnabled":                false,
		"LiveCaptionEnabled":                  false,
	}
}

func hardened() settings {
	return settings{
		"SitePerProcess":                         true,
		"AudioSandboxEnabled":                    true,
		"NetworkServiceSandboxEnabled":           true,
		"SandboxExternalProtocolBlocked":         true,
		"SuppressDifferentOriginSubframeDialogs": true,
		"DefaultInsecureContentSetting":          blockAll,
		"SSLErrorOverrideAllowed":                false,
		"DisableSafeBrowsingProceedAnyway":       true,
		"CACertificateManagementAllowed":         2,
	}
}

// innerPages are the addresses that "*" in URLBlocklist leaves open.
func innerPages() []string {
	return []string{"*", "chrome://*", "chrome-untrusted://*", "chrome-extension://*", "chrome-native://*", "chrome-search://*",
		"devtools://*", "view-source:*", "file://*", "filesystem:*", "javascript://*", "data:*", "about:*", "ftp://*", "mailto:*", "tel:*"}
}

// SessionPolicyInput is what a session's managed policy is made of.
type SessionPolicyInput struct {
	Policy    policy.Policy
	Lang      string // BCP 47, of the session; empty: French
	Downloads string // folder in the session's own memory; empty: /home/session/Downloads
	Printer   bool   // a printer is there: without one, printing is not offered
}

// sessionDownloads is where a session keeps files when the input does not say.
const sessionDownloads = "/home/session/Downloads"

// SessionPolicy is the managed policy of a session's browser, JSON with sorted
// keys: the same input gives the same bytes.
func SessionPolicy(in SessionPolicyInput) ([]byte, error) {
	all := baseSettings()
	web := in.Policy.Web
	maps.Copy(all, addresses(web))
	maps.Copy(all, files(web, in.Downloads))
	maps.Copy(all, printing(in.Policy.Printing.Enabled && in.Printer))
	maps.Copy(all, languages(in.Lang))
	maps.Copy(all, settings{
		"HomepageLocation":       PortalURL,
		"HomepageIsNewTabPage":   false,
		"NewTabPageLocation":     PortalURL,
		"ShowHomeButton":         true,
		"RestoreOnStartup":       5, // the new tab's page
		"DefaultPopupsSetting":   pick(web.Popups, allowAll, blockAll),
		"VideoCaptureAllowed":    web.Camera,
		"AudioCaptureAllowed":    web.Camera, // who shows an identity card by video speaks too
		"BlockThirdPartyCookies": !web.ThirdParty,
		"FullscreenAllowed":      false,
	})
	proxy, err := proxySettings(in.Policy.Network)
	if err != nil {
		return nil, err
	}
	all["ProxySettings"] = proxy
	if len(in.Policy.Network.CA) > 0 {
		roots, err := certificates(in.Policy.Network.CA)
		if err != nil {
			return nil, err
		}
		all["CACertificates"] = roots
	}
	return encode(all)
}

func pick(yes bool, a, b int) int {
	if yes {
		return a
	}
	return b
}

// ownOrigins are served by the pipe; the dot means: this host, none below.
func ownOrigins() []string {
	dot := func(origin string) string { return strings.Replace(origin, "://", "://.", 1) }
	return []string{dot(PortalOrigin), dot(CanaryOrigin)}
}

func addresses(web policy.Web) settings {
	// Names of this machine; its addresses, and the place's network, are closed
	// to the session's own network besides: a list cannot hold a name that
	// resolves to them.
	blocked := append(innerPages(), "localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:7f00:1]")
	allowed := append(ownOrigins(), "about:blank", "chrome://print", "chrome-untrusted://print",
		"chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai", "blob:*") // the PDF viewer; files that pages make
	if len(web.Allowed) == 0 {
		allowed = append(allowed, "http://*", "https://*")
	}
	s := settings{
		// Chromium lets even the pipe drive only pages named here. The tools
		// themselves stay shut: devtools:// is blocked.
		"DeveloperToolsAvailabilityAllowlist": []string{"http://*", "https://*"},
		"URLBlocklist":                        append(blocked, web.Blocked...),
		"URLAllowlist":                        append(allowed, web.Allowed...),
		// Chromium's own notion of private addresses, beside nftables.
		"LocalNetworkAccessBlockedForUrls": []string{"*"},
		"LocalNetworkBlockedForUrls":       []string{"*"},
		"LoopbackNetworkBlockedForUrls":    []string{"*"},
	}
	if len(web.Allowed) > 0 {
		// What is typed into the address bar would lead to a refusal.
		s["DefaultSearchProviderEnabled"] = false
	}
	return s
}

func files(web policy.Web, dir string) settings {
	if dir == "" {
		dir = sessionDownloads
	}
	return settings{
		"DownloadRestrictions":      pick(web.Downloads, 4, 3), // 4: all but known malware; 3: none
		"DownloadDirectory":         dir,
		"PromptForDownloadLocation": false,
		"AllowFileSelectionDialogs": web.Uploads,
	}
}

func printing(on bool) settings {
	return settings{
		"PrintingEnabled":         on,
		"PrinterTypeDenyList":     []string{"privet", "extension", "pdf", "cloud"}, // only the terminal's own
		"DefaultPrinterSelection": `{ "kind": "local", "namePattern": ".*" }`,
		"PrintHeaderFooter":       false, // it prints the address
	}
}

// languages puts the session's first: pages are asked for in it. French and English
// follow, which the sites of here have; a list of all that are offered would only
// tell the sites which terminal asks.
func languages(lang string) settings {
	var forced []string
	for _, tag := range []string{lang, "fr", "en"} {
		tag, _, _ = strings.Cut(tag, "-x-") // "fr-x-facile" is French to the web
		if tag != "" && !contains(forced, tag) {
			forced = append(forced, tag)
		}
	}
	return settings{"ForcedLanguages": forced}
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// proxySettings never leaves it to the network to announce a proxy: whoever
// announces one reads the pages.
func proxySettings(n policy.Network) (settings, error) {
	switch {
	case n.Proxy != "" && n.PAC != "":
		return nil, errors.New("cannot make the session's policy: a proxy and a PAC address are both set; keep one")
	case n.PAC != "":
		u, err := url.Parse(n.PAC)
		if strings.HasPrefix(n.PAC, "data:") { // the file itself
			return settings{"ProxyMode": "pac_script", "ProxyPacUrl": n.PAC, "ProxyPacMandatory": true}, nil
		}
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("cannot make the session's policy: PAC address %q is not http(s)://…", n.PAC)
		}
		return settings{"ProxyMode": "pac_script", "ProxyPacUrl": n.PAC, "ProxyPacMandatory": true}, nil
	case n.Proxy != "":
		u, err := url.Parse(n.Proxy)
		if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" {
			return nil, fmt.Errorf("cannot make the session's policy: proxy %q is not http://host:port", n.Proxy)
		}
		return settings{"ProxyMode": "fixed_servers", "ProxyServer": u.Host}, nil
	}
	return settings{"ProxyMode": "direct"}, nil
}

// maxRoots bounds a policy's extra certificate authorities.
const maxRoots = 16

// certificates turns PEM into Chromium's form: base64 of DER.
func certificates(pems []string) ([]string, error) {
	var roots []string
	for _, p := range pems {
		for rest := []byte(p); len(strings.TrimSpace(string(rest))) > 0; {
			var b *pem.Block
			if b, rest = pem.Decode(rest); b == nil || b.Type != "CERTIFICATE" {
				return nil, errors.New("cannot make the session's policy: an extra certificate is not in PEM form")
			}
			if roots = append(roots, base64.StdEncoding.EncodeToString(b.Bytes)); len(roots) > maxRoots {
				return nil, fmt.Errorf("cannot make the session's policy: more than %d extra certificates", maxRoots)
			}
		}
	}
	return roots, nil
}

func encode(s settings) ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ") // maps are written sorted
	if err != nil {
		return nil, fmt.Errorf("cannot encode a browser policy: %w", err)
	}
	return append(b, '\n'), nil
}

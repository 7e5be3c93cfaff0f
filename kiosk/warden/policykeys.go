package warden

import "strings"

// knownPolicies are the Chromium policies that a session's may set. Left out on
// purpose: everything that installs code, loads native programs, opens a
// debugging port or names a policy server. Extra roots (CACertificates) are in: a
// school's filtering proxy needs them, and the controller signs them.
// Source: https://chromeenterprise.google/policies/
const knownPolicies = " " +
	"AIModeSettings AccessibilityImageLabelsEnabled AdsSettingForIntrusiveAdsSites AllowDinosaurEasterEgg AllowFileSelectionDialogs " +
	"AllowSystemNotifications AllowedLanguages AlternateErrorPagesEnabled AlwaysOpenPdfExternally AudioCaptureAllowed " +
	"AudioCaptureAllowedUrls AudioSandboxEnabled AuthSchemes AutoFillEnabled AutofillAddressEnabled AutofillCreditCardEnabled " +
	"AutofillPredictionSettings AutomatedPasswordChangeSettings AutoplayAllowed BackgroundModeEnabled BasicAuthOverHttpEnabled " +
	"BatterySaverModeAvailability BlockExternalExtensions BlockThirdPartyCookies BlockTruncatedCookies BookmarkBarEnabled " +
	"BrowserAddPersonEnabled BrowserGuestModeEnabled BrowserLabsEnabled BrowserNetworkTimeQueriesEnabled BrowserSignin " +
	"BuiltInAIAPIsEnabled BuiltInDnsClientEnabled CACertificateManagementAllowed CACertificates ChromeVariations " +
	"ClearBrowsingDataOnExitList ClickToCallEnabled CloudPrintProxyEnabled CommandLineFlagSecurityWarningsEnabled " +
	"ComponentUpdatesEnabled CookiesAllowedForUrls CreateThemesSettings DefaultAutomaticDownloadsSetting DefaultBrowserSettingEnabled " +
	"DefaultClipboardSetting DefaultControlledFrameSetting DefaultCookiesSetting DefaultDirectSocketsSetting DefaultDownloadDirectory " +
	"DefaultFileSystemReadGuardSetting DefaultFileSystemWriteGuardSetting DefaultGeolocationSetting DefaultIdleDetectionSetting " +
	"DefaultImagesSetting DefaultInsecureContentSetting DefaultJavaScriptJitSetting DefaultJavaScriptSetting DefaultLocalFontsSetting " +
	"DefaultNotificationsSetting DefaultPopupsSetting DefaultPrinterSelection DefaultSearchProviderContextMenuAccessAllowed " +
	"DefaultSearchProviderEnabled DefaultSearchProviderKeyword DefaultSearchProviderName DefaultSearchProviderSearchURL " +
	"DefaultSensorsSetting DefaultSerialGuardSetting DefaultThirdPartyStoragePartitioningSetting DefaultWebBluetoothGuardSetting " +
	"DefaultWebHidGuardSetting DefaultWebUsbGuardSetting DefaultWindowManagementSetting DesktopSharingHubEnabled " +
	"DevToolsGenAiSettings DeveloperToolsAvailability DeveloperToolsAvailabilityAllowlist DisablePrintPreview " +
	"DisableSafeBrowsingProceedAnyway DnsOverHttpsMode DnsOverHttpsTemplates DomainReliabilityAllowed DownloadDirectory " +
	"DownloadRestrictions EditBookmarksEnabled EnableMediaRouter ExtensionAllowedTypes ExtensionDeveloperModeSettings " +
	"ExtensionInstallBlocklist ExternalProtocolDialogShowAlwaysOpenCheckbox FeedbackSurveysEnabled ForceEphemeralProfiles " +
	"ForceGoogleSafeSearch ForceYouTubeRestrict ForcedLanguages FullscreenAlerts FullscreenAllowed GeminiSettings " +
	"GenAILocalFoundationalModelSettings GoogleSearchSidePanelEnabled HardwareAccelerationModeEnabled HelpMeWriteSettings " +
	"HideWebStoreIcon HighEfficiencyModeEnabled HistorySearchSettings HomepageIsNewTabPage HomepageLocation HttpsOnlyMode " +
	"HttpsUpgradesEnabled ImportAutofillFormData ImportBookmarks ImportHistory ImportHomepage ImportSavedPasswords ImportSearchEngine " +
	"IncognitoModeAvailability IntensiveWakeUpThrottlingEnabled KeepFullscreenWithoutNotificationUrlAllowList LensOverlaySettings " +
	"LensRegionSearchEnabled LiveCaptionEnabled LiveTranslateEnabled LocalNetworkAccessBlockedForUrls LocalNetworkBlockedForUrls " +
	"LoopbackNetworkBlockedForUrls ManagedBookmarks MediaRecommendationsEnabled MetricsReportingEnabled NTPCardsVisible " +
	"NativeMessagingBlocklist NativeMessagingUserLevelHosts NetworkPredictionOptions NetworkServiceSandboxEnabled NewTabPageLocation " +
	"PasswordDismissCompromisedAlertEnabled PasswordLeakDetectionEnabled PasswordManagerEnabled PasswordManagerPasskeysEnabled " +
	"PasswordSharingEnabled PaymentMethodQueryEnabled PdfAnnotationsEnabled PdfUseSkiaRendererEnabled " +
	"PdfViewerOutOfProcessIframeEnabled PictureInPictureAllowed PolicyRefreshRate PopupsAllowedForUrls PrintHeaderFooter " +
	"PrintPdfAsImageAvailability PrintPdfAsImageDefault PrintPreviewUseSystemDefaultPrinter PrintRasterizationMode " +
	"PrinterTypeDenyList PrintingAllowedBackgroundGraphicsModes PrintingEnabled PrintingPaperSizeDefault " +
	"PrivacySandboxAdMeasurementEnabled PrivacySandboxAdTopicsEnabled PrivacySandboxPromptEnabled PrivacySandboxSiteEnabledAdsEnabled " +
	"ProfilePickerOnStartupAvailability PromotionsEnabled PromptForDownloadLocation ProxyBypassList ProxyMode ProxyPacUrl ProxyPacMandatory ProxyServer " +
	"ProxySettings QRCodeGeneratorEnabled QuicAllowed RelatedWebsiteSetsEnabled RemoteDebuggingAllowed RestoreOnStartup " +
	"RestoreOnStartupURLs SSLErrorOverrideAllowed SafeBrowsingProtectionLevel SafeBrowsingSurveysEnabled SafeSitesFilterBehavior " +
	"SandboxExternalProtocolBlocked SavingBrowserHistoryDisabled ScreenCaptureAllowed SearchContentSharingSettings " +
	"SearchSuggestEnabled SendTabToSelfEnabled SharedClipboardEnabled ShoppingListEnabled ShowAppsShortcutInBookmarkBar " +
	"ShowCastIconInToolbar ShowFullUrlsInAddressBar ShowHomeButton SideSearchEnabled SigninInterceptionEnabled SitePerProcess " +
	"SpellCheckServiceEnabled SpellcheckEnabled SpellcheckLanguage SuppressDifferentOriginSubframeDialogs SyncDisabled " +
	"TabCompareSettings TabDiscardingExceptions TabOrganizerSettings TaskManagerEndProcessEnabled ThirdPartyAiChatSettings " +
	"TranslateEnabled TranslatorAPIAllowed URLAllowlist URLBlocklist UrlKeyedAnonymizedDataCollectionEnabled UserAgentReduction " +
	"UserDataSnapshotRetentionLimit UserFeedbackAllowed VideoCaptureAllowed VideoCaptureAllowedUrls VoiceTypingSettings " +
	"WebAppInstallByUserEnabled WebRtcEventLogCollectionAllowed WebRtcIPHandling WebRtcUdpPortRange WindowOcclusionEnabled "

func knownPolicy(key string) bool {
	return key != "" && !strings.Contains(key, " ") && strings.Contains(knownPolicies, " "+key+" ")
}

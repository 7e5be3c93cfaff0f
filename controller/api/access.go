package api

import (
	"maps"
	"net/http"

	"borne/controller/accounts"
)

// Scope says where a route finds the site that a role must be held on.
type Scope string

// Scopes.
const (
	ScopeNone     Scope = "none"     // public: nobody is asked who they are
	ScopeSelf     Scope = "self"     // anybody logged in: the answer holds only what is theirs
	ScopeAny      Scope = "any"      // the role on some site: the answer is filtered by site
	ScopeAll      Scope = "all"      // the role on every site
	ScopeSite     Scope = "site"     // {id} is the site
	ScopeSpace    Scope = "space"    // {id} is a space of the site
	ScopeTerminal Scope = "terminal" // {id} is a terminal of the site
	ScopeReceipt  Scope = "receipt"  // {id} is a receipt of one of the site's terminals
	ScopePrint    Scope = "print"    // {id} is a print job of one of the site's terminals
	ScopeMatter   Scope = "matter"   // {id} is a matter of the site, or of the whole Département: then all sites are needed
	ScopeBadge    Scope = "badge"    // {id} is the printed number of a badge that was enrolled on the site
)

// Access is who may use one route.
type Access struct {
	Method string
	Path   string
	Scope  Scope
	Roles  []accounts.Role // empty with ScopeNone and ScopeSelf only
}

// Pattern is the route's pattern on the mux.
func (a Access) Pattern() string { return a.Method + " " + a.Path }

// Paths that an OpenID provider sends people back to: they are known to it.
const (
	OIDCReturn   = "/api/login/oidc/return"
	LogoutReturn = "/api/logout/return"
)

// Operation ids: each is a row of Table, and nothing is served without one.
const (
	opLogin         = "login-link"
	opLoginWays     = "login-ways"
	opOIDC          = "login-oidc"
	opOIDCReturn    = "login-oidc-return"
	opAskPasskey    = "ask-passkey"
	opPasskey       = "login-passkey"
	opPasskeys      = "my-passkeys"
	opAskNewPasskey = "ask-new-passkey"
	opAddPasskey    = "add-passkey"
	opNamePasskey   = "rename-passkey"
	opDropPasskey   = "remove-passkey"
	opLogout        = "logout"
	opLogoutReturn  = "logout-return"
	opMe            = "me"
	opFleet         = "fleet"
	opLive          = "live"
	opTerminal      = "terminal"
	opSessions      = "terminal-sessions"
	opReceipts      = "terminal-receipts"
	opReceipt       = "receipt"
	opCommands      = "terminal-commands"
	opCommand       = "command-terminal"
	opAwake         = "hold-space-awake"
	opEnrol         = "create-enrol-code"
	opSiteHours     = "site-hours"
	opSpaceHours    = "space-hours"
	opPutSiteHours  = "put-site-hours"
	opPutSpaceHours = "put-space-hours"
	opPreviewSite   = "preview-site-hours"
	opPreviewSpace  = "preview-space-hours"
	opSiteChanges   = "site-hours-changes"
	opSpaceChanges  = "space-hours-changes"
	opUndoSite      = "undo-site-hours"
	opUndoSpace     = "undo-space-hours"
	opApplyHours    = "apply-hours"
	opConsent       = "asked-agreement"
	opPeople        = "accounts"
	opInvite        = "invite-account"
	opPutAccount    = "put-account"
	opDropAccount   = "remove-account"
	opAccountLink   = "link-account"
	opTokens        = "tokens"
	opMakeToken     = "make-token"
	opRevokeToken   = "revoke-token"
	opAnswerConsent = "answer-agreement"
	opAskConsent    = "ask-agreement-again"
	opDecideConsent = "decide-agreement"
	opReport        = "site-report"
	opCertify       = "certify-site"
	opAudit         = "audit"
	opInventory     = "inventory"
	opRequisitions  = "requisitions"
	opAskHold       = "ask-hold"
	opConfirmHold   = "confirm-hold"
	opLiftHold      = "lift-hold"
	opTraffic       = "decide-traffic"
	opDeletions     = "deletions"
	opRGPD          = "rgpd-document"
	opLists         = "lists"
	opCalendars     = "calendars"
	opPutCalendar   = "import-calendar"
	opFetchCalendar = "fetch-calendar"
	opPlaces        = "help-places"
	opPutPlaces     = "import-help-places"
	opPlaceSite     = "place-site"
	opNotices       = "notices"
	opSiteNotices   = "site-notices"
	opParseOSM      = "parse-osm-hours"
	opPrints        = "prints"
	opPrintJobs     = "terminal-prints"
	opPrintOrder    = "release-print"
	opPrintDecide   = "decide-print"
	opPages         = "grant-pages"
	opPrinters      = "site-printers"
	opEnergy        = "site-energy"
	opFigures       = "energy-figures"
	opPutFigures    = "put-energy-figures"
	opIndicators    = "indicators"
	opExport        = "export-indicators"
	opMatters       = "matters"
	opTakeMatter    = "take-matter"
	opBadges        = "badges"
	opBadgeDesk     = "badge-desk"
	opBadgeWindow   = "await-badge"
	opWindow        = "awaited-badge"
	opBadgeRights   = "put-badge"
	opBadgeLost     = "lost-badge"
	opBadgeDay      = "day-badge"
	opBadgeExport   = "export-badge"
	opBadgeErase    = "erase-badge"
	opBadgesFile    = "badges-file"
	opImportBadges  = "import-badges"
	opMakeCodes     = "make-day-codes"
	opCancelCodes   = "cancel-day-codes"
	opDropStaff     = "drop-staff-badge"
	opAlerts        = "my-alerts"
	opPutAlerts     = "put-my-alerts"
	opHelp          = "answer-help"
	opPhone         = "put-site-phone"
	opBulkPlan      = "preview-bulk"
	opBulk          = "send-bulk"
	opBulks         = "bulks"
	opBulkOne       = "bulk"
	opHooks         = "hooks"
	opAddHook       = "add-hook"
	opPutHook       = "put-hook"
	opDropHook      = "remove-hook"
	opHookKey       = "renew-hook-key"
	opTryHook       = "try-hook"
	opOpenAPI       = "openapi"
	opHealth        = "health"
	opSecurityTxt   = "security-txt"
	opConsoleFiles  = "console"
)

// Table names the access of every route of the console's listener. Operations
// are registered from it, so a route that it does not have cannot exist.
func Table() map[string]Access {
	const (
		adm = accounts.Administrator
		cor = accounts.Correspondant
		bui = accounts.Building
		hea = accounts.Head
		rec = accounts.Reception
		dpo = accounts.DPO
		obs = accounts.Observer
	)
	all := accounts.Roles()
	r := func(roles ...accounts.Role) []accounts.Role { return roles }
	// Building staff see hours, hold a space awake, answer calls for help, and nothing
	// else; observers see
	// indicators: who sees a terminal in use sees each visit, which they hide.
	others := r(adm, cor, rec, dpo)
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	table := map[string]Access{
		opLogin:         {post, "/api/login/link", ScopeNone, nil},
		opLoginWays:     {get, "/api/login", ScopeNone, nil},
		opOIDC:          {post, "/api/login/oidc", ScopeNone, nil},
		opOIDCReturn:    {get, OIDCReturn, ScopeNone, nil}, // a ticket says which browser began
		opAskPasskey:    {post, "/api/login/passkey/options", ScopeNone, nil},
		opPasskey:       {post, "/api/login/passkey", ScopeNone, nil},
		opPasskeys:      {get, "/api/me/passkeys", ScopeSelf, nil},
		opAskNewPasskey: {post, "/api/me/passkeys/options", ScopeSelf, nil},
		opAddPasskey:    {post, "/api/me/passkeys", ScopeSelf, nil},
		opNamePasskey:   {put, "/api/me/passkeys/{key}", ScopeSelf, nil},
		opDropPasskey:   {http.MethodDelete, "/api/me/passkeys/{key}", ScopeSelf, nil},
		opLogout:        {post, "/api/logout", ScopeSelf, nil},
		opLogoutReturn:  {get, LogoutReturn, ScopeNone, nil}, // it changes nothing
		opMe:            {get, "/api/me", ScopeSelf, nil},
		opFleet:         {get, "/api/fleet", ScopeAny, all},
		opLive:          {get, "/api/live", ScopeAny, r(adm, cor, bui, rec, dpo)}, // bui: calls for help and nothing else
		opTerminal:      {get, "/api/terminals/{id}", ScopeTerminal, others},
		opSessions:      {get, "/api/terminals/{id}/sessions", ScopeTerminal, r(adm, cor, dpo)},
		opReceipts:      {get, "/api/terminals/{id}/receipts", ScopeTerminal, r(adm, cor, dpo)},
		opReceipt:       {get, "/api/receipts/{id}", ScopeReceipt, r(adm, cor, dpo)},
		opCommands:      {get, "/api/terminals/{id}/commands", ScopeTerminal, r(adm, cor, rec, dpo)},
		opCommand:       {post, "/api/terminals/{id}/commands", ScopeTerminal, r(adm, cor, rec)},
		opAwake:         {post, "/api/spaces/{id}/awake", ScopeSpace, r(adm, cor, bui, rec)}, // bui: whoever opens for an evening
		opEnrol:         {post, "/api/sites/{id}/enrol-codes", ScopeSite, r(adm, cor)},
		opSiteHours:     {get, "/api/sites/{id}/hours", ScopeSite, r(adm, cor, bui, hea, rec, dpo)},
		opSpaceHours:    {get, "/api/spaces/{id}/hours", ScopeSpace, r(adm, cor, bui, hea, rec, dpo)},
		opPutSiteHours:  {put, "/api/sites/{id}/hours", ScopeSite, r(adm, cor, bui)},
		opPutSpaceHours: {put, "/api/spaces/{id}/hours", ScopeSpace, r(adm, cor, bui)},
		opPreviewSite:   {post, "/api/sites/{id}/hours/preview", ScopeSite, r(adm, cor, bui)},
		opPreviewSpace:  {post, "/api/spaces/{id}/hours/preview", ScopeSpace, r(adm, cor, bui)},
		opSiteChanges:   {get, "/api/sites/{id}/hours/changes", ScopeSite, r(adm, cor, bui, hea, dpo)},
		opSpaceChanges:  {get, "/api/spaces/{id}/hours/changes", ScopeSpace, r(adm, cor, bui, hea, dpo)},
		opUndoSite:      {post, "/api/sites/{id}/hours/undo", ScopeSite, r(adm, cor, bui)},
		opUndoSpace:     {post, "/api/spaces/{id}/hours/undo", ScopeSpace, r(adm, cor, bui)},
		opApplyHours:    {post, "/api/hours/apply", ScopeAny, r(adm, cor)},
		opPeople:        {get, "/api/accounts", ScopeAll, r(adm)},
		opInvite:        {post, "/api/accounts", ScopeAll, r(adm)},
		opPutAccount:    {put, "/api/accounts/{id}", ScopeAll, r(adm)},
		opDropAccount:   {http.MethodDelete, "/api/accounts/{id}", ScopeAll, r(adm)},
		opAccountLink:   {post, "/api/accounts/{id}/link", ScopeAll, r(adm)},
		opTokens:        {get, "/api/tokens", ScopeAll, r(adm)},
		opMakeToken:     {post, "/api/tokens", ScopeAll, r(adm)},
		opRevokeToken:   {http.MethodDelete, "/api/tokens/{token}", ScopeAll, r(adm)},
		opConsent:       {post, "/api/agreements/view", ScopeNone, nil}, // the head's link is what lets them in
		opAnswerConsent: {post, "/api/agreements/answer", ScopeNone, nil},
		opAskConsent:    {post, "/api/sites/{id}/agreements/{agreement}/ask", ScopeSite, r(adm, cor, bui)},
		opDecideConsent: {post, "/api/sites/{id}/agreements/{agreement}/answer", ScopeSite, r(hea)},
		opReport:        {get, "/api/sites/{id}/report", ScopeSite, r(adm, cor, rec, dpo)},
		opCertify:       {post, "/api/sites/{id}/certificates", ScopeSite, r(adm, dpo)},
		opAudit:         {get, "/api/audit", ScopeAny, r(adm, dpo)},
		opRGPD:          {get, "/api/rgpd/{document}", ScopeAny, r(adm, dpo)},
		opInventory:     {get, "/api/inventory", ScopeAny, r(adm, dpo)},
		opRequisitions:  {get, "/api/requisitions", ScopeAll, r(adm, dpo)}, // who has some sites need not learn of an inquiry elsewhere
		opAskHold:       {post, "/api/requisitions", ScopeAll, r(adm, dpo)},
		opConfirmHold:   {post, "/api/requisitions/{hold}/confirm", ScopeAll, r(adm, dpo)}, // never by whoever asked
		opLiftHold:      {post, "/api/requisitions/{hold}/lift", ScopeAll, r(adm, dpo)},
		opTraffic:       {put, "/api/traffic", ScopeAll, r(dpo)},
		opDeletions:     {get, "/api/deletions", ScopeAll, r(adm, dpo)},
		opLists:         {get, "/api/lists", ScopeAny, r(adm, cor, rec, dpo)},
		opCalendars:     {get, "/api/calendars", ScopeAny, r(adm, cor, bui, hea, rec, dpo)},
		opPutCalendar:   {put, "/api/calendars/{zone}", ScopeAll, r(adm)},
		opFetchCalendar: {post, "/api/calendars/{zone}/fetch", ScopeAll, r(adm)},
		opPlaces:        {get, "/api/help-places", ScopeAny, r(adm, cor, rec, dpo)},
		opPutPlaces:     {put, "/api/help-places", ScopeAll, r(adm)},
		opPlaceSite:     {put, "/api/sites/{id}/position", ScopeSite, r(adm, cor)},
		opNotices:       {get, "/api/notices", ScopeAny, r(adm, cor, rec, dpo)},
		opSiteNotices:   {get, "/api/sites/{id}/notices", ScopeSite, r(adm, cor, rec, dpo)},
		opParseOSM:      {post, "/api/hours/osm", ScopeAny, r(adm, cor, bui)},
		opPrints:        {get, "/api/prints", ScopeAny, r(adm, cor, rec)},
		opPrintJobs:     {get, "/api/terminals/{id}/prints", ScopeTerminal, r(adm, cor, dpo)},
		opPrintOrder:    {post, "/api/terminals/{id}/prints/{job}", ScopeTerminal, r(adm, cor, rec)},
		opPrintDecide:   {post, "/api/prints/{id}/decision", ScopePrint, r(adm, cor, rec)},
		opPages:         {post, "/api/terminals/{id}/pages", ScopeTerminal, r(adm, cor, rec)},
		opPrinters:      {get, "/api/sites/{id}/printers", ScopeSite, others},
		opEnergy:        {get, "/api/sites/{id}/energy", ScopeSite, others},
		opFigures:       {get, "/api/energy/figures", ScopeAny, r(adm, cor, dpo)},
		opPutFigures:    {put, "/api/energy/figures", ScopeAll, r(adm)},
		opIndicators:    {get, "/api/indicators", ScopeAny, r(adm, cor, dpo, obs)},
		opExport:        {get, "/api/indicators/export", ScopeAny, r(adm, cor, dpo, obs)},
		opMatters:       {get, "/api/matters", ScopeAny, r(adm, cor, rec)},
		opTakeMatter:    {put, "/api/matters/{id}/taken", ScopeMatter, r(adm, cor, rec)},
		opBadges:        {get, "/api/badges", ScopeAny, r(adm, cor, rec, dpo)},
		opBadgeDesk:     {get, "/api/badge-desk", ScopeAny, r(adm, cor, rec, dpo)},
		opBadgeWindow:   {post, "/api/terminals/{id}/badges", ScopeTerminal, r(adm, cor, rec, dpo)}, // dpo: to find one only
		opWindow:        {get, "/api/terminals/{id}/badges/{window}", ScopeTerminal, r(adm, cor, rec, dpo)},
		opBadgeRights:   {put, "/api/badges/{id}", ScopeBadge, r(adm, cor)},
		opBadgeLost:     {post, "/api/badges/{id}/lost", ScopeBadge, r(adm, cor, rec)},
		opBadgeDay:      {post, "/api/badges/{id}/day", ScopeBadge, r(adm, cor, rec)},
		opBadgeExport:   {get, "/api/badges/{id}/export", ScopeBadge, r(adm, dpo)},
		opBadgeErase:    {post, "/api/badges/{id}/erase", ScopeBadge, r(adm, dpo)},
		opBadgesFile:    {get, "/api/badges-file", ScopeAny, r(adm, cor, dpo)},
		opImportBadges:  {post, "/api/badges-file", ScopeAny, r(adm, cor)},
		opMakeCodes:     {post, "/api/sites/{id}/day-codes", ScopeSite, r(adm, cor, rec)},
		opDropStaff:     {"DELETE", "/api/sites/{id}/staff-badges/{badge}", ScopeSite, r(adm, cor)},
		opCancelCodes:   {post, "/api/sites/{id}/day-codes/{sheet}/cancel", ScopeSite, r(adm, cor, rec)},
		opAlerts:        {get, "/api/me/alerts", ScopeAny, r(adm, cor, rec)}, // their own
		opPutAlerts:     {put, "/api/me/alerts", ScopeAny, r(adm, cor, rec)},
		opHelp:          {post, "/api/terminals/{id}/help", ScopeTerminal, r(adm, cor, bui, rec)},
		opPhone:         {put, "/api/sites/{id}/phone", ScopeSite, r(adm, cor)},
		opBulkPlan:      {post, "/api/bulk/preview", ScopeAny, r(adm, cor, rec)}, // their own sites, by commandRoles
		opBulk:          {post, "/api/bulk", ScopeAny, r(adm, cor, rec)},
		opBulks:         {get, "/api/bulk", ScopeAny, r(adm, cor, rec)},
		opBulkOne:       {get, "/api/bulk/{bulk}", ScopeAny, r(adm, cor, rec)},
		opHooks:         {get, "/api/hooks", ScopeAll, r(adm)}, // what it is told leaves the Département's own screens
		opAddHook:       {post, "/api/hooks", ScopeAll, r(adm)},
		opPutHook:       {put, "/api/hooks/{hook}", ScopeAll, r(adm)},
		opDropHook:      {del, "/api/hooks/{hook}", ScopeAll, r(adm)},
		opHookKey:       {post, "/api/hooks/{hook}/key", ScopeAll, r(adm)},
		opTryHook:       {post, "/api/hooks/{hook}/try", ScopeAll, r(adm)},
		opOpenAPI:       {get, "/api/openapi.json", ScopeNone, nil},
		opHealth:        {get, "/healthz", ScopeNone, nil},
		opSecurityTxt:   {get, "/.well-known/security.txt", ScopeNone, nil}, // RFC 9116: for whoever found a hole
		// The console's own files: they hold nothing, and must show the login page.
		opConsoleFiles: {get, "/", ScopeNone, nil},
	}
	maps.Copy(table, policyTable())
	maps.Copy(table, siteTable())
	return table
}

// commandRoles says who may send which command, on top of the route's access.
func commandRoles() map[string][]accounts.Role {
	technical := []accounts.Role{accounts.Administrator, accounts.Correspondant}
	front := append([]accounts.Role{accounts.Reception}, technical...)
	return map[string][]accounts.Role{
		"message": front, "end": front, "identify": front, "awake": front,
		"wipe": technical, "quarantine": technical, "lift": technical, "out": technical, "back": technical,
	}
}

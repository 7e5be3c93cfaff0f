package api

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"borne/controller/calendar"
	"borne/controller/directory"
	"borne/controller/mednum"
)

// byID is the input of routes about one thing.
type byID struct {
	ID string `path:"id" maxLength:"200"`
}

// page is the input of lists about one thing.
type page struct {
	ID     string `path:"id" maxLength:"200"`
	Before string `query:"before" maxLength:"200" doc:"Next of the page before; empty for the newest"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// out is an answer that is one JSON document.
type out[T any] struct{ Body T }

func answer[T any](v T) *out[T] { return &out[T]{Body: v} }

type nothing struct{}

func (a *API) routes() error {
	stream := map[string]*huma.Response{"200": {
		Description: "Server-sent events: `hello` with a LiveHello first, and again whenever everything has to be read anew; " +
			"`terminal` with a TerminalBrief for each change; comments as heartbeats.",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	// The feed's two documents are in no other answer: name them for the clients' types.
	schemas := a.huma.OpenAPI().Components.Schemas
	schemas.Schema(typeOf[LiveHello](), true, "")
	schemas.Schema(typeOf[TerminalBrief](), true, "")

	err := errors.Join(
		register(a, opLogin, "Redeem a one-time login link", http.StatusOK, a.login),
		register(a, opLoginWays, "The ways in, besides a one-time link", http.StatusOK, a.loginWays),
		register(a, opOIDC, "Begin a login at the OpenID provider", http.StatusOK, a.beginOIDC),
		register(a, opOIDCReturn, "Where the OpenID provider sends people back to", http.StatusSeeOther, a.endOIDC),
		register(a, opAskPasskey, "Ask the browser for a passkey", http.StatusOK, a.askLogin),
		register(a, opPasskey, "Log in with a passkey", http.StatusOK, a.loginPasskey),
		register(a, opPasskeys, "The person's passkeys", http.StatusOK, a.myPasskeys),
		register(a, opAskNewPasskey, "Ask the browser for a new passkey", http.StatusOK, a.askNewPasskey),
		register(a, opAddPasskey, "Add a passkey", http.StatusCreated, a.addPasskey),
		register(a, opNamePasskey, "Rename a passkey", http.StatusOK, a.renamePasskey),
		register(a, opDropPasskey, "Remove a passkey, unless it is the last way in", http.StatusOK, a.removePasskey),
		register(a, opLogout, "Log out", http.StatusOK, a.logout),
		register(a, opLogoutReturn, "Where the OpenID provider sends people back to after a logout", http.StatusSeeOther, a.outOIDC),
		register(a, opMe, "Who is logged in", http.StatusOK, a.me),
		register(a, opFleet, "The fleet at a glance", http.StatusOK, a.fleet),
		add(a, opLive, "The fleet as it changes", http.StatusOK, maxBody, stream, a.live),
		register(a, opTerminal, "One terminal", http.StatusOK, a.terminal),
		register(a, opSessions, "Its sessions, newest first", http.StatusOK, a.sessions),
		register(a, opReceipts, "Its receipts, newest first", http.StatusOK, a.receipts),
		register(a, opReceipt, "One receipt, check by check", http.StatusOK, a.receipt),
		register(a, opCommands, "Its commands, newest first", http.StatusOK, a.commands),
		register(a, opCommand, "Send a command", http.StatusAccepted, a.command),
		register(a, opAwake, "Hold each terminal of a space awake for a while", http.StatusAccepted, a.holdAwake),
		register(a, opEnrol, "Make a one-time installation code", http.StatusCreated, a.enrol),
		register(a, opSiteHours, "A site's opening hours", http.StatusOK, a.siteHours),
		register(a, opSpaceHours, "A space's opening hours", http.StatusOK, a.spaceHours),
		register(a, opPutSiteHours, "Change a site's opening hours", http.StatusOK, a.putSiteHours),
		register(a, opPutSpaceHours, "Change a space's opening hours", http.StatusOK, a.putSpaceHours),
		register(a, opPreviewSite, "What hours would give at a site", http.StatusOK, a.previewSite),
		register(a, opPreviewSpace, "What hours would give at a space", http.StatusOK, a.previewSpace),
		register(a, opSiteChanges, "Changes of a site's hours, newest first", http.StatusOK, a.siteHoursChanges),
		register(a, opSpaceChanges, "Changes of a space's hours, newest first", http.StatusOK, a.spaceHoursChanges),
		register(a, opUndoSite, "Go back before a change of a site's hours", http.StatusOK, a.undoSiteHours),
		register(a, opUndoSpace, "Go back before a change of a space's hours", http.StatusOK, a.undoSpaceHours),
		register(a, opApplyHours, "Give several sites the same hours", http.StatusOK, a.applyHours),
		register(a, opPeople, "Who may log in", http.StatusOK, a.people),
		register(a, opInvite, "Open an account, and make a link for it", http.StatusCreated, a.invite),
		register(a, opPutAccount, "Change an account: its role, where it is held, or suspend it", http.StatusOK, a.putAccount),
		register(a, opDropAccount, "Remove an account", http.StatusNoContent, a.removeAccount),
		register(a, opAccountLink, "Make another link for an account", http.StatusCreated, a.accountLink),
		register(a, opTokens, "Keys with which programs use this API", http.StatusOK, a.tokens),
		register(a, opMakeToken, "Make a key, which is shown once", http.StatusCreated, a.makeToken),
		register(a, opRevokeToken, "Revoke a key", http.StatusOK, a.revokeToken),
		register(a, opConsent, "What the head of an establishment is asked, by the link of a mail; it changes nothing", http.StatusOK, a.lookConsent),
		register(a, opAnswerConsent, "The head's answer, by that link, once", http.StatusOK, a.answerConsent),
		register(a, opAskConsent, "Send the head another link", http.StatusAccepted, a.askAgain),
		register(a, opDecideConsent, "The answer of a head who is logged in", http.StatusOK, a.decideConsent),
		register(a, opReport, "A site's figures", http.StatusOK, a.report),
		register(a, opCertify, "Certify a site's month: what its terminals proved, verified anew and signed", http.StatusCreated, a.certify),
		register(a, opAudit, "What people and the controller did, newest first", http.StatusOK, a.audit),
		register(a, opRGPD, "A document of the RGPD, to print", http.StatusOK, a.rgpd),
		register(a, opInventory, "Every stored field", http.StatusOK, a.inventory),
		register(a, opRequisitions, "What a réquisition can obtain, and which rows wait for one", http.StatusOK, a.requisitions),
		register(a, opAskHold, "Ask that rows wait for a réquisition: somebody else confirms it", http.StatusCreated, a.askHold),
		register(a, opConfirmHold, "Confirm a hold that somebody else asked for", http.StatusOK, a.confirmHold),
		register(a, opLiftHold, "Lift a hold, or withdraw one that nobody confirmed", http.StatusOK, a.liftHold),
		register(a, opTraffic, "Write down the DPO's decision about traffic data", http.StatusOK, a.decideTraffic),
		register(a, opDeletions, "What retention deleted and what waits, newest first", http.StatusOK, a.deletions),
		register(a, opLists, "The category lists that were imported", http.StatusOK, a.lists),
		register(a, opCalendars, "The school holidays of each zone, and the public holidays", http.StatusOK, a.calendars),
		upload(a, opPutCalendar, "Import a zone's official calendar from a file", http.StatusOK, calendar.MaxBytes, a.putCalendar),
		register(a, opFetchCalendar, "Import a zone's official calendar from an address, and again each week", http.StatusOK, a.fetchCalendar),
		register(a, opPlaces, "Where people are helped near each site", http.StatusOK, a.helpPlaces),
		upload(a, opPutPlaces, "Import the places where people are helped, whole or not at all", http.StatusOK, mednum.MaxFile, a.putPlaces),
		register(a, opPlaceSite, "Say where a site is", http.StatusOK, a.placeSite),
		register(a, opNotices, "What people were told at the Département's sites, newest first", http.StatusOK, a.notices),
		register(a, opSiteNotices, "What people were told at a site, newest first", http.StatusOK, a.siteNotices),
		register(a, opParseOSM, "Read opening hours in OpenStreetMap's syntax", http.StatusOK, a.parseOSM),
		register(a, opPrints, "Print jobs that wait for staff: to release, and to decide", http.StatusOK, a.prints),
		register(a, opPrintJobs, "A terminal's print jobs, newest first", http.StatusOK, a.printJobs),
		register(a, opPrintOrder, "Release or refuse a print job that waits at a terminal", http.StatusAccepted, a.orderPrint),
		register(a, opPrintDecide, "Decide what a doubtful print job costs", http.StatusOK, a.decidePrint),
		register(a, opPages, "Give a running session more pages", http.StatusAccepted, a.grantPages),
		register(a, opPrinters, "A site's printers, with what is left of their supplies", http.StatusOK, a.printers),
		register(a, opEnergy, "A site's energy: time by state, kWh and euros, measured or estimated", http.StatusOK, a.energy),
		register(a, opFigures, "The watts of each model and the price of a kWh", http.StatusOK, a.figures),
		register(a, opPutFigures, "Change them", http.StatusOK, a.putFigures),
		register(a, opIndicators, "The plan's indicators, from rollups", http.StatusOK, a.indicators),
		register(a, opExport, "The same as a file, without counts of fewer than five people", http.StatusOK, a.exportIndicators),
		register(a, opMatters, "What somebody has to see to, most urgent first", http.StatusOK, a.matters),
		register(a, opTakeMatter, "Take a matter on, or leave it to others again", http.StatusOK, a.takeMatter),
		register(a, opBadges, "The badges that are enrolled, a page of them", http.StatusOK, a.badges),
		register(a, opBadgeDesk, "The day codes that work, and what the rules of each site take", http.StatusOK, a.badgeDesk),
		register(a, opBadgeWindow, "Let the next badge at a terminal be for staff: enrol, give, return or find it", http.StatusAccepted, a.openWindow),
		register(a, opWindow, "What became of that badge", http.StatusOK, a.window),
		register(a, opBadgeRights, "Change a badge's rights", http.StatusOK, a.changeBadge),
		register(a, opBadgeLost, "Declare a badge lost, or found again", http.StatusOK, a.lostBadge),
		register(a, opBadgeDay, "Give a day badge out, or take it back", http.StatusOK, a.dayBadge),
		register(a, opBadgeExport, "Everything that is kept about a badge's holder", http.StatusOK, a.exportBadge),
		register(a, opBadgeErase, "Erase a badge's holder and what is kept about them", http.StatusOK, a.eraseBadge),
		register(a, opDropStaff, "A badge of staff is taken away", http.StatusNoContent, a.dropStaff),
		register(a, opBadgesFile, "The badges as a file", http.StatusOK, a.badgesFile),
		upload(a, opImportBadges, "Change badges' rights from a file, whole or not at all", http.StatusOK, 2*directory.MaxCSV, a.importBadges),
		register(a, opMakeCodes, "Make day codes to print", http.StatusCreated, a.makeCodes),
		register(a, opCancelCodes, "Cancel a printed page of day codes", http.StatusNoContent, a.cancelCodes),
		a.policyRoutes(),
		a.siteRoutes(),
		register(a, opAlerts, "What the person wants to be told of by mail", http.StatusOK, a.myAlerts),
		register(a, opHelp, "Answer somebody at a terminal who asks for help", http.StatusAccepted, a.answerHelp),
		register(a, opPhone, "Set a site's telephone number", http.StatusOK, a.putPhone),
		register(a, opBulkPlan, "Who a command to several terminals would hit; nothing is sent", http.StatusOK, a.previewBulk),
		register(a, opBulk, "Send a command to the terminals that a preview showed", http.StatusAccepted, a.sendBulk),
		register(a, opBulks, "Commands to several terminals, newest first", http.StatusOK, a.bulks),
		register(a, opBulkOne, "One of them, terminal by terminal", http.StatusOK, a.bulk),
		register(a, opHooks, "Other systems that are told of what is to be seen to", http.StatusOK, a.hooks),
		register(a, opAddHook, "Add one; its key is told once", http.StatusCreated, a.addHook),
		register(a, opPutHook, "Change one", http.StatusOK, a.putHook),
		register(a, opDropHook, "Remove one, and what waits for it", http.StatusNoContent, a.dropHook),
		register(a, opHookKey, "Give it another key; the one before signs nothing any more", http.StatusOK, a.renewHookKey),
		register(a, opTryHook, "Try its address", http.StatusAccepted, a.tryHook),
		register(a, opPutAlerts, "Change it", http.StatusOK, a.putAlerts),
		a.plain(opOpenAPI, http.HandlerFunc(a.document)),
		a.plain(opHealth, http.HandlerFunc(a.health)),
		a.plain(opSecurityTxt, http.HandlerFunc(a.securityTxt)),
	)
	if err != nil || a.Files == nil {
		return err
	}
	files, err := newFiles(a.Files)
	if err != nil {
		return err
	}
	return a.plain(opConsoleFiles, files)
}

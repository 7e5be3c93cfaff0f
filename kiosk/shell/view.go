// Package shell serves the terminal's own pages on loopback and keeps them in
// step with the agent over one WebSocket: the page shows a View and sends
// Actions, and decides nothing.
package shell

// View is all that the shell's page shows. It holds no text but names and
// policy sentences: words come from the catalogues, by Screen and Reason.
type View struct {
	Screen    Screen   `json:"screen"`
	Lang      string   `json:"lang"`      // BCP 47; the page falls back to French
	Languages []string `json:"languages"` // offered on the welcome screen
	Place     Place    `json:"place"`
	Reason    string   `json:"reason,omitempty"`  // wire.Reason: why it ended, was refused or is out
	Missing   []string `json:"missing,omitempty"` // properties of isolation, when they are why it is out: wire.Prop…
	Bar       *Bar     `json:"bar,omitempty"`     // while a session runs
	Warning   *Warning `json:"warning,omitempty"`
	Print     *Print   `json:"print,omitempty"` // on the print screen
	Staff     *Staff   `json:"staff,omitempty"` // on the staff's menu
	Team      bool     `json:"team,omitempty"`  // staff may type their PIN
	Charter   *Charter `json:"charter,omitempty"`
	Told      *Told    `json:"told,omitempty"` // on the welcome and charter screens
	Near      *Near    `json:"near,omitempty"` // on the welcome screen, and where this terminal serves nobody; nil when nobody is known
	Opening   *Opening `json:"opening,omitempty"`
	Wipe      *Wipe    `json:"wipe,omitempty"`    // on the thanks screen
	Help      *Help    `json:"help,omitempty"`    // the person asked for help
	Message   string   `json:"message,omitempty"` // from staff
	Notice    string   `json:"notice,omitempty"`  // passing refusal: a wire.Reason, shown for some seconds
	Identify  string   `json:"identify,omitempty"`
	Badge     string   `json:"badge"`           // "none": the button begins; "offered": either; "required": badge only; "code": code only
	Codes     bool     `json:"codes,omitempty"` // on the welcome screen: « J’ai un code »
	Sim       bool     `json:"sim,omitempty"`
	Dim       bool     `json:"dim,omitempty"`     // nobody is there: it is shown darker, and still well readable
	Offline   bool     `json:"offline,omitempty"` // the controller cannot be reached: nothing for the person to do
}

// Screen is one screen of the terminal.
type Screen string

// Screens. In Session only the bar is uncovered: it is the top BarHeight
// pixels of the page, and the session's browser lies below it.
const (
	Starting    Screen = "starting"
	Welcome     Screen = "welcome"
	CharterPage Screen = "charter"
	OpeningPage Screen = "opening" // the session is being opened
	SessionPage Screen = "session"
	WarningPage Screen = "warning" // covers the session: idle, time, closing, message
	PrintPage   Screen = "print"   // covers the session, or its left part: what is to be printed, or was not
	StaffPage   Screen = "staff"   // covers everything: the staff's menu
	Wiping      Screen = "wiping"
	Thanks      Screen = "thanks" // « Il ne reste rien de vous… »
	Closed      Screen = "closed"
	Quarantined Screen = "quarantined" // « bloqué par sécurité »
	Broken      Screen = "broken"      // « en panne »
	Updating    Screen = "updating"
	Maintenance Screen = "maintenance"
)

// BarHeight is the height of the session's bar, in pixels of the display.
const BarHeight = 72

// Place says where the terminal stands.
type Place struct {
	Site     string `json:"site"`
	Space    string `json:"space"`
	Terminal string `json:"terminal"`
	Help     string `json:"help,omitempty"` // whom to ask, in French
}

// Help tells the person what became of their call for help.
type Help struct {
	State HelpState `json:"state"`
	Phone string    `json:"phone,omitempty"` // of the site
}

// HelpState is what became of it.
type HelpState string

// States of a call.
const (
	HelpAsked   HelpState = "asked"
	HelpComing  HelpState = "coming"  // staff answered
	HelpLate    HelpState = "late"    // nobody answers: another way is told
	HelpOffline HelpState = "offline" // nobody can hear of it now
)

// Bar is what the session's bar shows.
type Bar struct {
	LeftSeconds  int  `json:"leftSeconds"`
	TotalSeconds int  `json:"totalSeconds"`
	PagesLeft    int  `json:"pagesLeft"` // -1 without printing
	Ending       bool `json:"ending"`    // waits for an upload
	// Refused is the category of a site that was just refused, for a moment.
	Refused string    `json:"refused,omitempty"`
	Print   *BarPrint `json:"print,omitempty"`
}

// Warning covers the session until answered.
type Warning struct {
	Kind        string `json:"kind"` // idle, time, closing, message, extended
	LeftSeconds int    `json:"leftSeconds"`
	OfSeconds   int    `json:"ofSeconds"`
	Minutes     int    `json:"minutes,omitempty"` // of session left, or given more
}

// Charter is what a person accepts in one sentence.
type Charter struct {
	Minutes int `json:"minutes"`
	Pages   int `json:"pages"` // 0 without printing
	// Badge: the person came with one, of which a pseudonym of the month is kept.
	Badge bool `json:"badge"`
}

// Told is what people are told before they begin, beside the product's own words:
// the place's rules, and who answers for what is kept (RGPD, art. 13).
type Told struct {
	Responsible string   `json:"responsible,omitempty"` // in French
	DPO         string   `json:"dpo,omitempty"`         // in French
	Charter     []string `json:"charter,omitempty"`     // in French
	Number      int      `json:"number,omitempty"`      // of this text
	Since       string   `json:"since,omitempty"`       // 2006-01-02
	// For how many days: visits, proofs of wipes, that a badge was used in a
	// month; 0 is not known.
	Usage     int `json:"usage,omitempty"`
	Security  int `json:"security,omitempty"`
	Technical int `json:"technical,omitempty"`
}

// Near is where people find somebody to help them.
type Near struct {
	Here []Helper    `json:"here,omitempty"` // today
	Near []HelpPlace `json:"near,omitempty"` // the nearest first
}

// Helper is somebody who is here today to help.
type Helper struct {
	Who   string `json:"who"`            // in French
	Note  string `json:"note,omitempty"` // in French
	Spans []Span `json:"spans"`
}

// HelpPlace is a place near here.
type HelpPlace struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // policy.HelpKind
	Address string `json:"address"`
	Phone   string `json:"phone,omitempty"`
	Metres  int    `json:"metres,omitempty"`
	Today   []Span `json:"today"` // when it is open today; null: nobody knows
}

// Span is a stretch of today, in minutes after midnight.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Opening tells when the place opens next.
type Opening struct {
	At        string `json:"at,omitempty"`        // RFC 3339, Europe/Paris; empty: not known
	Cause     string `json:"cause,omitempty"`     // policy.Cause: key "terminal.closed.<cause>" of the catalogues, where there is one
	Why       string `json:"why,omitempty"`       // the exception's reason, or the holidays' name, in French
	Meanwhile string `json:"meanwhile,omitempty"` // who helps until then, in French
}

// Wipe tells the person what was erased and proven.
type Wipe struct {
	Full    bool    `json:"full"`
	Millis  int     `json:"millis"`
	Receipt string  `json:"receipt"` // short number of the attestation
	Checks  []Check `json:"checks"`
	Reason  string  `json:"reason"`          // why the session ended
	Smile   string  `json:"smile,omitempty"` // "ask": the person may say how it went; "done": they did
}

// Check is one line of « ce qui a été effacé ».
type Check struct {
	Name   string `json:"name"`   // wire check name: key "check.<name>" of the catalogues
	Before int    `json:"before"` // found before
	Result string `json:"result"`
}

// Action is what a person did on the shell's page.
type Action struct {
	Do    Do     `json:"do"`
	Lang  string `json:"lang,omitempty"` // with SetLang
	Job   string `json:"job,omitempty"`  // with the actions about printing: Print.Job that the person saw
	Print Choice `json:"print,omitzero"` // with PrintSet and PrintIt
	Code  string `json:"code,omitempty"` // with Code, as it was typed
	PIN   Secret `json:"pin,omitempty"`  // with StaffPIN, as it was typed
}

// Do names an action; unknown ones are refused.
type Do string

// Actions.
const (
	Begin     Do = "begin"      // « Commencer »
	Accept    Do = "accept"     // the charter
	Decline   Do = "decline"    // the charter
	End       Do = "end"        // « Terminer »
	StillHere Do = "still-here" // « Je suis toujours là »
	Arrived   Do = "arrived"    // « Je viens d'arriver : tout effacer »
	Dismiss   Do = "dismiss"    // closes a time warning or a message
	SetLang   Do = "lang"
	Home      Do = "home"    // « Accueil »: back to the portal
	Back      Do = "back"    // « Retour »: the page before
	Again     Do = "again"   // from the thanks screen to the welcome screen
	Code      Do = "code"    // a printed day code, from the welcome screen
	CallHelp  Do = "help"    // « Demander de l’aide »
	NoHelp    Do = "no-help" // « Ce n’est plus la peine »

	SmileGood Do = "smile-good" // how it went: one of three faces, for who wants to say
	SmileSoso Do = "smile-soso"
	SmileBad  Do = "smile-bad"

	StaffAsk     Do = "staff"         // staff want to type their PIN
	StaffPIN     Do = "staff-pin"     // and did: Action.PIN
	StaffClose   Do = "staff-close"   // the staff's menu: see wire.StaffDo
	StaffReopen  Do = "staff-reopen"  //
	StaffStay    Do = "staff-stay"    //
	StaffTime    Do = "staff-time"    //
	StaffPrint   Do = "staff-print"   // releases what waits
	StaffRestart Do = "staff-restart" //
	StaffCall    Do = "staff-call"    //
	StaffLeave   Do = "staff-leave"   // puts the menu, or the question, away

	PrintIt     Do = "print"        // « Imprimer », with the choices that were in sight: print only when they are the job's
	PrintCancel Do = "print-cancel" // « Ne pas imprimer »
	PrintSet    Do = "print-set"    // other choices: show what they cost
	PrintOK     Do = "print-ok"     // read: back to the session, what goes on goes on
	PrintShow   Do = "print-show"   // from the bar: the page about the job again
)

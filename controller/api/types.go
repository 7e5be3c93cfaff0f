package api

import (
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
)

// State is what staff see of a terminal at a glance.
type State string

// States of a terminal, as the console shows them.
const (
	Free        State = "free"
	InUse       State = "in-use"
	Closed      State = "closed"
	Out         State = "out"         // « en panne », Reason says why
	Quarantined State = "quarantined" // « bloqué par sécurité », Reason says why
	Offline     State = "offline"     // enrolled, and not connected now
	Asleep      State = "asleep"      // « endormi »: off by plan, until its clock wakes it
	Waiting     State = "waiting"     // « en attente d'installation »: never enrolled
)

// States lists every State.
func States() []State {
	return []State{Free, InUse, Closed, Out, Quarantined, Offline, Asleep, Waiting}
}

// TerminalBrief is one terminal in the fleet at a glance, and in the live feed.
type TerminalBrief struct {
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Site        string        `json:"site" doc:"Id of the site"`
	Space       string        `json:"space" doc:"Id of the space"`
	State       State         `json:"state" enum:"free,in-use,closed,out,quarantined,offline,asleep,waiting"`
	Reason      string        `json:"reason,omitempty" doc:"Reason code; its sentence is in the catalogues under reason.<code>"`
	Since       *time.Time    `json:"since,omitempty" doc:"When this state began, where known"`
	Session     string        `json:"session,omitempty" doc:"Random id of the session going on"`
	LeftSeconds int           `json:"leftSeconds,omitempty" doc:"Left of the session when this was sent"`
	Level       string        `json:"level,omitempty" doc:"Isolation last measured: full or reduced"`
	Missing     []string      `json:"missing" doc:"Isolation properties that do not hold"`
	Online      bool          `json:"online"`
	LastSeen    *time.Time    `json:"lastSeen,omitempty"`
	Devices     []wire.Device `json:"devices"`
	Sim         bool          `json:"sim" doc:"Simulated hardware"`
	Printer     *PrinterBrief `json:"printer,omitempty" doc:"Absent when no printer was ever told of"`
	Power       *PowerBrief   `json:"power,omitempty" doc:"Absent when it does not tell, and is not off by plan"`
	Waiting     int           `json:"waiting" doc:"Print jobs that staff may release: GET /api/prints lists them"`
	Help        *HelpBrief    `json:"help,omitempty" doc:"Somebody there waits for help: answer by POST /api/terminals/{id}/help"`
	Matters     int           `json:"matters" doc:"Matters that nobody has taken on: GET /api/matters lists them"`
}

// Fleet is every site that the person may see.
type Fleet struct {
	Sites []SiteView `json:"sites"`
}

// SiteView is one site with its spaces.
type SiteView struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Kind       string      `json:"kind" doc:"college, pms, mie, library, other"`
	Commune    string      `json:"commune"`
	Territoire string      `json:"territoire,omitempty"`
	Phone      string      `json:"phone,omitempty" doc:"Told to who gets no help at a terminal"`
	Head       string      `json:"head,omitempty" doc:"Mail address of its head's office; for those who set the site up"`
	Spaces     []SpaceView `json:"spaces"`
}

// SpaceView is one space with its terminals.
type SpaceView struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Open      bool            `json:"open" doc:"By its hours, now"`
	Until     *time.Time      `json:"until,omitempty" doc:"When that changes next"`
	Terminals []TerminalBrief `json:"terminals"`
}

// TerminalDetail is one terminal's page.
type TerminalDetail struct {
	Terminal      TerminalBrief   `json:"terminal"`
	SiteName      string          `json:"siteName"`
	SpaceName     string          `json:"spaceName"`
	Build         string          `json:"build,omitempty"`
	Machine       string          `json:"machine,omitempty"`
	Enrolled      *time.Time      `json:"enrolled,omitempty"`
	PolicyWanted  uint64          `json:"policyWanted" doc:"Version last published for its space; 0 for none"`
	PolicyApplied uint64          `json:"policyApplied"`
	PolicyRefused string          `json:"policyRefused,omitempty" doc:"Why the terminal refused the policy"`
	Permits       int             `json:"permits" doc:"Permits it holds"`
	Epoch         uint64          `json:"epoch"`
	Cursor        uint64          `json:"cursor" doc:"Last record that is durable here"`
	Gaps          uint64          `json:"gaps" doc:"Records never received"`
	Unacked       uint64          `json:"unacked" doc:"Records that it has not had acknowledged"`
	DiskFree      uint64          `json:"diskFree,omitempty" doc:"Bytes"`
	ClockSure     bool            `json:"clockSure"`
	Segment       uint64          `json:"segment" doc:"Of its chain of receipts"`
	Index         uint64          `json:"index" doc:"Of its last receipt accepted in that segment"`
	Quarantine    *QuarantineView `json:"quarantine,omitempty"`
	LastReceipt   *ReceiptBrief   `json:"lastReceipt,omitempty"`
	Alerts        []AlertBrief    `json:"alerts" doc:"What is wrong with its power and its printer now, then what the terminal told staff in the last week, latest first"`
	Staff         []StaffAct      `json:"staff" doc:"What staff did at the terminal's own menu in the last week, latest first"`
	Commands      []string        `json:"commands" doc:"Kinds of command that the person may send now"`
}

// AlertBrief is one thing that staff should know.
type AlertBrief struct {
	At   time.Time `json:"at"`
	Code string    `json:"code" doc:"Reason code"`
}

// StaffAct is one thing that staff did at a terminal's own menu.
type StaffAct struct {
	At      time.Time  `json:"at"`
	Do      string     `json:"do" doc:"console.staff.<do> of the catalogues"`
	By      string     `json:"by,omitempty" doc:"Function of the badge, or PIN"`
	Until   *time.Time `json:"until,omitempty" doc:"Until when it stays open"`
	Minutes int        `json:"minutes,omitempty" doc:"Given to the session"`
	Jobs    int        `json:"jobs,omitempty" doc:"Prints released"`
}

// QuarantineView says why no session may open.
type QuarantineView struct {
	Reason  string     `json:"reason"`
	Detail  string     `json:"detail,omitempty" doc:"What the failed check showed"`
	Since   *time.Time `json:"since,omitempty"`
	Lifting bool       `json:"lifting" doc:"A challenge wipe was asked for and is awaited"`
}

// SessionBrief is one session: never who, nor what was visited.
type SessionBrief struct {
	ID      string     `json:"id"`
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended,omitempty"`
	Reason  string     `json:"reason,omitempty" doc:"Reason code of its end"`
	Profile string     `json:"profile"`
	Lang    string     `json:"lang"`
	Seconds int        `json:"seconds"`
	Active  int        `json:"active" doc:"Seconds with input within the last minute"`
	Pages   int        `json:"pages"`
	Unsure  bool       `json:"unsure" doc:"The terminal's clock was not trusted"`
	Wipes   int        `json:"wipes" doc:"Attempts until the wipe succeeded"`
	WipeMS  int        `json:"wipeMs"`
	Receipt string     `json:"receipt,omitempty" doc:"Id of its receipt, once that is accepted"`
}

// SessionPage is a page of sessions, newest first.
type SessionPage struct {
	Sessions []SessionBrief `json:"sessions"`
	Next     string         `json:"next,omitempty" doc:"Give it as before to get the next page"`
}

// ReceiptBrief is one wipe's receipt in a list.
type ReceiptBrief struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind" doc:"session or challenge"`
	Session string    `json:"session,omitempty"`
	At      time.Time `json:"at"`
	Verdict string    `json:"verdict" enum:"accepted,rejected"`
	Reason  string    `json:"reason,omitempty" doc:"Reason code of the refusal"`
	Detail  string    `json:"detail,omitempty" doc:"What was wrong, in English"`
	Level   string    `json:"level"`
	Segment uint64    `json:"segment"`
	Index   uint64    `json:"index"`
	WipeMS  int       `json:"wipeMs"`
	Attempt int       `json:"attempt"`
	Sim     bool      `json:"sim"`
}

// ReceiptPage is a page of receipts, newest first.
type ReceiptPage struct {
	Receipts []ReceiptBrief `json:"receipts"`
	Next     string         `json:"next,omitempty"`
}

// ReceiptView is one receipt, check by check, with the bytes that were signed.
type ReceiptView struct {
	Brief    ReceiptBrief    `json:"brief"`
	Terminal string          `json:"terminal"`
	Name     string          `json:"name" doc:"Of the terminal"`
	Unsure   bool            `json:"unsure"`
	Boot     string          `json:"boot"`
	Build    string          `json:"build"`
	Props    []wire.Property `json:"props"`
	Checks   []wire.Check    `json:"checks"`
	Prev     []byte          `json:"prev" doc:"Digest of the receipt before it"`
	Digest   []byte          `json:"digest" doc:"SHA-256 of the payload"`
	Envelope EnvelopeView    `json:"envelope"`
}

// EnvelopeView is the signed bytes, verbatim, for whoever verifies them anew.
type EnvelopeView struct {
	Kid     string `json:"kid"`
	Domain  string `json:"domain"`
	Payload []byte `json:"payload"`
	Sig     []byte `json:"sig"`
}

// CommandRequest asks something of a terminal.
type CommandRequest struct {
	Kind   string `json:"kind" enum:"message,end,wipe,quarantine,lift,identify,out,back,awake"`
	Text   string `json:"text,omitempty" maxLength:"300" lines:"many" doc:"Shown to the person (message) or as the reason (out)"`
	Reason string `json:"reason,omitempty" maxLength:"200" doc:"Why, for the audit"`
	// Minutes is not a moment: whoever asks may have a clock that is wrong.
	Minutes int `json:"minutes,omitempty" minimum:"0" maximum:"1440" doc:"Of awake: for how long it saves no energy; 0: it may save again"`
}

// CommandView is one command and what became of it.
type CommandView struct {
	ID     string     `json:"id"`
	Kind   string     `json:"kind"`
	Text   string     `json:"text,omitempty"`
	By     string     `json:"by" doc:"Name of the person, empty for the controller itself"`
	Issued time.Time  `json:"issued"`
	State  string     `json:"state" enum:"pending,delivered,done,refused,expired"`
	Answer string     `json:"answer,omitempty" doc:"Why the terminal refused"`
	Done   *time.Time `json:"done,omitempty" doc:"When its state changed last"`
}

// CommandPage is a terminal's last commands, newest first.
type CommandPage struct {
	Commands []CommandView `json:"commands"`
	Next     string        `json:"next,omitempty"`
}

// Accepted is the id under which a command is followed.
type Accepted struct {
	ID string `json:"id"`
}

// EnrolRequest asks for a one-time installation code.
type EnrolRequest struct {
	Space   string `json:"space" minLength:"1" maxLength:"64" doc:"Id of the space"`
	Name    string `json:"name,omitempty" maxLength:"60" doc:"The terminal's name; kept when an existing one is named"`
	Replace string `json:"replace,omitempty" maxLength:"64" doc:"Id of the terminal whose name and history move to the new hardware, or of one that waits for its installation"`
}

// EnrolCode is shown once.
type EnrolCode struct {
	ID       string    `json:"id" doc:"Names the code without opening anything"`
	Code     string    `json:"code"`
	Terminal string    `json:"terminal,omitempty" doc:"Id of the terminal, when it exists already"`
	Expires  time.Time `json:"expires"`
}

// PolicyView is the policy of the Département, a group of sites, a site, a space or a terminal.
type PolicyView struct {
	Rev     uint64            `json:"rev" doc:"Also the ETag; 0 while nothing was set here"`
	Level   string            `json:"level" enum:"global,group,site,space,terminal"`
	Own     []string          `json:"own" doc:"Sections set here; the others come from the level above"`
	Policy  policy.Policy     `json:"policy" doc:"What holds here, inheritance applied"`
	Origin  map[string]string `json:"origin" doc:"The level that each value comes from, by JSON path: global, group:ID, site, space or terminal; empty for what Borne begins with"`
	Levels  []LevelView       `json:"levels" doc:"The levels that this one inherits from and itself, the Département first"`
	Changed *time.Time        `json:"changed,omitempty"`
	By      string            `json:"by,omitempty" doc:"Who changed it last"`
	Applied []AppliedView     `json:"applied" doc:"How far the terminals below are"`
	Rollout *RolloutView      `json:"rollout,omitempty" doc:"How far the last change that went to a few terminals first has come"`
}

// LevelView is a level that values come from.
type LevelView struct {
	Level string `json:"level" enum:"global,group,site,space,terminal"`
	ID    string `json:"id" doc:"Of the group, the site, the space or the terminal; empty for the Département"`
	Name  string `json:"name"`
}

// AppliedView is how far one terminal is with its policy.
type AppliedView struct {
	Terminal string `json:"terminal"`
	Name     string `json:"name"`
	Wanted   uint64 `json:"wanted"`
	Applied  uint64 `json:"applied"`
	Refused  string `json:"refused,omitempty"`
	Reverted string `json:"reverted,omitempty" doc:"Why it put back the network of these rules, over which it did not reach the controller"`
}

// PolicyRequest sets the sections named in Own; a section that is not named is
// inherited from the level above, whatever Policy holds for it.
type PolicyRequest struct {
	Own    []string      `json:"own" maxItems:"20"`
	Policy policy.Policy `json:"policy" lines:"many"`
	Note   string        `json:"note,omitempty" maxLength:"300" doc:"Why, for the history"`
	AtOnce bool          `json:"atOnce,omitempty" doc:"All terminals get it at once, also when a few would get it first"`
}

// AuditView is one entry of the audit.
type AuditView struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor" doc:"Name of the person; empty for the controller itself"`
	Action string    `json:"action" doc:"Key audit.<action> of the catalogues"`
	Site   string    `json:"site,omitempty"`
	Target string    `json:"target,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Hash   []byte    `json:"hash"`
}

// AuditPage is a page of the audit, newest first.
type AuditPage struct {
	Entries []AuditView `json:"entries"`
	Next    string      `json:"next,omitempty"`
}

// InventoryEntry is one field that is stored: the register of processing.
type InventoryEntry struct {
	Table     string `json:"table"`
	Field     string `json:"field"`
	Purpose   string `json:"purpose"`
	Basis     string `json:"basis"`
	Retention string `json:"retention"`
}

// Inventory is every stored field.
type Inventory struct {
	Fields  []InventoryEntry `json:"fields"`
	Classes []RetentionClass `json:"classes" doc:"How long each class is kept now"`
	Held    []HeldClass      `json:"held" doc:"Classes of which some rows on the person's sites wait, past their time, for an authority"`
}

// HeldClass is a retention class of which rows wait.
type HeldClass struct {
	Class string    `json:"class"`
	Until time.Time `json:"until" doc:"When the last of them goes at the latest"`
}

// Report is a site's home page figures, from the rollups.
type Report struct {
	Site  string      `json:"site"`
	Today ReportSpan  `json:"today"`
	Week  ReportSpan  `json:"week" doc:"The last 7 days, today included"`
	Days  []ReportDay `json:"days" doc:"The last 7 days, oldest first"`
}

// ReportSpan is one stretch of days.
type ReportSpan struct {
	Sessions int            `json:"sessions"`
	Minutes  int            `json:"minutes"`
	Pages    int            `json:"pages" doc:"Printed sides"`
	Sheets   int            `json:"sheets" doc:"Sheets of paper"`
	Colour   int            `json:"colour" doc:"Printed sides in colour"`
	Prints   int            `json:"prints" doc:"Print jobs"`
	Ends     map[string]int `json:"ends" doc:"Ends by reason code"`
	Filtered map[string]int `json:"filtered" doc:"Sites refused, by category of protection; less than 5 are not told: they could point to somebody"`
}

// ReportDay is one day.
type ReportDay struct {
	Day      string `json:"day" doc:"2006-01-02, Europe/Paris"`
	Sessions int    `json:"sessions"`
	Minutes  int    `json:"minutes"`
}

// Me is the person logged in.
type Me struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    string    `json:"role" enum:"administrator,correspondant,building,head,reception,dpo,observer"`
	Sites   []string  `json:"sites" doc:"Ids of the sites that the role is held on, those of its groups included"`
	All     bool      `json:"all" doc:"The role is held on every site, whatever Sites says"`
	Expires time.Time `json:"expires" doc:"The session ends then, at the latest"`
	Version string    `json:"version" doc:"Of the controller"`
	Demo    bool      `json:"demo" doc:"The data is a demonstration"`
}

// LoginRequest redeems a one-time link.
type LoginRequest struct {
	Token string `json:"token" minLength:"16" maxLength:"64"`
}

// LiveHello opens the live feed: whoever gets it reads GET /api/fleet anew.
type LiveHello struct {
	Time       time.Time `json:"time"`
	Generation uint64    `json:"generation"`
	Heartbeat  int       `json:"heartbeat" doc:"Seconds between comments; without one for three times as long, connect anew"`
}

package store

import (
	"encoding/json"
	"time"

	"borne/controller/wire"
)

// Tables. Each holds rows of one type, named in Rows.
const (
	KindSite     Kind = "site"
	KindSpace    Kind = "space"
	KindTerminal Kind = "terminal"
	KindCode     Kind = "enrol-code"
	KindPolicy   Kind = "policy"
	KindSession  Kind = "session"
	KindReceipt  Kind = "receipt"
	KindPermit   Kind = "permit"
	KindCommand  Kind = "command"
	KindUser     Kind = "user"
	KindLogin    Kind = "login"
	KindAudit    Kind = "audit"
	KindRecord   Kind = "record"
	KindDevice   Kind = "device"
	KindRollup   Kind = "rollup"
	KindSetting  Kind = "setting"
	KindHolder   Kind = "holder"
	KindMonthKey Kind = "month-key"
	KindPurge    Kind = "purge"
	KindList     Kind = "list"

	KindAccount  Kind = "account"
	KindPrintJob Kind = "print-job"
	KindGrant    Kind = "print-grant"
	KindPrinter  Kind = "printer"
	KindSupply   Kind = "supply-day"
	KindHours    Kind = "hours-change"
	KindMail     Kind = "mail"
	KindEnergy   Kind = "energy-day"
	KindFigures  Kind = "energy-figures"
	KindCalendar Kind = "calendar"

	KindRollupMonth Kind = "rollup-month"
	KindEnergyMonth Kind = "energy-month"
	KindOpenDay     Kind = "open-day"
	KindOpenMonth   Kind = "open-month"
	KindPresence    Kind = "presence"
	KindHolderCount Kind = "holder-count"
	KindIdentity    Kind = "identity"
	KindBadgeWindow Kind = "badge-window"
	KindDayCode     Kind = "day-code"
	KindStaffBadge  Kind = "staff-badge"
	KindMatter      Kind = "matter"
	KindPasskey     Kind = "passkey"
	KindErasure     Kind = "erasure"
	KindHead        Kind = "audit-head"

	KindPolicyChange Kind = "policy-change"
	KindWatch        Kind = "watch"
	KindTold         Kind = "told"
	KindRollout      Kind = "rollout"
	KindNetwork      Kind = "network"
	KindHook         Kind = "hook"
	KindHookPost     Kind = "hook-post"
	KindBulk         Kind = "bulk"

	KindSiteGroup Kind = "site-group"
	KindToken     Kind = "api-token"
	KindConsent   Kind = "consent"

	KindHold            Kind = "hold"
	KindTraffic         Kind = "traffic"
	KindTrafficDecision Kind = "traffic-decision"
	KindNotice          Kind = "notice"
	KindHelpPlace       Kind = "help-place"
	KindHelpFile        Kind = "help-file"
	KindHelpNear        Kind = "help-near"
)

// Each field's inventory tag is "purpose;basis;retention": why it is kept, the
// legal basis (RGPD art. 6: public-task, legal-duty, none-personal when the field
// is about no person), and the retention class whose length is a dated policy.
// Retention classes: life (as long as what it describes), usage, security,
// account, audit, technical, traffic, minutes (erased when used or expired).

// Site is an établissement or a lieu. Meta.ID is its id and Meta.Site too.
type Site struct {
	Name       string `json:"name" inventory:"shown to staff and people;none-personal;life"`
	Type       string `json:"type" inventory:"kind of place (college, pms, mie, library);none-personal;life"`
	Commune    string `json:"commune" inventory:"where it is;none-personal;life"`
	Territoire string `json:"territoire" inventory:"territorial directorate, for reports;none-personal;life"`
	Phone      string `json:"phone,omitempty" inventory:"telephone number of the place, for who gets no help;none-personal;life"`
	Timezone   string `json:"timezone,omitempty" inventory:"for opening hours, Europe/Paris when empty;none-personal;life"`
	// Rules rises when the site joins or leaves a group: its rules are others then.
	Rules uint64 `json:"rules,omitempty" inventory:"version of its rules when its groups last changed;none-personal;life"`

	Lat    float64 `json:"lat,omitempty" inventory:"where it is, to find help near it;none-personal;life"`
	Lon    float64 `json:"lon,omitempty" inventory:"where it is, to find help near it;none-personal;life"`
	Placed bool    `json:"placed,omitempty" inventory:"whether its position is known;none-personal;life"`

	UAI     string    `json:"uai,omitempty" inventory:"number of the establishment in the national register;none-personal;life"`
	Address string    `json:"address,omitempty" inventory:"where it is;none-personal;life"`
	Head    string    `json:"head,omitempty" inventory:"mail address of the office of its head, who is asked to agree;public-task;life"`
	Closed  time.Time `json:"closed,omitzero" inventory:"since when it is closed, with its history kept;none-personal;life"`
}

// Space is a part of a site. Meta.Scope is its own id.
type Space struct {
	Name    string `json:"name" inventory:"shown to staff and people;none-personal;life"`
	Contact string `json:"contact,omitempty" inventory:"role to call on an alarm, not a person's name;public-task;life"`

	Closed time.Time `json:"closed,omitzero" inventory:"since when it is closed, with its history kept;none-personal;life"`
}

// TerminalState is whether a terminal may serve.
type TerminalState string

// Terminal states. Waiting terminals are announced but not enrolled.
const (
	StateWaiting     TerminalState = "waiting"
	StateActive      TerminalState = "active"
	StateQuarantined TerminalState = "quarantined"
	StateRevoked     TerminalState = "revoked"
)

// Terminal is one public computer. Meta.ID is its id, Meta.Scope its space.
type Terminal struct {
	Space  string        `json:"space" inventory:"where it stands;none-personal;life"`
	Name   string        `json:"name" inventory:"shown to staff and people;none-personal;life"`
	State  TerminalState `json:"state" inventory:"whether it may serve;none-personal;life"`
	Reason wire.Reason   `json:"reason,omitempty" inventory:"why it is quarantined;none-personal;life"`
	Detail string        `json:"detail,omitempty" inventory:"what the failed check showed, for staff;none-personal;life"`
	Since  time.Time     `json:"since" inventory:"since when it is in this state;none-personal;life"`

	Serials    []string  `json:"serials,omitempty" inventory:"its valid certificates;none-personal;life"`
	Revoked    []string  `json:"revoked,omitempty" inventory:"certificates that no longer open anything;none-personal;life"`
	ReceiptKey []byte    `json:"receiptKey,omitempty" inventory:"public key that verifies its receipts;none-personal;life"`
	Trust      []byte    `json:"trust,omitempty" inventory:"digest of the keys that it believes, as it last said;none-personal;life"`
	PastKeys   [][]byte  `json:"pastKeys,omitempty" inventory:"public keys of its hardware before, which verify older receipts;none-personal;life"`
	Machine    string    `json:"machine,omitempty" inventory:"board or PC model;none-personal;life"`
	Sim        bool      `json:"sim,omitempty" inventory:"simulated hardware;none-personal;life"`
	Enrolled   time.Time `json:"enrolled,omitzero" inventory:"when it got its keys;none-personal;life"`

	Epoch      uint64         `json:"epoch" inventory:"numbering of its records;none-personal;life"`
	Boot       string         `json:"boot,omitempty" inventory:"last boot, to tell clones apart;none-personal;life"`
	Chain      wire.ChainHead `json:"chain" inventory:"last verified receipt;none-personal;life"`
	Forgot     uint64         `json:"forgot,omitempty" inventory:"permits up to this number may be from before a restore;none-personal;life"`
	LastPermit uint64         `json:"lastPermit" inventory:"last permit number granted;none-personal;life"`
	Generation uint64         `json:"generation" inventory:"controller generation of that number;none-personal;life"`
	Owes       string         `json:"owes,omitempty" inventory:"begun session without a verified receipt;none-personal;life"`
	OwedFor    int            `json:"owedFor,omitempty" inventory:"connected seconds since that session began;none-personal;life"`
	Challenge  string         `json:"challenge,omitempty" inventory:"command that asks for a challenge wipe;none-personal;life"`

	Protocol    int        `json:"protocol,omitempty" inventory:"negotiated version;none-personal;life"`
	Build       string     `json:"build,omitempty" inventory:"software version;none-personal;life"`
	LastSeen    time.Time  `json:"lastSeen,omitzero" inventory:"last time it was connected;none-personal;life"`
	Level       wire.Level `json:"level,omitempty" inventory:"isolation last measured;none-personal;life"`
	Missing     []string   `json:"missing,omitempty" inventory:"isolation properties not held;none-personal;life"`
	Policy      uint64     `json:"policy,omitempty" inventory:"policy version applied;none-personal;life"`
	PolicyError string     `json:"policyError,omitempty" inventory:"why a policy was refused;none-personal;life"`

	Called     time.Time `json:"called,omitzero" inventory:"when staff called from it, until somebody takes it on;none-personal;life"`
	Asleep     time.Time `json:"asleep,omitzero" inventory:"when it went off by plan;none-personal;life"` // until it is back
	Wakes      time.Time `json:"wakes,omitzero" inventory:"when its clock wakes it;none-personal;life"`
	Power      string    `json:"power,omitempty" inventory:"what is wrong with how it sleeps;none-personal;life"` // a reason code
	PowerSince time.Time `json:"powerSince,omitzero" inventory:"since when;none-personal;life"`
}

// EnrolCode is a one-time code, found by wire.CodeID of it (Meta.ID). The code
// itself has to be kept: it is the HMAC key of both proofs, also of a retry
// whose first answer was lost. The row is deleted a day after Expires.
type EnrolCode struct {
	Secret   []byte    `json:"secret,omitempty" inventory:"key of the enrolment proofs;none-personal;minutes"`
	Space    string    `json:"space" inventory:"where the terminal will stand;none-personal;minutes"`
	Name     string    `json:"name" inventory:"name of the terminal to be;none-personal;minutes"`
	Replaces string    `json:"replaces,omitempty" inventory:"terminal whose hardware is replaced;none-personal;minutes"`
	By       string    `json:"by" inventory:"user who made the code;public-task;audit"`
	Created  time.Time `json:"created" inventory:"when it was made;none-personal;minutes"`
	Expires  time.Time `json:"expires" inventory:"end of validity, 15 minutes;none-personal;minutes"`
	Used     time.Time `json:"used,omitzero" inventory:"when it was used;none-personal;minutes"`
	Keys     []byte    `json:"keys,omitempty" inventory:"digest of the requests it was used with: only they may retry;none-personal;minutes"`
	Terminal string    `json:"terminal,omitempty" inventory:"terminal that it enrolled;none-personal;minutes"`
	Cert     []byte    `json:"cert,omitempty" inventory:"certificate issued, for a retry;none-personal;minutes"`
	Uses     int       `json:"uses,omitempty" inventory:"how often it was answered;none-personal;minutes"`
	Wrong    int       `json:"wrong,omitempty" inventory:"wrong proofs that came for it: too many end it;none-personal;minutes"`
}

// CodeMinutes is how long an enrolment code is valid.
const CodeMinutes = 15

// PolicyRow is one layer of policy. Meta.ID is PolicyGlobal or the id of the
// site, space or terminal that it is for. Layers are merged (RFC 7396) from the
// whole Département down to the terminal.
type PolicyRow struct {
	Layer   string          `json:"layer" inventory:"global, site, space or terminal;none-personal;life"`
	Doc     json.RawMessage `json:"doc" inventory:"merge patch over the layer above, whose agreements may name who holds a key;public-task;life"`
	Version uint64          `json:"version" inventory:"rises with each change in the controller;none-personal;life"`
	Changed time.Time       `json:"changed" inventory:"when it changed;none-personal;life"`
	By      string          `json:"by" inventory:"user who changed it;public-task;audit"`
}

// ListRow is one category's list, as it was imported last. Meta.ID is the
// category; the names themselves are in no table.
type ListRow struct {
	Digest    string    `json:"digest" inventory:"which file holds it;none-personal;life"`
	Names     int       `json:"names" inventory:"how many names it refuses;none-personal;life"`
	URLs      int       `json:"urls" inventory:"how many addresses of pages it had, which are not enforced;none-personal;life"`
	Addresses int       `json:"addresses" inventory:"how many IP addresses it had, which are not enforced;none-personal;life"`
	Unread    int       `json:"unread" inventory:"how many lines were no name;none-personal;life"`
	Bytes     int64     `json:"bytes" inventory:"size of its file;none-personal;life"`
	Version   uint64    `json:"version" inventory:"rises with each change in the controller;none-personal;life"`
	Imported  time.Time `json:"imported" inventory:"when it was imported;none-personal;life"`
}

// PolicyGlobal is the id of the layer under all others.
const PolicyGlobal = "global"

// SessionRow is one person's use. Meta.ID is TimeID of its begin and id,
// Meta.Scope the terminal.
type SessionRow struct {
	Session  string      `json:"session" inventory:"random id, never an identity;public-task;usage"`
	Terminal string      `json:"terminal" inventory:"where it was;public-task;usage"`
	Permit   string      `json:"permit" inventory:"permit consumed;public-task;usage"`
	N        uint64      `json:"n" inventory:"that permit's number;public-task;usage"`
	Profile  string      `json:"profile" inventory:"category of terminal, for reports;public-task;usage"`
	Lang     string      `json:"lang" inventory:"language chosen, for reports;public-task;usage"`
	Policy   uint64      `json:"policy" inventory:"policy in force;public-task;usage"`
	Holder   string      `json:"holder,omitempty" inventory:"pseudonym of the badge, unlinkable between months;public-task;usage"`
	Begun    time.Time   `json:"begun" inventory:"when it began;public-task;usage"`
	Unsure   bool        `json:"unsure,omitempty" inventory:"the clock was not trusted;public-task;usage"`
	Ended    time.Time   `json:"ended,omitzero" inventory:"when it ended;public-task;usage"`
	Reason   wire.Reason `json:"reason,omitempty" inventory:"why it ended;public-task;usage"`
	Seconds  int         `json:"seconds,omitempty" inventory:"length;public-task;usage"`
	Active   int         `json:"active,omitempty" inventory:"length with input;public-task;usage"`
	Pages    int         `json:"pages,omitempty" inventory:"pages printed;public-task;usage"`
	Prints   int         `json:"prints,omitempty" inventory:"how many print jobs;public-task;usage"` // that it told of: Pages is their sum then
	Wipes    int         `json:"wipes,omitempty" inventory:"attempts until the wipe succeeded;public-task;usage"`
	WipeMS   int         `json:"wipeMs,omitempty" inventory:"length of the wipe;public-task;usage"`
	Receipt  string      `json:"receipt,omitempty" inventory:"id of its verified receipt;public-task;usage"`
}

// Verdict is what became of a receipt.
type Verdict string

// Verdicts.
const (
	VerdictAccepted Verdict = "accepted"
	VerdictRejected Verdict = "rejected"
)

// ReceiptRow is one receipt as it came. Meta.ID is TimeID of its arrival's
// record and its digest, Meta.Scope the terminal.
type ReceiptRow struct {
	Terminal string           `json:"terminal" inventory:"who sent it;none-personal;security"`
	Envelope wire.Envelope    `json:"envelope" inventory:"verbatim evidence of the wipe;public-task;security"`
	Digest   string           `json:"digest" inventory:"SHA-256 of the payload, hex;none-personal;security"`
	Kind     wire.ReceiptKind `json:"kind" inventory:"session or challenge;none-personal;security"`
	Session  string           `json:"session,omitempty" inventory:"session wiped;public-task;security"`
	Permit   string           `json:"permit,omitempty" inventory:"permit that it repeats;none-personal;security"`
	Chained  bool             `json:"chained,omitempty" inventory:"authentic and in its place of the chain;none-personal;security"`
	Segment  uint64           `json:"segment" inventory:"place in the chain;none-personal;security"`
	Index    uint64           `json:"index" inventory:"place in the chain;none-personal;security"`
	At       time.Time        `json:"at" inventory:"when it came to be, by the terminal's clock;none-personal;security"`
	Level    wire.Level       `json:"level,omitempty" inventory:"isolation it states;none-personal;security"`
	Verdict  Verdict          `json:"verdict" inventory:"outcome of the verification;none-personal;security"`
	Reason   wire.Reason      `json:"reason,omitempty" inventory:"why it was rejected;none-personal;security"`
	Detail   string           `json:"detail,omitempty" inventory:"what was wrong, for staff;none-personal;security"`
}

// PermitState is what became of a permit.
type PermitState string

// Permit states.
const (
	PermitGranted  PermitState = "granted"
	PermitConsumed PermitState = "consumed"
	PermitProven   PermitState = "proven" // its session's receipt was accepted
	PermitVoid     PermitState = "void"   // expired, or its terminal changed keys
)

// PermitRow is one permit. Meta.ID is its id, Meta.Scope the terminal.
type PermitRow struct {
	Terminal   string        `json:"terminal" inventory:"who may use it;none-personal;security"`
	N          uint64        `json:"n" inventory:"rising number;none-personal;security"`
	Nonce      []byte        `json:"nonce" inventory:"what its receipt must repeat;none-personal;security"`
	Granted    time.Time     `json:"granted" inventory:"when it was granted;none-personal;security"`
	NotAfter   time.Time     `json:"notAfter" inventory:"end of validity;none-personal;security"`
	Generation uint64        `json:"generation" inventory:"controller generation;none-personal;security"`
	State      PermitState   `json:"state" inventory:"what became of it;none-personal;security"`
	Session    string        `json:"session,omitempty" inventory:"session that consumed it;public-task;security"`
	Receipt    string        `json:"receipt,omitempty" inventory:"digest of the receipt that proves it;none-personal;security"`
	Envelope   wire.Envelope `json:"envelope" inventory:"as it was signed, to send again;none-personal;security"`
}

// CommandStatus is what became of a command.
type CommandStatus string

// Command statuses.
const (
	CommandPending   CommandStatus = "pending"
	CommandDelivered CommandStatus = "delivered"
	CommandDone      CommandStatus = "done"
	CommandRefused   CommandStatus = "refused"
	CommandExpired   CommandStatus = "expired"
)

// CommandRow is one command. Meta.ID is its id, Meta.Scope the terminal.
type CommandRow struct {
	Terminal string           `json:"terminal" inventory:"whom it is for;none-personal;audit"`
	Kind     wire.CommandKind `json:"kind" inventory:"what is asked;none-personal;audit"`
	Text     string           `json:"text,omitempty" inventory:"message shown to people;public-task;audit"`
	Reason   wire.Reason      `json:"reason,omitempty" inventory:"why;none-personal;audit"`
	Nonce    []byte           `json:"nonce,omitempty" inventory:"what a challenge's receipt must repeat;none-personal;security"`
	By       string           `json:"by,omitempty" inventory:"user who asked, empty for the controller;public-task;audit"`
	Issued   time.Time        `json:"issued" inventory:"when;none-personal;audit"`
	NotAfter time.Time        `json:"notAfter" inventory:"end of validity;none-personal;audit"`
	Status   CommandStatus    `json:"status" inventory:"what became of it;none-personal;audit"`
	Answer   string           `json:"answer,omitempty" inventory:"why the terminal refused;none-personal;audit"`
	Changed  time.Time        `json:"changed,omitzero" inventory:"when the status changed;none-personal;audit"`
	Envelope wire.Envelope    `json:"envelope" inventory:"as it was signed, to send again;none-personal;audit"`
}

// User is a member of staff who logs in. Meta.ID is the id.
type User struct {
	Name     string    `json:"name" inventory:"shown in the audit;public-task;account"`
	Email    string    `json:"email,omitempty" inventory:"to reach them;public-task;account"`
	Role     string    `json:"role" inventory:"what they may do;public-task;account"`
	Sites    []string  `json:"sites,omitempty" inventory:"where they may do it, empty for everywhere;public-task;account"`
	Groups   []string  `json:"groups,omitempty" inventory:"groups of sites where they may do it;public-task;account"`
	Disabled bool      `json:"disabled,omitempty" inventory:"no longer logs in;public-task;account"`
	Created  time.Time `json:"created" inventory:"when the account was made;public-task;account"`
	LastSeen time.Time `json:"lastSeen,omitzero" inventory:"to close unused accounts;public-task;account"`
}

// Login is a one-time link or a session of the console. Meta.ID is the hex
// SHA-256 of the token, which is kept nowhere.
type Login struct {
	Use     string    `json:"use" inventory:"link or session;public-task;account"`
	User    string    `json:"user" inventory:"whose;public-task;account"`
	Created time.Time `json:"created" inventory:"when;public-task;account"`
	Expires time.Time `json:"expires" inventory:"end of validity;public-task;account"`
	Used    time.Time `json:"used,omitzero" inventory:"a link works once;public-task;account"`
	Hint    string    `json:"hint,omitempty" inventory:"the provider's token, to log out there too;public-task;account"`
}

// AuditEntry is one link of the hash chain. Meta.ID is Seq in 20 digits.
type AuditEntry struct {
	Seq    uint64    `json:"seq" inventory:"place in the chain;none-personal;audit"`
	At     time.Time `json:"at" inventory:"when;public-task;audit"`
	Actor  string    `json:"actor" inventory:"user, or the controller;public-task;audit"`
	Action string    `json:"action" inventory:"what was done;public-task;audit"`
	Target string    `json:"target,omitempty" inventory:"to what;public-task;audit"`
	Detail string    `json:"detail,omitempty" inventory:"what changed, and from which address a login came;public-task;audit"`
	Prev   []byte    `json:"prev,omitempty" inventory:"hash of the entry before;none-personal;audit"`
	Hash   []byte    `json:"hash" inventory:"hash of this entry;none-personal;audit"`
}

// RecordRow is a record that has no table of its own, unknown kinds included.
// Meta.ID is TimeID of its time and its place, Meta.Scope the terminal.
type RecordRow struct {
	Terminal string      `json:"terminal" inventory:"who sent it;none-personal;technical"`
	Record   wire.Record `json:"record" inventory:"boots, refusals, alerts and kinds of newer terminals, as they came;public-task;technical"`
}

// DeviceRow is the health of one device. Meta.ID is terminal/name.
type DeviceRow struct {
	Terminal string    `json:"terminal" inventory:"where it is;none-personal;life"`
	Name     string    `json:"name" inventory:"its role;none-personal;life"`
	Device   string    `json:"device" inventory:"driver and address;none-personal;life"`
	Health   string    `json:"health" inventory:"how it is;none-personal;life"`
	Error    string    `json:"error,omitempty" inventory:"what is wrong;none-personal;life"`
	Since    time.Time `json:"since" inventory:"since when;none-personal;life"`
}

// Rollup counts one terminal's day, so that reports read few rows. Meta.ID is
// RollupID, Meta.Scope the terminal.
type Rollup struct {
	Day      string         `json:"day" inventory:"local day;none-personal;life"`
	Terminal string         `json:"terminal" inventory:"where;none-personal;life"`
	Sessions int            `json:"sessions" inventory:"how many;none-personal;life"`
	Seconds  int            `json:"seconds" inventory:"total length;none-personal;life"`
	Active   int            `json:"active" inventory:"total length with input;none-personal;life"`
	Pages    int            `json:"pages" inventory:"pages printed;none-personal;life"`
	Sheets   int            `json:"sheets,omitempty" inventory:"sheets of paper;none-personal;life"`
	Colour   int            `json:"colour,omitempty" inventory:"pages printed in colour;none-personal;life"`
	Prints   int            `json:"prints,omitempty" inventory:"how many print jobs;none-personal;life"`
	Wipes    int            `json:"wipes" inventory:"receipts accepted;none-personal;life"`
	Refusals int            `json:"refusals" inventory:"how many were not admitted;none-personal;life"`
	Filtered map[string]int `json:"filtered,omitempty" inventory:"how often a site was refused, by category of protection;none-personal;life"`
	Ends     map[string]int `json:"ends,omitempty" inventory:"count by reason of end;none-personal;life"`
	Refused  map[string]int `json:"refused,omitempty" inventory:"count by reason of refusal;none-personal;life"`

	// Visits are sessions that opened. All of these count one on the day on which
	// it ended, but Use, which is of its own day.
	Visits   int            `json:"visits,omitempty" inventory:"how many sessions opened;none-personal;life"`
	Stay     int            `json:"stay,omitempty" inventory:"total length of these;none-personal;life"`
	Unsure   int            `json:"unsure,omitempty" inventory:"how many of these have no hour, for want of a clock;none-personal;life"`
	Outside  int            `json:"outside,omitempty" inventory:"how many of these began outside school or office hours;none-personal;life"`
	Badged   int            `json:"badged,omitempty" inventory:"how many of these had a badge;none-personal;life"`
	Hours    ByHour         `json:"hours,omitzero" inventory:"how many of these began, by hour;none-personal;life"`
	Use      ByHour         `json:"use,omitzero" inventory:"seconds of use, by hour;none-personal;life"`
	Lengths  ByLength       `json:"lengths,omitzero" inventory:"how many of these, by class of length;none-personal;life"`
	Langs    map[string]int `json:"langs,omitempty" inventory:"how many of these, by language;none-personal;life"`
	Profiles map[string]int `json:"profiles,omitempty" inventory:"how many of these, by category of terminal;none-personal;life"`
	Help     int            `json:"help,omitempty" inventory:"how many times help was asked for;none-personal;life"`
	Smiles   map[string]int `json:"smiles,omitempty" inventory:"how people said that it went;none-personal;life"`
}

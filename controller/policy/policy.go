// Package policy holds what a terminal is allowed: limits, opening hours,
// sites, printing and isolation. It is pure, and both sides use it: the
// controller to check and preview, the terminal to obey.
package policy

// Policy is everything that one space's terminals obey. The controller signs
// its JSON; a terminal keeps the last one that it could apply.
type Policy struct {
	Version   uint64       `json:"version"`
	Profile   string       `json:"profile"` // parents, open, …
	Languages []string     `json:"languages"`
	Session   Session      `json:"session"`
	Hours     Hours        `json:"hours"`
	Access    Access       `json:"access"`
	Web       Web          `json:"web"`
	Portal    Portal       `json:"portal"`
	Printing  Printing     `json:"printing"`
	Printer   NamedPrinter `json:"printer"`
	Team      Team         `json:"team"`
	PIN       PIN          `json:"pin,omitzero" hidden:"true"` // set by an operation of its own; no answer of the API has it
	Permits   Permits      `json:"permits"`
	Isolation Isolation    `json:"isolation"`
	Keyboard  Keyboard     `json:"keyboard"`
	Network   Network      `json:"network"`
	Filter    Filter       `json:"filter"`
	Energy    Energy       `json:"energy"`
	Notice    Notice       `json:"notice"`
	Help      Help         `json:"help"`
}

// Session limits one person's use.
type Session struct {
	Minutes       int   `json:"minutes"`       // given at admission
	ExtendMinutes int   `json:"extendMinutes"` // added when time ends and another terminal of the space is free
	MaxMinutes    int   `json:"maxMinutes"`    // never more, extensions included
	MinMinutes    int   `json:"minMinutes"`    // nobody is admitted for less, before closing
	WarnMinutes   []int `json:"warnMinutes"`   // remaining time at which the person is told
	IdleSeconds   int   `json:"idleSeconds"`   // without input until the idle warning
	GraceSeconds  int   `json:"graceSeconds"`  // idle warning's length; 60 by default
	UploadSeconds int   `json:"uploadSeconds"` // how long an end waits for an upload; 0 for none
	ThanksSeconds int   `json:"thanksSeconds"` // how long the end screen stays
}

// Access says who may begin.
type Access struct {
	BadgeRequired bool `json:"badgeRequired"` // needs one of the ways below as well
	// AnyBadge: any badge opens a session, known or not, but for those that staff
	// declared lost or stopped and those that are expired. While the controller
	// cannot be asked, these open one too.
	AnyBadge bool `json:"anyBadge"`
	// KnownBadges: the badges of the directory open a session. The terminal asks
	// the controller at each tap; while it cannot, its answers of the last hours
	// count again.
	KnownBadges bool `json:"knownBadges"`
	// TrustOffline: while the controller cannot be asked, a badge that was not
	// seen here lately opens a session too, lost or not.
	TrustOffline bool `json:"trustOffline"`
	DayCodes     bool `json:"dayCodes"` // a printed code opens one session
	// Proof is what a badge must prove: a number can be copied.
	Proof Proof `json:"proof,omitempty"`
}

// Proof is what badges must prove.
type Proof string

// Proofs, weakest first.
const (
	ProofNone    Proof = ""        // their number is enough
	ProofMessage Proof = "message" // a message that changes at each reading (NTAG 424 DNA)
	ProofKeys    Proof = "keys"    // mutual authentication
)

// Web says where a session may go.
type Web struct {
	Allowed    []string `json:"allowed"` // URL patterns of Chromium's URLAllowlist; empty: the whole web but Blocked
	Blocked    []string `json:"blocked"`
	Downloads  bool     `json:"downloads"` // to the session's own memory
	Uploads    bool     `json:"uploads"`
	Popups     bool     `json:"popups"`
	Camera     bool     `json:"camera"`
	ThirdParty bool     `json:"thirdPartyCookies"` // some démarches sign in through frames
}

// Portal is the page a session opens on.
type Portal struct {
	Title string `json:"title"`
	Tiles []Tile `json:"tiles"`
}

// Tile is one useful service.
type Tile struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	Hint string `json:"hint"` // one short sentence in French
	Icon string `json:"icon"` // name of an icon in ui/shared
}

// Permits bound what a terminal may do without the controller.
type Permits struct {
	Prefetch      int `json:"prefetch"`      // held at most
	ValidHours    int `json:"validHours"`    // while the clock is trusted
	ReceiptWithin int `json:"receiptWithin"` // minutes after a session began, while connected, until its receipt is missing; covers MaxMinutes
}

// Isolation says what the site insists on.
type Isolation struct {
	RequireFull bool `json:"requireFull"`
	MemoryMB    int  `json:"memoryMb"`
	TmpfsMB     int  `json:"tmpfsMb"`
	MaxProcs    int  `json:"maxProcs"`
}

// Keyboard is set for each session anew.
type Keyboard struct {
	Layout  string `json:"layout"` // XKB, "fr" for AZERTY
	Variant string `json:"variant"`
	NumLock bool   `json:"numLock"`
}

// Filter says which names a session's resolver refuses. A terminal without the
// list of a category named here opens no session: a protection that is asked for
// is there, or nobody sits before its lack.
type Filter struct {
	Categories []Category `json:"categories"`
	Allow      []string   `json:"allow"` // names let through, with all below them, whatever a list says
	Block      []string   `json:"block"` // names refused beside the lists, with all below them
}

// Category is one list of names.
type Category struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // of the list now imported, SHA-256 in hex: the controller writes it
}

// Default is a policy that works in a place open on weekdays.
func Default() Policy {
	day := []Span{{From: 8 * 60, To: 18 * 60}}
	return Policy{
		Profile:   "open",
		Languages: Languages(),
		Session: Session{Minutes: 45, ExtendMinutes: 15, MaxMinutes: 120, MinMinutes: 5, WarnMinutes: []int{10, 5, 1},
			IdleSeconds: 180, GraceSeconds: 60, UploadSeconds: 10, ThanksSeconds: 20},
		Hours: Hours{Weekly: Week{{}, day, day, day, day, day, {}}, School: School{Zone: ZoneA}, Public: Public{Mode: ModeClosed}},
		Web:   Web{Downloads: true, Uploads: true, Popups: true, ThirdParty: true},
		Portal: Portal{Title: "Vos démarches en ligne", Tiles: []Tile{
			{Name: "CAF", URL: "https://www.caf.fr/", Hint: "Allocations, logement, garde d’enfants", Icon: "family"},
			{Name: "France Travail", URL: "https://www.francetravail.fr/", Hint: "Emploi, inscription, indemnisation", Icon: "work"},
			{Name: "ameli", URL: "https://www.ameli.fr/", Hint: "Santé, remboursements, attestation de droits", Icon: "health"},
			{Name: "Impôts", URL: "https://www.impots.gouv.fr/", Hint: "Déclarer, payer, avis d’impôt", Icon: "tax"},
			{Name: "Service-Public", URL: "https://www.service-public.fr/", Hint: "Papiers, famille, droits", Icon: "paper"},
			{Name: "Haute-Savoie", URL: "https://www.hautesavoie.fr/", Hint: "Aides et services du Département", Icon: "place"},
		}},
		Printing:  DefaultPrinting(),
		Team:      DefaultTeam(),
		Permits:   Permits{Prefetch: 4, ValidHours: 72, ReceiptWithin: 150},
		Isolation: Isolation{MemoryMB: 1500, TmpfsMB: 512, MaxProcs: 400},
		Keyboard:  Keyboard{Layout: "fr", NumLock: true},
		Energy:    DefaultEnergy(),
		Help:      Help{Near: 4},
	}
}

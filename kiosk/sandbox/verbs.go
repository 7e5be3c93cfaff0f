// Package sandbox is what the agent and the warden say to each other: a few
// typed verbs over one socket, and the evidence that comes back. The warden
// trusts nothing in them: ids are checked, sizes are capped, and only
// constants of its own reach a command line, a path or a uid.
package sandbox

import (
	"time"

	"borne/controller/wire"
)

// MaxFrame bounds one request or answer, in bytes: a policy as large as may come
// over the network, and what stands around it.
const MaxFrame = wire.MaxFrame + 4<<10

// Request asks the warden for one thing: exactly one verb is set.
type Request struct {
	ID      uint64   `json:"id"` // repeated in the answer
	Prepare *Prepare `json:"prepare,omitempty"`
	Admit   *Admit   `json:"admit,omitempty"`
	Wipe    *Wipe    `json:"wipe,omitempty"`
	Sign    *Sign    `json:"sign,omitempty"`
	Forget  *Forget  `json:"forget,omitempty"`
	Shell   *Shell   `json:"shell,omitempty"`
	Survey  *Survey  `json:"survey,omitempty"`
	CSR     *CSR     `json:"csr,omitempty"`
	Believe *Believe `json:"believe,omitempty"`
	Beat    *Beat    `json:"beat,omitempty"`
	Power   *Power   `json:"power,omitempty"`
	Start   *Start   `json:"start,omitempty"`
	Ports   *Ports   `json:"ports,omitempty"`
	Govern  *Govern  `json:"govern,omitempty"`
	Wake    *Wake    `json:"wake,omitempty"`
	Halt    *Halt    `json:"halt,omitempty"`
	Line    *Line    `json:"line,omitempty"`
}

// Answer answers the request of the same id. File descriptors that a verb
// hands over travel beside it (SCM_RIGHTS).
type Answer struct {
	ID      uint64          `json:"id"`
	Error   string          `json:"error,omitempty"` // begins "cannot …"
	Sandbox *Info           `json:"sandbox,omitempty"`
	Wiped   *Evidence       `json:"wiped,omitempty"`
	Receipt *wire.Envelope  `json:"receipt,omitempty"`
	Head    *wire.ChainHead `json:"head,omitempty"`
	Survey  *Surveyed       `json:"survey,omitempty"`
	CSR     []byte          `json:"csr,omitempty"`
	Setup   *Setup          `json:"setup,omitempty"`
	Power   *Powered        `json:"power,omitempty"`
	Event   *Event          `json:"event,omitempty"` // unasked (id 0)
}

// Prepare makes a standby: namespaces, display, browser on its portal, no
// network link, no input. What it may do is worked out by the warden itself, out
// of a policy that the controller signed: the agent chooses none of it.
// At most one is prepared beside one admitted: an earlier standby goes.
// Answer: Info, and descriptors: the browser's debugging pipe (read, write), and
// a channel to the press (see FromFile), where there is one.
type Prepare struct {
	Policy wire.Envelope `json:"policy"` // wire.DomainPolicy, verbatim
	Lang   string        `json:"lang"`   // BCP 47, for the browser's language
	Width  int           `json:"width"`  // pixels of the session's display
	Height int           `json:"height"`
	Window uint32        `json:"window"` // X window of the agent's that the display is drawn into
	// Probe makes one that nobody is ever admitted to: its browser may tell what it
	// makes of its policy. The next Prepare takes it away.
	Probe bool `json:"probe,omitempty"`
}

// Believe hands over the keys that sign policies from now on (wire.DomainKeys),
// signed by one that the warden believes already.
type Believe struct {
	Keys wire.Envelope `json:"keys"`
}

// Line has the terminal's cable and Wi-Fi set as a signed policy says; with none
// they are as they were installed. It waits behind no other verb, and none behind
// it; a second one meanwhile is refused.
type Line struct {
	Policy *wire.Envelope `json:"policy,omitempty"` // wire.DomainPolicy, verbatim
}

// PortalPath is where the portal's page lies inside a sandbox.
const PortalPath = "/run/borne/portal/index.html"

// Admit turns the standby into a person's session: link up, canaries planted.
type Admit struct {
	Sandbox string `json:"sandbox"`
	Session string `json:"session"`
}

// Wipe destroys every sandbox there is, whoever made it, and examines what is
// left. It is idempotent, and what a start after a power cut calls first. A
// first attempt may leave the standby that waits beside the session.
type Wipe struct {
	Session string `json:"session"` // whose evidence this is; empty for a challenge
	Attempt int    `json:"attempt"`
	// Web is the marker (16 to 128 letters, digits, "_" or "-") that the agent
	// planted in the session's browser after the person's last input; empty for
	// none. The warden looks for it itself, before and after.
	Web string `json:"web,omitempty"`
	// Keep names the standby that is to be left for the next person. The warden
	// leaves it only if nobody ever used it and the session's own sandbox lives,
	// and lets nobody have it before it has searched it for the session's canaries.
	Keep string `json:"keep,omitempty"`
}

// Sign makes the receipt of the last Wipe of Session. Asking again with the
// same permit gives the same bytes; another claim on that permit is refused.
type Sign struct {
	Kind     wire.ReceiptKind `json:"kind"`
	Terminal string           `json:"terminal"`
	Session  string           `json:"session"`
	Permit   string           `json:"permit"` // the command's id for a challenge
	Nonce    []byte           `json:"nonce"`
	At       time.Time        `json:"at"`
	Unsure   bool             `json:"unsure"`
	NewChain bool             `json:"newChain"` // start a segment: a challenge after a break
}

// Forget tells the warden that the agent has committed the receipt of Permit.
type Forget struct {
	Permit string `json:"permit"`
}

// Shell starts the shell's browser, as its own uid, in its own mount
// namespace, with the shell's policy. Answer: its debugging pipe (two
// descriptors). An earlier one is killed first.
type Shell struct {
	Origin string `json:"origin"` // http://127.0.0.1:port, the only address it may open
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Lang   string `json:"lang"`
}

// Survey asks which properties of full isolation hold here, and what is
// missing. It builds and destroys a probe sandbox; it is run at start.
type Survey struct{}

// CSR asks for a certificate request signed by the receipt key (PKCS #10, DER).
type CSR struct{}

// Beat tells that the owner of the session still works. It waits behind no
// other verb.
type Beat struct {
	Shown bool `json:"shown"` // the shell's page is on the screen
}

// Power ends the warden at once, and everything with it, as a power cut would.
// It is refused unless the terminal is simulated, and has no answer then.
type Power struct{}

// Start asks what an agent has to work with: its first verb. Answer: Setup.
type Start struct{}

// Setup is what an agent works with. It comes this way and not by its
// environment: the configuration's file may hold the proxy's password, and
// only root reads it.
type Setup struct {
	Config    []byte `json:"config"` // the file's text
	Sim       bool   `json:"sim"`
	Display   string `json:"display"`   // the outer X server
	Authority string `json:"authority"` // the agent's cookie for it
	Scratch   string `json:"scratch"`   // folder for passing files
}

// Ports says whether staff have put the terminal out of service: only then a
// keyboard or mouse that is plugged in is taken for the terminal's own. It is
// false until said, and when the agent dies.
type Ports struct {
	Open bool `json:"open"`
}

// Info describes a sandbox.
type Info struct {
	Sandbox string          `json:"sandbox"` // id given by the warden
	UID     int             `json:"uid"`
	Level   wire.Level      `json:"level"`
	Props   []wire.Property `json:"props"`
	Display string          `json:"display"`
}

// Evidence is what a wipe found.
type Evidence struct {
	Session string          `json:"session"`
	Checks  []wire.Check    `json:"checks"`
	Level   wire.Level      `json:"level"`
	Props   []wire.Property `json:"props"`
	Millis  int             `json:"millis"`
	Failure string          `json:"failure,omitempty"` // why it proves nothing; empty when clean
}

// Surveyed is what this machine can do.
type Surveyed struct {
	Level    wire.Level      `json:"level"`
	Props    []wire.Property `json:"props"`
	Chromium string          `json:"chromium"` // version; empty when missing
}

// Event is something the warden saw unasked.
type Event struct {
	Sandbox string `json:"sandbox,omitempty"`
	Kind    string `json:"kind"` // sandbox-lost, shell-lost, refused, or a code that begins with usb-, for staff
	Detail  string `json:"detail,omitempty"`
	// Of refused: a site of which category, and how often. Never a name.
	Category string `json:"category,omitempty"`
	Count    int    `json:"count,omitempty"`
}

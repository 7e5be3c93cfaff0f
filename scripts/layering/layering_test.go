package layering

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "borne/"

// may lists, for each room, the rooms it may import. A room that is not here
// fails the test: say what it may import before it exists. Direction:
// main → facade → rooms → {wire, policy, session, hw, ui}. A path that ends in
// "/…" stands for every package below.
var may = map[string][]string{
	// Leaves: nothing of ours.
	"controller/wire":   nil,
	"controller/policy": nil,
	"hw":                nil,

	// Hardware: drivers know the contracts, and nothing of the terminal.
	"hw/…": {"hw", "hw/…"},

	// The terminal.
	"kiosk/session": {"controller/wire"},                                  // reasons and record bodies are its words
	"kiosk/sandbox": {"controller/wire"},                                  // evidence is made of receipts' parts
	"kiosk/energy":  {"controller/wire", "controller/policy", "hw"},       // the plan is policy's, what was used is wire's, screen and relay are hardware
	"kiosk/notify":  nil,                                                  // sd_notify
	"kiosk/config":  {"hw", "hw/usb", "kiosk/cupsd"},                      // device names, USB classes and addresses of printers are checked when the file is read
	"kiosk/journal": {"controller/wire", "kiosk/session", "kiosk/uplink"}, // it is the uplink's outbox
	"kiosk/uplink":  {"controller/wire"},                                  //
	"kiosk/shell":   nil,                                                  // its pages come as an fs.FS
	// Printing. The press and its counter live in the session's sandbox; the agent never sees a document.
	"kiosk/ipp":      nil,                                                                                                                          // IPP within limits, for both ends of it
	"kiosk/printing": {"controller/wire", "kiosk/printjob"},                                                                                        // reasons and record bodies; tickets and how they count
	"kiosk/printjob": nil,                                                                                                                          // what both sides say to each other
	"kiosk/press":    {"kiosk/ipp", "kiosk/printjob", "kiosk/sandbox", "kiosk/printer", "kiosk/count", "kiosk/peer", "kiosk/sealed"},               // sandbox: frames with descriptors; printer: it sends documents itself; count: who counts them
	"kiosk/count":    {"kiosk/confine", "kiosk/pdf", "kiosk/peer", "kiosk/ppm", "kiosk/printjob", "kiosk/raster", "kiosk/sandbox", "kiosk/sealed"}, // it reads foreign documents, in processes that can do nothing else
	"kiosk/confine":  nil,                                                                                                                          // takes a process's rights away
	"kiosk/pdf":      nil,                                                                                                                          // pages of a PDF
	"kiosk/pdf/…":    nil,                                                                                                                          // PDFs for tests
	"kiosk/raster":   nil,                                                                                                                          // pages of PWG Raster and URF
	"kiosk/ppm":      nil,                                                                                                                          // small pictures
	"kiosk/sealed":   nil,                                                                                                                          // memory that nobody changes any more
	"kiosk/peer":     {"kiosk/sandbox"},                                                                                                            // who is at the other end of a socket; frames over it
	"kiosk/stage":    {"kiosk/x11"},                                                                                                                // connects to displays
	"kiosk/x11":      nil,                                                                                                                          // displays of this machine
	"kiosk/preview":  {"kiosk/count", "kiosk/peer", "kiosk/ppm", "kiosk/printjob", "kiosk/sandbox", "kiosk/sealed", "kiosk/x11"},                   // paints on the session's display what the counter drew
	"kiosk/browser":  {"controller/policy", "ui/catalogues"},                                                                                       // makes Chromium's policy from ours
	"kiosk/warden":   {"controller/wire", "controller/policy", "kiosk/sandbox"},                                                                    // root: as little as can be; policies, because it takes nobody's word for one
	"kiosk/bench":    {"hw/sim"},                                                                                                                   // the simulator's web page
	"kiosk/doctor":   {"controller/wire", "kiosk/config", "kiosk/sandbox", "kiosk/uplink", "hw", "hw/usb", "ui/catalogues"},                        // checks what the others need, and tells what mends it in the words of the console
	"kiosk/agent":    {"controller/wire", "controller/policy", "hw", "kiosk/session", "kiosk/journal", "kiosk/sandbox", "kiosk/uplink", "kiosk/shell", "kiosk/browser", "kiosk/stage", "kiosk/printing", "kiosk/printjob", "kiosk/energy"},
	"kiosk/agent/…":  {"controller/wire", "controller/policy", "hw", "kiosk/…", "kiosk/agent/…"}, // stubs for tests
	"kiosk/cli":      {"controller/wire", "controller/policy", "hw", "hw/…", "kiosk/…", "ui/…"},  // wires the roles together; policy: what a sandbox is made of
	"kiosk":          {"kiosk/cli"},
	"ui/terminal":    nil,
	"ui/console":     nil,
	"ui/catalogues":  nil,

	// The real printer, and printers for tests. How it stands is the status' word.
	"kiosk/printer":   {"controller/wire", "kiosk/ipp", "kiosk/printjob"},
	"kiosk/printer/…": {"kiosk/ipp"},
	"kiosk/cupsd":     nil, // the queue before a printer that knows no IPP

	// The terminal's copies of lists of names, for what a policy asks.
	"kiosk/network":   {"controller/policy", "kiosk/network/…"}, // root's: the line that rules want, checked once more
	"kiosk/network/…": {},
	"kiosk/lists":     {"controller/wire", "controller/policy", "kiosk/sandbox"},

	// The session's DNS server: the warden's orders and lists of names are all that it knows.
	"kiosk/resolver": {"controller/wire", "kiosk/sandbox"},

	// The controller.
	"controller/store":       {"controller/wire"},
	"controller/store/…":     {"controller/wire", "controller/store", "controller/store/…"},
	"controller/pki":         {"controller/wire"},
	"controller/audit":       {"controller/store"},
	"controller/accounts":    {"controller/store", "controller/audit"},                                                                   // who logs in is recorded in the same transaction
	"controller/oidc":        nil,                                                                                                        // an OpenID provider: who somebody is, and not what they may do
	"controller/oidc/…":      nil,                                                                                                        // a real one, for tests
	"controller/directory":   {"controller/store", "controller/wire", "controller/audit", "controller/policy", "controller/requisition"}, // terminals ask it about badges; what staff do to a badge is recorded; what a hold names is not erased; a group is named as printing rules can name it
	"controller/passkeys":    nil,                                                                                                        // answers of authenticators
	"controller/passkeys/…":  nil,                                                                                                        // an authenticator in software, for tests
	"controller/ldap":        nil,                                                                                                        // a directory: who is staff still
	"controller/ldap/…":      nil,                                                                                                        // a real one, for tests
	"controller/mail":        {"controller/store"},
	"controller/compliance":  {"controller/wire", "controller/policy", "controller/store", "controller/mail", "controller/requisition", "controller/notice"}, // traffic data is dropped unless a decision is on; who is told of an alarm is told in the transaction that files the record
	"controller/report":      {"controller/wire", "controller/policy", "controller/store", "controller/compliance"},                                          // what a terminal says of its power, and what its hours and plan want of it; compliance: which hours held when
	"controller/requisition": {"controller/store", "controller/audit"},                                                                                       // who asks for a hold, confirms and lifts it is recorded
	"controller/retention":   {"controller/store", "controller/requisition"},                                                                                 // rows that a hold names wait
	"controller/attend":      {"controller/wire", "controller/policy", "controller/store", "controller/report", "ui/catalogues", "os", "net", "net/http", "context", "sync", "math/rand", "math/rand/v2", "log", "log/slog", "syscall"},
	"controller/webhook":     {"controller/store", "controller/fetch"},                                                                                                                                 // its tests send by what sends
	"controller/tell":        {"controller/policy", "controller/store", "controller/accounts", "controller/attend", "controller/compliance", "controller/mail", "controller/webhook", "ui/catalogues"}, // who sees which site, at which hours, in the words of the console, by the outbox of mails
	"controller/ledger":      {"controller/wire", "controller/policy", "controller/store", "controller/audit", "controller/compliance", "controller/retention"},                                        // the policy in force and the day's figures are compliance's; staff's decisions are recorded; its purge is retention's
	"controller/certificate": {"controller/wire", "controller/store", "controller/audit"},                                                                                                              // reads the receipts anew, and the quarantines in the audit
	"controller/fleet":       {"controller/wire", "controller/policy", "controller/store", "controller/compliance", "controller/pki", "controller/requisition"},                                        // connections carry what these rooms decide
	"controller/api":         {"controller/wire", "controller/policy", "controller/store", "controller/accounts", "controller/audit", "controller/report", "controller/compliance", "controller/certificate", "controller/ledger", "controller/calendar", "controller/directory", "controller/oidc", "controller/ldap", "controller/attend", "controller/passkeys", "controller/consent", "controller/mail", "controller/rollout", "controller/requisition", "controller/retention", "controller/rgpd", "controller/mednum", "controller/notice", "controller/sitefile"},
	"controller/consent":     {"controller/policy", "controller/store", "controller/audit", "controller/mail", "controller/compliance", "controller/rollout"}, // the head's answer is kept in the hours, published like them, recorded and mailed in one transaction
	"controller/demo":        {"controller/policy", "controller/store", "controller/wire"},
	"controller/rollout":     {"controller/store", "controller/audit", "controller/notice"}, // going back is a publication, and recorded; so is a text that people are told again
	"controller/notice":      {"controller/policy", "controller/store"},                     // texts that people were told
	"controller/config":      nil,
	"controller/lists":       {"controller/wire"},                                           // the form in which terminals fetch them
	"controller/syslog":      nil,                                                           // tells a collector
	"controller/seal":        nil,                                                           // encrypts backups
	"controller/calendar":    {"controller/policy"},                                         // breaks are the policy's, public holidays too
	"controller/fetch":       nil,                                                           // a file of the outside, by its address
	"controller/rgpd":        {"controller/store", "controller/retention", "ui/catalogues"}, // documents of what is declared, in the console's words
	"controller/proxy":       nil,                                                           // who asks, behind a reverse proxy
	"controller/sitefile":    nil,                                                           // files of places
	"controller/mednum":      {"controller/policy", "controller/store"},                     // files of places of help, in the form in which terminals show them
	"controller/cli":         {"controller/…", "ui/console"},
	"controller/server":      {"controller/…", "ui/console"},
	"controller":             {"controller/cli", "controller/server", "controller/config", "controller/api"},

	// Tests that span both sides.
	"scripts/…": {"controller/…", "kiosk/…", "hw", "hw/…", "ui/…", "scripts/…"},
}

// pure rooms may not reach the outside world at all.
var pure = map[string][]string{
	"kiosk/printing":    {"os", "net", "context", "sync", "math/rand", "math/rand/v2", "log", "log/slog", "io", "syscall"},
	"kiosk/session":     {"os", "net", "context", "sync", "math/rand", "math/rand/v2", "log", "log/slog", "io", "syscall"},
	"controller/policy": {"os", "net/http", "context", "sync", "math/rand", "math/rand/v2", "log", "log/slog", "syscall"},
	"controller/mednum": {"os", "net", "net/http", "context", "sync", "math/rand", "math/rand/v2", "log", "log/slog", "syscall"},
	// Files of spreadsheets, and what they say of places.
	"controller/sitefile": {"os", "net", "net/http", "context", "sync", "math/rand", "math/rand/v2", "log", "log/slog", "syscall"},
	// Foreign files, and what they say of school holidays.
	"controller/calendar": {"os", "net", "net/http", "context", "sync", "math/rand", "math/rand/v2", "log", "log/slog", "syscall"},
}

// only says which rooms may import a third party, and why nobody else.
var only = map[string][]string{
	"go.etcd.io/bbolt":              {"kiosk/journal", "controller/store/bolt"},                      // no bbolt type leaks
	"github.com/zserge/lorca":       {"kiosk/browser"},                                               // unsafe unless tamed there
	"github.com/jezek/xgb":          {"kiosk/x11", "kiosk/stage", "kiosk/preview", "scripts/escape"}, // one room talks to the display; a suite looks at it from outside
	"periph.io/x":                   {"hw/…"},                                                        // drivers only
	"github.com/warthog618":         {"hw/…"},                                                        // the same
	"github.com/holoplot":           {"hw/…"},                                                        // the same; types in tests
	"github.com/vishvananda":        {"kiosk/warden"},                                                // network links are root's
	"github.com/wneessen":           {"controller/mail"},
	"github.com/OpenPrinting":       {"kiosk/ipp", "kiosk/press", "kiosk/printer", "kiosk/printer/…"}, // foreign bytes of programs and printers
	"github.com/miekg/dns":          {"kiosk/resolver", "scripts/acme", "controller/fetch"},           // foreign bytes are read in a role that dies with the session; fetch and acme: the name server of their tests
	"github.com/coreos":             {"controller/oidc"},                                              // foreign bytes of a provider
	"golang.org/x/oauth2":           {"controller/oidc"},
	"github.com/go-ldap/ldap":       {"controller/ldap", "controller/ldap/…"},                   // foreign bytes of a directory
	"github.com/go-asn1-ber":        {"controller/ldap"},                                        // its limit on a message
	"github.com/go-webauthn":        {"controller/passkeys"},                                    // foreign bytes of devices
	"golang.org/x/crypto/argon2":    {"controller/policy"},                                      // the staff's PIN is hashed in one room, for both sides
	"golang.org/x/crypto/acme":      {"controller/server"},                                      // the console's certificate
	"github.com/letsencrypt/pebble": {"scripts/acme"},                                           // a real authority, for its test alone
	"filippo.io/age":                {"controller/seal", "controller/cli", "scripts/fleettest"}, // one room knows how backups are encrypted; tests make keys
	"github.com/danielgtaylor":      {"controller/api", "controller/server", "controller/cli"},
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Standard                           bool
}

// under tells whether path is name, or below it when name ends in "/…".
func under(path, name string) bool {
	if base, ok := strings.CutSuffix(name, "/…"); ok {
		return strings.HasPrefix(path, base+"/")
	}
	return path == name
}

// rule returns the entry for path: its own, else the longest "/…" above it.
func rule(path string) (string, []string, bool) {
	if r, ok := may[path]; ok {
		return path, r, true
	}
	best := ""
	for name := range may {
		if strings.HasSuffix(name, "/…") && under(path, name) && len(name) > len(best) {
			best = name
		}
	}
	return best, may[best], best != ""
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list packages: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestLayering(t *testing.T) {
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		key, allowed, ok := rule(name)
		if !ok {
			t.Errorf("%s is not in the table: say what it may import", name)
			continue
		}
		for _, imp := range p.Imports {
			if local, ours := strings.CutPrefix(imp, module); ours &&
				!slices.ContainsFunc(allowed, func(a string) bool { return under(local, a) }) {
				t.Errorf("%s may not import %s", name, local)
			}
			if slices.Contains(pure[key], imp) {
				t.Errorf("%s is pure and may not import %s", name, imp)
			}
		}
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			local, ours := strings.CutPrefix(imp, module)
			if ours && strings.HasPrefix(name, "controller") && (under(local, "kiosk/…") || local == "hw" || under(local, "hw/…")) {
				t.Errorf("%s may not import %s: the controller never knows a terminal's code, tests included", name, local)
			}
			if ours && strings.HasPrefix(name, "kiosk") && under(local, "controller/…") && local != "controller/wire" && local != "controller/policy" {
				t.Errorf("%s may not import %s: a terminal knows wire and policy only, tests included", name, local)
			}
			for third, who := range only {
				if strings.HasPrefix(imp, third) && !slices.ContainsFunc(who, func(w string) bool { return under(name, w) }) {
					t.Errorf("%s may not import %s", name, imp)
				}
			}
		}
	}
}

// TestTableIsTrue keeps dead entries out of the table.
func TestTableIsTrue(t *testing.T) {
	all := packages(t)
	for name := range may {
		if !slices.ContainsFunc(all, func(p pkg) bool { return under(strings.TrimPrefix(p.ImportPath, module), name) }) {
			t.Errorf("%s is in the table but not in the tree", name)
		}
	}
}

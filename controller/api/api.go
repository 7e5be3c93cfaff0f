// Package api is the console's HTTP API, described by OpenAPI, with its live
// feed and the console's files. Every route names its access in Table: what is
// not there is not served.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"borne/controller/accounts"
	"borne/controller/directory"
	"borne/controller/oidc"
	"borne/controller/passkeys"
	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/retention"
	"borne/controller/store"
	"borne/controller/wire"
)

// LiveState is what is known of a terminal beyond its rows, now.
type LiveState struct {
	Online   bool
	Status   wire.Status // last one received; its zero value before the first
	Since    time.Time   // when Status.Phase was first seen; zero when unknown
	LastSeen time.Time
}

// Live is the fleet as it is now.
type Live interface {
	Live(terminal string) (LiveState, bool)
	// Subscribe yields the ids of terminals that changed. The channel may be
	// closed when this side reads too slowly: then everything is read anew.
	Subscribe() (changes <-chan string, cancel func())
	// Changed tells subscribers of a terminal whose rows changed.
	Changed(terminal string)
	// Greet welcomes a terminal anew, if it is connected: what it shows of its place
	// has changed.
	Greet(terminal string)
}

// Order is a command that somebody asked for.
type Order struct {
	Terminal string
	Kind     wire.CommandKind
	Text     string
	Job      string    // of CmdPrint and CmdNoPrint
	Until    time.Time // of CmdAwake; zero: it may save energy again
	Reason   string
	By       string // user's id
	// Window of CmdBadge keeps what the next badge is for, together with the command.
	Window func(tx store.Tx, terminal store.Meta, id string) error
}

// Orders records a command with its audit entry, and sends it. It returns the
// command's id, or ErrRefused with a reason for staff.
type Orders interface {
	Order(ctx context.Context, o Order) (id string, err error)
	// Issue keeps a command in the caller's transaction, without an audit entry of
	// its own; Send then tells the terminals.
	Issue(tx store.Tx, o Order) (id string, err error)
	Send(terminals ...string)
}

// Prints is what staff decide about print jobs, each recorded with its audit
// entry.
type Prints interface {
	// DecidePrint ends a doubtful job: see ledger.Decide.
	DecidePrint(ctx context.Context, id string, charge wire.Units, by, reason string) error
	// GrantPages gives a running session pages and tells its terminal: see
	// ledger.Grant. It returns the command's id.
	GrantPages(ctx context.Context, terminal, session string, pages int, by, reason string) (id string, err error)
}

// Publisher makes the terminals below a site or a space (or all, when both are
// empty) apply the policy that now holds for them.
type Publisher interface {
	Publish(ctx context.Context, site, space string) error
}

// Calendars keeps the official calendars of school holidays. What is refused is
// an error with a French() sentence, and ErrRefused; it is kept as well.
type Calendars interface {
	ImportCalendar(ctx context.Context, zone policy.Zone, file []byte, anyway bool, by string) error
	FetchCalendar(ctx context.Context, zone policy.Zone, address, by string) error
	StopCalendar(ctx context.Context, zone policy.Zone, by string) error
}

// Hooks are other systems that are told of what is to be seen to.
type Hooks interface {
	// CheckHook refuses an address by an error with a French() sentence.
	CheckHook(address string) error
	// HookKey is what posts to a hook are signed with, as it is shown to people.
	HookKey(id string, turn int) string
	// TryHook queues a post that only tries the address.
	TryHook(tx store.Tx, id string) error
}

// Sealer signs a certificate with the controller's key.
type Sealer interface {
	SignCertificate(payload []byte) wire.Envelope
}

// Config is what the API is made of.
type Config struct {
	Store     store.Store
	Accounts  *accounts.Service
	Live      Live
	Orders    Orders
	Prints    Prints
	Directory *directory.Directory
	Staff     Staff // nil: no directory of the Département's
	Publisher Publisher
	Sealer    Sealer
	Calendars Calendars
	Hooks     Hooks
	// Revoke shuts a terminal out for good, records who did it, and ends its connection.
	Revoke func(ctx context.Context, terminal, by string) error
	// Provider is the OpenID provider that lets people in, under the name that its
	// button shows; nil for none.
	Provider     *oidc.Provider
	ProviderName string
	Passkeys     *passkeys.Party // nil: the controller does not know its own address
	// CalendarOf proposes the address of a zone's official calendar; "" proposes none.
	CalendarOf func(zone string) string
	// Dwell is how long changed rules have to do well at the terminals that have
	// them before others get them, and Within how long a terminal has to take them;
	// with no Dwell all get them at once.
	Dwell, Within time.Duration
	Inventory     []store.Field // of every table, those of other rooms included
	Files         fs.FS         // the console, built; nil for the API alone
	Heartbeat     time.Duration // of the live feed; 15 seconds
	Healthy       time.Duration // within which the store answers when all is well; 5 seconds
	Now           func() time.Time
	Log           *slog.Logger
	Version       string
	Demo          bool
	Mails         bool // a mail server is configured
	Secure        bool // served over TLS: cookies say so
	// URL is the console's own address, which mails lead to.
	URL   func() string
	Facts Facts // of the RGPD's documents
	// Origin is the console's, as OriginOf writes it; empty where its address is not
	// configured: then any name of this machine will do.
	Origin string
	// SecurityTxt is what /.well-known/security.txt says now (RFC 9116); nil, or
	// nothing: there is none.
	SecurityTxt func() []byte
	// Retention is how long each class is kept, and Waiting the tables whose rows can
	// wait for a réquisition, each with its class.
	Retention []retention.Rules
	Waiting   map[store.Kind]string
}

// API serves the console.
type API struct {
	Config
	table    map[string]Access
	mux      *recorder
	huma     huma.API
	handler  http.Handler
	streams  chan struct{} // one token for each open live feed
	probing  chan struct{} // one token: whoever asks for the health waits for the one before
	registry map[string]bool
	tickets  *tickets
	reports  report.Kept // of the store
}

// recorder notes each pattern that the mux gets, for the proof that all of
// them have an access.
type recorder struct {
	*http.ServeMux
	patterns []string
	wrap     func(pattern string, h http.HandlerFunc) http.HandlerFunc
}

// newRecorder makes a mux whose reads are conditional, but those that untagged names.
func newRecorder() *recorder {
	as := map[string]bool{}
	for op := range untagged() {
		as[Table()[op].Pattern()] = true
	}
	return &recorder{ServeMux: http.NewServeMux(), wrap: func(pattern string, h http.HandlerFunc) http.HandlerFunc {
		if as[pattern] || !strings.HasPrefix(pattern, http.MethodGet+" ") {
			return h
		}
		return conditional(h)
	}}
}

func (m *recorder) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, m.wrap(pattern, h))
}

// maxStreams bounds the live feeds open at once.
const maxStreams = 512

// New assembles the API. It fails when a route lacks an access or an access
// its route.
func New(c Config) (*API, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = 15 * time.Second
	}
	if c.URL == nil {
		c.URL = func() string { return "" }
	}
	if c.CalendarOf == nil {
		c.CalendarOf = func(string) string { return "" }
	}
	if c.Healthy <= 0 {
		c.Healthy = 5 * time.Second
	}
	a := &API{Config: c, table: Table(), mux: newRecorder(), streams: make(chan struct{}, maxStreams),
		probing: make(chan struct{}, 1), registry: map[string]bool{}}
	var err error
	if a.tickets, err = newTickets(c.Now); err != nil {
		return nil, err
	}
	a.huma = humago.New(a.mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "Borne console", Version: "1",
				Description: "Sites, terminals, sessions, receipts and policies of public computer terminals."},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: cookieName(c.Secure)},
					"token":   {Type: "http", Scheme: "bearer", Description: "A key that an administrator made for a program. No cookie and no X-Borne header is needed with it."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": strictFormat(), "json": strictFormat()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{french},
	})
	if err := a.routes(); err != nil {
		return nil, err
	}
	for op, acc := range a.table {
		if !a.registry[op] && !(op == opConsoleFiles && c.Files == nil) {
			return nil, fmt.Errorf("cannot assemble the API: %s has an access and no handler", acc.Pattern())
		}
	}
	fixArrays(a.huma.OpenAPI().Components.Schemas)
	a.handler = headers(c.Secure, a.guard(a.mux))
	return a, nil
}

// Handler serves the API and the console's files.
func (a *API) Handler() http.Handler { return a.handler }

// Document returns the OpenAPI 3.1 document.
func (a *API) Document() ([]byte, error) {
	b, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the OpenAPI document: %w", err)
	}
	return append(b, '\n'), nil
}

// plain registers a handler that is no API operation. Its access must be
// public: nothing would check another.
func (a *API) plain(op string, h http.Handler) error {
	acc, ok := a.table[op]
	if !ok || acc.Scope != ScopeNone {
		return fmt.Errorf("cannot serve %q: its access is missing or not public", op)
	}
	a.registry[op] = true
	a.mux.HandleFunc(acc.Pattern(), h.ServeHTTP)
	return nil
}

// maxBody bounds a request's body: a policy with its certificates is the
// largest.
const maxBody = 256 << 10

// register makes an operation from its row of the table. There is no other way
// to register one.
func register[I, O any](a *API, op, summary string, status int, h func(context.Context, *I) (*O, error)) error {
	return add(a, op, summary, status, maxBody, nil, h)
}

// upload registers an operation whose body is a file.
func upload[I, O any](a *API, op, summary string, status int, limit int64, h func(context.Context, *I) (*O, error)) error {
	return add(a, op, summary, status, limit, nil, h)
}

func add[I, O any](a *API, op, summary string, status int, limit int64, responses map[string]*huma.Response, h func(context.Context, *I) (*O, error)) error {
	acc, ok := a.table[op]
	if !ok {
		return fmt.Errorf("cannot serve %q: it has no access; add it to Table", op)
	}
	o := huma.Operation{OperationID: op, Method: acc.Method, Path: acc.Path, Summary: summary, DefaultStatus: status,
		MaxBodyBytes: limit, BodyReadTimeout: 10*time.Second + time.Duration(limit>>20)*5*time.Second, Middlewares: huma.Middlewares{a.access(op, acc), versioned(op)},
		Responses: responses}
	if acc.Scope != ScopeNone {
		o.Security = []map[string][]string{{"session": {}}}
		if !forPeople(op, acc) {
			o.Security = append(o.Security, map[string][]string{"token": {}})
		}
		o.Extensions = map[string]any{"x-access": map[string]any{"scope": acc.Scope, "roles": acc.Roles}}
	}
	if v := versions()[op]; v.Of != "" {
		o.Parameters = append(o.Parameters, &huma.Param{Name: "If-Match", In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The ETag of what was read, or its rev between quotes; \"0\" where nothing was set yet"})
	}
	a.registry[op] = true
	huma.Register(a.huma, o, h)
	return nil
}

// fixArrays says in the document that lists are never null: the handlers send
// empty ones, and refuse null.
func fixArrays(r huma.Registry) {
	var fix func(s *huma.Schema)
	fix = func(s *huma.Schema) {
		if s == nil {
			return
		}
		if s.Type == huma.TypeArray {
			s.Nullable = false
		}
		fix(s.Items)
		for _, p := range s.Properties {
			fix(p)
		}
		if p, ok := s.AdditionalProperties.(*huma.Schema); ok {
			fix(p)
		}
	}
	for _, s := range r.Map() {
		fix(s)
	}
}

func cookieName(secure bool) string {
	if secure {
		return "__Host-borne" // browsers then insist on Secure, Path=/ and no Domain
	}
	return "borne"
}

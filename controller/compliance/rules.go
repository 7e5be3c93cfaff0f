// Package compliance decides whether a terminal may serve: it verifies the
// receipts of its wipes, grants its permits, and puts it in quarantine. All of
// it runs inside the store's transactions.
package compliance

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// Signer signs what the controller says.
type Signer interface {
	SignPermit(wire.Permit) (wire.Envelope, error)
	SignCommand(wire.Command) (wire.Envelope, error)
}

// Config is what the rules need.
type Config struct {
	Sign      Signer
	Now       func() time.Time
	RefuseSim bool // a production controller: simulated hardware proves nothing
	Location  *time.Location
	// Audit keeps that a terminal was "quarantined" or "released", in the
	// transaction that does it; by is the user who asked, "" for the rules
	// themselves. May be nil.
	Audit func(tx store.Tx, action string, t store.Item[store.Terminal], by string) error
	// Printed keeps the end of a print job. It is total, as Apply is. Nil: such
	// records are kept as they came.
	Printed func(tx store.Tx, t store.Item[store.Terminal], at time.Time, p wire.Printed) error
	// Staffed keeps what staff did at a terminal's own menu. May be nil.
	Staffed func(tx store.Tx, t store.Item[store.Terminal], at time.Time, d wire.StaffDone) error
}

// Rules apply to every terminal.
type Rules struct {
	cfg  Config
	held *heldHours
}

// New returns the rules.
func New(cfg Config) *Rules {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = policy.Location()
	}
	if cfg.Audit == nil {
		cfg.Audit = func(store.Tx, string, store.Item[store.Terminal], string) error { return nil }
	}
	return &Rules{cfg, newHeldHours(cfg.Location)}
}

// Errors that callers tell apart.
var (
	ErrClone   = errors.New("two machines share this identity")
	ErrRevoked = errors.New("the terminal is revoked")
)

// Lifetimes of commands.
const (
	commandHours   = 24
	messageMinutes = 10
	maxAwake       = 24 * time.Hour
	nonceBytes     = 32
)

// maxPages is how many pages one command may give.
const maxPages = 1000

var ids = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns a random id: 80 bits behind a prefix that tells what it names.
func NewID(prefix string) string {
	b := make([]byte, 10)
	rand.Read(b)
	return prefix + ids.EncodeToString(b)
}

type terminal = store.Item[store.Terminal]

// Effective returns the policy of a terminal: the layers of the Département,
// its site, its space and itself over policy.Default, with the lists, the school
// holidays and the places of help that are there now. Version is the newest of theirs. A network that
// the terminal put back is the one that it holds.
func Effective(tx store.Tx, t terminal) (policy.Policy, error) {
	p, _, err := Origins(tx, t)
	if err != nil {
		return p, err
	}
	return holding(tx, t, p)
}

// layerOf is a layer's name and the id of its document.
type layerOf struct{ name, id string }

// chain is the layers of a terminal, each over the one before it. Those of groups
// of sites have their place between the Département and the site; no two of them
// set one section (the API refuses it), so their order changes nothing.
func chain(tx store.Tx, t terminal) ([]layerOf, error) {
	all := []layerOf{{LayerGlobal, store.PolicyGlobal}}
	if t.Site != "" {
		for g, err := range store.Find[store.SiteGroup](tx, "site", t.Site) {
			if err != nil {
				return nil, err
			}
			all = append(all, layerOf{LayerGroup + ":" + g.ID, g.ID})
		}
	}
	return append(all, layerOf{LayerSite, t.Site}, layerOf{LayerSpace, t.Row.Space}, layerOf{LayerTerminal, t.ID}), nil
}

// Names of layers, as Origins tells them.
const (
	LayerGlobal   = "global"
	LayerGroup    = "group" // with ":" and the group's id: a site may be in several
	LayerSite     = "site"
	LayerSpace    = "space"
	LayerTerminal = "terminal"
)

// Origins is what is wanted of a terminal, with the layer that each value comes from, by JSON path;
// "" is policy.Default.
func Origins(tx store.Tx, t terminal) (policy.Policy, map[string]string, error) {
	site, err := store.Get[store.Site](tx, t.Site)
	if t.Site == "" || errors.Is(err, store.ErrNotFound) {
		site, err = store.Item[store.Site]{}, nil
	}
	if err != nil {
		return policy.Policy{}, nil, err
	}
	of, err := chain(tx, t)
	if err != nil {
		return policy.Policy{}, nil, err
	}
	p, origin, err := merged(tx, of, t.Site, t.ID, site.Row.Rules) // a group that it left took its version along
	if err != nil {
		return p, nil, fmt.Errorf("cannot make the policy of %s: %w", t.ID, err)
	}
	return p, origin, nil
}

// GroupOrigins is Origins for what a group of sites hands down to them.
func GroupOrigins(tx store.Tx, group string) (policy.Policy, map[string]string, error) {
	p, origin, err := merged(tx, []layerOf{{LayerGlobal, store.PolicyGlobal}, {LayerGroup + ":" + group, group}}, "", "", 0)
	if err != nil {
		return p, nil, fmt.Errorf("cannot make the policy of the group %s: %w", group, err)
	}
	return p, origin, nil
}

// merged reads layers as a terminal has them and merges them; no version of it is
// older than version.
func merged(tx store.Tx, of []layerOf, site, terminal string, version uint64) (policy.Policy, map[string]string, error) {
	var layers []policy.Layer
	version = max(version, 1)
	for _, l := range of {
		row, err := store.Get[store.PolicyRow](tx, l.id)
		if l.id == "" || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return policy.Policy{}, nil, err
		}
		if row.Row, err = reached(tx, row, terminal); err != nil {
			return policy.Policy{}, nil, err
		}
		layers = append(layers, policy.Layer{Name: l.name, Doc: row.Row.Doc})
		version = max(version, row.Row.Version)
	}
	p, origin, err := policy.Merge(policy.Default(), layers...)
	if err != nil {
		return p, nil, err
	}
	if version, err = told(tx, &p, origin, site, version); err != nil {
		return p, nil, err
	}
	if version, err = near(tx, &p, origin, site, version); err != nil {
		return p, nil, err
	}
	p, err = current(tx, p, version)
	return p, origin, err
}

// reached is a layer as a terminal has it: while a change goes to others first,
// as it was before, but for what changes at once; see store.WithHoursOf. A place has the change.
func reached(tx store.Tx, row store.Item[store.PolicyRow], terminal string) (store.PolicyRow, error) {
	if terminal == "" {
		return row.Row, nil
	}
	r, err := store.Get[store.Rollout](tx, row.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !r.Row.Holds(terminal) {
		return row.Row, nil
	}
	if err != nil {
		return row.Row, err
	}
	row.Row.Version = r.Row.Prior
	row.Row.Doc, err = store.WithHoursOf(r.Row.Before, row.Row.Doc)
	return row.Row, err
}

// current gives a policy the lists and the school holidays that are there now.
func current(tx store.Tx, p policy.Policy, version uint64) (policy.Policy, error) {
	for i := range p.Filter.Categories {
		k := &p.Filter.Categories[i]
		k.Digest = ""
		row, err := store.Get[store.ListRow](tx, k.Name)
		if errors.Is(err, store.ErrNotFound) {
			continue // Check says so
		}
		if err != nil {
			return p, err
		}
		k.Digest, version = row.Row.Digest, max(version, row.Row.Version)
	}
	zone := p.Hours.School.Zone
	cal, err := store.Get[store.CalendarRow](tx, string(zone))
	if zone == policy.NoZone || errors.Is(err, store.ErrNotFound) {
		cal, err = store.Item[store.CalendarRow]{}, nil
	}
	if err != nil {
		return p, err
	}
	p.Hours.School.Breaks, version = Breaks(cal.Row), max(version, cal.Row.Version)
	p.Version = version
	return p, nil
}

// Breaks are a calendar's holidays as hours have them. No layer keeps any: what
// one says is overwritten.
func Breaks(c store.CalendarRow) []policy.Break {
	all := make([]policy.Break, 0, len(c.Breaks))
	for _, b := range c.Breaks {
		all = append(all, policy.Break(b))
	}
	return all
}

// Generation returns the controller's: 1 until it is restored.
func Generation(tx store.Tx) (uint64, error) {
	s, err := store.Get[store.Setting](tx, store.SettingController)
	if errors.Is(err, store.ErrNotFound) {
		return 1, nil
	}
	return max(s.Row.Generation, 1), err
}

// Quarantine stops a terminal: no permit is granted, and it is told. The first
// reason is kept, but a clone is told whatever came before.
func (r *Rules) Quarantine(tx store.Tx, id string, reason wire.Reason, detail, by string) error {
	t, err := store.Get[store.Terminal](tx, id)
	if err != nil {
		return err
	}
	if err := r.quarantine(tx, &t, reason, detail, by); err != nil {
		return err
	}
	return store.Put(tx, t)
}

// quarantine changes t, and leaves writing it to the caller.
func (r *Rules) quarantine(tx store.Tx, t *terminal, reason wire.Reason, detail, by string) error {
	again := t.Row.State == store.StateQuarantined
	if t.Row.State == store.StateRevoked || (again && (reason != wire.QuarClone || t.Row.Reason == wire.QuarClone)) {
		return nil
	}
	t.Row.State, t.Row.Reason, t.Row.Detail = store.StateQuarantined, reason, cut(detail)
	if !again {
		t.Row.Since = r.cfg.Now().UTC()
	}
	t.Row.Challenge = ""
	if _, err := r.issue(tx, t.Meta, wire.Command{Kind: wire.CmdQuarantine, Reason: reason}, by); err != nil {
		return err
	}
	return r.cfg.Audit(tx, "quarantined", *t, by)
}

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 300)], "") }

// RequestLift asks a quarantined terminal for a challenge wipe; the clean
// receipt of that wipe lifts. A clone is never lifted: its hardware is replaced.
func (r *Rules) RequestLift(tx store.Tx, id, by string) (store.Item[store.CommandRow], error) {
	var none store.Item[store.CommandRow]
	t, err := store.Get[store.Terminal](tx, id)
	switch {
	case err != nil:
		return none, err
	case t.Row.State == store.StateRevoked:
		return none, fmt.Errorf("cannot lift the quarantine of %s: %w", id, ErrRevoked)
	case t.Row.State != store.StateQuarantined:
		return none, fmt.Errorf("cannot lift the quarantine of %s: it is not in quarantine: %w", id, store.ErrConflict)
	case t.Row.Reason == wire.QuarClone:
		return none, fmt.Errorf("cannot lift the quarantine of %s: replace its hardware with a new enrolment code: %w", id, ErrClone)
	}
	nonce := make([]byte, nonceBytes)
	rand.Read(nonce)
	c, err := r.issue(tx, t.Meta, wire.Command{Kind: wire.CmdLift, Nonce: nonce, Reason: t.Row.Reason}, by)
	if err != nil {
		return none, err
	}
	t.Row.Challenge = c.ID
	return c, store.Put(tx, t)
}

// Command issues any other command. Quarantine and lift go through their own
// functions, also from here.
func (r *Rules) Command(tx store.Tx, id string, c wire.Command, by string) (string, error) {
	t, err := store.Get[store.Terminal](tx, id)
	if err != nil {
		return "", err
	}
	if len(c.Text) > wire.MaxText {
		return "", fmt.Errorf("cannot send the message: %d bytes pass the limit of %d", len(c.Text), wire.MaxText)
	}
	switch c.Kind {
	case wire.CmdLift:
		row, err := r.RequestLift(tx, id, by)
		return row.ID, err
	case wire.CmdQuarantine:
		if err := r.Quarantine(tx, id, wire.QuarStaff, c.Text, by); err != nil {
			return "", err
		}
		last, err := store.First(store.FindRange[store.CommandRow](tx, "terminal", id, "", "", true))
		return last.ID, err
	case wire.CmdMessage, wire.CmdEnd, wire.CmdWipe, wire.CmdIdentify, wire.CmdOut, wire.CmdBack, wire.CmdBadge:
		row, err := r.issue(tx, t.Meta, c, by)
		return row.ID, err
	case wire.CmdPrint, wire.CmdNoPrint:
		if !wire.ValidJobID(c.Job) {
			return "", fmt.Errorf("cannot send the command %q: %q is no print job", c.Kind, c.Job)
		}
		row, err := r.issue(tx, t.Meta, c, by)
		return row.ID, err
	case wire.CmdHelpComing, wire.CmdHelpDone:
		if !wire.ValidHelpID(c.Job) {
			return "", fmt.Errorf("cannot send the command %q: %q is no call for help", c.Kind, c.Job)
		}
		row, err := r.issue(tx, t.Meta, c, by)
		return row.ID, err
	case wire.CmdAwake:
		if c.Until.After(r.cfg.Now().Add(maxAwake)) {
			return "", fmt.Errorf("cannot send the command %q: until %s is longer than a day", c.Kind, c.Until.UTC().Format(time.DateTime))
		}
		row, err := r.issue(tx, t.Meta, c, by)
		return row.ID, err
	case wire.CmdPages:
		if c.Pages < 1 || c.Pages > maxPages || c.Session == "" {
			return "", fmt.Errorf("cannot send the command %q: %d pages for session %q", c.Kind, c.Pages, c.Session)
		}
		row, err := r.issue(tx, t.Meta, c, by)
		return row.ID, err
	default:
		return "", fmt.Errorf("cannot send the command %q: staff may not ask for it", c.Kind)
	}
}

// Lifetime is how long a command that is given now may wait for its terminal.
func Lifetime(c wire.Command, now time.Time) time.Duration {
	switch c.Kind {
	case wire.CmdBadge: // whoever holds the badge stands there now
		return time.Minute
	case wire.CmdMessage, wire.CmdIdentify, wire.CmdPrint, wire.CmdNoPrint, wire.CmdPages, wire.CmdHelpComing, wire.CmdHelpDone: // for who sits there now
		return messageMinutes * time.Minute
	case wire.CmdAwake:
		if c.Until.After(now) {
			return c.Until.Sub(now) // later there is nothing to hold
		}
	}
	return commandHours * time.Hour
}

func (r *Rules) issue(tx store.Tx, of store.Meta, c wire.Command, by string) (store.Item[store.CommandRow], error) {
	now := r.cfg.Now().UTC()
	c.ID, c.Terminal, c.Issued = store.TimeID(now, NewID("")), of.ID, now
	c.NotAfter = now.Add(Lifetime(c, now))
	env, err := r.cfg.Sign.SignCommand(c)
	if err != nil {
		return store.Item[store.CommandRow]{}, fmt.Errorf("cannot sign a command: %w", err)
	}
	row := store.Item[store.CommandRow]{Meta: store.Meta{ID: c.ID, Site: of.Site, Scope: of.ID}, Row: store.CommandRow{Terminal: of.ID,
		Kind: c.Kind, Text: c.Text, Reason: c.Reason, Nonce: c.Nonce, By: by, Issued: now, NotAfter: c.NotAfter, Status: store.CommandPending, Changed: now, Envelope: env}}
	return row, store.Put(tx, row)
}

// OpenCommands returns the commands that wait for an answer, and marks those
// whose time is over.
func (r *Rules) OpenCommands(tx store.Tx, id string) ([]store.Item[store.CommandRow], error) {
	var open []store.Item[store.CommandRow]
	for c, err := range store.Find[store.CommandRow](tx, "open", id) {
		if err != nil {
			return nil, err
		}
		if now := r.cfg.Now().UTC(); now.After(c.Row.NotAfter) {
			c.Row.Status, c.Row.Changed = store.CommandExpired, now
			if err := store.Put(tx, c); err != nil {
				return nil, err
			}
			continue
		}
		open = append(open, c)
	}
	return open, nil
}

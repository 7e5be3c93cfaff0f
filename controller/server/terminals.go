package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/compliance"
	"borne/controller/directory"
	"borne/controller/fleet"
	"borne/controller/ledger"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// terminals is the fleet as the API uses it.
type terminals struct {
	*fleet.Fleet
	core *core
}

func newRules(c Config, sign compliance.Signer, pages *ledger.Ledger) *compliance.Rules {
	return compliance.New(compliance.Config{Sign: sign, Now: c.Now, RefuseSim: !c.Demo, Location: policy.Location(), Audit: auditor(c.Now), Printed: pages.Printed, Staffed: staffed(c.Now)})
}

// auditor keeps what became of a terminal, and who asked for it. The reason is
// enough: what a receipt showed lies with the terminal, and goes before the audit.
func auditor(now func() time.Time) func(store.Tx, string, store.Item[store.Terminal], string) error {
	entries := map[string]audit.Entry{
		"enrolled":    {Action: "terminal.enrolled"},
		"replaced":    {Action: "terminal.replaced"},
		"revoked":     {Action: "terminal.revoked"},
		"quarantined": {Action: "terminal.quarantined"},
		"released":    {Action: "terminal.released"},
	}
	return func(tx store.Tx, what string, t store.Item[store.Terminal], by string) error {
		e, ok := entries[what]
		if !ok {
			return fmt.Errorf("cannot record that a terminal was %q: the audit has no name for it", what)
		}
		if by == "" {
			by = audit.Controller
		}
		e.At, e.Actor, e.Site, e.Scope, e.Target, e.Detail = now(), by, t.Site, t.ID, t.ID, string(t.Row.Reason)
		return audit.Append(tx, e)
	}
}

func newTerminals(k *core, refused func(string)) *terminals {
	return &terminals{core: k, Fleet: fleet.New(fleet.Config{Store: k.st, Rules: k.rules, PKI: k.keys, Log: k.log.With("room", "fleet"),
		Now: k.now, Ticker: k.ticker, Refused: refused, Lists: func(digest string) (io.ReadSeekCloser, error) { return listsDir(k.cfg.State).Open(digest) }, Audit: auditor(k.now), Holder: func(tx store.Tx, h1 []byte, at time.Time) (string, error) {
			name, err := k.badges.Pseudonym(tx, h1, at)
			return string(name), err
		}, Account: k.ledger.Account, Ask: k.ask, Badge: k.askBadge})}
}

// ask is the ledger's answer. What no terminal of ours asks is refused, not left
// open: whoever waits for an answer gets one.
func (k *core) ask(tx store.Tx, terminal string, a wire.PrintAsk) (wire.PrintAnswer, error) {
	ans, err := k.ledger.Ask(tx, terminal, a)
	if errors.Is(err, ledger.ErrAsk) {
		k.log.Warn("a question about printing makes no sense", "terminal", terminal, "error", err)
		return ans, nil
	}
	return ans, err
}

// askBadge is the directory's answer, on the terms of ask.
func (k *core) askBadge(tx store.Tx, terminal string, a wire.BadgeAsk) (wire.BadgeAnswer, error) {
	ans, err := k.badges.Ask(tx, terminal, a)
	if errors.Is(err, directory.ErrAsk) {
		k.log.Warn("a question about a badge makes no sense", "terminal", terminal, "error", err)
		return ans, nil
	}
	if err != nil || a.Window != "" {
		return ans, err
	}
	h1 := a.Holder
	if a.Code != "" {
		h1 = ans.Holder
	}
	if len(h1) > 0 {
		ans.Pages, err = k.ledger.Session(tx, terminal, h1)
	}
	return ans, err
}

// Live implements api.Live.
func (t *terminals) Live(terminal string) (api.LiveState, bool) {
	l, ok := t.Fleet.Live(terminal)
	return api.LiveState{Online: l.Online, Status: l.Status, Since: l.Since, LastSeen: l.LastSeen}, ok
}

// Order implements api.Orders: the command and who asked for it are kept
// together, then the terminal hears of it.
func (t *terminals) Order(ctx context.Context, o api.Order) (id string, err error) {
	err = t.core.st.Decide(ctx, func(tx store.Tx) error {
		it, err := commandable(tx, o.Terminal)
		if err != nil {
			return err
		}
		if id, err = t.Issue(tx, o); err != nil {
			return err
		}
		if o.Window != nil {
			if err := o.Window(tx, it.Meta, id); err != nil {
				return err
			}
		}
		detail := string(o.Kind)
		if !o.Until.IsZero() {
			detail += " " + o.Until.UTC().Format(time.RFC3339)
		}
		if o.Reason != "" {
			detail += ": " + o.Reason
		}
		return audit.Append(tx, audit.Entry{At: t.core.now(), Actor: o.By, Action: "command", Site: it.Site, Scope: it.ID, Target: it.ID, Detail: detail})
	})
	if err != nil {
		return "", err
	}
	t.Wake(o.Terminal)
	return id, nil
}

// Issue implements api.Orders.
func (t *terminals) Issue(tx store.Tx, o api.Order) (string, error) {
	if _, err := commandable(tx, o.Terminal); err != nil {
		return "", err
	}
	id, err := t.core.rules.Command(tx, o.Terminal, wire.Command{Kind: o.Kind, Text: o.Text, Job: o.Job, Until: o.Until}, o.By)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, compliance.ErrClone) || errors.Is(err, compliance.ErrRevoked) {
		return "", fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	return id, err
}

// Send implements api.Orders.
func (t *terminals) Send(ids ...string) {
	if len(ids) > 0 {
		t.Wake(ids...)
	}
}

// commandable returns a terminal that can be asked for something.
func commandable(tx store.Tx, id string) (store.Item[store.Terminal], error) {
	it, err := store.Get[store.Terminal](tx, id)
	if err == nil && (it.Row.State == store.StateWaiting || it.Row.State == store.StateRevoked) {
		err = fmt.Errorf("cannot command a terminal that is %s: %w", it.Row.State, api.ErrRefused)
	}
	return it, err
}

// DecidePrint implements api.Prints.
func (t *terminals) DecidePrint(ctx context.Context, id string, charge wire.Units, by, reason string) error {
	return t.core.st.Decide(ctx, func(tx store.Tx) error {
		_, err := t.core.ledger.Decide(tx, id, charge, by, reason)
		return err
	})
}

// GrantPages implements api.Prints: the grant, its audit entry and the command
// are kept together, then the terminal hears of it.
func (t *terminals) GrantPages(ctx context.Context, terminal, session string, pages int, by, reason string) (id string, err error) {
	err = t.core.st.Decide(ctx, func(tx store.Tx) error {
		if _, err := commandable(tx, terminal); err != nil {
			return err
		}
		if err := t.core.ledger.Grant(tx, terminal, session, pages, by, reason); err != nil {
			return err
		}
		id, err = t.core.rules.Command(tx, terminal, wire.Command{Kind: wire.CmdPages, Pages: pages, Session: session, Text: reason}, by)
		return err
	})
	if err != nil {
		return "", err
	}
	t.Wake(terminal)
	return id, nil
}

// Publish implements api.Publisher.
func (t *terminals) Publish(ctx context.Context, site, space string) error {
	var ids []string
	err := t.core.st.View(ctx, func(tx store.Tx) error {
		ids = ids[:0]
		for it, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if (site == "" || it.Site == site) && (space == "" || it.Row.Space == space) && it.Row.State != store.StateWaiting {
				ids = append(ids, it.ID)
			}
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	t.PushPolicy(ctx, ids...)
	return nil
}

package server

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"borne/controller/audit"
	"borne/controller/pki"
	"borne/controller/store"
)

// Steps of a rollover, as the administrator asks for them.
const (
	stepAnnounce = "announce"
	stepSwitch   = "switch"
	stepRetire   = "retire"
	stepAbandon  = "abandon"
)

// rollover takes the next step of a change of root, issuer and signing key, or
// says where it stands. A step waits for the terminals: one that has not heard
// of the step before would not believe this controller any more.
func (c *core) rollover(ctx context.Context, args map[string]string) (Reply, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	step := args["step"]
	if step == "" {
		return c.whereKeysStand(ctx)
	}
	does, ok := map[string]struct {
		run  func() error
		done audit.Entry
	}{
		stepAnnounce: {c.keys.Announce, audit.Entry{Action: "keys.announced"}},
		stepSwitch:   {c.keys.Switch, audit.Entry{Action: "keys.switched"}},
		stepRetire:   {c.keys.Retire, audit.Entry{Action: "keys.retired"}},
		stepAbandon:  {c.keys.Abandon, audit.Entry{Action: "keys.abandoned"}},
	}[step]
	if !ok {
		return Reply{}, fmt.Errorf("cannot take the step %.40q: there are %s, %s, %s and %s", step, stepAnnounce, stepSwitch, stepRetire, stepAbandon)
	}
	left, err := c.behind(ctx)
	if err != nil {
		return Reply{}, err
	}
	if waits := step == stepSwitch || step == stepRetire; waits && len(left) > 0 && args["leave"] != "true" {
		return Reply{}, fmt.Errorf("cannot take the step %q: %d terminals have not heard of the one before, and would be lost: %s; "+
			"wait until each was connected once, or say -leave and install those again", step, len(left), strings.Join(left, ", "))
	}
	if step == stepRetire { // what a power cut kept from being signed again after the switch
		if err := c.reseal(ctx); err != nil {
			return Reply{}, err
		}
	}
	if err := does.run(); err != nil {
		return Reply{}, err
	}
	if step == stepSwitch {
		if err := c.reseal(ctx); err != nil {
			return Reply{}, err
		}
	}
	does.done.At, does.done.Actor, does.done.Detail = c.now(), audit.Controller, strings.Join(left, " ")
	err = c.st.Decide(ctx, func(tx store.Tx) error { return audit.Append(tx, does.done) })
	if err != nil {
		return Reply{}, fmt.Errorf("cannot keep in the audit that the keys were changed (they were): %w", err)
	}
	c.reconnect()
	r, err := c.whereKeysStand(ctx)
	r.Text += "make a new backup now: earlier ones do not hold these keys\n"
	if err := c.keys.Sweep(); err != nil {
		r.Text, r.Found = r.Text+err.Error()+"\n", true
	}
	return r, err
}

// whereKeysStand tells the stage, and who has not heard of it.
func (c *core) whereKeysStand(ctx context.Context) (Reply, error) {
	left, err := c.behind(ctx)
	if err != nil {
		return Reply{}, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "keys: %s (signed by %s)\n", c.keys.Stage(), c.keys.Signer())
	next := map[pki.Stage]string{pki.Settled: "", pki.Announced: stepSwitch, pki.Switched: stepRetire}[c.keys.Stage()]
	if len(left) > 0 {
		fmt.Fprintf(&b, "waiting for %d terminals to be connected once: %s\n", len(left), strings.Join(left, ", "))
	} else {
		fmt.Fprintf(&b, "every terminal has heard\n")
	}
	if next != "" {
		fmt.Fprintf(&b, "next: borne-controller keys -step %s\n", next)
	}
	return Reply{Text: b.String()}, nil
}

// behind lists the terminals in service that do not believe, by their last
// hello, what they are to believe now.
func (c *core) behind(ctx context.Context) (left []string, err error) {
	want := c.keys.Trust()
	err = c.st.View(ctx, func(tx store.Tx) error {
		left = nil
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if t.Row.State != store.StateRevoked && len(t.Row.Serials) > 0 && !bytes.Equal(t.Row.Trust, want) {
				left = append(left, t.ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot ask which terminals have heard: %w", err)
	}
	return left, nil
}

// reseal signs again what still waits for terminals, with the key that signs
// now: permits that are held, and commands without an answer.
func (c *core) reseal(ctx context.Context) error {
	err := c.st.Decide(ctx, func(tx store.Tx) error {
		var terminals []string
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			terminals = append(terminals, t.ID)
		}
		for _, id := range terminals {
			if err := resealed(tx, "held", id, func(r *store.PermitRow) (changed bool) {
				r.Envelope, changed = c.keys.Reseal(r.Envelope)
				return changed
			}); err != nil {
				return err
			}
			if err := resealed(tx, "open", id, func(r *store.CommandRow) (changed bool) {
				r.Envelope, changed = c.keys.Reseal(r.Envelope)
				return changed
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot sign permits and commands again: %w; take the step again", err)
	}
	return nil
}

func resealed[T store.Row](tx store.Tx, index, terminal string, again func(*T) bool) error {
	var todo []store.Item[T]
	for it, err := range store.Find[T](tx, index, terminal) {
		if err != nil {
			return err
		}
		if again(&it.Row) {
			todo = append(todo, it)
		}
	}
	for _, it := range todo { // not while the index is read
		if err := store.Put(tx, it); err != nil {
			return err
		}
	}
	return nil
}

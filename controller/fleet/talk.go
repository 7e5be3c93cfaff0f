package fleet

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/policy"
	"borne/controller/requisition"
	"borne/controller/store"
	"borne/controller/wire"
)

// hello welcomes the terminal, or says why not.
func (c *conn) hello(h wire.Hello) error {
	if h.Protocol < wire.MinProtocol || h.MinProtocol > wire.Protocol {
		err := fmt.Errorf("it speaks protocol %d to %d, this controller %d to %d", h.MinProtocol, h.Protocol, wire.MinProtocol, wire.Protocol)
		c.fault(websocket.ClosePolicyViolation, "protocol", err)
		return err
	}
	c.boot = clip(h.Boot)
	if err := c.f.join(c); err != nil {
		if errors.Is(err, errClone) {
			c.stop(h)
			c.fault(websocket.ClosePolicyViolation, string(wire.QuarClone), err)
		} else if errors.Is(err, pki.ErrRevoked) {
			c.fault(websocket.ClosePolicyViolation, "revoked", err)
		}
		return err
	}
	var w wire.Welcome
	var space string
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
		t, err := trusted(tx, c.terminal, c.serial) // the handshake may be older than a revocation
		if err != nil {
			return err
		}
		if settle(&t, c.serial) {
			if err := store.Put(tx, t); err != nil {
				return err
			}
		}
		space = t.Row.Space
		w, err = c.f.cfg.Rules.Hello(tx, c.terminal, h)
		return err
	})
	w.Trust = c.f.cfg.PKI.Trust()
	if err != nil {
		if errors.Is(err, pki.ErrRevoked) {
			c.fault(websocket.ClosePolicyViolation, "revoked", err)
		} else {
			c.end(websocket.CloseTryAgainLater, "not welcome now")
		}
		c.f.leave(c, 0)
		return err
	}
	c.f.counts.connections.Add(1)
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.send(wire.Message{Welcome: &w})
	c.welcomed, c.space = true, space
	c.f.neighbours(space)
	return nil
}

// stop tells a clone that it is in quarantine, before it is turned away: it may
// hold permits, and would go on with them. One without an epoch never had any.
func (c *conn) stop(h wire.Hello) {
	if h.Epoch == 0 {
		return
	}
	var w wire.Welcome
	err := c.f.cfg.Store.View(c.f.ctx, func(tx store.Tx) (err error) {
		w, err = c.f.cfg.Rules.Stopped(tx, c.terminal, h)
		return err
	})
	if err != nil || w.Quarantine == "" { // it could not be kept: the next attempt tells
		return
	}
	b, err := wire.Encode(wire.Message{Welcome: &w})
	if err != nil {
		return
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.f.cfg.Write))
	_ = c.ws.WriteMessage(websocket.TextMessage, b) // no writer runs yet; the end follows either way
}

// withoutTraffic empties records of traffic data before they are durable, unless a
// decision lets them be kept: the terminal is acknowledged and sends them no more.
func (c *conn) withoutTraffic(records []wire.Record) error {
	if !slices.ContainsFunc(records, func(r wire.Record) bool { return r.Kind == wire.KindTraffic }) {
		return nil
	}
	on := false
	err := c.f.cfg.Store.View(c.f.ctx, func(tx store.Tx) error {
		d, err := requisition.Traffic(tx)
		on = d.On
		return err
	})
	if err != nil || on {
		return err
	}
	for i := range records {
		if records[i].Kind == wire.KindTraffic {
			records[i].Body = json.RawMessage(`{}`)
		}
	}
	c.log.Warn("traffic data came, no decision lets any be kept, and it was dropped")
	return nil
}

// batch makes records durable, then acknowledges them.
func (c *conn) batch(b wire.Batch) error {
	if err := c.pseudonyms(b.Records); err != nil {
		return err
	}
	if err := c.withoutTraffic(b.Records); err != nil {
		return err
	}
	cur, err := c.f.cfg.Store.Ingest(c.f.ctx, c.terminal, b)
	if err != nil {
		return err
	}
	c.f.counts.records.Add(uint64(len(b.Records)))
	c.send(wire.Message{Ack: &wire.Ack{Epoch: cur.Epoch, Seq: cur.Seq}})
	c.dirty.Store(true)
	c.poke()
	return nil
}

// due is what one look at the store found the terminal to lack.
type due struct {
	policy   [sha256.Size]byte
	frames   []frame
	permits  map[string]bool
	commands map[string]time.Time
}

// refresh counts connected time, and sends policy, permits and commands that
// the terminal lacks.
func (c *conn) refresh() {
	dirty := c.dirty.Swap(false)
	passed := c.rest.Truncate(time.Second)
	var d due
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) (err error) {
		if passed > 0 {
			if err := c.f.cfg.Rules.Connected(tx, c.terminal, passed); err != nil {
				return err
			}
		}
		d, err = c.owed(tx)
		return err
	})
	switch {
	case c.over():
		if err == nil && dirty {
			c.f.Changed(c.terminal)
		}
		return
	case errors.Is(err, pki.ErrRevoked):
		c.fault(websocket.ClosePolicyViolation, "revoked", err)
		return
	case err != nil:
		if c.f.ctx.Err() == nil {
			c.log.Error("cannot look after the terminal", "err", err)
		}
		c.dirty.CompareAndSwap(false, dirty)
		return // the next tick tries again
	}
	if c.rest -= passed; passed > 0 {
		c.f.seen(c)
	}
	c.policy, c.permits, c.commands = d.policy, d.permits, d.commands
	for _, fr := range d.frames {
		c.queue(fr)
	}
	if dirty || len(d.frames) > 0 || passed > 0 {
		c.f.Changed(c.terminal)
	}
}

func (c *conn) owed(tx store.Tx) (due, error) {
	d := due{policy: c.policy, permits: map[string]bool{}, commands: map[string]time.Time{}}
	t, err := trusted(tx, c.terminal, c.serial)
	if err != nil {
		return d, err
	}
	p, err := compliance.Effective(tx, t)
	if err != nil {
		c.log.Error("no policy can be sent", "err", err)
	} else {
		// Its text decides, not its version: another place's rules or those of a
		// newer controller may have the same one. A terminal ignores what it has.
		fr, text, err := c.f.policies.frame(p.ForTerminal(), c.f.cfg.PKI)
		if err != nil {
			return d, err
		}
		if text != c.policy {
			if err := compliance.Sends(tx, t, p); err != nil {
				return d, err
			}
			d.policy, d.frames = text, append(d.frames, fr)
		}
	}
	permits, err := c.f.cfg.Rules.GrantPermits(tx, c.terminal)
	if err != nil {
		return d, err
	}
	fresh := false
	for _, e := range permits {
		d.permits[string(e.Sig)] = true
		fresh = fresh || !c.permits[string(e.Sig)]
	}
	if fresh {
		if err := d.add(wire.Message{Permits: permits}); err != nil {
			return d, err
		}
	}
	commands, err := c.f.cfg.Rules.OpenCommands(tx, c.terminal)
	if err != nil {
		return d, err
	}
	now := time.Now()
	for _, cmd := range commands {
		if at, ok := c.commands[cmd.ID]; ok && now.Sub(at) < c.f.cfg.Tick/2 {
			d.commands[cmd.ID] = at
			continue
		}
		if cmd.Row.Status == store.CommandPending {
			cmd.Row.Status, cmd.Row.Changed = store.CommandDelivered, c.f.cfg.Now().UTC()
			if err := store.Put(tx, cmd); err != nil {
				return d, err
			}
		}
		d.commands[cmd.ID] = now
		if err := d.add(wire.Message{Command: &cmd.Row.Envelope}); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *due) add(m wire.Message) error {
	b, err := wire.Encode(m)
	d.frames = append(d.frames, frame{text: b})
	return err
}

// policies are the signed policies in use, each prepared once for all the
// terminals that it goes to.
type policies struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*websocket.PreparedMessage
}

const maxPolicies = 256 // prepared; then they are made anew

// frame returns the signed policy, and the digest of its text and signer.
func (s *policies) frame(p policy.Policy, sign *pki.PKI) (fr frame, key [sha256.Size]byte, err error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return fr, key, fmt.Errorf("cannot write the policy: %w", err)
	}
	// Who signs is a part of it: terminals keep what they get, and have to be able
	// to verify it when the key before is retired.
	key = sha256.Sum256(append([]byte(sign.Signer()), doc...))
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.known[key]; m != nil {
		return frame{shared: m}, key, nil
	}
	env, err := sign.SignPolicy(p)
	if err != nil {
		return fr, key, err
	}
	b, err := wire.Encode(wire.Message{Policy: &env})
	if err != nil {
		return fr, key, err
	}
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, b)
	if err != nil {
		return fr, key, fmt.Errorf("cannot prepare the policy: %w", err)
	}
	if s.known == nil || len(s.known) >= maxPolicies {
		s.known = map[[sha256.Size]byte]*websocket.PreparedMessage{}
	}
	s.known[key] = m
	return frame{shared: m}, key, nil
}

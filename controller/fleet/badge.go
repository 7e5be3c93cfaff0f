package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"borne/controller/compliance"
	"borne/controller/store"
	"borne/controller/wire"
)

// h1Size is the length of h1: HMAC-SHA256.
const h1Size = sha256.Size

// pseudonyms takes h1 out of every begin and every print job's end, before
// anything is stored. A begin gets the month's pseudonym, a job its account in
// the ledger, both in hex.
func (c *conn) pseudonyms(records []wire.Record) error {
	begun, printed := map[int]wire.Begun{}, map[int]wire.Printed{}
	held := false
	for i, r := range records {
		ok := true
		switch r.Kind {
		case wire.KindBegun:
			var b wire.Begun
			if ok = readBadge(r.Body, &b, &b.Holder); ok {
				begun[i] = b
				held = held || len(b.Holder) > 0 && c.f.cfg.Holder != nil
			}
		case wire.KindPrint:
			var p wire.Printed
			if ok = readBadge(r.Body, &p, &p.Holder); ok {
				if !wire.ValidJobID(p.Job) {
					p.Holder = nil // the ledger does not take it: it is kept as it came
				}
				printed[i] = p
				held = held || len(p.Holder) > 0 && c.f.cfg.Account != nil
			}
		}
		if !ok {
			c.log.Warn("a record that may name a badge cannot be read", "kind", r.Kind, "seq", r.Seq)
			records[i].Body = json.RawMessage(`{}`) // it could hold h1
		}
	}
	names := map[int][]byte{}
	if held {
		err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error { return c.names(tx, records, begun, printed, names) })
		if err != nil {
			return fmt.Errorf("cannot make a pseudonym: %w", err)
		}
	}
	for i, b := range begun {
		b.Holder = names[i]
		if err := rewrite(&records[i], b); err != nil {
			return err
		}
	}
	for i, p := range printed {
		p.Holder = names[i]
		if err := rewrite(&records[i], p); err != nil {
			return err
		}
	}
	return nil
}

// names looks up what each record's badge is called.
func (c *conn) names(tx store.Tx, records []wire.Record, begun map[int]wire.Begun, printed map[int]wire.Printed, names map[int][]byte) error {
	clear(names)
	for i, b := range begun {
		if len(b.Holder) == 0 || c.f.cfg.Holder == nil {
			continue
		}
		name, err := c.f.cfg.Holder(tx, b.Holder, records[i].At)
		if err != nil {
			return err
		}
		names[i] = hex.AppendEncode(nil, []byte(name))
	}
	for i, p := range printed {
		if len(p.Holder) == 0 || c.f.cfg.Account == nil {
			continue
		}
		account, err := c.f.cfg.Account(tx, c.terminal, p, c.when(records[i]))
		if err != nil {
			return err
		}
		names[i] = account
	}
	return nil
}

// when is the time that a record counts at: as the rules file it, which see a
// clock that was not set as ours.
func (c *conn) when(r wire.Record) time.Time {
	if now := c.f.cfg.Now(); r.Unsure || r.At.After(now.Add(compliance.Ahead)) {
		return now
	}
	return r.At
}

// readBadge reads a body whose holder may be h1. A holder that cannot be h1 is
// left out: a record that is refused would be sent again for ever.
func readBadge(body []byte, into any, holder *[]byte) bool {
	if json.Unmarshal(body, into) != nil {
		return false
	}
	if len(*holder) != h1Size {
		*holder = nil
	}
	return true
}

func rewrite(r *wire.Record, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("cannot write a record without its badge: %w", err)
	}
	r.Body = b
	return nil
}

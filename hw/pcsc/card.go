package pcsc

import (
	"context"
	"errors"
	"slices"

	"borne/hw"
	"borne/hw/presence"
)

// getUID is the pseudo-APDU for a contactless card's UID (PC/SC part 3, 3.2.2.1.3):
// answered by the reader, not by the card.
func getUID() []byte { return []byte{0xFF, 0xCA, 0x00, 0x00, 0x00} }

// read makes a badge of the card in the field.
func (r *Reader) read(ctx context.Context, c *client) (b hw.Badge, err error) {
	l, err := c.connect(ctx, r.reader)
	if err != nil {
		return b, err
	}
	defer func() {
		// Of a connection that is of no use pcscd takes care itself.
		if c.broken {
			return
		}
		if e := l.disconnect(ctx); ctx.Err() == nil { // else the connection is broken now, which lets go of the card
			err = errors.Join(err, e)
		}
	}()
	answer, err := l.Transmit(ctx, getUID())
	if err != nil {
		return b, err
	}
	defer clear(answer)
	uid, err := parseUID(answer)
	if err != nil {
		return b, err
	}
	b = hw.Badge{Key: r.key(uid), Bytes: len(uid), Random: len(uid) == 4 && uid[0] == 0x08, Assurance: hw.AssuranceUID}
	if r.opts.Prove == nil {
		return b, nil
	}
	id := slices.Clone(uid)
	defer clear(id)
	p, err := r.opts.Prove.Prove(ctx, l, id)
	defer clear(p.UID)
	if err != nil {
		// Some readers fail where a memory card should refuse: what such a card shows
		// is its UID, once it has been asked often enough.
		if r.tries >= maxTries && ctx.Err() == nil && !c.broken && !errors.Is(err, hw.ErrAbsent) {
			r.opts.Log.Debug("a card does not answer to what it could prove", "reader", r.opts.Name, "why", err)
			return b, nil
		}
		return b, err
	}
	presence.Apply(p, &b, r.key)
	return b, nil
}

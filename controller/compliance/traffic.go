package compliance

import (
	"fmt"
	"net/netip"

	"borne/controller/requisition"
	"borne/controller/store"
	"borne/controller/wire"
)

// maxPorts bounds what a record says of source ports, in bytes.
const maxPorts = 40

// traffic keeps from where a session's connections left, if a decision is on. The
// fleet empties such a record before it is durable when none is; one that lay in the
// journal when the decision ended is dropped here. What it says is checked and
// nothing else of it is kept: no field may become a place for more.
func traffic(tx store.Tx, of store.Meta, rec wire.Record) error {
	d, err := requisition.Traffic(tx)
	if err != nil || !d.On {
		return err
	}
	b, ok := body[wire.Traffic](rec)
	if !ok || b.Session == "" || len(b.Session) > 64 || len(b.Ports) > maxPorts || !ports(b.Ports) || b.Begun.IsZero() || b.Ended.Before(b.Begun) {
		return nil
	}
	address, err := netip.ParseAddr(b.Address)
	if err != nil {
		return nil
	}
	return store.Put(tx, store.Item[store.Traffic]{
		Meta: store.Meta{ID: store.TimeID(rec.At, fmt.Sprintf("%s-%d-%d", of.ID, rec.Epoch, rec.Seq)), Site: of.Site, Scope: of.ID},
		Row:  store.Traffic{Terminal: of.ID, Session: b.Session, Address: address.WithZone("").String(), Ports: b.Ports, Begun: b.Begun.UTC(), Ended: b.Ended.UTC()}})
}

// ports reads a list such as 1024-2047,3000.
func ports(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && r != '-' && r != ',' {
			return false
		}
	}
	return true
}

package compliance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// A terminal tries a changed network before it obeys it, and puts back one over
// which it does not reach this controller. The same is then not offered to it
// again: it gets the rest of its rules with the network that it last obeyed, until
// the network that is wanted is another one.

func networkRow(tx store.Tx, terminal string) (store.Item[store.NetworkRow], error) {
	row, err := store.Get[store.NetworkRow](tx, terminal)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return row, err
}

// Reverted tells which network of its rules a terminal put back, and when, as long
// as it is the one that is wanted of it; nil when there is none.
func Reverted(tx store.Tx, t terminal) (*store.NetworkRow, error) {
	row, err := networkRow(tx, t.ID)
	if err != nil || row.Row.Refused == "" {
		return nil, err
	}
	p, _, err := Origins(tx, t)
	if err != nil || p.Network.TrialKey() != row.Row.Refused {
		return nil, err
	}
	return &row.Row, nil
}

// holding is a policy with the network that the terminal holds, where it put back
// the one that is wanted.
func holding(tx store.Tx, t terminal, p policy.Policy) (policy.Policy, error) {
	row, err := networkRow(tx, t.ID)
	if err != nil || row.Row.Refused == "" || row.Row.Held == nil || p.Network.TrialKey() != row.Row.Refused {
		return p, err
	}
	var held policy.Network
	if err := json.Unmarshal(row.Row.Held, &held); err != nil {
		return p, fmt.Errorf("cannot read the network that %s holds: %w", t.ID, err)
	}
	p.Network = held
	return p, nil
}

// maxSent bounds the networks that a terminal was sent and has not answered for.
const maxSent = 4

// Sends notes the network of the policy that a terminal is sent: when it says that
// it obeys, others may be wanted of it already.
func Sends(tx store.Tx, t terminal, p policy.Policy) error {
	row, err := networkRow(tx, t.ID)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(p.Network)
	if err != nil {
		return fmt.Errorf("cannot write the network of %s: %w", t.ID, err)
	}
	if n := len(row.Row.Sent); n > 0 && bytes.Equal(row.Row.Sent[n-1].Network, doc) && row.Row.Sent[n-1].Version <= p.Version {
		return nil
	}
	is := row.Row
	is.Sent = append(slices.Clone(is.Sent), store.SentNetwork{Version: p.Version, Network: doc})
	is.Sent = is.Sent[max(0, len(is.Sent)-maxSent):]
	return putNetwork(tx, t, row.Rev, is)
}

func putNetwork(tx store.Tx, t terminal, rev uint64, is store.NetworkRow) error {
	return store.Put(tx, store.Item[store.NetworkRow]{Meta: store.Meta{ID: t.ID, Site: t.Site, Scope: t.ID, Rev: rev}, Row: is})
}

// obeys notes the network of a version that a terminal obeys.
func obeys(tx store.Tx, t terminal, version uint64) error {
	row, err := networkRow(tx, t.ID)
	if err != nil {
		return err
	}
	is := row.Row
	for i := len(is.Sent) - 1; i >= 0; i-- {
		if is.Sent[i].Version <= version {
			is.Held, is.Sent = is.Sent[i].Network, is.Sent[i:]
			break
		}
	}
	if is.Refused != "" {
		// What it obeys now is what it held before, unless another one is wanted.
		if back, err := Reverted(tx, t); err != nil {
			return err
		} else if back == nil {
			is = store.NetworkRow{Held: is.Held, Sent: is.Sent}
		}
	}
	if is.Refused == row.Row.Refused && bytes.Equal(is.Held, row.Row.Held) && len(is.Sent) == len(row.Row.Sent) {
		return nil
	}
	return putNetwork(tx, t, row.Rev, is)
}

// meets notes the network of a terminal that was sent none since trials are known:
// what it obeys is wanted of it still.
func meets(tx store.Tx, t terminal, version uint64) error {
	row, err := networkRow(tx, t.ID)
	if err != nil || row.Row.Held != nil || version == 0 {
		return err
	}
	p, err := Effective(tx, t)
	if err != nil || p.Version != version {
		return err
	}
	if err := Sends(tx, t, p); err != nil {
		return err
	}
	return obeys(tx, t, version)
}

// putBack notes that a terminal put the network of a version back. One that is no
// longer wanted does not matter: it says so again of the one that is.
func putBack(tx store.Tx, t terminal, at time.Time, p wire.PolicyApplied) error {
	wanted, _, err := Origins(tx, t)
	if err != nil || wanted.Version != p.Version {
		return err
	}
	row, err := networkRow(tx, t.ID)
	if err != nil {
		return err
	}
	is := store.NetworkRow{Held: row.Row.Held, Sent: row.Row.Sent, Refused: wanted.Network.TrialKey(), Version: p.Version, At: at, Why: cut(p.Error)}
	if is.Refused == row.Row.Refused {
		is.At = row.Row.At // it tells the same again
	}
	if is.Held == nil && t.Row.Policy == 0 { // it never obeyed any: that of its own file
		if is.Held, err = json.Marshal(policy.Network{}); err != nil {
			return fmt.Errorf("cannot write the network of %s: %w", t.ID, err)
		}
	}
	return putNetwork(tx, t, row.Rev, is)
}

package fleet

import (
	"slices"
	"time"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
)

// maxRevoked is how many revoked certificates are remembered one by one: those
// of many years, since each lives 90 days.
const maxRevoked = 512

// trusted returns the terminal when its certificate is good now. A restored
// controller does not know what was issued after the backup: it believes its
// own signature then, or each terminal that renewed since would be locked out.
func trusted(tx store.Tx, terminal, serial string) (store.Item[store.Terminal], error) {
	t, err := store.Get[store.Terminal](tx, terminal)
	if err != nil {
		return t, err
	}
	switch {
	case t.Row.State == store.StateRevoked || slices.Contains(t.Row.Revoked, serial):
		return t, pki.ErrRevoked
	case slices.Contains(t.Row.Serials, serial):
		return t, nil
	}
	gen, err := compliance.Generation(tx)
	if err != nil {
		return t, err
	}
	if gen == 1 || len(t.Row.Serials) == 0 {
		return t, pki.ErrRevoked
	}
	return t, nil
}

// Revoke makes a terminal's certificates and permits worthless, for when no
// fleet runs: a connection would not hear of it. Only new hardware, by an
// installation code that replaces it, brings the terminal back.
func Revoke(tx store.Tx, terminal string, now time.Time) (store.Item[store.Terminal], error) {
	t, err := store.Get[store.Terminal](tx, terminal)
	if err != nil {
		return t, err
	}
	t.Row.State, t.Row.Since, t.Row.Reason, t.Row.Detail = store.StateRevoked, now.UTC(), "", ""
	retire(&t, "")
	if err := store.Put(tx, t); err != nil {
		return t, err
	}
	return t, compliance.VoidPermits(tx, terminal)
}

// retire revokes every certificate of t but one.
func retire(t *store.Item[store.Terminal], but string) {
	var kept []string
	for _, s := range t.Row.Serials {
		if s == but {
			kept = append(kept, s)
		} else {
			t.Row.Revoked = append(t.Row.Revoked, s)
		}
	}
	t.Row.Serials = kept
	t.Row.Revoked = t.Row.Revoked[max(0, len(t.Row.Revoked)-maxRevoked):]
}

// maxPast is how many receipt keys of replaced hardware are remembered.
const maxPast = 64

// remember keeps the receipt key of the hardware that is replaced: its receipts
// are verified again for as long as they are kept.
func remember(t *store.Item[store.Terminal]) {
	if len(t.Row.ReceiptKey) > 0 {
		t.Row.PastKeys = append(t.Row.PastKeys, t.Row.ReceiptKey)
		t.Row.PastKeys = t.Row.PastKeys[max(0, len(t.Row.PastKeys)-maxPast):]
	}
}

// settle makes the certificate that a terminal connects with its only one, when
// it is the newest: the one before was kept in case the answer was lost. It
// tells whether t changed.
func settle(t *store.Item[store.Terminal], serial string) bool {
	i := slices.Index(t.Row.Serials, serial)
	switch {
	case i < 0: // issued after the backup that this controller was restored from
		t.Row.Serials = append(t.Row.Serials, serial)
	case i < len(t.Row.Serials)-1 || i == 0:
		return false
	}
	retire(t, serial)
	return true
}

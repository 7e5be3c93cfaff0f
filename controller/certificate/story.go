package certificate

import (
	"errors"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/wire"
)

// quarantines reads in the audit when a terminal was stopped, and how each time
// ended: those that touch [from, to).
func quarantines(tx store.Tx, terminal, label string, from, to time.Time) ([]Quarantine, error) {
	var all []Quarantine
	var now *Quarantine
	for e, err := range store.Find[store.AuditEntry](tx, "target", terminal) {
		if err != nil {
			return nil, err
		}
		end := End("")
		switch e.Row.Action {
		case "terminal.quarantined":
			if now == nil {
				now = &Quarantine{Terminal: label, Since: e.Row.At.UTC(), End: EndOpen}
			}
			now.Reason = wire.Reason(e.Row.Detail) // a clone is told whatever came before
		case "terminal.released":
			end = EndReleased
		case "terminal.replaced":
			end = EndReplaced
		case "terminal.revoked":
			end = EndRevoked
		}
		if end != "" && now != nil {
			at := e.Row.At.UTC()
			now.Until, now.End = &at, end
			all, now = append(all, *now), nil
		}
	}
	if now != nil {
		all = append(all, *now)
	}
	kept := []Quarantine{}
	for _, q := range all {
		if q.Since.Before(to) && (q.Until == nil || !q.Until.Before(from)) {
			kept = append(kept, q)
		}
	}
	return kept, nil
}

func verifyAudit(tx store.Tx) (Audit, error) {
	head, err := audit.Verify(tx, nil)
	a := Audit{Holds: err == nil, Entries: head.Seq, Head: head.String()}
	if errors.Is(err, audit.ErrBroken) {
		a.Why = err.Error()
		return a, nil
	}
	return a, err
}

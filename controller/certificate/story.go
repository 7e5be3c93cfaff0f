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
func quarantines(tx store.Tx, terminal, label string, from, to time.Time, zone *time.Location) ([]Quarantine, error) {
	kept := []Quarantine{}
	var q Quarantine
	var since time.Time // zero: it was not stopped
	keep := func(until time.Time) {
		if since.Before(to) && (until.IsZero() || !until.Before(from)) {
			kept = append(kept, q)
		}
		since = time.Time{}
	}
	for e, err := range store.Find[store.AuditEntry](tx, "target", terminal) {
		if err != nil {
			return nil, err
		}
		end := End("")
		switch e.Row.Action {
		case "terminal.quarantined":
			if since.IsZero() {
				since = e.Row.At
				q = Quarantine{Terminal: label, Since: since.In(zone).Format(time.DateOnly), End: EndOpen}
			}
			q.Reason = wire.Reason(e.Row.Detail) // a clone is told whatever came before
		case "terminal.released":
			end = EndReleased
		case "terminal.replaced":
			end = EndReplaced
		case "terminal.revoked":
			end = EndRevoked
		}
		if end != "" && !since.IsZero() {
			q.End, q.Until = end, e.Row.At.In(zone).Format(time.DateOnly)
			keep(e.Row.At)
		}
	}
	if !since.IsZero() {
		keep(time.Time{})
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

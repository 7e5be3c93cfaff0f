package requisition

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"borne/controller/audit"
	"borne/controller/store"
)

// What audits say of traffic data.
const (
	actionTrafficOn  = "traffic.on"
	actionTrafficOff = "traffic.off"
)

// Traffic is the decision in force about traffic data: off when there is none.
func Traffic(tx store.Tx) (store.TrafficDecision, error) {
	it, err := store.Get[store.TrafficDecision](tx, store.TrafficDecisionID)
	if errors.Is(err, store.ErrNotFound) {
		return store.TrafficDecision{}, nil
	}
	if err != nil {
		return it.Row, fmt.Errorf("cannot read whether traffic data may be kept: %w", err)
	}
	return it.Row, nil
}

// Decide writes the DPO's dated decision down. It is the caller's to know that by is
// a DPO. What was kept before a decision against it goes at the next run.
func Decide(tx store.Tx, d store.TrafficDecision, today string, now time.Time) error {
	d.Reference = strings.TrimSpace(d.Reference)
	day, err := time.Parse(time.DateOnly, d.Day)
	switch {
	case d.Reference == "":
		return &Invalid{"reference", WhyEmpty}
	case len([]rune(d.Reference)) > MaxReference:
		return &Invalid{"reference", WhyLong}
	case strings.ContainsFunc(d.Reference, func(r rune) bool { return !unicode.IsPrint(r) }):
		return &Invalid{"reference", WhySigns}
	case err != nil || d.Day > today || day.Year() < 2020:
		return &Invalid{"day", WhyUnknown}
	}
	d.At = now.UTC()
	it, err := store.Get[store.TrafficDecision](tx, store.TrafficDecisionID)
	if errors.Is(err, store.ErrNotFound) {
		it.Meta, err = store.Meta{ID: store.TrafficDecisionID}, nil
	}
	if err != nil {
		return err
	}
	it.Row = d
	if err := store.Put(tx, it); err != nil {
		return fmt.Errorf("cannot keep the decision about traffic data: %w", err)
	}
	e := audit.Entry{At: now, Actor: d.By, Action: actionTrafficOff, Target: store.TrafficDecisionID, Detail: d.Day + " · " + d.Reference}
	if d.On {
		e.Action = actionTrafficOn
	}
	return audit.Append(tx, e)
}

package server

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// staffed records what staff did at a terminal's menu. Nobody logged in there: the
// actor is the function that the rules give to the badge, or that it was the PIN.
func staffed(now func() time.Time) func(store.Tx, store.Item[store.Terminal], time.Time, wire.StaffDone) error {
	entries := map[wire.StaffDo]audit.Entry{
		wire.StaffClose:   {Action: "staff.close"},
		wire.StaffReopen:  {Action: "staff.reopen"},
		wire.StaffStay:    {Action: "staff.stay"},
		wire.StaffTime:    {Action: "staff.time"},
		wire.StaffPrint:   {Action: "staff.print"},
		wire.StaffRestart: {Action: "staff.restart"},
		wire.StaffCall:    {Action: "staff.call"},
	}
	return func(tx store.Tx, t store.Item[store.Terminal], at time.Time, d wire.StaffDone) error {
		e, ok := entries[d.Do]
		if !ok {
			return fmt.Errorf("cannot record that staff did %.20q: the audit has no name for it", d.Do)
		}
		e.At, e.Actor, e.Site, e.Scope, e.Target = now(), api.AtTerminal+cmp.Or(clean(d.By), "?"), t.Site, t.ID, t.ID
		var said []string
		clock := func(x time.Time) string { return x.In(policy.Location()).Format("15:04") }
		switch {
		case !d.Until.IsZero():
			said = append(said, "→ "+clock(d.Until))
		case d.Minutes > 0:
			said = append(said, fmt.Sprintf("%d min", d.Minutes))
		case d.Jobs > 0:
			said = append(said, fmt.Sprintf("× %d", d.Jobs))
		}
		if e.At.Sub(at) > lateAfter { // the terminal was cut off: the chain has the time at which it is written
			said = append(said, "("+at.In(policy.Location()).Format("02/01 15:04")+")")
		}
		e.Detail = strings.Join(said, " ")
		return audit.Append(tx, e)
	}
}

// lateAfter is how late a record may come until its own time is told beside.
const lateAfter = 2 * time.Minute

// clean is a terminal's text without what is no character.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return -1
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), 60)], "")
}

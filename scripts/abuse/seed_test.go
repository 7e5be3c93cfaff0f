package abuse

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// Two places. Every row of the mine place bears mark: whoever is of the other one
// never reads it.
const (
	mine, other = "zzmine", "yyother"
	mark        = "zzmine"
	badgeMine   = "572001034"
	badgeOther  = "123456786"
)

func put[T store.Row](tx store.Tx, m store.Meta, row T) error {
	return store.Put(tx, store.Item[T]{Meta: m, Row: row})
}

// seed writes both places into a store that nobody serves yet.
func seed(t *testing.T, state string) {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: state + "/store"})
	must(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	err = st.Decide(context.Background(), func(tx store.Tx) error {
		for s, number := range map[string]string{mine: badgeMine, other: badgeOther} {
			if err := place(tx, s, number, now); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	must(t, st.Close())
}

// place is a site with one of everything that a route can name.
func place(tx store.Tx, s, number string, now time.Time) error {
	sp, te := s+"-hall", s+"-1"
	payload, err := json.Marshal(wire.Receipt{Terminal: te, Kind: wire.ReceiptSession, WipeMS: 420, Attempt: 1, Level: wire.LevelFull,
		Checks: []wire.Check{{Name: wire.CheckProcesses, Before: 9, Result: wire.Clean}}})
	if err != nil {
		return err
	}
	before := []byte("{}")
	for _, err := range []error{
		put(tx, store.Meta{ID: s, Site: s}, store.Site{Name: "Collège " + s, Type: "college", Commune: "Annecy " + s}),
		put(tx, store.Meta{ID: "group-" + s}, store.SiteGroup{Name: "Groupe " + s, Sites: []string{s}}),
		put(tx, store.Meta{ID: "rules-group-" + s}, store.PolicyChange{Layer: "group-" + s, At: now, By: "x", Before: before}),
		put(tx, store.Meta{ID: sp, Site: s, Scope: sp}, store.Space{Name: "Hall " + s}),
		put(tx, store.Meta{ID: te, Site: s, Scope: sp}, store.Terminal{Space: sp, Name: "Poste " + s, State: store.StateActive, Since: now, Enrolled: now}),
		put(tx, store.Meta{ID: store.TimeID(now, te), Site: s, Scope: te}, store.SessionRow{Session: "session-" + s, Terminal: te, Begun: now, Reason: wire.EndButton}),
		put(tx, store.Meta{ID: "receipt-" + s, Site: s, Scope: te}, store.ReceiptRow{Terminal: te, Verdict: store.VerdictAccepted, Kind: wire.ReceiptSession,
			Envelope: wire.Envelope{Kid: "k", Domain: wire.DomainReceipt, Payload: payload, Sig: []byte{1}}, At: now, Segment: 1, Index: 1}),
		put(tx, store.Meta{ID: "job-" + s, Site: s, Scope: te}, store.PrintJob{Job: "job-" + s, Session: "session-" + s, Terminal: te, At: now, Day: now.Format(time.DateOnly), Outcome: wire.PrintDoubtful,
			Reason: wire.PrintLost, Reserved: 600, Asked: 6}),
		put(tx, store.Meta{ID: te, Site: s, Scope: te}, store.PrinterRow{Terminal: te, Model: "Laser " + s, State: wire.PrinterReady, Since: now, At: now}),
		put(tx, store.Meta{ID: "hours-" + s, Site: s}, store.HoursChange{Layer: s, At: now, By: "x", Note: s}),
		put(tx, store.Meta{ID: "hours-" + sp, Site: s, Scope: sp}, store.HoursChange{Layer: sp, At: now, By: "x", Note: s}),
		put(tx, store.Meta{ID: "rules-" + s, Site: s}, store.PolicyChange{Layer: s, At: now, By: "x", Before: before}),
		put(tx, store.Meta{ID: "rules-" + sp, Site: s, Scope: sp}, store.PolicyChange{Layer: sp, At: now, By: "x", Before: before}),
		put(tx, store.Meta{ID: "rules-" + te, Site: s, Scope: sp}, store.PolicyChange{Layer: te, At: now, By: "x", Before: before}),
		put(tx, store.Meta{ID: "matter-" + s, Site: s, Scope: te}, store.Matter{Key: store.MatterSubject(te) + "/offline/", Code: "offline", Terminal: te, Space: sp, Level: "soon", Since: now, Noticed: now, Changed: now, Note: s}),
		put(tx, store.Meta{ID: "command-" + s, Site: s, Scope: te}, store.CommandRow{Terminal: te, Kind: wire.CmdEnd, Status: store.CommandDone, Issued: now, Text: s}),
		put(tx, store.Meta{ID: "holder-" + s, Site: s}, store.Holder{H2: string(bytes.Repeat([]byte(s[:1]), 64)), Kind: store.HolderDay, Number: number, Group: "groupe " + s, Created: now, Seen: now.Format("2006-01")}),
		put(tx, store.Meta{ID: "window-" + s, Site: s, Scope: te}, store.BadgeWindow{Action: "find", Until: now.Add(time.Hour)}),
		put(tx, store.Meta{ID: "code-" + s, Site: s}, store.DayCode{Sheet: "sheet-" + s, Until: now.Add(time.Hour), Group: "codes " + s}),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

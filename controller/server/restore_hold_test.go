package server

import (
	"bytes"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/requisition"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// TestARestoreLetsGoOfNoHold: what was confirmed after the backup still holds its rows
// when the backup is restored, however late, what was lifted since stays lifted, and
// traffic data that a DPO closed since stays closed.
func TestARestoreLetsGoOfNoHold(t *testing.T) {
	state := fresh(t)
	s, stop := running(t, settings(t, state))
	now, then := time.Now(), time.Now().AddDate(0, 0, 20)
	decide := func(fn func(store.Tx) error) {
		t.Helper()
		if err := s.st.Decide(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	today := now.Truncate(time.Second)
	ask := func(tx store.Tx, site, by string) string {
		h, err := requisition.Ask(tx, store.Hold{Reference: "PV " + site, Authority: "Parquet", Sites: []string{site}, Classes: []string{"usage"}, Begins: today, Ends: today.AddDate(0, 0, 60), AskedBy: "ask"}, 90, today, now)
		if err == nil {
			_, err = requisition.Confirm(tx, h.ID, by, now)
		}
		if err != nil {
			t.Fatal(err)
		}
		return h.ID
	}
	lifted := ""
	decide(func(tx store.Tx) error {
		for _, err := range []error{one(tx, "", "ask", store.User{Role: "administrator", Created: now}), one(tx, "", "confirm", store.User{Role: "dpo", Created: now.AddDate(0, 0, -1)})} {
			if err != nil {
				return err
			}
		}
		for _, site := range []string{"since", "lifted", "free"} {
			if err := one(tx, site, site, store.Site{Name: site}); err != nil {
				return err
			}
			// Due ten days from now, when the backup comes back.
			if err := one(tx, site, store.TimeID(now.AddDate(0, 0, -386), site), store.SessionRow{Session: site, Terminal: "t"}); err != nil {
				return err
			}
		}
		lifted = ask(tx, "lifted", "confirm")
		return requisition.Decide(tx, store.TrafficDecision{On: true, Day: now.UTC().Format(time.DateOnly), Reference: "DEC-1", By: "confirm"}, now.UTC().Format(time.DateOnly), now)
	})
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	decide(func(tx store.Tx) error {
		ask(tx, "since", "confirm")
		for i, by := range []string{"ask", "confirm"} {
			if _, err := requisition.Lift(tx, lifted, by, now.Add(time.Duration(i+1)*time.Second)); err != nil {
				return err
			}
		}
		return requisition.Decide(tx, store.TrafficDecision{Day: now.UTC().Format(time.DateOnly), Reference: "DEC-2", By: "confirm"}, now.UTC().Format(time.DateOnly), now.Add(time.Second))
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	done, err := Restore(ctx, Config{Config: config.Config{State: state}, Now: func() time.Time { return then }}, Restoration{Backup: bytes.NewReader(b.Bytes()), Replace: true})
	if err != nil || done.Holds != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	st, err := bolt.Open(bolt.Config{Dir: storeDir(state)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.View(ctx, func(tx store.Tx) error {
		left := map[string]bool{}
		for it, err := range store.List[store.SessionRow](tx, "", "", false) {
			if err != nil {
				return err
			}
			left[it.Row.Session] = true
		}
		if len(left) != 1 || !left["since"] {
			t.Errorf("after the restore there are the sessions of %v", left)
		}
		d, err := requisition.Traffic(tx)
		if d.On || d.Reference != "DEC-2" {
			t.Errorf("the decision about traffic data is %+v", d)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

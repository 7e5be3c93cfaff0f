package server

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// TestRestoreErasesABadgeEverywhereAgain: a backup from before an erasure holds the
// badge's name in its sessions, print jobs and presences, and the month's key that
// tells whose they are. All of that is gone after its restore, and what counts stays.
func TestRestoreErasesABadgeEverywhereAgain(t *testing.T) {
	state := fresh(t)
	s, stop := running(t, settings(t, state))
	now := time.Now()
	names := map[byte][2]string{} // by badge: in its sessions, and its account
	decide := func(st store.Store, fn func(store.Tx) error) {
		t.Helper()
		if err := st.Decide(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	for _, badge := range []byte{1, 2} {
		h1, id := bytes.Repeat([]byte{badge}, 32), string('a'+rune(badge))
		decide(s.st, func(tx store.Tx) error {
			p, err := s.badges.Pseudonym(tx, h1, now)
			if err != nil {
				return err
			}
			a, err := s.badges.Account(tx, h1, now, now)
			if err != nil {
				return err
			}
			session, account, month := hex.EncodeToString(p), hex.EncodeToString(a), now.UTC().Format("2006-01")
			names[badge] = [2]string{session, account}
			return errors.Join(
				store.Put(tx, store.Item[store.SessionRow]{Meta: store.Meta{ID: store.TimeID(now, id)}, Row: store.SessionRow{Session: id, Terminal: "t", Begun: now, Holder: session}}),
				store.Put(tx, store.Item[store.PrintJob]{Meta: store.Meta{ID: store.TimeID(now, id)}, Row: store.PrintJob{Account: account}}),
				store.Put(tx, store.Item[store.Account]{Meta: store.Meta{ID: account}, Row: store.Account{Month: month}}),
				store.Put(tx, store.Item[store.Presence]{Meta: store.Meta{ID: store.PresenceID(month, session, "s"), Site: "s"}, Row: store.Presence{Month: month, Holder: session}}))
		})
	}
	var b, deletions bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	decide(s.st, func(tx store.Tx) error {
		it, err := store.First(store.Find[store.SessionRow](tx, "holder", names[1][0]))
		if err != nil {
			return err
		}
		for h, err := range store.List[store.Holder](tx, "", "", false) {
			if err != nil {
				return err
			}
			k, err := s.badges.Kept(tx, h)
			if err != nil {
				return err
			}
			if len(k.Sessions) == 1 && k.Sessions[0].ID == it.ID {
				_, err := s.badges.Erase(tx, h, "somebody")
				return err
			}
		}
		return errors.New("no holder has that session")
	})
	if ok, err := FetchExport(ctx, state, ExportDeletions, &deletions); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir  string
		file io.Reader
	}{"over what is there": {state, nil}, "elsewhere": {state + "2", bytes.NewReader(deletions.Bytes())}} {
		done, err := Restore(ctx, Config{Config: config.Config{State: c.dir}}, Restoration{Backup: bytes.NewReader(b.Bytes()), Replace: true, Deletions: c.file})
		if err != nil || done.Erased != 2 {
			t.Fatalf("%s: %+v, %v", name, done, err)
		}
		st, err := bolt.Open(bolt.Config{Dir: storeDir(c.dir)})
		if err != nil {
			t.Fatal(err)
		}
		decide(st, func(tx store.Tx) error {
			for k, want := range map[store.Kind]int{store.KindSession: 2, store.KindPrintJob: 2, store.KindPresence: 2, store.KindAccount: 1, store.KindHolder: 1} {
				n := 0
				for range tx.List(k, "", "", false) {
					n++
				}
				if n != want {
					t.Errorf("%s: table %s has %d rows, want %d", name, k, n, want)
				}
			}
			return nil
		})
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(databaseOf(c.dir))
		if err != nil {
			t.Fatal(err)
		}
		// The log of erasures still names the account, which is a row no more.
		for what, id := range map[string]string{"sessions": names[1][0], "print jobs": `"account":"` + names[1][1] + `"`} {
			if bytes.Contains(file, []byte(id)) {
				t.Errorf("%s: the erased badge's name in its %s is back", name, what)
			}
		}
		if !bytes.Contains(file, []byte(names[2][0])) || !bytes.Contains(file, []byte(names[2][1])) {
			t.Errorf("%s: the other badge lost its own", name)
		}
	}
}

package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"borne/controller/store"
	"borne/controller/store/storetest"
	"borne/controller/wire"
)

func opener(dir string, apply store.Applier) (store.Store, error) {
	return Open(Config{Dir: dir, Apply: apply, Journal: 64 << 10, Wait: 10 * time.Millisecond, Retry: time.Millisecond})
}

func TestMain(m *testing.M) {
	storetest.Child(opener)
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) { storetest.Run(t, opener) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func batch(from, to uint64) wire.Batch {
	b := wire.Batch{Epoch: 1}
	for n := from; n <= to; n++ {
		b.Records = append(b.Records, wire.Record{Epoch: 1, Seq: n, Kind: "x", Body: json.RawMessage(`{"pad":"` + strings.Repeat("x", 200) + `"}`)})
	}
	return b
}

// TestDecidingNothingWritesNothing: looking after many terminals is mostly
// finding that nothing is to be done, and must not cost a sync each time.
func TestDecidingNothingWritesNothing(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), Journal: 64 << 10})
	must(t, err)
	defer s.Close()
	commits := func() (n int) {
		must(t, s.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }))
		return n
	}
	before := commits()
	must(t, s.Decide(t.Context(), func(tx store.Tx) error {
		_, err := tx.Cursor("t1")
		return err
	}))
	if n := commits(); n != before {
		t.Errorf("%d commits without a change", n-before)
	}
	must(t, s.Decide(t.Context(), func(tx store.Tx) error { return tx.SetCursor("t1", store.Cursor{Epoch: 1}) }))
	must(t, s.Decide(t.Context(), func(tx store.Tx) error {
		return tx.Put(store.KindSite, store.Meta{ID: "s1"}, json.RawMessage(`{}`))
	}))
	must(t, s.Decide(t.Context(), func(tx store.Tx) error { return tx.Delete(store.KindSite, "s1") }))
	if n := commits(); n != before+3 {
		t.Errorf("%d commits for three changes", n-before)
	}
}

// held returns a store whose applier waits until release is closed, with the
// records 1 to n acknowledged one by one.
func held(t *testing.T, dir string, n uint64) (s *Store, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	s, err := Open(Config{Dir: dir, Journal: 64 << 10, Apply: func(tx store.Tx, terminal string, r wire.Record) error {
		<-release
		return storetest.Apply(tx, terminal, r)
	}})
	must(t, err)
	must(t, s.Decide(t.Context(), func(tx store.Tx) error { return tx.SetCursor("t", store.Cursor{Epoch: 1}) }))
	for i := uint64(1); i <= n; i++ {
		_, err := s.Ingest(t.Context(), "t", batch(i, i))
		must(t, err)
	}
	return s, release
}

// TestJournalDamage copies the files of a store that has acknowledged four
// records and applied none, damages the journal, and opens the copy.
func TestJournalDamage(t *testing.T) {
	dir := t.TempDir()
	s, release := held(t, dir, 4)
	jr, err := os.ReadFile(filepath.Join(dir, fileJournal))
	must(t, err)
	frames, end := readFrames(jr)
	if len(frames) != 4 {
		t.Fatalf("%d frames, want 4", len(frames))
	}
	close(release)
	must(t, s.Close())

	one := end / 4
	for name, c := range map[string]struct {
		damage func([]byte)
		left   uint64
		told   bool
	}{
		"whole":              {func([]byte) {}, 4, false},
		"torn in the last":   {func(b []byte) { clear(b[end-10 : end]) }, 3, false},
		"torn in a header":   {func(b []byte) { clear(b[3*one+7 : end]) }, 3, false},
		"a bit in the last":  {func(b []byte) { b[end-20] ^= 4 }, 3, false},
		"a bit in the third": {func(b []byte) { b[2*one+frameHeader+50] ^= 1 }, 2, true},
		"a bit in the first": {func(b []byte) { b[9] ^= 1 }, 0, true},
		"empty":              {func(b []byte) { clear(b) }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			// The database as it was before anything was applied.
			first, err := Open(Config{Dir: to, Apply: storetest.Apply, Journal: 64 << 10})
			must(t, err)
			must(t, first.Decide(t.Context(), func(tx store.Tx) error { return tx.SetCursor("t", store.Cursor{Epoch: 1}) }))
			must(t, first.Close())
			damaged := bytes.Clone(jr)
			c.damage(damaged)
			must(t, os.WriteFile(filepath.Join(to, fileJournal), damaged, 0o600))
			var log bytes.Buffer
			for round := range 2 {
				log.Reset()
				s, err := Open(Config{Dir: to, Apply: storetest.Apply, Journal: 64 << 10, Log: slog.New(slog.NewTextHandler(&log, nil))})
				must(t, err)
				must(t, s.Decide(t.Context(), func(tx store.Tx) error {
					cur, err := tx.Cursor("t")
					if cur.Seq != c.left {
						t.Errorf("cursor %+v, want %d records", cur, c.left)
					}
					return err
				}))
				if told := strings.Contains(log.String(), "damaged"); told != (c.told && round == 0) {
					t.Errorf("round %d, log: %s", round, &log)
				}
				must(t, s.Close())
			}
		})
	}
}

// TestJournalRound writes many times the journal's size, so that it starts
// over, and opens again at each hundredth record.
func TestJournalRound(t *testing.T) {
	dir := t.TempDir()
	for round := range uint64(4) {
		s, err := opener(dir, storetest.Apply)
		must(t, err)
		must(t, s.Decide(t.Context(), func(tx store.Tx) error {
			c, err := tx.Cursor("t")
			if err != nil || c.Epoch != 0 {
				return err
			}
			return tx.SetCursor("t", store.Cursor{Epoch: 1})
		}))
		for i := range uint64(10) {
			n := round*100 + i*10
			c, err := s.Ingest(t.Context(), "t", batch(n+1, n+10))
			must(t, err)
			if c.Seq != n+10 || c.Gaps != 0 {
				t.Fatalf("cursor %+v after %d", c, n+10)
			}
		}
		must(t, s.Close())
	}
	s, err := opener(dir, storetest.Apply)
	must(t, err)
	defer s.Close()
	big := batch(401, 401)
	big.Records[0].Body = json.RawMessage(`"` + strings.Repeat("x", 70<<10) + `"`)
	if _, err := s.Ingest(t.Context(), "t", big); err == nil {
		t.Error("a batch larger than the journal is taken")
	}
	if c, err := s.Ingest(t.Context(), "t", batch(401, 402)); err != nil || c.Seq != 402 {
		t.Errorf("after that: %+v %v", c, err)
	}
}

func FuzzReadFrames(f *testing.F) {
	b, sum := appendFrame(nil, 7, 0, []byte("one"))
	b, _ = appendFrame(b, 8, sum, []byte("two"))
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(append(bytes.Clone(b[:27]), b...))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, end := readFrames(data)
		if end > len(data) {
			t.Fatalf("end %d of %d", end, len(data))
		}
		for i, p := range found {
			if i > 0 && p.pos != found[i-1].pos+1 {
				t.Fatalf("positions %d, %d", found[i-1].pos, p.pos)
			}
		}
		countAfter(data[end:], 0)
	})
}

func TestMigrations(t *testing.T) {
	dir := t.TempDir()
	var ran []int
	step := func(n int) migration {
		return func(tx *bbolt.Tx) error {
			ran = append(ran, n)
			return tx.Bucket(bucketMeta).Put(fmt.Append(nil, "step", n), []byte("x"))
		}
	}
	reopen := func(steps ...migration) error {
		ran = nil
		s, err := open(Config{Dir: dir, Apply: storetest.Apply}, append(migrations(), steps...))
		if err != nil {
			return err
		}
		return s.Close()
	}
	must(t, reopen())
	must(t, reopen(step(2), step(3)))
	if !slices.Equal(ran, []int{2, 3}) {
		t.Errorf("ran %v", ran)
	}
	must(t, reopen(step(2), step(3)))
	if len(ran) > 0 {
		t.Errorf("ran %v again", ran)
	}
	if err := reopen(step(2)); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a downgrade gives %v", err)
	}
	failing := func(tx *bbolt.Tx) error { return errors.Join(step(4)(tx), errors.New("no")) }
	if err := reopen(step(2), step(3), failing); err == nil {
		t.Error("a failing migration is passed over")
	}
	must(t, reopen(step(2), step(3))) // it left nothing behind
}

// TestOlderFile: a file from before printing gets its tables, and keeps its rows.
func TestOlderFile(t *testing.T) {
	dir := t.TempDir()
	s, err := open(Config{Dir: dir, Apply: storetest.Apply}, migrations()[:1])
	must(t, err)
	must(t, s.Decide(t.Context(), func(tx store.Tx) error {
		for i, day := range []string{"2026-03-02", "2026-03-31"} {
			row := store.Rollup{Day: day, Terminal: "t", Sessions: 3 + i, Seconds: 600, Pages: 2, Ends: map[string]int{"no-open": 1, "button": 2 + i}}
			if err := store.Put(tx, store.Item[store.Rollup]{Meta: store.Meta{ID: store.RollupID(day, "t"), Site: "s", Scope: "t"}, Row: row}); err != nil {
				return err
			}
		}
		if err := tx.Put(store.KindEnergy, store.Meta{ID: store.RollupID("2026-03-02", "t"), Site: "s", Scope: "t"}, json.RawMessage(`{"day":"2026-03-02","terminal":"t","lit":60}`)); err != nil {
			return err // from before its index
		}
		return store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: "s"}, Row: store.Site{Name: "Collège"}})
	}))
	must(t, s.db.Update(func(tx *bbolt.Tx) error { // as it was made then
		for _, k := range []store.Kind{store.KindAccount, store.KindPrintJob, store.KindGrant, store.KindPrinter, store.KindSupply, store.KindRollupMonth, store.KindCalendar} {
			must(t, errors.Join(tx.DeleteBucket(rowBucket(k)), tx.DeleteBucket(indexBucket(k))))
		}
		return nil
	}))
	must(t, s.Close())
	s, err = Open(Config{Dir: dir, Apply: storetest.Apply})
	must(t, err)
	defer s.Close()
	must(t, s.Decide(t.Context(), func(tx store.Tx) error {
		if it, err := store.Get[store.Site](tx, "s"); err != nil || it.Row.Name != "Collège" {
			t.Errorf("the site is %+v, %v", it.Row, err)
		}
		want := store.RollupMonth{Day: "2026-03", Terminal: "t", Sessions: 7, Seconds: 1200, Pages: 4, Visits: 5, Unsure: 5, Stay: 1200, Ends: map[string]int{"no-open": 2, "button": 5}}
		if it, err := store.Get[store.RollupMonth](tx, store.RollupID("2026-03", "t")); err != nil || it.Site != "s" || !reflect.DeepEqual(it.Row, want) {
			t.Errorf("the month is %+v, %v", it, err)
		}
		if it, err := store.First(store.Find[store.EnergyDay](tx, "site", "s")); err != nil || it.Row.Lit != 60 || it.Row.Site != "s" {
			t.Errorf("the day of energy is %+v, %v", it, err)
		}
		for _, r := range store.Rows() {
			if err := tx.Put(r.Table(), store.Meta{ID: "new"}, json.RawMessage(`{}`), store.Index{Name: "x", Value: "y"}); err != nil {
				t.Error(err)
			}
		}
		return nil
	}))
}

func TestSecondOpener(t *testing.T) {
	dir := t.TempDir()
	s, err := opener(dir, storetest.Apply)
	must(t, err)
	defer s.Close()
	if _, err := opener(dir, storetest.Apply); err == nil || !strings.Contains(err.Error(), "another borne-controller") {
		t.Errorf("the second opener gets %v", err)
	}
	if _, err := Restore(filepath.Join(dir, fileDB), dir, time.Now()); !errors.Is(err, ErrInUse) {
		t.Errorf("a store in use is restored over: %v", err)
	}
	if err := Read(filepath.Join(dir, fileDB), func(store.Tx) error { return nil }); !errors.Is(err, ErrInUse) {
		t.Errorf("a store in use is read: %v", err)
	}
}

func TestRestore(t *testing.T) {
	dir := t.TempDir()
	s, err := opener(dir, storetest.Apply)
	must(t, err)
	must(t, s.Decide(t.Context(), func(tx store.Tx) error { return tx.SetCursor("t", store.Cursor{Epoch: 1}) }))
	_, err = s.Ingest(t.Context(), "t", batch(1, 5))
	must(t, err)
	backup := filepath.Join(t.TempDir(), "b")
	must(t, s.Backup(t.Context(), backup))
	_, err = s.Ingest(t.Context(), "t", batch(6, 9))
	must(t, err)
	must(t, s.Close())
	for want := uint64(2); want <= 3; want++ {
		aside, err := Restore(backup, dir, time.Unix(int64(want), 0))
		must(t, err)
		for _, name := range aside {
			if _, err := os.Stat(name); err != nil {
				t.Error(err)
			}
		}
		if len(aside) != 2 {
			t.Errorf("it set %v aside", aside)
		}
		s, err = opener(dir, storetest.Apply)
		must(t, err)
		must(t, s.Decide(t.Context(), func(tx store.Tx) error {
			c, err := tx.Cursor("t")
			set, err2 := store.Get[store.Setting](tx, store.SettingController)
			if c.Seq != want+3 || set.Row.Generation != want {
				t.Errorf("cursor %+v, generation %d, want %d and %d", c, set.Row.Generation, want+3, want)
			}
			return errors.Join(err, err2)
		}))
		c, err := s.Ingest(t.Context(), "t", batch(6, 6)) // the terminal sends it again
		must(t, err)
		if c.Seq != 6 {
			t.Errorf("cursor %+v", c)
		}
		must(t, s.Backup(t.Context(), backup))
		must(t, s.Close())
	}
}

// TestFullDisk fills a small file system: acknowledged records wait in the
// preallocated journal, decisions say so, and all goes on once there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("SKIP: mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	cfg := Config{Dir: filepath.Join(dir, "store"), Apply: storetest.Apply, Journal: 256 << 10, Retry: time.Millisecond}
	s, err := Open(cfg)
	must(t, err)
	defer s.Close()
	must(t, s.Decide(t.Context(), func(tx store.Tx) error { return tx.SetCursor("t", store.Cursor{Epoch: 1}) }))

	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	must(t, err)
	for _, err = f.Write(make([]byte, 64<<10)); err == nil; _, err = f.Write(make([]byte, 4096)) {
	}
	must(t, f.Close())
	if !errors.Is(full(err), store.ErrFull) {
		t.Fatalf("filling the disk ended with %v", err)
	}

	var acked uint64
	for err = nil; err == nil; {
		var c store.Cursor
		if c, err = s.Ingest(t.Context(), "t", batch(acked+1, acked+10)); err == nil {
			acked = c.Seq
		}
		if acked > 10_000 {
			t.Fatal("the disk never fills")
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("Ingest on a full disk: %v", err)
	}
	if err := s.Decide(t.Context(), func(tx store.Tx) error {
		return tx.Put(store.KindSite, store.Meta{ID: "a"}, json.RawMessage(`{}`))
	}); !errors.Is(err, store.ErrFull) {
		t.Errorf("Decide on a full disk: %v", err)
	}
	must(t, os.Remove(ballast))
	must(t, retry(t.Context(), func() error {
		_, err := s.Ingest(t.Context(), "t", batch(acked+1, acked+1))
		return err
	}))
	must(t, retry(t.Context(), func() error {
		return s.Decide(t.Context(), func(tx store.Tx) error {
			c, err := tx.Cursor("t")
			if err == nil && (c.Seq != acked+1 || c.Gaps != 0) {
				t.Errorf("cursor %+v, want %d", c, acked+1)
			}
			return err
		})
	}))
	t.Logf("%d records were acknowledged before the disk was full", acked)
}

// retry waits for a full disk to be noticed free again.
func retry(ctx context.Context, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := fn()
		if !errors.Is(err, store.ErrFull) || ctx.Err() != nil {
			return err
		}
	}
}

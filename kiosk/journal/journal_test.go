package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"borne/controller/wire"
)

// Names under which this test's binary runs itself.
const (
	childWrites = "BORNE_TEST_JOURNAL_WRITES" // until it is killed
	childFull   = "BORNE_TEST_JOURNAL_FULL"   // with a limit on the file's size
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(childWrites) != "":
		writeForEver(os.Getenv(childWrites))
	case os.Getenv(childFull) != "":
		fillUp(os.Getenv(childFull))
	default:
		os.Exit(m.Run())
	}
}

// clock is a wall clock that a test sets.
type clock struct {
	at   time.Time
	sure bool
}

func (c *clock) Now() (time.Time, bool) { return c.at, c.sure }

func start() *clock { return &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), sure: true} }

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "journal.db") }

func mustOpen(t *testing.T, p string, c Clock) *Journal {
	t.Helper()
	j, err := Open(p, Options{Clock: c, Wait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.db.Close() })
	return j
}

func record(n int) wire.Record {
	return wire.Record{Kind: "k", At: time.Unix(int64(n), 0).UTC(), Body: json.RawMessage(strconv.Itoa(n))}
}

func (j *Journal) mustWrite(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := j.Commit(Step{State: []byte(strconv.Itoa(n)), Records: []wire.Record{record(n)}}); err != nil {
			t.Fatal(err)
		}
	}
}

// sent reads the records after seq as "epoch.seq=body".
func (j *Journal) sent(t *testing.T, seq uint64) string {
	t.Helper()
	rs, err := j.After(seq, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range rs {
		out = append(out, fmt.Sprintf("%d.%d=%s", r.Epoch, r.Seq, r.Body))
	}
	return strings.Join(out, " ")
}

func TestWhatIsCommittedIsThereAgain(t *testing.T) {
	p, c := path(t), start()
	j := mustOpen(t, p, c)
	if f := j.Found(); f.State != nil || f.Policy != nil || f.Welcome != nil || f.Damaged != "" {
		t.Fatalf("a new journal holds %+v", f)
	}
	env := wire.Envelope{Kid: "k", Domain: wire.DomainPolicy, Payload: []byte(`{ "version":3 }`), Sig: []byte{1}}
	err := j.Commit(Step{State: []byte(`{"a":1}`), Prints: []byte(`{"p":1}`), Energy: []byte(`{"e":1}`), Records: []wire.Record{record(1), record(2)}, Permits: 3,
		Policy: &Policy{Version: 3, Envelope: env}, Chain: &wire.ChainHead{Segment: 1, Index: 2, Digest: []byte{9}},
		Command: &Applied{ID: "c1", NotAfter: c.at.Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-j.Changed():
	default:
		t.Error("a written record is not announced")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, p, c)
	f := j.Found()
	if string(f.State) != `{"a":1}` || string(f.Prints) != `{"p":1}` || string(f.Energy) != `{"e":1}` || !bytes.Equal(f.Policy.Payload, env.Payload) {
		t.Errorf("found %+v", f)
	}
	h, _ := j.Hello()
	if h.Seq != 2 || h.Policy != 3 || h.PermitsLeft != 3 || h.Chain.Index != 2 || !j.Floor().Equal(c.at) || j.Unacked() != 2 {
		t.Errorf("hello %+v floor %s unacked %d", h, j.Floor(), j.Unacked())
	}
	if ok, _ := j.Applied("c1"); !ok {
		t.Error("an applied command is forgotten")
	}
	if ok, _ := j.Applied("c2"); ok {
		t.Error("a command is known that never was")
	}
	if got := j.sent(t, 0); got != "0.1=1 0.2=2" {
		t.Errorf("records %s", got)
	}
}

func TestPlacesOfRecords(t *testing.T) {
	p, c := path(t), start()
	j := mustOpen(t, p, c)
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(seq uint64, s string) {
		t.Helper()
		if got := j.sent(t, seq); got != s {
			t.Fatalf("after %d: %s, want %s", seq, got, s)
		}
	}
	j.mustWrite(t, 1, 3)
	step(j.Welcomed(wire.Welcome{Generation: 1, Epoch: 7, Site: "Collège"})) // the first epoch
	want(0, "7.1=1 7.2=2 7.3=3")
	step(j.Acked(7, 2))
	step(j.Acked(6, 3)) // of an epoch that is past
	if j.Unacked() != 1 {
		t.Fatalf("unacked %d", j.Unacked())
	}
	j.mustWrite(t, 4, 5)
	want(2, "7.3=3 7.4=4 7.5=5")
	step(j.Acked(7, 5))
	// The controller comes back from an older backup.
	step(j.Welcomed(wire.Welcome{Generation: 2, Epoch: 7, Cursor: 1}))
	if j.Unacked() != 4 {
		t.Fatalf("unacked %d after a rewind", j.Unacked())
	}
	want(1, "7.2=2 7.3=3 7.4=4 7.5=5")
	step(j.Acked(7, 4))
	// A new epoch takes what was not acknowledged, from its cursor on.
	step(j.Welcomed(wire.Welcome{Generation: 2, Epoch: 8, Cursor: 10}))
	want(10, "8.11=5")
	j.mustWrite(t, 6, 6)
	want(10, "8.11=5 8.12=6")
	for name, err := range map[string]error{
		"a cursor past the end":  j.Welcomed(wire.Welcome{Epoch: 8, Cursor: 99}),
		"an epoch that is past":  j.Welcomed(wire.Welcome{Epoch: 3}),
		"an ack of the unknown":  j.Acked(8, 99),
		"a record of great size": j.Commit(Step{Records: []wire.Record{{Kind: "k", Body: bytes.Repeat([]byte("1"), wire.MaxRecord+1)}}}),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	want(10, "8.11=5 8.12=6")
	step(j.Close())
	j = mustOpen(t, p, c)
	want(10, "8.11=5 8.12=6")
	if f := j.Found(); f.Welcome == nil || f.Welcome.Epoch != 8 || string(f.State) != "6" {
		t.Errorf("found %+v", f)
	}
}

func TestAcknowledgedRecordsStayForSomeDays(t *testing.T) {
	p, c := path(t), start()
	j := mustOpen(t, p, c)
	if err := j.Welcomed(wire.Welcome{Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	j.mustWrite(t, 1, 4)
	ack := func(seq uint64, after time.Duration) {
		t.Helper()
		c.at = c.at.Add(after)
		if err := j.Acked(1, seq); err != nil {
			t.Fatal(err)
		}
	}
	ack(2, 0)
	ack(3, 29*24*time.Hour)
	if got := j.sent(t, 0); !strings.HasPrefix(got, "1.1=1 ") {
		t.Fatalf("dropped too early: %s", got)
	}
	c.sure = false
	ack(4, 1000*24*time.Hour) // a clock that nobody believes drops nothing
	if got := j.sent(t, 0); got != "1.1=1 1.2=2 1.3=3 1.4=4" {
		t.Fatalf("an unsure clock dropped records: %s", got)
	}
	c.sure, c.at = true, start().at.Add(31*24*time.Hour)
	j.mustWrite(t, 5, 5)
	ack(5, 0)
	if got := j.sent(t, 0); got != "1.3=3 1.4=4 1.5=5" {
		t.Fatalf("kept %s", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := mustOpen(t, p, c).sent(t, 0); got != "1.3=3 1.4=4 1.5=5" {
		t.Fatalf("after a restart: %s", got)
	}
}

func TestCommandsAreRememberedUntilTheyLapse(t *testing.T) {
	c := start()
	j := mustOpen(t, path(t), c)
	apply := func(id string) {
		t.Helper()
		if err := j.Commit(Step{Command: &Applied{ID: id, NotAfter: c.at.Add(time.Hour)}}); err != nil {
			t.Fatal(err)
		}
	}
	apply("a")
	c.at = c.at.Add(26 * time.Hour)
	apply("b")
	apply("c")
	for id, want := range map[string]bool{"a": false, "b": true, "c": true} {
		if got, _ := j.Applied(id); got != want {
			t.Errorf("%s remembered: %v", id, got)
		}
	}
}

func TestASecondAgentIsTold(t *testing.T) {
	p := path(t)
	j := mustOpen(t, p, nil)
	_, err := Open(p, Options{Wait: 50 * time.Millisecond})
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "another agent") {
		t.Fatalf("%v", err)
	}
	j.mustWrite(t, 1, 1) // and the first one goes on
}

func TestANewerFileIsRefusedAndLeftAlone(t *testing.T) {
	p := path(t)
	j := mustOpen(t, p, nil)
	j.mustWrite(t, 1, 1)
	if err := j.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bMeta)).Put([]byte(kSchema), u64(Schema+1))
	}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	before, _ := os.ReadFile(p)
	if _, err := Open(p, Options{}); !errors.Is(err, ErrNewer) {
		t.Fatalf("%v", err)
	}
	if after, _ := os.ReadFile(p); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestADamagedFileIsMovedAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"no journal": func([]byte) []byte { return []byte("hello") },
		"empty":      func([]byte) []byte { return nil },
		"cut short":  func(b []byte) []byte { return b[:9000] },
		"zeroed": func(b []byte) []byte {
			clear(b[8192:])
			return b
		},
		"scribbled": func(b []byte) []byte {
			r := rand.New(rand.NewPCG(1, 2))
			for i := 8192; i < len(b); i++ {
				b[i] = byte(r.Uint32())
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := path(t)
			j := mustOpen(t, p, nil)
			j.mustWrite(t, 1, 50)
			j.Close()
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			bad := damage(b)
			if err := os.WriteFile(p, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			j = mustOpen(t, p, nil)
			f := j.Found()
			if f.Damaged != p+".damaged-1" || f.State != nil {
				t.Fatalf("found %+v", f)
			}
			if kept, _ := os.ReadFile(f.Damaged); len(bad) > 0 && !bytes.Equal(kept, bad) {
				t.Error("what was damaged is not kept as it was")
			}
			// It stays known until the agent has committed what it made of it.
			j.Close()
			if j = mustOpen(t, p, nil); j.Found().Damaged == "" {
				t.Error("the damage is forgotten before anything was committed")
			}
			j.mustWrite(t, 1, 1)
			j.Close()
			if j = mustOpen(t, p, nil); j.Found().Damaged != "" {
				t.Error("the damage is told for ever")
			}
			j.Close()
			// A cut between moving aside and making the new file.
			if err := os.Rename(p, p+".damaged-2"); err != nil {
				t.Fatal(err)
			}
			if j = mustOpen(t, p, nil); j.Found().Damaged == "" {
				t.Error("a journal that was moved aside looks like a new terminal")
			}
		})
	}
}

// FuzzOpen opens files that are no journals.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add([]byte("garbage"), 5)
	f.Add(bytes.Repeat([]byte{0xED, 0xDA, 0x0C, 0xED}, 4096), 16)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		p := path(t)
		if err := create(p, ""); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if at = at % len(whole); at < 0 {
			at = -at
		}
		copy(whole[at:], b)
		if err := os.WriteFile(p, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(p, Options{Wait: time.Second})
		if err != nil {
			if errors.Is(err, ErrNewer) {
				return
			}
			t.Fatal(err)
		}
		if err := j.Commit(Step{State: []byte("1")}); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

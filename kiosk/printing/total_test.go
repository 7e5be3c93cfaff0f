package printing_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

// facts holds some of each kind, about the job that there is and about others.
func facts() []Fact {
	all := []Fact{nil, SessionBegan{}, SessionBegan{Session: "s1", Limits: limits()}, SessionBegan{Session: "s2", Holder: []byte{9}}, SessionEnded{}, SessionEnded{Session: "s1"},
		SessionEnded{Session: "s1", Now: true}, Ruled{}, Ruled{limits()}, Offered{}, Offered{ID: "x", Session: "s1"}, Refused{}, Refused{"s1", printjob.WhyEncrypted},
		Withdrawn{}, Withdrawn{"s1", 1}, Dismissed{}, Granted{}, Granted{Pages: 3}, Granted{Pages: 3, Command: "c"}, Granted{Pages: -1}, LedgerLost{}, PressGone{}, PressGone{"s1"},
		PrinterReady{}, PrinterReady{Accepting: true, Copies: -4, Reasons: slices.Repeat([]string{strings.Repeat("x", 99), "none", "media-jam"}, 40)}, Tick{}}
	for _, o := range []printjob.Offer{{Job: 1, Pages: 3}, {Job: 2, Format: printjob.PDF, Pages: 3, Ticket: printjob.Ticket{Copies: 2}}, {Job: 3, Pages: -1},
		{Job: 4, Pages: 1 << 30}, {Job: 5, Pages: 2, Ticket: printjob.Ticket{Copies: -1}}, {Job: 6, Pages: 2, Ticket: printjob.Ticket{Pages: []printjob.Range{{From: 7, To: 9}}}}} {
		all = append(all, Offered{ID: "j2", Session: "s1", Offer: o}, Offered{ID: "j1", Session: "s1", Offer: o})
	}
	for _, id := range []string{"j1", "j2", ""} {
		all = append(all, Chosen{Job: id}, Chosen{id, printjob.Ticket{Copies: 99, Colour: true, Duplex: printjob.ShortEdge}}, Chosen{id, printjob.Ticket{Copies: 100}},
			Confirmed{id}, Declined{id}, Released{Job: id}, Released{id, "c"}, StaffRefused{id, "c", ""}, PrinterLost{Job: id}, PrinterLost{Job: id, Forgotten: true},
			Found{Job: id}, Found{id, 12}, Found{id, -1}, Answered{wire.PrintAnswer{Job: id}}, Answered{wire.PrintAnswer{Job: id, Granted: true, Left: 500}},
			Answered{wire.PrintAnswer{Job: id, Reason: wire.PrintQuota, Left: -7}})
		for state := printjob.State(-1); state < 12; state++ {
			all = append(all, Progress{Job: id, State: state}, Progress{Job: id, State: state, Impressions: 2, Sheets: 1}, Progress{Job: id, State: state, Impressions: 1 << 30, Sheets: -5, Stopping: true})
		}
	}
	for _, s := range []printjob.Sent{{}, {Job: 1}, {Job: 1, Remote: 12}, {Job: 1, Remote: 12, Unsure: true}, {Job: 1, Unsure: true}, {Job: 1, Why: printjob.WhyNoPrinter},
		{Job: 1, Why: printjob.WhyRejected}, {Job: 1, Why: "new"}} {
		all = append(all, Sent{"s1", s}, Sent{"s2", s})
	}
	return all
}

func limits() Limits {
	return Limits{Enabled: true, Session: 20, Job: 30, Hour: 40, Offline: 5, Prices: prices, Colour: true, Copies: 5, Finish: time.Minute}
}

var start = Instant{Mono: time.Second, Wall: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Trusted: true}

// desk drives the machine by hand.
type desk struct {
	t       *testing.T
	s       State
	at      Instant
	asks    []Ask
	records []wire.Printed
	done    []wire.CommandDone
}

func newDesk(t *testing.T, holder []byte, change func(*Limits)) *desk {
	l := limits()
	if change != nil {
		change(&l)
	}
	d := &desk{t: t, s: New(), at: start}
	d.do(SessionBegan{Session: "s1", Holder: holder, Limits: l})
	return d
}

func (d *desk) do(facts ...Fact) *desk {
	for _, f := range facts {
		s, asks, records := Step(d.s, Event{At: d.at, Fact: f})
		d.take(s, asks, records)
	}
	return d
}

func (d *desk) take(s State, asks []Ask, records []wire.Record) {
	d.s, d.asks = s, append(d.asks, asks...)
	for _, r := range records {
		switch r.Kind {
		case wire.KindPrint:
			var p wire.Printed
			if err := json.Unmarshal(r.Body, &p); err != nil {
				d.t.Fatal(err)
			}
			d.records = append(d.records, p)
		case wire.KindCommand:
			var c wire.CommandDone
			if err := json.Unmarshal(r.Body, &c); err != nil {
				d.t.Fatal(err)
			}
			d.done = append(d.done, c)
		default:
			d.t.Errorf("a record of kind %s", r.Kind)
		}
	}
}

func (d *desk) wait(t time.Duration) *desk {
	d.at.Mono, d.at.Wall = d.at.Mono+t, d.at.Wall.Add(t)
	return d.do(Tick{})
}

// cut is a power cut after the last commit.
func (d *desk) cut(off time.Duration) *desk {
	b, err := Encode(d.s)
	if err != nil {
		d.t.Fatal(err)
	}
	s, err := Decode(b)
	if err != nil {
		d.t.Fatal(err)
	}
	d.at = Instant{Mono: time.Second, Wall: d.at.Wall.Add(off), Trusted: d.at.Trusted}
	d.asks = nil
	d.take(Recover(s, d.at))
	return d
}

func (d *desk) job() Job {
	if len(d.s.Jobs) == 0 {
		d.t.Helper()
		d.t.Fatal("no job")
	}
	return d.s.Jobs[0]
}

func asked[T Ask](d *desk) (all []T) {
	for _, a := range d.asks {
		if a, ok := a.(T); ok {
			all = append(all, a)
		}
	}
	return all
}

func offer(pages int, t printjob.Ticket) Offered {
	return Offered{ID: "j1", Session: "s1", Offer: printjob.Offer{Job: 1, Format: printjob.PDF, Pages: pages, Ticket: t}}
}

// at brings a fresh job to each stage.
func at(t *testing.T, s Stage) *desk {
	holder := []byte(nil)
	if s == StageReserving {
		holder = []byte{7}
	}
	d := newDesk(t, holder, func(l *Limits) { l.HoldAll = s == StageHeld }).do(offer(6, printjob.Ticket{Duplex: printjob.LongEdge}))
	if s == StageReserved {
		d.do(Confirmed{"j1"}, Sent{"s1", printjob.Sent{Job: 1, Why: printjob.WhyNoPrinter}})
	}
	if s != StageOffered {
		d.do(Confirmed{"j1"})
	}
	switch s {
	case StageFinding:
		d.do(Sent{"s1", printjob.Sent{Job: 1, Unsure: true}})
	case StageSubmitted:
		d.do(Sent{"s1", printjob.Sent{Job: 1, Remote: 12}})
	case StagePrinting:
		d.do(Sent{"s1", printjob.Sent{Job: 1, Remote: 12}}, Progress{Job: "j1", State: printjob.Processing, Impressions: 2})
	case StageOffered, StageHeld, StageReserving, StageReserved, StageSubmitting:
	}
	if got := d.job().Stage; got != s {
		t.Fatalf("the sample of %s is %s", s, got)
	}
	return d
}

// TestTotal meets every stage with every fact, and what comes of it with every
// fact again: nothing panics, the caller's state is not written into, the same
// step gives the same answer, and a job that leaves has its record.
func TestTotal(t *testing.T) {
	for _, stage := range Stages() {
		for _, f := range facts() {
			d := at(t, stage)
			d.at.Mono += 5 * time.Second
			before, _ := json.Marshal(d.s)
			live := d.s.Live
			a, ae, ar := Step(d.s, Event{At: d.at, Fact: f})
			b, be, br := Step(d.s, Event{At: d.at, Fact: f})
			if after, _ := json.Marshal(d.s); !bytes.Equal(before, after) || !reflect.DeepEqual(live, d.s.Live) {
				t.Fatalf("%s × %T writes into its caller's state", stage, f)
			}
			if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(ae, be) || !reflect.DeepEqual(ar, br) {
				t.Fatalf("%s × %T is not a function", stage, f)
			}
			finals := 0
			for _, r := range ar {
				if r.Kind == wire.KindPrint {
					finals++
				}
			}
			there := slices.ContainsFunc(a.Jobs, func(j Job) bool { return j.ID == "j1" })
			if there == (finals == 1) || finals > 1 {
				t.Errorf("%s × %+v: the job is there: %v, records: %d", stage, f, there, finals)
			}
			for _, g := range facts() {
				c, _, _ := Step(a, Event{At: d.at, Fact: g})
				c.View(d.at)
				c.Busy()
				c.Waiting()
			}
		}
	}
}

// TestNothingLeadsBack: no fact ever leads from where a document may have gone back
// to where it is sent, but the press's sure word.
func TestNothingLeadsBack(t *testing.T) {
	for _, stage := range []Stage{StageSubmitting, StageFinding, StageSubmitted, StagePrinting} {
		for _, f := range facts() {
			d := at(t, stage)
			d.asks = nil
			d.do(f)
			for range 50 {
				d.wait(7 * time.Second)
			}
			s, sure := f.(Sent)
			if n := len(asked[Submit](d)); n > 0 && (!sure || stage != StageSubmitting || s.Sent.Unsure || s.Sent.Remote != 0) {
				t.Errorf("%s × %+v: it is sent %d times more", stage, f, n)
			}
		}
	}
}

// TestRecover is a power cut at every stage.
func TestRecover(t *testing.T) {
	type want struct {
		asks    []Ask
		outcome wire.Outcome // of the record that is owed at once
		stage   Stage
	}
	find, follow := Find{"j1", "borne-j1"}, Follow{Job: "j1", Name: "borne-j1", Remote: 12}
	for stage, w := range map[Stage]want{
		StageOffered:    {},
		StageHeld:       {},
		StageReserving:  {outcome: wire.PrintRefunded},
		StageReserved:   {outcome: wire.PrintRefunded},
		StageSubmitting: {asks: []Ask{find}, stage: StageFinding},
		StageFinding:    {asks: []Ask{find}, stage: StageFinding},
		StageSubmitted:  {asks: []Ask{follow}, stage: StageSubmitted},
		StagePrinting:   {asks: []Ask{follow}, stage: StagePrinting},
	} {
		d := at(t, stage)
		n := len(d.records)
		d.cut(time.Minute)
		if !reflect.DeepEqual(d.asks, w.asks) {
			t.Errorf("%s: asks %+v, want %+v", stage, d.asks, w.asks)
		}
		if w.stage == "" && len(d.s.Jobs) > 0 || w.stage != "" && d.job().Stage != w.stage {
			t.Errorf("%s: jobs %+v, want %q", stage, d.s.Jobs, w.stage)
		}
		got := d.records[n:]
		if w.outcome == "" && len(got) > 0 || w.outcome != "" && (len(got) != 1 || got[0].Outcome != w.outcome || got[0].Reason != wire.PrintEnded || got[0].Charged != 0) {
			t.Errorf("%s: records %+v, want %q", stage, got, w.outcome)
		}
		if stage == StageReserving && (len(got) != 1 || len(got[0].Holder) == 0) {
			t.Errorf("the ledger does not learn who is to have the pages back: %+v", got)
		}
		// Cut again before anything was heard: the same.
		first, again := slices.Clone(d.asks), d.cut(time.Minute)
		if !reflect.DeepEqual(first, again.asks) || len(d.records) > n+1 {
			t.Errorf("%s: a second cut asks %+v, want %+v", stage, again.asks, first)
		}
	}
	// A cancel that was under way is asked for again.
	d := at(t, StagePrinting).do(Declined{"j1"}).cut(0)
	if got := asked[Cancel](d); len(got) != 1 || got[0] != (Cancel{Job: "j1", Name: "borne-j1", Remote: 12}) {
		t.Errorf("the cancel is forgotten: %+v", d.asks)
	}
}

// TestUnknownIsDoubtful reads states of another schema, of stages that do not
// exist, and with numbers that cannot be: nothing is sent, nothing is charged,
// staff decide.
func TestUnknownIsDoubtful(t *testing.T) {
	d := at(t, StageReserved)
	b, _ := Encode(d.s)
	for from, to := range map[string]string{`"schema":1`: `"schema":2`, `"stage":"reserved"`: `"stage":"blessed"`, `"side":75`: `"side":-75`, `"asked":6`: `"asked":60000000`,
		`"reserved":450`: `"reserved":-450`} {
		bent := bytes.Replace(b, []byte(from), []byte(to), 1)
		if bytes.Equal(bent, b) {
			t.Fatalf("%s is not in %s", from, b)
		}
		s, err := Decode(bent)
		if (err != nil) != strings.Contains(from, "schema") {
			t.Errorf("%s: %v", to, err)
		}
		d := &desk{t: t, at: start}
		d.take(Recover(s, d.at))
		if len(d.s.Jobs) > 0 || len(d.records) != 1 || d.records[0].Outcome != wire.PrintDoubtful || d.records[0].Charged != 0 || d.records[0].Reserved < 0 {
			t.Errorf("%s: jobs %+v, records %+v", to, d.s.Jobs, d.records)
		}
		if n := len(asked[Submit](d)); n > 0 {
			t.Errorf("%s: it is sent", to)
		}
	}
	if s, err := Decode([]byte("{")); err == nil || len(s.Jobs) > 0 {
		t.Errorf("no JSON: %+v, %v", s, err)
	}
}

// TestRecoverIsExhaustive reads the source: a new stage without its own line in
// Recover must not slip through a default.
func TestRecoverIsExhaustive(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "recover.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named, switches := map[string]int{}, 0
	ast.Inspect(f, func(n ast.Node) bool {
		if fn, ok := n.(*ast.FuncDecl); ok && fn.Name.Name != "Recover" {
			return false
		}
		if c, ok := n.(*ast.CaseClause); ok {
			if c.List == nil {
				t.Error("Recover has a default")
			}
			for _, e := range c.List {
				if id, ok := e.(*ast.Ident); ok {
					named[strings.ToLower(strings.TrimPrefix(id.Name, "Stage"))]++
				}
			}
		}
		if _, ok := n.(*ast.SwitchStmt); ok {
			switches++
		}
		return true
	})
	for _, s := range Stages() {
		if named[string(s)] != 1 {
			t.Errorf("Recover names %s %d times", s, named[string(s)])
		}
	}
	if switches != 1 || len(named) != len(Stages()) {
		t.Errorf("%d switches, %d names", switches, len(named))
	}
}

// FuzzDecode feeds states that a disk could hold: whatever they are, nothing is
// sent, no job has two records, and none costs what cannot be.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `[`, `{"schema":1,"jobs":[{"id":"a","stage":"submitting","side":1}]}`, `{"schema":1,"jobs":[{"id":"a","stage":"printing","remote":0,"side":100}]}`,
		`{"schema":1,"jobs":[{"id":"a","stage":"reserved","side":1},{"id":"a","stage":"printing","remote":3,"side":1}]}`, `{"schema":9,"jobs":[{"id":"a"}],"hour":[{"units":3}]}`,
		`{"schema":1,"jobs":[{"id":"a","stage":"printing","remote":3,"side":2000,"asked":990000,"done":990000,"ended":9}],"hour":[{"units":-3,"wall":"2999-01-01T00:00:00Z"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _ := Decode(b)
		d := &desk{t: t, at: start}
		d.take(Recover(s, d.at))
		for _, j := range slices.Clone(d.s.Jobs) {
			d.do(Found{j.ID, 4}, Progress{Job: j.ID, State: printjob.Completed, Impressions: 1 << 30})
		}
		for range 40 {
			d.wait(15 * time.Minute)
		}
		seen := map[string]bool{}
		for _, p := range d.records {
			if seen[p.Job] || p.Charged < 0 || p.Charged > p.Reserved || p.Reserved < 0 {
				t.Fatalf("record %+v", p)
			}
			seen[p.Job] = true
		}
		if len(asked[Submit](d)) > 0 || len(d.s.Jobs) > 0 {
			t.Fatalf("sent %v, left %+v", asked[Submit](d), d.s.Jobs)
		}
	})
}

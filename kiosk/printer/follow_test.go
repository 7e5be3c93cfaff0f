package printer

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"borne/kiosk/ipp"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// steps makes a fake printer whose job changes each time it is asked for.
func steps(t *testing.T, all ...func(j *printertest.FakeJob)) (*printertest.Fake, int) {
	t.Helper()
	f := fake(t, false)
	f.Print = func(*printertest.FakeJob) {}
	sent, err := deliver(t, f, order("borne-1", []byte("document"), printjob.Ticket{}))
	if err != nil {
		t.Fatal(err)
	}
	f.Lock()
	f.Hook = func(_ http.ResponseWriter, _ *http.Request, m *goipp.Message) bool {
		if goipp.Op(m.Code) == goipp.OpGetJobAttributes && len(all) > 0 {
			f.Change(sent.Remote, all[0])
			all = all[1:]
		}
		return false
	}
	f.Unlock()
	return f, sent.Remote
}

func at(state printjob.State, impressions, sheets int) func(j *printertest.FakeJob) {
	return func(j *printertest.FakeJob) { j.State, j.Impressions, j.Sheets = int(state), impressions, sheets }
}

func forget(j *printertest.FakeJob) { j.Forgotten = true }

func TestFollowLiars(t *testing.T) {
	col := func(state printjob.State) func(j *printertest.FakeJob) {
		return func(j *printertest.FakeJob) {
			j.State, j.Impressions, j.Sheets = int(state), -1, -1
			j.More = ipp.Attributes{ipp.Members("job-impressions-completed-col", ipp.Integer("monochrome", 3), ipp.Integer("full-color-two-sided", 2), ipp.Integer("blank", 1)),
				ipp.Members("job-media-sheets-completed-col", ipp.Integer("monochrome", 3), ipp.Integer("blank", 1))}
		}
	}
	for name, c := range map[string]struct {
		all                 []func(j *printertest.FakeJob)
		state               printjob.State
		impressions, sheets int
		lost                bool
	}{
		"counts on after its end":      {[]func(j *printertest.FakeJob){at(printjob.Processing, 1, 1), at(printjob.Completed, 4, 2), at(printjob.Completed, 6, 3)}, printjob.Completed, 6, 3, false},
		"cancelled, and prints on":     {[]func(j *printertest.FakeJob){at(printjob.Canceled, 2, 2), at(printjob.Canceled, 3, 3), at(printjob.Canceled, 4, 4)}, printjob.Canceled, 4, 4, false},
		"forgets its count":            {[]func(j *printertest.FakeJob){at(printjob.Processing, 5, 5), at(printjob.Completed, 0, 0)}, printjob.Completed, 5, 5, false},
		"counts sheets only":           {[]func(j *printertest.FakeJob){at(printjob.Completed, -1, 3)}, printjob.Completed, -1, 3, false},
		"counts nothing":               {[]func(j *printertest.FakeJob){at(printjob.Completed, -1, -1)}, printjob.Completed, -1, -1, false},
		"counts by kind":               {[]func(j *printertest.FakeJob){col(printjob.Completed)}, printjob.Completed, 5, 4, false},
		"forgets the job":              {[]func(j *printertest.FakeJob){at(printjob.Processing, 2, 2), forget}, printjob.Processing, 2, 2, true},
		"forgets it once it is over":   {[]func(j *printertest.FakeJob){at(printjob.Completed, 6, 6), forget}, printjob.Completed, 6, 6, false},
		"stopped, then goes on":        {[]func(j *printertest.FakeJob){at(printjob.Stopped, 2, 2), at(printjob.Aborted, 2, 2)}, printjob.Aborted, 2, 2, false},
		"a negative count is no count": {[]func(j *printertest.FakeJob){at(printjob.Completed, -7, 1<<30)}, printjob.Completed, -1, maxCount, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, id := steps(t, c.all...)
			var last Progress
			j, err := client(t, Target{URI: f.URI()}, nil).Follow(patient(t), id, "borne-1", func(p Progress) { last = p })
			if errors.Is(err, ErrNoJob) != c.lost || !c.lost && err != nil || j.State != c.state || j.Impressions != c.impressions || j.Sheets != c.sheets {
				t.Errorf("%+v, %v", j, err)
			}
			if last.Job.State != c.state || last.Job.ID != id {
				t.Errorf("told %+v at last", last)
			}
		})
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	f, id := steps(t, at(printjob.Processing, 2, 2))
	ctx, cancel := context.WithCancel(t.Context())
	j, err := client(t, Target{URI: f.URI()}, nil).Follow(ctx, id, "borne-1", func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) || j.Impressions != 2 {
		t.Errorf("%+v, %v", j, err)
	}
}

// TestNumberOfSomebodyElse shows that a number which was given again is not ours.
func TestNumberOfSomebodyElse(t *testing.T) {
	f, id := steps(t, at(printjob.Processing, 2, 2), func(j *printertest.FakeJob) { j.Name, j.State, j.Impressions = "borne-9", 9, 50 })
	j, err := client(t, Target{URI: f.URI()}, nil).Follow(patient(t), id, "borne-1", func(Progress) {})
	if !errors.Is(err, ErrNoJob) || j.Impressions != 2 {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestFindAmongMany(t *testing.T) {
	f := fake(t, false)
	for _, name := range []string{"borne-1", "borne-2", "borne-3"} {
		if _, err := deliver(t, f, order(name, []byte("document"), printjob.Ticket{})); err != nil {
			t.Fatal(err)
		}
	}
	f.Change(2, func(j *printertest.FakeJob) { j.State = 5 })
	c := client(t, Target{URI: f.URI()}, nil)
	for name, want := range map[string]int{"borne-1": 1, "borne-2": 2, "borne-3": 3} {
		if j, err := c.Find(patient(t), name); err != nil || j.ID != want {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
	}
	f.Change(3, forget)
	if _, err := c.Find(patient(t), "borne-3"); !errors.Is(err, ErrNoJob) {
		t.Error(err)
	}
}

func TestPrinted(t *testing.T) {
	duplex := printjob.Ticket{Duplex: printjob.LongEdge}
	for _, c := range []struct {
		j      Job
		t      printjob.Ticket
		asked  int
		sides  int
		ok     bool
		silent bool
	}{
		{Job{State: 9, Impressions: 6, Sheets: 3}, duplex, 6, 6, true, false},
		{Job{State: 9, Impressions: -1, Sheets: 3}, duplex, 5, 5, true, false}, // the last sheet has one side
		{Job{State: 8, Impressions: 0, Sheets: 2}, duplex, 6, 4, true, false},
		{Job{State: 9, Impressions: -1, Sheets: 3}, printjob.Ticket{}, 6, 3, true, false},
		{Job{State: 9, Impressions: 0, Sheets: -1}, duplex, 6, 0, true, true},
		{Job{State: 9, Impressions: -1, Sheets: -1}, duplex, 6, 0, false, true},
		{Job{State: 7, Impressions: 0, Sheets: 0}, duplex, 6, 0, true, false},
	} {
		if n, ok := c.j.Printed(c.t, c.asked); n != c.sides || ok != c.ok || c.j.Silent() != c.silent {
			t.Errorf("%+v: %d, %v, silent %v", c.j, n, ok, c.j.Silent())
		}
	}
}

package printer

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"borne/kiosk/ipp"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// tell makes a fake printer answer Get-Notifications as a queue does.
func tell(f *printertest.Fake, events ...ipp.Attributes) {
	f.Lock()
	defer f.Unlock()
	f.Hook = func(w http.ResponseWriter, _ *http.Request, m *goipp.Message) bool {
		if goipp.Op(m.Code) != goipp.OpGetNotifications {
			return false
		}
		a := ipp.Answer(m, goipp.StatusOk, "en", "")
		if n, _ := ipp.Int(m.Operation, "notify-subscription-ids"); n != 5 {
			a = ipp.Answer(m, goipp.StatusErrorNotFound, "en", "")
		}
		a.Groups.Add(goipp.Group{Tag: goipp.TagOperationGroup, Attrs: a.Operation})
		for _, e := range events {
			a.Groups.Add(goipp.Group{Tag: goipp.TagEventNotificationGroup, Attrs: e})
		}
		printertest.Reply(w, a)
		return true
	}
}

func event(id int, name string, state int) ipp.Attributes {
	return ipp.Attributes{ipp.Integer("notify-job-id", id), ipp.Name("job-name", name), ipp.Enum("job-state", state),
		ipp.Integer("job-impressions-completed", 7)}
}

// A queue forgets a job at its end; its events tell how it ended.
func TestQueueTellsEnds(t *testing.T) {
	f := fake(t, false)
	tell(f, ipp.Attributes{}, event(-1, "borne-1", 9), event(1, "borne-1", 5), event(2, "borne-2", 99), event(3, strings.Repeat("x", 1000), 9),
		event(1, "borne-1", 9), event(4, "borne-4", 7))
	c := client(t, Target{URI: f.URI(), Queue: 5}, nil)
	for id, want := range map[int]printjob.State{1: printjob.Completed, 4: printjob.Canceled} {
		name := map[int]string{1: "borne-1", 4: "borne-4"}[id]
		j, err := c.Job(patient(t), id, name)
		if err != nil || j.ID != id || j.State != want || !j.Estimated || j.Impressions != -1 || j.Sheets != -1 {
			t.Errorf("%+v, %v", j, err)
		}
		if again, err := c.Find(patient(t), name); err != nil || again.ID != id || again.State != want {
			t.Errorf("by its name: %+v, %v", again, err)
		}
	}
	for id, name := range map[int]string{2: "borne-2", 3: "borne-3", 4: "borne-1", 9: "borne-9"} {
		if j, err := c.Job(patient(t), id, name); !errors.Is(err, ErrNoJob) {
			t.Errorf("job %d: %+v, %v", id, j, err)
		}
	}
	// Without that subscription nothing is known, and with no queue nobody asks for it.
	if _, err := client(t, Target{URI: f.URI(), Queue: 6}, nil).Job(patient(t), 1, "borne-1"); !errors.Is(err, ErrNoJob) {
		t.Errorf("another subscription: %v", err)
	}
	n := f.Asked(goipp.OpGetNotifications)
	if _, err := client(t, Target{URI: f.URI()}, nil).Job(patient(t), 1, "borne-1"); !errors.Is(err, ErrNoJob) || f.Asked(goipp.OpGetNotifications) != n {
		t.Errorf("no queue: %v", err)
	}
}

// What a queue counts is not believed, also while it prints.
func TestQueueCountsNothing(t *testing.T) {
	f := fake(t, false)
	f.Print = func(j *printertest.FakeJob) { j.State, j.Impressions, j.Sheets = 5, 3, 3 }
	if _, err := deliver(t, f, order("borne-1", []byte("x"), printjob.Ticket{})); err != nil {
		t.Fatal(err)
	}
	j, err := client(t, Target{URI: f.URI(), Queue: 5}, nil).Job(patient(t), 1, "borne-1")
	if err != nil || j.Impressions != -1 || j.Sheets != -1 || !j.Estimated {
		t.Errorf("%+v, %v", j, err)
	}
	if j, err = client(t, Target{URI: f.URI()}, nil).Job(patient(t), 1, "borne-1"); err != nil || j.Impressions != 3 || j.Estimated {
		t.Errorf("the printer itself: %+v, %v", j, err)
	}
}

// A job that a driver fails at is taken away, and is no job that somebody wanted
// away, however often one asks.
func TestQueueTakesBrokenJobsAway(t *testing.T) {
	f := fake(t, false)
	f.Print = func(j *printertest.FakeJob) {
		j.State, j.More = 6, ipp.Attributes{ipp.Keyword("job-state-reasons", "job-completed-with-errors")}
	}
	tell(f, event(1, "borne-1", 7), event(1, "another", 7))
	if _, err := deliver(t, f, order("borne-1", []byte("x"), printjob.Ticket{})); err != nil {
		t.Fatal(err)
	}
	c := client(t, Target{URI: f.URI(), Queue: 5}, nil)
	for range 2 {
		if j, err := c.Job(patient(t), 1, "borne-1"); err != nil || j.State != printjob.Aborted {
			t.Fatalf("%+v, %v", j, err)
		}
		f.Change(1, func(j *printertest.FakeJob) { j.Forgotten = true })
	}
	if f.Asked(goipp.OpCancelJob) != 1 {
		t.Error("it is not taken away")
	}
	if j, err := c.Job(patient(t), 1, "another"); err != nil || j.State != printjob.Canceled {
		t.Errorf("another job of that number: %+v, %v", j, err)
	}
}

// FuzzQueueEvents reads a queue's events, whatever they are.
func FuzzQueueEvents(f *testing.F) {
	f.Add(1, "borne-1", 9, 1, "borne-1")
	f.Add(-1, "", 0, 0, "x")
	f.Fuzz(func(t *testing.T, number int, told string, state, id int, name string) {
		c := &Client{estimate: true, events: 1}
		m := &goipp.Message{Groups: goipp.Groups{{Tag: goipp.TagEventNotificationGroup, Attrs: event(number, told, state)}}}
		j, ok := c.end(m, id, name)
		if ok && (!j.State.Over() || j.ID < 1 || id != 0 && j.ID != id || !j.Estimated || j.Impressions != -1) {
			t.Errorf("%+v", j)
		}
	})
}

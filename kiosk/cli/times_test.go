package cli

import (
	"path/filepath"
	"testing"
	"time"

	"borne/hw/clock"
	"borne/kiosk/journal"
)

// wall is a machine's clock as a test sets it.
type wall struct {
	at   time.Time
	sure bool
}

func (w *wall) Now() (time.Time, bool) { return w.at, w.sure }

func TestTheControllersTimeCountsWhileTheMachinesIsUnsure(t *testing.T) {
	system := &wall{at: time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)}
	c := newTimes(system, clock.NewMonotonic())
	if at, sure := c.Now(); sure || !at.Equal(system.at) {
		t.Errorf("before anything was told: %s, sure %v", at, sure)
	}
	told := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c.Hear(told)
	first, sure := c.Now()
	if d := first.Sub(told); !sure || d < 0 || d > time.Minute {
		t.Errorf("told %s, reads %s, sure %v", told, first, sure)
	}
	if next, _ := c.Now(); !next.After(first) {
		t.Errorf("%s after %s: the time stands still", next, first)
	}
	c.Hear(told.Add(time.Hour)) // a later connection corrects it
	if at, _ := c.Now(); at.Before(told.Add(time.Hour)) {
		t.Errorf("reads %s after it was told an hour more", at)
	}
	system.at, system.sure = told.Add(24*time.Hour), true
	if at, sure := c.Now(); !sure || !at.Equal(system.at) {
		t.Errorf("the machine's trusted clock reads %s, but %s counts", system.at, at)
	}
}

// The journal's floor is what TLS verifies at after the next start: it must
// come from the controller's time, not from the year 1970.
func TestTheJournalKeepsTheControllersTime(t *testing.T) {
	c := newTimes(&wall{at: time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)}, clock.NewMonotonic())
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), journal.Options{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	told := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c.Hear(told)
	if err := j.Commit(journal.Step{State: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if f := j.Floor(); f.Before(told.Add(-time.Minute)) {
		t.Errorf("floor %s, told %s", f, told)
	}
}

package printing_test

import (
	"testing"
	"time"

	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

// TestWhatStopsAPrinter: a job whose printer waits for somebody is shown so, whatever
// the job's own state, and not while another tray still has paper.
func TestWhatStopsAPrinter(t *testing.T) {
	for _, c := range []struct {
		reason string
		after  time.Duration // without a side
		want   Screen
	}{
		{"", time.Minute, AtWork}, {"none", time.Minute, AtWork},
		{"media-jam-error", 0, Stopped}, {"media-jam", 0, Stopped}, {"media-jam-warning", 0, Stopped}, {"media-jam-report", time.Minute, AtWork},
		{"media-empty-error", 0, Stopped}, {"media-empty", 0, Stopped}, {"media-empty-warning", 0, AtWork}, {"media-empty-warning", 10 * time.Second, Stopped},
		{"toner-low-warning", time.Minute, AtWork}, {"toner-low", time.Minute, AtWork}, {"hologram-overflow-error", 0, Stopped}, {"hologram-overflow", time.Minute, AtWork},
	} {
		d := newDesk(t, nil, nil).do(offer(3, printjob.Ticket{}))
		p := says(printjob.Processing, 1)
		p.Reasons = []string{c.reason}
		d.do(Confirmed{"j1"}, Sent{"s1", printjob.Sent{Job: 1, Remote: 12}}, p)
		if d.wait(c.after); d.s.View(d.at).Screen != c.want {
			t.Errorf("%q, after %s: %q, want %q", c.reason, c.after, d.s.View(d.at).Screen, c.want)
		}
	}
}

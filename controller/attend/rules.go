package attend

import (
	"slices"
	"strings"
	"time"

	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

// Patience: what passes by itself is told to nobody.
const (
	offlineAfter = 15 * time.Minute // of open time
	deviceAfter  = 5 * time.Minute  // of open time, as a loose cable or a restart
	printerAfter = 10 * time.Minute // of open time; somebody may be changing its paper
	clockAfter   = 10 * time.Minute
	policyAfter  = 2 * time.Minute
	helpAfter    = time.Minute     // whoever is there has it over every page
	longestCall  = time.Hour       // the terminal ends it before
	waitingAfter = 2 * time.Minute // somebody at the desk has it on the screen
	staffAfter   = 24 * time.Hour  // a person who put it out of service has a reason
	callFor      = 24 * time.Hour  // whoever called has found help, or calls again
	longestAway  = 14 * 24 * time.Hour
)

// Limits.
const (
	CertificateDays = 21          // a terminal renews it long before
	diskLow         = 200_000_000 // bytes
	day             = 24 * time.Hour
)

// Look lists what is wrong with one terminal now.
func Look(f Facts) []Found {
	if f.Row.State == store.StateWaiting || f.Row.State == store.StateRevoked {
		return nil
	}
	if f.Known == nil {
		f.Known = func(string, string) bool { return false }
	}
	opening := f.Policy.Hours.At(f.Now, f.Zone)
	var all []Found
	all = append(all, f.standing()...)
	all = append(all, f.link()...)
	all = append(all, f.live(opening)...)
	all = append(all, f.devices()...)
	all = append(all, f.printer()...)
	return slices.DeleteFunc(all, func(x Found) bool { return x.Code == "" })
}

// standing is what stops it.
func (f Facts) standing() (all []Found) {
	switch t := f.Row; {
	case t.State != store.StateQuarantined:
	case t.Reason == wire.QuarClone:
		all = append(all, Found{Code: Clone, Level: Urgent, Since: t.Since})
	default:
		all = append(all, Found{Code: Quarantined, Why: string(t.Reason), Level: Urgent, Since: t.Since})
	}
	switch f.Row.Power {
	case report.PowerAwake:
		all = append(all, Found{Code: f.Row.Power, Level: Notice, Since: f.Row.PowerSince})
	case report.PowerUnwoken:
		all = append(all, Found{Code: f.Row.Power, Level: Soon, Since: f.Row.PowerSince})
	}
	if called := f.Row.Called; !called.IsZero() && f.Now.Sub(called) < callFor {
		all = append(all, Found{Code: StaffCall, About: called.UTC().Format(time.RFC3339), Level: Soon, Since: called})
	}
	refused := f.Row.PolicyError
	if f.Online && f.Status.Policy > 0 {
		refused = f.Status.Refused
	}
	if !f.Reverted.IsZero() { // says more than that it refuses rules
		all, refused = append(all, Found{Code: Network, Level: Soon, Since: f.Reverted}), ""
	}
	if refused != "" {
		all = append(all, Found{Code: Refused, Level: Soon, Wait: policyAfter})
	}
	if f.Doubtful > 0 {
		all = append(all, Found{Code: Decide, Level: Notice, Count: &f.Doubtful, Since: f.DoubtfulOf})
	}
	return all
}

// link tells of a terminal that is away longer than its hours explain. Only time
// counts in which its place is open, and in which this controller listened.
func (f Facts) link() []Found {
	if f.Online || f.Row.Power == report.PowerUnwoken || report.Sleeps(f.Row.Wakes, f.Now) {
		return nil
	}
	since := f.LastSeen
	if since.IsZero() {
		since = f.Row.Enrolled
	}
	from := since
	if f.Started.After(from) {
		from = f.Started
	}
	if !f.Known(Offline, "") && f.openFor(from) < offlineAfter {
		return nil
	}
	return []Found{{Code: Offline, Level: Soon, Since: since}}
}

// openFor is how long the place was open since then.
func (f Facts) openFor(since time.Time) time.Duration {
	if before := f.Now.Add(-longestAway); since.Before(before) {
		since = before
	}
	if !f.Now.After(since) {
		return 0
	}
	if f.Policy.Hours.Always {
		return f.Now.Sub(since)
	}
	var sum time.Duration
	for _, r := range f.Policy.Hours.Schedule(since, f.Now, f.Zone).Runs() {
		from, to := r.From, r.To
		if since.After(from) {
			from = since
		}
		if f.Now.Before(to) {
			to = f.Now
		}
		sum += max(0, to.Sub(from))
	}
	return sum
}

// live is what a terminal that is connected says of itself.
func (f Facts) live(o policy.Opening) (all []Found) {
	if f.Ends(f.CertEnds) {
		left := int(max(0, f.CertEnds.Sub(f.Now)/day))
		all = append(all, Found{Code: Certificate, Level: Soon, Count: &left, Since: f.CertEnds.Add(-CertificateDays * day)})
	}
	s := f.Status
	if !f.Online || s.Phase == "" {
		return all
	}
	if s.Phase == "broken" || s.Phase == "maintenance" {
		all = append(all, f.outOf(s))
	}
	if f.Policy.Isolation.RequireFull && s.Level == wire.LevelReduced && !slices.ContainsFunc(all, func(x Found) bool { return x.Code == Isolation }) {
		all = append(all, Found{Code: Isolation, Level: Urgent})
	}
	if !s.Metrics.ClockSure {
		all = append(all, Found{Code: Clock, Level: Soon, Wait: clockAfter})
	}
	if n := s.Metrics.DiskFree; n > 0 && n < diskLow && s.Reason != string(wire.OutDisk) {
		all = append(all, Found{Code: DiskLow, Level: Soon, Wait: clockAfter})
	}
	if n := len(s.Prints); n > 0 {
		oldest := s.Prints[0].Since
		for _, w := range s.Prints {
			if w.Since.Before(oldest) {
				oldest = w.Since
			}
		}
		all = append(all, Found{Code: Waiting, Level: Soon, Count: &n, Since: oldest, Wait: waitingAfter})
	}
	if h := s.Help; h != nil && !h.Coming {
		x := Found{Code: Help, About: h.ID, Level: Soon, Since: h.At, Wait: helpAfter}
		if ago := f.Now.Sub(h.At); ago < 0 || ago > longestCall { // by a clock that is wrong
			x.Since = time.Time{}
		}
		all = append(all, x)
	}
	return append(all, f.alarm(o)...)
}

// Ends tells whether a certificate ends soon.
func (f Facts) Ends(at time.Time) bool {
	return !at.IsZero() && at.Sub(f.Now) < CertificateDays*day
}

func (f Facts) outOf(s wire.Status) Found {
	switch wire.Reason(s.Reason) {
	case wire.OutWipe:
		return Found{Code: WipeFailed, Level: Urgent, Since: f.Phase}
	case wire.OutIsolation:
		return Found{Code: Isolation, Level: Urgent, Since: f.Phase}
	case wire.OutDisk:
		return Found{Code: DiskFull, Level: Urgent, Since: f.Phase}
	case wire.OutStaff:
		return Found{Code: OutStaff, Level: Notice, Wait: staffAfter}
	}
	wait := policyAfter
	if s.Reason == string(wire.EndTamper) { // an opened case does not pass by itself
		wait = 0
	}
	return Found{Code: Out, Why: s.Reason, Level: Urgent, Since: f.Phase, Wait: wait}
}

// Patience of the alarm: what the terminal waits itself before it tells.
const (
	armedAfter   = 2 * time.Minute
	unarmedAfter = 30 * time.Minute
)

// alarm is the building's, where the terminal has its contact.
func (f Facts) alarm(o policy.Opening) []Found {
	if o.Since.IsZero() || !slices.ContainsFunc(f.Devices, func(d Device) bool { return d.Name == "alarm" && d.Health == "ready" }) {
		return nil
	}
	switch {
	case o.Open && f.Status.Armed:
		return []Found{{Code: Armed, Level: Urgent, Since: o.Since, Wait: armedAfter}}
	case !o.Open && !f.Status.Armed:
		return []Found{{Code: Unarmed, Level: Soon, Since: o.Since, Wait: unarmedAfter}}
	}
	return nil
}

// health are alarms of a machine's sensors, which are told as devices.
func health() map[string]Severity {
	return map[string]Severity{"storage-errors": Soon, "storage-read-only": Urgent, "storage-worn": Notice, "too-hot": Soon, "power-low": Soon,
		"memory-low": Soon, "sensors-stuck": Soon}
}

func (f Facts) devices() (all []Found) {
	for _, d := range f.Devices {
		if d.Health != "faulted" && d.Health != "degraded" && (d.Health != "absent" || d.Name != "badge-reader") {
			continue
		}
		x := Found{Code: DeviceLost, About: d.Name, Level: Soon, Since: d.Since}
		if level, ok := health()[d.Name]; ok {
			x.Code, x.About, x.Level = d.Name, "", level
		} else if d.Name == "badge-reader" {
			x.Code, x.About = ReaderLost, ""
		}
		if d.Health == "degraded" && x.Level != Urgent {
			x.Level = Notice
		}
		if all = append(all, f.patient(x, deviceAfter)); all[len(all)-1].Code == "" {
			all = all[:len(all)-1]
		}
	}
	return all
}

// patient leaves out what is not so for long enough in open time. Where it is not
// known since when, the look that found it first counts.
func (f Facts) patient(x Found, wait time.Duration) Found {
	if f.Known(x.Code, x.About) {
		return x
	}
	if x.Since.IsZero() {
		if f.openFor(f.Now.Add(-wait)) < wait {
			return Found{} // the place has just opened, or is closed: what is off at night comes back
		}
		x.Wait = wait
		return x
	}
	if f.openFor(x.Since) < wait {
		return Found{}
	}
	return x
}

func (f Facts) printer() (all []Found) {
	if f.Printer.State == "" {
		return nil
	}
	for _, t := range report.PrinterTroubles(f.Printer, f.Days) {
		x := Found{Code: t.Code, About: t.Supply, Level: Soon, Count: t.Days, Since: f.PrinterSince}
		switch {
		case strings.HasSuffix(t.Code, "-low") || strings.HasSuffix(t.Code, "-soon") || t.Code == "printer-waste":
			x.Level = Notice
		case t.Code == "printer-stranger" || t.Code == "printer-new-stranger":
			x.Level = Urgent
		}
		if x.About != "" {
			x.Since = time.Time{} // the printer's state did not begin with it
		}
		if x = f.patient(x, printerAfter); x.Code != "" {
			all = append(all, x)
		}
	}
	return all
}

// CalendarDays is how long before a calendar's end somebody is told: the next one
// is published by then.
const CalendarDays = 45

// Holidays tells of a zone whose calendar ends soon or is not there, where hours
// depend on it. until is its last day, "" without one.
func Holidays(zone, until string, now time.Time) []Found {
	left := 0
	var since time.Time
	if end, err := time.ParseInLocation(time.DateOnly, until, now.Location()); err == nil {
		if left = int(end.AddDate(0, 0, 1).Sub(now).Hours() / 24); left > CalendarDays {
			return nil
		}
		since = end.AddDate(0, 0, -CalendarDays)
	}
	left = max(left, 0)
	x := Found{Code: Calendar, About: zone, Level: Notice, Count: &left, Since: since}
	if left == 0 {
		x.Level = Soon
	}
	return []Found{x}
}

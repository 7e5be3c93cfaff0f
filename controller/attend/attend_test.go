package attend

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
	"borne/ui/catalogues"
)

// monday is a Monday at noon in Paris, on which the default hours are 8 to 18.
func monday() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, policy.Location()) }

// well is a terminal of which nothing is to be said.
func well(now time.Time) Facts {
	return Facts{Now: now, Started: now.Add(-24 * time.Hour), Zone: policy.Location(), Policy: policy.Default(),
		Row:    store.Terminal{State: store.StateActive, Enrolled: now.AddDate(0, -6, 0)},
		Online: true, LastSeen: now, Phase: now.Add(-time.Hour), CertEnds: now.AddDate(0, 2, 0),
		Status:       wire.Status{Phase: "welcome", Policy: 3, Level: wire.LevelFull, Metrics: wire.StatusGauges{ClockSure: true, DiskFree: 8e9}},
		Devices:      []Device{{Name: "badge-reader", Health: "ready", Since: now.Add(-time.Hour)}, {Name: "alarm", Health: "ready"}},
		Printer:      wire.Printer{State: wire.PrinterReady, Supplies: []wire.Supply{{Name: "Toner", Kind: "toner", Level: 60}}},
		PrinterSince: now.Add(-time.Hour), Days: map[string]int{"Toner": 90}}
}

func say(all []Found) string {
	var s []string
	for _, f := range all {
		x := f.Code
		if f.Why != "" {
			x += "(" + f.Why + ")"
		}
		if f.About != "" {
			x += "[" + f.About + "]"
		}
		if f.Count != nil {
			x += fmt.Sprintf("#%d", *f.Count)
		}
		s = append(s, x+":"+string(f.Level))
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

func TestLook(t *testing.T) {
	noon := monday()
	away := func(f *Facts, since time.Duration) { f.Online, f.LastSeen = false, f.Now.Add(-since) }
	at := func(h, m int) time.Time { return time.Date(2026, 3, 2, h, m, 0, 0, policy.Location()) }
	for name, c := range map[string]struct {
		now    time.Time
		change func(*Facts)
		want   string
	}{
		"all is well":        {noon, func(*Facts) {}, ""},
		"never installed":    {noon, func(f *Facts) { f.Row.State = store.StateWaiting; away(f, time.Hour) }, ""},
		"revoked":            {noon, func(f *Facts) { f.Row.State = store.StateRevoked; away(f, time.Hour) }, ""},
		"quarantined":        {noon, func(f *Facts) { f.Row.State, f.Row.Reason = store.StateQuarantined, wire.QuarReceiptFailed }, "quarantined(receipt-failed):urgent"},
		"clone":              {noon, func(f *Facts) { f.Row.State, f.Row.Reason = store.StateQuarantined, wire.QuarClone }, "clone:urgent"},
		"wipe failed":        {noon, func(f *Facts) { f.Status.Phase, f.Status.Reason = "broken", "wipe-failed" }, "wipe-failed:urgent"},
		"no browser":         {noon, func(f *Facts) { f.Status.Phase, f.Status.Reason = "broken", "no-browser" }, "out(no-browser):urgent"},
		"disk full":          {noon, func(f *Facts) { f.Status.Phase, f.Status.Reason, f.Status.Metrics.DiskFree = "broken", "disk-full", 10 }, "disk-full:urgent"},
		"disk low":           {noon, func(f *Facts) { f.Status.Metrics.DiskFree = 1000 }, "disk-low:soon"},
		"disk not told":      {noon, func(f *Facts) { f.Status.Metrics.DiskFree = 0 }, ""},
		"staff call":         {noon, func(f *Facts) { f.Row.Called = f.Now.Add(-23 * time.Hour) }, "staff-call[2026-03-01T12:00:00Z]:soon"},
		"a call of long ago": {noon, func(f *Facts) { f.Row.Called = f.Now.Add(-24 * time.Hour) }, ""},
		"put out by staff":   {noon, func(f *Facts) { f.Status.Phase, f.Status.Reason = "maintenance", "staff" }, "out-staff:notice"},
		"isolation refused": {noon, func(f *Facts) {
			f.Policy.Isolation.RequireFull = true
			f.Status.Level = wire.LevelReduced
			f.Status.Phase, f.Status.Reason = "broken", "isolation"
		}, "isolation:urgent"},
		"reduced, wanted":                    {noon, func(f *Facts) { f.Policy.Isolation.RequireFull = true; f.Status.Level = wire.LevelReduced }, "isolation:urgent"},
		"reduced, allowed":                   {noon, func(f *Facts) { f.Status.Level = wire.LevelReduced }, ""},
		"clock":                              {noon, func(f *Facts) { f.Status.Metrics.ClockSure = false }, "clock-unsure:soon"},
		"network put back":                   {noon, func(f *Facts) { f.Reverted = noon.Add(-time.Second); f.Row.PolicyError, f.Status.Refused = "no", "no" }, "network-reverted:soon"},
		"policy refused":                     {noon, func(f *Facts) { f.Status.Refused = "no" }, "policy-refused:soon"},
		"policy was refused, and is applied": {noon, func(f *Facts) { f.Row.PolicyError = "no" }, ""},
		"policy refused, away":               {noon, func(f *Facts) { f.Row.PolicyError = "no"; away(f, time.Minute) }, "policy-refused:soon"},
		"certificate":                        {noon, func(f *Facts) { f.CertEnds = f.Now.Add(20*day + time.Hour) }, "certificate-ending#20:soon"},
		"certificate over":                   {noon, func(f *Facts) { f.CertEnds = f.Now.Add(-day) }, "certificate-ending#0:soon"},
		"certificate fine":                   {noon, func(f *Facts) { f.CertEnds = f.Now.Add(22 * day) }, ""},

		"away for a moment":                {noon, func(f *Facts) { away(f, 14*time.Minute) }, ""},
		"away in open time":                {noon, func(f *Facts) { away(f, 16*time.Minute) }, "offline:soon"},
		"away since last evening, early":   {at(8, 10), func(f *Facts) { away(f, 14*time.Hour) }, ""},
		"away since last evening":          {at(8, 16), func(f *Facts) { away(f, 14*time.Hour) }, "offline:soon"},
		"away over the week-end":           {at(7, 0), func(f *Facts) { away(f, 60*time.Hour) }, ""},
		"away where it is always open":     {at(3, 0), func(f *Facts) { f.Policy.Hours.Always = true; away(f, 16*time.Minute) }, "offline:soon"},
		"asleep by plan":                   {at(9, 0), func(f *Facts) { away(f, 14*time.Hour); f.Row.Wakes = at(9, 0) }, ""},
		"did not wake":                     {at(9, 0), func(f *Facts) { away(f, 14*time.Hour); f.Row.Wakes, f.Row.Power = at(7, 48), "power-unwoken" }, "power-unwoken:soon"},
		"should sleep":                     {at(22, 0), func(f *Facts) { f.Row.Power = "power-awake"; f.Status.Armed = true }, "power-awake:notice"},
		"this controller has just started": {noon, func(f *Facts) { away(f, 5*time.Hour); f.Started = f.Now.Add(-time.Minute) }, ""},
		"it has, and knew already": {noon, func(f *Facts) {
			away(f, 5*time.Hour)
			f.Started = f.Now.Add(-time.Minute)
			f.Known = func(c, _ string) bool { return c == Offline }
		}, "offline:soon"},
		"never seen": {noon, func(f *Facts) { f.Online, f.LastSeen = false, time.Time{} }, "offline:soon"},

		"reader lost":           {noon, func(f *Facts) { f.Devices[0] = Device{"badge-reader", "faulted", f.Now.Add(-6 * time.Minute)} }, "reader-lost:soon"},
		"reader lost, a moment": {noon, func(f *Facts) { f.Devices[0] = Device{"badge-reader", "faulted", f.Now.Add(-4 * time.Minute)} }, ""},
		"reader lost at night": {at(3, 0), func(f *Facts) {
			f.Status.Armed = true
			f.Devices[0] = Device{"badge-reader", "absent", f.Now.Add(-4 * time.Hour)}
		}, ""},
		"presence weak": {noon, func(f *Facts) { f.Devices = append(f.Devices, Device{"presence", "degraded", f.Now.Add(-time.Hour)}) }, "device-lost[presence]:notice"},
		"light faulted, presence known": {noon, func(f *Facts) {
			f.Devices = append(f.Devices, Device{"presence", "faulted", f.Now.Add(-time.Hour)}, Device{"light", "faulted", f.Now.Add(-time.Second)})
			f.Known = func(c, about string) bool { return c == DeviceLost && about == "presence" }
		}, "device-lost[presence]:soon"},
		"presence known, a moment": {noon, func(f *Facts) {
			f.Devices = append(f.Devices, Device{"presence", "faulted", f.Now.Add(-time.Second)})
			f.Known = func(c, about string) bool { return c == DeviceLost && about == "presence" }
		}, "device-lost[presence]:soon"},
		"no light is built in": {noon, func(f *Facts) { f.Devices = append(f.Devices, Device{"light", "absent", f.Now.Add(-time.Hour)}) }, ""},
		"disk cannot be written": {noon, func(f *Facts) {
			f.Devices = append(f.Devices, Device{"storage-read-only", "degraded", f.Now.Add(-time.Hour)})
		}, "storage-read-only:urgent"},
		"no paper": {noon, func(f *Facts) {
			f.Printer.State, f.Printer.Reasons = wire.PrinterStopped, []string{"media-empty-error"}
		}, "printer-paper:soon"},
		"paper changed now": {noon, func(f *Facts) {
			f.Printer.State, f.Printer.Reasons = wire.PrinterStopped, []string{"media-empty-error"}
			f.PrinterSince = f.Now.Add(-time.Minute)
		}, ""},
		"toner for six days": {noon, func(f *Facts) { f.Days["Toner"] = 6 }, "printer-supply-soon[Toner]#6:notice"},
		"toner low":          {noon, func(f *Facts) { f.Printer.Supplies[0].Low = true }, "printer-supply-low[Toner]:notice"},
		"printer off at night": {at(3, 0), func(f *Facts) {
			f.Status.Armed = true
			f.Printer.State = wire.PrinterLost
			f.PrinterSince = f.Now.Add(-4 * time.Hour)
		}, ""},
		"new printer silent": {noon, func(f *Facts) { f.Printer.Reasons = []string{wire.PrinterNewSilent} }, "printer-new:soon"},
		"new printer silent, none before": {noon, func(f *Facts) {
			f.Printer = wire.Printer{State: wire.PrinterLost, Reasons: []string{wire.PrinterNewSilent}}
		}, "printer-new:soon"},
		"new printer with another key": {noon, func(f *Facts) { f.Printer.Reasons = []string{wire.PrinterNewStranger} }, "printer-new-stranger:urgent"},
		"another printer":              {noon, func(f *Facts) { f.Printer.State, f.Printer.Reasons = wire.PrinterLost, []string{wire.PrinterUntrusted} }, "printer-stranger:urgent"},
		"prints to decide":             {noon, func(f *Facts) { f.Doubtful, f.DoubtfulOf = 2, f.Now.Add(-time.Hour) }, "prints-decide#2:notice"},
		"prints to release":            {noon, func(f *Facts) { f.Status.Prints = []wire.PrintWaiting{{Job: "a", Since: f.Now.Add(-time.Hour)}} }, "prints-waiting#1:soon"},
		"alarm armed":                  {noon, func(f *Facts) { f.Status.Armed = true }, "alarm-armed:urgent"},
		"alarm armed, no contact":      {noon, func(f *Facts) { f.Status.Armed = true; f.Devices = f.Devices[:1] }, ""},
		"alarm not armed at night":     {at(22, 0), func(*Facts) {}, "alarm-unarmed:soon"},
		"alarm armed at night":         {at(22, 0), func(f *Facts) { f.Status.Armed = true }, ""},
		"somebody asks for help":       {noon, func(f *Facts) { f.Status.Help = &wire.HelpCall{ID: "c", At: f.Now} }, "help[c]:soon"},
		"somebody comes":               {noon, func(f *Facts) { f.Status.Help = &wire.HelpCall{ID: "c", At: f.Now, Coming: true} }, ""},
		"connected, nothing said yet":  {noon, func(f *Facts) { f.Status = wire.Status{} }, ""},
	} {
		f := well(c.now)
		c.change(&f)
		if got := say(Look(f)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHolidays(t *testing.T) {
	now := monday()
	for until, want := range map[string]string{"2026-08-31": "", "2026-04-20": "", "2026-04-15": "calendar-ending[A]#44:notice", "2026-03-02": "calendar-ending[A]#0:soon", "": "calendar-ending[A]#0:soon"} {
		if got := say(Holidays("A", until, now)); got != want {
			t.Errorf("until %q: %q, want %q", until, got, want)
		}
	}
}

// TestEachMatterIsToldInWords reads every code that the rules write from the
// table's facts, and asks both languages for a sentence and for what to do.
func TestEachMatterIsToldInWords(t *testing.T) {
	codes := []string{Quarantined, Clone, WipeFailed, Out, OutStaff, Isolation, DiskFull, DiskLow, Offline, ReaderLost, DeviceLost, Clock, Certificate, Console, Refused, Armed,
		Unarmed, Decide, Waiting, Help, Calendar, "power-awake", "power-unwoken", "printer-jam", "printer-paper", "printer-paper-low", "printer-tray", "printer-door", "printer-toner",
		"printer-toner-low", "printer-waste", "printer-full", "printer-stranger", "printer-new", "printer-new-stranger", "printer-lost", "printer-stopped", "printer-supply-soon", "printer-supply-low"}
	for code := range health() {
		codes = append(codes, code)
	}
	for _, code := range codes {
		for _, lang := range []string{catalogues.French, catalogues.Eng} {
			m := store.Matter{Code: code, Count: 3, About: "x"}
			if code == Quarantined || code == Out {
				m.Why = "no-browser"
			}
			for _, s := range []string{Say(m, lang), Fix(m, lang)} {
				if s == "" || strings.HasPrefix(s, "console.") || strings.HasPrefix(s, "reason.") || strings.Contains(s, "{") || code != Out && s == catalogues.Text(lang, "reason.broken", nil) {
					t.Errorf("%s in %s: %q", code, lang, s)
				}
			}
		}
	}
	if got := Say(store.Matter{Code: DeviceLost, About: "presence"}, catalogues.French); !strings.Contains(got, "Détecteur de présence") {
		t.Errorf("%q", got)
	}
}

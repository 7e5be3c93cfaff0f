package report_test

import (
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/wire"
)

func paris(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", s, policy.Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// weekdays is open from 8 to 18 on every day.
func weekdays() policy.Hours {
	var h policy.Hours
	for d := range h.Weekly {
		h.Weekly[d] = []policy.Span{{From: 8 * 60, To: 18 * 60}}
	}
	return h
}

func TestTroubleAtNight(t *testing.T) {
	zone := policy.Location()
	type night = report.Night
	lit := func(since string) func(*night) {
		return func(n *night) {
			n.Online, n.Power, n.Lit = true, &wire.PowerState{Power: wire.PowerLit}, paris(t, since)
		}
	}
	with := func(all ...func(*night)) func(*night) {
		return func(n *night) {
			for _, f := range all {
				f(n)
			}
		}
	}
	for name, c := range map[string]struct {
		now    string
		set    func(*night)
		code   string
		since  string
		policy func(*policy.Hours, *policy.Energy)
	}{
		"by day it may be lit":         {now: "2026-03-02 12:00", set: lit("2026-03-02 07:48")},
		"29 minutes after closing":     {now: "2026-03-02 18:29", set: lit("2026-03-02 07:48")},
		"30 minutes after closing":     {now: "2026-03-02 18:30", set: lit("2026-03-02 07:48"), code: report.PowerAwake, since: "2026-03-02 18:00"},
		"dimmed counts as lit":         {now: "2026-03-02 19:00", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Power = wire.PowerDim }), code: report.PowerAwake, since: "2026-03-02 18:00"},
		"dark":                         {now: "2026-03-02 19:00", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Power, n.Power.Dark, n.Lit = wire.PowerDark, true, time.Time{} })},
		"told to be dark, and shines":  {now: "2026-03-02 19:00", set: with(lit("2026-03-02 18:05"), func(n *night) { n.Power.Power = wire.PowerDark }), code: report.PowerAwake, since: "2026-03-02 18:05"},
		"in low power, and shines":     {now: "2026-03-02 19:00", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Power = wire.PowerLow }), code: report.PowerAwake, since: "2026-03-02 18:00"},
		"nobody can see its screen":    {now: "2026-03-02 19:00", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Power, n.Power.Blind = wire.PowerLow, true })},
		"lit, and nobody can see it":   {now: "2026-03-02 19:00", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Blind = true }), code: report.PowerAwake, since: "2026-03-02 18:00"},
		"in low power":                 {now: "2026-03-02 23:00", set: func(n *night) { n.Online, n.Power = true, &wire.PowerState{Power: wire.PowerLow, Dark: true} }},
		"an agent that does not tell":  {now: "2026-03-02 23:00", set: func(n *night) { n.Online = true }},
		"away, nobody knows why":       {now: "2026-03-02 23:00"},
		"somebody is still there":      {now: "2026-03-02 19:00", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Busy = true })},
		"held awake":                   {now: "2026-03-02 21:00", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Held = paris(t, "2026-03-02 22:00") })},
		"a while after it was held":    {now: "2026-03-02 22:29", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Held = paris(t, "2026-03-02 22:00") })},
		"long after it was held":       {now: "2026-03-02 22:30", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Power.Held = paris(t, "2026-03-02 22:00") }), code: report.PowerAwake, since: "2026-03-02 22:00"},
		"woken by whoever cleans":      {now: "2026-03-02 21:10", set: lit("2026-03-02 20:50")},
		"and lit ever since":           {now: "2026-03-02 21:20", set: lit("2026-03-02 20:50"), code: report.PowerAwake, since: "2026-03-02 20:50"},
		"its rules leave it lit":       {now: "2026-03-02 23:00", set: lit("2026-03-02 07:48"), policy: func(_ *policy.Hours, e *policy.Energy) { e.Night = policy.NightLit }},
		"its night begins an hour on":  {now: "2026-03-02 19:05", set: lit("2026-03-02 07:48"), policy: func(_ *policy.Hours, e *policy.Energy) { e.NightMinutes = 60 }},
		"and has begun":                {now: "2026-03-02 19:10", set: lit("2026-03-02 07:48"), policy: func(_ *policy.Hours, e *policy.Energy) { e.NightMinutes = 60 }, code: report.PowerAwake, since: "2026-03-02 18:00"},
		"up again before opening":      {now: "2026-03-03 07:45", set: lit("2026-03-03 07:44")},
		"up since an hour before":      {now: "2026-03-03 07:42", set: lit("2026-03-03 06:40"), code: report.PowerAwake, since: "2026-03-03 06:40"},
		"never opens":                  {now: "2026-03-02 12:00", set: lit("2026-03-02 11:00"), policy: func(h *policy.Hours, _ *policy.Energy) { *h = policy.Hours{} }, code: report.PowerAwake, since: "2026-03-02 11:00"},
		"open day and night":           {now: "2026-03-02 23:00", set: lit("2026-03-02 11:00"), policy: func(h *policy.Hours, _ *policy.Energy) { h.Always = true }},
		"the rules changed at night":   {now: "2026-03-02 21:10", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Changed = paris(t, "2026-03-02 20:55") })},
		"and half an hour has passed":  {now: "2026-03-02 21:25", set: with(lit("2026-03-02 07:48"), func(n *night) { n.Changed = paris(t, "2026-03-02 20:55") }), code: report.PowerAwake, since: "2026-03-02 20:55"},
		"told already, new connection": {now: "2026-03-02 20:00", set: with(lit("2026-03-02 19:59"), func(n *night) { n.Was, n.WasSince = report.PowerAwake, paris(t, "2026-03-02 18:00") }), code: report.PowerAwake, since: "2026-03-02 18:00"},
		"told already, away now":       {now: "2026-03-02 20:00", set: func(n *night) { n.Was, n.WasSince = report.PowerAwake, paris(t, "2026-03-02 18:00") }, code: report.PowerAwake, since: "2026-03-02 18:00"},
		"told already, open again":     {now: "2026-03-03 08:00", set: with(lit("2026-03-02 19:59"), func(n *night) { n.Was, n.WasSince = report.PowerAwake, paris(t, "2026-03-02 18:00") })},
		"told already, dark now": {now: "2026-03-02 20:00", set: func(n *night) {
			n.Online, n.Power, n.Was = true, &wire.PowerState{Power: wire.PowerDark, Dark: true}, report.PowerAwake
		}},

		"asleep":                          {now: "2026-03-03 03:00", set: func(n *night) { n.Wakes = paris(t, "2026-03-03 07:48") }},
		"ten minutes past its alarm":      {now: "2026-03-03 07:58", set: func(n *night) { n.Wakes = paris(t, "2026-03-03 07:48") }},
		"eleven":                          {now: "2026-03-03 07:59", set: func(n *night) { n.Wakes = paris(t, "2026-03-03 07:48") }, code: report.PowerUnwoken, since: "2026-03-03 07:48"},
		"back":                            {now: "2026-03-03 07:59", set: with(lit("2026-03-03 07:50"), func(n *night) { n.Wakes = paris(t, "2026-03-03 07:48") })},
		"opens earlier since it slept":    {now: "2026-03-03 06:30", set: func(n *night) { n.Wakes = paris(t, "2026-03-03 07:48") }, policy: func(h *policy.Hours, _ *policy.Energy) { h.Weekly[2][0].From = 6 * 60 }},
		"opens later since it slept":      {now: "2026-03-03 07:59", set: func(n *night) { n.Wakes = paris(t, "2026-03-03 07:48") }, policy: func(h *policy.Hours, _ *policy.Energy) { h.Weekly[2][0].From = 10 * 60 }, code: report.PowerUnwoken, since: "2026-03-03 07:48"},
		"was awake, went off in the end":  {now: "2026-03-02 23:00", set: func(n *night) { n.Was, n.Wakes = report.PowerAwake, paris(t, "2026-03-03 07:48") }},
		"clocks go forward while asleep":  {now: "2026-03-29 07:57", set: func(n *night) { n.Wakes = paris(t, "2026-03-29 07:48") }},
		"clocks went forward, not awoken": {now: "2026-03-29 07:59", set: func(n *night) { n.Wakes = paris(t, "2026-03-29 07:48") }, code: report.PowerUnwoken, since: "2026-03-29 07:48"},
		"lit when the clocks go back":     {now: "2026-10-25 03:10", set: lit("2026-10-24 07:48"), code: report.PowerAwake, since: "2026-10-24 18:00"},
	} {
		hours, plan := weekdays(), policy.DefaultEnergy()
		if c.policy != nil {
			c.policy(&hours, &plan)
		}
		n := night{Now: paris(t, c.now), Plan: plan}
		n.Opening = hours.At(n.Now, zone)
		if c.set != nil {
			c.set(&n)
		}
		code, since := n.Trouble()
		want := time.Time{}
		if c.since != "" {
			want = paris(t, c.since)
		}
		if code != c.code || !since.Equal(want) {
			t.Errorf("%s: %q since %v, want %q since %v", name, code, since, c.code, want)
		}
	}
}

// A terminal that closes in the hour that comes twice is told of half an hour of
// real time later, once.
func TestTroubleInTheHourThatComesTwice(t *testing.T) {
	var h policy.Hours
	h.Weekly[time.Saturday] = []policy.Span{{From: 20 * 60, To: 24*60 + 150}} // until 2:30, the first of the two
	closes := paris(t, "2026-10-25 01:30").Add(time.Hour)
	told := 0
	n := report.Night{Online: true, Power: &wire.PowerState{Power: wire.PowerLit}, Lit: paris(t, "2026-10-24 19:48"), Plan: policy.DefaultEnergy()}
	for n.Now = closes.Add(-time.Hour); n.Now.Before(closes.Add(3 * time.Hour)); n.Now = n.Now.Add(time.Minute) {
		n.Opening = h.At(n.Now, policy.Location())
		code, since := n.Trouble()
		if code != n.Was {
			told++
			if !n.Now.Equal(closes.Add(report.AwakeAfter)) || !since.Equal(closes) {
				t.Errorf("told at %v of what began at %v", n.Now, since)
			}
		}
		n.Was, n.WasSince = code, since
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

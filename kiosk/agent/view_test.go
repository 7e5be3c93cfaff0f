package agent

import (
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

func TestViewOfEachPhase(t *testing.T) {
	at := session.Instant{Mono: time.Hour, Wall: time.Date(2026, 3, 2, 17, 0, 0, 0, time.UTC), Trusted: true}
	base := func(p session.Phase) session.State {
		return session.State{Phase: p, Limits: session.Limits{Languages: []string{"fr", "en"}, Minutes: 45 * time.Minute},
			Run:   &session.Run{ID: "s", Lang: "en", Total: 45 * time.Minute, Reason: wire.EndIdle},
			Hours: session.Hours{Known: true, Open: true, Until: at.Wall.Add(20 * time.Minute), Why: "Fête"},
			Live: session.Live{Sure: true, Left: 61 * time.Second, Summary: &session.Summary{Full: true, Millis: 7, Receipt: "1-2", Reason: wire.EndTime,
				Checks: []wire.Check{{Name: wire.CheckMounts, Before: 3, Result: wire.Clean}}}}}
	}
	screens := map[session.Phase]shell.Screen{session.Starting: shell.Starting, session.Welcome: shell.Welcome, session.Charter: shell.CharterPage,
		session.Opening: shell.OpeningPage, session.Active: shell.SessionPage, session.Warning: shell.WarningPage, session.Ending: shell.SessionPage,
		session.Wiping: shell.Wiping, session.Thanks: shell.Thanks, session.Closed: shell.Closed, session.Quarantined: shell.Quarantined,
		session.Broken: shell.Broken, session.Updating: shell.Updating, session.Maintenance: shell.Maintenance, session.Challenge: shell.Wiping}
	for _, p := range session.Phases() {
		v := ViewOf(base(p), at, Face{Place: shell.Place{Terminal: "P"}})
		if v.Screen == "" || v.Screen != screens[p] {
			t.Errorf("%s shows %q", p, v.Screen)
		}
		if got := v.Bar != nil; got != (p == session.Active || p == session.Warning || p == session.Ending) {
			t.Errorf("%s: bar %v", p, got)
		}
		if got := v.Wipe != nil; got != (p == session.Thanks) {
			t.Errorf("%s: wipe %v", p, got)
		}
		if v.Lang != "en" || v.Identify != "" || v.Notice != "" {
			t.Errorf("%s: %+v", p, v)
		}
		if stuck := ViewOf(base(p), at, Face{Stuck: wire.OutDisk}); stuck.Screen != shell.Broken || stuck.Reason != "disk-full" || stuck.Bar != nil {
			t.Errorf("%s on a full disk: %+v", p, stuck)
		}
	}
	if v := ViewOf(base(session.Active), at, Face{Pages: 10}); v.Bar.LeftSeconds != 61 || v.Bar.TotalSeconds != 2700 || v.Bar.PagesLeft != 10 || v.Bar.Ending {
		t.Errorf("%+v", v.Bar)
	}
	if v := ViewOf(base(session.Charter), at, Face{}); v.Charter.Minutes != 20 {
		t.Errorf("the charter promises %d minutes, 20 before closing", v.Charter.Minutes)
	}
	for _, c := range []struct {
		guest *session.Guest
		badge bool
	}{{nil, false}, {&session.Guest{}, false}, {&session.Guest{Holder: []byte{1}}, true}} {
		s := base(session.Charter)
		s.Live.Guest = c.guest
		if v := ViewOf(s, at, Face{}); v.Charter.Badge != c.badge {
			t.Errorf("the charter of %+v: badge %v", c.guest, v.Charter.Badge)
		}
	}
	if v := ViewOf(base(session.Wiping), at, Face{}); v.Reason != "idle" {
		t.Errorf("wiping for %q", v.Reason)
	}
	if w := ViewOf(base(session.Thanks), at, Face{}).Wipe; !w.Full || w.Receipt != "1-2" || w.Checks[0].Before != 3 || w.Reason != "time" {
		t.Errorf("%+v", w)
	}
	s := base(session.Closed)
	s.Reason, s.Hours.Open, s.Hours.Cause = wire.RefuseClosed, false, string(policy.CausePublic)
	if o := ViewOf(s, at, Face{Hours: policy.Hours{Meanwhile: "La mairie"}}).Opening; o.At != "2026-03-02T18:20:00+01:00" || o.Why != "Fête" || o.Cause != "public" || o.Meanwhile != "La mairie" {
		t.Errorf("%+v", o)
	}
	s.Live.Sure = false
	if o := ViewOf(s, at, Face{}).Opening; o.At != "" {
		t.Errorf("an unsure clock tells %q", o.At)
	}
}

func TestViewOfWarningsAndWords(t *testing.T) {
	at := session.Instant{Mono: time.Hour}
	for _, c := range []struct {
		warn session.Warn
		want shell.Warning
	}{
		{session.Warn{Kind: session.WarnIdle, Of: time.Minute, Until: at.Mono + 1500*time.Millisecond}, shell.Warning{Kind: "idle", LeftSeconds: 2, OfSeconds: 60, Minutes: 5}},
		{session.Warn{Kind: session.WarnBadge, Of: time.Minute, Until: at.Mono + time.Minute}, shell.Warning{Kind: "idle", LeftSeconds: 60, OfSeconds: 60, Minutes: 5}},
		{session.Warn{Kind: session.WarnTime}, shell.Warning{Kind: "time", Minutes: 5}},
		{session.Warn{Kind: session.WarnClosing}, shell.Warning{Kind: "closing", Minutes: 5}},
		{session.Warn{Kind: session.WarnExtended, Added: 15 * time.Minute}, shell.Warning{Kind: "extended", Minutes: 15}},
		{session.Warn{Kind: session.WarnMessage, Text: "Bonjour"}, shell.Warning{Kind: "message", Minutes: 5}},
	} {
		v := ViewOf(session.State{Phase: session.Warning, Live: session.Live{Warn: c.warn, Left: 5 * time.Minute}}, at, Face{})
		if *v.Warning != c.want || v.Message != c.warn.Text {
			t.Errorf("%+v shows %+v %q", c.warn, *v.Warning, v.Message)
		}
	}
	s := session.State{Phase: session.Welcome, Live: session.Live{Message: "Fermé demain", MessageTo: at.Mono + 1, Notice: wire.RefuseTooLate,
		NoticeTo: at.Mono + 1, Identify: at.Mono + 1}}
	v := ViewOf(s, at, Face{Place: shell.Place{Terminal: "Poste 3"}})
	if v.Message != "Fermé demain" || v.Notice != "too-late" || v.Identify != "Poste 3" || v.Lang != "fr" {
		t.Errorf("%+v", v)
	}
	at.Mono++
	if v := ViewOf(s, at, Face{Place: shell.Place{Terminal: "Poste 3"}}); v.Message != "" || v.Notice != "" || v.Identify != "" {
		t.Errorf("shown for ever: %+v", v)
	}
	for want, a := range map[string]policy.Access{"required": {BadgeRequired: true, AnyBadge: true}, "offered": {AnyBadge: true}, "none": {}} {
		if got := ViewOf(s, at, Face{Access: a}).Badge; got != want {
			t.Errorf("badge %q, want %q", got, want)
		}
	}
}

// TestHelpIsOfToday: who helps here, and which places near here are open.
func TestHelpIsOfToday(t *testing.T) {
	at := session.Instant{Wall: time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)} // a Tuesday
	hours, err := policy.ParseOSM("Tu 09:00-12:00", policy.ZoneA, 2026)
	if err != nil {
		t.Fatal(err)
	}
	here := policy.Default().Hours
	var week policy.Week
	week[time.Tuesday] = []policy.Span{{From: 9 * 60, To: 19 * 60}}
	f := Face{Hours: here, Notice: policy.Notice{DPO: "dpo@example.org", Number: 3, Keep: policy.Keep{Usage: 365, Security: 90}}, Help: policy.Help{Permanences: []policy.Permanence{{Who: "Conseillère", Week: week}},
		Places: []policy.HelpPlace{{Name: "Les Romains", Kind: policy.HelpAdviser, Phone: "04", Metres: 1200, Known: true, Hours: hours}, {Name: "Médiathèque"}}}}
	for _, phase := range []session.Phase{session.Welcome, session.Closed, session.Quarantined, session.Broken, session.Maintenance} {
		v := ViewOf(session.State{Phase: phase, Live: session.Live{Sure: true}}, at, f)
		if h := v.Near; h == nil || len(h.Here) != 1 || len(h.Here[0].Spans) != 1 || h.Here[0].Spans[0] != (shell.Span{From: 540, To: 1080}) || len(h.Near) != 2 ||
			len(h.Near[0].Today) != 1 || h.Near[0].Today[0] != (shell.Span{From: 540, To: 720}) || h.Near[1].Today != nil || h.Near[0].Metres != 1200 {
			t.Errorf("%s: %+v", phase, h)
		}
		// Whose clock is not sure does not know what today is.
		v = ViewOf(session.State{Phase: phase}, at, f)
		if h := v.Near; h == nil || len(h.Here) != 0 || len(h.Near) != 2 || h.Near[0].Today != nil {
			t.Errorf("%s without a clock: %+v", phase, h)
		}
		if v = ViewOf(session.State{Phase: phase, Live: session.Live{Sure: true}}, at, Face{}); v.Near != nil {
			t.Errorf("%s: help that nobody gives: %+v", phase, v.Near)
		}
	}
	full := f
	full.Stuck = wire.OutDisk
	if v := ViewOf(session.State{Phase: session.Active, Live: session.Live{Sure: true}}, at, full); v.Screen != shell.Broken || v.Near == nil || len(v.Near.Near) != 2 {
		t.Errorf("a terminal that cannot write: %s, %+v", v.Screen, v.Near)
	}
	for _, phase := range []session.Phase{session.Welcome, session.Charter} {
		if v := ViewOf(session.State{Phase: phase}, at, f); v.Told == nil || v.Told.DPO != "dpo@example.org" || v.Told.Number != 3 || v.Told.Usage != 365 || v.Told.Security != 90 {
			t.Errorf("%s tells %+v", phase, v.Told)
		}
	}
	if v := ViewOf(session.State{Phase: session.Active}, at, f); v.Told != nil || v.Near != nil {
		t.Error("a session's bar carries what only the screens before it show")
	}
}

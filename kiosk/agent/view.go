package agent

import (
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// Face is what the view needs beside the session's state.
type Face struct {
	Place   shell.Place
	Access  policy.Access
	Hours   policy.Hours
	Notice  policy.Notice
	Help    policy.Help
	Pages   int // a session's; 0 without printing
	Offline bool
	Door    wire.Reason // about a badge, beside the session's
	Sim     bool
	Dim     bool        // nobody is there: the page is darker
	Stuck   wire.Reason // the journal cannot be written
	PIN     bool        // staff have one
}

// ViewOf is what the person sees. It is a function of its arguments alone.
func ViewOf(s session.State, at session.Instant, f Face) shell.View {
	l := s.Live
	v := shell.View{Lang: lang(s), Languages: s.Limits.Languages, Place: f.Place, Reason: string(s.Reason), Badge: badge(f.Access),
		Sim: f.Sim, Dim: f.Dim, Offline: f.Offline}
	if at.Mono < l.Identify {
		v.Identify = f.Place.Terminal
	}
	v.Notice = string(f.Door)
	if at.Mono < l.NoticeTo {
		v.Notice = string(l.Notice)
	}
	if f.Stuck != "" {
		v.Screen, v.Reason, v.Near = shell.Broken, string(f.Stuck), near(s, at, f)
		return v
	}
	v.Team = f.PIN && s.Phase.HasMenu()
	switch s.Phase {
	case session.Starting:
		v.Screen = shell.Starting
	case session.Welcome:
		v.Screen, v.Codes, v.Told, v.Near = shell.Welcome, f.Access.DayCodes, noticeOf(f.Notice), near(s, at, f)
	case session.Charter:
		v.Screen, v.Charter = shell.CharterPage, &shell.Charter{Minutes: minutes(given(s, at)), Pages: f.Pages,
			Badge: l.Guest != nil && len(l.Guest.Holder) > 0}
		v.Told = noticeOf(f.Notice)
	case session.Opening:
		v.Screen = shell.OpeningPage
	case session.Active:
		v.Screen, v.Bar = shell.SessionPage, bar(s, at, f)
	case session.Warning:
		v.Screen, v.Bar, v.Warning = shell.WarningPage, bar(s, at, f), warning(s, at)
		v.Message = l.Warn.Text
	case session.Ending:
		v.Screen, v.Bar = shell.SessionPage, bar(s, at, f)
		v.Bar.Ending = true
	case session.Wiping, session.Challenge:
		v.Screen = shell.Wiping
		if s.Run != nil {
			v.Reason = string(s.Run.Reason)
		}
	case session.Thanks:
		v.Screen, v.Wipe = shell.Thanks, erased(l.Summary)
	case session.Closed:
		v.Screen, v.Opening, v.Near = shell.Closed, &shell.Opening{Meanwhile: f.Hours.Meanwhile}, near(s, at, f)
		if s.Reason == wire.RefuseAnew {
			v.Screen, v.Opening = shell.Starting, nil
			break
		}
		if s.Reason == wire.RefuseShut && l.Sure {
			v.Opening.At = told(s.Hours.Next)
		}
		if s.Reason == wire.RefuseClosed {
			v.Opening.Cause, v.Opening.Why = s.Hours.Cause, s.Hours.Why
		}
		if s.Reason == wire.RefuseClosed && l.Sure && !s.Hours.Until.IsZero() {
			v.Opening.At = s.Hours.Until.In(policy.Location()).Format(time.RFC3339)
		}
	case session.Quarantined:
		v.Screen, v.Near = shell.Quarantined, near(s, at, f)
	case session.Broken:
		v.Screen, v.Near = shell.Broken, near(s, at, f)
		if s.Reason == wire.OutIsolation {
			v.Missing = l.Missing
		}
	case session.Updating:
		v.Screen = shell.Updating
	case session.Maintenance:
		v.Screen, v.Near = shell.Maintenance, near(s, at, f)
		if s.Out != nil {
			v.Message = s.Out.Text
		}
	}
	if v.Message == "" && !s.Phase.InSession() && at.Mono < l.MessageTo {
		v.Message = l.Message
	}
	return v
}

func lang(s session.State) string {
	switch {
	case s.Run != nil && s.Run.Lang != "":
		return s.Run.Lang
	case s.Live.Lang != "":
		return s.Live.Lang
	case len(s.Limits.Languages) > 0:
		return s.Limits.Languages[0]
	}
	return "fr"
}

func badge(a policy.Access) string {
	switch {
	case a.BadgeRequired && (a.AnyBadge || a.KnownBadges):
		return "required"
	case a.BadgeRequired:
		return "code"
	case a.AnyBadge, a.KnownBadges:
		return "offered"
	}
	return "none"
}

// given is how long a session that began now would last.
func given(s session.State, at session.Instant) time.Duration {
	d := s.Limits.Minutes
	if s.Live.Sure && s.Hours.Open && !s.Hours.Until.IsZero() {
		d = min(d, s.Hours.Until.Sub(at.Wall))
	}
	return max(d, 0)
}

func bar(s session.State, at session.Instant, f Face) *shell.Bar {
	b := &shell.Bar{LeftSeconds: int((s.Live.Left + time.Second - 1) / time.Second), PagesLeft: -1}
	if s.Run != nil {
		b.TotalSeconds = int(s.Run.Total / time.Second)
	}
	if f.Pages > 0 {
		b.PagesLeft = f.Pages
	}
	if at.Mono < s.Live.RefusedTo {
		b.Refused = s.Live.Refused
	}
	return b
}

func warning(s session.State, at session.Instant) *shell.Warning {
	w := s.Live.Warn
	out := &shell.Warning{Kind: string(w.Kind), Minutes: minutes(s.Live.Left)}
	switch w.Kind {
	case session.WarnBadge:
		// It asks what the idle warning asks: who is here?
		out.Kind = string(session.WarnIdle)
	case session.WarnExtended:
		out.Minutes = minutes(w.Added)
	}
	if w.Until > 0 {
		out.LeftSeconds = int(max(0, w.Until-at.Mono+time.Second-1) / time.Second)
		out.OfSeconds = int(w.Of / time.Second)
	}
	return out
}

func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

func erased(s *session.Summary) *shell.Wipe {
	if s == nil {
		return nil
	}
	w := &shell.Wipe{Full: s.Full, Millis: s.Millis, Receipt: s.Receipt, Reason: string(s.Reason), Smile: string(s.Smile)}
	for _, c := range s.Checks {
		w.Checks = append(w.Checks, shell.Check{Name: c.Name, Before: c.Before, Result: string(c.Result)})
	}
	return w
}

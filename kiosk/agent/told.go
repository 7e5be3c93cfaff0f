package agent

import (
	"time"

	"borne/controller/policy"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// noticeOf is the notice as the page shows it.
func noticeOf(n policy.Notice) *shell.Told {
	return &shell.Told{Responsible: n.Responsible, DPO: n.DPO, Charter: n.Charter, Number: n.Number, Since: n.Since,
		Usage: n.Keep.Usage, Security: n.Keep.Security, Technical: n.Keep.Technical}
}

// near is who helps here today, and which places near here do. Without a clock
// that can be trusted nobody knows what today is.
func near(s session.State, at session.Instant, f Face) *shell.Near {
	h := &shell.Near{}
	today := ""
	if s.Live.Sure {
		today = at.Wall.In(policy.Location()).Format(time.DateOnly)
		for _, p := range f.Help.Today(today, f.Hours) {
			one := shell.Helper{Who: p.Who, Note: p.Note}
			for _, spans := range p.Week {
				one.Spans = append(one.Spans, spansOf(spans)...)
			}
			h.Here = append(h.Here, one)
		}
	}
	for _, p := range f.Help.Places {
		place := shell.HelpPlace{Name: p.Name, Kind: string(p.Kind), Address: p.Address, Phone: p.Phone, Metres: p.Metres}
		if open, ok := p.Open(today, f.Hours.School.Breaks); ok && today != "" {
			place.Today = spansOf(open)
		}
		h.Near = append(h.Near, place)
	}
	if len(h.Here)+len(h.Near) == 0 {
		return nil
	}
	return h
}

// helpDay is the day whose hours a standby's portal tells: a new one is made for the
// next day. It is empty without a clock to be trusted, and where nobody helps.
func (a *Agent) helpDay() string {
	if h := a.policy.Help; !a.state.Live.Sure || len(h.Places)+len(h.Permanences) == 0 {
		return ""
	}
	return a.now().Wall.In(policy.Location()).Format(time.DateOnly)
}

// dated are the rules with who helps today.
func (a *Agent) dated() Rules {
	r := a.policy
	r.Near = near(a.state, a.now(), a.face())
	return r
}

func spansOf(all []policy.Span) []shell.Span {
	spans := make([]shell.Span, 0, len(all))
	for _, s := range all {
		spans = append(spans, shell.Span(s))
	}
	return spans
}

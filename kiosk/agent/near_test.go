package agent_test

import (
	"sync"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/kiosk/agent"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/shell"
)

// made keeps whom the portals of standbys name.
type made struct {
	mu  sync.Mutex
	all []*shell.Near
}

func (m *made) hear(r agent.Rules) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, r.Near)
}

func (m *made) last() (int, *shell.Near) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.all) == 0 {
		return 0, nil
	}
	return len(m.all), m.all[len(m.all)-1]
}

// TestThePortalTellsTheDaysHelp: a session begins on who helps today, so a standby that
// was made yesterday is made again; where nobody helps it is not.
func TestThePortalTellsTheDaysHelp(t *testing.T) {
	for name, helps := range map[string]bool{"somebody": true, "nobody": false} {
		m := &made{}
		b := newBed(t, func(o *agenttest.Options) {
			o.Prepared = m.hear
			o.Hours = func(policy.Hours, time.Time) policy.Opening { return policy.Opening{Open: true} }
		})
		p := rules()
		var hours policy.Week
		hours[time.Tuesday] = []policy.Span{{From: 9 * 60, To: 12 * 60}}
		if helps {
			p.Help.Permanences = []policy.Permanence{{Who: "Conseillère", Week: hours}}
			p.Help.Places = []policy.HelpPlace{{Name: "Les Romains", Kind: policy.HelpAdviser, Address: "28 avenue du Stade", Phone: "04 50 00 00 01", Metres: 1200}}
			p.Help.Near = 1
		}
		b.c.Welcome("")
		b.must(b.c.Policy(p))
		b.must(b.c.Permits(4, b.later()))
		b.until("a standby is there", func() bool { b.Tick(time.Second); n, _ := m.last(); return n > 0 })
		b.see(shell.Welcome)
		first, near := m.last()
		if helps != (near != nil) || helps && (len(near.Here) != 0 || len(near.Near) != 1 || near.Near[0].Phone != "04 50 00 00 01") {
			t.Errorf("%s, on a Monday: %+v", name, near)
		}
		b.Pass(2 * time.Second)
		if n, _ := m.last(); n != first {
			t.Errorf("%s: %d standbys on one day", name, n)
		}
		b.Tick(24 * time.Hour)
		if !helps {
			b.Pass(3 * time.Second)
			if n, _ := m.last(); n != first {
				t.Errorf("a standby is made for a day that changes nothing in it")
			}
			continue
		}
		b.until("the next day's standby is there", func() bool { b.Tick(time.Second); n, _ := m.last(); return n > first })
		if _, near = m.last(); near == nil || len(near.Here) != 1 || len(near.Here[0].Spans) != 1 {
			t.Errorf("on a Tuesday: %+v", near)
		}
	}
}

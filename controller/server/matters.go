package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"borne/controller/attend"
	"borne/controller/compliance"
	"borne/controller/fleet"
	"borne/controller/ledger"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/tell"
)

// How often what somebody has to see to is looked at: all of it, and a terminal
// after something of it changed.
const (
	mattersEvery  = time.Minute
	mattersGather = 100 * time.Millisecond
)

// matters follows what somebody has to see to.
type matters struct {
	core    *core
	live    func(terminal string) (fleet.LiveState, bool)
	changed func(terminal string)
	started time.Time
	console func() (from, to time.Time, missing bool) // its certificate's life; nil: not this controller's to watch
	waits   map[string]attend.Waits                   // by subject; of run alone
}

func newMatters(k *core, live func(string) (fleet.LiveState, bool), changed func(string)) *matters {
	return &matters{core: k, live: live, changed: changed, started: k.now(), waits: map[string]attend.Waits{}}
}

// run looks until ctx ends.
func (m *matters) run(ctx context.Context, subscribe func() (<-chan string, func())) {
	changes, cancel := subscribe()
	defer cancel()
	t := time.NewTicker(mattersEvery)
	defer t.Stop()
	dirty := map[string]bool{}
	var flush <-chan time.Time
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			err = m.look(ctx, nil)
		case id := <-changes:
			if len(dirty) == 0 {
				flush = time.After(mattersGather)
			}
			dirty[id] = true
		case <-flush:
			err = m.look(ctx, dirty)
			clear(dirty)
			flush = nil
		}
		if err != nil && ctx.Err() == nil {
			m.core.log.Error("cannot look at what is to be seen to", "error", err)
		}
	}
}

// look steps the matters of some terminals; nil: of all, and of the Département.
func (m *matters) look(ctx context.Context, some map[string]bool) error {
	var todo []string
	zones, waiting := map[policy.Zone]bool{}, map[string]attend.Waits{}
	err := m.core.st.View(ctx, func(tx store.Tx) error {
		todo = todo[:0]
		doubts, err := doubtful(tx, m.core.now())
		if err != nil {
			return err
		}
		for it, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if some != nil && !some[it.ID] {
				continue
			}
			waits := m.clone(it.ID)
			changed, rules, err := m.terminal(tx, it, doubts[it.ID], waits)
			if err != nil {
				m.core.log.Error("cannot tell what is to be seen to at a terminal", "terminal", it.ID, "error", err)
				continue // the others are not to suffer from its rules
			}
			if s := rules.Hours.School; s.Mode != policy.ModeUsual && s.Zone != policy.NoZone {
				zones[s.Zone] = true
			}
			if len(changed) > 0 {
				todo = append(todo, it.ID)
			} else {
				waiting[it.ID] = waits
			}
		}
		return nil
	})
	maps.Copy(m.waits, waiting)
	for _, id := range todo {
		var waits attend.Waits
		failed := m.core.st.Decide(ctx, func(tx store.Tx) error {
			waits = m.clone(id)
			it, err := store.Get[store.Terminal](tx, id)
			if err != nil {
				return err
			}
			doubts, err := doubtful(tx, m.core.now())
			if err != nil {
				return err
			}
			changed, _, err := m.terminal(tx, it, doubts[id], waits)
			if err != nil {
				return err
			}
			return keepMatters(tx, changed)
		})
		if err = errors.Join(err, failed); failed == nil {
			m.waits[id] = waits
		}
		m.changed(id)
	}
	if err != nil || some != nil {
		return err
	}
	return errors.Join(m.everywhere(ctx, zones), m.tell(ctx))
}

// tell queues the mails that are due.
func (m *matters) tell(ctx context.Context) error {
	d, n := tell.Desk{Console: m.core.consoleURL(), Zone: m.core.zone}, 0
	round := func(write bool) func(store.Tx) error {
		return func(tx store.Tx) (err error) {
			n, err = d.Round(tx, m.core.now(), write)
			return err
		}
	}
	if err := m.core.st.View(ctx, round(false)); err != nil || n == 0 {
		return err
	}
	return m.core.st.Decide(ctx, round(true))
}

// clone copies what is waited for at a terminal: a transaction may run again.
func (m *matters) clone(terminal string) attend.Waits {
	if c := maps.Clone(m.waits[terminal]); c != nil {
		return c
	}
	return attend.Waits{}
}

func keepMatters(tx store.Tx, changed []attend.Item) error {
	for _, it := range changed {
		if err := store.Put(tx, it); err != nil {
			return err
		}
	}
	return nil
}

// terminal steps one terminal's matters.
func (m *matters) terminal(tx store.Tx, it store.Item[store.Terminal], d doubt, waits attend.Waits) ([]attend.Item, policy.Policy, error) {
	known, err := openAt(tx, it.ID)
	if err != nil {
		return nil, policy.Policy{}, err
	}
	f, err := m.facts(tx, it)
	if err != nil {
		return nil, policy.Policy{}, err
	}
	f.Doubtful, f.DoubtfulOf = d.jobs, d.oldest
	f.Known = func(code, about string) bool {
		for _, k := range known {
			if k.Row.Code == code && k.Row.About == about {
				return true
			}
		}
		return false
	}
	s := attend.Subject{Site: it.Site, Space: it.Row.Space, Terminal: it.ID}
	found := attend.Look(f)
	if known, err = withLast(tx, s, known, found); err != nil {
		return nil, f.Policy, err
	}
	gone := it.Row.State == store.StateWaiting || it.Row.State == store.StateRevoked
	away := !gone && (!f.Online || slices.Contains([]string{"", "starting", "wiping", "challenge"}, f.Status.Phase)) // session.Phase's names
	return attend.Step(s, known, found, waits, away, f.Now), f.Policy, nil
}

// openAt lists the matters of a terminal that go on; "": of the Département.
func openAt(tx store.Tx, terminal string) (known []attend.Item, err error) {
	for k, err := range store.Find[store.Matter](tx, "at", store.MatterSubject(terminal)) {
		if err != nil {
			return nil, err
		}
		known = append(known, k)
	}
	return known, nil
}

// withLast adds the last matter of each key that is found and does not go on: it
// may have come back.
func withLast(tx store.Tx, s attend.Subject, known []attend.Item, found []attend.Found) ([]attend.Item, error) {
	have := map[string]bool{}
	for _, k := range known {
		have[k.Row.Key] = true
	}
	for _, f := range found {
		key := s.Key(f)
		if have[key] {
			continue
		}
		have[key] = true
		last, err := store.First(store.FindRange[store.Matter](tx, "key", key, "", "", true))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		known = append(known, last)
	}
	return known, nil
}

// everywhere steps the matters of the whole Département.
func (m *matters) everywhere(ctx context.Context, zones map[policy.Zone]bool) error {
	now := m.core.now().In(m.core.zone)
	step := func(tx store.Tx) ([]attend.Item, error) {
		var found []attend.Found
		for _, z := range []policy.Zone{policy.ZoneA, policy.ZoneB, policy.ZoneC} {
			if !zones[z] {
				continue
			}
			row, err := store.Get[store.CalendarRow](tx, string(z))
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			found = append(found, attend.Holidays(string(z), row.Row.Until, now)...)
		}
		if m.console != nil {
			from, to, missing := m.console()
			found = append(found, attend.ConsoleCertificate(from, to, missing, now)...)
		}
		known, err := openAt(tx, "")
		if err == nil {
			known, err = withLast(tx, attend.Subject{}, known, found)
		}
		return attend.Step(attend.Subject{}, known, found, attend.Waits{}, false, now), err
	}
	n := 0
	err := m.core.st.View(ctx, func(tx store.Tx) error {
		changed, err := step(tx)
		n = len(changed)
		return err
	})
	if err != nil || n == 0 {
		return err
	}
	return m.core.st.Decide(ctx, func(tx store.Tx) error {
		changed, err := step(tx)
		if err != nil {
			return err
		}
		return keepMatters(tx, changed)
	})
}

// facts gathers what is known of a terminal.
func (m *matters) facts(tx store.Tx, it store.Item[store.Terminal]) (attend.Facts, error) {
	live, _ := m.live(it.ID)
	f := attend.Facts{Now: m.core.now(), Started: m.started, Zone: m.core.zone, Row: it.Row, Online: live.Online, Status: live.Status, Phase: live.Since,
		LastSeen: it.Row.LastSeen, CertEnds: live.CertEnds}
	if live.LastSeen.After(f.LastSeen) {
		f.LastSeen = live.LastSeen
	}
	var err error
	if f.Policy, err = compliance.Effective(tx, it); err != nil {
		return f, err
	}
	site, err := store.Get[store.Site](tx, it.Site)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return f, err
	}
	if site.Row.Timezone != "" {
		if f.Zone, err = time.LoadLocation(site.Row.Timezone); err != nil {
			return f, err
		}
	}
	back, err := compliance.Reverted(tx, it)
	if err != nil {
		return f, err
	}
	if back != nil {
		f.Reverted = back.At
	}
	if f.Devices, err = devicesOf(tx, it.ID, live); err != nil {
		return f, err
	}
	if err := m.printerOf(tx, it.ID, live, &f); err != nil {
		return f, err
	}
	return f, nil
}

// doubt is how many of a terminal's print jobs wait for a decision.
type doubt struct {
	jobs   int
	oldest time.Time
}

func doubtful(tx store.Tx, now time.Time) (map[string]doubt, error) {
	all := map[string]doubt{}
	for j, err := range store.Find[store.PrintJob](tx, "open", "yes") {
		if err != nil {
			return nil, err
		}
		if !ledger.Doubtful(j.Row, now) {
			continue
		}
		d := all[j.Row.Terminal]
		if d.jobs++; d.oldest.IsZero() || j.Row.At.Before(d.oldest) {
			d.oldest = j.Row.At
		}
		all[j.Row.Terminal] = d
	}
	return all, nil
}

// devicesOf are a terminal's devices: as it says while it is there, with since when
// from the rows. One that is being opened is as it was before.
func devicesOf(tx store.Tx, terminal string, live fleet.LiveState) ([]attend.Device, error) {
	var all []attend.Device
	rows := map[string]store.DeviceRow{}
	for d, err := range store.Find[store.DeviceRow](tx, "terminal", terminal) {
		if err != nil {
			return nil, err
		}
		rows[d.Row.Name] = d.Row
	}
	if live.Online && live.Status.Phase != "" {
		for _, d := range live.Status.Devices {
			row, known := rows[d.Name]
			if d.Health == "opening" && known {
				d.Health = row.Health
			}
			x := attend.Device{Name: d.Name, Health: d.Health}
			if row.Health == d.Health {
				x.Since = row.Since
			}
			all = append(all, x)
		}
		return all, nil
	}
	for _, r := range rows {
		all = append(all, attend.Device{Name: r.Name, Health: r.Health, Since: r.Since})
	}
	return all, nil
}

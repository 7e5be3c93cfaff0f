package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

func (a *API) fleet(ctx context.Context, _ *nothing) (*out[Fleet], error) {
	var f Fleet
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		f, err = a.fleetOf(tx, person(ctx))
		return err
	})
	if err != nil {
		return nil, a.fail(opFleet, err)
	}
	return answer(f), nil
}

// fleetOf reads each table once: some hundreds of rows for a Département.
func (a *API) fleetOf(tx store.Tx, p accounts.Person) (Fleet, error) {
	f := Fleet{Sites: []SiteView{}}
	at := map[string]int{} // site id → place in f.Sites
	for it, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return f, err
		}
		if !p.Sees(it.ID) || !it.Row.Closed.IsZero() {
			continue
		}
		at[it.ID] = len(f.Sites)
		v := SiteView{ID: it.ID, Name: it.Row.Name, Kind: it.Row.Type, Commune: it.Row.Commune,
			Territoire: it.Row.Territoire, Phone: it.Row.Phone, Spaces: []SpaceView{}}
		if p.Holds(it.ID, a.table[opSites].Roles...) {
			v.Head = it.Row.Head
		}
		f.Sites = append(f.Sites, v)
	}
	terminals := map[string][]TerminalBrief{}
	for it, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return f, err
		}
		if _, ok := at[it.Site]; !ok || p.Role == accounts.Head || p.Role == accounts.Observer { // who sees hours, or figures, and nothing else
			continue
		}
		b := a.briefFor(p, tx, it)
		if p.Role == accounts.Building && b.Help == nil {
			continue
		}
		terminals[it.Row.Space] = append(terminals[it.Row.Space], b)
	}
	for it, err := range store.List[store.Space](tx, "", "", false) {
		if err != nil {
			return f, err
		}
		i, ok := at[it.Site]
		if !ok || !it.Row.Closed.IsZero() {
			continue
		}
		v := SpaceView{ID: it.ID, Name: it.Row.Name, Terminals: list(terminals[it.ID])}
		slices.SortFunc(v.Terminals, func(x, y TerminalBrief) int { return strings.Compare(x.Name, y.Name) })
		if v.Open, v.Until, err = a.opening(tx, it.Site, it.ID); err != nil {
			return f, err
		}
		f.Sites[i].Spaces = append(f.Sites[i].Spaces, v)
	}
	slices.SortFunc(f.Sites, func(x, y SiteView) int { return strings.Compare(x.Name, y.Name) })
	return f, nil
}

// opening tells whether a space is open by its hours, and until when that holds.
func (a *API) opening(tx store.Tx, site, space string) (open bool, until *time.Time, err error) {
	p, err := Effective(tx, site, space, "")
	if err != nil {
		return false, nil, err
	}
	s, err := store.Get[store.Site](tx, site)
	if err != nil {
		return false, nil, err
	}
	zone, err := zoneOf(s.Row)
	if err != nil {
		return false, nil, err
	}
	o := p.Hours.At(a.Now(), zone)
	return o.Open, timed(o.Until), nil
}

// briefFor is what a person may see of a terminal: building staff see who calls for
// help there, and nothing else.
func (a *API) briefFor(p accounts.Person, tx store.Tx, it store.Item[store.Terminal]) TerminalBrief {
	if p.Role != accounts.Building {
		return a.brief(tx, it)
	}
	live, _ := a.Live.Live(it.ID)
	return TerminalBrief{ID: it.ID, Name: it.Row.Name, Site: it.Site, Space: it.Row.Space, State: InUse, Online: live.Online,
		Missing: []string{}, Devices: []wire.Device{}, Help: a.helpOf(tx, it.ID, live)}
}

// brief is a terminal's rows and what the fleet knows of it now. Devices come
// from the live status, and from the rows when it is away.
func (a *API) brief(tx store.Tx, it store.Item[store.Terminal]) TerminalBrief {
	live, _ := a.Live.Live(it.ID)
	t := it.Row
	b := TerminalBrief{ID: it.ID, Name: t.Name, Site: it.Site, Space: t.Space, Level: string(t.Level), Missing: list(t.Missing),
		Online: live.Online, Devices: []wire.Device{}, Sim: t.Sim, LastSeen: timed(t.LastSeen)}
	if live.LastSeen.After(t.LastSeen) {
		b.LastSeen = timed(live.LastSeen)
	}
	st := live.Status
	if st.Level != "" { // measured since this controller started, also by a terminal that is away now
		b.Level, b.Missing = string(st.Level), list(st.Missing)
	}
	if b.Level == "" || t.State == store.StateWaiting {
		b.Level, b.Missing = "", []string{} // nothing is measured yet: nothing is known to be missing
	}
	if live.Online && len(st.Devices) > 0 {
		b.Devices = st.Devices
	} else {
		for d, err := range store.Find[store.DeviceRow](tx, "terminal", it.ID) {
			if err != nil {
				a.Log.Error("cannot read a device", "terminal", it.ID, "error", err)
				break
			}
			b.Devices = append(b.Devices, wire.Device{Name: d.Row.Name, Device: d.Row.Device, Health: d.Row.Health, Error: d.Row.Error})
		}
	}
	b.Printer, b.Waiting = a.printerOf(tx, it.ID, live), waiting(live)
	b.Matters, b.Help = a.untaken(tx, it.ID), a.helpOf(tx, it.ID, live)
	b.State, b.Reason = StateOf(t, live, a.Now())
	b.Power = power(t, live)
	switch b.State {
	case Waiting, Quarantined:
		b.Since = timed(t.Since)
	case Offline:
		b.Since = b.LastSeen
	case Asleep:
		b.Since = timed(t.Asleep)
	default:
		b.Since = timed(live.Since)
	}
	if b.State == InUse {
		b.Session, b.LeftSeconds = st.Session, st.Left
	}
	return b
}

// StateOf tells what staff see. What the controller decided goes before what
// the terminal says, and what it said last means nothing once it is away.
func StateOf(t store.Terminal, live LiveState, now time.Time) (State, string) {
	switch t.State {
	case store.StateWaiting:
		return Waiting, ""
	case store.StateQuarantined:
		return Quarantined, string(t.Reason)
	case store.StateRevoked:
		return Out, "revoked"
	}
	if !live.Online {
		if report.Sleeps(t.Wakes, now) {
			return Asleep, ""
		}
		return Offline, ""
	}
	reason := live.Status.Reason
	switch live.Status.Phase {
	case "welcome", "thanks":
		return Free, ""
	case "charter", "opening", "active", "warning", "ending", "wiping":
		return InUse, ""
	case "closed":
		return Closed, reason
	case "quarantined", "challenge":
		return Quarantined, reason
	case "", "starting":
		return Closed, "starting"
	}
	if reason == "" {
		reason = live.Status.Phase // updating, maintenance, broken, and phases of newer terminals
	}
	return Out, reason
}

// timed leaves out a time that is not known.
func timed(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

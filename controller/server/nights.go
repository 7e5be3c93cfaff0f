package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"borne/controller/audit"
	"borne/controller/compliance"
	"borne/controller/fleet"
	"borne/controller/report"
	"borne/controller/store"
)

// nightsEvery is how often terminals that should sleep, or be back, are looked at.
const nightsEvery = time.Minute

// nights looks for terminals that should sleep and are awake, or did not wake.
func (s *Server) nights(ctx context.Context) {
	t := time.NewTicker(nightsEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := s.lookAtNights(ctx, s.terminals.Fleet.Live); err != nil && ctx.Err() == nil {
			s.log.Error("cannot look at how terminals sleep", "error", err)
		}
	}
}

// lookAtNights keeps what is wrong in the terminals' rows, and records it once
// when it begins.
func (s *Server) lookAtNights(ctx context.Context, live func(terminal string) (fleet.LiveState, bool)) error {
	var changed []string
	err := s.st.View(ctx, func(tx store.Tx) error {
		changed = changed[:0]
		for it, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			code, _, err := s.night(tx, it, live)
			if err != nil {
				s.log.Error("cannot tell how a terminal sleeps", "terminal", it.ID, "error", err)
				continue // the others are not to suffer from its rules
			}
			if code != it.Row.Power {
				changed = append(changed, it.ID)
			}
		}
		return nil
	})
	for _, id := range changed {
		err = errors.Join(err, s.st.Decide(ctx, func(tx store.Tx) error {
			it, err := store.Get[store.Terminal](tx, id)
			if err != nil {
				return err
			}
			code, since, err := s.night(tx, it, live)
			if err != nil || code == it.Row.Power {
				return err
			}
			if it.Row.Power, it.Row.PowerSince = code, since; code == "" {
				it.Row.PowerSince = time.Time{}
			}
			if err := store.Put(tx, it); err != nil || code == "" {
				return err
			}
			action := "terminal.awake"
			if code == report.PowerUnwoken {
				action = "terminal.unwoken"
			}
			return audit.Append(tx, audit.Entry{At: s.now(), Actor: audit.Controller, Action: action, Site: it.Site, Scope: it.ID, Target: it.ID,
				Detail: since.In(s.zone).Format("2006-01-02 15:04")})
		}))
		s.terminals.Changed(id)
	}
	return err
}

// night tells what is wrong with how a terminal sleeps.
func (s *Server) night(tx store.Tx, it store.Item[store.Terminal], lives func(string) (fleet.LiveState, bool)) (code string, since time.Time, err error) {
	t := it.Row
	if t.State == store.StateWaiting || t.State == store.StateRevoked {
		return "", time.Time{}, nil
	}
	live, _ := lives(it.ID)
	if t.Power == "" && t.Wakes.IsZero() && live.Lit.IsZero() {
		return "", time.Time{}, nil // dark, or away for reasons of its own: most of them, at night
	}
	p, err := compliance.Effective(tx, it)
	if err != nil {
		return "", time.Time{}, err
	}
	changed, err := rulesChanged(tx, it)
	if err != nil {
		return "", time.Time{}, err
	}
	zone := s.zone
	if site, err := store.Get[store.Site](tx, it.Site); err != nil {
		return "", time.Time{}, err
	} else if site.Row.Timezone != "" {
		if zone, err = time.LoadLocation(site.Row.Timezone); err != nil {
			return "", time.Time{}, err
		}
	}
	now := s.now()
	n := report.Night{Now: now, Online: live.Online, Power: live.Status.Power, Lit: live.Lit, Busy: live.Status.Session != "" || busy(live.Status.Phase), Wakes: t.Wakes,
		Opening: p.Hours.At(now, zone), Changed: changed, Plan: p.Energy, Was: t.Power, WasSince: t.PowerSince}
	code, since = n.Trouble()
	return code, since, nil
}

// rulesChanged is when the newest of a terminal's layers of rules changed.
func rulesChanged(tx store.Tx, it store.Item[store.Terminal]) (last time.Time, err error) {
	for _, id := range []string{store.PolicyGlobal, it.Site, it.Row.Space, it.ID} {
		row, err := store.Get[store.PolicyRow](tx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return last, err
		}
		if row.Row.Changed.After(last) {
			last = row.Row.Changed
		}
	}
	return last, nil
}

// busy tells whether a terminal in a phase (session.Phase's names) works at
// something, and may be lit for it.
func busy(phase string) bool {
	return slices.Contains([]string{"charter", "opening", "active", "warning", "ending", "wiping", "challenge", "updating", "maintenance", "", "starting"}, phase)
}

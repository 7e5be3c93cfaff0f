package api

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

func (w *world) days(rows ...store.EnergyDay) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		for _, d := range rows {
			d.Site = d.Terminal[:1]
			m := store.Meta{ID: store.RollupID(d.Day, d.Terminal), Site: d.Site, Scope: d.Terminal}
			if err := put(tx, m, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestEnergyReport(t *testing.T) {
	w := start(t)
	obs := w.as(accounts.DPO, "a")
	v := decode[EnergyReport](t, w.do(obs, "GET", "/api/sites/a/energy", nil), 200)
	if v.Total.Basis != "none" || v.From != "2026-03-01" || v.To != "2026-03-02" || len(v.Terminals) != 0 || v.Told != 0 || v.Price != 0.194 {
		t.Errorf("nothing told yet: %+v", v)
	}
	w.decide(func(tx store.Tx) error {
		if err := put(tx, store.Meta{ID: "a-2", Site: "a", Scope: "a-hall"}, store.Terminal{Space: "a-hall", Name: "Poste 2", State: store.StateActive, Machine: "Raspberry Pi 5 Model B"}); err != nil {
			return err
		}
		return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error { it.Row.Machine = "Raspberry Pi 4 Model B"; return nil })
	})
	w.days(
		store.EnergyDay{Day: "2026-02-28", Terminal: "a-1", Lit: 3600},
		store.EnergyDay{Day: "2026-03-01", Terminal: "a-1", Lit: 36000, Halted: 50400},
		store.EnergyDay{Day: "2026-03-02", Terminal: "a-1", Lit: 3600, Off: 7200, Odd: 1},
		store.EnergyDay{Day: "2026-03-01", Terminal: "a-2", Lit: 36000, Low: 50400, Metered: 86400, Wh: 300},
		store.EnergyDay{Day: "2026-03-01", Terminal: "b-1", Lit: 86400},
	)
	v = decode[EnergyReport](t, w.do(obs, "GET", "/api/sites/a/energy", nil), 200)
	if len(v.Terminals) != 2 || v.Told != 2 || v.Measured != 1 || v.Total.Basis != "mixed" || v.Total.Days != 3 || v.Total.MeasuredDays != 1 || v.Total.Odd != 1 || v.Total.OffSeconds != 7200 {
		t.Fatalf("%+v", v)
	}
	one, two := v.Terminals[0], v.Terminals[1]
	used := (11*23.1 + 14*0.62) / 1000
	if one.Name != "Poste 1" || one.SpaceName != "Hall" || one.Model != "pi4" || one.Sum.Basis != "estimated" || math.Abs(one.Sum.UsedKwh-used) > 1e-9 || math.Abs(one.Sum.AlwaysKwh-25*23.1/1000) > 1e-9 {
		t.Errorf("estimated: %+v, want %g kWh", one, used)
	}
	if two.Model != "pi5" || two.Sum.Basis != "measured" || two.Sum.UsedKwh != 0.3 || math.Abs(two.Sum.SavedKwh-(24*23.3/1000-0.3)) > 1e-9 || math.Abs(two.Sum.SavedEuros-two.Sum.SavedKwh*0.194) > 1e-9 {
		t.Errorf("measured: %+v", two)
	}
	if math.Abs(v.Total.UsedKwh-one.Sum.UsedKwh-two.Sum.UsedKwh) > 1e-9 {
		t.Errorf("the total is %+v", v.Total)
	}
	if v = decode[EnergyReport](t, w.do(obs, "GET", "/api/sites/a/energy?from=2026-02-28&to=2026-02-28", nil), 200); v.Total.LitSeconds != 3600 || v.Told != 1 {
		t.Errorf("one day: %+v", v)
	}
	for _, q := range []string{"from=hier", "to=2026-02-30", "from=2026-03-02&to=2026-03-01", "from=2020-01-01&to=2026-01-01", "from=" + strings.Repeat("2", 11)} {
		if a := w.do(obs, "GET", "/api/sites/a/energy?"+q, nil); a.StatusCode != 422 {
			t.Errorf("%s: %s", q, a.Status)
		}
	}
}

func TestEnergyFigures(t *testing.T) {
	w := start(t)
	adm := w.as(accounts.Administrator)
	a := w.do(w.as(accounts.DPO, "a"), "GET", "/api/energy/figures", nil)
	v := decode[EnergyFiguresView](t, a, 200)
	if !v.Default || v.Rev != 0 || !strings.HasPrefix(a.Header.Get("ETag"), `"0.`) || len(v.Models) != len(report.DefaultFigures().Models) || v.Models[0].Source == "" {
		t.Fatalf("%+v", v)
	}
	v.Price, v.Models[1].Halted = 0.21, 0.01
	next := EnergyFiguresRequest{Price: v.Price, Models: v.Models}
	if a := w.do(adm, "PUT", "/api/energy/figures", next); a.StatusCode != 428 {
		t.Errorf("without a revision: %s", a.Status)
	}
	got := decode[EnergyFiguresView](t, w.do(adm, "PUT", "/api/energy/figures", next, "If-Match", `"0"`), 200)
	if got.Default || got.Price != 0.21 || got.Models[1].Halted != 0.01 || got.By != "Ada administrator" || got.Changed == nil {
		t.Errorf("%+v", got)
	}
	if a := w.do(adm, "PUT", "/api/energy/figures", next, "If-Match", `"0"`); a.StatusCode != 412 || !strings.Contains(string(a.body), "chiffres") {
		t.Errorf("a second time from the first revision: %s %s", a.Status, a.body)
	}
	bad := EnergyFiguresRequest{Price: -1, Models: append([]store.EnergyModel(nil), v.Models...)}
	bad.Models[0].Board = 5000
	if a := w.do(adm, "PUT", "/api/energy/figures", bad, "If-Match", fmt.Sprintf(`"%d"`, got.Rev)); a.StatusCode != 422 || !strings.Contains(string(a.body), "body.models[0].board") || !strings.Contains(string(a.body), "body.price") {
		t.Errorf("bad figures: %s %s", a.Status, a.body)
	}
	log := decode[AuditPage](t, w.do(adm, "GET", "/api/audit?limit=1", nil), 200)
	if e := log.Entries[0]; e.Action != "energy.figures" || e.Detail != "price 0.194 → 0.21, pi5" || e.Actor != "Ada administrator" {
		t.Errorf("the audit says %+v", e)
	}
	// Reports are made with them, also of days before.
	w.days(store.EnergyDay{Day: "2026-03-01", Terminal: "a-1", Lit: 3600})
	if r := decode[EnergyReport](t, w.do(adm, "GET", "/api/sites/a/energy", nil), 200); r.Price != 0.21 {
		t.Errorf("the report counts %g € a kWh", r.Price)
	}
}

// TestSleepIsShown: a terminal that is off by plan is asleep until its clock wakes
// it, and offline once it is late; what is wrong is told while it can be.
func TestSleepIsShown(t *testing.T) {
	w := start(t)
	cor := w.as(accounts.Correspondant, "a")
	show := func(row func(*store.Terminal), live LiveState) TerminalBrief {
		t.Helper()
		w.decide(func(tx store.Tx) error {
			return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error {
				it.Row.Wakes, it.Row.Asleep, it.Row.Power, it.Row.PowerSince = time.Time{}, time.Time{}, "", time.Time{}
				if row != nil {
					row(&it.Row)
				}
				return nil
			})
		})
		w.live.set("a-1", live)
		return decode[Fleet](t, w.do(cor, "GET", "/api/fleet", nil), 200).Sites[0].Spaces[0].Terminals[0]
	}
	asleep := func(wakes time.Time) func(*store.Terminal) {
		return func(r *store.Terminal) { r.Asleep, r.Wakes = t0.Add(-13*time.Hour), wakes }
	}
	if b := show(nil, LiveState{}); b.State != Offline || b.Power != nil {
		t.Errorf("away: %+v", b)
	}
	if b := show(asleep(t0.Add(time.Hour)), LiveState{LastSeen: t0.Add(-13 * time.Hour)}); b.State != Asleep || b.Power == nil || !b.Power.Wakes.Equal(t0.Add(time.Hour)) || !b.Since.Equal(t0.Add(-13*time.Hour)) || b.Power.Trouble != "" {
		t.Errorf("asleep: %+v", b)
	}
	late := func(r *store.Terminal) {
		asleep(t0.Add(-11 * time.Minute))(r)
		r.Power, r.PowerSince = report.PowerUnwoken, t0.Add(-11*time.Minute)
	}
	if b := show(late, LiveState{}); b.State != Offline || b.Power == nil || b.Power.Trouble != report.PowerUnwoken || !b.Power.Since.Equal(t0.Add(-11*time.Minute)) {
		t.Errorf("late: %+v", b)
	}
	if b := show(late, LiveState{Online: true, Status: wire.Status{Phase: "welcome", Power: &wire.PowerState{Power: wire.PowerLit}}}); b.State != Free || b.Power.Trouble != "" || b.Power.State != "lit" || b.Power.Wakes != nil {
		t.Errorf("back: %+v", b)
	}
	awake := func(r *store.Terminal) { r.Power, r.PowerSince = report.PowerAwake, t0.Add(-time.Hour) }
	on := LiveState{Online: true, Status: wire.Status{Phase: "closed", Power: &wire.PowerState{Power: wire.PowerDim, Held: t0.Add(time.Hour), Alarm: "no clock"}}}
	if b := show(awake, on); b.State != Closed || b.Power.Trouble != report.PowerAwake || !b.Power.Held.Equal(t0.Add(time.Hour)) || b.Power.Alarm != "no clock" {
		t.Errorf("awake: %+v, %+v", b, b.Power)
	}
	d := decode[TerminalDetail](t, w.do(cor, "GET", "/api/terminals/a-1", nil), 200)
	if len(d.Alerts) == 0 || d.Alerts[0].Code != report.PowerAwake || !d.Alerts[0].At.Equal(t0.Add(-time.Hour)) {
		t.Errorf("its page tells %+v", d.Alerts)
	}
}

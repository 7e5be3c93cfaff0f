package api

import (
	"context"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/store"
)

func TestMatters(t *testing.T) {
	w := start(t)
	n := 41
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		for _, err := range []error{
			put(tx, store.Meta{ID: "m-all"}, store.Matter{Key: "all/calendar-ending/A", Code: "calendar-ending", About: "A", Level: "notice", Count: n, Counted: true, Since: t0}),
			put(tx, store.Meta{ID: "m-a2", Site: "a", Scope: "a-1"}, store.Matter{Key: store.MatterSubject("a-1") + "/quarantined/", Code: "quarantined", Why: "staff", Terminal: "a-1", Space: "a-hall", Level: "urgent", Since: t0}),
			put(tx, store.Meta{ID: "m-over", Site: "a", Scope: "a-1"}, store.Matter{Key: "over", Code: "offline", Terminal: "a-1", Level: "soon", Since: t0, Ended: t0}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := func(v MattersView) string {
		var all []string
		for _, m := range v.Matters {
			all = append(all, m.ID)
		}
		return strings.Join(all, " ")
	}
	reception, all := w.as(accounts.Reception, "a"), w.as(accounts.Administrator)
	mine := decode[MattersView](t, w.do(reception, "GET", "/api/matters", nil), 200)
	if ids(mine) != "m-a2 m-a" || mine.Matters[0].SiteName != "Collège a" || mine.Matters[0].SpaceName != "Hall" || mine.Matters[0].Name != "Poste 1" || mine.Matters[0].Why != "staff" || mine.Matters[0].Count != nil {
		t.Errorf("%+v", mine)
	}
	if v := decode[MattersView](t, w.do(all, "GET", "/api/matters", nil), 200); ids(v) != "m-a2 m-a m-b m-all" || *v.Matters[3].Count != n {
		t.Errorf("%+v", v)
	}
	f := decode[Fleet](t, w.do(reception, "GET", "/api/fleet", nil), 200)
	if got := f.Sites[0].Spaces[0].Terminals[0].Matters; got != 2 {
		t.Errorf("%d matters wait at the terminal", got)
	}

	m := decode[MatterView](t, w.do(reception, "PUT", "/api/matters/m-a2/taken", TakeRequest{Taken: true, Note: " j’y vais "}), 200)
	if m.Taken == nil || !m.Taken.Mine || m.Taken.Note != "j’y vais" || m.Taken.By != "Ada reception" {
		t.Errorf("%+v", m.Taken)
	}
	if f := decode[Fleet](t, w.do(reception, "GET", "/api/fleet", nil), 200); f.Sites[0].Spaces[0].Terminals[0].Matters != 1 {
		t.Error("whoever took it on is told of it again")
	}
	v := decode[MattersView](t, w.do(all, "GET", "/api/matters", nil), 200)
	if ids(v) != "m-a m-b m-all m-a2" || v.Matters[3].Taken.Mine {
		t.Errorf("%+v", v)
	}
	for _, c := range []struct {
		cookie, id string
		taken      bool
		status     int
	}{
		{all, "m-a2", true, 409},   // somebody has
		{all, "m-over", true, 409}, // it is over
		{all, "m-none", true, 404},
		{reception, "m-b", true, 403},
		{reception, "m-all", true, 403}, // not theirs alone
		{w.as(accounts.DPO), "m-a", true, 403},
		{all, "m-all", true, 200},
		{all, "m-a2", false, 200}, // a colleague is ill
	} {
		if a := w.do(c.cookie, "PUT", "/api/matters/"+c.id+"/taken", TakeRequest{Taken: c.taken}); a.StatusCode != c.status {
			t.Errorf("%s taken %v: %d, want %d: %s", c.id, c.taken, a.StatusCode, c.status, a.body)
		}
	}
	if a := w.do(all, "PUT", "/api/matters/m-a/taken", `{"taken":true,"by":"x"}`); a.StatusCode != 422 {
		t.Errorf("who took it on can be said by whoever asks: %s", a.Status)
	}
	p := decode[AuditPage](t, w.do(all, "GET", "/api/audit", nil), 200)
	var deeds []string
	for _, e := range p.Entries {
		if strings.HasPrefix(e.Action, "matter.") {
			deeds = append(deeds, e.Action+" "+e.Target+" "+e.Detail+" "+e.Site)
		}
	}
	if got := strings.Join(deeds, "; "); got != "matter.left m-a2 quarantined a; matter.taken m-all calendar-ending ; matter.taken m-a2 quarantined: j’y vais a" {
		t.Errorf("the audit says %s", got)
	}
}

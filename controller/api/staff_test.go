package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/ldap"
	"borne/controller/store"
	"borne/controller/wire"
)

// named is a directory that names some; none at all while it is away.
type named map[string]bool

func (n named) Staff(_ context.Context, logins []string) (map[string]bool, error) {
	if n == nil {
		return nil, fmt.Errorf("cannot reach the directory: %w", ldap.ErrUnavailable)
	}
	found := map[string]bool{}
	for _, l := range logins {
		found[l] = n[l]
	}
	return found, nil
}

func TestABadgeOfStaff(t *testing.T) {
	w := start(t)
	w.badged()
	cor, adm := w.as(accounts.Correspondant, "a"), w.as(accounts.Administrator)
	request := WindowRequest{Action: "enrol", Kind: "staff", Login: "bruno"}
	if a := w.do(cor, "POST", "/api/terminals/a-1/badges", request); a.StatusCode != 409 || !strings.Contains(string(a.body), "Aucun annuaire") {
		t.Errorf("without a directory: %s %s", a.Status, a.body)
	}
	w.api.Staff = named{"bruno": true}
	for i, c := range []struct {
		cookie string
		body   any
		status int
		says   string
	}{
		{w.as(accounts.Reception, "a"), request, 403, ""},
		{w.as(accounts.DPO, "a"), request, 403, ""},
		{w.as(accounts.Correspondant, "b"), request, 403, ""},
		{cor, WindowRequest{Action: "enrol", Kind: "staff", Login: "claire"}, 422, "ne connaît pas d’agent"},
		{cor, WindowRequest{Action: "enrol", Kind: "staff"}, 422, "body.login"},
		{cor, WindowRequest{Action: "enrol", Kind: "staff", Login: "*"}, 422, "body.login"},
		{cor, WindowRequest{Action: "enrol", Kind: "staff", Login: "bruno", Group: "Famille"}, 422, "body.kind"},
		{cor, WindowRequest{Action: "enrol", Kind: "permanent", Here: true, Login: "bruno"}, 422, "body.login"},
		{cor, WindowRequest{Action: "find", Login: "bruno"}, 422, "body.action"},
	} {
		if a := w.do(c.cookie, "POST", "/api/terminals/a-1/badges", c.body); a.StatusCode != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
	}
	w.api.Staff = named(nil)
	if a := w.do(cor, "POST", "/api/terminals/a-1/badges", request); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(a.body), "ne répond pas") {
		t.Errorf("the directory is away: %s %s", a.Status, a.body)
	}
	w.api.Staff = named{"bruno": true}
	win := decode[WindowView](t, w.do(cor, "POST", "/api/terminals/a-1/badges", request), 202)
	w.decide(func(tx store.Tx) error {
		a, err := w.dir.Ask(tx, "a-1", wire.BadgeAsk{ID: "q", Window: win.ID, Holder: h1Of("s")})
		if !a.Allowed {
			t.Errorf("the badge came: %+v", a)
		}
		return err
	})
	if v := decode[WindowView](t, w.do(cor, "GET", "/api/terminals/a-1/badges/"+win.ID, nil), 200); !v.Done || v.Reason != "" || v.Number != "" {
		t.Errorf("enrolled: %+v", v)
	}
	desk := func(cookie string) (logins string) {
		v := decode[BadgeDesk](t, w.do(cookie, "GET", "/api/badge-desk", nil), 200)
		for _, s := range v.Staff {
			if logins += s.Login; !s.Valid {
				logins += "!"
			}
		}
		if !v.Followed {
			t.Error("the desk does not know of the directory")
		}
		return logins
	}
	if got := desk(cor) + " " + desk(adm) + " " + desk(w.as(accounts.Correspondant, "b")) + desk(w.as(accounts.Reception, "a")) + desk(w.as(accounts.DPO)); got != "annabruno annabruno " {
		t.Errorf("badges of staff: %q", got)
	}
	w.later(25 * time.Hour)
	cor = w.as(accounts.Correspondant, "a")
	if got := desk(cor); got != "anna!bruno!" {
		t.Errorf("nobody named them for a day: %q", got)
	}
	w.badged()
	for path, want := range map[string]int{"/api/sites/a/staff-badges/none": 404, "/api/sites/b/staff-badges/staff-a": 403, "/api/sites/a/staff-badges/staff-a": 204} {
		if a := w.do(cor, "DELETE", path, nil); a.StatusCode != want {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
	if a := w.do(w.as(accounts.Administrator), "DELETE", "/api/sites/b/staff-badges/staff-a", nil); a.StatusCode != 404 {
		t.Errorf("by another site's address: %s", a.Status)
	}
	if got := desk(cor); got != "bruno!" {
		t.Errorf("anna's was taken away: %q", got)
	}
	w.api.Staff = broken{}
	if a := w.do(cor, "POST", "/api/terminals/a-1/badges", request); a.StatusCode != 500 || strings.Contains(string(a.body), "secret") {
		t.Errorf("a fault: %s %s", a.Status, a.body)
	}
}

type broken struct{}

func (broken) Staff(context.Context, []string) (map[string]bool, error) {
	return nil, errors.New("a secret of the machine")
}

package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"borne/controller/audit"
	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

type enrolIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body EnrolRequest
}

// maxCodes bounds the codes of one site that wait to be used.
const maxCodes = 40

func (a *API) enrol(ctx context.Context, in *enrolIn) (*out[EnrolCode], error) {
	var c EnrolCode
	err := a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		c, err = MakeCode(tx, in.ID, in.Body, person(ctx).ID, a.Now())
		return err
	})
	if err != nil {
		return nil, a.fail(opEnrol, err)
	}
	return answer(c), nil
}

// MakeCode makes a one-time installation code for a terminal of the site, and
// records who asked for it.
func MakeCode(tx store.Tx, site string, r EnrolRequest, by string, now time.Time) (EnrolCode, error) {
	now = now.UTC()
	code := wire.NewCode()
	secret, err := wire.ParseCode(code)
	if err != nil {
		return EnrolCode{}, err
	}
	row := store.EnrolCode{Secret: secret, Space: r.Space, Name: strings.TrimSpace(r.Name), Replaces: r.Replace,
		By: by, Created: now, Expires: now.Add(store.CodeMinutes * time.Minute)}
	if s, err := store.Get[store.Site](tx, site); err != nil {
		return EnrolCode{}, err
	} else if !s.Row.Closed.IsZero() {
		return EnrolCode{}, errClosed()
	}
	if err := checkCode(tx, site, &row); err != nil {
		return EnrolCode{}, err
	}
	open := 0
	for it, err := range store.List[store.EnrolCode](tx, "", "", false) {
		if err != nil {
			return EnrolCode{}, err
		}
		if it.Site == site && it.Row.Used.IsZero() && now.Before(it.Row.Expires) {
			open++
		}
	}
	if open >= maxCodes {
		return EnrolCode{}, newProblem(http.StatusTooManyRequests, "Trop de codes d’installation attendent déjà. Utilisez-les, ou attendez 15 minutes.")
	}
	m := store.Meta{ID: wire.CodeID(secret), Site: site, Scope: row.Space}
	if err := store.Put(tx, store.Item[store.EnrolCode]{Meta: m, Row: row}); err != nil {
		return EnrolCode{}, err
	}
	err = audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "enrol.code", Site: site, Scope: row.Space, Target: row.Replaces, Detail: row.Name})
	return EnrolCode{ID: m.ID, Code: code, Terminal: row.Replaces, Expires: row.Expires}, err
}

// checkCode refuses a code that no terminal could be installed with.
func checkCode(tx store.Tx, site string, row *store.EnrolCode) error {
	if row.Replaces != "" {
		t, err := store.Get[store.Terminal](tx, row.Replaces)
		if err != nil || t.Site != site {
			return newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"body.replace", "ce poste n’existe pas dans ce lieu"})
		}
		if s, err := store.Get[store.Space](tx, t.Row.Space); err != nil {
			return err
		} else if !s.Row.Closed.IsZero() {
			return newProblem(http.StatusConflict, "L’espace de ce poste est fermé. Rouvrez-le d’abord.")
		}
		// Name and place go with the terminal: they are not chosen anew.
		row.Space, row.Name = t.Row.Space, t.Row.Name
		return nil
	}
	s, err := store.Get[store.Space](tx, row.Space)
	if err != nil || s.Site != site || !s.Row.Closed.IsZero() {
		return newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"body.space", "cet espace n’existe pas dans ce lieu"})
	}
	if row.Name == "" {
		return newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"body.name", "donnez un nom au poste, par exemple « Poste 1 »"})
	}
	for t, err := range store.Find[store.Terminal](tx, "space", row.Space) {
		if err != nil {
			return err
		}
		if strings.EqualFold(t.Row.Name, row.Name) && t.Row.State != store.StateRevoked {
			return newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.",
				field{"body.name", "un poste de cet espace porte déjà ce nom : choisissez-en un autre, ou « Remplacer ce poste »"})
		}
	}
	return nil
}

// Fits tells whether a request that did not come over HTTP is one that the API would
// take: the rules are those of its type.
func Fits[T any](v T) error {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot check the request: %w", err)
	}
	var typed T
	if err := strictJSON(b, &typed); err != nil {
		return fmt.Errorf("cannot use this: %w", err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("cannot check the request: %w", err)
	}
	res := &huma.ValidateResult{}
	path := huma.NewPathBuffer([]byte{}, 0)
	huma.Validate(registry, registry.Schema(typeOf[T](), false, ""), path, huma.ModeWriteToServer, doc, res)
	if len(res.Errors) > 0 {
		return fmt.Errorf("cannot use this: %w", errors.Join(res.Errors...))
	}
	return nil
}

func (a *API) report(ctx context.Context, in *byID) (*out[Report], error) {
	r := Report{Site: in.ID, Days: []ReportDay{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		site, err := store.Get[store.Site](tx, in.ID)
		if err != nil {
			return err
		}
		zone, err := zoneOf(site.Row)
		if err != nil {
			return err
		}
		days, err := report.Days(tx, in.ID, a.Now(), zone, 7)
		if err != nil {
			return err
		}
		r.Days = r.Days[:0]
		for _, d := range days {
			r.Days = append(r.Days, ReportDay{Day: d.Date, Sessions: d.Sessions, Minutes: d.Seconds / 60})
		}
		r.Today, r.Week = span(report.Sum(days[len(days)-1:])), span(report.Sum(days))
		return nil
	})
	if err != nil {
		return nil, a.fail(opReport, err)
	}
	return answer(r), nil
}

// fewest is the smallest count of refused sites that is told.
const fewest = 5

func span(f report.Figures) ReportSpan {
	s := ReportSpan{Sessions: f.Sessions, Minutes: f.Seconds / 60, Pages: f.Pages, Sheets: f.Sheets, Colour: f.Colour, Prints: f.Prints, Ends: f.Ends, Filtered: map[string]int{}}
	for category, n := range f.Filtered {
		if n >= fewest {
			s.Filtered[category] = n
		}
	}
	return s
}

func zoneOf(s store.Site) (*time.Location, error) {
	if s.Timezone == "" {
		return policy.Location(), nil
	}
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return nil, fmt.Errorf("cannot use the time zone of site %q: %w", s.Name, err)
	}
	return zone, nil
}

func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

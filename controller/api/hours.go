package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"borne/controller/compliance"
	"borne/controller/consent"
	"borne/controller/policy"
	"borne/controller/store"
)

type hoursOut struct {
	ETag string `header:"ETag"`
	Body HoursView
}

type hoursIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body HoursRequest
}

type previewIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PreviewRequest
}

func (a *API) siteHours(ctx context.Context, in *byID) (*hoursOut, error) {
	return a.readHours(ctx, opSiteHours, in.ID, "")
}

func (a *API) spaceHours(ctx context.Context, in *byID) (*hoursOut, error) {
	return a.readHours(ctx, opSpaceHours, siteOf(ctx), in.ID)
}

func (a *API) putSiteHours(ctx context.Context, in *hoursIn) (*hoursOut, error) {
	return a.writeHours(ctx, opPutSiteHours, in, in.ID, "")
}

func (a *API) putSpaceHours(ctx context.Context, in *hoursIn) (*hoursOut, error) {
	return a.writeHours(ctx, opPutSpaceHours, in, siteOf(ctx), in.ID)
}

func (a *API) previewSite(ctx context.Context, in *previewIn) (*out[Preview], error) {
	return a.preview(ctx, opPreviewSite, in.Body, in.ID, "")
}

func (a *API) previewSpace(ctx context.Context, in *previewIn) (*out[Preview], error) {
	return a.preview(ctx, opPreviewSpace, in.Body, siteOf(ctx), in.ID)
}

func (a *API) readHours(ctx context.Context, op, site, space string) (*hoursOut, error) {
	var v HoursView
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = a.hoursView(tx, site, space)
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return &hoursOut{ETag: etag(v.Rev), Body: v}, nil
}

func (a *API) hoursView(tx store.Tx, site, space string) (HoursView, error) {
	v := HoursView{Level: place{site: site, space: space}.level(), Spaces: []HoursSpace{}}
	row, err := store.Get[store.PolicyRow](tx, place{site: site, space: space}.id())
	switch {
	case err == nil:
		v.Rev, v.Own = row.Rev, section(row.Row.Doc, "hours") != nil
	case !errors.Is(err, store.ErrNotFound):
		return v, err
	}
	switch last, err := store.First(store.FindRange[store.HoursChange](tx, "layer", place{site: site, space: space}.id(), "", "", true)); {
	case err == nil:
		v.Changed, v.By = timed(last.Row.At), names{tx: tx, by: map[string]string{}}.of(last.Row.By)
	case !errors.Is(err, store.ErrNotFound):
		return v, err
	}
	p, err := Effective(tx, site, space, "")
	if err != nil {
		return v, err
	}
	v.Hours = p.Hours
	zone := policy.Location()
	now := a.Now()
	o := p.Hours.At(now, zone)
	v.Open, v.Until, v.Cause, v.Why = o.Open, timed(o.Until), string(o.Cause), o.Why
	year := now.In(zone).Year()
	v.PublicDays = append(policy.PublicDays(year), policy.PublicDays(year+1)...)
	v.Calendar.Zone = string(p.Hours.School.Zone)
	cal, err := calendarOf(tx, p.Hours.School.Zone)
	if err != nil {
		return v, err
	}
	v.Calendar.Until, v.Calendar.Age = cal.Until, timed(cal.Imported)
	v.OSM, v.Mails = p.Hours.OSM(), a.Mails
	if v.Consents, err = consents(tx, p.Hours); err != nil {
		return v, err
	}
	if space != "" {
		return v, nil
	}
	for it, err := range store.List[store.Space](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		if it.Site != site {
			continue
		}
		own := false
		if row, err := store.Get[store.PolicyRow](tx, it.ID); err == nil {
			own = section(row.Row.Doc, "hours") != nil
		} else if !errors.Is(err, store.ErrNotFound) {
			return v, err
		}
		v.Spaces = append(v.Spaces, HoursSpace{ID: it.ID, Name: it.Row.Name, Own: own})
	}
	return v, nil
}

func (a *API) writeHours(ctx context.Context, op string, in *hoursIn, site, space string) (*hoursOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	if in.Body.Inherit && space == "" {
		return nil, newProblem(http.StatusUnprocessableEntity, "Un lieu a toujours ses propres horaires ; seul un espace peut suivre ceux de son lieu.")
	}
	var own json.RawMessage
	if !in.Body.Inherit {
		if own, err = hoursDoc(&in.Body.Hours); err != nil {
			return nil, a.fail(op, err)
		}
	}
	return a.setHours(ctx, op, change{place: place{site: site, space: space}, rev: rev, note: strings.TrimSpace(in.Body.Note),
		next: func(_ store.Tx, was json.RawMessage) (map[string]json.RawMessage, error) { return withHours(was, own) }})
}

// setHours makes a change of hours, and answers with those that hold then.
func (a *API) setHours(ctx context.Context, op string, c change) (*hoursOut, error) {
	if _, err := a.changeLayer(ctx, op, c); err != nil {
		return nil, inHours(err)
	}
	return a.readHours(ctx, op, c.site, c.space)
}

// hoursDoc writes hours as a layer keeps them: school holidays come from the
// official calendar when layers are merged.
func hoursDoc(h *policy.Hours) (json.RawMessage, error) {
	h.School.Breaks = nil
	emptyNotNil(reflect.ValueOf(h).Elem())
	return json.Marshal(h)
}

// withHours puts hours into a layer's document; nil takes them out.
func withHours(doc, hours json.RawMessage) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, err
	}
	delete(all, "hours")
	if hours != nil {
		all["hours"] = hours
	}
	return all, nil
}

// inHours names a problem's fields as requests with hours have them.
func inHours(err error) error {
	var p *problem
	if errors.As(err, &p) {
		for i, f := range p.Fields {
			p.Fields[i].Location = strings.Replace(f.Location, "body.policy.hours", "body.hours", 1)
		}
	}
	return err
}

func (a *API) preview(ctx context.Context, op string, r PreviewRequest, site, space string) (*out[Preview], error) {
	var p policy.Policy
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		if p, err = Effective(tx, site, space, ""); err != nil {
			return err
		}
		cal, err := calendarOf(tx, r.Hours.School.Zone)
		r.Hours.School.Breaks = compliance.Breaks(cal)
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	emptyNotNil(reflect.ValueOf(&r.Hours).Elem())
	hours, asks := policy.Consents(p.Hours, r.Hours, a.Now().In(policy.Location()), consent.NewID)
	r.Hours = hours // as saving carries them
	v := Preview{Asks: []ConsentNeed{}, Problems: []HoursProblem{}, Changes: list(policy.Describe(p.Hours, r.Hours))}
	now, zone := a.Now(), policy.Location()
	before := p.CheckAt(now, zone)
	p.Hours = r.Hours
	for _, f := range wrong(unlessBefore(p.CheckAt(now, zone), before)) { // what saving refuses, and no more
		v.Problems = append(v.Problems, HoursProblem{strings.Replace(f.Location, "body.policy.hours", "body.hours", 1), f.Message})
	}
	for _, i := range asks {
		g := r.Hours.Agreements[i]
		v.Asks = append(v.Asks, ConsentNeed{g.From, g.To, g.Head})
	}
	v.Days = r.Hours.Days(r.From, r.Days)
	v.Warnings = list(r.Hours.Warnings(now, 366, zone))
	if o := r.Hours.At(now, zone); !o.Until.IsZero() {
		v.Next = &NextChange{Open: !o.Open, At: o.Until.UTC()}
	}
	return answer(v), nil
}

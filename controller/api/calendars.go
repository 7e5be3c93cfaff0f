package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
)

// CalendarView is the school holidays of one zone.
type CalendarView struct {
	Zone     policy.Zone    `json:"zone" enum:"A,B,C"`
	Breaks   []policy.Break `json:"breaks" doc:"In their order, by their days without class; what is long over is left out"`
	Until    string         `json:"until,omitempty" doc:"Last day that the calendar knows"`
	Left     int            `json:"left" doc:"Days from today on that it still covers; 0 when it ended or there is none"`
	Source   string         `json:"source,omitempty" enum:"file,address"`
	Format   string         `json:"format,omitempty" doc:"ICS or JSON"`
	Imported *time.Time     `json:"imported,omitempty" doc:"When it was imported, or found unchanged at its address"`
	By       string         `json:"by,omitempty" doc:"Who imported it"`
	Address  string         `json:"address,omitempty" doc:"It is read from there each week"`
	Proposed string         `json:"proposed,omitempty" doc:"Address of the official calendar of this zone"`
	Error    string         `json:"error,omitempty" doc:"Why the last import failed, in French; the calendar that was there stays in force"`
	Failed   *time.Time     `json:"failed,omitempty" doc:"When that was"`
}

// CalendarsView is the school holidays of each zone, and the public holidays.
type CalendarsView struct {
	Zones      []CalendarView     `json:"zones"`
	PublicDays []policy.PublicDay `json:"publicDays" doc:"Of this year and the next"`
}

// FetchRequest says where a calendar is.
type FetchRequest struct {
	Address string `json:"address" maxLength:"1000" doc:"Starts with https://; empty: the address that is asked each week is asked no more"`
}

type calendarIn struct {
	Zone    string `path:"zone" enum:"A,B,C"`
	Anyway  bool   `query:"anyway" doc:"Take the file as it is, even though holidays to come are missing in it"`
	RawBody []byte `contentType:"application/octet-stream" doc:"The file as it is: ICS or JSON"`
}

type fetchIn struct {
	Zone string `path:"zone" enum:"A,B,C"`
	Body FetchRequest
}

// calendarOf is what is kept for a zone; for one without a calendar it is empty.
func calendarOf(tx store.Tx, zone policy.Zone) (store.CalendarRow, error) {
	if zone == policy.NoZone {
		return store.CalendarRow{}, nil
	}
	it, err := store.Get[store.CalendarRow](tx, string(zone))
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return it.Row, err
}

func (a *API) calendars(ctx context.Context, _ *nothing) (*out[CalendarsView], error) {
	var v CalendarsView
	now := a.Now().In(policy.Location())
	err := a.Store.View(ctx, func(tx store.Tx) error {
		v.Zones = []CalendarView{}
		for _, z := range []policy.Zone{policy.ZoneA, policy.ZoneB, policy.ZoneC} {
			view, err := a.calendar(tx, z, now)
			if err != nil {
				return err
			}
			v.Zones = append(v.Zones, view)
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opCalendars, err)
	}
	v.PublicDays = append(policy.PublicDays(now.Year()), policy.PublicDays(now.Year()+1)...)
	return answer(v), nil
}

func (a *API) calendar(tx store.Tx, zone policy.Zone, now time.Time) (CalendarView, error) {
	r, err := calendarOf(tx, zone)
	v := CalendarView{Zone: zone, Breaks: []policy.Break{}, Until: r.Until, Source: string(r.Source), Format: r.Format, Imported: timed(r.Imported),
		By: names{tx: tx, by: map[string]string{}}.of(r.By), Address: r.Address, Proposed: a.CalendarOf(string(zone)), Error: r.Error, Failed: timed(r.Failed)}
	for _, b := range r.Breaks {
		v.Breaks = append(v.Breaks, policy.Break(b))
	}
	if until, err := time.Parse(time.DateOnly, r.Until); err == nil {
		today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
		v.Left = max(0, int(until.Sub(today).Hours()/24)+1)
	}
	return v, err
}

func (a *API) putCalendar(ctx context.Context, in *calendarIn) (*out[CalendarView], error) {
	zone := policy.Zone(in.Zone)
	return a.imported(ctx, opPutCalendar, zone, a.Calendars.ImportCalendar(ctx, zone, in.RawBody, in.Anyway, person(ctx).ID))
}

func (a *API) fetchCalendar(ctx context.Context, in *fetchIn) (*out[CalendarView], error) {
	zone, address := policy.Zone(in.Zone), strings.TrimSpace(in.Body.Address)
	if address == "" {
		return a.imported(ctx, opFetchCalendar, zone, a.Calendars.StopCalendar(ctx, zone, person(ctx).ID))
	}
	return a.imported(ctx, opFetchCalendar, zone, a.Calendars.FetchCalendar(ctx, zone, address, person(ctx).ID))
}

// imported answers an import: with what holds now, or with why it was refused.
func (a *API) imported(ctx context.Context, op string, zone policy.Zone, err error) (*out[CalendarView], error) {
	var said interface{ French() string }
	if errors.Is(err, ErrRefused) && errors.As(err, &said) {
		return nil, newProblem(http.StatusUnprocessableEntity, said.French())
	}
	if err != nil {
		return nil, a.fail(op, err)
	}
	var v CalendarView
	err = a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = a.calendar(tx, zone, a.Now().In(policy.Location()))
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

// OSMRequest is opening hours in OpenStreetMap's syntax.
type OSMRequest struct {
	Text string      `json:"text" lines:"many" maxLength:"100000" doc:"Such as: Mo-Fr 08:00-12:00,13:30-17:00; PH off"`
	Zone policy.Zone `json:"zone,omitempty" enum:",A,B,C" doc:"Whose school holidays SH stands for; A without one"`
}

// OSMView is what was read of it: nothing is kept.
type OSMView struct {
	Hours policy.Hours `json:"hours"`
	OSM   string       `json:"osm" doc:"The same, written again"`
}

type osmIn struct{ Body OSMRequest }

func (a *API) parseOSM(_ context.Context, in *osmIn) (*out[OSMView], error) {
	h, err := policy.ParseOSM(in.Body.Text, cmp.Or(in.Body.Zone, policy.ZoneA), a.Now().In(policy.Location()).Year())
	var at *policy.OSMError
	if errors.As(err, &at) {
		return nil, newProblem(http.StatusUnprocessableEntity, "Ces horaires n’ont pas pu être lus.", field{"body.text", at.French()})
	}
	if err != nil {
		return nil, a.fail(opParseOSM, err)
	}
	v := OSMView{OSM: h.OSM(), Hours: h}
	emptyNotNil(reflect.ValueOf(&v.Hours).Elem())
	return answer(v), nil
}

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"borne/controller/audit"
	"borne/controller/mednum"
	"borne/controller/notice"
	"borne/controller/policy"
	"borne/controller/store"
)

type placesIn struct {
	Check   bool   `query:"check" doc:"Only say what is in the file"`
	RawBody []byte `contentType:"application/octet-stream" doc:"The file as it is: the national standard's CSV, or data·inclusion's JSON"`
}

type positionIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body Position
}

func (a *API) helpPlaces(ctx context.Context, _ *nothing) (*out[HelpView], error) {
	v := HelpView{Unread: []string{}, Sites: []HelpSiteView{}}
	p := person(ctx)
	err := a.Store.View(ctx, func(tx store.Tx) error {
		file, err := store.Get[store.HelpFile](tx, store.HelpFileID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		v.Places, v.Unread, v.Imported = file.Row.Places, list(file.Row.Unread), timed(file.Row.Imported)
		v.By = names{tx: tx, by: map[string]string{}}.of(file.Row.By)
		for it, err := range store.List[store.Site](tx, "", "", false) {
			if err != nil {
				return err
			}
			if !p.Sees(it.ID) || !it.Row.Closed.IsZero() {
				continue
			}
			s, err := nearOf(tx, it)
			if err != nil {
				return err
			}
			v.Sites = append(v.Sites, s)
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opPlaces, err)
	}
	return answer(v), nil
}

func nearOf(tx store.Tx, it store.Item[store.Site]) (HelpSiteView, error) {
	v := HelpSiteView{ID: it.ID, Name: it.Row.Name, Placed: it.Row.Placed, Lat: it.Row.Lat, Lon: it.Row.Lon, Near: []HelpPlaceView{}}
	row, err := store.Get[store.HelpNear](tx, it.ID)
	if errors.Is(err, store.ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	var near []policy.HelpPlace
	if err := json.Unmarshal(row.Row.Places, &near); err != nil {
		return v, fmt.Errorf("cannot read the places near %s: %w", it.ID, err)
	}
	for _, n := range near {
		x := HelpPlaceView{Name: n.Name, Kind: n.Kind, Address: n.Address, Phone: n.Phone, Metres: n.Metres}
		if n.Known {
			x.Hours = n.Hours.OSM()
		}
		v.Near = append(v.Near, x)
	}
	return v, nil
}

func (a *API) putPlaces(ctx context.Context, in *placesIn) (*out[HelpFound], error) {
	p, now := person(ctx), a.Now()
	places, unread, wrong := mednum.Read(in.RawBody, now)
	if len(wrong) > 0 {
		bad := newProblem(http.StatusUnprocessableEntity, "Le fichier n’est pas encore juste : rien n’a été importé.")
		for _, m := range wrong {
			bad.Fields = append(bad.Fields, field{fmt.Sprintf("body.%d", m.Line), m.French()})
		}
		return nil, bad
	}
	v := HelpFound{Places: len(places), Unread: list(unread)}
	for _, x := range places {
		switch {
		case x.Kind == policy.HelpAdviser:
			v.Advisers++
		case x.Kind == policy.HelpFrance:
			v.France++
		}
		if x.Placed {
			v.Placed++
		}
	}
	if in.Check {
		return answer(v), nil
	}
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		if err := mednum.Keep(tx, places, unread, p.ID, now); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: p.ID, Action: "help.imported", Detail: fmt.Sprint(len(places))})
	})
	if err != nil {
		return nil, a.fail(opPutPlaces, err)
	}
	a.publish(ctx, "", "")
	return answer(v), nil
}

func (a *API) placeSite(ctx context.Context, in *positionIn) (*out[HelpSiteView], error) {
	p, now := person(ctx), a.Now()
	if (in.Body.Lat == nil) != (in.Body.Lon == nil) {
		return nil, newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"body.lon", "il faut la latitude et la longitude, ou aucune des deux"})
	}
	var v HelpSiteView
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Site](tx, in.ID)
		if err != nil {
			return err
		}
		it.Row.Placed, it.Row.Lat, it.Row.Lon = in.Body.Lat != nil, 0, 0
		if it.Row.Placed {
			it.Row.Lat, it.Row.Lon = *in.Body.Lat, *in.Body.Lon
		}
		if err := store.Put(tx, it); err != nil {
			return err
		}
		if err := mednum.Tell(tx, it, now); err != nil {
			return err
		}
		if v, err = nearOf(tx, it); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: p.ID, Action: "site.placed", Site: in.ID, Target: in.ID})
	})
	if err != nil {
		return nil, a.fail(opPlaceSite, err)
	}
	a.publish(ctx, in.ID, "")
	return answer(v), nil
}

func (a *API) notices(ctx context.Context, _ *nothing) (*out[Notices], error) {
	return a.noticesOf(ctx, opNotices, "")
}

func (a *API) siteNotices(ctx context.Context, in *byID) (*out[Notices], error) {
	return a.noticesOf(ctx, opSiteNotices, in.ID)
}

// noticesOf are the texts of the Département, or those that a site's terminals
// showed: its own, and the Département's while it had none.
func (a *API) noticesOf(ctx context.Context, op, site string) (*out[Notices], error) {
	v := Notices{Notices: []NoticeView{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		who := names{tx: tx, by: map[string]string{}}
		var all []NoticeView
		read := func(layer, level string) error {
			for it, err := range notice.Texts(tx, layer, false) {
				if err != nil {
					return err
				}
				x := NoticeView{Level: level, Number: it.Row.Number, From: it.Row.At, Version: it.Row.Version, By: who.of(it.Row.By)}
				if len(it.Row.Text) > 0 {
					x.Text = new(policy.Notice)
					if err := json.Unmarshal(it.Row.Text, x.Text); err != nil {
						return fmt.Errorf("cannot read notice %s: %w", it.ID, err)
					}
					x.Text.Charter = list(x.Text.Charter)
				}
				all = append(all, x)
			}
			return nil
		}
		if err := read(store.PolicyGlobal, "global"); err != nil {
			return err
		}
		if site != "" {
			if err := read(site, "site"); err != nil {
				return err
			}
		}
		v.Notices = shown(all)
		return nil
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

// shown are the texts that were in force, each until the next, newest first: while
// a site has its own, those of the Département do not count there.
func shown(all []NoticeView) []NoticeView {
	slices.SortStableFunc(all, func(x, y NoticeView) int { return x.From.Compare(y.From) })
	var force []NoticeView
	var global *NoticeView
	own := false
	for i, x := range all {
		switch {
		case x.Level == "global":
			if global = &all[i]; own {
				continue
			}
		case x.Text == nil: // the Département's counts again, from then on
			own = false
			if global == nil {
				break // the product's own words, without a text
			}
			from := x.From
			x = *global
			x.From = from
		default:
			own = true
		}
		if n := len(force); n > 0 {
			to := x.From
			force[n-1].To = &to
		}
		force = append(force, x)
	}
	slices.Reverse(force)
	return list(force)
}

package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
)

func (a *API) sites(ctx context.Context, _ *nothing) (*out[SitesView], error) {
	var v SitesView
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = a.sitesOf(tx, person(ctx), "")
		return err
	})
	if err != nil {
		return nil, a.fail(opSites, err)
	}
	return answer(v), nil
}

// sitesOf reads each table once; only leaves out every other site.
func (a *API) sitesOf(tx store.Tx, p accounts.Person, only string) (SitesView, error) {
	v := SitesView{Sites: []SiteCard{}}
	at := map[string]int{}
	for it, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		if p.Sees(it.ID) && (only == "" || only == it.ID) {
			at[it.ID] = len(v.Sites)
			v.Sites = append(v.Sites, siteCard(it))
		}
	}
	for it, err := range store.List[store.Space](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		if i, ok := at[it.Site]; ok {
			v.Sites[i].Spaces = append(v.Sites[i].Spaces, spaceCard(it))
		}
	}
	installed := false
	for it, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		installed = installed || !it.Row.Enrolled.IsZero()
		i, ok := at[it.Site]
		if !ok {
			continue
		}
		c := terminalCard(it)
		printer, err := store.Get[store.PrinterRow](tx, it.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return v, err
		}
		c.Printer = printer.Row.Model
		v.Sites[i].Terminals = append(v.Sites[i].Terminals, c)
	}
	people := names{tx: tx, by: map[string]string{}}
	for it, err := range store.List[store.EnrolCode](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		if i, ok := at[it.Site]; ok {
			v.Sites[i].Codes = append(v.Sites[i].Codes, codeView(it, people.of(it.Row.By), a.Now()))
		}
	}
	for _, s := range v.Sites {
		slices.SortFunc(s.Spaces, func(x, y SpaceCard) int { return strings.Compare(x.Name+x.ID, y.Name+y.ID) })
		slices.SortFunc(s.Terminals, func(x, y TerminalCard) int { return strings.Compare(x.Name+x.ID, y.Name+y.ID) })
		slices.SortFunc(s.Codes, func(x, y CodeView) int { return y.Created.Compare(x.Created) })
	}
	slices.SortFunc(v.Sites, func(x, y SiteCard) int { return strings.Compare(x.Name+x.ID, y.Name+y.ID) })
	if p.Role != accounts.Administrator || !p.Everywhere() {
		return v, nil
	}
	v.Steps = &Steps{Site: len(v.Sites) > 0, Terminal: installed}
	for _, s := range v.Sites {
		v.Steps.Space = v.Steps.Space || len(s.Spaces) > 0
	}
	for it, err := range store.List[store.PolicyRow](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		own, err := ownSections(it.Row.Doc)
		if err != nil {
			return v, err
		}
		for _, s := range own {
			v.Steps.Hours = v.Steps.Hours || s == "hours"
			v.Steps.Rules = v.Steps.Rules || s != "hours"
		}
	}
	return v, nil
}

func siteCard(it store.Item[store.Site]) SiteCard {
	r := it.Row
	c := SiteCard{ID: it.ID, Rev: it.Rev, Closed: timed(r.Closed), Spaces: []SpaceCard{}, Terminals: []TerminalCard{}, Codes: []CodeView{},
		SiteRequest: SiteRequest{Name: r.Name, Kind: r.Type, Commune: r.Commune, Territoire: r.Territoire, UAI: r.UAI, Address: r.Address, Phone: r.Phone, Head: r.Head}}
	if r.Placed {
		c.Lat, c.Lon = &r.Lat, &r.Lon
	}
	return c
}

func spaceCard(it store.Item[store.Space]) SpaceCard {
	return SpaceCard{ID: it.ID, Rev: it.Rev, Name: it.Row.Name, Contact: it.Row.Contact, Closed: timed(it.Row.Closed)}
}

func terminalCard(it store.Item[store.Terminal]) TerminalCard {
	return TerminalCard{ID: it.ID, Name: it.Row.Name, Space: it.Row.Space, State: string(it.Row.State), Machine: it.Row.Machine, Enrolled: timed(it.Row.Enrolled)}
}

// codeView tells of a code what opens nothing.
func codeView(it store.Item[store.EnrolCode], by string, now time.Time) CodeView {
	r := it.Row
	v := CodeView{ID: it.ID, Name: r.Name, Space: r.Space, Replaces: r.Replaces, State: "waiting", Terminal: r.Terminal, By: by, Created: r.Created, Expires: r.Expires}
	switch {
	case !r.Used.IsZero():
		v.State = "used"
	case now.After(r.Expires):
		v.State = "expired"
	}
	return v
}

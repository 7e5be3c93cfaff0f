package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/mednum"
	"borne/controller/sitefile"
	"borne/controller/store"
)

type siteIn struct{ Body SiteRequest }

type sitePutIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body SiteRequest
}

type closedIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body ClosedRequest
}

type siteOut struct {
	ETag string `header:"ETag"`
	Body SiteCard
}

// maxSites bounds the sites: a group holds as many.
const maxSites = 1000

// neat is what was typed, with one space between words.
func neat(s string) string { return strings.Join(strings.Fields(s), " ") }

// siteRow reads a request. What does not fit is told, each field once.
func siteRow(tx store.Tx, id string, was store.Site, r SiteRequest) (row store.Site, wrong []field, err error) {
	add := func(at, why string) { wrong = append(wrong, field{"body." + at, why}) }
	row = was
	row.Name, row.Type, row.Commune, row.Territoire = neat(r.Name), r.Kind, neat(r.Commune), neat(r.Territoire)
	row.UAI, row.Address, row.Phone, row.Head = strings.ToUpper(neat(r.UAI)), neat(r.Address), neat(r.Phone), strings.TrimSpace(r.Head)
	row.Placed, row.Lat, row.Lon = r.Lat != nil && r.Lon != nil, 0, 0
	if row.Placed {
		row.Lat, row.Lon = *r.Lat, *r.Lon
	}
	if n := len([]rune(row.Name)); n < 2 || n > 80 {
		add("name", "donnez au lieu un nom de 2 à 80 lettres")
	}
	if n := len([]rune(row.Commune)); n < 1 || n > 60 {
		add("commune", "dites dans quelle commune il est, en 60 lettres au plus")
	}
	if len([]rune(row.Territoire)) > 60 {
		add("territoire", "60 lettres au plus")
	}
	if len([]rune(row.Address)) > 200 {
		add("address", "200 lettres au plus")
	}
	if row.UAI != "" && !sitefile.UAI(row.UAI) {
		add("uai", "ce n’est pas un numéro UAI : sept chiffres, puis la lettre qui leur correspond")
	}
	if len(row.Phone) > 30 || phone(row.Phone) != nil {
		add("phone", "écrivez un numéro de téléphone, par exemple 04 50 00 00 00")
	}
	if h := row.Head; h != "" && (len(h) > 200 || !mailAddress(h)) {
		add("head", "ce n’est pas une adresse électronique")
	}
	if (r.Lat == nil) != (r.Lon == nil) {
		add("lon", "il faut la latitude et la longitude, ou aucune des deux")
	}
	for o, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return row, nil, err
		}
		if o.ID == id || !o.Row.Closed.IsZero() {
			continue
		}
		if strings.EqualFold(o.Row.Name, row.Name) && strings.EqualFold(o.Row.Commune, row.Commune) {
			add("name", "un lieu de cette commune porte déjà ce nom")
		}
		if row.UAI != "" && o.Row.UAI == row.UAI {
			add("uai", "« "+o.Row.Name+" » a déjà ce numéro")
		}
	}
	return row, wrong, nil
}

// mailAddress is as strict as the hours are with the address of a head.
func mailAddress(s string) bool {
	name, host, ok := strings.Cut(s, "@")
	return ok && name != "" && host != "" && !strings.Contains(host, "@") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || strings.ContainsRune("<>,;\"\u007f", r) })
}

func unfits(wrong []field) error {
	if len(wrong) == 0 {
		return nil
	}
	return newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", wrong...)
}

// MakeSite makes a site, and records who asked for it.
func MakeSite(tx store.Tx, r SiteRequest, by string, now time.Time) (id string, row store.Site, err error) {
	id = newID()
	row, wrong, err := siteRow(tx, id, row, r)
	if err == nil {
		err = unfits(wrong)
	}
	if err != nil {
		return "", row, err
	}
	return id, row, putNewSite(tx, id, row, by, now)
}

func putNewSite(tx store.Tx, id string, row store.Site, by string, now time.Time) error {
	n := 0
	for _, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return err
		}
		n++
	}
	if n >= maxSites {
		return newProblem(http.StatusConflict, "Il y a déjà 1 000 lieux : c’est le plus que Borne conduit.")
	}
	site := store.Item[store.Site]{Meta: store.Meta{ID: id, Site: id}, Row: row}
	if err := store.Put(tx, site); err != nil {
		return err
	}
	if err := mednum.Tell(tx, site, now); err != nil {
		return err
	}
	return audit.Append(tx, audit.Entry{At: now.UTC(), Actor: by, Action: "site.created", Site: id, Target: id, Detail: row.Name})
}

func (a *API) createSite(ctx context.Context, in *siteIn) (*siteOut, error) {
	var id string
	err := a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		id, _, err = MakeSite(tx, in.Body, person(ctx).ID, a.Now())
		return err
	})
	return a.oneSite(ctx, opCreateSite, id, err)
}

// oneSite answers with a site as it is now.
func (a *API) oneSite(ctx context.Context, op, id string, err error) (*siteOut, error) {
	var v SitesView
	if err == nil {
		err = a.Store.View(ctx, func(tx store.Tx) (err error) {
			v, err = a.sitesOf(tx, person(ctx), id)
			return err
		})
	}
	if err == nil && len(v.Sites) != 1 {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrConflict) {
		err = staleOf("ce lieu")
	}
	if err != nil {
		return nil, a.fail(op, err)
	}
	return &siteOut{etag(v.Sites[0].Rev), v.Sites[0]}, nil
}

// changes names the fields that differ, as the audit tells them: what they hold now
// is in the row, and goes with it.
func changes(was, is store.Site) (said []string, known bool) {
	for _, c := range []struct {
		name         string
		differs, who bool
	}{
		{"nom", was.Name != is.Name, true}, {"type", was.Type != is.Type, true}, {"commune", was.Commune != is.Commune, true},
		{"territoire", was.Territoire != is.Territoire, true}, {"UAI", was.UAI != is.UAI, true}, {"adresse", was.Address != is.Address, false},
		{"téléphone", was.Phone != is.Phone, false}, {"courriel de la direction", was.Head != is.Head, true},
		{"position", was.Placed != is.Placed || was.Lat != is.Lat || was.Lon != is.Lon, false},
	} {
		if c.differs {
			said, known = append(said, c.name), known || c.who
		}
	}
	return said, known
}

// changeSite writes a site's row, and tells those who show some of it.
func changeSite(tx store.Tx, it store.Item[store.Site], row store.Site, by string, now time.Time) (changed bool, err error) {
	said, _ := changes(it.Row, row)
	if len(said) == 0 {
		return false, nil
	}
	it.Row = row
	if err := store.Put(tx, it); err != nil {
		return false, err
	}
	if err := mednum.Tell(tx, it, now); err != nil {
		return false, err
	}
	return true, audit.Append(tx, audit.Entry{At: now.UTC(), Actor: by, Action: "site.changed", Site: it.ID, Target: it.ID, Detail: row.Name + " : " + strings.Join(said, ", ")})
}

func (a *API) putSite(ctx context.Context, in *sitePutIn) (*siteOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	p := person(ctx)
	changed := false
	err = a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Site](tx, in.ID)
		if err != nil {
			return err
		}
		if it.Rev != rev {
			return errStale(ctx)
		}
		row, wrong, err := siteRow(tx, in.ID, it.Row, in.Body)
		if err == nil {
			err = unfits(wrong)
		}
		if err != nil {
			return err
		}
		// What a place is called, counted as and who agrees for it is the Département's.
		if said, theirs := changes(it.Row, row); theirs && p.Role != accounts.Administrator {
			return newProblem(http.StatusForbidden, "Seule l’équipe du Département change le nom, le type, la commune, le territoire, le numéro UAI et le courriel de la direction. Vous vouliez changer : "+strings.Join(said, ", ")+".")
		}
		changed, err = changeSite(tx, it, row, p.ID, a.Now())
		return err
	})
	if err == nil && changed {
		a.publish(ctx, in.ID, "")
		err = a.greet(ctx, in.ID)
	}
	return a.oneSite(ctx, opPutSiteCard, in.ID, err)
}

// greet welcomes a site's terminals anew: what they show of their place has changed.
func (a *API) greet(ctx context.Context, site string) error {
	var ids []string
	err := a.Store.View(ctx, func(tx store.Tx) error {
		ids = nil
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if t.Site == site {
				ids = append(ids, t.ID)
			}
		}
		return nil
	})
	for _, id := range ids {
		a.Live.Greet(id)
	}
	return err
}

// standing are the names of the terminals that are still in a place.
func standing(tx store.Tx, site, space string) (names []string, err error) {
	for t, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		if t.Site == site && (space == "" || t.Row.Space == space) && t.Row.State != store.StateRevoked {
			names = append(names, t.Row.Name)
		}
	}
	return names, nil
}

// vacate refuses to close a place in which terminals stand, and cancels the codes
// that wait there.
func vacate(tx store.Tx, site, space string) error {
	names, err := standing(tx, site, space)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return newProblem(http.StatusConflict, "Il reste ici des postes : "+strings.Join(names[:min(len(names), 5)], ", ")+". Retirez-les ou déplacez-les d’abord.")
	}
	var codes []string
	for c, err := range store.List[store.EnrolCode](tx, "", "", false) {
		if err != nil {
			return err
		}
		if c.Site == site && (space == "" || c.Row.Space == space) && c.Row.Used.IsZero() {
			codes = append(codes, c.ID)
		}
	}
	for _, id := range codes {
		if err := tx.Delete(store.KindCode, id); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) closeSite(ctx context.Context, in *closedIn) (*siteOut, error) {
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Site](tx, in.ID)
		if err != nil || in.Body.Closed == !it.Row.Closed.IsZero() {
			return err
		}
		action := "site.opened"
		it.Row.Closed = time.Time{}
		if in.Body.Closed {
			if err := vacate(tx, in.ID, ""); err != nil {
				return err
			}
			it.Row.Closed, action = a.Now().UTC(), "site.closed"
		} else if _, wrong, err := siteRow(tx, in.ID, it.Row, siteCard(it).SiteRequest); err != nil || len(wrong) > 0 {
			return errors.Join(err, unfits(wrong))
		}
		if err := store.Put(tx, it); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: a.Now().UTC(), Actor: person(ctx).ID, Action: action, Site: in.ID, Target: in.ID, Detail: it.Row.Name})
	})
	return a.oneSite(ctx, opCloseSite, in.ID, err)
}

package api

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/directory"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

func badgeView(at *places, h store.Item[store.Holder]) (BadgeView, error) {
	name, err := at.site(h.Site)
	r := h.Row
	v := BadgeView{Number: r.Number, Rev: badgeTag(r), Kind: string(r.Kind), Group: r.Group, Site: h.Site, SiteName: name, Sites: append([]string{}, r.Sites...),
		Disabled: r.Disabled, Lost: !r.Lost.IsZero(), Created: r.Created, Seen: r.Seen}
	if !r.Expires.IsZero() {
		v.Expires = &r.Expires
	}
	if !r.Until.IsZero() {
		v.Until = &r.Until
	}
	return v, err
}

type badgesIn struct {
	Find  string `query:"find" maxLength:"80" doc:"Figures of the printed number, or a part of the group's or the site's name"`
	After string `query:"after" maxLength:"20" doc:"The number after which the page begins"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
}

// badges is a page of them. All are read for it: their numbers are random, so that no
// index holds them in their order, and few thousands are read in no time.
func (a *API) badges(ctx context.Context, in *badgesIn) (*out[BadgesView], error) {
	v, who := BadgesView{}, person(ctx)
	err := a.Store.View(ctx, func(tx store.Tx) error {
		at := newPlaces(tx)
		all, err := directory.Badges(tx, "")
		if err != nil {
			return err
		}
		v = BadgesView{Badges: []BadgeView{}}
		slices.SortFunc(all, func(x, y store.Item[store.Holder]) int { return strings.Compare(x.Row.Number, y.Row.Number) })
		for _, h := range all {
			if !who.Sees(h.Site) {
				continue
			}
			name, err := at.site(h.Site)
			if err != nil {
				return err
			}
			if !directory.Finds(h.Row, name, in.Find) {
				continue
			}
			if v.Found++; h.Row.Number <= in.After {
				continue
			}
			if len(v.Badges) == in.Limit {
				v.Next = v.Badges[in.Limit-1].Number
				continue // it counts
			}
			b, err := badgeView(at, h)
			if err != nil {
				return err
			}
			v.Badges = append(v.Badges, b)
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opBadges, err)
	}
	return answer(v), nil
}

func (a *API) badgeDesk(ctx context.Context, _ *nothing) (*out[BadgeDesk], error) {
	v, who := BadgeDesk{}, person(ctx)
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v = BadgeDesk{Sites: []DeskSite{}, Followed: a.Staff != nil}
		by := map[string]*DeskSite{}
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if !who.Sees(t.Site) {
				continue
			}
			p, err := compliance.Effective(tx, t)
			if err != nil {
				return err
			}
			s := by[t.Site]
			if s == nil {
				s = &DeskSite{Site: t.Site, Groups: []string{}}
				by[t.Site] = s
			}
			s.Codes = s.Codes || p.Access.DayCodes
			s.Badges = s.Badges || p.Access.KnownBadges || p.Access.AnyBadge
			for _, g := range p.Printing.Groups {
				if !slices.Contains(s.Groups, g.Name) {
					s.Groups = append(s.Groups, g.Name)
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(by)) {
			v.Sites = append(v.Sites, *by[id])
		}
		at := newPlaces(tx)
		if v.Codes, err = a.sheets(at, who); err != nil {
			return err
		}
		v.Staff, err = staffBadges(at, who, a)
		return err
	})
	if err != nil {
		return nil, a.fail(opBadgeDesk, err)
	}
	return answer(v), nil
}

// sheets lists the printed pages that still work.
func (a *API) sheets(at *places, who accounts.Person) ([]CodeSheet, error) {
	by, made := map[string]*CodeSheet{}, map[string]time.Time{}
	for it, err := range store.List[store.DayCode](at.tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		if !who.Sees(it.Site) || !it.Row.Used.IsZero() || !a.Now().Before(it.Row.Until) {
			continue
		}
		s := by[it.Row.Sheet]
		if s == nil {
			name, err := at.site(it.Site)
			if err != nil {
				return nil, err
			}
			s = &CodeSheet{Sheet: it.Row.Sheet, Site: it.Site, SiteName: name, Until: it.Row.Until}
			by[it.Row.Sheet], made[it.Row.Sheet] = s, it.Row.Made
		}
		s.Left++
	}
	all := []CodeSheet{}
	for _, s := range by {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(x, y CodeSheet) int {
		return cmp.Or(made[y.Sheet].Compare(made[x.Sheet]), strings.Compare(x.Sheet, y.Sheet))
	})
	return all, nil
}

// lastDay reads the last day of validity; the place in the request is at.
func (a *API) lastDay(at, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, s, policy.Location())
	if err != nil {
		return day, unfit(at, "écrivez la date ainsi : 2027-06-30")
	}
	end := directory.EndOf(day)
	if !end.After(a.Now()) || day.Year() > a.Now().Year()+20 {
		return day, unfit(at, "choisissez un jour à venir, dans les vingt ans")
	}
	return end, nil
}

type windowIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body WindowRequest
}

func (a *API) openWindow(ctx context.Context, in *windowIn) (*out[WindowView], error) {
	p, b := person(ctx), in.Body
	b.Group = strings.TrimSpace(b.Group)
	enrols := b.Action == directory.ActionEnrol
	switch {
	case p.Role == accounts.DPO && b.Action != directory.ActionFind:
		return nil, errForbidden()
	case enrols && b.Kind == "":
		return nil, unfit("body.kind", "choisissez : permanent, ou à la journée")
	case !enrols && (b.Kind != "" || b.Login != "" || b.Group != "" || b.Here || b.Expires != ""):
		return nil, unfit("body.action", "seul un enrôlement prend des droits")
	case !policy.ValidGroup(b.Group):
		return nil, unfit("body.group", "ce nom de groupe a un signe qui ne convient pas")
	}
	staff := b.Kind == string(store.HolderStaff)
	switch {
	case staff && (b.Group != "" || b.Expires != ""):
		return nil, unfit("body.kind", "le badge d’un agent suit l’annuaire : il n’a ni groupe ni date")
	case !staff && b.Login != "":
		return nil, unfit("body.login", "seul le badge d’un agent a un identifiant")
	case staff:
		if err := a.vouched(ctx, b.Login); err != nil {
			return nil, err
		}
	}
	if enrols && !staff && !b.Here && b.Kind != string(store.HolderDay) && !a.everywhere(p) {
		return nil, unfit("body.here", "vous n’avez pas ce rôle partout : enrôlez ce badge pour ce lieu seulement")
	}
	expires, wrong := a.lastDay("body.expires", b.Expires)
	if wrong != nil {
		return nil, wrong
	}
	if l, ok := a.Live.Live(in.ID); !ok || !l.Online {
		return nil, newProblem(http.StatusConflict, "Ce poste n’est pas connecté : il ne peut pas lire de badge pour vous. Choisissez-en un autre.")
	}
	w := store.BadgeWindow{Action: b.Action, Kind: store.HolderKind(b.Kind), Login: b.Login, Group: b.Group, Here: b.Here, Expires: expires, By: p.ID}
	id, err := a.Orders.Order(ctx, Order{Terminal: in.ID, Kind: wire.CmdBadge, By: p.ID, Window: func(tx store.Tx, t store.Meta, id string) error {
		if w.Action == directory.ActionGive {
			until, err := a.closing(tx, t.Site)
			if err != nil {
				return err
			}
			w.Expires = until
		}
		return a.Directory.Open(tx, t, id, w)
	}})
	if errors.Is(err, ErrRefused) {
		return nil, newProblem(http.StatusConflict, "Ce poste ne peut pas lire de badge pour vous en ce moment.")
	}
	if err != nil {
		return nil, a.fail(opBadgeWindow, err)
	}
	return answer(WindowView{ID: id, Until: a.Now().UTC().Add(directory.WindowFor)}), nil
}

// everywhere tells whether a person may give rights in all places.
func (a *API) everywhere(p accounts.Person) bool { return p.Sees("") }

type windowOf struct {
	ID     string `path:"id" maxLength:"200"`
	Window string `path:"window" maxLength:"200"`
}

func (a *API) window(ctx context.Context, in *windowOf) (*out[WindowView], error) {
	var v WindowView
	err := a.Store.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.BadgeWindow](tx, in.Window)
		if err != nil {
			return err
		}
		if it.Scope != in.ID {
			return errNotFound()
		}
		v = WindowView{ID: it.ID, Until: it.Row.Until, Done: it.Row.Done, Number: it.Row.Number, Reason: it.Row.Reason}
		return nil
	})
	if err != nil {
		return nil, a.fail(opWindow, err)
	}
	return answer(v), nil
}

type codesIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body CodesRequest
}

func (a *API) makeCodes(ctx context.Context, in *codesIn) (*out[CodesView], error) {
	var v CodesView
	group := strings.TrimSpace(in.Body.Group)
	if !policy.ValidGroup(group) {
		return nil, unfit("body.group", "ce nom de groupe a un signe qui ne convient pas")
	}
	err := a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		if v.Until, err = a.closing(tx, in.ID); err != nil {
			return err
		}
		v.Sheet, v.Codes, err = a.Directory.Codes(tx, in.ID, group, in.Body.N, v.Until, person(ctx).ID)
		return err
	})
	if errors.Is(err, directory.ErrLate) {
		return nil, newProblem(http.StatusConflict, closedToday)
	}
	if errors.Is(err, directory.ErrCodes) {
		return nil, newProblem(http.StatusConflict, "Il y a déjà beaucoup de codes valables ici aujourd’hui : annulez une feuille qui n’a pas servi.")
	}
	if err != nil {
		return nil, a.fail(opMakeCodes, err)
	}
	return answer(v), nil
}

type sheetIn struct {
	ID    string `path:"id" maxLength:"200"`
	Sheet string `path:"sheet" maxLength:"40"`
}

func (a *API) cancelCodes(ctx context.Context, in *sheetIn) (*nothing, error) {
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		_, err := a.Directory.Cancel(tx, in.ID, in.Sheet, person(ctx).ID)
		return err
	})
	return nil, a.fail(opCancelCodes, err)
}

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/directory"
	"borne/controller/policy"
	"borne/controller/store"
)

// onBadge changes one badge and returns how it is then.
func (a *API) onBadge(ctx context.Context, op, number string, do func(tx store.Tx, h store.Item[store.Holder]) error) (*out[BadgeView], error) {
	var v BadgeView
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		h, err := directory.Badge(tx, number)
		if err != nil {
			return err
		}
		if err := do(tx, h); err != nil {
			return err
		}
		if h, err = directory.Badge(tx, number); err != nil {
			return err
		}
		v, err = badgeView(newPlaces(tx), h)
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

type badgeIn struct {
	ID   string `path:"id" maxLength:"20"`
	Body BadgeChange
}

func (a *API) changeBadge(ctx context.Context, in *badgeIn) (*out[BadgeView], error) {
	group := strings.TrimSpace(in.Body.Group)
	if !policy.ValidGroup(group) {
		return nil, unfit("body.group", "ce nom de groupe a un signe qui ne convient pas")
	}
	return a.onBadge(ctx, opBadgeRights, in.ID, func(tx store.Tx, h store.Item[store.Holder]) error {
		if err := matches(ctx, badgeTag(h.Row)); err != nil {
			return err
		}
		r := directory.RightsOf(h.Row)
		r.Group, r.Disabled = group, in.Body.Disabled
		if r.Sites = slices.Clone(in.Body.Sites); len(r.Sites) == 0 {
			r.Sites = nil
		}
		if was := badgeExpires(h.Row); in.Body.Expires != was { // an end that is past may stay
			end, wrong := a.lastDay("body.expires", in.Body.Expires)
			if wrong != nil {
				return wrong
			}
			r.Expires = end
		}
		if why := badgeSites(tx, person(ctx), h, r.Sites); why != "" {
			return unfit("body.sites", why)
		}
		_, err := a.Directory.Change(tx, h, r, person(ctx).ID)
		return err
	})
}

// badgeTag is the version of what people set: its row says also when it was used.
func badgeTag(h store.Holder) string { return tagOf(directory.RightsOf(h)) }

// badgeExpires is the last day of validity, as people write it.
func badgeExpires(h store.Holder) string {
	if h.Expires.IsZero() {
		return ""
	}
	return h.Expires.Add(-time.Second).In(policy.Location()).Format("2006-01-02")
}

// badgeSites is why a person may not make a badge valid in these places: whoever
// holds a role somewhere gives no right elsewhere, and takes none away there.
func badgeSites(tx store.Tx, who accounts.Person, h store.Item[store.Holder], sites []string) string {
	if slices.Equal(h.Row.Sites, sites) {
		return ""
	}
	if h.Row.Kind == store.HolderDay && !slices.Equal(sites, []string{h.Site}) {
		return "un badge à la journée ne vaut que dans son lieu"
	}
	if who.Sees("") {
		for _, s := range sites {
			if _, err := store.Get[store.Site](tx, s); err != nil {
				return fmt.Sprintf("le lieu « %.40s » n’existe pas", s)
			}
		}
		return ""
	}
	if len(sites) == 0 || len(h.Row.Sites) == 0 {
		return "vous n’avez pas ce rôle partout : laissez ses lieux comme ils sont"
	}
	for _, s := range append(slices.Clone(sites), h.Row.Sites...) {
		if slices.Contains(sites, s) != slices.Contains(h.Row.Sites, s) && !who.Sees(s) {
			return "vous n’avez pas ce rôle dans l’un de ces lieux"
		}
	}
	return ""
}

type badgeLostIn struct {
	ID   string `path:"id" maxLength:"20"`
	Body BadgeLost
}

func (a *API) lostBadge(ctx context.Context, in *badgeLostIn) (*out[BadgeView], error) {
	return a.onBadge(ctx, opBadgeLost, in.ID, func(tx store.Tx, h store.Item[store.Holder]) error {
		r := directory.RightsOf(h.Row)
		if r.Lost == in.Body.Lost {
			return nil
		}
		r.Lost = in.Body.Lost
		_, err := a.Directory.Change(tx, h, r, person(ctx).ID)
		return err
	})
}

// closedToday refuses what ends with the day.
const closedToday = "Le lieu est déjà fermé pour aujourd’hui."

type badgeDayIn struct {
	ID   string `path:"id" maxLength:"20"`
	Body BadgeDay
}

func (a *API) dayBadge(ctx context.Context, in *badgeDayIn) (*out[BadgeView], error) {
	return a.onBadge(ctx, opBadgeDay, in.ID, func(tx store.Tx, h store.Item[store.Holder]) (err error) {
		why := ""
		if in.Body.Given {
			until, err := a.closing(tx, h.Site)
			if err != nil {
				return err
			}
			if why, err = a.Directory.Give(tx, h, until, person(ctx).ID); err != nil {
				return err
			}
		} else if why, err = a.Directory.Return(tx, h, person(ctx).ID); err != nil {
			return err
		}
		switch why {
		case "":
			return nil
		case directory.WhyNotDay:
			return newProblem(http.StatusConflict, "Ce n’est pas un badge à la journée.")
		case directory.WhyGiven:
			return newProblem(http.StatusConflict, "Ce badge est déjà remis à quelqu’un aujourd’hui : reprenez-le d’abord.")
		}
		return newProblem(http.StatusConflict, closedToday)
	})
}

func (a *API) exportBadge(ctx context.Context, in *byID) (*out[BadgeExport], error) {
	v := BadgeExport{Sessions: []KeptSession{}, Pages: []KeptPages{}, Prints: []PrintJobView{}}
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		h, err := directory.Badge(tx, in.ID)
		if err != nil {
			return err
		}
		k, err := a.whole(ctx, tx, h)
		if err != nil {
			return err
		}
		v, err = exported(newPlaces(tx), k)
		if err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: a.Now(), Actor: person(ctx).ID, Action: "badge.exported", Site: h.Site, Target: h.Row.Number})
	})
	if err != nil {
		return nil, a.fail(opBadgeExport, err)
	}
	return answer(v), nil
}

// whole is everything that is kept about a badge, for whoever may see all of it: a
// role in some places tells nothing of what somebody did in others, and takes
// nothing from their figures.
func (a *API) whole(ctx context.Context, tx store.Tx, h store.Item[store.Holder]) (directory.Kept, error) {
	k, err := a.Directory.Kept(tx, h)
	who := person(ctx)
	if err != nil || who.Sees("") {
		return k, err
	}
	all := true
	for _, s := range k.Sessions {
		all = all && who.Sees(s.Site)
	}
	for _, j := range k.Jobs {
		all = all && who.Sees(j.Site)
	}
	for _, p := range k.Presences {
		all = all && who.Sees(p.Site)
	}
	if !all {
		return directory.Kept{}, newProblem(http.StatusForbidden, "Ce badge a aussi servi dans un lieu que votre rôle ne couvre pas : demandez à une personne qui a ce rôle dans tout le Département.")
	}
	return k, nil
}

func exported(at *places, k directory.Kept) (BadgeExport, error) {
	v := BadgeExport{Sessions: []KeptSession{}, Pages: []KeptPages{}, Prints: []PrintJobView{}}
	var err error
	if v.Badge, err = badgeView(at, k.Holder); err != nil {
		return v, err
	}
	for _, s := range k.Sessions {
		name, err := at.site(s.Site)
		if err != nil {
			return v, err
		}
		v.Sessions = append(v.Sessions, KeptSession{Place: name, Begun: s.Row.Begun, Seconds: s.Row.Seconds, Pages: s.Row.Pages, Reason: string(s.Row.Reason)})
	}
	for _, p := range k.Accounts {
		v.Pages = append(v.Pages, KeptPages{Month: p.Row.Month, Charged: int(p.Row.Charged), Given: int(p.Row.Extra)})
	}
	for _, j := range k.Jobs {
		view, err := at.job(j)
		if err != nil {
			return v, err
		}
		v.Prints = append(v.Prints, view)
	}
	return v, nil
}

func (a *API) eraseBadge(ctx context.Context, in *byID) (*out[Erased], error) {
	var v Erased
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		h, err := directory.Badge(tx, in.ID)
		if err != nil {
			return err
		}
		if _, err := a.whole(ctx, tx, h); err != nil {
			return err
		}
		k, err := a.Directory.Erase(tx, h, person(ctx).ID)
		v = Erased{Sessions: len(k.Sessions), Months: len(k.Accounts)}
		return err
	})
	var held *directory.Held
	if errors.As(err, &held) {
		return nil, newProblem(http.StatusConflict, "Rien n’a été effacé. La loi impose de garder certaines données de ce badge, au plus tard jusqu’au "+lastHeld(held.Until)+
			" (RGPD, article 17, paragraphe 3, point b). Déclarez le badge perdu s’il ne doit plus servir, et refaites l’effacement après cette date. Le délégué à la protection des données peut répondre à la personne.")
	}
	if err != nil {
		return nil, a.fail(opBadgeErase, err)
	}
	return answer(v), nil
}

func (a *API) badgesFile(ctx context.Context, _ *nothing) (*out[BadgesFile], error) {
	var v BadgesFile
	err := a.Store.View(ctx, func(tx store.Tx) error {
		all, err := directory.Badges(tx, "")
		who := person(ctx)
		all = slices.DeleteFunc(all, func(h store.Item[store.Holder]) bool { return !who.Sees(h.Site) })
		v.CSV = directory.WriteCSV(all, policy.Location())
		return err
	})
	if err != nil {
		return nil, a.fail(opBadgesFile, err)
	}
	return answer(v), nil
}

type importIn struct{ Body BadgesImport }

// importBadges takes a file whole, or nothing of it. It makes no lost or suspended
// badge good again.
func (a *API) importBadges(ctx context.Context, in *importIn) (*out[Imported], error) {
	lines, mistakes := directory.ReadCSV([]byte(in.Body.CSV), policy.Location())
	var v Imported
	who := person(ctx)
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		v = Imported{Lines: len(lines)}
		wrong := slices.Clone(mistakes)
		for _, l := range lines {
			h, err := directory.Badge(tx, l.Number)
			if err != nil || !who.Sees(h.Site) {
				if _, ok := directory.ReadNumber(l.Number); ok { // said already otherwise
					wrong = append(wrong, directory.Mistake{Line: l.N, Sentence: fmt.Sprintf("Le badge %s n’est pas enrôlé dans vos lieux.", directory.FormatNumber(l.Number))})
				}
				continue
			}
			if why := badgeSites(tx, who, h, l.Rights.Sites); why != "" {
				wrong = append(wrong, directory.Mistake{Line: l.N, Sentence: "Lieux : " + why + "."})
				continue
			}
			was := directory.RightsOf(h.Row)
			rights, why := l.Merge(was)
			if why != "" {
				wrong = append(wrong, directory.Mistake{Line: l.N, Sentence: why})
				continue
			}
			if reflect.DeepEqual(was, rights) {
				continue
			}
			if v.Changed++; in.Body.Check || len(wrong) > 0 {
				continue
			}
			if _, err := a.Directory.Change(tx, h, rights, who.ID); err != nil {
				return err
			}
		}
		return wrongLines(wrong)
	})
	if err != nil {
		return nil, a.fail(opImportBadges, err)
	}
	return answer(v), nil
}

// maxMistakes bounds what one answer tells.
const maxMistakes = 100

func wrongLines(wrong []directory.Mistake) error {
	if len(wrong) == 0 {
		return nil
	}
	slices.SortStableFunc(wrong, func(x, y directory.Mistake) int { return x.Line - y.Line })
	p := newProblem(http.StatusUnprocessableEntity, "Le fichier n’est pas encore juste : rien n’a été importé.")
	for _, m := range wrong[:min(len(wrong), maxMistakes)] {
		p.Fields = append(p.Fields, field{fmt.Sprintf("body.csv.%d", m.Line), fmt.Sprintf("Ligne %d : %s", m.Line, m.Sentence)})
	}
	return p
}

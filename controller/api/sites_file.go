package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/sitefile"
	"borne/controller/store"
)

func (a *API) sitesFile(ctx context.Context, _ *nothing) (*out[SitesFile], error) {
	var v SitesView
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = a.sitesOf(tx, person(ctx), "")
		return err
	})
	if err != nil {
		return nil, a.fail(opSitesFile, err)
	}
	var all []sitefile.Site
	for _, s := range v.Sites {
		if s.Closed != nil {
			continue
		}
		line := sitefile.Site{Name: s.Name, Kind: s.Kind, Commune: s.Commune, Territoire: s.Territoire, UAI: s.UAI, Address: s.Address, Phone: s.Phone, HeadMail: s.Head}
		if line.Placed = s.Lat != nil && s.Lon != nil; line.Placed {
			line.Lat, line.Lon = *s.Lat, *s.Lon
		}
		for _, sp := range s.Spaces {
			if sp.Closed == nil {
				line.Spaces = append(line.Spaces, sp.Name)
			}
		}
		all = append(all, line)
	}
	return answer(SitesFile{CSV: sitefile.Write(all)}), nil
}

type sitesImportIn struct{ Body SitesImport }

// importSites takes a file whole, or nothing of it. A site that is there already, by
// its UAI or else by its name and commune, is changed where a cell says something.
func (a *API) importSites(ctx context.Context, in *sitesImportIn) (*out[SitesImported], error) {
	lines, mistakes := sitefile.Read([]byte(in.Body.CSV))
	var v SitesImported
	var moved []string
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		v, moved = SitesImported{}, nil
		bad := slices.Clone(mistakes)
		if len(bad) == 0 {
			for _, l := range lines {
				why, id, err := a.importSite(tx, l, &v, person(ctx).ID, a.Now())
				if err != nil {
					return err
				}
				for _, w := range why {
					bad = append(bad, sitefile.Mistake{Line: l.Line, Sentence: w})
				}
				moved = append(moved, id)
			}
		}
		if len(bad) > 0 {
			return wrongSites(bad)
		}
		if in.Body.Check {
			return errOnlyLooked // nothing of it stays
		}
		return audit.Append(tx, audit.Entry{At: a.Now().UTC(), Actor: person(ctx).ID, Action: "sites.imported", Detail: fmt.Sprintf("%d + %d", v.Created, v.Changed)})
	})
	if errors.Is(err, errOnlyLooked) {
		return answer(v), nil
	}
	if err != nil {
		return nil, a.fail(opImportSites, err)
	}
	for _, id := range moved {
		if id != "" {
			a.publish(ctx, id, "")
		}
	}
	return answer(v), nil
}

// errOnlyLooked ends a transaction that only says what it would do.
var errOnlyLooked = errors.New("nothing was to be kept")

// columnOf is what the file calls a field of the request.
func columnOf(at string) string {
	names := map[string]string{"name": "nom", "kind": "type", "commune": "commune", "territoire": "territoire", "uai": "uai", "address": "adresse", "phone": "telephone", "head": "courriel", "lon": "longitude"}
	return names[strings.TrimPrefix(at, "body.")]
}

// importSite writes one line, and tells what is wrong with it.
func (a *API) importSite(tx store.Tx, l sitefile.Site, v *SitesImported, by string, now time.Time) (why []string, changed string, err error) {
	found, err := known(tx, l)
	if err != nil {
		return nil, "", err
	}
	id, fresh := found.ID, found.Rev == 0
	if fresh {
		id = newID()
	}
	row, wrong, err := siteRow(tx, id, found.Row, requestOf(siteCard(found).SiteRequest, l))
	if err != nil {
		return nil, "", err
	}
	for _, w := range wrong {
		why = append(why, fmt.Sprintf("%s : %s.", columnOf(w.Location), w.Message))
	}
	var have []string
	for sp, err := range store.List[store.Space](tx, "", "", false) {
		if err != nil {
			return nil, "", err
		}
		if sp.Site == id && sp.Row.Closed.IsZero() {
			have = append(have, sp.Row.Name)
		}
	}
	for _, name := range l.Spaces {
		if n := len([]rune(name)); n < 2 || n > 80 {
			why = append(why, fmt.Sprintf("espaces : « %.80s » : un nom a de 2 à 80 lettres.", name))
		}
	}
	if len(why) > 0 {
		return why, "", nil
	}
	switch {
	case fresh:
		err = putNewSite(tx, id, row, by, now)
		v.Created++
	default:
		var did bool
		if did, err = changeSite(tx, found, row, by, now); did {
			v.Changed++
			changed = id
		} else {
			v.Same++
		}
	}
	for _, name := range l.Spaces {
		if err != nil || slices.ContainsFunc(have, func(o string) bool { return strings.EqualFold(o, name) }) {
			continue
		}
		_, _, err = MakeSpace(tx, id, SpaceRequest{Name: name}, by, now)
		v.Spaces++
	}
	return nil, changed, err
}

// known is the open site that a line is about.
func known(tx store.Tx, l sitefile.Site) (found store.Item[store.Site], err error) {
	for it, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return found, err
		}
		if !it.Row.Closed.IsZero() {
			continue
		}
		if l.UAI != "" && it.Row.UAI == l.UAI {
			return it, nil
		}
		if strings.EqualFold(it.Row.Name, l.Name) && strings.EqualFold(it.Row.Commune, l.Commune) {
			found = it
		}
	}
	return found, nil
}

// requestOf is what is known, and over it what the line tells.
func requestOf(r SiteRequest, l sitefile.Site) SiteRequest {
	for _, c := range []struct {
		to   *string
		cell string
	}{{&r.Name, l.Name}, {&r.Kind, l.Kind}, {&r.Commune, l.Commune}, {&r.Territoire, l.Territoire}, {&r.UAI, l.UAI}, {&r.Address, l.Address}, {&r.Phone, l.Phone}, {&r.Head, l.HeadMail}} {
		if c.cell != "" {
			*c.to = c.cell
		}
	}
	if l.Placed {
		r.Lat, r.Lon = &l.Lat, &l.Lon
	}
	return r
}

func wrongSites(bad []sitefile.Mistake) error {
	slices.SortStableFunc(bad, func(x, y sitefile.Mistake) int { return x.Line - y.Line })
	p := newProblem(http.StatusUnprocessableEntity, "Le fichier n’est pas encore juste : rien n’a été importé.")
	for _, m := range bad[:min(len(bad), maxMistakes)] {
		p.Fields = append(p.Fields, field{fmt.Sprintf("body.csv.%d", m.Line), fmt.Sprintf("Ligne %d : %s", m.Line, m.Sentence)})
	}
	return p
}

// Package demo seeds a small believable fleet of Haute-Savoie, so that somebody
// who starts the product for the first time sees places, hours and rules. It
// makes nothing up about use: no session, no receipt, no terminal that looks
// alive. Every name is marked as a demonstration.
package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
)

// Ids that scripts use.
const (
	Site     = "demo-blanchard"        // the college of the terminal that is really started
	Space    = "demo-blanchard-hall"   // open at any hour, so that a demonstration works at night
	Terminal = "demo-blanchard-hall-1" // waits for the terminal that is really started
)

type place struct {
	id, name, kind, commune, territoire string
	profile                             string
	hours                               policy.Hours
	spaces                              []space
}

type space struct {
	id, name, contact string
	always            bool
	badge             badge
	terminals         []string
}

// badge is who may begin in a space.
type badge int

const (
	noBadge     badge = iota // the button alone
	badgeOrGo                // any badge, or the button
	badgeNeeded              // any badge, and nothing else
)

// Seed adds what is missing and changes nothing that is there: whoever tries
// the console out keeps what they changed. It tells whether anything was added.
func Seed(tx store.Tx, now time.Time) (added bool, err error) {
	s := &seeder{tx: tx, now: now.UTC()}
	add(s, store.Meta{ID: string(policy.ZoneA)}, holidays(s.now))
	for _, p := range places(s.now) {
		s.place(p)
	}
	return s.added > 0, s.err
}

// places are real kinds of places; the schools and centres bear names as they
// are found in the Département, with the mark that this is a demonstration.
func places(now time.Time) []place {
	return []place{
		{Site, "Collège Raoul Blanchard (démonstration)", "college", "Annecy", "Bassin annécien", "parents", college(now), []space{
			{Space, "Hall d’accueil", "Loge du gardien", true, badgeOrGo, []string{"Poste 1", "Poste 2"}},
			{"demo-blanchard-multimedia", "Salle multimédia", "Vie scolaire", false, noBadge, []string{"Poste 1", "Poste 2", "Poste 3"}}}},
		{"demo-rousseau", "Collège Jean-Jacques Rousseau (démonstration)", "college", "Thonon-les-Bains", "Chablais", "parents", college(now), []space{
			{"demo-rousseau-hall", "Hall d’accueil", "Loge du gardien", false, noBadge, []string{"Poste 1"}}}},
		{"demo-verney", "Collège du Verney (démonstration)", "college", "Sallanches", "Arve Faucigny Mont-Blanc", "parents", college(now), []space{
			{"demo-verney-hall", "Hall d’accueil", "Loge du gardien", false, noBadge, []string{"Poste 1"}}}},
		{"demo-annecy-est", "Pôle médico-social Annecy Est (démonstration)", "pms", "Annecy", "Bassin annécien", "open", office(now), []space{
			{"demo-annecy-est-accueil", "Accueil", "Agent d’accueil", false, badgeNeeded, []string{"Poste 1"}}}},
		{"demo-bonneville", "Pôle médico-social de Bonneville (démonstration)", "pms", "Bonneville", "Arve Faucigny Mont-Blanc", "open", office(now), []space{
			{"demo-bonneville-accueil", "Accueil", "Agent d’accueil", false, noBadge, []string{"Poste 1"}}}},
		{"demo-mie", "Maison de l’insertion et de l’emploi (démonstration)", "mie", "Annemasse", "Genevois français", "open", office(now), []space{
			{"demo-mie-libre", "Espace libre accès", "Conseiller numérique", false, noBadge, []string{"Poste 1", "Poste 2"}}}},
	}
}

// college: school days, Wednesday morning, and two evenings for parents under an
// agreement; in the school holidays a « permanence » on Tuesday mornings.
func college(now time.Time) policy.Hours {
	day, morning := []policy.Span{{From: 8 * 60, To: 17*60 + 30}}, []policy.Span{{From: 8 * 60, To: 12 * 60}}
	week := policy.Week{nil, day, day, morning, day, day, nil}
	year := schoolYear(now)
	return policy.Hours{
		Weekly: policy.Week{nil, day, day, morning, {{From: 8 * 60, To: 19*60 + 30}}, day, nil}, Duty: week, Guarded: true,
		Monthly:   []policy.Monthly{{Nth: 1, Day: int(time.Tuesday), Spans: []policy.Span{{From: 17*60 + 30, To: 20 * 60}}, Why: "Soirée des parents"}},
		School:    policy.School{Zone: policy.ZoneA, Mode: policy.ModeWeekly, Weekly: policy.Week{time.Tuesday: {{From: 9 * 60, To: 12 * 60}}}},
		Public:    policy.Public{Mode: policy.ModeClosed},
		Meanwhile: "La Maison France Services vous aide aussi : demandez son adresse à la mairie.",
		Agreements: []policy.Agreement{{From: fmt.Sprintf("%d-09-01", year), To: fmt.Sprintf("%d-08-31", year+1), By: "La principale (démonstration)",
			Agreed: fmt.Sprintf("%d-07-01", year), Key: "Le gardien (démonstration)", Contact: "loge@example.org"}},
	}
}

// office: the hours of a public office, with its lunch break and mornings in summer.
func office(now time.Time) policy.Hours {
	day := []policy.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 13*60 + 30, To: 17 * 60}}
	friday := []policy.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 13*60 + 30, To: 16 * 60}}
	summer := policy.Week{}
	for d := time.Monday; d <= time.Friday; d++ {
		summer[d] = day[:1]
	}
	year := schoolYear(now) + 1
	return policy.Hours{
		Weekly: policy.Week{nil, day, day, day, day, friday, nil}, Public: policy.Public{Mode: policy.ModeClosed},
		Seasons: []policy.Season{{Name: "Horaires d’été", From: fmt.Sprintf("%d-07-13", year), To: fmt.Sprintf("%d-08-21", year), Weekly: summer}},
	}
}

// schoolYear is the year in which the school year of now began.
func schoolYear(now time.Time) int {
	t := now.In(policy.Location())
	if t.Month() < time.August {
		return t.Year() - 1
	}
	return t.Year()
}

// holidays are zone A's of 2026 and 2027, so that the pages have something to
// show; the administrator imports the official calendar over them.
func holidays(now time.Time) store.CalendarRow {
	return store.CalendarRow{Until: "2027-08-31", Format: "demo", Source: store.CalendarFile, Imported: now, By: "demo", Version: 1, Breaks: []store.CalendarBreak{
		{Name: "Vacances de la Toussaint", From: "2026-10-17", To: "2026-11-01"},
		{Name: "Vacances de Noël", From: "2026-12-19", To: "2027-01-03"},
		{Name: "Vacances d’hiver", From: "2027-02-13", To: "2027-02-28"},
		{Name: "Vacances de printemps", From: "2027-04-10", To: "2027-04-25"},
		{Name: "Vacances d’été", From: "2027-07-03", To: "2027-08-31"}}}
}

type seeder struct {
	tx    store.Tx
	now   time.Time
	added int
	err   error
}

func (s *seeder) place(p place) {
	add(s, store.Meta{ID: p.id, Site: p.id}, store.Site{Name: p.name, Type: p.kind, Commune: p.commune, Territoire: p.territoire})
	s.layer(p.id, "", "site", map[string]any{"profile": p.profile, "hours": p.hours, "session": session(p.profile), "portal": portal(p.profile), "printing": printing()})
	for _, sp := range p.spaces {
		add(s, store.Meta{ID: sp.id, Site: p.id, Scope: sp.id}, store.Space{Name: sp.name, Contact: sp.contact})
		own := map[string]any{}
		if sp.always {
			h := p.hours
			h.Always, h.Guarded, h.Duty, h.Agreements = true, false, policy.Week{}, nil
			own["hours"] = h
		}
		if sp.badge != noBadge {
			own["access"] = policy.Access{AnyBadge: true, BadgeRequired: sp.badge == badgeNeeded}
		}
		if len(own) > 0 {
			s.layer(p.id, sp.id, "space", own)
		}
		for i, name := range sp.terminals {
			add(s, store.Meta{ID: fmt.Sprintf("%s-%d", sp.id, i+1), Site: p.id, Scope: sp.id},
				store.Terminal{Space: sp.id, Name: name, State: store.StateWaiting, Since: s.now})
		}
	}
}

// session: parents come for one démarche, an open space lends its terminals longer.
func session(profile string) policy.Session {
	s := policy.Default().Session
	if profile == "open" {
		s.Minutes = 60
	}
	return s
}

// printing is what a hall lends: some pages a visit, in black unless one pays
// for colour with more of them.
func printing() policy.Printing {
	p := policy.DefaultPrinting()
	p.Enabled, p.Colour = true, true
	return p
}

// portal: parents come for the school first. Each school has an address of its
// own, so a demonstration can only lead to the Département that runs them.
func portal(profile string) policy.Portal {
	p := policy.Default().Portal
	if profile == "parents" {
		p.Tiles = append([]policy.Tile{{Name: "ENT du collège", URL: "https://www.hautesavoie.fr/", Hint: "En passant par le site du Département", Icon: "school"}}, p.Tiles...)
	}
	return p
}

func (s *seeder) layer(site, space, layer string, doc map[string]any) {
	id := site
	if space != "" {
		id = space
	}
	if s.err != nil || s.has(store.KindPolicy, id) {
		return
	}
	var b []byte
	if b, s.err = json.Marshal(doc); s.err != nil {
		return
	}
	var set store.Item[store.Setting]
	if set, s.err = store.Get[store.Setting](s.tx, store.SettingController); s.err != nil {
		return
	}
	set.Row.NextPolicy()
	if s.err = store.Put(s.tx, set); s.err != nil {
		return
	}
	add(s, store.Meta{ID: id, Site: site, Scope: space}, store.PolicyRow{Layer: layer, Doc: b, Version: set.Row.Policy, Changed: s.now, By: "demo"})
}

func (s *seeder) has(k store.Kind, id string) bool {
	_, _, err := s.tx.Get(k, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.err = err
	}
	return err == nil
}

func add[T store.Row](s *seeder, m store.Meta, row T) {
	if s.err != nil || s.has(row.Table(), m.ID) || s.err != nil {
		return
	}
	if s.err = store.Put(s.tx, store.Item[T]{Meta: m, Row: row}); s.err == nil {
		s.added++
	}
}

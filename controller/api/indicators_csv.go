package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"borne/controller/report"
	"borne/controller/store"
)

type exportIn struct {
	Asked
	What string `query:"what" enum:"table,open,dictionary" default:"table" doc:"table: for a spreadsheet; open: for publication as open data, by site and month; dictionary: what each column of both means"`
}

type fileOut struct {
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// column is a figure of an export: its two names, what it means, and how it is told.
type column struct {
	head, name, unit, means string
	of                      func(Indicators) (float64, bool) // false: it may not be told, or there is none
	digits                  int
}

func whole(f func(Indicators) *int) func(Indicators) (float64, bool) {
	return func(i Indicators) (float64, bool) {
		if n := f(i); n != nil {
			return float64(*n), true
		}
		return 0, false
	}
}

func always(f func(Indicators) float64) func(Indicators) (float64, bool) {
	return func(i Indicators) (float64, bool) { return f(i), true }
}

// columns are those of both exports, in their order.
func columns() []column {
	share := func(part, of func(Indicators) *int) func(Indicators) (float64, bool) {
		return func(i Indicators) (float64, bool) {
			p, n := part(i), of(i)
			if p == nil || n == nil || *n == 0 {
				return 0, false
			}
			return 100 * float64(*p) / float64(*n), true
		}
	}
	visits := func(i Indicators) *int { return i.Visits }
	answers := func(i Indicators) *int { return i.Answers }
	return []column{
		{"Lieux ouverts au public", "lieux_ouverts", "lieux", "Lieux ouverts au public au moins une fois, avec un poste en service.", always(func(i Indicators) float64 { return float64(i.Sites) }), 0},
		{"Collèges ouverts au public", "colleges_ouverts", "lieux", "Parmi eux, les collèges.", always(func(i Indicators) float64 { return float64(i.Colleges) }), 0},
		{"Collèges ayant mutualisé", "colleges_mutualises", "lieux", "Parmi eux, les collèges où des passages ont commencé hors temps scolaire, au moins cinq dans un mois.", always(func(i Indicators) float64 { return float64(i.Shared) }), 0},
		{"Heures d’ouverture", "heures_ouverture", "heures", "Heures d’ouverture au public selon les horaires en vigueur ces jours-là ; deux lieux ouverts en même temps comptent deux fois.", always(func(i Indicators) float64 { return float64(i.OpenSeconds) / 3600 }), 1},
		{"Dont hors temps scolaire ou de bureau", "heures_hors_temps_scolaire", "heures", "Parmi elles, celles où le personnel du lieu n’est pas là d’ordinaire.", always(func(i Indicators) float64 { return float64(i.OutsideSeconds) / 3600 }), 1},
		{"Passages", "passages", "passages", "Sessions ouvertes. Une personne qui vient deux fois compte deux passages. Ne s’additionne jamais aux bénéficiaires.", whole(visits), 0},
		{"Dont passages hors temps scolaire ou de bureau", "passages_hors_temps_scolaire", "passages", "Parmi eux, ceux qui ont commencé hors temps scolaire ou de bureau.", whole(func(i Indicators) *int { return i.OutsideVisits }), 0},
		{"Bénéficiaires du mois", "beneficiaires_mois", "badges", "Badges différents, dans un mois seulement : d’un mois à l’autre personne ne peut reconnaître un badge. Vide sur plusieurs mois. Ne s’additionne jamais aux passages, ni d’un lieu à l’autre.", func(i Indicators) (float64, bool) {
			if len(i.Badges) != 1 || i.Badges[0].Count == nil {
				return 0, false
			}
			return float64(*i.Badges[0].Count), true
		}, 0},
		{"Durée moyenne (min)", "duree_moyenne_min", "minutes", "Durée moyenne d’un passage.", whole60(func(i Indicators) *int { return i.MeanSeconds }), 1},
		{"Durée médiane (min)", "duree_mediane_min", "minutes", "Environ : la moitié des passages durent moins ; estimée à l’intérieur d’une tranche de durée. Vide sous cinq passages.", whole60(func(i Indicators) *int { return i.MedianSeconds }), 1},
		{"Pages imprimées", "pages", "faces", "Faces imprimées.", whole(func(i Indicators) *int { return i.Pages }), 0},
		{"Demandes d’aide", "demandes_aide", "demandes", "Nombre de fois où quelqu’un a demandé de l’aide au poste.", whole(func(i Indicators) *int { return i.Help }), 0},
		{"Réponses « Cela s’est bien passé ? »", "reponses", "réponses", "Personnes qui ont touché un des trois visages à la fin ; personne n’y est obligé.", whole(answers), 0},
		{"Taux de réponse (%)", "taux_reponse", "%", "Réponses pour cent passages.", share(answers, visits), 1},
		{"Taux de satisfaction (%)", "taux_satisfaction", "%", "Réponses « Bien » pour cent réponses. À lire avec le taux de réponse.", share(func(i Indicators) *int { return i.Good }, answers), 1},
		{"Électricité (kWh)", "electricite_kwh", "kWh", "Électricité des postes et de leurs écrans, mesurée là où il y a un compteur, estimée ailleurs.", always(func(i Indicators) float64 { return i.Energy.UsedKwh }), 1},
		{"Électricité évitée (kWh)", "electricite_evitee_kwh", "kWh", "Ce que les mêmes postes, toujours allumés, auraient consommé en plus ; toujours une estimation.", always(func(i Indicators) float64 { return i.Energy.SavedKwh }), 1},
		{"Mois de lieux non comptés (moins de 5)", "mois_de_lieux_masques", "mois de lieux", "Mois où un lieu a eu de 1 à 4 passages : ils ne sont dans aucun chiffre de la ligne, pour que personne ne soit reconnu.", always(func(i Indicators) float64 { return float64(i.Hidden.Visits) }), 0},
	}
}

func whole60(f func(Indicators) *int) func(Indicators) (float64, bool) {
	return func(i Indicators) (float64, bool) {
		n, ok := whole(f)(i)
		return n / 60, ok
	}
}

// exportIndicators writes a file. Whoever asks, it holds no count of fewer than five
// people: a file goes where nobody knows.
func (a *API) exportIndicators(ctx context.Context, in *exportIn) (*fileOut, error) {
	var body []byte
	name := "indicateurs"
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		q, price, err := a.question(tx, person(ctx), in.Asked, true)
		if err != nil {
			return err
		}
		if in.What == "dictionary" {
			name, body = "dictionnaire-indicateurs", dictionary()
			return nil
		}
		if err := q.Check(); err != nil {
			return err
		}
		if in.What == "open" {
			name = fmt.Sprintf("indicateurs-ouverts-%s-%s", q.From[:7], q.To[:7])
			body, err = a.openData(tx, q, price)
			return err
		}
		name = fmt.Sprintf("indicateurs-%s-%s", q.From, q.To)
		body, err = a.sheetOf(tx, q, price)
		return err
	})
	if err != nil {
		return nil, a.fail(opExport, a.asProblem(err))
	}
	return &fileOut{Type: "text/csv; charset=utf-8", Disposition: `attachment; filename="` + name + `.csv"`, Body: body}, nil
}

// sheet writes lines for a spreadsheet in French: semicolons, a byte order mark so
// that LibreOffice and Excel read accents, and decimal commas.
func sheet(lines [][]string) []byte {
	b := bytes.NewBufferString("\ufeff")
	w := csv.NewWriter(b)
	w.Comma, w.UseCRLF = ';', true
	for _, l := range lines {
		for i, c := range l {
			l[i] = plain(c)
		}
		if err := w.Write(l); err != nil {
			panic(err) // a buffer takes everything
		}
	}
	w.Flush()
	return b.Bytes()
}

// plain is a cell that no spreadsheet takes for a formula (OWASP, CSV injection).
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		if _, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64); err != nil {
			return "'" + s
		}
	}
	return s
}

func (a *API) sheetOf(tx store.Tx, q report.Query, price float64) ([]byte, error) {
	r, err := a.reports.Read(tx, q)
	if err != nil {
		return nil, err
	}
	head := []string{map[report.By]string{report.BySite: "Lieu", report.ByTerritoire: "Territoire", report.ByType: "Type de lieu", report.ByGroup: "Groupe de lieux",
		report.ByMonth: "Mois", report.ByYear: "Année", report.BySchoolYear: "Année scolaire", report.ByNothing: "Ensemble"}[q.By]}
	for _, c := range columns() {
		head = append(head, c.head)
	}
	line := func(name string, i report.Indicators) []string {
		cells, v := []string{name}, figuresOf(i, true, price)
		for _, c := range columns() {
			n, ok := c.of(v)
			cell := ""
			if ok {
				cell = strings.Replace(strconv.FormatFloat(n, 'f', c.digits, 64), ".", ",", 1)
			}
			cells = append(cells, cell)
		}
		return cells
	}
	lines := [][]string{head}
	for _, l := range r.Lines {
		lines = append(lines, line(l.Name, l.Indicators))
	}
	return sheet(append(lines, line("Ensemble", r.Total))), nil
}

func dictionary() []byte {
	lines := [][]string{{"Colonne", "Nom dans les données ouvertes", "Unité", "Définition"}}
	for _, c := range columns() {
		lines = append(lines, []string{c.head, c.name, c.unit, c.means})
	}
	return sheet(append(lines, []string{"(cellule vide)", "(vide)", "", "Ne peut pas être dit : moins de cinq personnes, ou non calculable. Ce qui est masqué n’est dans aucun total."}))
}

// maxOpen bounds the months of one file.
const maxOpen = 36

// openData is one line for each site and month, for machines: commas, points, and
// names without accents. No terminal is in it.
func (a *API) openData(tx store.Tx, q report.Query, price float64) ([]byte, error) {
	b := &bytes.Buffer{}
	w := csv.NewWriter(b)
	head := []string{"mois", "lieu", "type", "commune", "territoire"}
	for _, c := range columns() {
		head = append(head, c.name)
	}
	lines := [][]string{head}
	places := map[string]report.Place{}
	for _, p := range q.Places {
		places[p.ID] = p
	}
	first, err := time.Parse(time.DateOnly, q.From)
	if err != nil {
		return nil, err
	}
	n := 0
	for m := first; m.Format(time.DateOnly) <= q.To && !m.After(q.Now); m = m.AddDate(0, 1, 0) {
		if n++; n > maxOpen {
			return nil, unfit("query.to", fmt.Sprintf("%d mois au plus dans un fichier", maxOpen))
		}
		one := q
		one.From, one.To, one.By = m.Format(time.DateOnly), m.AddDate(0, 1, -1).Format(time.DateOnly), report.BySite
		r, err := a.reports.Read(tx, one)
		if err != nil {
			return nil, err
		}
		for _, l := range r.Lines {
			p, v := places[l.Key], figuresOf(l.Indicators, true, price)
			cells := []string{m.Format("2006-01"), plain(p.Name), p.Type, plain(p.Commune), plain(p.Territoire)}
			for _, c := range columns() {
				x, ok := c.of(v)
				cell := ""
				if ok {
					cell = strconv.FormatFloat(x, 'f', c.digits, 64)
				}
				cells = append(cells, cell)
			}
			lines = append(lines, cells)
		}
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

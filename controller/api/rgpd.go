package api

import (
	"context"
	"net/http"

	"borne/controller/rgpd"
)

// Facts tells what the RGPD's documents are made of, about the sites that somebody
// sees.
type Facts func(ctx context.Context, sees func(site string) bool) (rgpd.Facts, error)

// RetentionClass is one class of retention, and how long it is kept now.
type RetentionClass struct {
	ID   string `json:"id" doc:"Its title is in the catalogues under console.retention.<id>"`
	Days int    `json:"days" doc:"0: another bound, which its title says"`
	From string `json:"from,omitempty" doc:"Day since which this holds; empty for the default"`
}

type rgpdIn struct {
	Document rgpd.Page `path:"document" enum:"registre,aipd,inventaire" doc:"registre: the register of processing; aipd: the annex of the impact assessment; inventaire: the data inventory"`
}

type pageOut struct {
	Type   string `header:"Content-Type"`
	Policy string `header:"Content-Security-Policy"`
	Body   []byte
}

// rgpd writes one document as a page to print: it has no script, and a style of its
// own.
func (a *API) rgpd(ctx context.Context, in *rgpdIn) (*pageOut, error) {
	if a.Facts == nil {
		return nil, newProblem(http.StatusServiceUnavailable, "Ce contrôleur ne connaît pas sa configuration.")
	}
	f, err := a.Facts(ctx, person(ctx).Sees)
	if err != nil {
		return nil, a.fail(opRGPD, err)
	}
	b, err := rgpd.Build(f).HTML(in.Document)
	if err != nil {
		return nil, a.fail(opRGPD, err)
	}
	return &pageOut{"text/html; charset=utf-8", rgpd.Policy(), b}, nil
}

// kept are the retention classes as they hold now.
func (a *API) kept() []RetentionClass {
	all := []RetentionClass{}
	for _, c := range rgpd.Classes(a.Retention, a.Now()) {
		all = append(all, RetentionClass{c.ID, c.Days, c.From})
	}
	return all
}

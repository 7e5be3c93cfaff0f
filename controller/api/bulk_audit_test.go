package api

import (
	"net/http"
	"slices"
	"testing"

	"borne/controller/accounts"
)

// TestBulkInTheAuditOfEachSite sends one command to two sites: whoever answers for one
// of them reads of it once, as of that site, and of no other site's.
func TestBulkInTheAuditOfEachSite(t *testing.T) {
	w := start(t)
	w.more()
	root := w.as(accounts.Administrator)
	r := ask("message", "a", "b")
	shown := decode[BulkPreview](t, w.do(root, "POST", "/api/bulk/preview", r), 200)
	v := decode[BulkView](t, w.do(root, "POST", "/api/bulk", BulkOrder{BulkRequest: r, Fingerprint: shown.Fingerprint, Reason: "alerte"}), http.StatusAccepted)
	for name, c := range map[string]struct {
		cookie string
		want   []string
	}{
		"everywhere":  {root, []string{"a", "b"}},
		"one site":    {w.as(accounts.DPO, "a"), []string{"a"}},
		"the other":   {w.as(accounts.Administrator, "b"), []string{"b"}},
		"both":        {w.as(accounts.DPO, "a", "b"), []string{"a", "b"}},
		"neither":     {w.as(accounts.DPO, "c"), nil},
		"one of both": {w.as(accounts.DPO, "b", "c"), []string{"b"}},
	} {
		var sites []string
		for _, e := range decode[AuditPage](t, w.do(c.cookie, "GET", "/api/audit?limit=100", nil), 200).Entries {
			if e.Action != "bulk" {
				continue
			}
			if e.Target != v.ID || e.Detail != "message, 4 postes de 2 lieux: alerte" {
				t.Errorf("%s: %+v", name, e)
			}
			sites = append(sites, e.Site)
		}
		slices.Sort(sites)
		if !slices.Equal(sites, c.want) {
			t.Errorf("%s reads of sites %q, want %q", name, sites, c.want)
		}
	}
}

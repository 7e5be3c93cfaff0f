package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"borne/controller/config"
)

// TestMetrics holds every metric to the exporters' guidelines, and to labels whose
// values are few and about nobody; the dashboard and the alerts name only what is
// there.
func TestMetrics(t *testing.T) {
	c := settings(t, fresh(t))
	c.Syslog = config.Syslog{Address: "127.0.0.1:1"} // nobody is there: its figures are
	s, _ := running(t, c)
	get(t, http.DefaultClient, s.ConsoleURL()+"/healthz")
	s.metrics.refused.WithLabelValues("rate").Add(0)
	text := get(t, http.DefaultClient, "http://"+s.MetricsAddr()+"/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, m := range regexp.MustCompile(`(?m)^borne_\w+\{([^}]*)\}`).FindAllStringSubmatch(text, -1) {
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[1], -1) {
			if !slices.Contains([]string{"kind", "status", "reason", "state", "version", "le"}, l[1]) {
				t.Errorf("a label that nobody looked at: %s", m[0])
			}
		}
	}
	have := map[string]bool{"up": true} // Prometheus's own
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(?:\{| )`).FindAllStringSubmatch(text, -1) {
		have[m[1]] = true
	}
	named := regexp.MustCompile(`\b((?:borne|process|go)_[a-z_]+)\b`)
	for _, file := range []string{"alertes.yml", "grafana.json"} {
		b, err := os.ReadFile("../../docs/monitoring/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(b) {
			t.Errorf("%s is no JSON", file)
		}
		names := named.FindAllStringSubmatch(string(b), -1)
		for _, m := range names {
			if !have[m[1]] {
				t.Errorf("%s names %s, which is not served", file, m[1])
			}
		}
		if len(names) < 10 {
			t.Errorf("%s names only %d metrics", file, len(names))
		}
	}
	documented(t, text)
	promtool(t, text)
}

// documented holds the table of docs/monitoring/mesures.md to what is served, in both
// directions, kinds included.
func documented(t *testing.T, text string) {
	t.Helper()
	kinds := map[string]string{"gauge": "jauge", "counter": "compteur", "histogram": "histogramme"}
	served := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (borne_\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		served[m[1]] = kinds[m[2]]
	}
	b, err := os.ReadFile("../../docs/monitoring/mesures.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(borne_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(b), -1) {
		said[m[1]] = m[2]
	}
	if !maps.Equal(served, said) || len(said) == 0 {
		t.Errorf("served: %v\nin mesures.md: %v", served, said)
	}
}

// promtool tries the alerts and every expression of the dashboard with Prometheus's own
// tool. Its parser is as strict with the dashboard's as with a rule's.
func promtool(t *testing.T, text string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIP: promtool is missing, the alerts and the dashboard were not tried; run scripts/setup")
	}
	dashboard := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(dashboard, rulesOf(t, "../../docs/monitoring/grafana.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", "alertes.yml"}, {"test", "rules", "alertes.test.yml"}, {"check", "rules", dashboard}, {"check", "metrics"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir, cmd.Stdin = "../../docs/monitoring", strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// rulesOf makes a file of rules (JSON is YAML) of every expression of a dashboard, its
// variables as Grafana would fill them in.
func rulesOf(t *testing.T, path string) []byte {
	t.Helper()
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	var rules []rule
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			e := strings.ReplaceAll(target.Expr, "$job", "borne")
			if e == "" || strings.Contains(e, "$") {
				t.Errorf("%q: a variable that the dashboard does not have, or nothing: %q", p.Title, e)
			}
			rules = append(rules, rule{fmt.Sprintf("panel:%d", len(rules)), e})
		}
	}
	if n := strings.Count(string(b), `"expr":`); n != len(rules) || n == 0 {
		t.Errorf("%d of the dashboard's %d expressions were found", len(rules), n)
	}
	type group struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	}
	b, err = json.Marshal(map[string][]group{"groups": {{"dashboard", rules}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

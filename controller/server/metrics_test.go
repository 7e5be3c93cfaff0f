package server

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
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
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIP: promtool is missing, the alerts were not tried (apt install prometheus)")
	}
	for _, args := range [][]string{{"check", "rules", "alertes.yml"}, {"test", "rules", "alertes.test.yml"}, {"check", "metrics"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir, cmd.Stdin = "../../docs/monitoring", strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

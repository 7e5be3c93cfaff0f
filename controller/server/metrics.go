package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"borne/controller/api"
	"borne/controller/store"
)

// metrics are counts without any label that could tell a person, a terminal or
// a place.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	refused  *prometheus.CounterVec
	purged   prometheus.Counter
	took     *prometheus.HistogramVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "borne_console_requests_total", Help: "Requests to the console by kind and status."}, []string{"kind", "status"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "borne_terminals_refused_total", Help: "Connections and enrolments refused, by reason code."}, []string{"reason"}),
		purged:   prometheus.NewCounter(prometheus.CounterOpts{Name: "borne_retention_rows_total", Help: "Rows deleted because their time had passed."}),
	}
	m.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "borne_console_request_duration_seconds", Help: "Time until the console's answer was written, without the live feed.",
		Buckets: []float64{.005, .02, .1, .5, 1, 2, 5, 15}}, []string{"kind"})
	cert := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "borne_console_certificate_expiry_timestamp_seconds", Help: "When the console's certificate ends; 0 while there is none."},
		func() float64 { return float64(s.front.expires()) })
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "borne_build_info", Help: "1, with the version.", ConstLabels: prometheus.Labels{"version": s.version}})
	build.Set(1)
	if s.syslog != nil {
		m.registry.MustRegister(
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "borne_syslog_dropped_total", Help: "Events that did not fit while the syslog collector was away."}, func() float64 { return float64(s.syslog.Dropped()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "borne_syslog_connected", Help: "1 while the syslog collector is reached."}, func() float64 {
				if s.syslog.Connected() {
					return 1
				}
				return 0
			}))
	}
	m.registry.MustRegister(m.requests, m.refused, m.purged, m.took, cert, build, &fleetCollector{s: s}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return mux
}

// count counts the console's requests.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := "file"
		if strings.HasPrefix(r.URL.Path, "/api/") {
			kind = "api"
		}
		c := &counted{ResponseWriter: w, status: http.StatusOK}
		began := time.Now()
		next.ServeHTTP(c, r)
		if r.URL.Path != "/api/live" { // it lasts as long as its page
			m.took.WithLabelValues(kind).Observe(time.Since(began).Seconds())
		}
		m.requests.WithLabelValues(kind, strconv.Itoa(c.status/100)+"xx").Inc()
	})
}

type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// fleetCollector counts terminals when somebody asks.
type fleetCollector struct{ s *Server }

func terminalsDesc() *prometheus.Desc {
	return prometheus.NewDesc("borne_terminals", "Terminals by state.", []string{"state"}, nil)
}

func generationDesc() *prometheus.Desc {
	return prometheus.NewDesc("borne_generation", "Rises at each restore of a backup.", nil, nil)
}

func (f *fleetCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- terminalsDesc()
	ch <- generationDesc()
}

func (f *fleetCollector) Collect(ch chan<- prometheus.Metric) {
	counts := map[api.State]int{}
	var generation uint64
	err := f.s.st.View(context.Background(), func(tx store.Tx) error {
		clear(counts)
		set, err := store.Get[store.Setting](tx, store.SettingController)
		if err != nil {
			return err
		}
		generation = set.Row.Generation
		for it, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			live, _ := f.s.terminals.Live(it.ID)
			state, _ := api.StateOf(it.Row, live, f.s.now())
			counts[state]++
		}
		return nil
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(terminalsDesc(), err)
		return
	}
	for _, s := range api.States() {
		ch <- prometheus.MustNewConstMetric(terminalsDesc(), prometheus.GaugeValue, float64(counts[s]), string(s))
	}
	ch <- prometheus.MustNewConstMetric(generationDesc(), prometheus.GaugeValue, float64(generation))
}

package fleet

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are totals since the start, without anything of a terminal or a place.
type counts struct{ connections, records, enrolments, clones atomic.Uint64 }

func descs() [5]*prometheus.Desc {
	d := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return [5]*prometheus.Desc{
		d("borne_uplinks", "Terminals connected now."),
		d("borne_uplink_connections_total", "Terminals welcomed."),
		d("borne_records_total", "Records taken from terminals, those sent again included."),
		d("borne_enrolments_total", "Terminals enrolled or replaced."),
		d("borne_clones_total", "Identities found on two machines at once."),
	}
}

// Describe implements prometheus.Collector.
func (f *Fleet) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descs() {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (f *Fleet) Collect(ch chan<- prometheus.Metric) {
	f.mu.Lock()
	online := len(f.conns)
	f.mu.Unlock()
	d := descs()
	ch <- prometheus.MustNewConstMetric(d[0], prometheus.GaugeValue, float64(online))
	for i, n := range []uint64{f.counts.connections.Load(), f.counts.records.Load(), f.counts.enrolments.Load(), f.counts.clones.Load()} {
		ch <- prometheus.MustNewConstMetric(d[i+1], prometheus.CounterValue, float64(n))
	}
}

package meter_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/hwtest"
	"borne/hw/meter"
	"borne/hw/sim"
)

func TestMetersOnSimulator(t *testing.T) {
	for dialect, step := range map[string]float64{meter.Shelly1: 1.0 / 60, meter.Shelly2: 0.001, meter.Tasmota: 0.01} {
		t.Run(dialect, func(t *testing.T) {
			hwtest.MeterSuite{Open: func(t *testing.T) *hwtest.MeterRig { return rig(t, dialect, step) }}.Run(t)
		})
	}
}

func rig(t *testing.T, dialect string, step float64) *hwtest.MeterRig {
	clk := sim.NewVirtualClock()
	bench := sim.NewBench(clk, 1)
	srv, err := bench.OpenMeter(dialect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	m, err := meter.Open(t.Context(), "meter", dialect, srv.Host, "0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	g := &hwtest.MeterRig{Meter: m, Step: 1.01 * step, Break: map[string]func(){},
		Draw: func(watts, hours float64) {
			bench.Meter().SetWatts(watts)
			clk.Advance(time.Duration(hours * float64(time.Hour)))
		},
		Mend:   func() { bench.Meter().SetFault("") },
		Reset:  bench.Meter().Reset,
		Absent: func() { srv.Close() },
	}
	for _, f := range []string{sim.MeterGarbage, sim.MeterFlood, sim.MeterInvalid, sim.MeterPassword, sim.MeterAway} {
		g.Break[f] = func() { bench.Meter().SetFault(f) }
	}
	if !testing.Short() && dialect == meter.Shelly2 { // the driver's deadline has to pass
		g.Break[sim.MeterSilent] = func() { bench.Meter().SetFault(sim.MeterSilent) }
	}
	return g
}

// A meter of the second generation without a relay knows PM1 only, and an EM of
// the first /emeter only: both are found out when they are opened.
func TestFindsWhereTheCounterIs(t *testing.T) {
	for dialect, answers := range map[string]map[string]string{
		meter.Shelly2: {"/rpc/PM1.GetStatus?id=1": `{"id":1,"apower":7.5,"aenergy":{"total":1234.5}}`},
		meter.Shelly1: {"/emeter/1": `{"power":7.5,"is_valid":true,"total":1234.5,"total_returned":0.0}`},
	} {
		var asked []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.String())
			if text, ok := answers[r.URL.String()]; ok {
				fmt.Fprint(w, text)
				return
			}
			http.NotFound(w, r)
		}))
		m, err := meter.Open(t.Context(), "meter", dialect, srv.Listener.Addr().String(), "1")
		if err != nil {
			t.Fatal(err)
		}
		asked = nil
		if e, err := m.Read(t.Context()); err != nil || e != (hw.Energy{Wh: 1234.5, Watts: 7.5}) || len(asked) != 1 {
			t.Errorf("%s: Read = %v, %v after %v", dialect, e, err, asked)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	}
}

func TestNeverLeavesTheBuilding(t *testing.T) {
	for _, host := range []string{"203.0.113.7", "8.8.8.8:80", "100.64.0.1", "0.0.0.0"} {
		_, err := meter.Open(t.Context(), "meter", meter.Tasmota, host, "")
		if err == nil || !strings.Contains(err.Error(), "must be on the local network") {
			t.Errorf("%s: error %v", host, err)
		}
	}
}

// Close ends a reading that hangs, without waiting for its deadline.
func TestCloseEndsAReading(t *testing.T) {
	bench := sim.NewBench(sim.NewVirtualClock(), 1)
	srv, err := bench.OpenMeter(meter.Tasmota)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	m, err := meter.Open(t.Context(), "meter", meter.Tasmota, srv.Host, "")
	if err != nil {
		t.Fatal(err)
	}
	bench.Meter().SetFault(sim.MeterSilent)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := m.Read(ctx)
		done <- err
	}()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, hw.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
}

func TestParse(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		read func([]byte) (hw.Energy, error)
		text string
		want hw.Energy
		bad  string
	}{
		// Bodies of real devices, as their owners published them.
		{meter.ParseShelly1, `{"power":8.61,"overpower":0.00,"is_valid":true,"timestamp":1612345678,"counters":[8.611,8.6,8.62],"total":73500}`, hw.Energy{Wh: 1225, Watts: 8.61}, ""},
		{meter.ParseShelly1, `{"power":0,"is_valid":false,"total":0}`, hw.Energy{}, "not valid"},
		{meter.ParseShelly1, `{"ison":true}`, hw.Energy{}, "no total"},
		{meter.ParseShellyEM, `{"power":10.66,"pf":1.00,"current":0.08,"voltage":232.06,"is_valid":true,"total":5.3,"total_returned":0.0}`, hw.Energy{Wh: 5.3, Watts: 10.66}, ""},
		{meter.ParseShelly2, `{"id":0,"source":"timer","output":true,"apower":8.9,"voltage":237.5,"aenergy":{"total":6532.345,"by_minute":[45.199,47.141,88.397],"minute_ts":1626935779},"temperature":{"tC":23.5,"tF":74.4}}`, hw.Energy{Wh: 6532.345, Watts: 8.9}, ""},
		{meter.ParseShelly2, `{"id":0,"aenergy":{"total":1}}`, hw.Energy{Wh: 1, Watts: nan}, ""},
		{meter.ParseShelly2, `{"id":0,"apower":1e300,"aenergy":{"total":1}}`, hw.Energy{}, "cannot be"},
		{meter.ParseShelly2, `{"id":0,"output":false}`, hw.Energy{}, "no total"},
		{meter.ParseShelly2, `{"aenergy":{"total":-4}}`, hw.Energy{}, "cannot be"},
		{meter.ParseShelly2, `{"aenergy":{"total":1e10}}`, hw.Energy{}, "cannot be"},
		{meter.ParseShelly2, `{"aenergy":{"total":null}}`, hw.Energy{}, "no total"},
		{meter.ParseTasmota, `{"StatusSNS":{"Time":"2022-03-28T19:15:01","ENERGY":{"TotalStartTime":"2021-01-01T00:00:00","Total":337.433,"Yesterday":1.5,"Today":0.3,"Power":27,"Factor":0.94,"Voltage":234,"Current":0.122}}}`, hw.Energy{Wh: 337433, Watts: 27}, ""},
		{meter.ParseTasmota, `{"StatusSNS":{"ENERGY":{"Total":[1.5,0.5],"Power":[20,3]}}}`, hw.Energy{Wh: 2000, Watts: 23}, ""},
		{meter.ParseTasmota, `{"StatusSNS":{"ENERGY":{"Total":[1.5,null],"Power":[20,3]}}}`, hw.Energy{}, "not known"},
		{meter.ParseTasmota, `{"StatusSNS":{"ENERGY":{"Total":[]}}}`, hw.Energy{}, "0 channels"},
		{meter.ParseTasmota, `{"StatusSNS":{"Time":"2018-02-15T01:00:50","Switch1":"OFF"}}`, hw.Energy{}, "no total"},
		{meter.ParseTasmota, `{"WARNING":"Need user=<username>&password=<password>"}`, hw.Energy{}, "password"},
		{meter.ParseTasmota, `{"Command":"Unknown"}`, hw.Energy{}, "no total"},
		{meter.ParseTasmota, `<html>`, hw.Energy{}, "cannot be read"},
	} {
		got, err := c.read([]byte(c.text))
		if (err == nil) != (c.bad == "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%s: error %v, want %q", c.text, err, c.bad)
			continue
		}
		if math.Abs(got.Wh-c.want.Wh) > 1e-6 || got.Watts != c.want.Watts && !(math.IsNaN(got.Watts) && math.IsNaN(c.want.Watts)) {
			t.Errorf("%s: %v, want %v", c.text, got, c.want)
		}
	}
}

func fuzz(f *testing.F, read func([]byte) (hw.Energy, error), seeds ...string) {
	for _, s := range append(seeds, ``, `null`, `[]`, `{"total":1e999}`, `{"total":-0.0,"power":null}`) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := read(b)
		if err != nil {
			if e != (hw.Energy{}) {
				t.Fatalf("%v beside the error %v", e, err)
			}
			return
		}
		if math.IsNaN(e.Wh) || e.Wh < 0 || e.Wh > 1e9 || math.Abs(e.Watts) > 1e5 {
			t.Fatalf("accepted %v", e)
		}
	})
}

func FuzzParseShelly1(f *testing.F) {
	fuzz(f, meter.ParseShelly1, `{"power":8.61,"is_valid":true,"counters":[8.6],"total":73500}`)
}

func FuzzParseShelly2(f *testing.F) {
	fuzz(f, meter.ParseShelly2, `{"id":0,"apower":8.9,"aenergy":{"total":6532.345,"by_minute":[45.199]}}`)
}

func FuzzParseTasmota(f *testing.F) {
	fuzz(f, meter.ParseTasmota, `{"StatusSNS":{"ENERGY":{"Total":337.433,"Power":27}}}`, `{"StatusSNS":{"ENERGY":{"Total":[1,2],"Power":[3,4]}}}`)
}

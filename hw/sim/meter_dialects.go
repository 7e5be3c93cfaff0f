package sim

import (
	"fmt"
	"math"
	"net/url"
	"strings"

	"borne/hw/meter"
)

// shaped answers a question in a meter's words; false: it does not know it.
type shaped func(u *url.URL, wh, watts float64, valid bool) (string, bool)

// shape is how a dialect answers, as the makers' documents and real devices do,
// with what a driver has no use for around it; nil: there is no such dialect.
func shape(dialect string) shaped {
	switch dialect {
	case meter.Shelly1: // a Shelly Plug S
		return func(u *url.URL, wh, watts float64, valid bool) (string, bool) {
			return fmt.Sprintf(`{"power":%.2f,"overpower":0.00,"is_valid":%t,"timestamp":1764120000,"counters":[%.3f,0.000,0.000],"total":%d}`,
				watts, valid, watts, int64(math.Floor(wh*60))), u.Path == "/meter/0"
		}
	case meter.Shelly2: // a Plus Plug S
		return func(u *url.URL, wh, watts float64, valid bool) (string, bool) {
			if !valid {
				return `{"id":0,"source":"init","output":true,"apower":null,"aenergy":{"total":null},"errors":["power_meter"]}`, u.Path == "/rpc/Switch.GetStatus"
			}
			return fmt.Sprintf(`{"id":0,"source":"init","output":true,"apower":%.1f,"voltage":231.4,"current":0.112,"aenergy":{"total":%.3f,"by_minute":[%.3f,0.000,0.000],"minute_ts":1764120000},"temperature":{"tC":38.2,"tF":100.8}}`,
				watts, wh, watts*1000/60), u.Path == "/rpc/Switch.GetStatus" && u.Query().Get("id") == "0"
		}
	case meter.Tasmota: // one on a Nous A1T, with EnergyRes 5
		return func(u *url.URL, wh, watts float64, valid bool) (string, bool) {
			if !valid {
				return `{"StatusSNS":{"Time":"2026-11-26T03:00:00"}}`, u.Path == "/cm"
			}
			return fmt.Sprintf(`{"StatusSNS":{"Time":"2026-11-26T03:00:00","ENERGY":{"TotalStartTime":"2026-09-01T08:00:00","Total":%.5f,"Yesterday":0.00000,"Today":0.00000,"Power":%.1f,"ApparentPower":30,"ReactivePower":19,"Factor":0.77,"Voltage":231,"Current":0.130}}}`,
				wh/1000, watts), u.Path == "/cm" && strings.EqualFold(u.Query().Get("cmnd"), "Status 8")
		}
	}
	return nil
}

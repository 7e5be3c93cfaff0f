package meter

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"borne/hw"
)

// Bounds of what a terminal's meter can tell; farther than that it is something else.
const (
	maxWh    = 1e9 // a thousand kW for a century
	maxWatts = 1e5
)

// ParseShelly1 reads /meter/N of a first generation: power in W, total in
// watt-minutes, and is_valid, which is false while its chip cannot measure
// (https://shelly-api-docs.shelly.cloud/gen1/#shelly-plug-plugs-meter-0).
func ParseShelly1(b []byte) (hw.Energy, error) {
	return parseShelly1(b, 60)
}

// ParseShellyEM reads /emeter/N of a Shelly EM or 3EM, whose total is in Wh
// (https://shelly-api-docs.shelly.cloud/gen1/#shelly-em-emeter-index).
func ParseShellyEM(b []byte) (hw.Energy, error) {
	return parseShelly1(b, 1)
}

func parseShelly1(b []byte, perWh float64) (hw.Energy, error) {
	var a struct {
		Power *float64 `json:"power"`
		Valid *bool    `json:"is_valid"`
		Total *float64 `json:"total"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return hw.Energy{}, unreadable(err)
	}
	if a.Valid != nil && !*a.Valid {
		return hw.Energy{}, errors.New("it says that its figures are not valid; cut its power once, and replace it if that does not help")
	}
	if a.Total != nil {
		*a.Total /= perWh
	}
	return reading(a.Total, a.Power)
}

// ParseShelly2 reads what Switch.GetStatus and PM1.GetStatus answer from the
// second generation on: apower in W, aenergy.total in Wh
// (https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/PM1).
func ParseShelly2(b []byte) (hw.Energy, error) {
	var a struct {
		Power  *float64 `json:"apower"`
		Energy struct {
			Total *float64 `json:"total"`
		} `json:"aenergy"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return hw.Energy{}, unreadable(err)
	}
	return reading(a.Energy.Total, a.Power)
}

// ParseTasmota reads what "Status 8" answers: Power in W, Total in kWh. Models
// with several channels tell a list, whose sum is what goes through them
// (https://tasmota.github.io/docs/JSON-Status-Responses/).
func ParseTasmota(b []byte) (hw.Energy, error) {
	var a struct {
		Sensors struct {
			Energy struct {
				Power *sum `json:"Power"`
				Total *sum `json:"Total"`
			} `json:"ENERGY"`
		} `json:"StatusSNS"`
		Warning string `json:"WARNING"` // "Need user=<username>&password=<password>"
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return hw.Energy{}, unreadable(err)
	}
	if a.Warning != "" {
		return hw.Energy{}, errors.New("it asks for a password, which is not supported: remove it (WebPassword 0) and let only the terminals' network reach it")
	}
	total, power := (*float64)(a.Sensors.Energy.Total), (*float64)(a.Sensors.Energy.Power)
	if total != nil {
		*total *= 1000
	}
	return reading(total, power)
}

// sum is a number, or the sum of a list of them.
type sum float64

// maxChannels bounds such a list.
const maxChannels = 16

// UnmarshalJSON implements json.Unmarshaler.
func (s *sum) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' {
		return json.Unmarshal(b, (*float64)(s))
	}
	var parts []*float64
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) == 0 || len(parts) > maxChannels {
		return fmt.Errorf("it has %d channels", len(parts))
	}
	*s = 0
	for _, p := range parts {
		if p == nil {
			return errors.New("one of its channels is not known")
		}
		*s += sum(*p)
	}
	return nil
}

func unreadable(err error) error {
	return fmt.Errorf("its answer cannot be read: %w; check its model and address", err)
}

// reading refuses what no meter of a terminal counts.
func reading(wh, watts *float64) (hw.Energy, error) {
	switch {
	case wh == nil:
		return hw.Energy{}, errors.New("it tells no total; choose a model that measures energy, and the right channel")
	case math.IsNaN(*wh) || *wh < 0 || *wh > maxWh:
		return hw.Energy{}, fmt.Errorf("it tells a total of %g Wh, which cannot be; check its model", *wh)
	}
	e := hw.Energy{Wh: *wh, Watts: math.NaN()}
	if watts != nil {
		if math.IsNaN(*watts) || math.Abs(*watts) > maxWatts {
			return hw.Energy{}, fmt.Errorf("it tells %g W, which cannot be; check its model", *watts)
		}
		e.Watts = *watts
	}
	return e, nil
}

package store

import (
	"math"
	"time"
)

// EnergyDay is what one terminal did in one local day, and what a meter counted of
// it. Meta.ID is RollupID, Meta.Scope the terminal. Seconds add up to the day's
// length at most: 23, 24 or 25 hours.
type EnergyDay struct {
	Day      string `json:"day" inventory:"local day;none-personal;life"`
	Terminal string `json:"terminal" inventory:"where;none-personal;life"`
	Site     string `json:"site" inventory:"where;none-personal;life"` // as in its Meta: a site's report finds its days by it
	Lit      int    `json:"lit" inventory:"seconds with the screen on;none-personal;life"`
	Dark     int    `json:"dark" inventory:"seconds with the screen off;none-personal;life"`
	Low      int    `json:"low" inventory:"seconds in low power;none-personal;life"`
	Halted   int    `json:"halted" inventory:"seconds off by plan;none-personal;life"`
	Off      int    `json:"off" inventory:"seconds off for another reason;none-personal;life"`

	Metered int     `json:"metered,omitempty" inventory:"seconds that a meter measured;none-personal;life"`
	Wh      float64 `json:"wh,omitempty" inventory:"energy that a meter measured;none-personal;life"` // in them
	Odd     int     `json:"odd,omitempty" inventory:"how many records were cut or refused because they cannot be;none-personal;life"`
	// Unsure is how many of these seconds, in the order above, were filed here because no
	// clock told when they were. They give way to those of a clock.
	Unsure  [5]int  `json:"unsure,omitzero" inventory:"seconds of which nobody knows the day;none-personal;life"`
	Counted []int64 `json:"counted,omitempty" inventory:"begins of the records that it counts, so that none counts twice;none-personal;life"` // Unix microseconds, or a number below 0 where the clock was not trusted; rising
}

// EnergyPart is a stretch of days, of which what they drew can be worked out with
// any watts: whether a day is a meter's or an estimate is decided day by day.
type EnergyPart struct {
	Lit    int `json:"lit,omitempty" inventory:"seconds with the screen on;none-personal;life"`
	Dark   int `json:"dark,omitempty" inventory:"seconds with the screen off;none-personal;life"`
	Low    int `json:"low,omitempty" inventory:"seconds in low power;none-personal;life"`
	Halted int `json:"halted,omitempty" inventory:"seconds off by plan;none-personal;life"`
	Off    int `json:"off,omitempty" inventory:"seconds off for another reason;none-personal;life"`
	Days   int `json:"days,omitempty" inventory:"how many days told something;none-personal;life"`
	Odd    int `json:"odd,omitempty" inventory:"how many records were cut or refused because they cannot be;none-personal;life"`
}

// Add adds o, n times; -1 takes it away.
func (p *EnergyPart) Add(o EnergyPart, n int) {
	p.Lit, p.Dark, p.Low, p.Halted, p.Off = p.Lit+n*o.Lit, p.Dark+n*o.Dark, p.Low+n*o.Low, p.Halted+n*o.Halted, p.Off+n*o.Off
	p.Days, p.Odd = p.Days+n*o.Days, p.Odd+n*o.Odd
}

// EnergyMonth is the sum of a terminal's days of energy in a calendar month: of
// those that a meter covers, and of the others. Meta.ID is RollupID of the month,
// Meta.Scope the terminal.
type EnergyMonth struct {
	Month     string     `json:"month" inventory:"calendar month;none-personal;life"`
	Terminal  string     `json:"terminal" inventory:"where;none-personal;life"`
	Estimated EnergyPart `json:"estimated" inventory:"days that no meter covers;none-personal;life"`
	Metered   EnergyPart `json:"metered,omitzero" inventory:"days that a meter covers;none-personal;life"`
	MilliWh   int64      `json:"milliWh,omitempty" inventory:"energy that a meter measured on these;none-personal;life"` // whole numbers: sums that are changed for years must stay exact
}

// MeterSlack is how many seconds of a day a meter may miss: it is read a moment
// after the terminal starts.
const MeterSlack = 300

// Add adds a day, n times; -1 takes it away.
func (m *EnergyMonth) Add(d EnergyDay, n int) {
	p := EnergyPart{Lit: d.Lit, Dark: d.Dark, Low: d.Low, Halted: d.Halted, Off: d.Off, Odd: d.Odd}
	known := d.Lit + d.Dark + d.Low + d.Halted
	if known+d.Off > 0 {
		p.Days = 1
	}
	if p.Days > 0 && d.Metered > 0 && d.Metered >= known-min(MeterSlack, known/10) {
		m.Metered.Add(p, n)
		m.MilliWh += int64(n) * int64(math.Round(d.Wh*1000))
		return
	}
	m.Estimated.Add(p, n)
}

// EnergyFigures is what the administrator set: what a terminal draws, by model, and
// what a kWh costs. Meta.ID is SettingController.
type EnergyFigures struct {
	Price   float64       `json:"price" inventory:"price of a kWh in euros;none-personal;life"`
	Models  []EnergyModel `json:"models" inventory:"watts of each model;none-personal;life"`
	Changed time.Time     `json:"changed" inventory:"when it changed;none-personal;life"`
	By      string        `json:"by" inventory:"user who changed it;public-task;audit"`
}

// EnergyModel is what terminals of one model draw, in watts.
type EnergyModel struct {
	Key     string   `json:"key"`
	Name    string   `json:"name"`   // shown to staff, in French
	Match   []string `json:"match"`  // parts of the names that their machines tell; the model without any is for all others
	Board   float64  `json:"board"`  // on
	Low     float64  `json:"low"`    // in low power
	Halted  float64  `json:"halted"` // off by plan
	Screen  float64  `json:"screen"` // its monitor, on
	Standby float64  `json:"standby"`
	Source  string   `json:"source"` // where these figures are from
}

func (EnergyDay) Table() Kind          { return KindEnergy }
func (d EnergyDay) Indexes() []Index   { return []Index{{"site", d.Site}} }
func (EnergyMonth) Table() Kind        { return KindEnergyMonth }
func (EnergyMonth) Indexes() []Index   { return nil }
func (EnergyFigures) Table() Kind      { return KindFigures }
func (EnergyFigures) Indexes() []Index { return nil }

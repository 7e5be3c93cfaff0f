package api

// Indicators are what places did in some days. A figure that is absent may not be
// told: fewer than five people are behind it.
type Indicators struct {
	Sites    int `json:"sites" doc:"Sites that were open to the public"`
	Colleges int `json:"colleges" doc:"Of these, collèges"`
	Shared   int `json:"shared" doc:"Of these, « collèges ayant mutualisé »: at least one visit outside school hours; when small counts are hidden, at least five in some month"`

	OpenSeconds    int `json:"openSeconds" doc:"How long sites were open, by the hours that held then; two sites at once count twice"`
	OutsideSeconds int `json:"outsideSeconds" doc:"Of these, outside school or office hours"`

	Visits        *int         `json:"visits,omitempty" doc:"Sessions that opened (« passages »); never to be added to badges"`
	OutsideVisits *int         `json:"outsideVisits,omitempty" doc:"Of these, begun outside school or office hours"`
	Badged        *int         `json:"badged,omitempty" doc:"Of these, with a badge"`
	Badges        []BadgeCount `json:"badges" doc:"Distinct badges (« bénéficiaires »), by month: over several months nobody can tell"`

	MeanSeconds   *int `json:"meanSeconds,omitempty" doc:"Mean length of a visit"`
	MedianSeconds *int `json:"medianSeconds,omitempty" doc:"Length in the middle, to within its class; of five visits or more"`

	Begun  []int `json:"begun" minItems:"24" maxItems:"24" doc:"Visits by the local hour at which they began"`
	Use    []int `json:"use" minItems:"24" maxItems:"24" doc:"Seconds of use, by local hour"`
	Untold []int `json:"untold" doc:"Local hours whose 0 in begun and use is not one: fewer than five people were there"`
	Unsure *int  `json:"unsure,omitempty" doc:"Visits without an hour, for want of a clock"`

	Langs []Counted `json:"langs" doc:"Visits by language, the most frequent first"`

	Pages    *int `json:"pages,omitempty" doc:"Printed sides"`
	Help     *int `json:"help,omitempty" doc:"How often help was asked for"`
	Refusals *int `json:"refusals,omitempty" doc:"How often somebody was not admitted"`

	Answers *int `json:"answers,omitempty" doc:"How many said how it went; five or more, whoever asks"`
	Good    *int `json:"good,omitempty" doc:"Of these, that it went well; five or more, whoever asks"`

	Energy EnergySum     `json:"energy"`
	Hidden HiddenFigures `json:"hidden" doc:"Months of sites that are not in a figure, for fewer than five people are behind theirs"`
}

// BadgeCount is how many badges were used in a month.
type BadgeCount struct {
	Month string `json:"month"`
	Count *int   `json:"count,omitempty" doc:"Absent when it cannot be told: the month's key is destroyed and these places were not counted together, or they are fewer than five"`
	Part  bool   `json:"part" doc:"Sites with fewer than five are not in it"`
	Ended bool   `json:"ended" doc:"The month's key is destroyed"`
}

// Counted is one key's count.
type Counted struct {
	Key   string `json:"key"`
	Count int    `json:"count"`
}

// HiddenFigures counts months of sites, by figure.
type HiddenFigures struct {
	Visits   int `json:"visits"`
	Outside  int `json:"outside"`
	Begun    int `json:"begun"`
	Langs    int `json:"langs"`
	Answers  int `json:"answers"`
	Pages    int `json:"pages"`
	Help     int `json:"help"`
	Refusals int `json:"refusals"`
}

// IndicatorLine is one place, set of places or stretch of days.
type IndicatorLine struct {
	Key  string     `json:"key" doc:"Id of the site or of the group of sites, name of the territoire, or 2026-09-01, 2026-W36, 2026-09, 2026, 2026-2027"`
	Name string     `json:"name"`
	Sum  Indicators `json:"sum"`
}

// IndicatorsReport answers for some days.
type IndicatorsReport struct {
	From    string          `json:"from" doc:"First local day"`
	To      string          `json:"to" doc:"Last local day, included"`
	By      string          `json:"by"`
	Of      string          `json:"of" doc:"Empty, or what it is limited to: site:…, territoire:…, type:…, group:…"`
	Guarded bool            `json:"guarded" doc:"Counts of fewer than five people are hidden"`
	All     bool            `json:"all" doc:"Whoever asks may see them all"`
	Over    string          `json:"over" doc:"Last local day that a report that hides small counts can reach: until then months are over, and nothing comes any more"`
	Price   float64         `json:"price" doc:"Euros a kWh"`
	Choices IndicatorPlaces `json:"choices" doc:"What it can be limited to"`
	Total   Indicators      `json:"total"`
	Lines   []IndicatorLine `json:"lines"`
	Count   int             `json:"count" doc:"Lines in all"`
	Next    int             `json:"next" doc:"Offset of the next page; 0 when this is the last"`
}

// IndicatorPlaces are the places that one may ask about.
type IndicatorPlaces struct {
	Sites       []PlaceChoice `json:"sites"`
	Territoires []string      `json:"territoires"`
	Types       []string      `json:"types"`
	Groups      []PlaceChoice `json:"groups" doc:"Groups of sites; a site may be in several"`
}

// PlaceChoice is a site, or a group of sites.
type PlaceChoice struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

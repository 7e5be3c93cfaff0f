package api

import "time"

// PolicyPreview is what rules would give, if they were published.
type PolicyPreview struct {
	Changes []DifferenceView `json:"changes" doc:"Values that would not be the same here"`
	Hours   []string         `json:"hours" doc:"What would change of the hours, in sentences"`
	Set     []string         `json:"set" doc:"Sections that would no longer be inherited"`
	Left    []string         `json:"left" doc:"Sections that would be inherited again"`
	Staged  bool             `json:"staged" doc:"One terminal would have it first, then a tenth of them, then all"`
	Hits    []HitView        `json:"hits" doc:"The terminals whose rules would not be the same, by space"`
}

// DifferenceView is one value before and after; null is a value that is not there.
type DifferenceView struct {
	Path   string `json:"path" doc:"JSON path of the value, as session.minutes"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// HitView is a space that a change reaches.
type HitView struct {
	Site      string   `json:"site"`
	SiteName  string   `json:"siteName"`
	Space     string   `json:"space"`
	SpaceName string   `json:"spaceName"`
	Terminals []string `json:"terminals" doc:"Their names"`
}

// PolicyChanges are the publications of a place's rules, newest first.
type PolicyChanges struct {
	Changes []PolicyChangeView `json:"changes"`
	Next    string             `json:"next,omitempty" doc:"Give it as before to get the next page"`
}

// PolicyChangeView is one publication.
type PolicyChangeView struct {
	ID       string           `json:"id"`
	Version  uint64           `json:"version"`
	At       time.Time        `json:"at"`
	By       string           `json:"by,omitempty"`
	Note     string           `json:"note,omitempty"`
	Sections []string         `json:"sections"`
	Changes  []DifferenceView `json:"changes"`
}

// RolloutView is how far a change has come that goes to a few terminals first.
type RolloutView struct {
	State        string    `json:"state" enum:"running,held,done,back,stopped"`
	Step         int       `json:"step" doc:"1: one terminal, 2: a tenth of them, 3: all"`
	Reached      int       `json:"reached" doc:"Terminals that have the new rules"`
	Of           int       `json:"of" doc:"Terminals that it changes"`
	Proved       int       `json:"proved" doc:"Of those reached, how many did well for long enough"`
	Since        time.Time `json:"since" doc:"When this step began"`
	DwellMinutes int       `json:"dwellMinutes"`
	Culprit      string    `json:"culprit,omitempty" doc:"The terminal that stopped it"`
	CulpritName  string    `json:"culpritName,omitempty"`
	Why          string    `json:"why,omitempty" doc:"Why it stopped: refused, out, late or away"`
	Detail       string    `json:"detail,omitempty" doc:"What the terminal said"`
}

// RolloutRequest goes on with the next terminals at once, holds, or goes back.
type RolloutRequest struct {
	Action string `json:"action" enum:"continue,hold,back"`
}

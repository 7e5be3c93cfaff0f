package api

import "time"

// PolicyPreview is what rules would give, if they were published.
type PolicyPreview struct {
	Changes []DifferenceView `json:"changes" doc:"Values that would not be the same here"`
	Hours   []string         `json:"hours" doc:"What would change of the hours, in sentences"`
	Set     []string         `json:"set" doc:"Sections that would no longer be inherited"`
	Left    []string         `json:"left" doc:"Sections that would be inherited again"`
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

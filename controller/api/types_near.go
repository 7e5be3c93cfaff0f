package api

import (
	"time"

	"borne/controller/policy"
)

// HelpView is where people are helped near each site.
type HelpView struct {
	Places   int            `json:"places" doc:"Of the file that was imported last"`
	Unread   []string       `json:"unread" doc:"Places whose hours cannot be read: none are shown for them"`
	Imported *time.Time     `json:"imported,omitempty"`
	By       string         `json:"by,omitempty" doc:"Who imported it"`
	Sites    []HelpSiteView `json:"sites"`
}

// HelpSiteView is what a site's terminals have.
type HelpSiteView struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Placed bool            `json:"placed" doc:"Its position is known; without it places of its commune are shown"`
	Lat    float64         `json:"lat"`
	Lon    float64         `json:"lon"`
	Near   []HelpPlaceView `json:"near" doc:"The nearest first; how many of them are shown is a rule of the site"`
}

// HelpPlaceView is one place, in brief.
type HelpPlaceView struct {
	Name    string          `json:"name"`
	Kind    policy.HelpKind `json:"kind" enum:"adviser,france,other"`
	Address string          `json:"address"`
	Phone   string          `json:"phone,omitempty"`
	Metres  int             `json:"metres" doc:"As the crow flies; 0 when it is not known"`
	Hours   string          `json:"hours,omitempty" doc:"In OpenStreetMap's syntax; empty when they are not known"`
}

// HelpFound is what a file of places has.
type HelpFound struct {
	Places   int      `json:"places"`
	Advisers int      `json:"advisers" doc:"Of these, with a conseiller numérique"`
	France   int      `json:"france" doc:"Of these, other France services"`
	Placed   int      `json:"placed" doc:"Of these, whose position is known: others are near no site, only in its commune"`
	Unread   []string `json:"unread" doc:"Places whose hours cannot be read"`
}

// Position is where a site is (WGS 84, in degrees); neither: not known.
type Position struct {
	Lat *float64 `json:"lat,omitempty" minimum:"-90" maximum:"90"`
	Lon *float64 `json:"lon,omitempty" minimum:"-180" maximum:"180"`
}

// Notices are the texts that people were shown before they began, newest first.
type Notices struct {
	Notices []NoticeView `json:"notices"`
}

// NoticeView is one of them.
type NoticeView struct {
	Level   string         `json:"level" enum:"global,site" doc:"Whose text it is"`
	Number  int            `json:"number"`
	From    time.Time      `json:"from"`
	To      *time.Time     `json:"to,omitempty" doc:"When another took its place; none: it is in force"`
	Version uint64         `json:"version" doc:"Of the policy that brought it: sessions name theirs"`
	By      string         `json:"by,omitempty"`
	Text    *policy.Notice `json:"text,omitempty" doc:"None: the site took the Département's text again"`
}

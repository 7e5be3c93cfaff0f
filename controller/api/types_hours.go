package api

import (
	"time"

	"borne/controller/policy"
)

// HoursView is a place's opening hours.
type HoursView struct {
	Rev        uint64             `json:"rev" doc:"Also the ETag; 0 while nothing was set here"`
	Level      string             `json:"level" enum:"site,space"`
	Own        bool               `json:"own" doc:"Set here; else they come from the level above"`
	Hours      policy.Hours       `json:"hours" doc:"What holds here, inheritance applied, with the school holidays of its zone"`
	OSM        string             `json:"osm" doc:"The same in OpenStreetMap's opening_hours syntax, without agreements and duty"`
	Changed    *time.Time         `json:"changed,omitempty"`
	By         string             `json:"by,omitempty" doc:"Who changed the hours of this level last"`
	Open       bool               `json:"open" doc:"Now"`
	Until      *time.Time         `json:"until,omitempty" doc:"When that changes next"`
	Cause      string             `json:"cause" doc:"always, weekly, season, monthly, exception, school, public or no-agreement"`
	Why        string             `json:"why"`
	Consents   []ConsentView      `json:"consents" doc:"What the head of the establishment was asked, by agreement"`
	Mails      bool               `json:"mails" doc:"This controller sends mails: the head can be asked"`
	Spaces     []HoursSpace       `json:"spaces" doc:"Of a site"`
	PublicDays []policy.PublicDay `json:"publicDays" doc:"Of this year and the next"`
	Calendar   CalendarCover      `json:"calendar"`
}

// HoursSpace is a space of a site whose hours are shown.
type HoursSpace struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Own  bool   `json:"own" doc:"It sets its own hours"`
}

// CalendarCover is how far the school holidays are known.
type CalendarCover struct {
	Zone  string     `json:"zone" enum:",A,B,C"`
	Until string     `json:"until,omitempty" doc:"Last day of the last holidays that are known"`
	Age   *time.Time `json:"age,omitempty" doc:"When they were imported"`
}

// HoursRequest sets a place's hours.
type HoursRequest struct {
	Hours   policy.Hours `json:"hours" lines:"many"`
	Inherit bool         `json:"inherit,omitempty" doc:"Give the own hours up: those of the level above hold"`
	Note    string       `json:"note,omitempty" maxLength:"200" doc:"Why, in the person's words"`
}

// PreviewRequest asks what hours would give.
type PreviewRequest struct {
	Hours policy.Hours `json:"hours" lines:"many"`
	From  string       `json:"from" format:"date" doc:"First day"`
	Days  int          `json:"days" minimum:"1" maximum:"400"`
}

// Preview is what hours would give.
type Preview struct {
	Days     []policy.DayPlan `json:"days"`
	Warnings []policy.Warning `json:"warnings" doc:"What may not be meant; it can be saved all the same"`
	Problems []HoursProblem   `json:"problems" doc:"What has to be mended before it can be saved"`
	Asks     []ConsentNeed    `json:"asks" doc:"What the head of the establishment is asked when it is saved"`
	Changes  []string         `json:"changes" doc:"What changes from what holds now, in sentences"`
	Next     *NextChange      `json:"next,omitempty"`
}

// HoursProblem is what is wrong with one part of hours.
type HoursProblem struct {
	Location string `json:"location" doc:"As in errors: body.hours.weekly[1]"`
	Message  string `json:"message"`
}

// NextChange is when it opens or closes next.
type NextChange struct {
	Open bool      `json:"open"`
	At   time.Time `json:"at"`
}

// HoursChanges are the changes of a place's hours, newest first.
type HoursChanges struct {
	Changes []HoursChangeView `json:"changes"`
	Next    string            `json:"next,omitempty" doc:"Give it as before to get the next page"`
}

// HoursChangeView is one change.
type HoursChangeView struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	By        string    `json:"by"`
	Sentences []string  `json:"sentences"`
	Note      string    `json:"note,omitempty"`
}

// UndoRequest names the change to go back before.
type UndoRequest struct {
	ID string `json:"id" maxLength:"100"`
}

// ApplyRequest gives several sites the same hours.
type ApplyRequest struct {
	Hours policy.Hours `json:"hours" lines:"many"`
	Sites []string     `json:"sites" minItems:"1" maxItems:"500"`
}

// Applied tells which sites have the hours now: all that were named, or none.
type Applied struct {
	Applied  []string      `json:"applied"`
	Problems []SiteProblem `json:"problems"`
}

// SiteProblem is why a site cannot have the hours.
type SiteProblem struct {
	Site    string `json:"site"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

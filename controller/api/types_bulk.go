package api

import "time"

// BulkRequest asks the same of several terminals: of all in the sites and spaces
// that are named, and of those that are named themselves.
type BulkRequest struct {
	Kind      string   `json:"kind" enum:"message,end,wipe,identify,out,back,awake"`
	Text      string   `json:"text,omitempty" maxLength:"300" doc:"Shown to people (message) or as the reason (out)"`
	Minutes   int      `json:"minutes,omitempty" minimum:"0" maximum:"1440" doc:"Of awake"`
	Sites     []string `json:"sites" maxItems:"500"`
	Spaces    []string `json:"spaces" maxItems:"500"`
	Terminals []string `json:"terminals" maxItems:"500"`
}

// BulkOrder sends what a preview showed.
type BulkOrder struct {
	BulkRequest
	Fingerprint string `json:"fingerprint" minLength:"1" maxLength:"64" doc:"Of the preview: when it would hit others by now, nothing is sent"`
	Reason      string `json:"reason,omitempty" maxLength:"200" doc:"Why, for the audit"`
}

// BulkHit is one terminal of a preview.
type BulkHit struct {
	Terminal  string `json:"terminal"`
	Name      string `json:"name"`
	Site      string `json:"site"`
	SiteName  string `json:"siteName"`
	SpaceName string `json:"spaceName"`
	Hit       bool   `json:"hit" doc:"It gets the command"`
	Why       string `json:"why,omitempty" doc:"Reason code: why it does not"`
	Cuts      bool   `json:"cuts" doc:"Somebody's session ends by it"`
	Offline   bool   `json:"offline" doc:"It gets the command when it comes back, until it expires"`
}

// BulkPreview is who would be hit now. Nothing is sent.
type BulkPreview struct {
	Fingerprint string    `json:"fingerprint"`
	Hits        []BulkHit `json:"hits" doc:"By site, space and name; those that are left out as well"`
	Terminals   int       `json:"terminals" doc:"That get the command"`
	Sites       int       `json:"sites" doc:"That these are of"`
	Cut         int       `json:"cut" doc:"Sessions that end by it"`
	Offline     int       `json:"offline" doc:"That are away now"`
	Minutes     int       `json:"minutes" doc:"It expires after so many"`
}

// BulkCounts is how far a bulk is.
type BulkCounts struct {
	Pending   int `json:"pending"`
	Delivered int `json:"delivered"`
	Done      int `json:"done"`
	Refused   int `json:"refused"`
	Expired   int `json:"expired"`
	LeftOut   int `json:"leftOut"`
}

// BulkBrief is one bulk and how far it is.
type BulkBrief struct {
	ID     string     `json:"id"`
	Kind   string     `json:"kind"`
	Text   string     `json:"text,omitempty"`
	Reason string     `json:"reason,omitempty"`
	By     string     `json:"by"`
	Issued time.Time  `json:"issued"`
	Counts BulkCounts `json:"counts" doc:"Of the terminals that the person sees"`
}

// BulkList are the last ones, newest first.
type BulkList struct {
	Bulks []BulkBrief `json:"bulks"`
	Next  string      `json:"next,omitempty"`
}

// BulkLine is what became of it at one terminal.
type BulkLine struct {
	Terminal  string     `json:"terminal"`
	Name      string     `json:"name"`
	SiteName  string     `json:"siteName"`
	SpaceName string     `json:"spaceName"`
	State     string     `json:"state" enum:"pending,delivered,done,refused,expired,left-out"`
	Answer    string     `json:"answer,omitempty" doc:"Reason code: why it was refused or left out"`
	Changed   *time.Time `json:"changed,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Online    bool       `json:"online"`
}

// BulkView is one bulk, terminal by terminal.
type BulkView struct {
	BulkBrief
	Lines []BulkLine `json:"lines" doc:"Of the terminals that the person sees"`
}

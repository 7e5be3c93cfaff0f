package api

import "time"

// SitesView is the places of the person's sites, the closed ones too, as who sets
// them up needs them.
type SitesView struct {
	Sites []SiteCard `json:"sites"`
	Steps *Steps     `json:"steps,omitempty" doc:"What is there of a new controller's first steps; for administrators of the whole Département"`
}

// Steps are the first ones of a new controller.
type Steps struct {
	Site     bool `json:"site" doc:"There is a site"`
	Space    bool `json:"space" doc:"One of them has a space"`
	Hours    bool `json:"hours" doc:"Somebody has set opening hours"`
	Rules    bool `json:"rules" doc:"Somebody has set other rules; those that Borne begins with may do"`
	Terminal bool `json:"terminal" doc:"A terminal was installed"`
}

// SiteCard is all that is set of one site.
type SiteCard struct {
	ID  string `json:"id"`
	Rev uint64 `json:"rev" doc:"Also the ETag, to change it"`
	SiteRequest
	Closed    *time.Time     `json:"closed,omitempty" doc:"Since when it is closed"`
	Spaces    []SpaceCard    `json:"spaces"`
	Terminals []TerminalCard `json:"terminals"`
	Codes     []CodeView     `json:"codes" doc:"Installation codes of the last day, newest first"`
}

// SpaceCard is all that is set of one space.
type SpaceCard struct {
	ID      string     `json:"id"`
	Rev     uint64     `json:"rev" doc:"Also the ETag, to change it"`
	Name    string     `json:"name"`
	Contact string     `json:"contact,omitempty"`
	Closed  *time.Time `json:"closed,omitempty"`
}

// TerminalCard is where a terminal stands, and whether it is installed.
type TerminalCard struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Space    string     `json:"space"`
	State    string     `json:"state" enum:"waiting,active,quarantined,revoked"`
	Machine  string     `json:"machine,omitempty"`
	Printer  string     `json:"printer,omitempty" doc:"What its printer calls itself"`
	Enrolled *time.Time `json:"enrolled,omitempty"`
}

// CodeView is an installation code, without the code.
type CodeView struct {
	ID       string    `json:"id"`
	Name     string    `json:"name" doc:"Of the terminal"`
	Space    string    `json:"space"`
	Replaces string    `json:"replaces,omitempty" doc:"Id of the terminal whose hardware it replaces, or that waits for its installation"`
	State    string    `json:"state" enum:"waiting,used,expired"`
	Terminal string    `json:"terminal,omitempty" doc:"Id of the terminal that it installed"`
	By       string    `json:"by,omitempty" doc:"Who made it"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
}

// SiteRequest creates or changes a site. What is left out is empty.
type SiteRequest struct {
	Name       string   `json:"name" minLength:"2" maxLength:"80"`
	Kind       string   `json:"kind" enum:"college,pms,mie,library,other"`
	Commune    string   `json:"commune" minLength:"1" maxLength:"60"`
	Territoire string   `json:"territoire,omitempty" maxLength:"60"`
	UAI        string   `json:"uai,omitempty" maxLength:"8" doc:"Number of the establishment in the national register: seven digits and the letter that they give"`
	Address    string   `json:"address,omitempty" maxLength:"200"`
	Phone      string   `json:"phone,omitempty" maxLength:"30" doc:"Told to who gets no help at a terminal"`
	Head       string   `json:"head,omitempty" maxLength:"200" doc:"Mail address of the office of its head, proposed when somebody asks for an agreement"`
	Lat        *float64 `json:"lat,omitempty" minimum:"-90" maximum:"90" doc:"WGS 84, in degrees: places of help are sought around it"`
	Lon        *float64 `json:"lon,omitempty" minimum:"-180" maximum:"180"`
}

// SpaceRequest creates or changes a space of a site.
type SpaceRequest struct {
	Name    string `json:"name" minLength:"2" maxLength:"80"`
	Contact string `json:"contact,omitempty" maxLength:"120" doc:"Role to call on an alarm, not a person's name"`
}

// ClosedRequest closes a place, or opens it again.
type ClosedRequest struct {
	Closed bool `json:"closed"`
}

// PlaceRequest renames a terminal, or moves it within its site.
type PlaceRequest struct {
	Name  string `json:"name" minLength:"1" maxLength:"60"`
	Space string `json:"space" minLength:"1" maxLength:"64" doc:"Id of a space of the same site"`
}

// SitesFile is the sites as a file of a spreadsheet.
type SitesFile struct {
	CSV string `json:"csv"`
}

// SitesImport brings sites in, whole or not at all.
type SitesImport struct {
	CSV   string `json:"csv" maxLength:"1048576" lines:"many"`
	Check bool   `json:"check,omitempty" doc:"Only say what would be done"`
}

// SitesImported is what an import did, or would do.
type SitesImported struct {
	Created int `json:"created" doc:"Sites that were not there"`
	Changed int `json:"changed" doc:"Sites of which something else is told"`
	Same    int `json:"same"`
	Spaces  int `json:"spaces" doc:"Spaces that were not there"`
}

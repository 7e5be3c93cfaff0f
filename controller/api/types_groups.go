package api

// GroupsView are the groups of sites that the person may know of.
type GroupsView struct {
	Groups []GroupView `json:"groups"`
}

// GroupView is one group of sites.
type GroupView struct {
	ID    string        `json:"id"`
	Rev   uint64        `json:"rev" doc:"Also the ETag, to change it"`
	Name  string        `json:"name"`
	Sites []PlaceChoice `json:"sites" doc:"Those that the person sees"`
	Own   []string      `json:"own" doc:"Sections of the rules that the group sets"`
}

// GroupRequest makes or changes a group of sites.
type GroupRequest struct {
	Name  string   `json:"name" minLength:"2" maxLength:"80"`
	Sites []string `json:"sites" maxItems:"1000" doc:"Ids of its sites; a site may be in several groups"`
}

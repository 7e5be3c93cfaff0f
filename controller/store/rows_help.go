package store

import (
	"encoding/json"
	"time"
)

// HelpPlace is one « lieu de médiation numérique » of the file that was imported
// last. Meta.ID is a digest of the file's own id.
type HelpPlace struct {
	Name    string  `json:"name" inventory:"name of a place where people are helped;none-personal;life"`
	Kind    string  `json:"kind" inventory:"what helps most there;none-personal;life"`
	Address string  `json:"address" inventory:"where it is;none-personal;life"`
	Commune string  `json:"commune" inventory:"where it is;none-personal;life"`
	Phone   string  `json:"phone,omitempty" inventory:"public number of the place;none-personal;life"`
	Lat     float64 `json:"lat,omitempty" inventory:"where it is;none-personal;life"`
	Lon     float64 `json:"lon,omitempty" inventory:"where it is;none-personal;life"`
	Placed  bool    `json:"placed" inventory:"whether its position is known;none-personal;life"`
	Hours   string  `json:"hours,omitempty" inventory:"when it is open, in OpenStreetMap's syntax;none-personal;life"`
	Updated string  `json:"updated,omitempty" inventory:"how old the entry is;none-personal;life"`
}

// HelpFile is what is known of that file. Meta.ID is HelpFileID.
type HelpFile struct {
	Places   int       `json:"places" inventory:"how many places it has;none-personal;life"`
	Unread   []string  `json:"unread" inventory:"names of places whose hours cannot be read;none-personal;life"`
	Imported time.Time `json:"imported" inventory:"when it was imported;none-personal;life"`
	By       string    `json:"by" inventory:"user who imported it;public-task;audit"`
}

// HelpFileID is the id of the one HelpFile.
const HelpFileID = "file"

// HelpNear are the places near a site, as its terminals show them. Meta.ID is the
// site.
type HelpNear struct {
	Places  json.RawMessage `json:"places" inventory:"the nearest places where people are helped;none-personal;life"`
	Version uint64          `json:"version" inventory:"rises with each change in the controller;none-personal;life"`
}

func (HelpPlace) Table() Kind      { return KindHelpPlace }
func (HelpPlace) Indexes() []Index { return nil }
func (HelpFile) Table() Kind       { return KindHelpFile }
func (HelpFile) Indexes() []Index  { return nil }
func (HelpNear) Table() Kind       { return KindHelpNear }
func (HelpNear) Indexes() []Index  { return nil }

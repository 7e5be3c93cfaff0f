package store

import (
	"time"
)

// Setting is the controller's own state. Meta.ID is SettingController.
type Setting struct {
	Generation uint64    `json:"generation" inventory:"+1 at each restore;none-personal;life"`
	Policy     uint64    `json:"policy" inventory:"last policy version given;none-personal;life"`
	Created    time.Time `json:"created" inventory:"when the controller was set up;none-personal;life"`
	Name       string    `json:"name,omitempty" inventory:"name of the Département's service;none-personal;life"`
	Kept       Kept      `json:"kept,omitzero" inventory:"how long each class is kept, as people are told;none-personal;life"`
	KeptAs     uint64    `json:"keptAs,omitempty" inventory:"policy version that told it;none-personal;life"`
}

// NextPolicy gives the next version of a policy. The first is 2: 1 is that of the
// defaults, which terminals have when nothing was set, and whoever refused it
// would seem to have applied it.
func (s *Setting) NextPolicy() uint64 {
	s.Policy = max(s.Policy, 1) + 1
	return s.Policy
}

// SettingController is the id of the one Setting.
const SettingController = "controller"

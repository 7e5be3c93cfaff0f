package api

import (
	"time"

	"borne/controller/store"
)

// EnergySum is what terminals did in some days, and what they drew.
type EnergySum struct {
	OnSeconds     int     `json:"onSeconds"`
	LitSeconds    int     `json:"litSeconds" doc:"On, with the screen on"`
	DarkSeconds   int     `json:"darkSeconds" doc:"On, with the screen off"`
	LowSeconds    int     `json:"lowSeconds" doc:"On, in low power"`
	HaltedSeconds int     `json:"haltedSeconds" doc:"Off by plan"`
	OffSeconds    int     `json:"offSeconds" doc:"Off for another reason: a power cut; it counts as no saving"`
	UsedKwh       float64 `json:"usedKwh"`
	AlwaysKwh     float64 `json:"alwaysKwh" doc:"What the same terminals would have drawn, always lit; always an estimate"`
	SavedKwh      float64 `json:"savedKwh" doc:"alwaysKwh - usedKwh; always an estimate, below 0 where the figures of the model are too low"`
	SavedEuros    float64 `json:"savedEuros"`
	Basis         string  `json:"basis" enum:"none,estimated,measured,mixed" doc:"What usedKwh rests on: watts of the model by time, a meter, or some days each"`
	Days          int     `json:"days" doc:"Days of terminals that told something"`
	MeasuredDays  int     `json:"measuredDays" doc:"Of these, days that a meter covers"`
	Odd           int     `json:"odd" doc:"Records that were cut or refused because they cannot be"`
}

// EnergyTerminal is one terminal's.
type EnergyTerminal struct {
	Terminal  string    `json:"terminal" doc:"Its id"`
	Name      string    `json:"name"`
	SpaceName string    `json:"spaceName"`
	Model     string    `json:"model" doc:"Key of the model whose watts count"`
	ModelName string    `json:"modelName"`
	Sum       EnergySum `json:"sum"`
}

// EnergyReport is a site's energy in some days.
type EnergyReport struct {
	Site      string           `json:"site"`
	From      string           `json:"from" doc:"First local day"`
	To        string           `json:"to" doc:"Last local day, included"`
	Price     float64          `json:"price" doc:"Euros a kWh"`
	Measured  int              `json:"measured" doc:"Terminals whose every day is measured"`
	Told      int              `json:"told" doc:"Terminals that told something"`
	Total     EnergySum        `json:"total"`
	Terminals []EnergyTerminal `json:"terminals"`
}

// EnergyFiguresView is the watts and the price that reports are made with.
type EnergyFiguresView struct {
	Rev     uint64              `json:"rev" doc:"Also the ETag; 0 while nothing was set"`
	Default bool                `json:"default" doc:"Nobody changed them yet: they are orders of magnitude"`
	Price   float64             `json:"price" doc:"Euros a kWh"`
	Models  []store.EnergyModel `json:"models"`
	Changed *time.Time          `json:"changed,omitempty"`
	By      string              `json:"by,omitempty" doc:"Who changed them last"`
}

// EnergyFiguresRequest sets all of them. One model, and only one, is without Match:
// it is for all other machines.
type EnergyFiguresRequest struct {
	Price  float64             `json:"price"`
	Models []store.EnergyModel `json:"models" maxItems:"20"`
}

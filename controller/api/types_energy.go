package api

import (
	"time"

	"borne/controller/store"
)

// PowerBrief is how a terminal saves energy now.
type PowerBrief struct {
	State   string     `json:"state,omitempty" doc:"lit, dim, dark, low or halting, as it says; empty when it is away"`
	Dark    bool       `json:"dark" doc:"Its screen was seen to be dark"`
	Blind   bool       `json:"blind,omitempty" doc:"Nothing can see whether its screen is dark: its display's state cannot be read; the time counts as lit"`
	Held    *time.Time `json:"held,omitempty" doc:"Staff hold it awake until then"`
	Wakes   *time.Time `json:"wakes,omitempty" doc:"It is off by plan, and its clock wakes it then"`
	Alarm   string     `json:"alarm,omitempty" doc:"Why its clock cannot wake it, so that it is never off by plan"`
	Trouble string     `json:"trouble,omitempty" enum:"power-awake,power-unwoken" doc:"Reason code of what is wrong with how it sleeps"`
	Since   *time.Time `json:"since,omitempty" doc:"Since when that is wrong"`
}

// AwakeRequest holds a space's terminals awake.
type AwakeRequest struct {
	Minutes int `json:"minutes" minimum:"0" maximum:"1440" doc:"For how long they save no energy; 0: they may save again"`
}

// AwakeView is what became of it.
type AwakeView struct {
	Told  int        `json:"told" doc:"Terminals that are connected, and were told"`
	Away  int        `json:"away" doc:"Terminals that are off, or not connected: they hear of it when they are back"`
	Until *time.Time `json:"until,omitempty" doc:"Until when they are held; absent when they may save again"`
}

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
	Models []store.EnergyModel `json:"models" maxItems:"20" lines:"many"`
}

package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"borne/controller/store"
)

// Bounds of what an administrator can set.
const (
	MaxModels = 20
	maxWatts  = 1000
	maxPrice  = 5 // euros a kWh
	maxWords  = 300
)

// DefaultFigures are what holds until an administrator sets something else. They
// are orders of magnitude to be replaced by the reading of a meter on one terminal
// of each model, and by the price of the Département's own contract.
//
// Price: regulated tariff (TRVE, option Base, 6 kVA), all taxes included, from
// 1 February 2026: 0.1940 € a kWh.
//
// Raspberry Pi 4: 3.1 W idle, 0.12 W halted; the latter needs WAKE_ON_GPIO=0 and
// POWER_OFF_ON_HALT=1 in its EEPROM, and is about 1.3 W without (forum and press
// measurements). Raspberry Pi 5: about 3.3 W idle, 1.2 to 1.6 W halted, 0.01 W with
// POWER_OFF_ON_HALT=1 (jeffgeerling.com, 2023). A processor that is made slow while
// nobody is there saves next to nothing on these boards, so low power is counted as
// idle: what is saved then is the monitor's.
//
// PC: an office machine of the last ten years idles at 25 to 35 W; off, regulation
// (EU) 617/2013 allows 1 W. Monitor: 20 W for 22 to 24 inches, see its energy label
// (kWh for 1000 h is W); on standby regulation (EU) 2019/2021 allows 0.5 W.
func DefaultFigures() store.EnergyFigures {
	screen := func(m store.EnergyModel) store.EnergyModel {
		m.Screen, m.Standby = 20, 0.5
		return m
	}
	const monitor = " Écran : 20 W allumé (à lire sur son étiquette-énergie), 0,5 W en veille (règlement UE 2019/2021)."
	return store.EnergyFigures{Price: 0.194, Models: []store.EnergyModel{
		screen(store.EnergyModel{Key: "pi4", Name: "Raspberry Pi 4", Match: []string{"Raspberry Pi 4", "Raspberry Pi 400", "Compute Module 4"},
			Board: 3.1, Low: 3.1, Halted: 0.12,
			Source: "3,1 W au repos ; 0,12 W arrêté avec WAKE_ON_GPIO=0 et POWER_OFF_ON_HALT=1 (environ 1,3 W sans ce réglage : changez alors ce chiffre)." + monitor}),
		screen(store.EnergyModel{Key: "pi5", Name: "Raspberry Pi 5", Match: []string{"Raspberry Pi 5", "Raspberry Pi 500", "Compute Module 5"},
			Board: 3.3, Low: 3.3, Halted: 1.4,
			Source: "3,3 W au repos ; 1,2 à 1,6 W arrêté, 0,01 W avec POWER_OFF_ON_HALT=1 (mesures de Jeff Geerling, 2023)." + monitor}),
		screen(store.EnergyModel{Key: "pc", Name: "PC reconditionné", Match: []string{"OptiPlex", "ProDesk", "EliteDesk", "ThinkCentre", "Esprimo", "Veriton"},
			Board: 35, Low: 25, Halted: 1,
			Source: "Ordre de grandeur d’un PC de bureau, à mesurer ; 1 W éteint (règlement UE 617/2013)." + monitor}),
		screen(store.EnergyModel{Key: "other", Name: "Autre matériel", Match: []string{},
			Board: 6, Low: 6, Halted: 1,
			Source: "Ordre de grandeur d’un petit ordinateur sans ventilateur, à mesurer." + monitor}),
	}}
}

// CheckFigures names, in French, what cannot be kept; by its place in the request.
func CheckFigures(f store.EnergyFigures) map[string]string {
	bad := map[string]string{}
	if math.IsNaN(f.Price) || f.Price <= 0 || f.Price > maxPrice {
		bad["price"] = fmt.Sprintf("donnez le prix d’un kWh en euros, entre 0 et %d, par exemple 0,194", maxPrice)
	}
	if len(f.Models) == 0 || len(f.Models) > MaxModels {
		bad["models"] = fmt.Sprintf("donnez de 1 à %d modèles", MaxModels)
		return bad
	}
	keys, others := []string{}, 0
	for i, m := range f.Models {
		at := fmt.Sprintf("models[%d].", i)
		if m.Key == "" || len(m.Key) > 40 || slices.Contains(keys, m.Key) {
			bad[at+"key"] = "chaque modèle a une clé à lui, de 40 lettres au plus"
		}
		keys = append(keys, m.Key)
		if n := utf8.RuneCountInString(m.Name); n < 1 || n > 60 {
			bad[at+"name"] = "donnez un nom de 1 à 60 lettres"
		}
		if utf8.RuneCountInString(m.Source) > maxWords {
			bad[at+"source"] = fmt.Sprintf("%d lettres au plus", maxWords)
		}
		if len(m.Match) == 0 {
			others++
		}
		if len(m.Match) > 20 || slices.ContainsFunc(m.Match, func(s string) bool { return len(strings.TrimSpace(s)) < 2 || len(s) > 60 }) {
			bad[at+"match"] = "20 noms au plus, de 2 à 60 lettres chacun"
		}
		for name, w := range map[string]float64{"board": m.Board, "low": m.Low, "halted": m.Halted, "screen": m.Screen, "standby": m.Standby} {
			if math.IsNaN(w) || w < 0 || w > maxWatts {
				bad[at+name] = fmt.Sprintf("une puissance en watts, entre 0 et %d", maxWatts)
			}
		}
		switch {
		case bad[at+"halted"] == "" && m.Halted > m.Board:
			bad[at+"halted"] = "arrêté, il ne peut pas consommer plus qu’allumé"
		case bad[at+"low"] == "" && m.Low > m.Board:
			bad[at+"low"] = "en veille, il ne peut pas consommer plus qu’allumé"
		case bad[at+"standby"] == "" && m.Standby > m.Screen:
			bad[at+"standby"] = "en veille, l’écran ne peut pas consommer plus qu’allumé"
		}
	}
	if others != 1 {
		bad["models"] = "un modèle, et un seul, doit être sans nom de machine : il vaut pour tout autre matériel"
	}
	return bad
}

// ModelOf finds a machine's model: the longest part of a name that it has, so that
// a « Raspberry Pi 500 » is none of 5; the model without names otherwise.
func ModelOf(f store.EnergyFigures, machine string) store.EnergyModel {
	var best store.EnergyModel
	longest := -1
	for _, m := range f.Models {
		if len(m.Match) == 0 && longest < 0 {
			best, longest = m, 0
		}
		for _, part := range m.Match {
			if len(part) > longest && strings.Contains(strings.ToLower(machine), strings.ToLower(part)) {
				best, longest = m, len(part)
			}
		}
	}
	return best
}

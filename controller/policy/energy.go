package policy

// Energy says what a terminal saves when nobody is there.
type Energy struct {
	DimMinutes   int   `json:"dimMinutes"`   // by day, without anybody, until the welcome is dimmed; 0: never
	DarkMinutes  int   `json:"darkMinutes"`  // by day, without anybody, until the screen goes dark; 0: never, since people take a black screen for a broken one
	Night        Night `json:"night"`        // outside opening hours
	NightMinutes int   `json:"nightMinutes"` // after closing, until that begins
	WakeMinutes  int   `json:"wakeMinutes"`  // before opening, when it is up again: 10 to 15
}

// Night is how deep a terminal sleeps outside opening hours.
type Night string

// Nights.
const (
	NightLit  Night = "lit"  // not at all
	NightDark Night = "dark" // the screen is off
	NightLow  Night = "low"  // besides: relay off, printer asleep, processor slow
	NightHalt Night = "halt" // off, with an alarm of its clock; NightLow without one that is verified
)

// DefaultEnergy suits any board.
func DefaultEnergy() Energy {
	return Energy{DimMinutes: 10, Night: NightLow, NightMinutes: 5, WakeMinutes: 12}
}

package sandbox

import "time"

// MaxSleep bounds how far ahead a machine's own alarm may lie: a day, and what
// clocks that count minutes add to it.
const MaxSleep = 24*time.Hour + 2*time.Minute

// Govern has the processor save power, or work as it did before. Answer: Powered,
// with its Governor. Where the processor cannot be governed the answer says so;
// that is no error.
type Govern struct {
	Low bool `json:"low"`
}

// Wake sets the alarm that starts the machine, or clears it when At is zero. It
// is the warden's because the clock's attributes are root's. Answer: Powered, with
// the Alarm as it reads back.
type Wake struct {
	At time.Time `json:"at,omitzero"`
}

// Halt switches the machine off. The warden looks for itself: it does so only
// when the clock's alarm reads back at WakeAt, within MaxSleep, and when nobody
// is in a session. A simulated terminal stays on, and the answer says so.
type Halt struct {
	WakeAt time.Time `json:"wakeAt"`
}

// Powered is what became of Govern, Wake or Halt.
type Powered struct {
	Governor string    `json:"governor,omitempty"` // of the processor now; empty: it cannot be governed
	Alarm    time.Time `json:"alarm,omitzero"`
	Sim      bool      `json:"sim,omitempty"` // nothing was done: the terminal is simulated
}

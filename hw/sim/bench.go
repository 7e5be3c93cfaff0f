// Package sim simulates a terminal's hardware, faults included: a register-level
// MFRC522 with cards before it, contacts, outputs, a screen, an energy meter and a
// printer's condition. It ships in the binary: a Bench serves it by hand.
package sim

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"borne/hw"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"
)

// MaxCards is how many cards a bench holds out at once.
const MaxCards = 8

// maxOutputs bounds the outputs that a configuration can create.
const maxOutputs = 32

// Bench is one terminal's simulated hardware. Safe for concurrent use.
type Bench struct {
	clk    Clock
	chip   *MFRC522
	pn     *PN532
	box    *contact
	call   *contact
	alarm  *contact
	stands *contact // somebody before the terminal
	screen *lamp
	meter  *EnergyMeter
	rtc    *RTC
	reads  uint32 // readings of SUN messages, of all cards: each one's count rises. The chip's lock guards it

	mu      sync.Mutex
	usesPN  bool // the reader is the PN532
	outputs map[string]*lamp
	jam     bool
	empty   bool
}

// NewBench returns a bench where all is well: reader plugged, no card, case
// closed, nobody calling, screen lit, printer ready. Use the process's real
// clock in a binary, a VirtualClock in tests; the same seed makes the same faults.
func NewBench(clk Clock, seed uint64) *Bench {
	return &Bench{
		clk:     clk,
		chip:    NewMFRC522(clk, seed),
		pn:      NewPN532(clk, seed),
		box:     newContact("case", hw.Off),
		call:    newContact("call", hw.Off),
		alarm:   newContact("alarm", hw.Off),
		stands:  newContact("presence", hw.Off),
		screen:  &lamp{level: hw.On},
		meter:   &EnergyMeter{clk: clk, watts: usualWatts, wh: usedWh, at: clk.Now()},
		rtc:     NewRTC(time.Now),
		outputs: map[string]*lamp{},
	}
}

// Chip is the reader's chip, for faults.
func (b *Bench) Chip() *MFRC522 { return b.chip }

// PN532 is the other reader chip, for faults.
func (b *Bench) PN532() *PN532 { return b.pn }

// OpenReader opens the reader's SPI port; it fails with hw.ErrAbsent while the
// reader is unplugged.
func (b *Bench) OpenReader() (spi.PortCloser, error) {
	b.use(false)
	return b.chip.Open()
}

// OpenPN532 says that the reader is a PN532, and returns it: its owner opens one
// of its buses.
func (b *Bench) OpenPN532() *PN532 {
	b.use(true)
	return b.pn
}

// benchReader is a reader chip with cards before it.
type benchReader interface {
	Put(hold time.Duration, cards ...*Card)
	state() ReaderState
}

// reader is the chip that was opened last: cards are held out to it.
func (b *Bench) reader() benchReader {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.usesPN {
		return b.pn
	}
	return b.chip
}

// use chooses the chip; cards held out to another one are taken away.
func (b *Bench) use(pn bool) {
	b.mu.Lock()
	changed := b.usesPN != pn
	b.usesPN = pn
	b.mu.Unlock()
	if !changed {
		return
	}
	if pn {
		b.chip.Put(0)
	} else {
		b.pn.Put(0)
	}
}

// ResetPin is the reader's NRSTPD line.
func (b *Bench) ResetPin() gpio.PinOut { return b.chip.ResetPin() }

// Tap holds out cards with these UIDs instead of what was held out before. They
// leave after hold, or at Lift when it is 0. A 4-byte UID that begins with 0x08
// is a phone's: it changes at each power-up of the field.
func (b *Bench) Tap(hold time.Duration, uids ...[]byte) error {
	return b.TapKind(hold, KindUID, uids...)
}

// TapKind does the same with cards of one kind.
func (b *Bench) TapKind(hold time.Duration, kind string, uids ...[]byte) error {
	if len(uids) == 0 || len(uids) > MaxCards {
		return fmt.Errorf("cannot hold out %d cards: give 1 to %d", len(uids), MaxCards)
	}
	if hold < 0 {
		return fmt.Errorf("cannot hold out a card for %v", hold)
	}
	cards := make([]*Card, 0, len(uids))
	for i, u := range uids {
		if n := len(u); n != 4 && n != 7 && n != 10 {
			return fmt.Errorf("cannot hold out card %d: its UID has %d bytes; give 4, 7 or 10", i+1, n)
		}
		if err := plausible(u); err != nil {
			return fmt.Errorf("cannot hold out card %d: %w", i+1, err)
		}
		if slices.ContainsFunc(uids[:i], func(v []byte) bool { return slices.Equal(u, v) }) {
			return fmt.Errorf("cannot hold out card %d: another one has its UID", i+1)
		}
		k, err := b.issue(kind, u)
		if err != nil {
			return fmt.Errorf("cannot hold out card %d: %w", i+1, err)
		}
		cards = append(cards, k)
	}
	b.reader().Put(hold, cards...)
	return nil
}

// plausible refuses UIDs that would read as incomplete: a part that is a UID's
// last must not begin with the cascade tag (ISO/IEC 14443-3, 6.5.4).
func plausible(u []byte) error {
	if len(u) == 4 && u[0] == 0x88 || len(u) == 7 && u[3] == 0x88 {
		return fmt.Errorf("byte %d of its UID is 0x88, the cascade tag, which no card of that size has there", len(u)-3)
	}
	return nil
}

// Lift takes the cards away.
func (b *Bench) Lift() { b.reader().Put(0) }

// OpenCase opens the case: its contact reads hw.On.
func (b *Bench) OpenCase() { b.box.set(hw.On) }

// CloseCase closes the case: its contact reads hw.Off.
func (b *Bench) CloseCase() { b.box.set(hw.Off) }

// CutCase cuts the case contact's wire: it reads hw.Unknown.
func (b *Bench) CutCase() { b.box.set(hw.Unknown) }

// Case opens the case contact: hw.On is open.
func (b *Bench) Case() hw.Input { return b.box.open() }

// PressCall and ReleaseCall move the call-staff button.
func (b *Bench) PressCall() { b.call.set(hw.On) }

// ReleaseCall lets the call-staff button go.
func (b *Bench) ReleaseCall() { b.call.set(hw.Off) }

// Call opens the call-staff button: hw.On is pressed.
func (b *Bench) Call() hw.Input { return b.call.open() }

// Arm and Disarm switch the building's intrusion alarm.
func (b *Bench) Arm() { b.alarm.set(hw.On) }

// Disarm switches it off.
func (b *Bench) Disarm() { b.alarm.set(hw.Off) }

// Alarm opens the alarm's contact: hw.On is armed.
func (b *Bench) Alarm() hw.Input { return b.alarm.open() }

// Come and Leave move a person before the terminal.
func (b *Bench) Come() { b.stands.set(hw.On) }

// Leave takes the person away.
func (b *Bench) Leave() { b.stands.set(hw.Off) }

// Presence opens the presence sensor: hw.On is somebody there.
func (b *Bench) Presence() hw.Input { return b.stands.open() }

// UnplugReader takes the reader away: transfers fail with EIO and opening with hw.ErrAbsent.
func (b *Bench) UnplugReader() {
	b.chip.plug(false)
	b.pn.plug(false)
}

// PlugReader brings the reader back, freshly powered; ports opened before stay dead.
func (b *Bench) PlugReader() {
	b.chip.plug(true)
	b.pn.plug(true)
}

// Screen is the display's light.
func (b *Bench) Screen() hw.Screen { return screen{b.screen} }

// RTC is the clock that can start the machine.
func (b *Bench) RTC() *RTC { return b.rtc }

// Output opens the output of that name, creating it switched off. Like a real
// one it is switched off again when it is closed.
func (b *Bench) Output(name string) (hw.Output, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o, ok := b.outputs[name]; ok {
		return &output{lamp: o}, nil
	}
	if name == "" || len(name) > 64 {
		return nil, fmt.Errorf("cannot open an output named %.64q: give it a name of 1 to 64 bytes", name)
	}
	if len(b.outputs) == maxOutputs {
		return nil, fmt.Errorf("cannot open output %q: the bench has %d already", name, maxOutputs)
	}
	o := &lamp{level: hw.Off}
	b.outputs[name] = o
	return &output{lamp: o}, nil
}

// SetPrinter sets whether paper is jammed and whether there is any.
func (b *Bench) SetPrinter(jam, paper bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jam, b.empty = jam, !paper
}

// Printer returns what SetPrinter set.
func (b *Bench) Printer() (jam, paper bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.jam, !b.empty
}

// Package health watches over the board that a terminal runs on: its power, its
// temperature, its memory and the storage that it lives from. It reads what
// Linux shows in /sys and /proc, and needs no privilege for it; what a board or
// an account cannot see is left out.
package health

import "borne/hw"

// Code names an alarm, for the records and the catalogues of sentences.
type Code string

// Codes of the alarms.
const (
	PowerLow      Code = "power-low"         // the supply's voltage is or was too low
	TooHot        Code = "too-hot"           // a sensor passes its limit
	MemoryLow     Code = "memory-low"        // hardly any memory is left
	ReadOnly      Code = "storage-read-only" // a file system that should be writable is not
	StorageErrors Code = "storage-errors"    // a file system or its disk reported errors
	StorageWorn   Code = "storage-worn"      // an eMMC says that its life ends
	SensorsStuck  Code = "sensors-stuck"     // the system does not answer: nothing above is known
)

// Codes lists all codes.
func Codes() []Code {
	return []Code{PowerLow, TooHot, MemoryLow, ReadOnly, StorageErrors, StorageWorn, SensorsStuck}
}

// Fix says what to do, in English, for logs; what staff read is in the catalogues.
func (c Code) Fix() string {
	switch c {
	case PowerLow:
		return "use the board's own power supply and a short cable, and take hungry devices off its USB sockets"
	case TooHot:
		return "free the case's air slots and take it away from radiators and sunlight; check the fan"
	case MemoryLow:
		return "restart the terminal; if it comes back, lower the memory of sessions in the configuration"
	case ReadOnly:
		return "restart the terminal; if it comes back, replace its card or disk"
	case StorageErrors:
		return "replace the card or disk soon: it loses data"
	case StorageWorn:
		return "replace the storage soon: it has been written to as often as it was made for"
	case SensorsStuck:
		return "restart the terminal; if it comes back, replace the board"
	}
	return ""
}

// Report is a change of one alarm.
type Report struct {
	Code    Code
	Subject string   // what it is about: "cpu-thermal", "/var/lib/borne-kiosk", "ext4 mmcblk0p2"; empty: the board
	State   hw.Level // On: raised; Off: well, or gone with its device; Unknown: it is there, and cannot be read
	Value   int64    // thousandths of a degree, thousandths of memory that is left, or a count of errors; 0 when it has none
}

// key tells alarms apart.
type key struct {
	code    Code
	subject string
}

// reading is what one look saw of one alarm's cause.
type reading struct {
	key
	value int64
	raise bool // enough to raise the alarm
	clear bool // enough to lower it, if it stays so for calm looks
	calm  int
	blind bool // there is such a thing, and it cannot be read
}

// everything stands for all subjects of a code: a folder that cannot be read does
// not say what is gone.
const everything = "*"

// unread is a reading of what is there and cannot be read.
func unread(c Code, name string) reading { return reading{key: key{c, name}, blind: true} }

// boolean is a reading without a middle.
func boolean(k key, bad bool, value int64) reading {
	return reading{key: k, value: value, raise: bad, clear: !bad}
}

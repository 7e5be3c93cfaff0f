package health

import (
	"strconv"
	"strings"
)

// calmVoltage is for how many looks the voltage must be well: it dips with each
// load, and an alarm that comes and goes tells less than one that stays.
const calmVoltage = 6

// Temperatures in thousandths of a degree.
const (
	// hot is where a Raspberry Pi begins to slow down (80 °C), and little else
	// should be.
	hot = 80_000
	// margin is how far below its own critical limit a sensor is too hot, when
	// that is lower.
	margin = 5_000
	// cooler is how far it must fall for the alarm to end.
	cooler = 5_000
	// Beyond these a sensor is broken, not the weather.
	coldest, hottest = -60_000, 200_000
)

// voltage reads raspberrypi-hwmon, and whatever else shows a critically low
// input (Documentation/hwmon/sysfs-interface, inN_lcrit_alarm).
func voltage(t tree) (out []reading) {
	for _, h := range t.list("sys/class/hwmon", "hwmon") {
		dir := "sys/class/hwmon/" + h
		for n := range 10 {
			input := dir + "/in" + strconv.Itoa(n) + "_lcrit_alarm"
			low, ok := t.number(input)
			if !ok && !t.there(input) {
				continue
			}
			name, _ := t.word(dir + "/name")
			if name == "rpi_volt" {
				name = "" // the board's own supply
			}
			if !ok {
				out = append(out, unread(PowerLow, subject(name)))
				continue
			}
			r := boolean(key{PowerLow, subject(name)}, low != 0, 0)
			r.calm = calmVoltage
			out = append(out, r)
		}
	}
	return out
}

// temperature reads the thermal zones, and the hwmon sensors that are not the
// same ones again.
func temperature(t tree) (out []reading) {
	zones := map[string]bool{}
	same := map[string]int{}
	numbered := func(name string) string { // "acpitz", "acpitz/2"
		if same[name]++; same[name] > 1 {
			name += "/" + strconv.Itoa(same[name])
		}
		return name
	}
	for _, z := range t.list("sys/class/thermal", "thermal_zone") {
		dir := "sys/class/thermal/" + z
		name, ok := t.word(dir + "/type")
		if !ok {
			continue
		}
		// The kernel shows a zone as an hwmon of that name too.
		zones[strings.ReplaceAll(name, "-", "_")] = true
		limit := int64(0)
		for n := range 12 {
			trip := dir + "/trip_point_" + strconv.Itoa(n)
			if kind, _ := t.word(trip + "_type"); kind == "critical" {
				limit, _ = t.number(trip + "_temp")
			}
		}
		v, ok := t.number(dir + "/temp")
		out = append(out, heat(numbered(name), v, ok, limit))
	}
	for _, h := range t.list("sys/class/hwmon", "hwmon") {
		dir := "sys/class/hwmon/" + h
		name, ok := t.word(dir + "/name")
		if !ok || zones[strings.ReplaceAll(name, "-", "_")] {
			continue
		}
		for n := 1; n <= 8; n++ {
			sensor := dir + "/temp" + strconv.Itoa(n)
			v, ok := t.number(sensor + "_input")
			if !ok && !t.there(sensor+"_input") {
				continue
			}
			limit, _ := t.number(sensor + "_crit")
			out = append(out, heat(numbered(name), v, ok, limit))
		}
	}
	return out
}

// heat judges one sensor, if it could be read, by its own critical limit (0: none),
// or ours.
func heat(name string, v int64, ok bool, critical int64) reading {
	if !ok || v < coldest || v > hottest {
		return unread(TooHot, subject(name))
	}
	at := int64(hot)
	if critical > 0 {
		at = min(at, critical-margin)
	}
	return reading{key: key{TooHot, subject(name)}, value: v, raise: v >= at, clear: v < at-cooler}
}

// Shares of memory that are left, in thousandths.
const (
	memoryLow    = 50
	memoryEnough = 80
	calmMemory   = 2
)

// memory reads /proc/meminfo (proc(5)).
func memory(t tree) []reading {
	s, err := t.read("proc/meminfo", maxAttr)
	share, ok := memoryLeft(s)
	if err != nil || !ok {
		return []reading{unread(MemoryLow, "")} // a board has memory
	}
	return []reading{{key: key{code: MemoryLow}, value: share, raise: share < memoryLow, clear: share >= memoryEnough, calm: calmMemory}}
}

// memoryLeft returns the thousandths of the memory that programs can still have.
func memoryLeft(s string) (share int64, ok bool) {
	var total, left int64
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 48)
		if err != nil || n < 0 {
			continue
		}
		switch f[0] {
		case "MemTotal:":
			total = n
		case "MemAvailable:":
			left = n
		}
	}
	if total == 0 || left > total {
		return 0, false
	}
	return left * 1000 / total, true
}

package printer

import (
	"slices"
	"strconv"
	"strings"

	"borne/controller/wire"
	"borne/kiosk/ipp"
)

// Limits on what a printer says of its supplies.
const (
	maxSupplies = 32
	maxTrays    = 16
	maxFields   = 32
	maxPacked   = 1023 // PWG 5100.13 §5.6.19
	maxName     = 48
)

// supply is one of them, as far as its printer tells.
type supply struct {
	name   string
	kind   string
	colour string
	level  int // percent, or one of wire's levels
	low    bool
}

// supplies reads printer-supply (PWG 5100.13 §5.6.19) and the marker attributes
// of CUPS, which mean the same in the same order. Real printers have one, the
// other, or both with other values.
func supplies(a ipp.Attributes, reasons []string) []wire.Supply {
	list, marked := packed(a), markers(a)
	if len(list) < len(marked) {
		list, marked = marked, list
	}
	if len(list) == len(marked) {
		for i := range list {
			s, m := &list[i], marked[i]
			if s.level < 0 && m.level >= 0 && m.kind == s.kind {
				s.level = m.level
			}
			if s.name == "" {
				s.name = m.name
			}
			s.low = s.low || m.low && m.kind == s.kind
		}
	}
	alarms(list, reasons)
	out := make([]wire.Supply, 0, len(list))
	for _, s := range list {
		if s.name == "" {
			s.name = strings.TrimSpace(s.colour + " " + s.kind)
		}
		out = append(out, wire.Supply{Name: s.name, Kind: s.kind, Level: s.level, Low: s.low})
	}
	return out
}

// alarms adds what printer-state-reasons say of all supplies together.
func alarms(list []supply, reasons []string) {
	says := func(names ...string) bool {
		return slices.ContainsFunc(reasons, func(r string) bool { return slices.Contains(names, severity(r)) })
	}
	full := says("marker-waste-full", "waste-receptacle-full")
	nearly := full || says("marker-waste-almost-full", "waste-receptacle-almost-full")
	var consumed []*supply
	for i := range list {
		s := &list[i]
		if s.kind == "toner" || s.kind == "ink" {
			consumed = append(consumed, s)
		}
		if s.kind != "waste" {
			continue
		}
		switch {
		case full:
			s.level = 0
		case s.level == 0 && !nearly:
			// Full, and nothing to complain about: this printer tells how much room
			// is left, as RFC 3805 has it (apple/cups#4499), and not how full it is.
			s.level, s.low = 100, false
		}
		s.low = s.low || nearly
	}
	if len(consumed) == 1 && says("toner-low", "toner-empty", "marker-supply-low", "marker-supply-empty") {
		consumed[0].low = true
	}
}

// severity takes it off a reason (RFC 8011 §5.4.12).
func severity(reason string) string {
	for _, end := range []string{"-error", "-warning", "-report"} {
		if s, ok := strings.CutSuffix(reason, end); ok {
			return s
		}
	}
	return reason
}

// packed reads printer-supply.
func packed(a ipp.Attributes) []supply {
	names := ipp.Strings(a, "printer-supply-description")
	var out []supply
	for i, s := range firsts(ipp.Strings(a, "printer-supply"), maxSupplies) {
		f := fields(s)
		if f == nil {
			continue
		}
		name := ""
		if i < len(names) {
			name = clean(names[i], maxName)
		}
		p := supply{name: name, kind: kind(f["type"], name, f["class"]), colour: word(f["colorantname"])}
		capacity, known := number(f["maxcapacity"])
		if f["unit"] == "percent" && (!known || capacity <= 0) || f["unit"] == "" && !known {
			capacity = 100
		}
		level, ok := number(f["level"])
		if !ok {
			level = -2
		}
		low, hasLow := number(f["lowlevel"])
		high, hasHigh := number(f["highlevel"])
		p.level = percent(level, capacity)
		if p.kind == "waste" {
			p.low = hasHigh && high > 0 && level >= high
			p.level = room(p.level)
		} else {
			p.low = hasLow && level >= 0 && level <= low
		}
		out = append(out, p)
	}
	return out
}

// markers reads the attributes of CUPS. Any list may be shorter than the levels,
// a single value, or all values in one with commas.
func markers(a ipp.Attributes) []supply {
	levels := firsts(ipp.Ints(a, "marker-levels"), maxSupplies)
	at := func(name string) []string { return spread(ipp.Strings(a, name), len(levels)) }
	names, types, colours := at("marker-names"), at("marker-types"), at("marker-colors")
	lows, highs := ipp.Ints(a, "marker-low-levels"), ipp.Ints(a, "marker-high-levels")
	nth := func(all []string, i int) string {
		if i < len(all) {
			return all[i]
		}
		return ""
	}
	var out []supply
	for i, level := range levels {
		s := supply{name: clean(nth(names, i), maxName), colour: colour(nth(colours, i)), level: percent(level, 100)}
		s.kind = kind(nth(types, i), s.name, "")
		if s.kind == "waste" {
			s.low = i < len(highs) && highs[i] > 0 && level >= highs[i]
			s.level = room(s.level)
		} else {
			s.low = i < len(lows) && level >= 0 && level <= lows[i]
		}
		out = append(out, s)
	}
	return out
}

// trays reads printer-input-tray (PWG 5100.13 §5.6.11): paper that is put in by
// hand, one sheet at a time, is no supply.
func trays(a ipp.Attributes) []wire.Supply {
	var out []wire.Supply
	for _, s := range firsts(ipp.Strings(a, "printer-input-tray"), maxTrays) {
		f := fields(s)
		kind, name := strings.ToLower(f["type"]), clean(f["name"], maxName)
		capacity, _ := number(f["maxcapacity"])
		level, told := number(f["level"])
		byHand := strings.Contains(kind, "manual") || slices.Contains([]string{"auto", "manual", "by-pass-tray", "bypass", "multipurpose"}, strings.ToLower(name))
		if f == nil || byHand || capacity == 0 || capacity == 1 {
			continue
		}
		if !told {
			level = -2
		}
		if name == "" {
			name = strconv.Itoa(len(out) + 1)
		}
		p := percent(level, capacity)
		out = append(out, wire.Supply{Name: name, Kind: "paper", Level: p, Low: p == 0})
	}
	return out
}

// fields takes "key=value;key=value" apart; nil when it is too long. A backslash
// stands before what would mean something (PWG 5100.13 §5.6.19).
func fields(s string) map[string]string {
	if len(s) > maxPacked {
		return nil
	}
	f := map[string]string{}
	var part strings.Builder
	flush := func() {
		if k, v, ok := strings.Cut(part.String(), "="); ok && len(f) < maxFields {
			f[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
		part.Reset()
	}
	escaped := false
	for i := range len(s) {
		switch c := s[i]; {
		case escaped:
			escaped = false
			part.WriteByte(c)
		case c == '\\':
			escaped = true
		case c == ';':
			flush()
		default:
			part.WriteByte(c)
		}
	}
	flush()
	return f
}

func number(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err == nil
}

// percent makes one of a level and a capacity; the negative values are no
// levels: -1 other, -2 unknown, -3 something is left (RFC 3805,
// prtMarkerSuppliesLevel).
func percent(level, capacity int) int {
	switch {
	case level == -3:
		return wire.LevelSome
	case level < 0:
		return wire.LevelUnknown
	case level == 0:
		return 0
	case capacity <= 0:
		return wire.LevelSome
	}
	return int(min((int64(level)*100+int64(capacity)/2)/int64(capacity), 100))
}

// room turns how full a waste box is into how much goes in.
func room(level int) int {
	if level >= 0 {
		return 100 - level
	}
	return level
}

// kind is what wire calls a supply of that type, as IPP ("wasteToner") or CUPS
// ("waste-toner") writes it. Many call a drum "other" and name it well.
func kind(typ, name, class string) string {
	t, n := strings.ToLower(strings.ReplaceAll(typ, "-", "")), strings.ToLower(name)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(t, w) })
	}
	switch {
	case has("waste"), strings.EqualFold(class, "receptacleThatIsFilled"), !has("toner", "ink") && strings.Contains(n, "waste"):
		return "waste"
	case has("toner"):
		return "toner"
	case has("ink", "wax", "ribbon"):
		return "ink"
	case has("opc", "photoconductor"), strings.Contains(n, "drum"):
		return "drum"
	case has("fuser"), strings.Contains(n, "fuser"):
		return "fuser"
	case has("staple", "stitch"):
		return "staples"
	}
	return "other"
}

// colour names the colours that have no other use in a supply without a name.
func colour(code string) string {
	switch strings.ToUpper(code) {
	case "#000000":
		return "black"
	case "#00FFFF":
		return "cyan"
	case "#FF00FF":
		return "magenta"
	case "#FFFF00":
		return "yellow"
	}
	return ""
}

// spread takes one value apart that holds all n of them.
func spread(all []string, n int) []string {
	if len(all) == 1 && n > 1 && len(all[0]) <= maxPacked {
		if parts := strings.Split(all[0], ","); len(parts) == n {
			return parts
		}
	}
	return firsts(all, maxSupplies)
}

func firsts[T any](all []T, n int) []T { return all[:min(len(all), n)] }

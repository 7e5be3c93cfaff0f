package health

import (
	"cmp"
	"slices"

	"borne/hw"
)

// judge turns readings into changes. It is pure: time is looks.
type judge struct {
	alarms map[key]*alarm
}

type alarm struct {
	state hw.Level
	told  int64 // the value reported last
	calm  int   // looks in a row that would lower it
}

// step takes all readings of one look and returns what has changed, sorted. What
// cannot be read any more is Unknown; what is missing has gone with its device,
// and its alarm with it.
func (j *judge) step(look []reading) []Report {
	if j.alarms == nil {
		j.alarms = map[key]*alarm{}
	}
	var out []Report
	seen := map[key]bool{}
	for _, r := range look {
		if seen[r.key] {
			continue // two sensors of one name: the first stands
		}
		seen[r.key] = true
		if r.blind && j.alarms[r.key] == nil {
			continue // nothing was ever known of it
		}
		a := j.alarms[r.key]
		if a == nil {
			a = &alarm{}
			j.alarms[r.key] = a
		}
		if a.decide(r) {
			out = append(out, Report{Code: r.code, Subject: r.subject, State: a.state, Value: r.value})
		}
	}
	for k, a := range j.alarms {
		switch {
		case seen[k]:
		case seen[key{k.code, everything}]:
			if a.decide(reading{key: k, blind: true}) {
				out = append(out, Report{Code: k.code, Subject: k.subject})
			}
		default:
			if a.state != hw.Off {
				out = append(out, Report{Code: k.code, Subject: k.subject, State: hw.Off})
			}
			delete(j.alarms, k) // sticks and disks come and go: they do not add up
		}
	}
	slices.SortFunc(out, func(a, b Report) int { return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Subject, b.Subject)) })
	return out
}

// decide takes a reading and says whether it is news.
func (a *alarm) decide(r reading) bool {
	before := a.state
	switch {
	case r.blind:
		a.state, a.calm = hw.Unknown, 0
	case r.raise:
		a.state, a.calm = hw.On, 0
	case a.state == hw.Unknown:
		a.state = hw.Off
	case a.state == hw.On && r.clear:
		if a.calm++; a.calm > r.calm {
			a.state = hw.Off
		}
	case a.state == hw.On:
		a.calm = 0 // in between: it stays raised
	}
	counted := r.code == StorageErrors && a.state == hw.On && r.value != a.told
	if a.state == before && !counted {
		return false
	}
	a.told = r.value
	return true
}

package api

import (
	"encoding/json"
	"slices"
	"strings"

	"borne/controller/policy"
	"borne/controller/store"
)

// sectionTeam is who may do what in front of the terminals. A badge that was lost has
// to be worth nothing at once, so that this part waits for no rollout: it breaks no
// terminal, and nobody has to see it do well first.
const sectionTeam = "team"

// changesAtOnce tells whether terminals that wait for a change of rules have something
// of this section before; see store.WithHoursOf.
func changesAtOnce(section string) bool {
	return slices.Contains([]string{"hours", sectionTeam, "printing"}, section)
}

// stepwise tells whether something of a change goes to a few terminals first.
func stepwise(v PolicyPreview) bool {
	other := func(s string) bool { return s != sectionTeam }
	return slices.ContainsFunc(v.Changes, func(d DifferenceView) bool { return !strings.HasPrefix(d.Path, sectionTeam+".") }) ||
		slices.ContainsFunc(v.Set, other) || slices.ContainsFunc(v.Left, other)
}

// neverAgain leaves out of older rules, which somebody goes back to, what staff were
// allowed and are not now: a lost badge does not come back with them. Rights are
// given in the form, where they are seen.
func neverAgain(next map[string]json.RawMessage, own json.RawMessage, now policy.Policy) error {
	switch old, is := next[sectionTeam], section(own, sectionTeam); {
	case old != nil:
		var t policy.Team
		if err := json.Unmarshal(old, &t); err != nil {
			return err
		}
		var err error
		if next[sectionTeam], err = json.Marshal(t.Within(now.Team)); err != nil {
			return err
		}
	case is != nil: // what would be inherited may name whom this place took the right from
		next[sectionTeam] = is
	}
	if next["printing"] == nil {
		return nil
	}
	printing, err := json.Marshal(now.Printing)
	if err != nil {
		return err
	}
	return store.KeepStaff(next, map[string]json.RawMessage{"printing": printing})
}

package compliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"borne/controller/notice"
	"borne/controller/policy"
	"borne/controller/store"
)

// told gives a policy what the controller knows of its notice: the number and the
// day of the text, which is that of the layer that says it, and for how long
// things are kept. It returns the newest version of the policy that this makes.
func told(tx store.Tx, p *policy.Policy, origin map[string]string, site string, version uint64) (uint64, error) {
	n := &p.Notice
	n.Number, n.Since = 0, ""
	for _, path := range []string{"number", "since", "keep.usage", "keep.security", "keep.account", "keep.audit", "keep.technical"} {
		delete(origin, "notice."+path) // no layer's
	}
	layer := ""
	switch origin["notice.charter"] {
	case LayerGlobal:
		layer = store.PolicyGlobal
	case LayerSite:
		layer = site
	}
	if layer != "" {
		text, err := notice.Of(tx, layer, *n)
		if err != nil {
			return version, err
		}
		n.Number = text.Number
		if text.Number > 0 {
			n.Since = text.At.In(policy.Location()).Format(time.DateOnly)
		}
	}
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return version, err
	}
	n.Keep = policy.Keep(set.Row.Kept)
	return max(version, set.Row.KeptAs), nil
}

// SetKept tells people from now on for how many days things are kept, and reports
// whether that is something new.
func SetKept(tx store.Tx, days store.Kept) (bool, error) {
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return false, fmt.Errorf("cannot say how long things are kept: %w", err)
	}
	if set.Row.Kept == days {
		return false, nil
	}
	set.Row.Kept, set.Row.KeptAs = days, set.Row.NextPolicy()
	return true, store.Put(tx, set)
}

// near gives a policy the places near its site where people are helped.
func near(tx store.Tx, p *policy.Policy, origin map[string]string, site string, version uint64) (uint64, error) {
	delete(origin, "help.places") // no layer's
	p.Help.Places = []policy.HelpPlace{}
	row, err := store.Get[store.HelpNear](tx, site)
	if site == "" || errors.Is(err, store.ErrNotFound) {
		return version, nil
	}
	if err != nil {
		return version, err
	}
	if err := json.Unmarshal(row.Row.Places, &p.Help.Places); err != nil {
		return version, fmt.Errorf("cannot read the places near %s: %w", site, err)
	}
	p.Help.Places = p.Help.Places[:min(max(p.Help.Near, 0), len(p.Help.Places))]
	return max(version, row.Row.Version), nil
}

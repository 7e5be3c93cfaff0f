package mednum

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
)

// reach is how far somebody is sent, in metres as the crow flies.
const reach = 40000

// Keep puts the places of a file in the stead of those that were there, and tells
// each site which are near it.
func Keep(tx store.Tx, places []Place, unread []string, by string, now time.Time) error {
	was, err := all(tx)
	if err != nil {
		return err
	}
	is := map[string]store.HelpPlace{}
	for _, p := range places {
		sum := sha256.Sum256([]byte(p.ID))
		row := store.HelpPlace{Name: p.Name, Kind: string(p.Kind), Address: p.Address, Commune: p.Commune, Phone: p.Phone, Lat: p.Lat, Lon: p.Lon, Placed: p.Placed, Updated: p.Updated}
		if p.Known {
			row.Hours = cmp.Or(p.Hours.OSM(), "off")
		}
		is[hex.EncodeToString(sum[:16])] = row
	}
	for id := range was {
		if _, stays := is[id]; !stays {
			if err := tx.Delete(store.KindHelpPlace, id); err != nil {
				return fmt.Errorf("cannot keep the places: %w", err)
			}
		}
	}
	for id, row := range is {
		if err := put(tx, id, row); err != nil {
			return fmt.Errorf("cannot keep the places: %w", err)
		}
	}
	if unread == nil {
		unread = []string{}
	}
	if err := put(tx, store.HelpFileID, store.HelpFile{Places: len(places), Unread: unread, Imported: now.UTC(), By: by}); err != nil {
		return fmt.Errorf("cannot keep the places: %w", err)
	}
	sites, err := sites(tx)
	if err != nil {
		return err
	}
	return tell(tx, is, sites, now)
}

// Tell finds anew which places are near one site.
func Tell(tx store.Tx, site store.Item[store.Site], now time.Time) error {
	is, err := all(tx)
	if err != nil {
		return err
	}
	return tell(tx, is, []store.Item[store.Site]{site}, now)
}

func tell(tx store.Tx, rows map[string]store.HelpPlace, sites []store.Item[store.Site], now time.Time) error {
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return fmt.Errorf("cannot tell sites which places are near: %w", err)
	}
	version := set.Row.NextPolicy()
	if err := store.Put(tx, set); err != nil {
		return err
	}
	var places []Place
	for id, r := range rows {
		p := Place{ID: id, Name: r.Name, Kind: policy.HelpKind(r.Kind), Address: r.Address, Commune: r.Commune, Phone: r.Phone, Lat: r.Lat, Lon: r.Lon, Placed: r.Placed}
		if r.Hours != "" {
			h, err := policy.ParseOSM(r.Hours, policy.ZoneA, now.In(policy.Location()).Year())
			p.Hours, p.Known = h, err == nil // one that was written here, and cannot be read back, is not known
		}
		places = append(places, p)
	}
	for _, s := range sites {
		var found []policy.HelpPlace
		if s.Row.Placed {
			found = Near(places, s.Row.Lat, s.Row.Lon, reach, policy.MaxNear)
		} else {
			found = In(places, s.Row.Commune, policy.MaxNear)
		}
		raw, err := json.Marshal(found)
		if err != nil {
			return fmt.Errorf("cannot tell a site which places are near: %w", err)
		}
		was, err := store.Get[store.HelpNear](tx, s.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		was.Meta.ID, was.Meta.Site = s.ID, s.ID
		was.Row = store.HelpNear{Places: raw, Version: version}
		if err := store.Put(tx, was); err != nil {
			return fmt.Errorf("cannot tell a site which places are near: %w", err)
		}
	}
	return nil
}

func put[R store.Row](tx store.Tx, id string, row R) error {
	it, err := store.Get[R](tx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	it.Meta.ID, it.Row = id, row
	return store.Put(tx, it)
}

func all(tx store.Tx) (map[string]store.HelpPlace, error) {
	rows := map[string]store.HelpPlace{}
	for it, err := range store.List[store.HelpPlace](tx, "", "", false) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the places: %w", err)
		}
		rows[it.ID] = it.Row
	}
	return rows, nil
}

func sites(tx store.Tx) (found []store.Item[store.Site], err error) {
	for it, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the sites: %w", err)
		}
		found = append(found, it)
	}
	return found, nil
}

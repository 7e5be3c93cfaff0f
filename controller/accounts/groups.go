package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"borne/controller/store"
)

// heldOn are the sites of a role: those that are named, and those of its groups
// as they are now. A group that is gone has none.
func heldOn(tx store.Tx, sites, groups []string) ([]string, error) {
	all := slices.Clone(sites)
	for _, id := range groups {
		g, err := store.Get[store.SiteGroup](tx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		for _, s := range g.Row.Sites {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// Holder is what the owner of an account may do, logged in or not.
func Holder(tx store.Tx, u store.Item[store.User]) (Person, error) {
	sites, err := heldOn(tx, u.Row.Sites, u.Row.Groups)
	return Person{ID: u.ID, Name: u.Row.Name, Role: Role(u.Row.Role), Sites: sites, Groups: u.Row.Groups}, err
}

// there refuses sites and groups that do not exist.
func there(tx store.Tx, sites, groups []string) error {
	for _, id := range sites {
		if _, err := store.Get[store.Site](tx, id); err != nil {
			return fmt.Errorf("cannot give a role on site %q: %w", id, err)
		}
	}
	for _, id := range groups {
		if _, err := store.Get[store.SiteGroup](tx, id); err != nil {
			return fmt.Errorf("cannot give a role on the group %q: %w", id, err)
		}
	}
	return nil
}

// scopeText is an account's role and where it is held, for the audit.
func scopeText(u store.User) string {
	return strings.TrimSpace(u.Role + " " + strings.Join(slices.Concat(u.Sites, u.Groups), ","))
}

// GroupHolders are the names of those who hold a role, or a key, on the group.
func GroupHolders(tx store.Tx, group string) (names []string, err error) {
	for u, err := range store.List[store.User](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		if slices.Contains(u.Row.Groups, group) {
			names = append(names, u.Row.Name)
		}
	}
	for t, err := range store.List[store.Token](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		if slices.Contains(t.Row.Groups, group) && t.Row.Revoked.IsZero() {
			names = append(names, t.Row.Name)
		}
	}
	return names, nil
}

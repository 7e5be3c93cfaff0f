// Package accounts knows the people who log in to the console: their roles on
// sites, the one-time links that let them in, and their sessions.
package accounts

import (
	"fmt"
	"slices"
	"time"
)

// Role is what a person does, on some sites or on all of them.
type Role string

// Roles.
const (
	Administrator Role = "administrator" // the Département's team: everything
	Correspondant Role = "correspondant" // « correspondant informatique »: terminals and policy of a site
	Building      Role = "building"      // « gardien »: opening hours
	Head          Role = "head"          // « chef d’établissement »: agrees to openings of their collège, or not
	Reception     Role = "reception"     // « agent d'accueil »: sees, ends a session, sends a message
	DPO           Role = "dpo"           // « délégué à la protection des données »: receipts, audit, inventory
	Observer      Role = "observer"      // indicators, and nothing else
)

// Roles lists every role.
func Roles() []Role {
	return []Role{Administrator, Correspondant, Building, Head, Reception, DPO, Observer}
}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("cannot use role %q: use one of %v", s, Roles())
}

// Person is somebody logged in, or a program with a key.
type Person struct {
	ID      string
	Name    string
	Role    Role
	Sites   []string  // where the role is held, those of its groups included; empty for everywhere, unless there are groups
	Groups  []string  // of sites, on which the role is held
	Token   bool      // a program: it changes no account
	Since   time.Time // of the session
	Expires time.Time // of the session, whatever the person does
	Login   string    // id of the session's row: names the session, does not open it
}

// Sees tells whether the person's role is held on the site. An empty site asks
// for the whole Département: only somebody without a list of sites has that.
func (p Person) Sees(site string) bool {
	return p.Everywhere() || (site != "" && slices.Contains(p.Sites, site))
}

// Everywhere tells whether the role is held on every site. Whoever holds it on a
// group that has no site any more holds it nowhere.
func (p Person) Everywhere() bool { return len(p.Sites) == 0 && len(p.Groups) == 0 }

// Holds tells whether the person has one of the roles on the site.
func (p Person) Holds(site string, roles ...Role) bool {
	return p.Sees(site) && slices.Contains(roles, p.Role)
}

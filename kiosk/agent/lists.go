package agent

import (
	"context"
	"strings"

	"borne/kiosk/sandbox"
	"borne/kiosk/session"
)

// using returns the lists of names for the policy in force, and the categories
// that have none yet.
func (a *Agent) using() (use []sandbox.List, missing []string) {
	if a.parts.Lists != nil {
		return a.parts.Lists.Using(a.policy.Filter)
	}
	for _, c := range a.policy.Filter.Categories {
		missing = append(missing, c.Name)
	}
	return nil, missing
}

// key is what a standby in that language has to be made for.
func (a *Agent) key(lang string) key {
	var digests strings.Builder
	use, _ := a.using()
	for _, l := range use {
		digests.WriteString(l.Digest)
	}
	return key{profile: a.policy.Profile, lang: lang, version: a.policy.Version, lists: digests.String(), day: a.helpDay()}
}

// protect tells the machine whether every list that the policy asks for is
// here: without one, nobody begins.
func (a *Agent) protect(work context.Context) {
	_, missing := a.using()
	if ready := len(missing) == 0; ready == a.state.Live.Unprotected {
		if !ready {
			a.log.Warn("no session opens before the lists are here", "categories", missing)
		}
		a.apply(work, session.Protected{Ready: ready})
	}
}

// filtered takes note that the session's resolver refused sites of a category.
func (a *Agent) filtered(work context.Context, e sandbox.Event) {
	if b := a.boxes.current(); b != nil && b.id == e.Sandbox {
		a.apply(work, session.Filtered{Session: b.session, Category: e.Category, Count: e.Count})
	}
}

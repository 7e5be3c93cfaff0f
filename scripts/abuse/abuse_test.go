package abuse

import (
	"testing"
)

// TestAbuse attacks one controller in every way of this folder, and asks at the end
// whether its audit and its store still hold.
func TestAbuse(t *testing.T) {
	g := start(t)
	for _, attack := range []struct {
		name string
		run  func(t *testing.T, g *target)
	}{
		{"other places", otherPlaces}, {"other places by what is nested", nested}, {"other places in lists", lists}, {"other places in bodies", bodies}, {"nobody", nobody},
		{"unknown fields", unknownFields}, {"own rights", ownRights},
		{"cross site", crossSite}, {"host", hosts}, {"methods", methods},
		{"injected headers", injection}, {"paths", paths}, {"sizes", sizes}, {"json", oddJSON}, {"content types", contentTypes}, {"smuggling", smuggling},
		{"forwarded by nobody", forwarded}, {"slow", slow},
	} {
		t.Run(attack.name, func(t *testing.T) {
			old := g.t
			g.t = t
			defer func() { g.t = old }()
			attack.run(t, g)
		})
	}
	if out := g.run("audit", "verify"); out == "" {
		t.Error("no audit")
	}
	if a := g.do(ask{method: "GET", path: "/healthz"}); a.status != 200 {
		t.Errorf("after it all: %d %s", a.status, a.body)
	}
}

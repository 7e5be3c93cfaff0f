package demo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"borne/controller/demo"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

func TestSeedTwice(t *testing.T) {
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ctx := context.Background()
	seed := func() (added bool) {
		if err := st.Decide(ctx, func(tx store.Tx) (err error) { added, err = demo.Seed(tx, time.Now()); return err }); err != nil {
			t.Fatal(err)
		}
		return added
	}
	err = st.Decide(ctx, func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if !seed() {
		t.Fatal("nothing was added")
	}
	// What somebody changed stays.
	rename := func(it *store.Item[store.Site]) error { it.Row.Name = "Autre"; return nil }
	if err := st.Decide(ctx, func(tx store.Tx) error { return store.Update(tx, demo.Site, rename) }); err != nil {
		t.Fatal(err)
	}
	if seed() {
		t.Error("a second run adds something")
	}
	err = st.View(ctx, func(tx store.Tx) error {
		for it, err := range store.List[store.Site](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.ID == demo.Site && it.Row.Name != "Autre" {
				t.Errorf("a second run changed the name to %q", it.Row.Name)
			} else if it.ID != demo.Site && !strings.Contains(it.Row.Name, "démonstration") {
				t.Errorf("%q is not marked as a demonstration", it.Row.Name)
			}
		}
		for it, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.State != store.StateWaiting || !it.Row.LastSeen.IsZero() {
				t.Errorf("terminal %s looks alive: %+v", it.ID, it.Row)
			}
		}
		// Each space's rules hold, and the demonstration's own is open at any hour.
		for it, err := range store.List[store.Space](tx, "", "", false) {
			if err != nil {
				return err
			}
			var layers []policy.Layer
			for _, id := range []string{it.Site, it.ID} {
				if l, err := store.Get[store.PolicyRow](tx, id); err == nil {
					layers = append(layers, policy.Layer{Name: l.Row.Layer, Doc: l.Row.Doc})
				}
			}
			p, _, err := policy.Merge(policy.Default(), layers...)
			if err != nil {
				return err
			}
			if bad := p.Check(); len(bad) > 0 {
				t.Errorf("the rules of %s: %v", it.ID, bad)
			}
			if want := access(it.ID); p.Access != want {
				t.Errorf("who may begin in %s: %+v, want %+v", it.ID, p.Access, want)
			}
			if ent := p.Portal.Tiles[0].Name == "ENT du collège"; ent != (p.Profile == "parents") || len(p.Portal.Tiles) < 6 {
				t.Errorf("the portal of %s, %s: %v", it.ID, p.Profile, p.Portal.Tiles)
			}
			if (it.ID == demo.Space) != p.Hours.At(time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC), policy.Location()).Open {
				t.Errorf("%s on a Sunday night: open %v", it.ID, it.ID != demo.Space)
			}
		}
		_, err := store.Get[store.Terminal](tx, demo.Terminal)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// access: a badge begins where the demonstration runs, and must in one place.
func access(space string) policy.Access {
	switch space {
	case demo.Space:
		return policy.Access{AnyBadge: true}
	case "demo-annecy-est-accueil":
		return policy.Access{AnyBadge: true, BadgeRequired: true}
	}
	return policy.Access{}
}

// TestHoursAreStillToCome: whenever the fleet is seeded, its seasons and its
// agreements are those of that school year, and every place's rules are sound.
func TestHoursAreStillToCome(t *testing.T) {
	for now, year := range map[string]int{"2026-11-22T10:00:00Z": 2026, "2031-03-01T10:00:00Z": 2030, "2031-07-31T22:30:00Z": 2031} { // the last is August in Paris
		st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		err = st.Decide(context.Background(), func(tx store.Tx) error {
			if err := store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}}); err != nil {
				return err
			}
			if _, err := demo.Seed(tx, at); err != nil {
				return err
			}
			for it, err := range store.List[store.PolicyRow](tx, "", "", false) {
				if err != nil {
					return err
				}
				p, _, err := policy.Merge(policy.Default(), policy.Layer{Name: it.Row.Layer, Doc: it.Row.Doc})
				if err != nil {
					return err
				}
				if bad := p.CheckAt(at, policy.Location()); len(bad) > 0 {
					t.Errorf("seeded at %s, the rules of %s: %+v", now, it.ID, bad)
				}
				if it.ID == demo.Site && (len(p.Hours.Agreements) != 1 || p.Hours.Agreements[0].From != fmt.Sprintf("%d-09-01", year)) {
					t.Errorf("seeded at %s: agreements %+v", now, p.Hours.Agreements)
				}
			}
			return nil
		})
		if err := errors.Join(err, st.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

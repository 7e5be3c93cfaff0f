package policy

import (
	"reflect"
	"testing"
)

func TestDifferencesTellsValuesAndNothingElse(t *testing.T) {
	a, b := Default(), Default()
	a.Version, b.Version = 3, 9
	b.Hours.Always = true      // Describe tells of these
	a.Web.Allowed = []string{} // as no list
	b.Session.Minutes = 50     //
	a.Languages = []string{"fr", "en"}
	b.Languages = []string{"fr"}    // a list is one value
	b.Access.Proof = ProofMessage   // was not there
	b.Portal.Tiles[1].Name = "Pôle" // within a list
	found, err := Differences(a, b)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][2]string{}
	for _, d := range found {
		got[d.Path] = [2]string{string(d.Before), string(d.After)}
	}
	delete(got, "portal.tiles") // long: that it is there is told by the count
	if len(found) != 4 || !reflect.DeepEqual(got, map[string][2]string{
		"access.proof": {"", `"message"`}, "session.minutes": {"45", "50"}, "languages": {`["fr","en"]`, `["fr"]`}}) {
		t.Errorf("%d: %v", len(found), got)
	}
	if found, err := Differences(b, b); err != nil || len(found) != 0 {
		t.Errorf("to itself: %v %v", found, err)
	}
}

package layering

import (
	"slices"
	"testing"

	"borne/controller/policy"
	"borne/ui/catalogues"
)

// TestPoliciesAcceptTheLanguagesSpoken ties two rooms that do not know each
// other: a language that a policy may offer and no catalogue speaks would show
// French under another name.
func TestPoliciesAcceptTheLanguagesSpoken(t *testing.T) {
	accepted, spoken := slices.Sorted(slices.Values(policy.Languages())), slices.Sorted(slices.Values(catalogues.Languages()))
	if !slices.Equal(accepted, spoken) {
		t.Errorf("a policy may name %v, the catalogues speak %v", accepted, spoken)
	}
	for _, l := range append(policy.Languages(), policy.Default().Languages...) {
		if len(catalogues.Keys(l)) == 0 {
			t.Errorf("no catalogue speaks %q", l)
		}
	}
}

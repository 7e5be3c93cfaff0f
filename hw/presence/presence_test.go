package presence_test

import (
	"testing"

	"borne/hw"
	"borne/hw/presence"
)

func card(n byte, random bool) presence.Sighting {
	return presence.Sighting{Shown: [32]byte{n}, Random: random, Badge: hw.Badge{Key: [32]byte{n}, Random: random, Assurance: hw.AssuranceUID}}
}

// What looks see, and whose badges come out, entered first.
func TestLooks(t *testing.T) {
	type look struct {
		seen  []presence.Sighting
		torn  bool // not complete
		names string
	}
	a, b, r, s := card(1, false), card(2, false), card(8, true), card(9, true)
	for name, looks := range map[string][]look{
		"one tap per visit":       {{[]presence.Sighting{a}, false, "\x01"}, {[]presence.Sighting{a}, false, ""}, {[]presence.Sighting{a}, false, ""}},
		"a miss is no leaving":    {{[]presence.Sighting{a}, false, "\x01"}, {nil, false, ""}, {[]presence.Sighting{a}, false, ""}},
		"gone, and back":          {{[]presence.Sighting{a}, false, "\x01"}, {nil, false, ""}, {nil, false, ""}, {[]presence.Sighting{a}, false, "\x01"}},
		"entered first":           {{[]presence.Sighting{a}, false, "\x01"}, {[]presence.Sighting{a, b}, false, "\x02\x01"}},
		"half a purse waits":      {{[]presence.Sighting{a}, true, ""}, {[]presence.Sighting{a, b}, false, "\x01\x02"}},
		"but not for ever":        {{[]presence.Sighting{a}, true, ""}, {[]presence.Sighting{a}, true, ""}, {[]presence.Sighting{a}, true, "\x01"}},
		"random ones are counted": {{[]presence.Sighting{r}, false, "\x08"}, {[]presence.Sighting{s}, false, ""}, {[]presence.Sighting{s, r}, false, "\x08\x09"}},
	} {
		tr := presence.New(2, false)
		for n, l := range looks {
			got := ""
			for _, x := range tr.Look(l.seen, !l.torn, false) {
				got += string(x.Key[:1])
			}
			if got != l.names {
				t.Errorf("%s: look %d gives %q, want %q", name, n, got, l.names)
			}
		}
	}
}

func TestWhatWasProvenIsNotAskedAgain(t *testing.T) {
	tr, a := presence.New(2, true), card(1, false)
	if _, ok := tr.Known(a.Shown); ok || !tr.AskRandoms() {
		t.Fatal("an empty field knows a card, or its random ones")
	}
	a.Badge.Assurance = hw.AssuranceMutual
	tr.Proven(a.Shown, a.Badge)
	if tr.Look([]presence.Sighting{a}, false, true) != nil {
		t.Fatal("half a purse was reported")
	}
	if b, ok := tr.Known(a.Shown); !ok || b != a.Badge {
		t.Fatal("what it proved in a look that was not reported is forgotten")
	}
	r := card(8, true)
	if got := tr.Look([]presence.Sighting{a, r}, true, true); len(got) != 2 || tr.AskRandoms() {
		t.Fatalf("%d badges", len(got))
	}
	if tr.Recount([]presence.Sighting{a, r}) || !tr.Recount([]presence.Sighting{r, card(9, true)}) {
		t.Fatal("one more random UID must be asked, the same number not")
	}
}

package presence_test

import (
	"errors"
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

// What a look makes of the cards that it meets.
func TestSurvey(t *testing.T) {
	key := func(uid []byte) (k [32]byte) { copy(k[:], uid); return k }
	real := []byte{4, 1, 2, 3, 4, 5, 6}
	answers := func() (hw.Proof, bool, error) {
		return hw.Proof{Assurance: hw.AssuranceMutual, UID: append([]byte(nil), real...)}, true, nil
	}
	silent := func() (hw.Proof, bool, error) { return hw.Proof{}, false, nil }
	never := func() (hw.Proof, bool, error) { t.Error("a card was asked"); return hw.Proof{}, false, nil }
	tr := presence.New(2, true)
	expect := func(s *presence.Survey, uid []byte, prove func() (hw.Proof, bool, error), want presence.Meeting) {
		t.Helper()
		if got, err := s.Meet(uid, prove); got != want || err != nil {
			t.Errorf("meeting %v, error %v, want %v", got, err, want)
		}
	}
	memory, dep, random := []byte{1, 2, 3, 4}, []byte{4, 9, 9, 9, 9, 9, 9}, []byte{8, 1, 2, 3}

	s := tr.Survey(key, false)
	expect(s, memory, nil, presence.Shown)
	expect(s, memory, nil, presence.Again)
	expect(s, random, never, presence.Shown) // nobody wants to know: it is counted only
	expect(s, dep, silent, presence.Unread)
	expect(s, dep, never, presence.Unread) // not twice in a look
	if len(s.Seen) != 2 || !s.Seen[1].Random || s.Seen[0].Badge != (hw.Badge{Key: key(memory), Bytes: 4, Assurance: hw.AssuranceUID}) {
		t.Errorf("seen %+v", s.Seen)
	}
	tr.Look(s.Seen, false, false)

	s = tr.Survey(key, true)
	expect(s, dep, answers, presence.Proved)
	expect(s, random, answers, presence.Proved)
	for _, c := range s.Seen {
		if c.Badge.Key != key(real) || c.Badge.Random || c.Badge.Assurance != hw.AssuranceMutual {
			t.Errorf("proven, and %+v", c)
		}
	}
	tr.Look(s.Seen, false, true)

	s = tr.Survey(key, true) // the third in a row
	expect(s, dep, never, presence.Shown)
	expect(s, random, silent, presence.Unproved)
	if len(s.Seen) != 2 || s.Seen[0].Badge.Assurance != hw.AssuranceMutual || s.Seen[1].Badge.Assurance != hw.AssuranceUID {
		t.Errorf("seen %+v", s.Seen)
	}

	broken := errors.New("the bus")
	if met, err := tr.Survey(key, true).Meet(real, func() (hw.Proof, bool, error) { return hw.Proof{}, false, broken }); met != presence.Unread || !errors.Is(err, broken) {
		t.Errorf("meeting %v, error %v", met, err)
	}
}

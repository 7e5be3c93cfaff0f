package wire

import (
	"bytes"
	"strings"
	"testing"
)

func TestCodeLettersDoNotLookAlike(t *testing.T) {
	for _, pair := range []string{"O0", "D0", "Q0", "I1", "L1", "IL", "S5", "B8", "Z2", "G6", "UV", "VY"} {
		n := 0
		for _, c := range pair {
			if strings.ContainsRune(CodeLetters(), c) {
				n++
			}
		}
		if n > 1 {
			t.Errorf("both of %q are in codes", pair)
		}
	}
	if len(CodeLetters()) < 20 {
		t.Errorf("%d letters: a code is guessed too easily", len(CodeLetters()))
	}
}

func TestProperQuestions(t *testing.T) {
	h1 := bytes.Repeat([]byte{1}, H1Size)
	for _, a := range []BadgeAsk{{ID: "q", Holder: h1}, {ID: "q", Code: "ACDE2345"}, {ID: "q", Window: "w", Holder: h1}, {ID: "q", Window: "w", Cannot: RefuseRandomBadge}} {
		if !a.Proper() {
			t.Errorf("%+v is refused", a)
		}
	}
}

func FuzzReadCode(f *testing.F) {
	for _, s := range []string{"ACDE2345", "acde-2345", " a c d e 2 3 4 5 ", "OOOOOOOO", "é", strings.Repeat("A", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, ok := ReadCode(s)
		if !ok {
			return
		}
		if again, ok := ReadCode(code); !ok || again != code || len(code) != CodeLength {
			t.Errorf("%q is read as %q, and that as %q", s, code, again)
		}
	})
}

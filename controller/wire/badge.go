package wire

import "crypto/sha256"

// BadgeAsk asks whether a badge or a day code may begin a session here: which
// badges are known is the controller's, and no list of them lies on a terminal.
// With Window it is the badge that staff wait for. The answer to the same badge
// is the same until staff change it, so that a question may be asked again.
type BadgeAsk struct {
	ID     string `json:"id"`               // random, of this question
	Holder []byte `json:"holder,omitempty"` // h1 of the badge; none with a code
	Code   string `json:"code,omitempty"`   // see ReadCode
	Window string `json:"window,omitempty"` // the CmdBadge that this badge was held out for
	Cannot Reason `json:"cannot,omitempty"` // with Window: what the reader says against this badge; then no Holder
}

// BadgeAnswer answers BadgeAsk, once. It tells nothing of who holds the badge:
// the terminal needs to know yes or no, and how many pages.
type BadgeAnswer struct {
	ID      string `json:"id"`
	Allowed bool   `json:"allowed,omitempty"` // with Window: it is done
	Reason  Reason `json:"reason,omitempty"`  // why not
	Holder  []byte `json:"holder,omitempty"`  // of a code: stands for h1 in its session
	// Staff: the badge is that of a member of staff here, who releases what waits.
	Staff bool `json:"staff,omitempty"`
	// Pages are what one session may print, where the badge's quota group has more or
	// fewer than the policy gives; 0: what the policy gives. Which group it is, the
	// terminal need not know.
	Pages int `json:"pages,omitempty"`
}

// Sizes of what a question holds.
const (
	H1Size     = sha256.Size // HMAC-SHA256
	CodeLength = 8
)

// codeLetters are those of a day code: of each pair that looks alike on paper (O
// and 0, I and 1, S and 5, B and 8, Z and 2, G and 6, U and V…) at most one is here.
const codeLetters = "ACDEFGHJKMNPRTWXY2345789"

// CodeLetters are the characters that day codes are made of.
func CodeLetters() string { return codeLetters }

// ReadCode is a code as it was typed, in the form in which it is asked about:
// capitals without spaces and dashes. ok is false when it cannot be a code.
func ReadCode(typed string) (code string, ok bool) {
	var b [CodeLength]byte
	n := 0
	if len(typed) > 4*CodeLength {
		return "", false
	}
	for _, c := range []byte(typed) {
		if c == ' ' || c == '-' {
			continue
		}
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if n == CodeLength || !isCodeLetter(c) {
			return "", false
		}
		b[n] = c
		n++
	}
	return string(b[:n]), n == CodeLength
}

func isCodeLetter(c byte) bool {
	for _, l := range []byte(codeLetters) {
		if c == l {
			return true
		}
	}
	return false
}

// Proper tells whether a question is one of this protocol: about one badge or
// one code, of the right size.
func (a BadgeAsk) Proper() bool {
	if a.ID == "" || len(a.ID) > MaxJobID || len(a.Window) > 2*MaxJobID || len(a.Cannot) > maxWord {
		return false
	}
	switch {
	case a.Code != "":
		code, ok := ReadCode(a.Code)
		return ok && code == a.Code && len(a.Holder) == 0 && a.Window == "" && a.Cannot == ""
	case a.Cannot != "":
		return a.Window != "" && len(a.Holder) == 0
	}
	return len(a.Holder) == H1Size
}

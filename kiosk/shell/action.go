package shell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// MaxAction bounds one action, in bytes.
const MaxAction = 1 << 10

// maxTyped bounds a code as it is typed, in bytes.
const maxTyped = 32

// ErrAction reports bytes that are no action of the shell's page.
var ErrAction = errors.New("not an action of this page")

// Known lists every action.
func Known() []Do {
	return []Do{Begin, Accept, Decline, End, StillHere, Arrived, Dismiss, SetLang, Home, Back, Again, SmileGood, SmileSoso, SmileBad,
		PrintIt, PrintCancel, PrintSet, PrintOK, PrintShow, Code, CallHelp, NoHelp,
		StaffAsk, StaffPIN, StaffClose, StaffReopen, StaffStay, StaffTime, StaffPrint, StaffRestart, StaffCall, StaffLeave}
}

// ParseAction reads one action. Unknown fields, unknown actions, a language
// or choices
// where none belong, and anything after the object are refused.
func ParseAction(b []byte) (Action, error) {
	var a Action
	if len(b) > MaxAction {
		return a, fmt.Errorf("cannot read an action of %d bytes: the limit is %d: %w", len(b), MaxAction, ErrAction)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return Action{}, fmt.Errorf("cannot read an action: %w: %w", ErrAction, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Action{}, fmt.Errorf("cannot read an action: something follows it: %w", ErrAction)
	}
	if !slices.Contains(Known(), a.Do) {
		return Action{}, fmt.Errorf("cannot do %.40q: %w", a.Do, ErrAction)
	}
	if (a.Do == SetLang) != (a.Lang != "") || !isTag(a.Lang) {
		return Action{}, fmt.Errorf("cannot do %q with language %.40q: %w", a.Do, a.Lang, ErrAction)
	}
	if (a.Do == Code) != (a.Code != "") || len(a.Code) > maxTyped {
		return Action{}, fmt.Errorf("cannot do %q with a code of %d bytes: %w", a.Do, len(a.Code), ErrAction)
	}
	if (a.Do == StaffPIN) != (a.PIN != "") || len(a.PIN) > maxTyped {
		return Action{}, fmt.Errorf("cannot do %q with a PIN of %d bytes: %w", a.Do, len(a.PIN), ErrAction)
	}
	if err := a.checkPrint(); err != nil {
		return Action{}, err
	}
	return a, nil
}

// isTag tells whether s has the form of a BCP 47 tag (RFC 5646 §2.1), or is empty.
func isTag(s string) bool {
	if len(s) > 35 {
		return false
	}
	for part := range bytes.SplitSeq([]byte(s), []byte("-")) {
		if s != "" && (len(part) == 0 || len(part) > 8) {
			return false
		}
		for _, c := range part {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
				return false
			}
		}
	}
	return true
}

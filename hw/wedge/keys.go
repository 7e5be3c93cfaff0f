package wedge

// Codes of linux/input-event-codes.h.
const (
	evSyn = 0x00
	evKey = 0x01

	synDropped = 3

	keyTab     = 15
	keyEnter   = 28
	keyKPEnter = 96
)

// char returns the character that a key types, as a reader means it; 0: none.
//
// Codes are places on the keyboard, not letters, so that the host's layout plays
// no part: the digits' row is digits, shifted (as a reader set to French types
// them) or not. A reader set to French presses the key right of Tab, KEY_Q, for
// its A, and the key right of L, KEY_SEMICOLON, or of N, KEY_M, for a comma; no
// number has a Q, an M or a semicolon, so all are taken.
func char(code uint16) byte {
	switch {
	case code >= 2 && code <= 10: // KEY_1 to KEY_9
		return '1' + byte(code-2)
	case code == 11, code == 82: // KEY_0, KEY_KP0
		return '0'
	case code >= 79 && code <= 81: // KEY_KP1 to KEY_KP3
		return '1' + byte(code-79)
	case code >= 75 && code <= 77:
		return '4' + byte(code-75)
	case code >= 71 && code <= 73:
		return '7' + byte(code-71)
	}
	switch code {
	case 30, 16: // KEY_A, KEY_Q
		return 'A'
	case 48:
		return 'B'
	case 46:
		return 'C'
	case 32:
		return 'D'
	case 18:
		return 'E'
	case 33:
		return 'F'
	case 51, 50: // KEY_COMMA, KEY_M
		return ','
	}
	return 0
}

// modifier tells keys that type nothing by themselves: a reader shifts its letters.
func modifier(code uint16) bool {
	switch code {
	case 42, 54, 29, 97, 56, 100, 58, 69: // shift, ctrl, alt, CapsLock, NumLock
		return true
	}
	return false
}

package sitefile

import "strconv"

// UAI tells whether s is a number of the national register of establishments: seven
// digits, and the letter that they give. (Unité administrative immatriculée,
// Bulletin officiel: the rest of the division by 23 chooses one of 23 letters.)
func UAI(s string) bool {
	if len(s) != 8 {
		return false
	}
	n, err := strconv.ParseUint(s[:7], 10, 32)
	return err == nil && s[7] == "ABCDEFGHJKLMNPRSTUVWXYZ"[n%23]
}

package stage

import (
	"os"
	"path/filepath"
)

// outerAuthority is where the user who started us keeps their cookies.
func outerAuthority() string {
	if p := os.Getenv("XAUTHORITY"); p != "" {
		return p
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".Xauthority")
	}
	return ""
}

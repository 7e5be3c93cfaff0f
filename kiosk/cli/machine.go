package cli

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"
)

func ownerOf(st fs.FileInfo) int {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}

// machine names the board or PC, as its firmware does.
func machine(paths ...string) string {
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		name := strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, string(b[:min(len(b), 64)])))
		if name != "" {
			return name
		}
	}
	return "unknown"
}

// firmware lists where boards and PCs tell their model.
func firmware() []string {
	return []string{"/proc/device-tree/model", "/sys/class/dmi/id/product_name"}
}

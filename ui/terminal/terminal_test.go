package terminal

import (
	"io/fs"
	"regexp"
	"testing"
)

var asset = regexp.MustCompile(`(?:src|href)="\./([^"]+)"`)

// TestPages proves that each page loads only files of its own build, and no
// script that a strict content policy would stop.
func TestPages(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(files, ".gitkeep"); err != nil {
		t.Errorf("a bare go build needs dist/.gitkeep: %v", err)
	}
	if _, err := fs.Stat(files, Shell); err != nil {
		t.Skip("SKIP: the pages are not built; run npm run build in ui")
	}
	for _, page := range []string{Shell, Bench, View} {
		html, err := fs.ReadFile(files, page)
		if err != nil {
			t.Errorf("%s is missing: %v", page, err)
			continue
		}
		named := asset.FindAllSubmatch(html, -1)
		if len(named) < 2 {
			t.Errorf("%s loads only %d files", page, len(named))
		}
		for _, m := range named {
			if _, err := fs.Stat(files, string(m[1])); err != nil {
				t.Errorf("%s loads %s: %v", page, m[1], err)
			}
		}
		if regexp.MustCompile(`<script[^>]*>[^<]|<style| style=`).Match(html) {
			t.Errorf("%s holds a script or style inline", page)
		}
	}
}

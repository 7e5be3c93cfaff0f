package console

import (
	"io/fs"
	"regexp"
	"testing"
)

// TestIndex proves that the page loads only files of its own build, under
// absolute addresses, and no script that a strict content policy would stop.
func TestIndex(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(files, ".gitkeep"); err != nil {
		t.Errorf("a bare go build needs dist/.gitkeep: %v", err)
	}
	html, err := fs.ReadFile(files, Index)
	if err != nil {
		t.Skip("SKIP: the console is not built; run npm run build in ui")
	}
	named := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(html, -1)
	if len(named) < 2 {
		t.Errorf("%s loads only %d files", Index, len(named))
	}
	for _, m := range named {
		name := string(m[1])
		if name[0] != '/' {
			t.Errorf("%s loads %s, which is not absolute", Index, name)
			continue
		}
		if _, err := fs.Stat(files, name[1:]); err != nil {
			t.Errorf("%s loads %s: %v", Index, name, err)
		}
	}
	if regexp.MustCompile(`<script[^>]*>[^<]|<style| style=`).Match(html) {
		t.Errorf("%s holds a script or style inline", Index)
	}
}

// Package console holds the pages of the staff's console, as built by
// `npm run build`: index.html and its assets, under absolute addresses.
package console

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Index is the only page; every address of the console is a fragment of it.
const Index = "index.html"

// Files returns the built pages. Before the first build it holds .gitkeep only.
func Files() (fs.FS, error) { return fs.Sub(dist, "dist") }

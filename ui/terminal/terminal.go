// Package terminal holds the pages of the terminal's own screen (the shell),
// of the simulator's bench and of the screen's view, as built by `npm run build`.
package terminal

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Pages of this build, by name in Files.
const (
	Shell = "index.html" // the kiosk's screen, fed over /ws
	Bench = "bench.html" // the simulator's bench, over /sim/state and /sim/do
	View  = "view.html"  // the screen seen from afar, over /sim/screen.png and /sim/input
)

// Files returns the built pages. Before the first build it holds .gitkeep only.
func Files() (fs.FS, error) { return fs.Sub(dist, "dist") }

package escape

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// guard is one thing that stops attempts.
type guard string

const (
	policy      guard = "browser policy"     // kiosk/browser/policies.go
	keys        guard = "window manager"     // openbox's configuration, kiosk/warden/programs.go
	switches    guard = "browser switches"   // chromiumFlags, the same file
	tabs        guard = "last tab"           // kiosk/browser/session.go opens another
	windowed    guard = "windows kept"       // kiosk/browser/windows.go
	firewall    guard = "firewall"           // kiosk/warden/nft.go
	resolver    guard = "session's resolver" // kiosk/resolver/decide.go
	netns       guard = "network namespace"  // kiosk/warden/box.go
	mountns     guard = "mount namespace"    // kiosk/warden/mounts.go
	pidns       guard = "PID namespace"      //
	ipcns       guard = "IPC namespace"      //
	users       guard = "own users"          // kiosk/warden/accounts.go
	noexec      guard = "mount options"      // noexec, nosuid on what a session writes
	limits      guard = "limits"             // control groups
	sizes       guard = "size of tmpfs"      //
	cookie      guard = "display's cookie"   // kiosk/stage/authority.go
	stacking    guard = "stage"              // kiosk/stage/windows.go
	grabs       guard = "shell's grabs"      // kiosk/stage/keys.go
	shellPolicy guard = "shell's policy"     // kiosk/warden/shell.go
	admission   guard = "shell's admission"  // kiosk/shell/server.go
	fence       guard = "shell's fence"      // kiosk/warden/nft.go
	pipe        guard = "debugging pipe"     // no debugging port
	wipe        guard = "wipe"               // kiosk/warden/wipe.go
	revival     guard = "revival"            // kiosk/agent opens the shell again
)

// row is one attempt.
type row struct {
	category string
	name     string
	try      string // what is tried
	success  string // what would count
	// guards stop it, each alone: all of them are taken away for it to succeed.
	guards []guard
	// run returns what was seen when the attempt succeeded, and "" when it was stopped.
	run func(a *attempt) string
}

// outcome is what came of a row.
type outcome struct {
	row  row
	saw  string // of the escape; empty: stopped
	err  error  // the attempt could not be made
	took time.Duration
}

func (o outcome) verdict() string {
	switch {
	case o.err != nil:
		return "not tried"
	case o.saw != "":
		return "ESCAPE"
	}
	return "stopped"
}

// by gives a row one guard or several.
func by(g ...guard) []guard { return g }

func (r row) stoppedBy() string {
	var names []string
	for _, g := range r.guards {
		names = append(names, string(g))
	}
	return strings.Join(names, ", ")
}

// table is every row, in the order that they are tried: what ends a session
// comes last.
func table() []row {
	return slices.Concat(keyboardRows(), omniboxRows(), dialogRows(), fileRows(), printRows(), popupRows(), fakeRows(),
		pageNetworkRows(), processNetworkRows(), deviceRows(), storageRows(), processRows(), displayRows(), agentRows(), bombRows(),
		endRows(), survivorRows(), shellRows())
}

// failure is how an attempt that cannot be made leaves its row.
type failure struct{ err error }

// attempt is one row at work.
type attempt struct {
	*hall
	row row
}

func (a *attempt) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// try makes the attempt, in a session that is open and calm.
func (h *hall) try(r row) (o outcome) {
	o.row = r
	began := time.Now()
	defer func() {
		o.took = time.Since(began)
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			o.err = f.err
			h.picture(r.name)
		}
	}()
	a := &attempt{hall: h, row: r}
	// A row that hangs ends the run, and says where.
	defer time.AfterFunc(3*time.Minute, func() { panic("the attempt " + r.category + "/" + r.name + " hangs") }).Stop()
	if r.category != "shell" {
		a.ready()
	}
	o.saw = r.run(a)
	return o
}

// report prints the table's outcome, and the isolation that receipts state for
// the sessions it ran in.
func report(t *testing.T, all []outcome, level string) {
	t.Helper()
	var b strings.Builder
	line := func(cells ...string) {
		fmt.Fprintf(&b, "%-11s %-34s %-9s %-36s %s\n", cells[0], cells[1], cells[2], cells[3], cells[4])
	}
	line("CATEGORY", "ATTEMPT", "VERDICT", "STOPPED BY", "LEVEL")
	count := map[string]int{}
	for _, o := range all {
		count[o.verdict()]++
		line(o.row.category, o.row.name, o.verdict(), o.row.stoppedBy(), level)
	}
	fmt.Fprintf(&b, "%d attempts: %d escapes, %d stopped, %d not tried", len(all), count["ESCAPE"], count["stopped"], count["not tried"])
	t.Logf("\n%s", b.String())
}

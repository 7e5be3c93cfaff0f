package agenttest

import (
	"path/filepath"

	"borne/kiosk/journal"
)

// Path is the journal's.
func (t *Terminal) Path() string { return filepath.Join(t.opt.Dir, "journal.db") }

// Peek opens the journal of a terminal that is switched off.
func (t *Terminal) Peek() (*journal.Journal, error) {
	return journal.Open(t.Path(), journal.Options{Clock: t.Clock})
}

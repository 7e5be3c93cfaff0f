package printertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Fault is what goes wrong in the engine, for the jobs that begin from then on.
type Fault string

// Faults that need no number.
const (
	None   Fault = "ok"
	Silent Fault = "silent" // it counts nothing
)

// Jam stops before side n (from 1) until Go or Abort.
func Jam(n int) Fault { return Fault(fmt.Sprintf("jam %d", n)) }

// Empty has no paper for side n until Go or Abort.
func Empty(n int) Fault { return Fault(fmt.Sprintf("empty %d", n)) }

// Hold stops before side n, without a reason, until Go or Abort.
func Hold(n int) Fault { return Fault(fmt.Sprintf("hold %d", n)) }

// AbortAt gives up before side n.
func AbortAt(n int) Fault { return Fault(fmt.Sprintf("abort %d", n)) }

// Slow takes that long for each side.
func Slow(d time.Duration) Fault { return Fault(fmt.Sprintf("slow %.3f", d.Seconds())) }

// Fault sets what goes wrong.
func (p *Printer) Fault(f Fault) error { return p.put("fault", string(f)) }

// Stuck tells whether the engine waits for Go or Abort.
func (p *Printer) Stuck() bool {
	_, err := os.Stat(filepath.Join(p.Dir, "ctl", "waiting"))
	return err == nil
}

// Waiting returns once the engine waits for Go or Abort.
func (p *Printer) Waiting(ctx context.Context) error {
	return untilCtx(ctx, p.Stuck)
}

// Go lets a waiting engine print on.
func (p *Printer) Go() error { return p.put("go", "go") }

// Abort makes a waiting engine give up.
func (p *Printer) Abort() error { return p.put("go", "abort") }

// put writes a file of the engine's at once.
func (p *Printer) put(name, line string) error {
	path := filepath.Join(p.Dir, "ctl", name)
	if err := os.WriteFile(path+".tmp", []byte(line+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

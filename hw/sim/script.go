package sim

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Limits of a script.
const (
	maxScript = 64 << 10 // bytes
	maxSteps  = 1000
	maxAfter  = 24 * time.Hour
)

// Script is what happens on a bench, one after the other. Its text has a step a
// line: when, counted from its beginning, then an action of Do, then its
// arguments. Empty lines and those that begin with # are skipped.
//
//	# somebody comes, then the reader's cable is pulled
//	500ms tap    {"uids":["04a1b2c3"],"hold_ms":1500}
//	3s    fault  {"bit_errors":0.01,"drop":0.05}
//	5s    reader {"plugged":false}
type Script struct{ steps []step }

type step struct {
	after  time.Duration
	action string
	args   []byte
}

// ReadScript reads a script's file.
func ReadScript(path string) (Script, error) {
	f, err := os.Open(path)
	if err != nil {
		return Script{}, fmt.Errorf("cannot read the script: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxScript+1))
	if err != nil {
		return Script{}, fmt.Errorf("cannot read the script: %w", err)
	}
	s, err := ParseScript(b)
	if err != nil {
		return Script{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseScript reads a script's text and tries each step on a bench of its own:
// an error names the line, before anything happened on a real one.
func ParseScript(b []byte) (Script, error) {
	if len(b) > maxScript {
		return Script{}, fmt.Errorf("cannot use a script of more than %d bytes", maxScript)
	}
	var s Script
	dry := NewBench(NewVirtualClock(), 1)
	for n, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fail := func(err error) (Script, error) {
			return Script{}, fmt.Errorf("cannot use line %d of the script: %w", n+1, err)
		}
		when, rest, _ := strings.Cut(line, " ")
		action, args, _ := strings.Cut(strings.TrimSpace(rest), " ")
		after, err := time.ParseDuration(when)
		switch {
		case err != nil || after < 0 || after > maxAfter:
			return fail(fmt.Errorf("it begins with %.20q; write when, such as 500ms or 2s, up to %v", when, maxAfter))
		case len(s.steps) > 0 && after < s.steps[len(s.steps)-1].after:
			return fail(fmt.Errorf("%v comes after a later step; steps are in the order of time", after))
		case len(s.steps) == maxSteps:
			return fail(fmt.Errorf("the limit is %d steps", maxSteps))
		}
		st := step{after: after, action: action, args: []byte(strings.TrimSpace(args))}
		if err := dry.Do(st.action, st.args); err != nil {
			return fail(err)
		}
		s.steps = append(s.steps, st)
	}
	return s, nil
}

// Play carries the script out on a bench until it or ctx ends. The error is a
// step's, or ctx's.
func (s Script) Play(ctx context.Context, b *Bench) error {
	start := b.clk.Now()
	for _, st := range s.steps {
		if err := b.clk.Sleep(ctx, start+st.after-b.clk.Now()); err != nil {
			return err
		}
		if err := b.Do(st.action, st.args); err != nil {
			return err
		}
	}
	return nil
}

// Package doctor looks at what a terminal needs, one thing at a time, and says
// in French what is well and how to mend what is not.
package doctor

import (
	"context"
	"fmt"
	"io"
	"time"
)

// checkWithin bounds one check.
const checkWithin = 45 * time.Second

// Finding is what one check found. Fix is empty when all is well.
type Finding struct {
	Found string // one short sentence
	Fix   string // what to do
	Parts []Part // what the sentence sums up, when there is more than one thing
}

// Part is one of several things that a check looked at.
type Part struct {
	Name  string
	Found string
	Fix   string // empty when it is well
}

// Check looks at one thing.
type Check struct {
	Name string
	Look func(context.Context) Finding
}

func well(format string, a ...any) Finding { return Finding{Found: fmt.Sprintf(format, a...)} }

func amiss(fix, format string, a ...any) Finding {
	return Finding{Found: fmt.Sprintf(format, a...), Fix: fix}
}

// Run carries the checks out in order, tells each as it comes, and returns how
// many things are to be mended.
func Run(ctx context.Context, w io.Writer, checks []Check) (wrong int, err error) {
	for _, c := range checks {
		one, cancel := context.WithTimeout(ctx, checkWithin)
		f := c.Look(one)
		cancel()
		if ctx.Err() != nil {
			return wrong, ctx.Err()
		}
		mark := "ok        "
		if f.Fix != "" {
			mark, wrong = "à corriger", wrong+1
		}
		if _, err := fmt.Fprintf(w, "%s  %-22s %s\n", mark, c.Name, f.Found); err != nil {
			return wrong, err
		}
		if f.Fix != "" {
			if _, err := fmt.Fprintf(w, "%12s→ %s\n", "", f.Fix); err != nil {
				return wrong, err
			}
		}
		if err := parts(w, f.Parts); err != nil {
			return wrong, err
		}
	}
	switch wrong {
	case 0:
		_, err = fmt.Fprintln(w, "\nTout va bien.")
	case 1:
		_, err = fmt.Fprintln(w, "\nUne chose est à corriger.")
	default:
		_, err = fmt.Fprintf(w, "\n%d choses sont à corriger.\n", wrong)
	}
	return wrong, err
}

// parts tells each part, marked, with what mends it.
func parts(w io.Writer, list []Part) error {
	for _, p := range list {
		mark := "+"
		if p.Fix != "" {
			mark = "-"
		}
		if _, err := fmt.Fprintf(w, "%12s%s %-30s %s\n", "", mark, p.Name, p.Found); err != nil {
			return err
		}
		if p.Fix != "" {
			if _, err := fmt.Fprintf(w, "%14s→ %s\n", "", p.Fix); err != nil {
				return err
			}
		}
	}
	return nil
}

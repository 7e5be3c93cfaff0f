// Package cli is the controller's command line: what each command needs, and
// the exit codes.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"borne/controller/api"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // it was tried and did not work
	exitUsage = 2 // it was not asked for correctly
	exitFound = 3 // a check found something wrong
)

// IO is the outside of the program.
type IO struct {
	Out, Err io.Writer
	Env      func(string) string
}

// errUsage marks a command line that makes no sense.
var errUsage = errors.New("usage")

// errFound marks a check that found something.
var errFound = errors.New("something is wrong")

type command struct {
	name, args, help string
	run              func(context.Context, *env, []string) error
}

// env is what a command works with.
type env struct {
	IO
	flags *flag.FlagSet
}

func commands() []command {
	return []command{
		{"openapi", "", "print the console API's OpenAPI 3.1 document", openapi},
	}
}

// Run executes one command line and returns the exit code.
func Run(ctx context.Context, args []string, io IO) int {
	all := commands()
	for _, c := range all {
		words := 1
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		if len(args) > 1 && c.name == args[0]+" "+args[1] {
			name, words = c.name, 2
		}
		if c.name != name {
			continue
		}
		e := &env{IO: io, flags: flag.NewFlagSet(c.name, flag.ContinueOnError)}
		e.flags.SetOutput(io.Err)
		err := c.run(ctx, e, args[words:])
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return exitOK
		case errors.Is(err, errUsage):
			fmt.Fprintf(io.Err, "borne-controller: %v\nusage: borne-controller %s %s\n", err, c.name, c.args)
			return exitUsage
		}
		fmt.Fprintf(io.Err, "borne-controller: %v\n", err)
		if errors.Is(err, errFound) {
			return exitFound
		}
		return exitError
	}
	usage(io.Err, all)
	return exitUsage
}

func usage(w io.Writer, all []command) {
	fmt.Fprintln(w, "usage: borne-controller <command> [flags]")
	for _, c := range all {
		fmt.Fprintf(w, "  %-14s %s\n", c.name, c.help)
	}
}

func openapi(_ context.Context, e *env, _ []string) error {
	a, err := api.New(api.Config{})
	if err != nil {
		return err
	}
	doc, err := a.Document()
	if err != nil {
		return err
	}
	_, err = e.Out.Write(doc)
	return err
}

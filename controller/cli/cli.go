// Package cli is the controller's command line: what each command needs, and
// the exit codes.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"borne/controller/config"
	"borne/controller/server"
)

// Exit codes.
const (
	ExitOK    = 0
	ExitError = 1 // it was tried and did not work
	ExitUsage = 2 // it was not asked for correctly
	ExitFound = 3 // a check found something wrong
)

// IO is the outside of the program.
type IO struct {
	Out, Err io.Writer
	Env      func(string) string
	Version  string
}

// errUsage marks a command line that makes no sense.
var errUsage = errors.New("cannot understand the command line")

// errFound marks a check that found something.
var errFound = errors.New("something is wrong")

type command struct {
	name, args, help string
	run              func(context.Context, *env, []string) error
}

// env is what a command works with.
type env struct {
	IO
	flags  *flag.FlagSet
	config string
}

func commands() []command {
	return []command{
		{"serve", "[-config file]", "serve terminals and the console", serve},
		{"init", "[-config file] [-name text]", "set up a new controller, and its configuration when there is none", initialise},
		{"user link", "[-name text] [-role role] [-sites a,b | -all]", "print a one-time login link (the first one makes the administrator)", userLink},
		{"user disable", "-name text", "close the account of somebody who left", about(server.OpDisable, "name", "whose account")},
		{"user", "", "say who may log in, in which role and where", ask(server.OpUsers)},
		{"site add", "-name text -kind college|pms|mie|library|other -commune text [-territoire text]", "create a site, and print its id", given(server.OpAddSite, "name", "kind", "commune", "territoire")},
		{"site space", "-site id -name text [-contact text]", "create a space of a site, and print its id", given(server.OpAddSpace, "site", "name", "contact")},
		{"site", "", "list the sites and their spaces, with their ids", ask(server.OpSites)},
		{"terminal revoke", "-terminal id", "shut a stolen terminal out: its keys no longer open anything", about(server.OpRevoke, "terminal", "id of the terminal")},
		{"terminal", "[-site id]", "list the terminals: where they stand, their state, when they were seen", given(server.OpFleet, "site")},
		{"enrol-code", "-terminal id | -space id -name text", "print a one-time installation code", enrolCode},
		{"backup", "-out file [-recipient age1… | -passphrase-file file | -unencrypted]", "write the store and the keys into one encrypted archive, also while it serves", backup},
		{"restore", "-in file [-identity file | -passphrase-file file] [-deletions file | -without-deletions] [-replace | -look]", "verify a backup and put it into an empty state folder", restore},
		{"export rgpd", "DIR", "write the register of processing (art. 30), the annex of the AIPD and the data inventory into a new folder", exportRGPD},
		{"export deletions", "[-out file]", "write what was erased on request: a restore elsewhere needs it", exportTo(server.ExportDeletions)},
		{"keys", "[-step announce|switch|retire|abandon [-leave]]", "say where a rollover of root and signing key stands, or take its next step", keys},
		{"check", "", "look at everything that would stop terminals or people", ask(server.OpCheck)},
		{"audit verify", "[-head number:hash] [-file file]", "verify the audit's chain, or that of an exported file", auditVerify},
		{"audit export", "[-format json|csv] [-out file]", "write the audit with its chain, for whoever keeps or verifies it elsewhere", auditExport},
		{"certificate verify", "[-file file] [-digest text]", "verify a month's certificate: its file, or the digest printed on it", certificateVerify},
		{"lists import", "FILE", "take category lists in (Université de Toulouse: a tar.gz archive, or a folder)", importLists},
		{"lists", "", "say which category lists are there", ask(server.OpLists)},
		{"seed-demo", "", "add a small demonstration fleet (only with demo = true)", ask(server.OpSeedDemo)},
		{"config", "", "print a commented configuration", printConfig},
		{"openapi", "", "print the console API's OpenAPI 3.1 document", openapi},
		{"version", "", "print the version", version},
	}
}

// Run executes one command line and returns the exit code.
func Run(ctx context.Context, args []string, io IO) int {
	all := commands()
	for _, c := range all {
		words := match(c.name, args)
		if words == 0 {
			continue
		}
		e := &env{IO: io, flags: flag.NewFlagSet(c.name, flag.ContinueOnError)}
		e.flags.SetOutput(io.Err)
		e.flags.StringVar(&e.config, "config", config.Path, "the controller's configuration")
		e.flags.Usage = func() {
			fmt.Fprintf(io.Err, "usage: borne-controller %s %s\n", c.name, c.args)
			e.flags.PrintDefaults()
		}
		return code(io, c.run(ctx, e, args[words:]))
	}
	fmt.Fprintln(io.Err, "usage: borne-controller <command> [flags]; each command has -h")
	for _, c := range all {
		fmt.Fprintf(io.Err, "  %-18s %s\n", c.name, c.help)
	}
	return ExitUsage
}

// match returns how many words of args are the command's name.
func match(name string, args []string) int {
	switch {
	case len(args) > 0 && args[0] == name:
		return 1
	case len(args) > 1 && args[0]+" "+args[1] == name:
		return 2
	}
	return 0
}

func code(io IO, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return ExitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(io.Err, "borne-controller: %v\n", err)
		return ExitUsage
	case errors.Is(err, errFound):
		return ExitFound
	}
	fmt.Fprintf(io.Err, "borne-controller: %v\n", err)
	return ExitError
}

// parse reads the flags, and refuses words that are left over.
func (e *env) parse(args []string) error {
	if err := e.flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if e.flags.NArg() > 0 {
		return fmt.Errorf("%w: %q is one word too many", errUsage, e.flags.Arg(0))
	}
	return nil
}

// load parses and reads the configuration.
func (e *env) load(args []string) (server.Config, error) {
	if err := e.parse(args); err != nil {
		return server.Config{}, err
	}
	return e.read()
}

// read reads the configuration that the flags name.
func (e *env) read() (server.Config, error) {
	c, err := config.Load(e.config)
	if err != nil {
		return server.Config{}, err
	}
	return server.Config{Config: c, Version: e.Version, Log: e.log(c), Now: time.Now, Env: e.Env}, nil
}

func (e *env) log(c config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(e.Err, o))
	}
	return slog.New(slog.NewTextHandler(e.Err, o))
}

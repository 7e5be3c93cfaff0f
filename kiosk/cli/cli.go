// Package cli wires the roles of the terminal together: commands, flags,
// signals and exit codes.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"borne/kiosk/config"
	"borne/kiosk/count"
	"borne/kiosk/preview"
)

// Exit codes.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

// Env is what the program gets from outside.
type Env struct {
	Args    []string // Args[0] is the program
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Version string
}

// command is one word of the command line.
type command struct {
	name   string
	args   string // what follows it, for the usage
	help   string // in French; empty for roles that only this program starts
	config bool   // takes -config and -sim
	run    func(context.Context, *call) error
}

// call is one command being run.
type call struct {
	Env
	cfg   config.Config
	text  []byte // of the configuration's file
	rest  []string
	flags *flag.FlagSet
	log   *slog.Logger
}

// usageError is a command line that makes no sense: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// errSaid ends with exit code 1 and without another word.
var errSaid = errors.New("said already")

func commands() []command {
	return append([]command{
		{"run", "", "fait tourner le poste (en root)", true, run},
		{"enrol", "CODE", "enrôle le poste avec le code donné par la console (en root)", true, enrol},
		{"doctor", "", "vérifie tout ce dont le poste a besoin, et dit quoi corriger", true, runDoctor},
		{"config", "", "écrit une configuration d'exemple, commentée", false, printConfig},
		{"badge", "", "lit un badge et donne son empreinte, pour les règles (poste arrêté)", true, tellBadge},
		{"hw", "list|test [RÔLE]", "montre ou essaie les périphériques", true, hardware},
		{"version", "", "dit la version", false, printVersion},
	}, roles()...)
}

// Main runs one command and returns the exit code.
func Main(env Env) int {
	if code, mine := before(env); mine {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := dispatch(ctx, env)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSaid):
		return exitFail
	case errors.As(err, &usage):
		fmt.Fprintf(env.Stderr, "borne-kiosk: %v\n\n%s", err, usageText())
		return exitUsage
	}
	fmt.Fprintf(env.Stderr, "borne-kiosk: %v\n", err)
	return exitFail
}

func dispatch(ctx context.Context, env Env) error {
	if len(env.Args) < 2 {
		return usageError{errors.New("cannot tell what to do: give a command")}
	}
	name := env.Args[1]
	if name == "help" || name == "-h" || name == "-help" || name == "--help" {
		fmt.Fprint(env.Stdout, usageText())
		return nil
	}
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if i < 0 {
		return usageError{fmt.Errorf("cannot do %.40q: no such command", name)}
	}
	return all[i].start(ctx, env)
}

// start reads the flags and the configuration, then runs the command.
func (cmd command) start(ctx context.Context, env Env) error {
	c := &call{Env: env, flags: flag.NewFlagSet(cmd.name, flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard)
	var path *string
	var sim *bool
	if cmd.config {
		path = c.flags.String("config", config.Path, "")
		sim = c.flags.Bool("sim", false, "")
	}
	if cmd.name == "run" {
		c.flags.Bool("apart", false, "")
	}
	if cmd.name == rolePress {
		c.flags.Bool("auto", false, "")
	}
	for _, name := range map[string][]string{
		roleAgent:    {"door"},
		"enrol":      {"controller"},
		rolePress:    {"socket", "uids", "channel", "counter", "preview", "tcp", "printer"},
		count.Role:   {"socket", "uids"},
		preview.Role: {"socket", "uids", "display", "authority"},
	}[cmd.name] {
		c.flags.String(name, "", "")
	}
	// Flags may stand before and after the words: people write both.
	rest := env.Args[2:]
	for {
		if err := c.flags.Parse(rest); err != nil {
			return usageError{fmt.Errorf("cannot run %s: %w", cmd.name, err)}
		}
		if rest = c.flags.Args(); len(rest) == 0 {
			break
		}
		c.rest, rest = append(c.rest, rest[0]), rest[1:]
	}
	c.log = newLog(env.Stderr, false, slog.LevelInfo)
	if cmd.config {
		var err error
		if c.text, c.cfg, err = load(*path, *sim); err != nil {
			return err
		}
		c.log = newLog(env.Stderr, c.cfg.LogJSON, c.cfg.LogLevel)
	}
	return cmd.run(ctx, c)
}

func (c *call) flag(name string) string { return c.flags.Lookup(name).Value.String() }

// apart tells that the agent is a unit of its own, and no child of the warden's.
func (c *call) apart() bool { return c.flag("apart") == "true" }

// load reads the file. Without one, and without naming one, the defaults do.
func load(path string, sim bool) ([]byte, config.Config, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && path == config.Path {
		cfg, err := config.Parse(nil, sim)
		return nil, cfg, err
	}
	cfg, err := config.Load(path, sim)
	if err != nil {
		return nil, cfg, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, cfg, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return text, cfg, nil
}

func newLog(w io.Writer, json bool, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if json {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func usageText() string {
	var b strings.Builder
	b.WriteString("Utilisation : borne-kiosk COMMANDE\n\n")
	for _, c := range commands() {
		if c.help != "" {
			fmt.Fprintf(&b, "  %-20s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
		}
	}
	fmt.Fprintf(&b, "\n  -config FICHIER      configuration (%s)\n  -sim                 matériel simulé, pour essayer\n  -apart               avec run : l'agent est un service à part (borne-agent)\n  -controller ADRESSE  avec enrol : https://hôte[:port]\n", config.Path)
	return b.String()
}

func printConfig(_ context.Context, c *call) error {
	_, err := io.WriteString(c.Stdout, config.Example())
	return err
}

func printVersion(_ context.Context, c *call) error {
	_, err := fmt.Fprintln(c.Stdout, "borne-kiosk", c.Version)
	return err
}

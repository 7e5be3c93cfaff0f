package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"borne/controller/api"
	"borne/controller/config"
	"borne/controller/server"
	"borne/ui/console"
)

func serve(ctx context.Context, e *env, args []string) error {
	c, err := e.load(args)
	if err != nil {
		return err
	}
	if c.Files, err = console.Files(); err != nil {
		return fmt.Errorf("cannot find the console's files: %w", err)
	}
	s, err := server.New(c)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func initialise(ctx context.Context, e *env, args []string) error {
	name := e.flags.String("name", "", "name of the Département's service")
	if err := e.parse(args); err != nil {
		return err
	}
	_, err := os.Stat(e.config)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(e.config), 0o755); err != nil {
			return fmt.Errorf("cannot write the configuration: %w", err)
		}
		if err := os.WriteFile(e.config, []byte(config.Example()), 0o640); err != nil {
			return fmt.Errorf("cannot write the configuration: %w", err)
		}
		fmt.Fprintf(e.Out, "wrote %s\n", e.config)
	}
	c, err := config.Load(e.config)
	if err != nil {
		return err
	}
	if err := server.Init(ctx, c.State, *name, time.Now()); err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "set up a controller in %s; next: borne-controller serve, then borne-controller user link\n", c.State)
	return nil
}

// do asks the controller that serves, or opens the state when none does.
func (e *env) do(ctx context.Context, c server.Config, op string, args map[string]string) error {
	req := server.Request{Op: op, Args: args}
	r, ok, err := server.Call(ctx, c.State, req)
	if err == nil && !ok {
		r, err = server.Offline(ctx, c, req)
	}
	if err != nil {
		return err
	}
	if r.Error != "" {
		return errors.New(r.Error)
	}
	if _, err := fmt.Fprint(e.Out, r.Text); err != nil {
		return err
	}
	if r.Found {
		return errFound
	}
	return nil
}

func ask(op string) func(context.Context, *env, []string) error {
	return func(ctx context.Context, e *env, args []string) error {
		c, err := e.load(args)
		if err != nil {
			return err
		}
		return e.do(ctx, c, op, nil)
	}
}

func userLink(ctx context.Context, e *env, args []string) error {
	name := e.flags.String("name", "", "whose link; the administrator's without it")
	role := e.flags.String("role", "", "role of a new account: administrator, correspondant, building, reception, dpo, observer")
	sites := e.flags.String("sites", "", "ids of the sites of a new account, separated by commas")
	all := e.flags.Bool("all", false, "the new account's role is held on every site")
	email := e.flags.String("email", "", "mail address of a new account: what an OpenID provider knows the person by, the first time")
	c, err := e.load(args)
	if err != nil {
		return err
	}
	return e.do(ctx, c, server.OpLink, map[string]string{"email": *email, "name": *name, "role": *role, "sites": *sites, "all": strconv.FormatBool(*all)})
}

// about is a command about one thing, named by a flag that must be given.
func about(op, flag, help string) func(context.Context, *env, []string) error {
	return func(ctx context.Context, e *env, args []string) error {
		v := e.flags.String(flag, "", help)
		c, err := e.load(args)
		if err != nil {
			return err
		}
		if *v == "" {
			return fmt.Errorf("%w: give -%s", errUsage, flag)
		}
		return e.do(ctx, c, op, map[string]string{flag: *v})
	}
}

// given is a command whose flags are handed on as they are: who is asked knows which
// it needs.
func given(op string, names ...string) func(context.Context, *env, []string) error {
	return func(ctx context.Context, e *env, args []string) error {
		values := map[string]*string{}
		for _, n := range names {
			values[n] = e.flags.String(n, "", flagHelp()[op+" "+n])
		}
		c, err := e.load(args)
		if err != nil {
			return err
		}
		ask := map[string]string{}
		for n, v := range values {
			ask[n] = *v
		}
		return e.do(ctx, c, op, ask)
	}
}

func flagHelp() map[string]string {
	return map[string]string{
		server.OpAddSite + " name": "the site's name, as people know it", server.OpAddSite + " kind": "what it is: college, pms, mie, library or other",
		server.OpAddSite + " commune": "where it is", server.OpAddSite + " territoire": "its territorial directorate, for reports",
		server.OpAddSpace + " site": "id of the site", server.OpAddSpace + " name": "the space's name, such as Hall", server.OpAddSpace + " contact": "role to call on an alarm, not a person's name",
		server.OpFleet + " site": "id of a site: its terminals alone",
	}
}

func enrolCode(ctx context.Context, e *env, args []string) error {
	terminal := e.flags.String("terminal", "", "id of the terminal to install or to replace")
	space := e.flags.String("space", "", "id of a new terminal's space")
	name := e.flags.String("name", "", "a new terminal's name")
	c, err := e.load(args)
	if err != nil {
		return err
	}
	if (*terminal == "") == (*space == "" || *name == "") {
		return fmt.Errorf("%w: give -terminal, or -space and -name", errUsage)
	}
	return e.do(ctx, c, server.OpEnrol, map[string]string{"terminal": *terminal, "space": *space, "name": *name})
}

func auditVerify(ctx context.Context, e *env, args []string) error {
	head := e.flags.String("head", "", "a head that was noted before: shows whether newer entries were cut off")
	file := e.flags.String("file", "", "what audit export wrote; no controller and no configuration is needed")
	if err := e.parse(args); err != nil {
		return err
	}
	if *file != "" {
		return verifyExport(e, *file, *head)
	}
	c, err := e.read()
	if err != nil {
		return err
	}
	return e.do(ctx, c, server.OpAudit, map[string]string{"head": *head})
}

func keys(ctx context.Context, e *env, args []string) error {
	step := e.flags.String("step", "", "announce, switch, retire; or abandon, to give announced keys up")
	leave := e.flags.Bool("leave", false, "go on without the terminals that have not heard: they are lost, and need a new installation code")
	c, err := e.load(args)
	if err != nil {
		return err
	}
	return e.do(ctx, c, server.OpKeys, map[string]string{"step": *step, "leave": strconv.FormatBool(*leave)})
}

// maxCertificate bounds the file of a certificate.
const maxCertificate = 1 << 20

func certificateVerify(ctx context.Context, e *env, args []string) error {
	name := e.flags.String("file", "", "the file that the console handed out with the certificate")
	digest := e.flags.String("digest", "", "the digest that the paper bears")
	c, err := e.load(args)
	if err != nil {
		return err
	}
	ask := map[string]string{"digest": *digest}
	switch {
	case *name != "":
		b, err := os.ReadFile(*name)
		if err != nil {
			return fmt.Errorf("cannot read the certificate: %w", err)
		}
		if len(b) > maxCertificate {
			return fmt.Errorf("cannot read the certificate: %s is larger than any is", *name)
		}
		ask["file"] = string(b)
	case *digest == "":
		return fmt.Errorf("%w: give -file or -digest, or both", errUsage)
	}
	return e.do(ctx, c, server.OpCertify, ask)
}

func printConfig(_ context.Context, e *env, args []string) error {
	if err := e.parse(args); err != nil {
		return err
	}
	_, err := fmt.Fprint(e.Out, config.Example())
	return err
}

func openapi(_ context.Context, e *env, args []string) error {
	if err := e.parse(args); err != nil {
		return err
	}
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

func version(_ context.Context, e *env, args []string) error {
	if err := e.parse(args); err != nil {
		return err
	}
	_, err := fmt.Fprintln(e.Out, e.Version)
	return err
}

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"borne/controller/accounts"
	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/demo"
	"borne/controller/fleet"
	"borne/controller/store"
)

// Request is what the machine's administrator asks of the controller, over its
// control socket while it serves, and directly while it does not.
type Request struct {
	Op   string            `json:"op"`
	Args map[string]string `json:"args,omitempty"`
}

// Reply answers a Request.
type Reply struct {
	Text  string `json:"text,omitempty"`
	Found bool   `json:"found,omitempty"` // a check found something wrong: Text says what
	Error string `json:"error,omitempty"`
}

// Operations of a Request.
const (
	OpLink     = "user-link"       // name, role, sites: a login link, and the account when there is none
	OpDisable  = "user-disable"    // name
	OpEnrol    = "enrol-code"      // terminal, or site, space and name
	OpRevoke   = "terminal-revoke" // terminal
	OpAudit    = "audit-verify"    // head
	OpCheck    = "check"
	OpSeedDemo = "seed-demo"
	OpKeys     = "keys"               // step, leave
	OpCertify  = "certificate-verify" // file: its content; or digest: as it is printed
	OpLists    = "lists"
	OpUsers    = "users"
	OpSites    = "sites"
	OpAddSite  = "site-add"  // name, kind, commune, territoire
	OpAddSpace = "space-add" // site, name, contact
	OpFleet    = "terminals" // site: of it alone
)

// Do executes one request.
func (c *core) Do(ctx context.Context, r Request) Reply {
	run, ok := map[string]func(context.Context, map[string]string) (Reply, error){
		OpLink: c.link, OpDisable: c.disable, OpEnrol: c.enrolCode, OpRevoke: c.revoke, OpAudit: c.auditVerify,
		OpCheck: c.check, OpSeedDemo: c.seedDemo, OpKeys: c.rollover, OpCertify: c.certificateVerify,
		OpLists: c.tellLists, OpUsers: c.tellUsers, OpSites: c.tellSites, OpAddSite: c.addSite, OpAddSpace: c.addSpace, OpFleet: c.tellTerminals,
	}[r.Op]
	if !ok {
		return Reply{Error: fmt.Sprintf("cannot do %.40q: this controller does not know it; use the same version of the command", r.Op)}
	}
	reply, err := run(ctx, r.Args)
	if err != nil {
		return Reply{Error: err.Error()}
	}
	return reply
}

// link prints a one-time login link. Without an account of that name it makes
// one: whoever may ask this owns the machine.
func (c *core) link(ctx context.Context, args map[string]string) (Reply, error) {
	name := args["name"]
	if name == "" {
		name = "Administrateur"
	}
	id, err := c.account(ctx, name)
	if err != nil {
		return Reply{}, err
	}
	sites := strings.FieldsFunc(args["sites"], func(r rune) bool { return r == ',' || r == ' ' })
	if id != "" {
		if err := c.same(ctx, id, args["role"], sites); err != nil {
			return Reply{}, err
		}
		if email := args["email"]; email != "" {
			if err := c.acc.SetEmail(ctx, audit.Controller, id, email); err != nil {
				return Reply{}, err
			}
		}
	}
	if id == "" {
		role := args["role"]
		if role == "" {
			role = string(accounts.Administrator)
		}
		u := accounts.NewUser{Name: name, Email: args["email"], Role: accounts.Role(role), Sites: sites}
		u.All = len(u.Sites) == 0 && (u.Role == accounts.Administrator || args["all"] == "true")
		if id, err = c.acc.Create(ctx, audit.Controller, u); err != nil {
			return Reply{}, err
		}
	}
	token, expires, err := c.acc.Link(ctx, audit.Controller, id)
	if err != nil {
		return Reply{}, err
	}
	// Behind the #: browsers send it to no server, so no log holds it.
	return Reply{Text: fmt.Sprintf("%s/#login=%s\n", c.consoleURL(), token) +
		fmt.Sprintf("for %s, once, until %s\n", name, expires.In(c.zone).Format("15:04"))}, nil
}

// same refuses what an account is not: a link opens it as it is, and whoever gives
// another role or other sites would believe that they hold.
func (c *core) same(ctx context.Context, id, role string, sites []string) error {
	var u store.User
	err := c.st.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.User](tx, id)
		u = it.Row
		return err
	})
	if err != nil {
		return err
	}
	have, want := slices.Sorted(slices.Values(u.Sites)), slices.Sorted(slices.Values(sites))
	if role != "" && role != u.Role || len(sites) > 0 && !slices.Equal(have, want) {
		return fmt.Errorf("cannot make the link: the account of %s is %s on %v already, and a link does not change that; leave -role and -sites out, or give another name", u.Name, u.Role, u.Sites)
	}
	return nil
}

// account finds the open account of that name; "" when there is none.
func (c *core) account(ctx context.Context, name string) (id string, err error) {
	err = c.st.View(ctx, func(tx store.Tx) error {
		for it, err := range store.List[store.User](tx, "", "", false) {
			if err != nil {
				return err
			}
			if strings.EqualFold(it.Row.Name, name) && !it.Row.Disabled {
				id = it.ID
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("cannot look for the account: %w", err)
	}
	return id, nil
}

// disable closes the account of somebody who left.
func (c *core) disable(ctx context.Context, args map[string]string) (Reply, error) {
	id, err := c.account(ctx, args["name"])
	if err != nil {
		return Reply{}, err
	}
	if id == "" {
		return Reply{}, fmt.Errorf("cannot close the account: there is no open one of the name %q", args["name"])
	}
	if err := c.acc.Disable(ctx, audit.Controller, id); err != nil {
		return Reply{}, err
	}
	return Reply{Text: "closed the account of " + args["name"] + "; the links and sessions it had are over\n"}, nil
}

// revoke shuts a terminal out for good: stolen, or given away.
func (c *core) revoke(ctx context.Context, args map[string]string) (Reply, error) {
	id := args["terminal"]
	err := c.st.Decide(ctx, func(tx store.Tx) error {
		t, err := fleet.Revoke(tx, id, c.now())
		if err != nil {
			return err
		}
		return auditor(c.now)(tx, "revoked", t, "")
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot revoke the terminal: %w", err)
	}
	c.wake(id) // its connection ends when it looks
	return Reply{Text: "revoked " + id + ": only an installation code that replaces it brings it back\n" +
		"while it is not connected it may still open the sessions that it has permits for, and no more\n"}, nil
}

func (c *core) enrolCode(ctx context.Context, args map[string]string) (Reply, error) {
	var code api.EnrolCode
	err := c.st.Decide(ctx, func(tx store.Tx) error {
		site := args["site"]
		r := api.EnrolRequest{Space: args["space"], Name: args["name"], Replace: args["terminal"]}
		switch {
		case r.Replace != "":
			t, err := store.Get[store.Terminal](tx, r.Replace)
			if err != nil {
				return err
			}
			site = t.Site
		case r.Space != "":
			s, err := store.Get[store.Space](tx, r.Space)
			if err != nil {
				return err
			}
			site = s.Site
		}
		var err error
		code, err = api.MakeCode(tx, site, r, audit.Controller, c.now())
		return err
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot make an installation code: %w", err)
	}
	return Reply{Text: code.Code + "\n"}, nil
}

func (c *core) auditVerify(ctx context.Context, args map[string]string) (Reply, error) {
	var want *audit.Head
	if args["head"] != "" {
		h, err := audit.ParseHead(args["head"])
		if err != nil {
			return Reply{}, err
		}
		want = &h
	}
	var head audit.Head
	err := c.st.View(ctx, func(tx store.Tx) (err error) {
		head, err = audit.Verify(tx, want)
		return err
	})
	if errors.Is(err, audit.ErrBroken) {
		return Reply{Found: true, Text: "the audit does not hold: " + err.Error() + "\n"}, nil
	}
	if err != nil {
		return Reply{}, fmt.Errorf("cannot verify the audit: %w", err)
	}
	return Reply{Text: fmt.Sprintf("the audit holds: %d entries\nhead %s\n", head.Seq, head)}, nil
}

// check looks at what would stop terminals or people.
func (c *core) check(ctx context.Context, _ map[string]string) (Reply, error) {
	var b strings.Builder
	found := false
	line := func(what string, err error) {
		if err != nil {
			found = true
			fmt.Fprintf(&b, "WRONG  %s: %v\n", what, err)
			return
		}
		fmt.Fprintf(&b, "ok     %s\n", what)
	}
	_, err := store.Inventory()
	line("every stored field is in the data inventory", err)
	err = c.st.View(ctx, func(tx store.Tx) error { _, err := audit.Verify(tx, nil); return err })
	line("the audit's chain", err)
	var admins, terminals int
	err = c.st.View(ctx, func(tx store.Tx) error {
		if _, err := store.Get[store.Setting](tx, store.SettingController); err != nil {
			return err
		}
		for it, err := range store.List[store.User](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.Role == string(accounts.Administrator) && !it.Row.Disabled {
				admins++
			}
		}
		for it, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			terminals++
			p, err := api.Effective(tx, it.Site, it.Row.Space, it.ID)
			if err != nil {
				return err
			}
			if bad := p.CheckAt(c.now(), c.zone); len(bad) > 0 {
				line("rules of terminal "+it.ID, fmt.Errorf("%s: %s", bad[0].Field, bad[0].Sentence))
			}
		}
		return nil
	})
	line(fmt.Sprintf("the store, with %d terminals", terminals), err)
	if err := c.checkLists(ctx); err != nil {
		line("the category lists", err)
	}
	if err := c.checkCalendars(ctx); err != nil {
		line("the calendars of school holidays", err)
	}
	if err := checkSecurity(c.cfg.Security, c.now()); err != nil {
		line("whom to tell of a hole", err)
	}
	if admins == 0 {
		line("an administrator", errors.New("there is none yet: run borne-controller user link"))
	}
	return Reply{Text: b.String(), Found: found}, nil
}

func (c *core) seedDemo(ctx context.Context, _ map[string]string) (Reply, error) {
	if !c.cfg.Demo {
		return Reply{}, errors.New("cannot seed a demonstration: this is a real controller; set demo = true in the configuration of one that is not")
	}
	added := false
	err := c.st.Decide(ctx, func(tx store.Tx) (err error) {
		if added, err = demo.Seed(tx, c.now()); err != nil || !added {
			return err
		}
		return audit.Append(tx, audit.Entry{At: c.now(), Actor: audit.Controller, Action: "demo.seeded"})
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot seed the demonstration: %w", err)
	}
	if !added {
		return Reply{Text: "the demonstration is there already\n"}, nil
	}
	return Reply{Text: "seeded a demonstration fleet\n"}, nil
}

// consoleURL is how people reach the console.
func (c *core) consoleURL() string {
	if c.cfg.Console.URL != "" {
		return c.cfg.Console.URL
	}
	scheme := "http"
	if c.cfg.Console.TLS() {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(c.consoleAddr()) // a socket's has an URL: config sees to it
	if err != nil {
		return scheme + "://" + c.cfg.Console.Listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// maxRequest bounds a request: a certificate's file is the largest.
const maxRequest = 4 << 20

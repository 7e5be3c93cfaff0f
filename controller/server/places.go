package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/store"
)

// table writes rows under a head, one column below the other.
func table(head string, rows []string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, r := range rows {
		fmt.Fprintln(w, r)
	}
	w.Flush() // into memory
	return b.String()
}

// moment is a time as an operator reads it; "-" for none.
func (c *core) moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(c.zone).Format("2006-01-02 15:04")
}

// tellUsers lists the accounts.
func (c *core) tellUsers(ctx context.Context, _ map[string]string) (Reply, error) {
	var rows []string
	err := c.st.View(ctx, func(tx store.Tx) error {
		rows = nil
		for u, err := range store.List[store.User](tx, "", "", false) {
			if err != nil {
				return err
			}
			where := strings.Join(append(slices.Clone(u.Row.Sites), u.Row.Groups...), ",")
			if where == "" {
				where = "all sites"
			}
			state := "open"
			if u.Row.Disabled {
				state = "closed"
			}
			rows = append(rows, strings.Join([]string{u.Row.Name, u.Row.Role, where, state, c.moment(u.Row.LastSeen)}, "\t"))
		}
		return nil
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot list the accounts: %w", err)
	}
	if len(rows) == 0 {
		return Reply{Text: "there is no account yet: borne-controller user link makes the administrator's\n"}, nil
	}
	return Reply{Text: table("NAME\tROLE\tWHERE\tSTATE\tLAST SEEN", rows)}, nil
}

// tellSites lists the sites, each with its spaces.
func (c *core) tellSites(ctx context.Context, _ map[string]string) (Reply, error) {
	var rows []string
	err := c.st.View(ctx, func(tx store.Tx) error {
		rows = nil
		spaces := map[string][]string{}
		for sp, err := range store.List[store.Space](tx, "", "", false) {
			if err != nil {
				return err
			}
			spaces[sp.Site] = append(spaces[sp.Site], strings.Join([]string{"  " + sp.ID, "  " + sp.Row.Name, "space", ""}, "\t"))
		}
		for s, err := range store.List[store.Site](tx, "", "", false) {
			if err != nil {
				return err
			}
			rows = append(rows, strings.Join([]string{s.ID, s.Row.Name, s.Row.Type, s.Row.Commune}, "\t"))
			rows = append(rows, spaces[s.ID]...)
		}
		return nil
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot list the sites: %w", err)
	}
	if len(rows) == 0 {
		return Reply{Text: "there is no site yet: borne-controller site add, or the console, makes one\n"}, nil
	}
	return Reply{Text: table("ID\tNAME\tKIND\tCOMMUNE", rows)}, nil
}

func (c *core) addSite(ctx context.Context, args map[string]string) (Reply, error) {
	r := api.SiteRequest{Name: args["name"], Kind: args["kind"], Commune: args["commune"], Territoire: args["territoire"]}
	if err := api.Fits(r); err != nil {
		return Reply{}, err
	}
	var id string
	err := c.st.Decide(ctx, func(tx store.Tx) (err error) {
		id, _, err = api.MakeSite(tx, r, audit.Controller, c.now())
		return err
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot create the site: %w", err)
	}
	return Reply{Text: id + "\n"}, nil
}

func (c *core) addSpace(ctx context.Context, args map[string]string) (Reply, error) {
	r := api.SpaceRequest{Name: args["name"], Contact: args["contact"]}
	if err := api.Fits(r); err != nil {
		return Reply{}, err
	}
	var id string
	err := c.st.Decide(ctx, func(tx store.Tx) error {
		if _, err := store.Get[store.Site](tx, args["site"]); err != nil {
			return fmt.Errorf("there is no site %q (borne-controller site lists them): %w", args["site"], err)
		}
		var err error
		id, _, err = api.MakeSpace(tx, args["site"], r, audit.Controller, c.now())
		return err
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot create the space: %w", err)
	}
	return Reply{Text: id + "\n"}, nil
}

// tellTerminals lists the terminals by place.
func (c *core) tellTerminals(ctx context.Context, args map[string]string) (Reply, error) {
	by := map[string]string{}
	err := c.st.View(ctx, func(tx store.Tx) error {
		clear(by)
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if args["site"] != "" && t.Site != args["site"] {
				continue
			}
			site, err := store.Get[store.Site](tx, t.Site)
			if err != nil {
				return err
			}
			state := string(t.Row.State)
			if t.Row.Reason != "" {
				state += " (" + string(t.Row.Reason) + ")"
			}
			by[site.Row.Name+t.Row.Name+t.ID] = strings.Join([]string{t.ID, t.Row.Name, site.Row.Name, state, t.Row.Build, c.moment(t.Row.LastSeen)}, "\t")
		}
		return nil
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot list the terminals: %w", err)
	}
	if len(by) == 0 {
		return Reply{Text: "there is no terminal\n"}, nil
	}
	var rows []string
	for _, k := range slices.Sorted(maps.Keys(by)) {
		rows = append(rows, by[k])
	}
	return Reply{Text: table("ID\tNAME\tSITE\tSTATE\tBUILD\tLAST SEEN", rows)}, nil
}

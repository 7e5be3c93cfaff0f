package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"borne/controller/audit"
	"borne/controller/lists"
	"borne/controller/store"
)

// importLists takes an archive of category lists in. Categories that it does not
// hold stay as they are. Terminals hear of what changed at once.
func (c *core) importLists(ctx context.Context, r io.Reader) (Reply, error) {
	all, err := lists.Read(r)
	if err != nil {
		return Reply{}, err
	}
	dir := listsDir(c.cfg.State)
	for _, k := range all {
		if err := dir.Put(k); err != nil {
			return Reply{}, err
		}
	}
	var text strings.Builder
	used := map[string]bool{}
	err = c.st.Decide(ctx, func(tx store.Tx) error {
		text.Reset()
		set, err := store.Get[store.Setting](tx, store.SettingController)
		if err != nil {
			return err
		}
		set.Row.NextPolicy()
		var changed []string
		for _, k := range all {
			row, err := store.Get[store.ListRow](tx, k.Name)
			if errors.Is(err, store.ErrNotFound) {
				row, err = store.Item[store.ListRow]{Meta: store.Meta{ID: k.Name}}, nil
			}
			if err != nil {
				return err
			}
			same := row.Row.Digest == k.Digest
			row.Row.Names, row.Row.URLs, row.Row.Addresses, row.Row.Unread = k.Names, k.URLs, k.Addresses, k.Unread
			row.Row.Digest, row.Row.Bytes, row.Row.Imported = k.Digest, int64(len(k.File)), c.now().UTC()
			if !same {
				changed = append(changed, k.Name)
				row.Row.Version = set.Row.Policy // a policy that names it has another text from now on
			}
			if err := store.Put(tx, row); err != nil {
				return err
			}
		}
		if len(changed) > 0 {
			if err := store.Put(tx, set); err != nil {
				return err
			}
		}
		clear(used)
		if err := describe(tx, &text, used); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: c.now(), Actor: audit.Controller, Action: "lists.imported",
			Detail: fmt.Sprintf("%d categories, %d changed", len(all), len(changed))})
	})
	if err != nil {
		return Reply{}, fmt.Errorf("cannot keep the lists: %w", err)
	}
	if err := dir.Keep(used); err != nil {
		c.log.Warn("lists that nobody wants are left", "error", err)
	}
	c.wake()
	return Reply{Text: text.String()}, nil
}

// tellLists says which lists are there.
func (c *core) tellLists(ctx context.Context, _ map[string]string) (Reply, error) {
	var text strings.Builder
	if err := c.st.View(ctx, func(tx store.Tx) error { text.Reset(); return describe(tx, &text, map[string]bool{}) }); err != nil {
		return Reply{}, fmt.Errorf("cannot read the lists: %w", err)
	}
	return Reply{Text: text.String()}, nil
}

// describe writes one line a list, and notes each digest.
func describe(tx store.Tx, w io.Writer, digests map[string]bool) error {
	urls, addresses := 0, 0
	for it, err := range store.List[store.ListRow](tx, "", "", false) {
		if err != nil {
			return err
		}
		digests[it.Row.Digest] = true
		urls, addresses = urls+it.Row.URLs, addresses+it.Row.Addresses
		fmt.Fprintf(w, "%-24s %9d names  %10d bytes  %s", it.ID, it.Row.Names, it.Row.Bytes, it.Row.Imported.Format("2006-01-02"))
		if it.Row.Unread > 0 {
			fmt.Fprintf(w, "  (%d lines are no name)", it.Row.Unread)
		}
		fmt.Fprintln(w)
	}
	switch {
	case len(digests) == 0:
		fmt.Fprintln(w, "there is no list yet: import one with borne-controller lists import FILE")
	case urls+addresses > 0:
		fmt.Fprintf(w, "not enforced: %d addresses of pages (urls) and %d IP addresses; a terminal's resolver sees names only\n", urls, addresses)
	}
	return nil
}

// SendLists gives an archive to the controller that serves this state folder;
// ok is false when none does.
func SendLists(ctx context.Context, state string, r io.Reader) (reply Reply, ok bool, err error) {
	res, ok, err := dial(ctx, state, http.MethodPost, "/lists", r)
	if !ok || err != nil {
		return Reply{}, ok, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&reply); err != nil {
		return Reply{}, true, fmt.Errorf("cannot read the controller's answer: %w", err)
	}
	return reply, true, nil
}

// OfflineLists takes lists in while no controller serves.
func OfflineLists(ctx context.Context, c Config, r io.Reader) (Reply, error) {
	k, err := openCore(c)
	if err != nil {
		return Reply{}, err
	}
	reply, err := k.importLists(ctx, r)
	return reply, errors.Join(err, k.st.Close())
}

// checkLists tells of lists whose file is gone: after a restore, which does not
// bring them, terminals that have them go on, and new ones wait.
func (c *core) checkLists(ctx context.Context) error {
	var gone []string
	err := c.st.View(ctx, func(tx store.Tx) error {
		gone = gone[:0]
		for it, err := range store.List[store.ListRow](tx, "", "", false) {
			if err != nil {
				return err
			}
			f, err := listsDir(c.cfg.State).Open(it.Row.Digest)
			if err != nil {
				gone = append(gone, it.ID)
				continue
			}
			f.Close()
		}
		return nil
	})
	if err == nil && len(gone) > 0 {
		err = fmt.Errorf("the files of %s are not here (a restore does not bring them): import the archive again", strings.Join(gone, ", "))
	}
	return err
}

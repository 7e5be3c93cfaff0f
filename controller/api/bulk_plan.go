package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/store"
	"borne/controller/wire"
)

// maxBulk bounds how many terminals one command goes to at once.
const maxBulk = 1000

// Reason codes of terminals that are left out.
const (
	leftWaiting   = "not-installed"
	leftRevoked   = "revoked"
	leftNoSession = "no-session"
)

// cutsShort tells whether a command ends the session that goes on.
func cutsShort(kind string) bool { return kind == string(wire.CmdEnd) || kind == string(wire.CmdWipe) }

// planBulk is who a request hits now. It is all that a preview shows and all that
// is sent: both come from here.
func (a *API) planBulk(tx store.Tx, p accounts.Person, r BulkRequest) (BulkPreview, error) {
	v := BulkPreview{Hits: []BulkHit{}, Minutes: int(compliance.Lifetime(a.bulkCommand(r), a.Now()) / time.Minute)}
	if len(r.Sites)+len(r.Spaces)+len(r.Terminals) == 0 {
		return v, invalid("body.sites", "choisissez au moins un lieu, un espace ou un poste")
	}
	if err := a.theirs(tx, p, r); err != nil {
		return v, err
	}
	at, sites := newPlaces(tx), map[string]bool{}
	var sessions []string
	for t, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		if !slices.Contains(r.Sites, t.Site) && !slices.Contains(r.Spaces, t.Row.Space) && !slices.Contains(r.Terminals, t.ID) {
			continue
		}
		h, err := a.hit(at, t, r.Kind)
		if err != nil {
			return v, err
		}
		if v.Hits = append(v.Hits, h); len(v.Hits) > maxBulk {
			return v, invalid("body.sites", fmt.Sprintf("cela fait trop de postes à la fois : %d au plus", maxBulk))
		}
		if !h.Hit {
			continue
		}
		sites[t.Site] = true
		v.Terminals++
		if h.Offline {
			v.Offline++
		}
		if h.Cuts {
			live, _ := a.Live.Live(t.ID)
			v.Cut, sessions = v.Cut+1, append(sessions, t.ID+"/"+live.Status.Session)
		}
	}
	v.Sites = len(sites)
	slices.SortFunc(v.Hits, func(x, y BulkHit) int {
		return strings.Compare(x.SiteName+"\x00"+x.SpaceName+"\x00"+x.Name+"\x00"+x.Terminal, y.SiteName+"\x00"+y.SpaceName+"\x00"+y.Name+"\x00"+y.Terminal)
	})
	var err error
	v.Fingerprint, err = fingerprint(r, v.Hits, sessions)
	return v, err
}

// fingerprint names what a preview showed: which terminals, and whose sessions end.
// What does not matter to anybody there, such as whether one is away, is not in it.
func fingerprint(r BulkRequest, hits []BulkHit, sessions []string) (string, error) {
	var hit []string
	for _, h := range hits {
		if h.Hit {
			hit = append(hit, h.Terminal)
		}
	}
	slices.Sort(hit)
	slices.Sort(sessions)
	b, err := json.Marshal([]any{r.Kind, strings.TrimSpace(r.Text), r.Minutes, hit, sessions})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// theirs refuses what is not there, or not the person's.
func (a *API) theirs(tx store.Tx, p accounts.Person, r BulkRequest) error {
	look := func(field, message string, ids []string, site func(id string) (string, error)) error {
		for _, id := range ids {
			s, err := site(id)
			if errors.Is(err, store.ErrNotFound) || err == nil && !p.Sees(s) {
				return invalid(field, message)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return errors.Join(
		look("body.sites", "un de ces lieux n’existe pas, ou n’est pas à vous", r.Sites, func(id string) (string, error) { _, err := store.Get[store.Site](tx, id); return id, err }),
		look("body.spaces", "un de ces espaces n’existe pas, ou n’est pas à vous", r.Spaces, func(id string) (string, error) { s, err := store.Get[store.Space](tx, id); return s.Site, err }),
		look("body.terminals", "un de ces postes n’existe pas, ou n’est pas à vous", r.Terminals, func(id string) (string, error) { t, err := store.Get[store.Terminal](tx, id); return t.Site, err }))
}

func (a *API) hit(at *places, t store.Item[store.Terminal], kind string) (BulkHit, error) {
	live, _ := a.Live.Live(t.ID)
	h := BulkHit{Terminal: t.ID, Name: t.Row.Name, Site: t.Site, Hit: true, Offline: !live.Online}
	var err error
	if h.SiteName, err = at.site(t.Site); err != nil && !errors.Is(err, store.ErrNotFound) {
		return h, err
	}
	s, err := store.Get[store.Space](at.tx, t.Row.Space)
	if h.SpaceName = s.Row.Name; err != nil && !errors.Is(err, store.ErrNotFound) {
		return h, err
	}
	running := live.Online && slices.Contains([]string{"charter", "opening", "active", "warning", "ending"}, live.Status.Phase)
	switch {
	case t.Row.State == store.StateWaiting:
		h.Hit, h.Why = false, leftWaiting
	case t.Row.State == store.StateRevoked:
		h.Hit, h.Why = false, leftRevoked
	case kind == string(wire.CmdEnd) && live.Online && !running:
		h.Hit, h.Why = false, leftNoSession
	}
	h.Cuts = h.Hit && running && cutsShort(kind)
	return h, nil
}

// bulkCommand is what each terminal gets.
func (a *API) bulkCommand(r BulkRequest) wire.Command {
	c := wire.Command{Kind: wire.CommandKind(r.Kind), Text: strings.TrimSpace(r.Text)}
	if r.Minutes > 0 {
		c.Until = a.Now().UTC().Add(time.Duration(r.Minutes) * time.Minute).Truncate(time.Minute)
	}
	return c
}

// checkBulk refuses what one command would be refused for as well.
func checkBulk(p accounts.Person, r BulkRequest) error {
	if !slices.Contains(commandRoles()[r.Kind], p.Role) {
		return newProblem(http.StatusForbidden, "Votre rôle ne permet pas cette commande.")
	}
	return checkCommand(r.Kind, strings.TrimSpace(r.Text), r.Minutes)
}

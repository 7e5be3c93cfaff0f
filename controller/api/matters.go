package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/attend"
	"borne/controller/audit"
	"borne/controller/store"
)

// MatterView is something that somebody has to see to.
type MatterView struct {
	ID        string      `json:"id" doc:"Of this time that it is so"`
	Code      string      `json:"code" doc:"What is wrong: console.attend.say.<code> of the catalogues, or else reason.<why or code>; console.attend.fix.<code> says what to do"`
	Why       string      `json:"why,omitempty" doc:"Reason code"`
	About     string      `json:"about,omitempty" doc:"Which device, consumable or zone of school holidays"`
	Count     *int        `json:"count,omitempty" doc:"Days left, or how many print jobs"`
	Level     string      `json:"level" enum:"urgent,soon,notice"`
	Site      string      `json:"site,omitempty" doc:"Empty for the whole Département"`
	SiteName  string      `json:"siteName,omitempty"`
	SpaceName string      `json:"spaceName,omitempty"`
	Terminal  string      `json:"terminal,omitempty"`
	Name      string      `json:"name,omitempty" doc:"Of the terminal"`
	Since     time.Time   `json:"since" doc:"Since when it is so"`
	Taken     *MatterTake `json:"taken,omitempty" doc:"Somebody sees to it; absent again when it becomes another matter"`
}

// MatterTake is who sees to a matter.
type MatterTake struct {
	At   time.Time `json:"at"`
	By   string    `json:"by" doc:"Name of the person"`
	Mine bool      `json:"mine" doc:"It is who asks"`
	Note string    `json:"note,omitempty"`
}

// MattersView is what is to be seen to, of the sites that the person sees.
type MattersView struct {
	Matters []MatterView `json:"matters" doc:"Those that nobody has taken on first; then the most urgent, then the oldest"`
	More    int          `json:"more" doc:"How many are left out: there are too many"`
}

// TakeRequest takes a matter on, or leaves it to others again.
type TakeRequest struct {
	Taken bool   `json:"taken"`
	Note  string `json:"note,omitempty" maxLength:"200" doc:"For colleagues: what is being done"`
}

// maxMatters bounds the list: more at once are one trouble of the network.
const maxMatters = 300

func rank(level string) int {
	return slices.Index([]string{string(attend.Urgent), string(attend.Soon), string(attend.Notice)}, level)
}

func (a *API) matters(ctx context.Context, _ *nothing) (*out[MattersView], error) {
	var v MattersView
	who := person(ctx)
	err := a.Store.View(ctx, func(tx store.Tx) error {
		v = MattersView{Matters: []MatterView{}}
		at := newPlaces(tx)
		var all []store.Item[store.Matter]
		for m, err := range store.Find[store.Matter](tx, "open", "yes") {
			if err != nil {
				return err
			}
			if who.Sees(m.Site) {
				all = append(all, m)
			}
		}
		slices.SortStableFunc(all, func(x, y store.Item[store.Matter]) int {
			free := func(m store.Matter) int {
				if m.Taken.IsZero() {
					return 0
				}
				return 1
			}
			return cmp.Or(cmp.Compare(free(x.Row), free(y.Row)), cmp.Compare(rank(x.Row.Level), rank(y.Row.Level)), x.Row.Since.Compare(y.Row.Since), cmp.Compare(x.ID, y.ID))
		})
		v.More = max(0, len(all)-maxMatters)
		for _, m := range all[:len(all)-v.More] {
			view, err := at.matter(m, who.ID)
			if err != nil {
				return err
			}
			v.Matters = append(v.Matters, view)
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opMatters, err)
	}
	return answer(v), nil
}

// matter is one as staff see it.
func (p *places) matter(m store.Item[store.Matter], who string) (MatterView, error) {
	r := m.Row
	v := MatterView{ID: m.ID, Code: r.Code, Why: r.Why, About: r.About, Level: r.Level, Site: m.Site, Terminal: r.Terminal, Name: r.Terminal, Since: r.Since.UTC()}
	if r.Counted {
		v.Count = &r.Count
	}
	if !r.Taken.IsZero() {
		v.Taken = &MatterTake{At: r.Taken.UTC(), By: p.people.of(r.By), Mine: r.By == who, Note: r.Note}
	}
	if r.Terminal == "" {
		return v, nil
	}
	t, err := p.terminal(r.Terminal)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return v, err
	}
	if err == nil {
		v.Name = t.Row.Name
	}
	if v.SiteName, err = p.site(m.Site); err != nil && !errors.Is(err, store.ErrNotFound) {
		return v, err
	}
	s, err := store.Get[store.Space](p.tx, r.Space)
	if v.SpaceName = s.Row.Name; errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return v, err
}

type takeIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body TakeRequest
}

func (a *API) takeMatter(ctx context.Context, in *takeIn) (*out[MatterView], error) {
	who, now, note := person(ctx), a.Now().UTC(), strings.TrimSpace(in.Body.Note)
	var v MatterView
	var terminal string
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		m, err := store.Get[store.Matter](tx, in.ID)
		if err != nil {
			return err
		}
		if !m.Row.Open() {
			return newProblem(http.StatusConflict, "C’est déjà réglé : rechargez la page.")
		}
		if !m.Row.Taken.IsZero() && m.Row.By != who.ID && in.Body.Taken {
			return newProblem(http.StatusConflict, "Quelqu’un s’en occupe déjà : rechargez la page pour voir qui.")
		}
		action := "matter.taken"
		if m.Row.Taken, m.Row.By, m.Row.Note = now, who.ID, note; !in.Body.Taken {
			m.Row.Taken, m.Row.By, m.Row.Note, action = time.Time{}, "", "", "matter.left"
		}
		terminal = m.Row.Terminal
		if m.Row.Code == attend.StaffCall && in.Body.Taken {
			if err := callTaken(tx, m); err != nil {
				return err
			}
		}
		if err := store.Put(tx, m); err != nil {
			return err
		}
		detail := m.Row.Code
		if note != "" {
			detail += ": " + note
		}
		if err := audit.Append(tx, audit.Entry{At: now, Actor: who.ID, Action: action, Site: m.Site, Scope: m.Scope, Target: m.ID, Detail: detail}); err != nil {
			return err
		}
		v, err = newPlaces(tx).matter(m, who.ID)
		return err
	})
	if err != nil {
		return nil, a.fail(opTakeMatter, err)
	}
	if terminal != "" {
		a.Live.Changed(terminal)
	}
	return answer(v), nil
}

// callTaken ends a call of staff: somebody takes it on.
func callTaken(tx store.Tx, m store.Item[store.Matter]) error {
	t, err := store.Get[store.Terminal](tx, m.Row.Terminal)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || t.Row.Called.Truncate(time.Second).After(m.Row.Since) { // a later call is another matter
		return err
	}
	t.Row.Called = time.Time{}
	return store.Put(tx, t)
}

// untaken counts a terminal's matters that nobody has taken on.
func (a *API) untaken(tx store.Tx, terminal string) (n int) {
	for m, err := range store.Find[store.Matter](tx, "at", store.MatterSubject(terminal)) {
		if err != nil {
			a.Log.Error("cannot read what is to be seen to", "terminal", terminal, "error", err)
			return n
		}
		if m.Row.Taken.IsZero() {
			n++
		}
	}
	return n
}

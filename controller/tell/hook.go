package tell

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"borne/controller/attend"
	"borne/controller/store"
	"borne/controller/webhook"
	"borne/ui/catalogues"
)

// maxPosted bounds each list of a post: more at once are one trouble of the network.
const maxPosted = 20

// Post is what a hook is told. Fields are added and never change their meaning.
type Post struct {
	Type    string    `json:"type"` // matters, or test
	At      time.Time `json:"at"`
	Console string    `json:"console"`       // the page where a person sees to it
	New     []Told    `json:"new"`           // began, or became more urgent
	Again   []Told    `json:"again"`         // told a day ago or longer, and still so
	Over    []Told    `json:"over"`          // resolved
	More    int       `json:"more,omitzero"` // that did not fit
}

// Told is one matter in a post: the page has the rest.
type Told struct {
	ID       string     `json:"id"` // of this time that it is so
	Code     string     `json:"code"`
	Why      string     `json:"why,omitzero"`
	About    string     `json:"about,omitzero"`
	Count    *int       `json:"count,omitzero"`
	Level    string     `json:"level"`
	Site     string     `json:"site,omitzero"` // ids; empty for the whole Département
	Terminal string     `json:"terminal,omitzero"`
	Where    string     `json:"where"` // in French, as the three below
	Text     string     `json:"text"`
	Fix      string     `json:"fix"`
	Since    time.Time  `json:"since"`
	Ended    *time.Time `json:"ended,omitzero"`
}

// hookReader reads of a hook as of a person who sees the sites it is for.
func hookReader(h store.Item[store.Hook]) Reader {
	return Reader{User: hookUser(h.ID), Level: attend.Severity(h.Row.Level), Night: h.Row.Night, Sees: func(site string) bool {
		return len(h.Row.Sites) == 0 || slices.Contains(h.Row.Sites, site)
	}}
}

// hookUser is how a hook is noted among who was told.
func hookUser(id string) string { return "hook:" + id }

func (d Desk) post(tx store.Tx, hook string, l Letter, now time.Time) error {
	b, err := json.Marshal(l.Post(placer(tx), d.Console, now))
	if err != nil {
		return fmt.Errorf("cannot write a post: %w", err)
	}
	err = webhook.Queue(tx, hook, hook, b, false, now)
	if errors.Is(err, webhook.ErrFull) {
		return nil // it takes nothing since long, and the page says so: nobody else is to miss their mail for that
	}
	return err
}

// Post is the letter as other systems read it.
func (l Letter) Post(where Place, console string, now time.Time) Post {
	p := Post{Type: "matters", At: now.UTC(), Console: console + "/#/attend"}
	list := func(all []attend.Item) []Told {
		told := []Told{}
		for _, m := range all[:min(len(all), maxPosted)] {
			t := Told{ID: m.ID, Code: m.Row.Code, Why: m.Row.Why, About: m.Row.About, Level: m.Row.Level, Site: m.Site, Terminal: m.Row.Terminal, Where: clip(where(m)),
				Text: clip(attend.Say(m.Row, catalogues.French)), Fix: clip(attend.Fix(m.Row, catalogues.French)), Since: m.Row.Since.UTC()}
			if m.Row.Counted {
				t.Count = &m.Row.Count
			}
			if !m.Row.Open() {
				ended := m.Row.Ended.UTC()
				t.Ended = &ended
			}
			told = append(told, t)
		}
		p.More += len(all) - len(told)
		return told
	}
	p.New, p.Again, p.Over = list(l.New), list(l.Again), list(l.Over)
	return p
}

// maxSaid bounds a sentence of a post, in characters: names are staff's.
const maxSaid = 160

func clip(s string) string {
	s = oneLine(s)
	if r := []rune(s); len(r) > maxSaid {
		return string(r[:maxSaid-1]) + "…"
	}
	return s
}

// Try queues a post that says only that the address works.
func (d Desk) Try(tx store.Tx, hook string, now time.Time) error {
	b, err := json.Marshal(Post{Type: "test", At: now.UTC(), Console: d.Console + "/#/attend", New: []Told{}, Again: []Told{}, Over: []Told{}})
	if err != nil {
		return fmt.Errorf("cannot write a post: %w", err)
	}
	return webhook.Queue(tx, hook, hook, b, true, now)
}

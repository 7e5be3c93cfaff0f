// Package rgpd writes the documents that the RGPD asks of whoever runs Borne: the
// register of processing (article 30), the annex of the impact assessment (article
// 35) and the data inventory. They are made of the schema's declarations and of the
// configuration that runs. What neither says is a blank, marked as one: nothing is
// invented here.
package rgpd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"borne/controller/retention"
	"borne/controller/store"
	"borne/ui/catalogues"
)

// Facts are what is known of this controller.
type Facts struct {
	At        time.Time
	Zone      *time.Location
	Version   string
	Service   string // as it was given at init; may be empty
	URL       string // of the console; may be empty
	Demo      bool
	Inventory []store.Field
	Rules     []retention.Rules // as they are configured; none: the defaults hold
	Outside   []Outside
	Measures  []Measure
	Sites     []Site
	Terminals Terminals
	Traffic   string // the decision that has traffic data kept; empty: they are not
	Held      int    // réquisitions for which something waits past its time
}

// Outside is another party that data goes to, as it is configured.
type Outside struct{ Who, What, Address string }

// Measure is a protection, with whether the configuration has it on.
type Measure struct {
	Text string
	On   bool
}

// Site is a place, with the address of its monthly certificates.
type Site struct{ ID, Name, Commune string }

// Terminals counts them by what they last told.
type Terminals struct{ All, Full, Reduced, Unknown, Simulated, Blocked int }

// Class is one retention class, and for how long it is kept now.
type Class struct {
	ID    string
	Title string
	Days  int    // 0: another bound, in Bound
	Bound string // in words
	From  string // since when this rule holds; empty for the default
}

// Text is how long, in words.
func (c Class) Text() string {
	if c.Days == 0 {
		return c.Bound
	}
	return fmt.Sprintf("%d jours", c.Days)
}

// Classes are the retention classes as they hold at a time.
func Classes(all []retention.Rules, now time.Time) []Class {
	r := retention.At(all, now)
	from := ""
	if !r.From.IsZero() {
		from = r.From.Format(time.DateOnly)
	}
	bounds := map[string]string{"life": "tant que l’élément existe", "minutes": "jusqu’à l’usage ou l’expiration, un jour après au plus"}
	var out []Class
	for _, id := range []string{"minutes", "technical", "usage", "account", "audit", "security", "traffic", "life"} {
		c := Class{ID: id, Title: catalogues.Text(catalogues.French, "console.retention."+id, nil), Bound: bounds[id]}
		c.Days, _ = r.Days(id) // 0 where it is no number of days
		if c.Days > 0 {
			c.From = from
		}
		out = append(out, c)
	}
	return out
}

// Field is one stored field as people read it.
type Field struct {
	Table, Name, Purpose, Basis, Class, Kept string
	Personal                                 bool
}

// Group is the data of one activity.
type Group struct {
	Activity
	Held  []string // those of its tables that hold something about people
	Data  []string // what is kept about people, each purpose once
	Bases []string
	Kept  []string // class and length, each once
}

// Document is all that the pages show.
type Document struct {
	Facts
	Made    string
	Classes []Class
	Fields  []Field
	Groups  []Group
	Blank   []string // tables whose activity nobody named: seen by a test before it is seen here
}

const none = "none-personal"

// Build reads the facts.
func Build(f Facts) Document {
	if f.Zone == nil {
		f.Zone = time.UTC
	}
	d := Document{Facts: f, Made: f.At.In(f.Zone).Format("02/01/2006 15:04"), Classes: Classes(f.Rules, f.At)}
	kept := map[string]string{}
	titles := map[string]string{}
	for _, c := range d.Classes {
		kept[c.ID], titles[c.ID] = c.Text(), c.Title
	}
	of := map[string]int{}
	for _, a := range Activities() {
		for _, t := range a.Tables {
			of[t] = len(d.Groups)
		}
		d.Groups = append(d.Groups, Group{Activity: a})
	}
	for _, x := range f.Inventory {
		one := Field{Table: x.Table, Name: x.Field, Purpose: catalogues.Text(catalogues.French, "purpose."+x.Purpose, nil), Basis: catalogues.Text(catalogues.French, "console.basis."+x.Basis, nil),
			Class: titles[x.Retention], Kept: kept[x.Retention], Personal: x.Basis != none}
		d.Fields = append(d.Fields, one)
		if !one.Personal {
			continue
		}
		i, ok := of[x.Table]
		if !ok {
			add(&d.Blank, x.Table)
			continue
		}
		g := &d.Groups[i]
		add(&g.Held, x.Table)
		add(&g.Data, one.Purpose)
		add(&g.Bases, one.Basis)
		add(&g.Kept, one.Class+" : "+one.Kept)
	}
	return d
}

func add(all *[]string, s string) {
	if !slices.Contains(*all, s) {
		*all = append(*all, s)
	}
}

// Certificates is the console's page of a site's monthly certificates; empty where the
// console's address is not configured.
func (d Document) Certificates(s Site) string {
	if d.URL == "" {
		return ""
	}
	return d.URL + "/#/sites/" + strings.ReplaceAll(s.ID, "/", "%2F") + "/certificate"
}

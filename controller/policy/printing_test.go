package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// printable is a document with printing on, and everything said.
func printable() Policy {
	p := Default()
	p.Printing.Enabled, p.Printing.Colour = true, true
	p.Printing.Staff = []Staff{{"Accueil", strings.Repeat("0f", 32)}, {"Gardien", strings.Repeat("a1", 32)}}
	p.Printing.Periods = []PrintPeriod{
		{From: "2026-07-04", To: "2026-08-31", Why: "Vacances d’été", Quota: Quota{PagesPerSession: 30}},
		{From: "2026-12-19", To: "2027-01-03", Quota: Quota{PagesPerSession: 5, PagesPerDay: 5}},
	}
	return p
}

func TestPrintingChecks(t *testing.T) {
	if bad := printable().Check(); len(bad) > 0 {
		t.Fatalf("a sound document: %+v", bad)
	}
	for name, c := range map[string]struct {
		field  string
		change func(*Printing)
	}{
		"session over":      {"printing.pagesPerSession", func(p *Printing) { p.PagesPerSession = 1001 }},
		"session under":     {"printing.pagesPerSession", func(p *Printing) { p.PagesPerSession = -1 }},
		"job":               {"printing.pagesPerJob", func(p *Printing) { p.PagesPerJob = 10001 }},
		"day":               {"printing.pagesPerDay", func(p *Printing) { p.PagesPerDay = -1 }},
		"month":             {"printing.pagesPerMonth", func(p *Printing) { p.PagesPerMonth = 100001 }},
		"hour":              {"printing.pagesPerHour", func(p *Printing) { p.PagesPerHour = 10001 }},
		"nothing":           {"printing", func(p *Printing) { p.PagesPerSession = 0 }},
		"a side too dear":   {"printing.pagesPerDay", func(p *Printing) { p.Duplex, p.DuplexCost, p.PagesPerDay = DuplexAlways, 150, 1 }},
		"colour cost":       {"printing.colourCost", func(p *Printing) { p.ColourCost = 1001 }},
		"duplex cost":       {"printing.duplexCost", func(p *Printing) { p.DuplexCost = -1 }},
		"copies":            {"printing.copies", func(p *Printing) { p.Copies = 100 }},
		"duplex":            {"printing.duplex", func(p *Printing) { p.Duplex = "both" }},
		"hold":              {"printing.hold", func(p *Printing) { p.Hold = "some" }},
		"hold over nothing": {"printing.holdOver", func(p *Printing) { p.Hold = HoldOver }},
		"hold over":         {"printing.holdOver", func(p *Printing) { p.HoldOver = -1 }},
		"silent":            {"printing.silent", func(p *Printing) { p.Silent = "x" }},
		"offline":           {"printing.offlinePages", func(p *Printing) { p.OfflinePages = 1001 }},
		"finish":            {"printing.finishSeconds", func(p *Printing) { p.FinishSeconds = 601 }},
		"staff name":        {"printing.staff.0.name", func(p *Printing) { p.Staff[0].Name = " " }},
		"staff badge":       {"printing.staff.1.badge", func(p *Printing) { p.Staff[1].Badge = strings.Repeat("A1", 32) }},
		"staff badge short": {"printing.staff.1.badge", func(p *Printing) { p.Staff[1].Badge = p.Staff[1].Badge[1:] }},
		"staff twice":       {"printing.staff.1.badge", func(p *Printing) { p.Staff[1].Badge = p.Staff[0].Badge }},
		"staff many":        {"printing.staff", func(p *Printing) { p.Staff = make([]Staff, maxStaff+1) }},
		"period day":        {"printing.periods.0.from", func(p *Printing) { p.Periods[0].From = "2026-06-31" }},
		"period form":       {"printing.periods.0.to", func(p *Printing) { p.Periods[0].To = "2026-8-31" }},
		"period backwards":  {"printing.periods.0.to", func(p *Printing) { p.Periods[0].To = "2026-07-03" }},
		"period overlap":    {"printing.periods.1", func(p *Printing) { p.Periods[1].From = "2026-08-31" }},
		"period around":     {"printing.periods.1", func(p *Printing) { p.Periods[1].From = "2026-01-01" }},
		"period why":        {"printing.periods.1.why", func(p *Printing) { p.Periods[1].Why = strings.Repeat("x", 201) }},
		"period quota":      {"printing.periods.1.pagesPerHour", func(p *Printing) { p.Periods[1].PagesPerHour = -5 }},
		"period nothing":    {"printing.periods.0", func(p *Printing) { p.Periods[0].PagesPerSession = 0 }},
		"group name":        {"printing.groups.0.name", func(p *Printing) { p.Groups = []QuotaGroup{{Name: "=1", PagesPerSession: 5}} }},
		"group no name":     {"printing.groups.0.name", func(p *Printing) { p.Groups = []QuotaGroup{{PagesPerSession: 5}} }},
		"group twice": {"printing.groups.1.name", func(p *Printing) {
			p.Groups = []QuotaGroup{{Name: "Famille", PagesPerSession: 5}, {Name: "famille", PagesPerSession: 5}}
		}},
		"group nothing": {"printing.groups.0", func(p *Printing) { p.Groups = []QuotaGroup{{Name: "Famille"}} }},
		"group month":   {"printing.groups.0.pagesPerMonth", func(p *Printing) { p.Groups = []QuotaGroup{{Name: "Famille", PagesPerSession: 5, PagesPerMonth: -1}} }},
		"groups many":   {"printing.groups", func(p *Printing) { p.Groups = make([]QuotaGroup, maxGroups+1) }},
		"periods many":  {"printing.periods", func(p *Printing) { p.Periods = make([]PrintPeriod, maxPeriods+1) }},
	} {
		p := printable()
		c.change(&p.Printing)
		found := p.Check()
		i := slices.IndexFunc(found, func(x Problem) bool { return x.Field == c.field })
		if i < 0 {
			t.Errorf("%s: found %+v, want one at %s", name, found, c.field)
			continue
		}
		if s := found[i].Sentence; !strings.HasSuffix(s, ".") || strings.Contains(s, "%!") || strings.Contains(s, "'") {
			t.Errorf("%s: the sentence %q", name, s)
		}
	}
	off := printable()
	off.Printing.Enabled, off.Printing.PagesPerSession = false, 0
	if bad := off.Check(); len(bad) > 0 {
		t.Errorf("zero pages where nothing is printed: %+v", bad)
	}
	none := printable()
	none.Printing.PagesPerDay, none.Printing.PagesPerHour = 0, 0
	if bad := none.Check(); len(bad) > 0 {
		t.Errorf("no limit by day and hour: %+v", bad)
	}
}

// TestOldPrinting reads a document of before the printing rules.
func TestOldPrinting(t *testing.T) {
	raw, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	doc["printing"] = map[string]any{"enabled": true, "pagesPerSession": 10, "pagesPerDay": 20, "colour": true}
	if raw, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	p, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if bad := p.Check(); len(bad) > 0 {
		t.Errorf("it is refused: %+v", bad)
	}
	r := p.Printing
	for _, colour := range []bool{false, true} {
		for _, duplex := range []bool{false, true} {
			if got := r.Cost(7, colour, duplex); got != 700 {
				t.Errorf("colour %v, duplex %v: 7 sides cost %d, want 700", colour, duplex, got)
			}
		}
	}
	f := r.Filled()
	if f.Copies != 1 || f.ColourCost != 100 || f.DuplexCost != 100 || f.FinishSeconds != 60 || f.OfflinePages != 0 {
		t.Errorf("filled %+v", f)
	}
	if f.Hold != HoldNever || f.Duplex != DuplexFree || f.Silent != SilentCharge || !f.Enabled || !f.Colour {
		t.Errorf("rules that nobody wrote: %+v", f)
	}
	if q := r.QuotaAt(time.Now(), Location()); q != (Quota{PagesPerSession: 10, PagesPerDay: 20}) {
		t.Errorf("quota %+v", q)
	}
	kept := DefaultPrinting()
	if got := kept.Filled(); got.ColourCost != 300 || got.Copies != 5 || got.FinishSeconds != 60 {
		t.Errorf("what was said is changed: %+v", got)
	}
}

// TestCostIsLinear: what is charged and what is given back add up to what was
// reserved, at any prices.
func TestCostIsLinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Printing{ColourCost: rapid.IntRange(0, 1000).Draw(t, "colour"), DuplexCost: rapid.IntRange(0, 200).Draw(t, "duplex")}
		c, d := rapid.Bool().Draw(t, "in colour"), rapid.Bool().Draw(t, "both sides")
		a, b := rapid.IntRange(0, 10000).Draw(t, "printed"), rapid.IntRange(0, 10000).Draw(t, "not printed")
		if p.Cost(a, c, d)+p.Cost(b, c, d) != p.Cost(a+b, c, d) {
			t.Fatalf("%d + %d is not %d", p.Cost(a, c, d), p.Cost(b, c, d), p.Cost(a+b, c, d))
		}
		want := 1.0 // the price of a side, without rounding
		if c && p.ColourCost > 0 {
			want *= float64(p.ColourCost) / 100
		}
		if d && p.DuplexCost > 0 {
			want *= float64(p.DuplexCost) / 100
		}
		if got := float64(p.Cost(1, c, d)); got < 1 || got > want*100+1 || got < want*100-1 {
			t.Fatalf("one side costs %v, want about %v", got, want*100)
		}
	})
	p := Printing{ColourCost: 300, DuplexCost: 75}
	for want, got := range map[int]int{1200: p.Cost(12, false, false), 900: p.Cost(12, false, true), 600: p.Cost(2, true, false), 450: p.Cost(2, true, true), 0: p.Cost(-3, false, false)} {
		if got != want {
			t.Errorf("cost %d, want %d", got, want)
		}
	}
}

func TestQuotaAt(t *testing.T) {
	p, paris := printable().Printing, Location()
	for at, want := range map[string]int{
		"2026-07-03T21:59:59Z": 10, // 23:59:59 in Paris
		"2026-07-03T22:00:00Z": 30, // midnight of the 4th in Paris
		"2026-08-31T21:59:59Z": 30,
		"2026-08-31T22:00:00Z": 10,
		"2026-12-31T23:30:00Z": 5, // over the turn of the year
		"2027-01-03T22:59:59Z": 5,
		"2027-01-03T23:00:00Z": 10,
	} {
		day, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.QuotaAt(day, paris).PagesPerSession; got != want {
			t.Errorf("%s: %d pages, want %d", at, got, want)
		}
	}
	if q := p.QuotaAt(time.Date(2026, 7, 14, 12, 0, 0, 0, paris), paris); q.PagesPerDay != 0 {
		t.Errorf("a period inherits %d pages a day: it replaces the whole quota", q.PagesPerDay)
	}
}

// TestQuotaFor: a group has its own pages, in a period as well; whatever else a
// period says holds for it too.
func TestQuotaFor(t *testing.T) {
	p, paris := printable().Printing, Location()
	p.Groups = []QuotaGroup{{Name: "Famille", PagesPerSession: 40, PagesPerMonth: 90}}
	p.Periods[0].PagesPerJob = 7
	summer, spring := time.Date(2026, 7, 14, 12, 0, 0, 0, paris), time.Date(2026, 5, 14, 12, 0, 0, 0, paris)
	for _, group := range []string{"", "Senior"} {
		if q, known := p.QuotaFor(group, spring, paris); known || q != p.QuotaAt(spring, paris) {
			t.Errorf("%q: %+v", group, q)
		}
	}
	q, known := p.QuotaFor("FAMILLE", summer, paris)
	if want := (Quota{PagesPerSession: 40, PagesPerJob: 7, PagesPerMonth: 90, PagesPerHour: p.QuotaAt(summer, paris).PagesPerHour}); !known || q != want {
		t.Errorf("in the summer: %+v, want %+v", q, want)
	}
}

// TestManyPeriodsAgainstDays: no two periods that Check accepts hold a day
// together, seen by walking through the days.
func TestManyPeriodsAgainstDays(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		p, held := printable(), map[int]int{}
		p.Printing.Periods = nil
		for range rapid.IntRange(0, 5).Draw(t, "periods") {
			from := rapid.IntRange(0, 60).Draw(t, "from")
			to := from + rapid.IntRange(0, 9).Draw(t, "days")
			p.Printing.Periods = append(p.Printing.Periods, PrintPeriod{From: start.AddDate(0, 0, from).Format(dayLayout), To: start.AddDate(0, 0, to).Format(dayLayout),
				Quota: Quota{PagesPerSession: 100 + len(p.Printing.Periods)}})
			for d := from; d <= to; d++ {
				held[d]++
			}
		}
		twice := false
		for _, n := range held {
			twice = twice || n > 1
		}
		bad := slices.ContainsFunc(p.Check(), func(x Problem) bool { return strings.HasPrefix(x.Field, "printing.periods") })
		if bad != twice {
			t.Fatalf("overlap %v, refused %v: %+v", twice, bad, p.Printing.Periods)
		}
		if !twice {
			for d := range 75 {
				if got := p.Printing.QuotaAt(start.AddDate(0, 0, d), time.UTC).PagesPerSession; (got >= 100) != (held[d] > 0) {
					t.Fatal(fmt.Sprint("day ", d, ": ", got))
				}
			}
		}
	})
}

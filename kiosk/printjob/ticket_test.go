package printjob

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// lay prints a ticket by hand, page after page: for each copy the sides of each
// sheet, and on each side its pages.
func lay(t Ticket, pages int) (copies [][][][]int) {
	var want []int
	for p := 1; p <= pages; p++ {
		in := len(t.Pages) == 0
		for _, r := range t.Pages {
			in = in || r.From <= p && p <= r.To
		}
		if in {
			want = append(want, p)
		}
	}
	copy := [][][]int{}
	var sides [][]int
	for _, p := range want {
		if n := len(sides); n == 0 || len(sides[n-1]) == max(t.NumberUp, 1) {
			sides = append(sides, nil)
		}
		sides[len(sides)-1] = append(sides[len(sides)-1], p)
	}
	for _, s := range sides {
		if n := len(copy); n > 0 && t.Duplex != OneSided && len(copy[n-1]) == 1 {
			copy[n-1] = append(copy[n-1], s)
			continue
		}
		copy = append(copy, [][]int{s})
	}
	for range max(t.Copies, 1) {
		copies = append(copies, copy)
	}
	return copies
}

func drawTicket(t *rapid.T, pages int) Ticket {
	k := Ticket{Copies: rapid.IntRange(0, 5).Draw(t, "copies"), Duplex: rapid.SampledFrom([]Duplex{OneSided, LongEdge, ShortEdge}).Draw(t, "duplex"),
		Colour: rapid.Bool().Draw(t, "colour"), NumberUp: rapid.SampledFrom([]int{0, 1, 2, 4}).Draw(t, "number-up")}
	for range rapid.IntRange(0, 5).Draw(t, "ranges") {
		from := rapid.IntRange(1, pages+5).Draw(t, "from")
		k.Pages = append(k.Pages, Range{from, from + rapid.IntRange(0, pages).Draw(t, "length")})
	}
	return k
}

func TestTicketAgainstPaper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.IntRange(1, 40).Draw(t, "pages")
		k := drawTicket(t, pages)
		before := slices.Clone(k.Pages)
		selected, sides, sheets := 0, 0, 0
		for i, c := range lay(k, pages) {
			sheets += len(c)
			for _, sheet := range c {
				sides += len(sheet)
				for _, side := range sheet {
					if i == 0 {
						selected += len(side)
					}
				}
			}
		}
		if got := k.Selected(pages); got != selected {
			t.Errorf("%+v of %d pages selects %d, want %d", k, pages, got, selected)
		}
		if got := k.Impressions(pages); got != sides {
			t.Errorf("%+v of %d pages: %d sides, want %d", k, pages, got, sides)
		}
		if got := k.Sheets(pages); got != sheets {
			t.Errorf("%+v of %d pages: %d sheets, want %d", k, pages, got, sheets)
		}
		if !slices.Equal(before, k.Pages) {
			t.Error("counting changes the ticket")
		}
	})
}

func TestParseRanges(t *testing.T) {
	for in, want := range map[string]string{
		"": "[]", "  ": "[]", ",": "[]", "1-3, 5": "[{1 3} {5 5}]", "1 - 3": "[{1 3}]", "1 -3;5- 7": "[{1 3} {5 7}]", "3-": "[{3 12}]",
		"3 - , 1": "[{3 12} {1 1}]", "1 2 4-5": "[{1 1} {2 2} {4 5}]", "2,2,2": "[{2 2} {2 2} {2 2}]", "1–4": "[{1 4}]", "12-12": "[{12 12}]", "007": "[{7 7}]",
		"\t1\n-\n2 ": "[{1 2}]",
	} {
		got, err := ParseRanges(in, 12)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"0", "13", "3-1", "-3", "1--3", "a", "1-a", "1.5", "1-3-5", "+1", "1-+3", "-", "1-13", "99999999999999999999", "1/2", "１",
		strings.Repeat("1,", MaxRanges+1), strings.Repeat(" ", maxTyped+1)} {
		got, err := ParseRanges(in, 12)
		if err == nil {
			t.Errorf("%.40q is %v", in, got)
			continue
		}
		if !strings.HasPrefix(err.Error(), "cannot read the pages") || len(err.Error()) > 300 {
			t.Errorf("%.40q: error %v", in, err)
		}
	}
	if _, err := ParseRanges(strings.Repeat("1,", MaxRanges), 12); err != nil {
		t.Errorf("%d ranges: %v", MaxRanges, err)
	}
}

// TestParseRangesReadsWhatIsWritten writes ranges in every manner, and reads them.
func TestParseRangesReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Range
		var text strings.Builder
		space := func() string { return rapid.SampledFrom([]string{"", "", " ", "  "}).Draw(t, "space") }
		for i := range rapid.IntRange(0, MaxRanges).Draw(t, "ranges") {
			if i > 0 {
				text.WriteString(space() + rapid.SampledFrom([]string{",", ";", " "}).Draw(t, "between") + space())
			}
			from := rapid.IntRange(1, 50).Draw(t, "from")
			to := rapid.IntRange(from, 50).Draw(t, "to")
			want = append(want, Range{from, to})
			if fmt.Fprint(&text, from); to != from || rapid.Bool().Draw(t, "both") {
				fmt.Fprint(&text, space(), "-", space(), to)
			}
		}
		if text.Len() > maxTyped {
			t.Skip("longer than anybody types")
		}
		if got, err := ParseRanges(text.String(), 50); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: %v, %v; want %v", text.String(), got, err, want)
		}
	})
}

func FuzzParseRanges(f *testing.F) {
	for _, s := range []string{"1-3, 5", "3-", "-", "1 - ", "1,,2", "\xff", "9-8", "1-2-3"} {
		f.Add(s, 12)
	}
	f.Fuzz(func(t *testing.T, s string, pages int) {
		all, err := ParseRanges(s, pages)
		if err != nil {
			return
		}
		if len(all) > MaxRanges {
			t.Fatalf("%d ranges", len(all))
		}
		for _, r := range all {
			if r.From < 1 || r.To < r.From || r.To > pages {
				t.Fatalf("range %v of %d pages", r, pages)
			}
		}
		if pages >= 1 && pages <= MaxPages {
			if k := (Ticket{Pages: all}); !k.Valid() || k.Selected(pages) < min(1, len(all)) || k.Selected(pages) > pages {
				t.Fatalf("%v selects %d of %d pages", all, k.Selected(pages), pages)
			}
		}
	})
}

// bad makes frames of the press that must be refused; everything else in them is sound.
func bad() map[string]FromPress {
	offer := func(change func(*Offer)) FromPress {
		o := Offer{Job: 1, Format: PDF, Pages: 3, Ticket: Ticket{Copies: 1}}
		change(&o)
		return FromPress{Offer: &o}
	}
	return map[string]FromPress{
		"nothing":        {},
		"two":            {Withdrawn: &Withdrawn{1}, Dial: &Dial{1}},
		"job 0":          offer(func(o *Offer) { o.Job = 0 }),
		"no page":        offer(func(o *Offer) { o.Pages = 0 }),
		"pages":          offer(func(o *Offer) { o.Pages = MaxPages + 1 }),
		"format":         offer(func(o *Offer) { o.Format = "text/html" }),
		"copies":         offer(func(o *Offer) { o.Ticket.Copies = MaxCopies + 1 }),
		"copies under":   offer(func(o *Offer) { o.Ticket.Copies = -1 }),
		"duplex":         offer(func(o *Offer) { o.Ticket.Duplex = "x" }),
		"number-up":      offer(func(o *Offer) { o.Ticket.NumberUp = 3 }),
		"range from 0":   offer(func(o *Offer) { o.Ticket.Pages = []Range{{0, 1}} }),
		"range back":     offer(func(o *Offer) { o.Ticket.Pages = []Range{{3, 2}} }),
		"range far":      offer(func(o *Offer) { o.Ticket.Pages = []Range{{1, MaxPages + 1}} }),
		"ranges":         offer(func(o *Offer) { o.Ticket.Pages = slices.Repeat([]Range{{1, 1}}, MaxRanges+1) }),
		"sent job":       {Sent: &Sent{Job: 0, Remote: 1}},
		"sent remote":    {Sent: &Sent{Job: 1, Remote: -1}},
		"sent pin":       {Sent: &Sent{Job: 1, Remote: 1, Pin: make([]byte, 65)}},
		"sent why":       {Sent: &Sent{Job: 1, Why: Why(strings.Repeat("x", 33))}},
		"refused job":    {Refused: &Refused{Job: -1}},
		"refused why":    {Refused: &Refused{Job: 1, Why: Why(strings.Repeat("x", 33))}},
		"withdrawn job":  {Withdrawn: &Withdrawn{0}},
		"shown job":      {Shown: &Shown{Job: 0}},
		"shown pages":    {Shown: &Shown{Job: 1, Pages: MaxPages + 1}},
		"shown pages <0": {Shown: &Shown{Job: 1, Pages: -1}},
	}
}

func good() []FromPress {
	return []FromPress{
		{Offer: &Offer{Job: 1, Format: URF, Pages: MaxPages, Ticket: Ticket{Copies: MaxCopies, Duplex: ShortEdge, NumberUp: 4, Colour: true,
			Pages: slices.Repeat([]Range{{1, MaxPages}}, MaxRanges)}}},
		{Refused: &Refused{Why: WhyFull}}, {Withdrawn: &Withdrawn{7}}, {Dial: &Dial{3}}, {Shown: &Shown{Job: 1}},
		{Sent: &Sent{Job: 1, Remote: 12, Pin: make([]byte, 32)}}, {Sent: &Sent{Job: 1, Unsure: true, Why: WhyCut}},
	}
}

func TestDecodeFromPress(t *testing.T) {
	for name, f := range bad() {
		b, err := Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeFromPress(b); !errors.Is(err, ErrFrame) || got != (FromPress{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, f := range good() {
		b, err := Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeFromPress(b)
		if err != nil {
			t.Errorf("%s: %v", b, err)
		}
		if again, _ := Encode(got); string(again) != string(b) {
			t.Errorf("%s comes back as %s", b, again)
		}
	}
}

func TestFramesAreBounded(t *testing.T) {
	if _, err := Encode(ToPress{Submit: &Submit{Job: 1, Name: strings.Repeat("x", MaxFrame)}}); !errors.Is(err, ErrFrame) {
		t.Errorf("a frame over the limit is sent: %v", err)
	}
	long := []byte(`{"dial":{"id":1}}` + strings.Repeat(" ", MaxFrame))
	if _, err := DecodeFromPress(long); !errors.Is(err, ErrFrame) {
		t.Errorf("a long frame of the press: %v", err)
	}
	if _, err := DecodeToPress([]byte(`{"drop":{"job":1}}` + strings.Repeat(" ", MaxFrame))); !errors.Is(err, ErrFrame) {
		t.Errorf("a long frame of the agent: %v", err)
	}
	for _, s := range []string{"", "[]", "{", `{"drop":null}`, `{}`, `{"drop":{"job":1},"show":{"job":1}}`} {
		if _, err := DecodeToPress([]byte(s)); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, f := range []ToPress{{Printer: &Printer{Accepting: true}}, {Show: &Show{Job: 1}}, {Submit: &Submit{Job: 1}}, {Status: &Status{Job: 1}},
		{Drop: &Drop{Job: 1}}, {Dialled: &Dialled{ID: 1}}} {
		b, err := Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeToPress(b); err != nil {
			t.Errorf("%s: %v, %v", b, got, err)
		}
	}
}

func FuzzDecodeFromPress(f *testing.F) {
	for _, x := range bad() {
		b, _ := Encode(x)
		f.Add(b)
	}
	for _, x := range good() {
		b, _ := Encode(x)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := DecodeFromPress(b)
		if err != nil {
			if x != (FromPress{}) {
				t.Fatal("an error and a frame")
			}
			return
		}
		if o := x.Offer; o != nil {
			n, s := o.Ticket.Impressions(o.Pages), o.Ticket.Sheets(o.Pages)
			if n < 0 || n > MaxPages*MaxCopies || s > n || s*2 < n {
				t.Fatalf("%d sides on %d sheets", n, s)
			}
		}
	})
}

func FuzzDecodeToPress(f *testing.F) {
	f.Add([]byte(`{"submit":{"job":1,"name":"borne-1","uri":"ipp://h/","ticket":{"copies":1}}}`))
	f.Add([]byte(`{"drop":{"job":1}}`))
	f.Add([]byte(`{"status":{"job":1,"state":9}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := DecodeToPress(b); err != nil && x != (ToPress{}) {
			t.Fatal("an error and a frame")
		}
	})
}

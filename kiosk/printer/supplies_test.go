package printer

import (
	"reflect"
	"strings"
	"testing"

	"borne/controller/wire"
	"borne/kiosk/ipp"
	"borne/kiosk/printer/printertest"

	"github.com/OpenPrinting/goipp"
)

// mark makes the attributes of CUPS.
func mark(names, types []string, levels, lows, highs []int) ipp.Attributes {
	var a ipp.Attributes
	strs := func(name string, of func(name, first string, more ...string) goipp.Attribute, v []string) {
		if len(v) > 0 {
			a.Add(of(name, v[0], v[1:]...))
		}
	}
	ints := func(name string, v []int) {
		if len(v) > 0 {
			a.Add(ipp.Integer(name, v[0], v[1:]...))
		}
	}
	strs("marker-names", ipp.Name, names)
	strs("marker-types", ipp.Keyword, types)
	ints("marker-levels", levels)
	ints("marker-low-levels", lows)
	ints("marker-high-levels", highs)
	return a
}

func with(a ipp.Attributes, more ...goipp.Attribute) ipp.Attributes { return append(a, more...) }

type ss = []wire.Supply

// TestSuppliesOfRealPrinters: what these printers really told, as people pasted
// it into the threads that are named.
func TestSuppliesOfRealPrinters(t *testing.T) {
	const toner = "type=tonerCartridge;maxcapacity=100;level=%;class=supplyThatIsConsumed;unit=percent;colorantname=@;"
	hp := func(level, colour string) string { return strings.NewReplacer("%", level, "@", colour).Replace(toner) }
	for name, c := range map[string]struct {
		a    ipp.Attributes
		want ss
	}{
		"HP Color LaserJet, apple/cups#6309": {
			with(mark([]string{"Black Cartridge", "Cyan Cartridge", "Magenta Cartridge", "Yellow Cartridge"}, []string{"toner-cartridge", "toner-cartridge", "toner-cartridge", "toner-cartridge"},
				[]int{70, 70, 80, 70}, []int{2, 2, 2, 2}, []int{100, 100, 100, 100}),
				ipp.Octets("printer-supply", hp("70", "black"), hp("70", "cyan"), hp("80", "magenta"), hp("70", "yellow")),
				ipp.Text("printer-supply-description", "Black Cartridge", "Cyan Cartridge", "Magenta Cartridge", "Yellow Cartridge"),
				ipp.Octets("printer-input-tray", `type=unRemovableBin;dimunit=micrometers;mediafeed=0;mediaxfeed=0;maxcapacity=-2;level=-2;unit=percent;status=19;name=Tray\ 1`)),
			ss{{Name: "Black Cartridge", Kind: "toner", Level: 70}, {Name: "Cyan Cartridge", Kind: "toner", Level: 70}, {Name: "Magenta Cartridge", Kind: "toner", Level: 80},
				{Name: "Yellow Cartridge", Kind: "toner", Level: 70}, {Name: "Tray 1", Kind: "paper", Level: wire.LevelUnknown}},
		},
		"HP OfficeJet, asleep: home-assistant/core#33892 and firmware MAHDWOPP1N001": {
			with(mark([]string{"yellow ink", "black ink"}, []string{"ink-cartridge", "ink-cartridge"}, []int{-2, 30}, []int{1, 1}, []int{100, 100}),
				ipp.Octets("printer-supply", "type=inkCartridge;maxcapacity=100;level=-2;class=supplyThatIsConsumed;unit=percent;colorantname=yellow;",
					"type=inkCartridge;maxcapacity=100;level=30;class=supplyThatIsConsumed;unit=percent;colorantname=black;"),
				ipp.Text("printer-supply-description", "", "")),
			ss{{Name: "yellow ink", Kind: "ink", Level: wire.LevelUnknown}, {Name: "black ink", Kind: "ink", Level: 30}},
		},
		"Brother HL-L2370DW, one value each: ctalkington/python-ipp#410": {
			mark([]string{"BK"}, []string{"toner"}, []int{70}, []int{9}, []int{100}),
			ss{{Name: "BK", Kind: "toner", Level: 70}},
		},
		"Brother MFC-L8690CDW, through CUPS: stefan-langenmaier/brother-overlay#69": {
			mark(nil, []string{"toner", "toner", "toner", "toner", "waste-toner", "other", "opc"}, []int{-1, -1, -1, -1, -1, 99, 99}, nil, nil),
			ss{{Name: "toner", Kind: "toner", Level: -1}, {Name: "toner", Kind: "toner", Level: -1}, {Name: "toner", Kind: "toner", Level: -1}, {Name: "toner", Kind: "toner", Level: -1},
				{Name: "waste", Kind: "waste", Level: -1}, {Name: "other", Kind: "other", Level: 99}, {Name: "drum", Kind: "drum", Level: 99}},
		},
		"Canon with GPR-55, names cut: danielklecha/SharpIppNext#24": {
			mark([]string{"Canon GPR-55 Black Toner", "Canon GPR-55 Magenta To"}, []string{"toner", "toner"}, []int{95, 5}, []int{7, 7}, []int{100, 100}),
			ss{{Name: "Canon GPR-55 Black Toner", Kind: "toner", Level: 95}, {Name: "Canon GPR-55 Magenta To", Kind: "toner", Level: 5, Low: true}},
		},
		"Canon G4080, maintenance cartridge": {
			mark([]string{"Black(PGBK)", "MC"}, []string{"ink-cartridge", "waste-ink"}, []int{90, 10}, []int{15, 0}, []int{100, 64}),
			ss{{Name: "Black(PGBK)", Kind: "ink", Level: 90}, {Name: "MC", Kind: "waste", Level: 90}},
		},
		"Kyocera with CK-7510: apple/cups#4759": {
			mark([]string{"CK-7510", "Waste Toner Box"}, []string{"toner", "waste-toner"}, []int{60, -1}, nil, nil),
			ss{{Name: "CK-7510", Kind: "toner", Level: 60}, {Name: "Waste Toner Box", Kind: "waste", Level: -1}},
		},
		"Kyocera PA2101cx, an empty box that CUPS believes empty toner: OpenPrinting/cups#1462": {
			with(nil, ipp.Octets("printer-supply", "index=1;class=supplyThatIsConsumed;type=toner;unit=percent;maxcapacity=100;level=92;lowlevel=3;colorantname=cyan;",
				"index=2;class=receptacleThatIsFilled;type=wasteToner;unit=percent;maxcapacity=100;level=0;highlevel=95;colorantname=unknown;"),
				ipp.Text("printer-supply-description", "Cyan TK-5490CS", "Waste Toner Box")),
			ss{{Name: "Cyan TK-5490CS", Kind: "toner", Level: 92}, {Name: "Waste Toner Box", Kind: "waste", Level: 100}},
		},
		"Kyocera, its box nearly full": {
			mark([]string{"Black Toner", "Waste Toner Box"}, []string{"toner", "waste-toner"}, []int{8, 96}, []int{10, 0}, []int{100, 95}),
			ss{{Name: "Black Toner", Kind: "toner", Level: 8, Low: true}, {Name: "Waste Toner Box", Kind: "waste", Level: 4, Low: true}},
		},
		"Epson WF-2630": {
			mark([]string{"Black ink", "Cyan ink", "Magenta ink", "Yellow ink"}, []string{"ink-cartridge", "ink-cartridge", "ink-cartridge", "ink-cartridge"}, []int{57, 94, 95, 15}, []int{15, 15, 15, 15}, []int{100, 100, 100, 100}),
			ss{{Name: "Black ink", Kind: "ink", Level: 57}, {Name: "Cyan ink", Kind: "ink", Level: 94}, {Name: "Magenta ink", Kind: "ink", Level: 95}, {Name: "Yellow ink", Kind: "ink", Level: 15, Low: true}},
		},
		"Ricoh MP C2004, trays of 550": {
			with(mark([]string{"Black Toner", "Yellow Toner"}, []string{"toner", "toner"}, []int{40, 90}, []int{10, 10}, []int{100, 100}),
				ipp.Octets("printer-input-tray", "type=sheetFeedAutoRemovableTray;mediafeed=29700;mediaxfeed=21000;maxcapacity=550;level=550;status=0;name=Tray 1;",
					"type=sheetFeedAutoRemovableTray;mediafeed=29700;mediaxfeed=21000;maxcapacity=550;level=385;status=0;name=Tray 2;",
					"type=sheetFeedManual;mediafeed=0;mediaxfeed=0;maxcapacity=100;level=0;status=0;name=Bypass Tray;")),
			ss{{Name: "Black Toner", Kind: "toner", Level: 40}, {Name: "Yellow Toner", Kind: "toner", Level: 90},
				{Name: "Tray 1", Kind: "paper", Level: 100}, {Name: "Tray 2", Kind: "paper", Level: 70}},
		},
	} {
		if got := status(c.a).Supplies; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

// TestSuppliesThatMakeNoSense: each of these was seen somewhere, or will be.
func TestSuppliesThatMakeNoSense(t *testing.T) {
	supply := func(v ...string) ipp.Attributes { return ipp.Attributes{ipp.Octets("printer-supply", v[0], v[1:]...)} }
	state := func(reason string, a ipp.Attributes) ipp.Attributes {
		return with(a, ipp.Enum("printer-state", 3), ipp.Keyword("printer-state-reasons", reason))
	}
	for name, c := range map[string]struct {
		a    ipp.Attributes
		want ss
	}{
		"nothing":              {nil, ss{}},
		"some is left":         {supply("type=toner;class=supplyThatIsConsumed;unit=percent;maxcapacity=100;level=-3;colorantname=black;"), ss{{Name: "black toner", Kind: "toner", Level: wire.LevelSome}}},
		"impressions":          {supply("type=toner;unit=impressions;maxcapacity=6000;level=4260;"), ss{{Name: "toner", Kind: "toner", Level: 71}}},
		"capacity unknown":     {supply("type=toner;unit=impressions;maxcapacity=-2;level=4260;"), ss{{Name: "toner", Kind: "toner", Level: wire.LevelSome}}},
		"capacity zero":        {supply("type=toner;unit=percent;maxcapacity=0;level=50;"), ss{{Name: "toner", Kind: "toner", Level: 50}}},
		"no capacity, no unit": {supply("type=toner;level=50"), ss{{Name: "toner", Kind: "toner", Level: 50}}},
		"no level":             {supply("type=toner;maxcapacity=100"), ss{{Name: "toner", Kind: "toner", Level: wire.LevelUnknown}}},
		"over the top":         {supply("type=toner;unit=percent;maxcapacity=100;level=250"), ss{{Name: "toner", Kind: "toner", Level: 100}}},
		"beyond 32 bits":       {supply("type=toner;unit=percent;maxcapacity=100;level=99999999999999999999"), ss{{Name: "toner", Kind: "toner", Level: wire.LevelUnknown}}},
		"as text": {ipp.Attributes{ipp.Text("printer-supply", "type=wasteInk;class=receptacleThatIsFilled;unit=percent;maxcapacity=100;level=25;")},
			ss{{Name: "waste", Kind: "waste", Level: 75}}},
		"too long":          {supply("type=toner;level=1;name=" + strings.Repeat("x", 2000)), ss{}},
		"no fields":         {supply(";;;=;a=b;"), ss{{Name: "other", Kind: "other", Level: wire.LevelUnknown}}},
		"room, not filling": {supply("type=wasteToner;unit=percent;maxcapacity=100;level=100;"), ss{{Name: "waste", Kind: "waste", Level: 100}}},
		"really full": {state("marker-waste-full-error", supply("type=wasteToner;unit=percent;maxcapacity=100;level=100;")),
			ss{{Name: "waste", Kind: "waste", Level: 0, Low: true}}},
		"low, says the state": {state("toner-low-report", mark([]string{"BK"}, []string{"toner"}, []int{-3}, nil, nil)), ss{{Name: "BK", Kind: "toner", Level: wire.LevelSome, Low: true}}},
		"names in one": {mark([]string{"Black,Cyan"}, []string{"toner,toner"}, []int{10, 20}, []int{15}, nil),
			ss{{Name: "Black", Kind: "toner", Level: 10, Low: true}, {Name: "Cyan", Kind: "toner", Level: 20}}},
		"lists of other lengths": {mark([]string{"Black"}, nil, []int{10, 20, 30}, []int{1, 25}, nil),
			ss{{Name: "Black", Kind: "other", Level: 10}, {Name: "other", Kind: "other", Level: 20, Low: true}, {Name: "other", Kind: "other", Level: 30}}},
		"drum by its name": {mark([]string{"Drum Unit"}, []string{"other"}, []int{80}, nil, nil), ss{{Name: "Drum Unit", Kind: "drum", Level: 80}}},
		"markers know more": {with(mark([]string{"BK"}, []string{"toner"}, []int{44}, nil, nil), ipp.Octets("printer-supply", "type=toner;unit=percent;maxcapacity=100;level=-2;colorantname=black;")),
			ss{{Name: "BK", Kind: "toner", Level: 44}}},
		"a wrong type":  {ipp.Attributes{ipp.Keyword("marker-levels", "many"), ipp.Integer("marker-names", 3), ipp.Integer("printer-supply", 3)}, ss{}},
		"control bytes": {mark([]string{"B\x1b[31m\nK\u202e"}, []string{"toner"}, []int{5}, nil, nil), ss{{Name: "B [31m K", Kind: "toner", Level: 5}}},
	} {
		got := status(c.a).Supplies
		if len(got) == 0 && len(c.want) == 0 {
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	for want, a := range map[wire.PrinterState]ipp.Attributes{
		wire.PrinterReady:   {ipp.Enum("printer-state", 3), ipp.Keyword("printer-state-reasons", "none")},
		wire.PrinterBusy:    {ipp.Enum("printer-state", 4), ipp.Boolean("printer-is-accepting-jobs", true)},
		wire.PrinterStopped: {ipp.Enum("printer-state", 3), ipp.Boolean("printer-is-accepting-jobs", false)},
	} {
		if got := status(a); got.State != want || len(got.Reasons) != 0 {
			t.Errorf("%v, want %v", got, want)
		}
	}
	got := status(ipp.Attributes{ipp.Enum("printer-state", 5), ipp.Keyword("printer-state-reasons", "media-empty-error", "Not A Keyword", "none", "cover-open"),
		ipp.Integer("printer-impressions-completed", 4711), ipp.Text("printer-make-and-model", "  A\nprinter  ")})
	if got.State != wire.PrinterStopped || !reflect.DeepEqual(got.Reasons, []string{"media-empty-error", "cover-open"}) || got.Counter != 4711 || got.Model != "A printer" {
		t.Errorf("%+v", got)
	}
}

func TestStatusOfARealPrinter(t *testing.T) {
	p := start(t, printertest.Options{})
	c := client(t, Target{URI: p.URI()}, nil)
	got, err := c.Status(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	if got.State != wire.PrinterReady || got.Model == "" || len(got.Supplies) < 2 || got.Supplies[0].Kind != "waste" || got.Supplies[0].Level != 75 {
		t.Errorf("%+v", got)
	}
	p.Off()
	if got, err := c.Status(patient(t)); err == nil || got.State != wire.PrinterLost {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzStatus reads whatever a printer may tell of itself.
func FuzzStatus(f *testing.F) {
	f.Add("type=toner;maxcapacity=100;level=50;", "type=sheetFeedManual;level=-3;name=x", "Black,Cyan", "waste-toner", "toner-low-report", 50, 10, 95)
	f.Add(`a\;b=c;level=-2147483648;maxcapacity=2147483647`, `\`, "", "opc", "marker-waste-full", -3, -1, 0)
	f.Fuzz(func(t *testing.T, supply, tray, name, typ, reason string, level, low, high int) {
		p := status(with(mark([]string{name, name}, []string{typ}, []int{level, low, high}, []int{low}, []int{high}),
			ipp.Octets("printer-supply", supply, supply), ipp.Octets("printer-input-tray", tray), ipp.Text("printer-supply-description", name),
			ipp.Keyword("printer-state-reasons", reason), ipp.Text("printer-make-and-model", name), ipp.Enum("printer-state", level)))
		if len(p.Supplies) > maxSupplies+maxTrays || len(p.Model) > 64 || len(p.Reasons) > 1 {
			t.Fatalf("%+v", p)
		}
		for _, s := range p.Supplies {
			if s.Level < wire.LevelSome || s.Level > 100 || len(s.Name) > 120 || s.Name == "" || s.Kind == "" || strings.ContainsAny(s.Name, "\n\x1b") {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// FuzzAnswers reads whatever bytes a printer may answer, as a job and as what it can do.
func FuzzAnswers(f *testing.F) {
	a := ipp.Answer(ipp.Request(goipp.OpGetJobs, 7, "fr"), goipp.StatusOk, "en", "")
	a.Printer = mark([]string{"BK"}, []string{"toner"}, []int{50}, []int{9}, []int{100})
	b, _ := a.EncodeBytes()
	f.Add(b)
	a.Printer = nil
	a.Job = ipp.Attributes{ipp.Integer("job-id", 3), ipp.Enum("job-state", 9), ipp.Members("job-impressions-completed-col", ipp.Integer("monochrome", 4), ipp.Integer("blank", 2))}
	b, _ = a.EncodeBytes()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ipp.DecodeAnswer(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		if j, err := job(m.Job); err == nil && (j.Impressions < -1 || j.Impressions > maxCount || j.Sheets < -1 || j.Sheets > maxCount || j.State < 3 || j.State > 9) {
			t.Fatalf("%+v", j)
		}
		c := capabilities(m.Printer)
		if c.Copies < 1 || c.Copies > 99 || len(c.Formats) > 4 {
			t.Fatalf("%+v", c)
		}
		status(m.Printer)
	})
}

package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/sim"
)

var (
	_ hw.Clock  = (*sim.WallClock)(nil)
	_ sim.Clock = (*sim.VirtualClock)(nil)
)

func TestDoMovesTheBench(t *testing.T) {
	for _, c := range []struct {
		action, args string
		read         func(sim.State) any
		want         any
	}{
		{"tap", `{"uids":["04A1B2C3"],"hold_ms":1500}`, func(s sim.State) any { return s.Reader.UIDs }, []string{"04a1b2c3"}},
		{"tap", `{"uids":["04a1b2c3d4e5f6","04a1b2c3d4e5f60718ff"]}`, func(s sim.State) any { return s.Reader.UIDs }, []string{"04a1b2c3d4e5f6", "04a1b2c3d4e5f60718ff"}},
		{"tap", `{"uids":["04a1b2c3d4e5f6"],"kind":"ntag424"}`, func(s sim.State) any { return s.Reader.UIDs }, []string{"04a1b2c3d4e5f6"}},
		{"tap", `{"uids":["04a1b2c3d4e5f6"],"kind":"ntag424-clone","hold_ms":5}`, func(s sim.State) any { return s.Reader.UIDs }, []string{"04a1b2c3d4e5f6"}},
		{"lift", `{}`, func(s sim.State) any { return s.Reader.UIDs }, []string{}},
		{"case", `{"open":true}`, func(s sim.State) any { return s.Case }, "open"},
		{"call", `{"pressed":true}`, func(s sim.State) any { return s.Call }, "pressed"},
		{"present", `{"there":true}`, func(s sim.State) any { return s.Present }, "there"},
		{"reader", `{"plugged":false}`, func(s sim.State) any { return s.Reader.Plugged }, false},
		{"meter", `{"watts":12.5}`, func(s sim.State) any { return s.Meter.Watts }, 12.5},
		{"printer", `{"jam":true,"paper":false}`, func(s sim.State) any { return s.Printer }, sim.PrinterState{Jam: true}},
	} {
		b := sim.NewBench(sim.NewVirtualClock(), 1)
		if err := b.Do(c.action, []byte(c.args)); err != nil {
			t.Errorf("%s %s: %v", c.action, c.args, err)
		}
		if got := c.read(b.State()); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s: state is %v, want %v", c.action, c.args, got, c.want)
		}
	}
}

// badDo are refused, say what was wrong and change nothing.
func badDo() map[string][2]string {
	return map[string][2]string{
		"actions are":           {"explode", `{}`},
		"kind \"visa\" is none": {"tap", `{"uids":["04a1b2c3d4e5f6"],"kind":"visa"}`},
		"must have 7 bytes":     {"tap", `{"uids":["04a1b2c3"],"kind":"ntag424"}`},
		"unmarshal number":      {"tap", `{"uids":["04a1b2c3"],"kind":7}`},
		"between 0 and 10000":   {"meter", `{"watts":-1}`},
		"fault is none of":      {"meter", `{"watts":1,"fault":"fire"}`},
		"0 cards":               {"tap", `{}`},
		"3 bytes":               {"tap", `{"uids":["010203"]}`},
		"cascade tag":           {"tap", `{"uids":["88010203"]}`},
		"hexadecimal":           {"tap", `{"uids":["zz010203"]}`},
		"has its UID":           {"tap", `{"uids":["01020304","01020304"]}`},
		"limit is 8":            {"tap", `{"uids":["01","02","03","04","05","06","07","08","09"]}`},
		"longest has 20":        {"tap", `{"uids":["` + strings.Repeat("a", 22) + `"]}`},
		"hold_ms is -1":         {"tap", `{"uids":["01020304"],"hold_ms":-1}`},
		`argument "uid"`:        {"tap", `{"uid":["01020304"]}`},
		`argument "UIDS"`:       {"tap", `{"UIDS":["01020304"]}`},
		"given twice":           {"case", `{"open":false,"open":true}`},
		"needed":                {"case", `{}`},
		"is needed, true":       {"reader", `{"plugged":null}`},
		"not a JSON object":     {"call", `[true]`},
		"cannot be read":        {"call", `{"pressed":1}`},
		"after top-level":       {"lift", `{}{}`},
		"both needed":           {"printer", `{"jam":true}`},
		"limit is 2048":         {"lift", `{}` + strings.Repeat(" ", 3000)},
	}
}

func TestDoRefusesBadInput(t *testing.T) {
	for want, c := range badDo() {
		b := sim.NewBench(sim.NewVirtualClock(), 1)
		before := b.State()
		err := b.Do(c[0], []byte(c[1]))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot do ") {
			t.Errorf("%s %.60s: error %v, want one that says %q", c[0], c[1], err, want)
		}
		if after := b.State(); !reflect.DeepEqual(before, after) {
			t.Errorf("%s %.60s: changed the bench to %+v", c[0], c[1], after)
		}
	}
}

// FuzzDo: whatever comes, a refusal changes nothing, and an accepted tap holds
// out only UIDs that cards can have.
func FuzzDo(f *testing.F) {
	for a, shape := range sim.Actions() {
		f.Add(a, []byte(shape))
	}
	f.Add("tap", []byte(`{"uids":["04a1b2c3d4e5f6"],"hold_ms":600000}`))
	f.Add("tap", []byte(`{"uids":["04a1b2c3d4e5f6","04a1b2c3d4e5f7"],"kind":"ntag424-random"}`))
	for _, c := range badDo() {
		f.Add(c[0], []byte(c[1]))
	}
	f.Fuzz(func(t *testing.T, action string, args []byte) {
		b := sim.NewBench(sim.NewVirtualClock(), 1)
		before := b.State()
		err := b.Do(action, args)
		after := b.State()
		if err != nil && !reflect.DeepEqual(before, after) {
			t.Fatalf("refused (%v) but changed %+v", err, after)
		}
		if err != nil && len(err.Error()) > 4096 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		if err == nil && !json.Valid(args) {
			t.Fatal("accepted what is not JSON")
		}
		for _, u := range after.Reader.UIDs {
			if n := len(u); n != 8 && n != 14 && n != 20 {
				t.Fatalf("a card with a UID of %d characters", n)
			}
		}
		if _, err := json.Marshal(after); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTapEndsByItself(t *testing.T) {
	clk := sim.NewVirtualClock()
	b := sim.NewBench(clk, 1)
	if err := b.Tap(time.Second, []byte{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	clk.Advance(999 * time.Millisecond)
	if n := len(b.State().Reader.UIDs); n != 1 {
		t.Fatalf("%d cards before the end", n)
	}
	clk.Advance(time.Millisecond)
	if n := len(b.State().Reader.UIDs); n != 0 {
		t.Fatalf("%d cards after the end", n)
	}
}

func TestCaseWatch(t *testing.T) {
	b := sim.NewBench(sim.NewVirtualClock(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	in := b.Case()
	ch, err := in.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.OpenCase()
	b.OpenCase() // no change, nothing sent
	b.CutCase()
	b.CloseCase()
	for i, want := range []hw.Level{hw.Off, hw.On, hw.Unknown, hw.Off} {
		if got := <-ch; got != want {
			t.Fatalf("level %d is %v, want %v", i, got, want)
		}
	}
	cancel()
	if l, open := <-ch; open {
		t.Fatalf("channel still open after ctx, level %v", l)
	}
	// Closing ends the others, and a slow watcher gets the newest level.
	ch, err = in.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		b.OpenCase()
		b.CloseCase()
	}
	b.OpenCase()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	last := hw.Unknown
	for l := range ch {
		last = l
	}
	if last != hw.On {
		t.Fatalf("last level is %v, want On", last)
	}
	if _, err := in.Watch(t.Context()); !errors.Is(err, hw.ErrClosed) {
		t.Fatalf("error %v, want hw.ErrClosed", err)
	}
}

func TestOutputsAndScreenReadBack(t *testing.T) {
	b := sim.NewBench(sim.NewVirtualClock(), 1)
	o, err := b.Output("relay-peripherals")
	if err != nil {
		t.Fatal(err)
	}
	if l, err := o.Set(t.Context(), hw.On); err != nil || l != hw.On {
		t.Fatalf("Set = %v, %v", l, err)
	}
	if _, err := o.Set(t.Context(), hw.Unknown); err == nil {
		t.Fatal("an output was set to unknown")
	}
	if l, err := b.Screen().Light(t.Context(), false); err != nil || l != hw.Off {
		t.Fatalf("Light = %v, %v", l, err)
	}
	if s := b.State(); s.Outputs["relay-peripherals"] != "on" || s.Screen != "off" {
		t.Fatalf("state %+v", s)
	}
	if _, err := b.Output(""); err == nil {
		t.Fatal("an output without a name was opened")
	}
}

func TestUnpluggedReader(t *testing.T) {
	b := sim.NewBench(sim.NewVirtualClock(), 1)
	p, err := b.OpenReader()
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Connect(4_000_000_000_000, 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	b.UnplugReader()
	if err := c.Tx([]byte{0xEE, 0}, make([]byte, 2)); err == nil {
		t.Fatal("a transfer succeeded without a reader")
	}
	if _, err := b.OpenReader(); !errors.Is(err, hw.ErrAbsent) {
		t.Fatalf("error %v, want hw.ErrAbsent", err)
	}
	b.PlugReader()
	if err := c.Tx([]byte{0xEE, 0}, make([]byte, 2)); err == nil {
		t.Fatal("a port opened before the unplugging works again")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = b.OpenReader(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWallClock(t *testing.T) {
	run := sim.NewVirtualClock()
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	w := sim.NewWallClock(at, true, run)
	run.Advance(time.Hour)
	if now, trusted := w.Now(); !now.Equal(at.Add(time.Hour)) || !trusted {
		t.Fatalf("Now() = %v, %v", now, trusted)
	}
	w.Set(time.Unix(0, 0), false)
	if now, trusted := w.Now(); !now.Equal(time.Unix(0, 0)) || trusted {
		t.Fatalf("Now() = %v, %v", now, trusted)
	}
}

func TestBenchConcurrentUse(t *testing.T) {
	b := sim.NewBench(sim.NewVirtualClock(), 1)
	var wg sync.WaitGroup
	for _, c := range [][2]string{{"tap", `{"uids":["01020304"],"hold_ms":5}`}, {"lift", `{}`}, {"reader", `{"plugged":false}`}, {"reader", `{"plugged":true}`}, {"case", `{"open":true}`}, {"printer", `{"jam":true,"paper":true}`}} {
		wg.Go(func() {
			for range 200 {
				if err := b.Do(c[0], []byte(c[1])); err != nil {
					t.Error(err)
				}
				b.State()
			}
		})
	}
	wg.Wait()
}

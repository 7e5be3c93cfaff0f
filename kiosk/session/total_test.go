package session_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/session"
)

// facts holds one or more of each kind.
func facts(w *world) []Fact {
	f := []Fact{nil, Tick{}, w.tick(time.Hour, time.Hour), Tapped{}, Tapped{Holder: []byte{1}}, Tapped{Refused: wire.RefuseManyBadges},
		Surveyed{Effect: w.state.Live.Await}, Opened{Effect: w.state.Live.Await}, Opened{Effect: w.state.Live.Await, Err: "x"},
		Wiped{Effect: w.state.Live.Await}, Wiped{Effect: w.state.Live.Await, Err: "x"}, Wiped{Effect: w.state.Live.Await, Receipt: &wire.Envelope{}},
		Lost{Session: "s1"}, Lost{Warden: true}, Case{Contact: ContactOpen}, Case{Contact: ContactUnknown}, Ruled{}, Ruled{Limits: limits()},
		w.grant(2), Permitted{}, Welcomed{Quarantine: wire.QuarClone}, Welcomed{}, Neighbours{OtherFree: true}, Faulty{Reason: wire.OutDisk},
		Protected{}, Protected{Ready: true}, Filtered{Session: "s1", Category: "adult", Count: 2}, Filtered{}, Sending{Session: "s1", Busy: true}, Sending{}, Update{Running: true}, Stop{}}
	for _, do := range []Do{Begin, Accept, Decline, End, StillHere, Arrived, Dismiss, SetLang, Home, Back, Again, "?"} {
		f = append(f, Acted{Do: do, Session: "s9", Lang: "en"})
	}
	for _, k := range []wire.CommandKind{wire.CmdMessage, wire.CmdEnd, wire.CmdWipe, wire.CmdQuarantine, wire.CmdLift, wire.CmdIdentify,
		wire.CmdRelease, wire.CmdOut, wire.CmdBack, "?"} {
		f = append(f, Commanded{Command: wire.Command{ID: "c", Kind: k, Text: "é", Nonce: []byte{1}}})
	}
	return f
}

// TestTotal meets every phase with every fact: nothing panics, the caller's
// state is not written into, and the same step gives the same answer.
func TestTotal(t *testing.T) {
	at := map[Phase]*world{}
	note := func(w *world) *world { c := *w; at[w.state.Phase] = &c; return w }
	note(newWorld())
	w := note(ready(t))
	w.send(Acted{Do: Begin}, 0)
	note(w)
	w.send(Acted{Do: Accept, Session: "s1"}, 0)
	note(w)
	w.drive()
	note(w)
	w.send(Tapped{Holder: []byte{7}}, 0)
	note(w)
	up := w.tick(time.Second, 0)
	up.Uploading = true
	w.send(up, 0)
	w.send(Acted{Do: End}, 0)
	note(w)
	w.send(Acted{Do: Arrived}, 0)
	note(w)
	w.drive()
	note(w)
	for _, f := range []Fact{Update{Running: true}, Faulty{Reason: wire.OutDisk}, Welcomed{Quarantine: wire.QuarClone}, Case{Contact: ContactOpen}, Stop{}} {
		w := ready(t)
		w.send(f, 0)
		note(w)
	}
	w = ready(t)
	w.send(Commanded{Command: wire.Command{ID: "c", Kind: wire.CmdLift, Nonce: []byte{1}}}, 0)
	note(w)
	for _, p := range Phases() {
		w := at[p]
		if w == nil {
			t.Errorf("no sample of %s", p)
			continue
		}
		for _, f := range facts(w) {
			before, _ := json.Marshal(w.state)
			live := w.state.Live
			a, ae, ar := Step(w.state, Event{At: w.at, Fact: f})
			b, be, br := Step(w.state, Event{At: w.at, Fact: f})
			if after, _ := json.Marshal(w.state); !bytes.Equal(before, after) || !reflect.DeepEqual(live, w.state.Live) {
				t.Fatalf("%s × %T writes into its caller's state", p, f)
			}
			if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(ae, be) || !reflect.DeepEqual(ar, br) {
				t.Fatalf("%s × %T is not a function", p, f)
			}
			if at[a.Phase] == nil {
				t.Errorf("%s × %T leads to %q", p, f, a.Phase)
			}
		}
	}
}

// TestRecoverIsExhaustive reads the source: a new phase without its own line
// in Recover must not slip through a default.
func TestRecoverIsExhaustive(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "recover.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named, switches := map[string]int{}, 0
	ast.Inspect(f, func(n ast.Node) bool {
		fn, ok := n.(*ast.FuncDecl)
		if ok && fn.Name.Name != "Recover" {
			return false
		}
		if c, ok := n.(*ast.CaseClause); ok {
			if c.List == nil {
				t.Error("Recover has a default")
			}
			for _, e := range c.List {
				if id, ok := e.(*ast.Ident); ok {
					named[strings.ToLower(id.Name)]++
				}
			}
		}
		if _, ok := n.(*ast.SwitchStmt); ok {
			switches++
		}
		return true
	})
	for _, p := range Phases() {
		if named[string(p)] != 1 {
			t.Errorf("Recover names %s %d times", p, named[string(p)])
		}
	}
	if switches != 1 || len(named) != len(Phases()) {
		t.Errorf("%d switches, %d names", switches, len(named))
	}
}

// FuzzDecode feeds states that a disk could hold: whatever they are, they are
// recovered without a panic, and none leads to a person before a wipe unless
// it was clean.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"schema":1,"phase":"active","serial":4}`))
	f.Add([]byte(`{"schema":1,"phase":"welcome","serial":4,"run":{"id":"s"}}`))
	f.Add([]byte(`{"schema":1,"phase":"challenge","serial":1}`))
	f.Add([]byte(`{"schema":1,"phase":"wiping","wipe":{"kind":"x"}}`))
	f.Add([]byte(`{"schema":2,"phase":"welcome"}`))
	f.Add([]byte(`{"schema":1,"run":{}}`)) // found by fuzzing: no phase, and yet a run
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		at := Instant{Mono: time.Second, Wall: time.Unix(1, 0), Trusted: true}
		next, effects, _ := Recover(s, at, wire.Boot{})
		if (err != nil || s.Dirty || s.Run != nil) && next.Phase != Wiping {
			t.Fatalf("a dirty state leads to %s", next.Phase)
		}
		for _, e := range effects {
			next, _, _ = Step(next, Event{At: at, Fact: Wiped{Effect: e.ID}})
			next, _, _ = Step(next, Event{At: at, Fact: Surveyed{Effect: e.ID}})
		}
		at.Mono += time.Hour
		next, _, _ = Step(next, Event{At: at, Fact: Tick{Sure: true, Open: true}})
		if next.Dirty && (next.Phase == Welcome || next.Phase == Charter) {
			t.Fatal("welcome while dirty")
		}
	})
}

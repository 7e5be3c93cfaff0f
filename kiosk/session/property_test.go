package session_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"borne/controller/wire"
	. "borne/kiosk/session"
)

// TestMain makes histories long enough to hold several sessions, unless the
// command line says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.steps": "120", "rapid.checks": "80"} {
		if !given[name] {
			if err := flag.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

// TestNobodyFollowsWithoutAProvenWipe plays arbitrary histories: people,
// staff, lost and repeated results, power cuts on either side of each commit,
// failed wipes, a lost warden, clocks that jump.
func TestNobodyFollowsWithoutAProvenWipe(t *testing.T) {
	reached := map[Phase]int{}
	receipts := 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.send(Ruled{Limits: limits()}, 0)
		w.send(w.grant(4), 0)
		t.Repeat(actions(w, func() { reached[w.state.Phase]++ }))
		_, got := w.ledger()
		receipts += len(got)
	})
	// The property is worth nothing if the histories do not go anywhere.
	for _, p := range Phases() {
		if reached[p] == 0 {
			t.Errorf("no history reached %s", p)
		}
	}
	if receipts == 0 {
		t.Error("no history had a whole session")
	}
}

func actions(w *world, seen func()) map[string]func(*rapid.T) {
	do := func(t *rapid.T, f Fact) {
		// Most steps are spared: a history of cuts alone goes nowhere.
		cut := rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}).Draw(t, "cut")
		w.send(f, cut)
		seen()
	}
	effect := func(t *rapid.T) {
		if len(w.pending) == 0 {
			t.Skip("nothing asked")
		}
		i := rapid.IntRange(0, len(w.pending)-1).Draw(t, "which")
		e := w.pending[i]
		w.pending = append(w.pending[:i:i], w.pending[i+1:]...)
		fail := rapid.IntRange(0, 3).Draw(t, "fail") == 0
		f := w.perform(e, fail)
		if f == nil {
			return
		}
		w.results = append(w.results, f)
		do(t, f)
	}
	// smooth does everything that was asked, without a mishap.
	smooth := func(t *rapid.T) {
		for n := 0; len(w.pending) > 0 && n < 10; n++ {
			e := w.pending[0]
			w.pending = w.pending[1:]
			if f := w.perform(e, false); f != nil {
				w.results = append(w.results, f)
				do(t, f)
			}
		}
	}
	anew := func() { // what staff want started again is started again
		if w.state.Live.Anew && w.state.Reason == wire.RefuseAnew {
			w.boot()
		}
	}
	calm := func(t *rapid.T) {
		anew()
		w.at.Trusted, w.sureDay = true, true
		do(t, w.tick(time.Second, 0))
		smooth(t)
	}
	session := func(t *rapid.T) {
		calm(t)
		do(t, w.grant(1))
		do(t, Welcomed{})
		do(t, Faulty{})
		do(t, Case{Contact: ContactClosed})
		do(t, Commanded{Command: wire.Command{ID: "c" + w.fresh(), Kind: wire.CmdBack}})
		smooth(t)
		do(t, Tapped{Holder: []byte{1}})
		do(t, Acted{Do: Accept, Session: w.fresh()})
		smooth(t)
	}
	return map[string]func(*rapid.T){
		"session":       session,
		"session again": session,
		"end in an upload": func(t *rapid.T) {
			f := w.tick(time.Second, 0)
			f.Uploading = true
			do(t, f)
			do(t, Acted{Do: End})
		},
		"calm":       calm,
		"calm again": calm,
		"": func(t *rapid.T) {
			if w.bad != "" {
				t.Fatal(w.bad)
			}
		},
		"effect":       effect,
		"effect again": effect,
		"effect soon":  effect,
		"begin":        func(t *rapid.T) { do(t, Acted{Do: Begin}) },
		"accept":       func(t *rapid.T) { do(t, Acted{Do: Accept, Session: w.fresh()}) },
		"through the door": func(t *rapid.T) {
			do(t, Acted{Do: Begin})
			do(t, Acted{Do: Accept, Session: w.fresh()})
		},
		"act": func(t *rapid.T) {
			do(t, Acted{Do: rapid.SampledFrom([]Do{Decline, End, StillHere, Arrived, Dismiss, SetLang, Home, Back, Again, SmileGood, SmileSoso, SmileBad, "x"}).Draw(t, "do"), Lang: "en"})
		},
		"tap": func(t *rapid.T) {
			do(t, Tapped{Holder: []byte{byte(rapid.IntRange(1, 3).Draw(t, "badge"))},
				Refused: rapid.SampledFrom([]wire.Reason{"", "", wire.RefuseUnknownBadge}).Draw(t, "refused")})
		},
		"second": func(t *rapid.T) { do(t, w.tick(time.Second, 0)) },
		"wait": func(t *rapid.T) {
			d := time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second
			f := w.tick(d, time.Duration(rapid.IntRange(0, 300).Draw(t, "idle"))*time.Second)
			f.Uploading = rapid.Bool().Draw(t, "uploading")
			f.Playing = rapid.Bool().Draw(t, "playing")
			do(t, f)
		},
		"hours": func(t *rapid.T) { w.sureDay = rapid.IntRange(0, 3).Draw(t, "open") > 0; do(t, w.tick(time.Second, 0)) },
		"clock": func(t *rapid.T) {
			w.at.Trusted = rapid.Bool().Draw(t, "trusted")
			w.at.Wall = w.at.Wall.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "hours")) * time.Hour)
			do(t, w.tick(time.Second, 0))
		},
		"permits": func(t *rapid.T) { do(t, w.grant(rapid.IntRange(0, 3).Draw(t, "n"))) },
		"old permits": func(t *rapid.T) {
			old := *w
			old.permitN = 0
			do(t, old.grant(int(w.permitN))) // the controller repeats what it granted, consumed ones too
		},
		"command": func(t *rapid.T) {
			kind := rapid.SampledFrom([]wire.CommandKind{wire.CmdMessage, wire.CmdEnd, wire.CmdWipe, wire.CmdQuarantine, wire.CmdLift,
				wire.CmdIdentify, wire.CmdRelease, wire.CmdOut, wire.CmdBack, wire.CmdBack, wire.CmdRelease, "new"}).Draw(t, "kind")
			id := "c" + w.fresh()
			do(t, Commanded{Command: wire.Command{ID: id, Kind: kind, Text: "Bonjour", Nonce: []byte(id)}})
		},
		"welcomed": func(t *rapid.T) {
			do(t, Welcomed{Quarantine: rapid.SampledFrom([]wire.Reason{"", "", wire.QuarClone}).Draw(t, "why")})
		},
		"protected": func(t *rapid.T) { do(t, Protected{Ready: rapid.Bool().Draw(t, "ready")}) },
		"filtered": func(t *rapid.T) {
			f := Filtered{Category: "adult", Count: 1}
			if w.state.Run != nil {
				f.Session = w.state.Run.ID
			}
			do(t, f)
		},
		"sending": func(t *rapid.T) {
			f := Sending{Busy: rapid.Bool().Draw(t, "busy")}
			if w.state.Run != nil {
				f.Session = w.state.Run.ID
			}
			do(t, f)
		},
		"neighbours": func(t *rapid.T) { do(t, Neighbours{OtherFree: rapid.Bool().Draw(t, "free")}) },
		"case": func(t *rapid.T) {
			do(t, Case{Contact: rapid.SampledFrom([]Contact{ContactClosed, ContactClosed, ContactOpen, ContactUnknown}).Draw(t, "contact")})
		},
		"lost": func(t *rapid.T) {
			id := "other"
			if w.state.Run != nil && rapid.Bool().Draw(t, "mine") {
				id = w.state.Run.ID
			}
			do(t, Lost{Session: id, Warden: rapid.IntRange(0, 4).Draw(t, "warden") == 0})
		},
		"fault": func(t *rapid.T) {
			do(t, Faulty{Reason: rapid.SampledFrom([]wire.Reason{"", "", wire.OutDisk}).Draw(t, "why")})
		},
		"update": func(t *rapid.T) { do(t, Update{Running: rapid.Bool().Draw(t, "running")}) },
		"policy": func(t *rapid.T) {
			l := limits()
			l.Version = uint64(rapid.IntRange(1, 9).Draw(t, "version"))
			l.Minutes = time.Duration(rapid.IntRange(1, 20).Draw(t, "minutes")) * time.Minute
			l.BadgeRequired = rapid.IntRange(0, 4).Draw(t, "badge") == 0
			do(t, Ruled{Limits: l})
		},
		"wipe that cannot succeed": func(t *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(t, "times") {
				for i, e := range w.pending {
					if _, wipe := e.Ask.(DoWipe); wipe {
						w.pending = append(w.pending[:i:i], w.pending[i+1:]...)
						do(t, w.perform(e, true))
						break
					}
				}
				do(t, w.tick(RetryAfter, 0))
			}
		},
		"effect lost": func(t *rapid.T) {
			if len(w.pending) == 0 {
				t.Skip("nothing asked")
			}
			w.pending = w.pending[1:]
		},
		"done but not told": func(t *rapid.T) {
			if len(w.pending) == 0 {
				t.Skip("nothing asked")
			}
			w.results = append(w.results, w.perform(w.pending[0], false))
			w.pending = w.pending[1:]
		},
		"result twice": func(t *rapid.T) {
			if len(w.results) == 0 {
				t.Skip("no result yet")
			}
			if f := rapid.SampledFrom(w.results).Draw(t, "result"); f != nil {
				do(t, f)
			}
		},
		"staff": func(t *rapid.T) {
			do(t, StaffCame{By: "Accueil", May: wire.StaffRights()})
			do(t, StaffDid{Do: rapid.SampledFrom(append(wire.StaffRights(), wire.StaffReopen, "x")).Draw(t, "staff"), Jobs: 1})
		},
		"pin": func(t *rapid.T) {
			do(t, StaffAsks{})
			do(t, StaffTries{})
			do(t, StaffTried{Right: rapid.Bool().Draw(t, "right"), May: wire.StaffRights()})
		},
		"power cut": func(t *rapid.T) {
			if rapid.IntRange(0, 4).Draw(t, "really") == 0 {
				w.boot()
			}
		},
		"stop": func(t *rapid.T) {
			if rapid.IntRange(0, 4).Draw(t, "really") == 0 {
				do(t, Stop{})
				w.boot() // what stops is started again
			}
		},
	}
}

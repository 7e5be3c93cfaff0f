// Package holdsui has two people hold rows for a réquisition, in a real browser before
// a real controller.
package holdsui

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/retention"
	"borne/controller/server"
	"borne/controller/store"
	"borne/scripts/consoletest"
)

func must(t *testing.T, err error) { t.Helper(); consoletest.Must(t, err) }

// TestTwoPeopleHoldAndLift: whoever asks finds no way to confirm, somebody else does,
// the log and the inventory tell, and lifting ends it. A DPO decides about traffic data.
func TestTwoPeopleHoldAndLift(t *testing.T) {
	console := consoletest.Build(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := ln.Addr().String()
	must(t, ln.Close())
	state := filepath.Join(consoletest.Folder(t), "state")
	must(t, server.Init(context.Background(), state, "Haute-Savoie", time.Now()))
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\ndemo = true\n[console]\nlisten = %q\nurl = \"http://%s\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n", state, address, address))
	must(t, err)
	srv := consoletest.Serve(t, server.Config{Config: cfg, Version: "holdsui", Files: os.DirFS(console.Dist)})
	link := func(name, role string) string {
		return consoletest.Link(t, srv, map[string]string{"name": name, "role": role, "all": "true"})
	}
	asks, confirms := link("Camille Perrollaz", "administrator"), link("Sacha Vuillermoz", "dpo")
	p := console.Open(t, "scripts/holdsui/player.mjs", "CONSOLE=http://"+address, "SHOTS="+os.Getenv("BORNE_SHOTS"))
	p.Play("ask", "url", asks, "reference", "PV 2026/04512", "authority", "Parquet d’Annecy")
	p.Play("mine")
	p.Play("confirm", "url", confirms)
	// What is written hourly, written now: one row waits.
	must(t, srv.Store().Decide(context.Background(), func(tx store.Tx) error {
		h, err := store.First(store.List[store.Hold](tx, "", "", false))
		if err != nil {
			return err
		}
		now := time.Now().UTC()
		old := retention.Default().Usage
		return store.Put(tx, store.Item[store.Purge]{Meta: store.Meta{ID: store.TimeID(now, "session-held")},
			Row: store.Purge{At: now, Class: "usage", What: "session", Before: now.AddDate(0, 0, -old), Held: 41, Holds: []string{h.ID}}})
	}))
	p.Play("told", "says", "PV 2026/04512")
	p.Play("decide", "reference", "DEC-2026-7")
	p.Play("end")
	p.Play("lift", "url", consoletest.Link(t, srv, map[string]string{"name": "Camille Perrollaz"}))
	var actions []string
	must(t, srv.Store().View(context.Background(), func(tx store.Tx) error {
		for e, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			if e.Row.Detail != "" && (e.Row.Target == store.TrafficDecisionID || len(e.Row.Action) > 5 && e.Row.Action[:5] == "hold.") {
				actions = append(actions, e.Row.Action)
			}
		}
		return nil
	}))
	if got := fmt.Sprint(actions); got != "[hold.asked hold.confirmed traffic.off hold.end-asked hold.lifted]" {
		t.Errorf("the audit has %s", got)
	}
}

package api

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
	"borne/controller/wire"
)

func TestCommands(t *testing.T) {
	w := start(t)
	reception := w.as(accounts.Reception, "a")
	if a := w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "quarantine"}); a.StatusCode != 403 {
		t.Errorf("quarantine by reception: %s", a.Status)
	}
	if a := w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "message", Text: "  "}); a.StatusCode != 422 {
		t.Errorf("an empty message: %s", a.Status)
	}
	got := decode[Accepted](t, w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "message", Text: " Bonjour ", Reason: "prévenir"}), 202)
	if got.ID != "cmd-1" || len(w.orders) != 1 || w.orders[0].Text != "Bonjour" || w.orders[0].Kind != wire.CmdMessage || w.orders[0].Terminal != "a-1" || w.orders[0].By == "" {
		t.Errorf("%+v, %+v", got, w.orders)
	}
	w.orderErr = fmt.Errorf("not now: %w", ErrRefused)
	if a := w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "end"}); a.StatusCode != 409 {
		t.Errorf("a refused command: %s", a.Status)
	}
	l := decode[CommandPage](t, w.do(reception, "GET", "/api/terminals/a-1/commands", nil), 200)
	if len(l.Commands) != 1 || l.Commands[0].State != "done" {
		t.Errorf("%+v", l)
	}
}

// TestAnEveningIsHeldByWhoeverOpensIt: the controller's clock counts; building staff
// hold a space, and ask nothing of a terminal.
func TestAnEveningIsHeldByWhoeverOpensIt(t *testing.T) {
	w := start(t)
	building, reception := w.as(accounts.Building, "a"), w.as(accounts.Reception, "a")
	decode[Accepted](t, w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "awake", Minutes: 180}), 202)
	decode[Accepted](t, w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "awake"}), 202)
	if o := w.orders; len(o) != 2 || o[0].Kind != wire.CmdAwake || o[0].Until.Sub(t0) > 3*time.Hour || o[0].Until.Sub(t0) <= 3*time.Hour-time.Minute || !o[1].Until.IsZero() {
		t.Errorf("%+v at %v", o, t0)
	}
	for _, r := range []CommandRequest{{Kind: "identify"}, {Kind: "wipe"}, {Kind: "out", Text: "x"}, {Kind: "awake"}} {
		if a := w.do(building, "POST", "/api/terminals/a-1/commands", r); a.StatusCode != 403 {
			t.Errorf("%s by building staff: %s", r.Kind, a.Status)
		}
	}
	for _, r := range []CommandRequest{{Kind: "awake", Minutes: 1441}, {Kind: "awake", Minutes: -1}} {
		if a := w.do(building, "POST", "/api/spaces/a-hall/awake", AwakeRequest{Minutes: r.Minutes}); a.StatusCode != 422 {
			t.Errorf("a space for %d minutes: %s", r.Minutes, a.Status)
		}
		if a := w.do(reception, "POST", "/api/terminals/a-1/commands", r); a.StatusCode != 422 {
			t.Errorf("for %d minutes: %s", r.Minutes, a.Status)
		}
	}
	if a := w.do(w.as(accounts.Correspondant, "a"), "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "end", Minutes: 5}); a.StatusCode != 422 {
		t.Errorf("an end for a while: %s", a.Status)
	}
}

// TestASpaceIsHeldAwake: each terminal that is in service is told, whoever is away too.
func TestASpaceIsHeldAwake(t *testing.T) {
	w := start(t)
	building := w.as(accounts.Building, "a")
	w.decide(func(tx store.Tx) error {
		for id, space := range map[string]string{"a-2": "a-hall", "a-9": "a-other"} {
			if err := put(tx, store.Meta{ID: id, Site: "a", Scope: space}, store.Terminal{Space: space, Name: id, State: store.StateActive}); err != nil {
				return err
			}
		}
		return nil
	})
	v := decode[AwakeView](t, w.do(building, "POST", "/api/spaces/a-hall/awake", AwakeRequest{Minutes: 90}), 202)
	if v.Told != 1 || v.Away != 1 || v.Until == nil || len(w.orders) != 2 {
		t.Fatalf("%+v, orders %+v", v, w.orders)
	}
	for _, o := range w.orders {
		if o.Kind != wire.CmdAwake || !o.Until.Equal(*v.Until) || o.By == "" || o.Terminal != "a-1" && o.Terminal != "a-2" {
			t.Errorf("%+v until %v", o, v.Until)
		}
	}
	if v = decode[AwakeView](t, w.do(building, "POST", "/api/spaces/a-hall/awake", AwakeRequest{}), 202); v.Until != nil || !w.orders[3].Until.IsZero() {
		t.Errorf("enough: %+v, %+v", v, w.orders[3])
	}
	w.orderErr = fmt.Errorf("not in service: %w", ErrRefused)
	if a := w.do(building, "POST", "/api/spaces/a-hall/awake", AwakeRequest{Minutes: 90}); a.StatusCode != 409 {
		t.Errorf("none in service: %s", a.Status)
	}
}

func TestReceiptCheckByCheck(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.DPO)
	v := decode[ReceiptView](t, w.do(cookie, "GET", "/api/receipts/r-a", nil), 200)
	if v.Brief.WipeMS != 420 || len(v.Checks) != 1 || v.Checks[0].Before != 9 || v.Name != "Poste 1" || len(v.Digest) != 32 {
		t.Errorf("%+v", v)
	}
	if e := (wire.Envelope{Payload: v.Envelope.Payload}); !bytes.Equal(e.Digest(), v.Digest) {
		t.Error("the payload is not the bytes that were signed")
	}
}

func TestPages(t *testing.T) {
	w := start(t)
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		for i := 1; i < 5; i++ { // one is there already
			at := t0.Add(time.Duration(i) * time.Minute)
			if err := put(tx, store.Meta{ID: store.TimeID(at, "x"), Site: "a", Scope: "a-1"}, store.SessionRow{Session: fmt.Sprint(i), Terminal: "a-1", Begun: at}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cookie := w.as(accounts.Administrator)
	var seen []string
	before := ""
	for range 4 {
		p := decode[SessionPage](t, w.do(cookie, "GET", "/api/terminals/a-1/sessions?limit=2&before="+before, nil), 200)
		for _, s := range p.Sessions {
			seen = append(seen, s.ID)
		}
		if before = p.Next; before == "" {
			break
		}
	}
	if strings.Join(seen, " ") != "4 3 2 1 sa" {
		t.Errorf("pages give %v", seen)
	}
}

func TestEnrolCodes(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Correspondant, "a")
	c := decode[EnrolCode](t, w.do(cookie, "POST", "/api/sites/a/enrol-codes", EnrolRequest{Space: "a-hall", Name: "Poste 2"}), 201)
	secret, err := wire.ParseCode(c.Code)
	if err != nil {
		t.Fatal(err)
	}
	err = w.st.View(context.Background(), func(tx store.Tx) error {
		it, err := store.Get[store.EnrolCode](tx, wire.CodeID(secret))
		if err == nil && (!bytes.Equal(it.Row.Secret, secret) || it.Row.Expires.Sub(t0) != 15*time.Minute || it.Site != "a" || it.Row.By == "") {
			t.Errorf("%+v", it)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if c = decode[EnrolCode](t, w.do(cookie, "POST", "/api/sites/a/enrol-codes", EnrolRequest{Space: "a-hall", Replace: "a-1"}), 201); c.Terminal != "a-1" {
		t.Errorf("%+v", c)
	}
	for where, r := range map[string]EnrolRequest{
		"body.name": {Space: "a-hall", Name: "poste 1"}, "body.space": {Space: "b-hall", Name: "Poste 9"}, "body.replace": {Space: "a-hall", Replace: "b-1"},
	} {
		p := decode[problemBody](t, w.do(cookie, "POST", "/api/sites/a/enrol-codes", r), 422)
		if len(p.Errors) != 1 || p.Errors[0].Location != where {
			t.Errorf("%+v gives %+v", r, p)
		}
	}
	last := 0
	for range maxCodes {
		last = w.do(cookie, "POST", "/api/sites/a/enrol-codes", EnrolRequest{Space: "a-hall", Replace: "a-1"}).StatusCode
	}
	if last != 429 {
		t.Errorf("after %d codes: %d", maxCodes, last)
	}
}

func TestStates(t *testing.T) {
	on := func(phase, reason string) LiveState {
		return LiveState{Online: true, Status: wire.Status{Phase: phase, Reason: reason}}
	}
	for _, c := range []struct {
		row    store.TerminalState
		live   LiveState
		want   State
		reason string
	}{
		{store.StateWaiting, LiveState{}, Waiting, ""},
		{store.StateActive, LiveState{}, Offline, ""},
		{store.StateActive, LiveState{Status: wire.Status{Phase: "active"}}, Offline, ""},
		{store.StateActive, on("welcome", ""), Free, ""},
		{store.StateActive, on("thanks", ""), Free, ""},
		{store.StateActive, on("warning", ""), InUse, ""},
		{store.StateActive, on("wiping", ""), InUse, ""},
		{store.StateActive, on("closed", "closed"), Closed, "closed"},
		{store.StateActive, on("broken", "no-browser"), Out, "no-browser"},
		{store.StateActive, on("updating", ""), Out, "updating"},
		{store.StateActive, on("from-the-future", ""), Out, "from-the-future"},
		{store.StateQuarantined, on("welcome", ""), Quarantined, "clone"},
		{store.StateQuarantined, LiveState{}, Quarantined, "clone"},
		{store.StateRevoked, on("welcome", ""), Out, "revoked"},
	} {
		got, reason := StateOf(store.Terminal{State: c.row, Reason: "clone"}, c.live, t0)
		if got != c.want || reason != c.reason {
			t.Errorf("%s, %+v: %s %q, want %s %q", c.row, c.live, got, reason, c.want, c.reason)
		}
	}
}

// TestIsolationThatIsShown: nothing measured yet is not "everything is missing",
// and a terminal that is away or starting shows what was measured last.
func TestIsolationThatIsShown(t *testing.T) {
	status := func(online bool, l wire.Level, missing ...string) LiveState {
		return LiveState{Online: online, Status: wire.Status{Phase: "starting", Level: l, Missing: missing}}
	}
	for name, c := range map[string]struct {
		state   store.TerminalState
		row     wire.Level
		kept    []string
		live    LiveState
		level   string
		missing []string
	}{
		"never measured":             {store.StateActive, "", []string{wire.PropUID}, LiveState{}, "", nil},
		"starting, never measured":   {store.StateActive, "", nil, status(true, "", "survey"), "", nil},
		"starting, full before":      {store.StateActive, wire.LevelFull, nil, status(true, ""), "full", nil},
		"away, full in its row":      {store.StateActive, wire.LevelFull, nil, LiveState{}, "full", nil},
		"away, full when last heard": {store.StateActive, wire.LevelReduced, []string{wire.PropUID}, status(false, wire.LevelFull), "full", nil},
		"away, reduced":              {store.StateActive, wire.LevelReduced, []string{wire.PropSwap}, LiveState{}, "reduced", []string{wire.PropSwap}},
		"here, reduced":              {store.StateActive, wire.LevelFull, nil, status(true, wire.LevelReduced, wire.PropSwap), "reduced", []string{wire.PropSwap}},
		"no machine yet":             {store.StateWaiting, wire.LevelReduced, []string{wire.PropUID}, LiveState{}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			err := w.st.Decide(t.Context(), func(tx store.Tx) error {
				return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error {
					it.Row.State, it.Row.Level, it.Row.Missing = c.state, c.row, c.kept
					return nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			w.live.set("a-1", c.live)
			f := decode[Fleet](t, w.do(w.as(accounts.Correspondant, "a"), "GET", "/api/fleet", nil), 200)
			if b := f.Sites[0].Spaces[0].Terminals[0]; b.Level != c.level || !slices.Equal(b.Missing, c.missing) || b.Missing == nil {
				t.Errorf("level %q, missing %#v", b.Level, b.Missing)
			}
		})
	}
}

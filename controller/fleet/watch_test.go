package fleet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"borne/controller/store"
	"borne/controller/wire"
)

// owing opens a session that gets no receipt.
func owing(t *testing.T, x *terminal) *peer {
	t.Helper()
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	env := p.until("permits", func(m wire.Message) bool { return len(m.Permits) > 0 }).Permits[0]
	permit, err := wire.Open[wire.Permit](env, wire.DomainPermit, x.resp.SignKeys[0])
	must(t, err)
	p.send(batch(1, 1, wire.KindBegun, wire.Begun{Session: "S", Permit: permit.ID, N: permit.N}))
	p.ack()
	return p
}

func isQuarantine(t *testing.T, x *terminal, reason wire.Reason) func(wire.Message) bool {
	return func(m wire.Message) bool {
		if m.Command == nil {
			return false
		}
		c, err := wire.Open[wire.Command](*m.Command, wire.DomainCommand, x.resp.SignKeys[0])
		must(t, err)
		return c.Kind == wire.CmdQuarantine && c.Reason == reason
	}
}

// ticking is a world whose connections look at their terminal when told to.
func ticking(t *testing.T) (*world, chan time.Time) {
	t.Helper()
	ticks := make(chan time.Time)
	return newWorld(t, func(c *Config) {
		c.Tick = time.Hour
		c.Ticker = func(d time.Duration) (<-chan time.Time, func()) {
			if d == time.Hour {
				return ticks, func() {}
			}
			return nil, func() {}
		}
	}), ticks
}

func TestDeadlinesRunOnlyWhileConnected(t *testing.T) {
	w, ticks := ticking(t)
	x := enrolled(w)
	p := owing(t, x)
	start := time.Now()
	tick(t, ticks, start.Add(time.Minute))
	tick(t, ticks, start.Add(time.Minute)) // the first was worked off
	if got := w.row(x.resp.Terminal); got.Owes != "S" || got.OwedFor < 30 || got.OwedFor > 60 || got.State != store.StateActive {
		t.Errorf("after a minute: %s owes %q for %d s", got.State, got.Owes, got.OwedFor)
	}
	owed := w.row(x.resp.Terminal).OwedFor
	w.late.Store(int64(30 * 24 * time.Hour)) // the wall clock counts for nothing
	tick(t, ticks, start.Add(time.Minute))
	tick(t, ticks, start.Add(time.Minute))
	if got := w.row(x.resp.Terminal); got.OwedFor != owed || got.State != store.StateActive {
		t.Errorf("after a month of wall time: %s for %d s, was %d", got.State, got.OwedFor, owed)
	}
	tick(t, ticks, start.Add(24*time.Hour))
	p.until("quarantine", isQuarantine(t, x, wire.QuarReceiptMissing))
}

// TestSeenIsKeptRarely: ticks of a terminal that owes nothing write nothing, and
// a controller that stops still knows when it saw it.
func TestSeenIsKeptRarely(t *testing.T) {
	w, ticks := ticking(t)
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b1"})
	p.welcome()
	p.until("permits", func(m wire.Message) bool { return len(m.Permits) > 0 })
	before := w.row(x.resp.Terminal)
	start := time.Now()
	for n := range 3 {
		w.late.Store(int64(time.Duration(n+1) * time.Minute))
		tick(t, ticks, start.Add(time.Duration(n+1)*time.Minute))
	}
	tick(t, ticks, start.Add(3*time.Minute)) // the last was worked off
	if got := w.row(x.resp.Terminal); !got.LastSeen.Equal(before.LastSeen) {
		t.Errorf("a tick writes that it was seen at %s, after %s", got.LastSeen, before.LastSeen)
	}
	if l, _ := w.f.Live(x.resp.Terminal); l.LastSeen.Sub(before.LastSeen) < 3*time.Minute {
		t.Errorf("in memory it was seen at %s, after %s", l.LastSeen, before.LastSeen)
	}
	w.late.Store(int64(time.Hour))
	tick(t, ticks, start.Add(4*time.Minute))
	tick(t, ticks, start.Add(4*time.Minute))
	hour := w.row(x.resp.Terminal).LastSeen
	if hour.Sub(before.LastSeen) < time.Hour {
		t.Errorf("an hour later the disk still says %s", hour)
	}
	w.late.Store(int64(time.Hour + time.Minute))
	w.f.Close()
	if got := w.row(x.resp.Terminal); got.LastSeen.Sub(hour) < 30*time.Second {
		t.Errorf("a controller that stopped remembers %s, and saw it a minute after %s", got.LastSeen, hour)
	}
}

// TestIsolationIsKept: what a terminal measured is known when it is away, and a
// status that measured nothing takes nothing back.
func TestIsolationIsKept(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Tick = time.Hour })
	x := enrolled(w)
	changes, cancel := w.f.Subscribe()
	defer cancel()
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	if got := w.row(x.resp.Terminal); got.Level != "" || len(got.Missing) > 0 {
		t.Errorf("before anything is measured: %q, missing %v", got.Level, got.Missing)
	}
	for i, c := range []struct {
		say     wire.Status
		level   wire.Level
		missing []string
	}{
		{wire.Status{Phase: "starting"}, "", nil},
		{wire.Status{Phase: "starting", Missing: []string{"survey"}}, "", nil},
		{wire.Status{Phase: "welcome", Level: wire.LevelReduced, Missing: []string{wire.PropSwap}}, wire.LevelReduced, []string{wire.PropSwap}},
		{wire.Status{Phase: "welcome", Level: wire.LevelFull}, wire.LevelFull, nil},
		{wire.Status{Phase: "welcome", Level: "perfect"}, wire.LevelFull, nil},
		{wire.Status{Phase: "starting"}, wire.LevelFull, nil},
	} {
		c.say.Left = i + 1 // tells one status from the next
		p.send(wire.Message{Status: &c.say})
		waitFor(t, changes, func() bool { l, _ := w.f.Live(x.resp.Terminal); return l.Status.Left == c.say.Left })
		// The acknowledgement comes behind the status.
		p.send(batch(1, uint64(i+1), wire.KindRefused, wire.Refused{Reason: wire.RefuseTooLate}))
		p.ack()
		if got := w.row(x.resp.Terminal); got.Level != c.level || !slices.Equal(got.Missing, c.missing) {
			t.Errorf("after %+v: %q, missing %v", c.say, got.Level, got.Missing)
		}
	}
}

func TestDeadlinesAddUpOverShortConnections(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Tick = time.Hour })
	x := enrolled(w)
	changes, cancel := w.f.Subscribe()
	defer cancel()
	p := owing(t, x)
	w.f.mu.Lock()
	c := w.f.conns[x.resp.Terminal]
	w.f.mu.Unlock()
	must(t, p.ws.Close())
	waitFor(t, changes, func() bool { l, _ := w.f.Live(x.resp.Terminal); return !l.Online })
	w.f.leave(c, 24*time.Hour) // as if many connections had ended before a tick
	p = x.connect(wire.Hello{Boot: "b", Epoch: 1, Seq: 1})
	p.welcome()
	p.until("quarantine", isQuarantine(t, x, wire.QuarReceiptMissing))
}

func TestSubscribersThatAreSlowHearOnce(t *testing.T) {
	w := newWorld(t, nil)
	changes, cancel := w.f.Subscribe()
	for range 10_000 {
		w.f.Changed("a")
		w.f.Changed("b")
	}
	w.f.Changed("last")
	var got []string
	for !slices.Contains(got, "last") {
		select {
		case id := <-changes:
			got = append(got, id)
		case <-time.After(patience):
			t.Fatalf("heard only of %v", got)
		}
	}
	if len(got) > 5 || !slices.Contains(got, "a") || !slices.Contains(got, "b") {
		t.Errorf("heard of %v", got)
	}
	cancel()
	cancel()
	w.f.Changed("a")
	select {
	case id := <-changes:
		t.Errorf("heard of %s after cancelling", id)
	default:
	}
}

func TestMetricsNameNobody(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	p.send(batch(1, 1, "x", 1, 2))
	p.ack()
	r := prometheus.NewPedanticRegistry()
	must(t, r.Register(w.f))
	families, err := r.Gather()
	must(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) > 0 {
				t.Errorf("%s has labels", f.GetName())
			}
			got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{"borne_uplinks": 1, "borne_uplink_connections_total": 1, "borne_records_total": 2, "borne_enrolments_total": 1, "borne_clones_total": 0} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

func TestCloseEndsConnectionsThatSaidNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Write = time.Hour })
	x := enrolled(w)
	ws, err := x.dial() // no hello
	must(t, err)
	defer ws.Close()
	here := func() bool { w.f.mu.Lock(); defer w.f.mu.Unlock(); return len(w.f.open) == 1 }
	for limit := time.Now().Add(patience); !here(); runtime.Gosched() { // the handler is not through with it
		if time.Now().After(limit) {
			t.Fatal("the connection is not known")
		}
	}
	done := make(chan struct{})
	go func() { w.f.Close(); close(done) }()
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("it ends with %v", err)
	}
	ws.Close()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("Close waits for a terminal that says nothing")
	}
}

// Whatever a begin or a print job's end looks like, h1 never passes.
func FuzzPseudonyms(f *testing.F) {
	h1 := bytes.Repeat([]byte{0xAB, 0xCD}, h1Size/2)
	secret := base64.StdEncoding.EncodeToString(h1)
	for _, s := range []string{`{"session":"S","holder":"` + secret + `"}`, `{"HOLDER":"` + secret + `"}`, `{"holder":"` + secret + `","holder":""}`,
		`{"holder":"","holder":"` + secret + `"}`, `{"holder":"` + secret + `","n":"x"}`, `{"uid":"` + secret + `"}`, `["` + secret + `"]`, `{`, `null`, ``,
		`{"job":"j1","charged":1,"holder":"` + secret + `"}`, `{"job":"../","holder":"` + secret + `"}`, `{"job":"j","impressions":"x","holder":"` + secret + `"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > wire.MaxRecord {
			return
		}
		c := &conn{f: New(Config{})}
		defer c.f.Close()
		c.log = c.f.cfg.Log
		r := []wire.Record{{Kind: wire.KindBegun, Body: body}, {Kind: "other", Body: json.RawMessage(`1`)}, {Kind: wire.KindPrint, Body: body}}
		must(t, c.pseudonyms(r))
		var b wire.Begun
		must(t, json.Unmarshal(r[0].Body, &b))
		if len(b.Holder) > 0 {
			t.Errorf("a holder passes: %s", r[0].Body)
		}
		b.Session, b.Permit, b.Profile, b.Lang = "", "", "", ""
		if rest, err := json.Marshal(b); err != nil || bytes.Contains(rest, []byte(secret)) {
			t.Errorf("h1 passes: %s %v", rest, err)
		}
		var p wire.Printed
		must(t, json.Unmarshal(r[2].Body, &p))
		if len(p.Holder) > 0 {
			t.Errorf("a holder passes: %s", r[2].Body)
		}
		p.Job, p.Session, p.Outcome, p.Reason = "", "", "", ""
		if rest, err := json.Marshal(p); err != nil || bytes.Contains(rest, []byte(secret)) {
			t.Errorf("h1 passes: %s %v", rest, err)
		}
		if string(r[1].Body) != "1" {
			t.Errorf("another record changed: %s", r[1].Body)
		}
	})
}

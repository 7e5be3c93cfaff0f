package fleet

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/compliance"
	"borne/controller/store"
	"borne/controller/wire"
)

// TestAskOverTheUplink: a question has its answer over a real connection, for a
// terminal that is trusted now, and a flood of them holds no record up.
func TestAskOverTheUplink(t *testing.T) {
	held := make(chan struct{}, 200)
	w := newWorld(t, func(c *Config) {
		c.Ask = func(tx store.Tx, terminal string, a wire.PrintAsk) (wire.PrintAnswer, error) {
			if a.Job == "broken" {
				return wire.PrintAnswer{}, errors.New("no")
			}
			if a.Job == "slow" {
				held <- struct{}{}
			}
			return wire.PrintAnswer{Job: a.Job, Granted: a.Units > 0 && len(a.Holder) == h1Size, Left: 700}, nil
		}
	})
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b1"})
	p.welcome()
	answer := func(job string) wire.PrintAnswer {
		t.Helper()
		return *p.until("answer about "+job, func(m wire.Message) bool { return m.Answer != nil && m.Answer.Job == job }).Answer
	}
	h1 := bytes.Repeat([]byte{7}, h1Size)
	p.send(wire.Message{Ask: &wire.PrintAsk{Job: "a", Session: "S", Holder: h1, Units: 300}})
	if a := answer("a"); !a.Granted || a.Left != 700 {
		t.Errorf("the answer is %+v", a)
	}
	// One that fails has no answer, and the next one has.
	p.send(wire.Message{Ask: &wire.PrintAsk{Job: "broken", Session: "S", Holder: h1}})
	p.send(wire.Message{Ask: &wire.PrintAsk{Job: "b", Session: "S", Holder: h1}})
	if a := answer("b"); a.Granted {
		t.Errorf("the answer is %+v", a)
	}
	// A flood is not queued: the reader goes on, and says how much it left out.
	for range 100 {
		p.send(wire.Message{Ask: &wire.PrintAsk{Job: "slow", Session: "S", Holder: h1}})
	}
	p.send(batch(1, 1, "x", 1))
	if a := p.ack(); a.Seq != 1 {
		t.Errorf("ack %+v", a)
	}
	if why := <-w.refused; why != "asks" {
		t.Errorf("refused %q", why)
	}
	if n := len(held); n > asksBurst {
		t.Errorf("%d questions of a flood reached the store", n)
	}
	must(t, w.f.Revoke(t.Context(), x.resp.Terminal, "u1"))
	p.closed()
}

// TestPrintedOverTheUplink: nothing that is stored holds the badge of a print job.
func TestPrintedOverTheUplink(t *testing.T) {
	h1 := []byte("the-raw-h1-of-a-badge-32-bytes!!")
	var told []wire.Printed
	w := newWorld(t, func(c *Config) {
		c.Account = func(_ store.Tx, terminal string, p wire.Printed, at time.Time) ([]byte, error) {
			if !bytes.Equal(p.Holder, h1) || p.Job != "j1" || at.IsZero() || terminal == "" {
				return nil, errors.New("another badge")
			}
			return []byte("abcdef"), nil
		}
	})
	// The harness has made the store with rules of its own: apply again what lies there.
	rules := compliance.New(compliance.Config{Printed: func(_ store.Tx, _ store.Item[store.Terminal], _ time.Time, p wire.Printed) error {
		told = append(told, p)
		return nil
	}})
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b1"})
	p.welcome()
	p.send(batch(1, 1, wire.KindPrint, wire.Printed{Job: "j1", Session: "S", Charged: 5, Holder: h1}, wire.Printed{Job: "no/id", Holder: h1}, wire.Printed{Job: "j3", Holder: h1[:9]}))
	if a := p.ack(); a.Seq != 3 {
		t.Fatalf("ack %+v", a)
	}
	w.decide(func(tx store.Tx) error {
		told = nil
		for r, err := range store.List[store.RecordRow](tx, "", "", false) {
			must(t, err)
			if r.Row.Record.Kind == wire.KindPrint && !bytes.Contains(r.Row.Record.Body, []byte("no/id")) { // that one is kept as it is
				must(t, rules.Apply(tx, x.resp.Terminal, r.Row.Record))
			}
		}
		return nil
	})
	if len(told) != 2 || string(told[0].Holder) != "abcdef" || told[0].Charged != 5 || told[0].Session != "S" || len(told[1].Holder) != 0 {
		t.Errorf("the rules heard %+v", told)
	}
	for _, file := range []string{"borne.db", "ingest.journal"} {
		b, err := os.ReadFile(filepath.Join(w.dir, file))
		must(t, err)
		for _, form := range [][]byte{h1, []byte(base64.StdEncoding.EncodeToString(h1)), []byte(hex.EncodeToString(h1)), []byte(base64.StdEncoding.EncodeToString(h1[:9]))} {
			if bytes.Contains(b, form) {
				t.Errorf("the badge lies in %s as %q", file, form)
			}
		}
	}
}

package warden

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"borne/kiosk/sandbox"
)

// served gives an agent's client of a warden that has no machine under it.
func served(t *testing.T, w *warden) *sandbox.Client {
	t.Helper()
	w.c.Log = slog.New(slog.DiscardHandler)
	w.events = make(chan sandbox.Event)
	conn, theirs, err := sandbox.Pair()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { w.serve(context.Background(), conn); close(done) }()
	c, err := sandbox.NewClient(theirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); <-done; conn.Close() })
	return c
}

func ask(t *testing.T, c *sandbox.Client, r sandbox.Request) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _, err := c.Do(ctx, r)
	return err
}

func TestOnlyASimulatedTerminalLosesItsPower(t *testing.T) {
	for _, sim := range []bool{false, true} {
		cuts := 0
		w := &warden{c: Config{Sim: sim}, cut: func() { cuts++ }}
		err := ask(t, served(t, w), sandbox.Request{Power: &sandbox.Power{}})
		switch {
		case sim && (err != nil || cuts != 1):
			t.Errorf("simulated: cut %d times, %v", cuts, err)
		case !sim && (cuts != 0 || err == nil || !strings.Contains(err.Error(), "not simulated")):
			t.Errorf("real: cut %d times, %v", cuts, err)
		}
	}
}

func TestABeatPassesWhateverElseWaits(t *testing.T) {
	beats := make(chan bool, 4)
	w := &warden{c: Config{Beat: func(shown bool) { beats <- shown }}}
	c := served(t, w)
	w.mu.Lock() // the verb below hangs
	defer w.mu.Unlock()
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := c.Do(short, sandbox.Request{Admit: &sandbox.Admit{Sandbox: "s", Session: "x"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the verb does not hang: %v", err)
	}
	for _, shown := range []bool{false, true} {
		if err := ask(t, c, sandbox.Request{Beat: &sandbox.Beat{Shown: shown}}); err != nil {
			t.Fatal(err)
		}
		if got := <-beats; got != shown {
			t.Errorf("shown %v, want %v", got, shown)
		}
	}
}

package agent_test

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/lists"
	"borne/kiosk/shell"
)

// TestNobodyBeginsBeforeTheListsAreHere: a real keeper of lists, whose line
// opens late.
func TestNobodyBeginsBeforeTheListsAreHere(t *testing.T) {
	list, err := wire.BuildList("adult", []uint64{wire.NameKey("a.example")})
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := lists.Open(lists.Config{Dir: filepath.Join(t.TempDir(), "lists")})
	if err != nil {
		t.Fatal(err)
	}
	line := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- keeper.Run(ctx, func(ctx context.Context, digest string, from int64, w io.Writer) (int64, error) {
			select {
			case <-line:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
			n, err := w.Write(list[from:])
			return int64(n), err
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	b := newBed(t, func(o *agenttest.Options) { o.Lists = keeper })
	b.ready()
	p := rules()
	p.Version++
	p.Filter.Categories = []policy.Category{{Name: "adult", Digest: wire.ListDigest(list)}}
	b.must(b.c.Policy(p))
	if v := b.see(shell.Closed); v.Reason != string(wire.RefuseNoLists) {
		t.Errorf("closed because of %q", v.Reason)
	}
	b.Press(shell.Begin)
	b.see(shell.Closed)
	close(line)
	b.see(shell.Welcome)
	b.active()
	b.until("the session is on the display", b.Stage.Session)
	b.Warden.Refuse("adult", 2)
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Bar != nil && v.Bar.Refused == "adult" }); err != nil {
		t.Errorf("the bar does not tell: %v", err)
	}
	b.Pass(15 * time.Second)
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Bar != nil && v.Bar.Refused == "" }); err != nil {
		t.Errorf("the bar tells for ever: %v", err)
	}
	b.Press(shell.End)
	b.see(shell.Thanks)
	if e := last[wire.Ended](b, wire.KindEnded); len(e.Filtered) != 1 || e.Filtered["adult"] != 2 {
		t.Errorf("the record counts %v", e.Filtered)
	}
	b.proven(1)
}

// TestAPolicyWithListsAndNoWayToThem fails closed.
func TestAPolicyWithListsAndNoWayToThem(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	p := rules()
	p.Version++
	p.Filter.Categories = []policy.Category{{Name: "adult", Digest: wire.ListDigest(nil)}}
	b.must(b.c.Policy(p))
	if v := b.see(shell.Closed); v.Reason != string(wire.RefuseNoLists) {
		t.Errorf("closed because of %q", v.Reason)
	}
}

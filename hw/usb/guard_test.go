package usb

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
)

// TestRunFollowsMaintenance lets the guard run, and says when staff are there.
func TestRunFollowsMaintenance(t *testing.T) {
	s := newSys(t, 1)
	s.plug("1-1", "", keyboard)
	file := filepath.Join(t.TempDir(), "usb.json")
	g, err := NewGuard(s.root, file, DefaultRules(), func(News) {}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.plug("1-2", "", mouse)
	g.mustLook(t)
	if s.authorized("1-2") != "0" {
		t.Fatal("a mouse that does not belong here is let in")
	}
	ctx, cancel := context.WithCancel(t.Context())
	opening, ended := make(chan bool), make(chan error, 1)
	go func() { ended <- g.Run(ctx, opening) }()
	opening <- true
	opening <- false // is taken when the first has been carried out
	opening <- false
	if s.authorized("1-2") != "1" {
		t.Error("staff are there, and it stays out")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.unplug("1-2")
	s.plug("1-2", "", keyboard)
	again, err := NewGuard(s.root, file, DefaultRules(), func(News) {}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if len(again.mem.Inputs) != 2 || s.authorized("1-2") != "0" {
		t.Errorf("%d input devices belong here, another one at the second's port: %s", len(again.mem.Inputs), s.authorized("1-2"))
	}
}

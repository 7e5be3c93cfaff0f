package warden

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// onWarn calls f with each warning's text, before the one who warns goes on.
type onWarn struct {
	slog.Handler
	f func(string)
}

func (h onWarn) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		h.f(text)
	}
	return h.Handler.Handle(ctx, r)
}

func checksOf(ev *sandbox.Evidence) map[string]wire.Check {
	out := map[string]wire.Check{}
	for _, c := range ev.Checks {
		out[c.Name] = c
	}
	return out
}

func TestWhatPassesIsLookedAtAgain(t *testing.T) {
	c := lightConfig(t, 26)
	var w *warden
	var mu sync.Mutex
	var said []string
	c.Log = slog.New(onWarn{testLog(t).Handler(), func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(text, "looks again") {
			said = append(said, text)
			unix.Unmount(w.c.Places[0]+"/private", unix.MNT_DETACH) // what it saw passes
		}
	}})
	w = openTest(t, c)
	info := mustPrepare(t, w)
	_, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "s"})
	must(t, err)
	plantMount(t, w)
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "s", Attempt: 1})
	must(t, err)
	if got := checksOf(ev)[wire.CheckMounts]; ev.Failure != "" || got.Result != wire.Clean || got.Before == 0 {
		t.Errorf("failure %q, %+v", ev.Failure, got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 1 || !strings.Contains(said[0], "check=mounts") || !strings.Contains(said[0], "/private/ns") {
		t.Errorf("it says %q", said)
	}
}

// TestLaterAttemptsKnowWhatTheFirstOneDid: after a failed attempt nothing of
// the session lives, and its canaries must be looked for all the same.
func TestLaterAttemptsKnowWhatTheFirstOneDid(t *testing.T) {
	w := openTest(t, lightConfig(t, 28))
	info := mustPrepare(t, w)
	_, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "s"})
	must(t, err)
	marker := w.living()[0].canaries.value(canaryInFile)
	plantMount(t, w)
	first, err := w.wipe(t.Context(), sandbox.Wipe{Session: "s", Attempt: 1})
	must(t, err)
	second, err := w.wipe(t.Context(), sandbox.Wipe{Session: "s", Attempt: 2})
	must(t, err)
	if first.Failure != "found: mounts" || second.Failure != first.Failure {
		t.Errorf("what survived is %q, then %q", first.Failure, second.Failure)
	}
	must(t, unix.Unmount(w.c.Places[0]+"/private", unix.MNT_DETACH))

	plantOwned(t, w.c.Places[0]+"/kept", w.c.UIDBase+offShell, 0)
	writeInto(t, w.c.Places[0]+"/kept", marker)
	third, err := w.wipe(t.Context(), sandbox.Wipe{Session: "s", Attempt: 3})
	must(t, err)
	if got := checksOf(third)[checkCanaryFile]; got.Result != wire.Found || got.After == 0 {
		t.Errorf("a canary that was kept: %+v", got)
	}
	must(t, unix.Unlink(w.c.Places[0]+"/kept"))

	last, err := w.wipe(t.Context(), sandbox.Wipe{Session: "s", Attempt: 4})
	must(t, err)
	was, is := checksOf(first), checksOf(last)
	for _, n := range []string{wire.CheckProcesses, wire.CheckMounts, wire.CheckNetns, checkCanaryFile, checkCanaryEnv} {
		if is[n].Result != wire.Clean || is[n].Before == 0 || is[n].Before != was[n].Before {
			t.Errorf("%s: %+v, the first attempt had %+v", n, is[n], was[n])
		}
	}
	if last.Failure != "" || jsonString(last.Props) != jsonString(info.Props) {
		t.Errorf("failure %q, %s", last.Failure, jsonString(last.Props))
	}
	// Proven: another wipe of it has nothing to look for.
	over, err := w.wipe(t.Context(), sandbox.Wipe{Session: "s", Attempt: 5})
	must(t, err)
	if got := checksOf(over)[checkCanaryFile]; got.Result != wire.NotPlanted || len(w.failed.boxes) > 0 {
		t.Errorf("%+v", got)
	}
}

func writeInto(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString(text)
	must(t, err)
}

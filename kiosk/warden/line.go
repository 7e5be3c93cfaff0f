package warden

import (
	"context"
	"errors"
	"fmt"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

var (
	errNoLine   = errors.New("cannot set the cable or the Wi-Fi: this terminal leaves them as they were installed")
	errLineBusy = errors.New("cannot set the cable or the Wi-Fi: they are just being set")
)

// line has the cable and the Wi-Fi set as a policy says that a key known here has
// signed. It runs beside everything else: a connection may take its time, and
// nobody's wipe waits for it.
func (w *warden) line(ctx context.Context, r sandbox.Request) sandbox.Answer {
	a := sandbox.Answer{ID: r.ID}
	if err := w.setLine(ctx, *r.Line); err != nil {
		w.c.Log.Warn("a verb failed", "error", err)
		a.Error = err.Error()
	}
	return a
}

func (w *warden) setLine(ctx context.Context, l sandbox.Line) error {
	if !w.lining.TryLock() {
		return errLineBusy
	}
	defer w.lining.Unlock()
	var want policy.Line
	if l.Policy != nil {
		keys, err := readTrust(w.c.State)
		if err != nil {
			return err
		}
		rules, err := wire.Open[policy.Policy](*l.Policy, wire.DomainPolicy, keys.verifiers()...)
		if err != nil {
			return fmt.Errorf("cannot set the cable or the Wi-Fi by a policy that no key known here has signed: %w", err)
		}
		want = rules.Network.Line
	}
	if w.c.Line == nil {
		if want.SameLink(policy.Line{}) {
			return nil
		}
		return errNoLine
	}
	return w.c.Line(ctx, want)
}

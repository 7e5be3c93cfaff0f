package pn532

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"borne/hw/sim"
)

// mute acknowledges every command and answers none.
type mute struct {
	hostile
	sent [][]byte
}

func (m *mute) send(f []byte) error {
	m.sent = append(m.sent, bytes.Clone(f))
	return m.hostile.send(f)
}

func (m *mute) poll(dst []byte) (int, error) {
	if m.acked {
		m.clk.Advance(100 * time.Microsecond)
		return 0, nil
	}
	return m.hostile.poll(dst)
}

// An ACK frame frees the chip when nobody waits for its answer any more.
func TestAbortIsSent(t *testing.T) {
	clk := sim.NewVirtualClock()
	m := &mute{hostile: hostile{clk: clk}}
	r := &Reader{opts: Options{Clock: clk}}
	r.bus.wire = m
	check := func(ctx context.Context, want error) {
		t.Helper()
		m.sent = nil
		if err := r.set(ctx, cmdSetParameters, 0); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
		if n := len(m.sent); n != 2 || !bytes.Equal(m.sent[1], ackFrame()) {
			t.Errorf("%v: %d frames sent, the last is no ACK", want, n)
		}
	}
	ctx, cancel := clk.Context(t.Context(), 20*time.Millisecond)
	defer cancel()
	check(ctx, context.Canceled)
	check(t.Context(), errSilent)
}

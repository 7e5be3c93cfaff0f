package compliance

import (
	"bytes"
	"testing"

	"borne/controller/store"
	"borne/controller/wire"
)

// TestRejected: one clean session, then a second whose receipt is not.
func TestRejected(t *testing.T) {
	for name, c := range map[string]struct {
		want wire.Reason
		bad  func(w *world, before wire.Envelope, s string, p []wire.Permit)
	}{
		"forged: another key": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.key = seed(2)
			w.hand(w.receipt(s, p[1]))
		}},
		"forged: payload changed": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			e := w.seal(w.receipt(s, p[1]))
			e.Payload = bytes.Replace(e.Payload, []byte(`"wipeMs":0`), []byte(`"wipeMs":1`), 1)
			w.record(wire.KindReceipt, e)
		}},
		"forged: truncated": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			e := w.seal(w.receipt(s, p[1]))
			e.Payload = e.Payload[:len(e.Payload)-9]
			w.record(wire.KindReceipt, e)
		}},
		"forged: no envelope": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.record(wire.KindReceipt, "clean, honestly")
		}},
		"forged: another domain": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			e, _ := wire.Seal(w.key, wire.DomainPermit, w.receipt(s, p[1]))
			w.record(wire.KindReceipt, e)
		}},
		"forged: another terminal's": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Terminal = "t2"
			w.hand(r)
		}},
		"forged: another kind": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Kind = "holiday"
			w.hand(r)
		}},
		"replayed": {wire.QuarReceiptReplay, func(w *world, before wire.Envelope, s string, p []wire.Permit) {
			w.record(wire.KindReceipt, before)
		}},
		"chain: one left out": {wire.QuarReceiptChain, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Index++
			w.hand(r)
		}},
		"chain: another head": {wire.QuarReceiptChain, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Prev = bytes.Repeat([]byte{7}, 32)
			w.hand(r)
		}},
		"chain: a segment of its own": {wire.QuarReceiptChain, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Segment, r.Index, r.Prev = 5, 1, nil
			w.hand(r)
		}},
		"clone: two receipts in one place": {wire.QuarClone, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Index, r.Prev = 1, nil
			w.hand(r)
		}},
		"clone: a permit with two receipts": {wire.QuarClone, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[0]))
		}},
		"clone: a permit used twice": {wire.QuarClone, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[1]))
			w.begin(p[1])
		}},
		"stale: another nonce": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Nonce = p[2].Nonce
			w.hand(r)
		}},
		"stale: no nonce": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Nonce = nil
			w.hand(r)
		}},
		"stale: a permit not consumed": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[2]))
		}},
		"stale: an unknown permit": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, wire.Permit{ID: "none"}))
		}},
		"stale: a challenge that nobody asked for": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt("", wire.Permit{ID: "none"})
			r.Kind, r.Segment, r.Index = wire.ReceiptChallenge, r.Segment+1, 1
			w.hand(r)
		}},
		"failed: something found": {wire.QuarReceiptFailed, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Checks[0].Result = wire.Found
			w.hand(r)
		}},
		"failed: a check left out": {wire.QuarReceiptFailed, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Checks = r.Checks[1:]
			w.hand(r)
		}},
		"failed: inconclusive": {wire.QuarReceiptFailed, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Checks[2].Result = wire.Inconclusive
			w.hand(r)
		}},
		"sim": {wire.QuarReceiptSim, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.sim = true
			w.hand(w.receipt(s, p[1]))
		}},
		"level: full by word only": {wire.QuarReceiptLevel, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Props = r.Props[:4]
			w.hand(r)
		}},
		"level: the policy requires full": {wire.QuarReceiptLevel, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.layer("e1", 3, `{"isolation":{"requireFull":true}}`)
			r := w.receipt(s, p[1])
			r.Level = wire.LevelReduced
			w.hand(r)
		}},
		"missing: the next session begins": {wire.QuarReceiptMissing, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.begin(p[2])
		}},
		"a permit never granted": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[1]))
			w.begin(wire.Permit{ID: "mine", N: 99})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.permits()
			s := w.begin(p[0])
			before := w.hand(w.receipt(s, p[0]))
			s = w.begin(p[1])
			w.expect(store.StateActive, "")
			c.bad(w, before, s, p)
			w.expect(store.StateQuarantined, c.want)
			if held := w.permits(); len(held) > 0 {
				t.Errorf("%d permits in quarantine", len(held))
			}
			w.decide(func(tx store.Tx) error {
				cmd, err := store.First(store.Find[store.CommandRow](tx, "open", "t1"))
				if cmd.Row.Kind != wire.CmdQuarantine || cmd.Row.Reason != c.want {
					t.Errorf("the terminal is told %+v", cmd.Row)
				}
				return err
			})
		})
	}
}

package compliance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"borne/controller/store"
	"borne/controller/wire"
)

// finding is what the verification of one receipt found.
type finding struct {
	reason  wire.Reason // "" when it proves a clean wipe
	detail  string
	chained bool // authentic and in its place: the chain goes on behind it
	lost    bool // it answers a challenge that a restore made this controller forget
}

// AcceptReceipt verifies a receipt, keeps it with its verdict, and draws the
// consequence: the debt is paid, the quarantine lifted, or the terminal stops.
// It changes t and leaves writing it to the caller.
func (r *Rules) AcceptReceipt(tx store.Tx, t *terminal, rec wire.Record, env wire.Envelope) error {
	digest := hex.EncodeToString(env.Digest())
	rc, f, err := r.examine(tx, t, env, digest)
	if err != nil {
		return err
	}
	row := store.ReceiptRow{Terminal: t.ID, Envelope: env, Digest: digest, Kind: rc.Kind, Session: rc.Session, Permit: rc.Permit, Chained: f.chained,
		Segment: rc.Segment, Index: rc.Index, At: rc.At, Level: rc.Level, Verdict: store.VerdictAccepted, Reason: f.reason, Detail: cut(f.detail)}
	if f.reason != "" {
		row.Verdict = store.VerdictRejected
	}
	id := store.TimeID(rec.At, fmt.Sprintf("%s-%d-%d", digest[:16], rec.Epoch, rec.Seq))
	if err := store.Put(tx, store.Item[store.ReceiptRow]{Meta: store.Meta{ID: id, Site: t.Site, Scope: t.ID}, Row: row}); err != nil {
		return err
	}
	if f.chained {
		t.Row.Chain = wire.ChainHead{Segment: rc.Segment, Index: rc.Index, Digest: env.Digest()}
		// A wipe without a sandbox to look at measured nothing: what was
		// measured before still stands.
		if len(rc.Props) > 0 {
			t.Row.Level, t.Row.Missing = rc.Level, missing(rc)
		}
	}
	if f.reason != "" {
		return r.quarantine(tx, t, f.reason, f.detail, "")
	}
	if f.lost {
		return nil // its place in the chain is all that it proves now
	}
	if err := r.rollup(tx, t, rec, func(u *store.Rollup) { u.Wipes++ }); err != nil {
		return err
	}
	if rc.Kind == wire.ReceiptChallenge {
		return r.lift(tx, t)
	}
	if err := store.Update(tx, rc.Permit, func(p *store.Item[store.PermitRow]) error {
		p.Row.State, p.Row.Receipt = store.PermitProven, digest
		return nil
	}); err != nil {
		return err
	}
	if t.Row.Owes == rc.Session {
		t.Row.Owes, t.Row.OwedFor = "", 0
	}
	s, ok, err := session(tx, t, rc.Session)
	if err != nil || !ok {
		return err
	}
	s.Row.Receipt = id
	return store.Put(tx, s)
}

func missing(rc wire.Receipt) (names []string) {
	held := map[string]bool{}
	for _, p := range rc.Props {
		before, said := held[p.Name]
		held[p.Name] = p.Held && (before || !said)
	}
	for _, n := range wire.Properties() {
		if !held[n] {
			names = append(names, n)
		}
	}
	return names
}

// lift ends a quarantine: the challenge's receipt is clean.
func (r *Rules) lift(tx store.Tx, t *terminal) error {
	t.Row.State, t.Row.Reason, t.Row.Detail, t.Row.Challenge = store.StateActive, "", "", ""
	t.Row.Since, t.Row.Owes, t.Row.OwedFor = r.cfg.Now().UTC(), "", 0
	if _, err := r.issue(tx, t.Meta, wire.Command{Kind: wire.CmdRelease}, ""); err != nil {
		return err
	}
	return r.cfg.Audit(tx, "released", *t, "")
}

// examine checks one receipt, authenticity first: nothing else is believed of
// a receipt that another key signed.
func (r *Rules) examine(tx store.Tx, t *terminal, env wire.Envelope, digest string) (wire.Receipt, finding, error) {
	rc, err := wire.Open[wire.Receipt](env, wire.DomainReceipt, ed25519.PublicKey(t.Row.ReceiptKey))
	if err != nil {
		return wire.Receipt{}, finding{reason: wire.QuarReceiptForged, detail: err.Error()}, nil
	}
	if rc.Terminal != t.ID {
		return rc, finding{reason: wire.QuarReceiptForged, detail: "it is the receipt of terminal " + rc.Terminal}, nil
	}
	if _, err := store.First(store.Find[store.ReceiptRow](tx, "digest", digest)); err == nil {
		return rc, finding{reason: wire.QuarReceiptReplay, detail: "this very receipt came before"}, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return rc, finding{}, err
	}
	f, err := r.examinePlace(tx, t, env, rc)
	if err != nil || f.reason != "" {
		return rc, f, err
	}
	f, err = r.examineFreshness(tx, t, rc)
	f.chained = true
	if err != nil || f.reason != "" {
		return rc, f, err
	}
	p, err := Effective(tx, *t)
	if err != nil {
		return rc, f, err
	}
	switch {
	case rc.Sim != t.Row.Sim || (rc.Sim && r.cfg.RefuseSim):
		f.reason, f.detail = wire.QuarReceiptSim, "simulated hardware proves nothing here"
	case rc.Failure() != "":
		f.reason, f.detail = wire.QuarReceiptFailed, rc.Failure()
	case rc.Level == wire.LevelFull && !rc.FullClaim():
		f.reason, f.detail = wire.QuarReceiptLevel, "it says full isolation, and not by which properties"
	case p.Isolation.RequireFull && rc.Level != wire.LevelFull:
		f.reason, f.detail = wire.QuarReceiptLevel, fmt.Sprintf("the rules require full isolation; missing: %v", missing(rc))
	}
	return rc, f, nil
}

// examinePlace checks the chain. A challenge opens a new segment, whose first
// receipt names the head that it breaks with.
func (r *Rules) examinePlace(tx store.Tx, t *terminal, env wire.Envelope, rc wire.Receipt) (finding, error) {
	head := t.Row.Chain
	if other, err := store.First(store.Find[store.ReceiptRow](tx, "place", store.ReceiptPlace(env.Kid, rc.Segment, rc.Index))); err == nil {
		return finding{reason: wire.QuarClone, detail: fmt.Sprintf("two receipts are number %d of segment %d: %s is the other", rc.Index, rc.Segment, other.ID)}, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return finding{}, err
	}
	first := head.Index == 0 && len(head.Digest) == 0
	var ok bool
	switch {
	case rc.Kind == wire.ReceiptChallenge:
		ok = rc.Index == 1 && (first || rc.Segment > head.Segment)
	case first:
		ok = rc.Index == 1 && len(rc.Prev) == 0
	default:
		ok = rc.Segment == head.Segment && rc.Index == head.Index+1 && bytes.Equal(rc.Prev, head.Digest)
	}
	if !ok {
		return finding{reason: wire.QuarReceiptChain, detail: fmt.Sprintf("receipt %d of segment %d does not follow from receipt %d of segment %d", rc.Index, rc.Segment, head.Index, head.Segment)}, nil
	}
	return finding{}, nil
}

// examineFreshness checks that the receipt answers its permit or challenge.
func (r *Rules) examineFreshness(tx store.Tx, t *terminal, rc wire.Receipt) (finding, error) {
	switch rc.Kind {
	case wire.ReceiptSession:
		return answersPermit(tx, t, rc)
	case wire.ReceiptChallenge:
		return answersChallenge(tx, t, rc)
	default:
		return finding{reason: wire.QuarReceiptForged, detail: fmt.Sprintf("it is of the kind %q", rc.Kind)}, nil
	}
}

func answersPermit(tx store.Tx, t *terminal, rc wire.Receipt) (finding, error) {
	stale := func(why string) (finding, error) { return finding{reason: wire.QuarReceiptStale, detail: why}, nil }
	p, err := store.Get[store.PermitRow](tx, rc.Permit)
	if errors.Is(err, store.ErrNotFound) {
		return stale("its permit was never granted")
	}
	if err != nil {
		return finding{}, err
	}
	switch {
	case p.Row.Terminal != t.ID:
		return stale("its permit is another terminal's")
	case p.Row.State == store.PermitProven:
		return finding{reason: wire.QuarClone, detail: "permit " + p.ID + " has two receipts"}, nil
	case p.Row.State != store.PermitConsumed || p.Row.Session != rc.Session:
		return stale("session " + rc.Session + " did not consume permit " + p.ID)
	case len(p.Row.Nonce) > 0 && subtle.ConstantTimeCompare(p.Row.Nonce, rc.Nonce) != 1:
		return stale("its nonce is not its permit's")
	}
	return finding{}, nil
}

func answersChallenge(tx store.Tx, t *terminal, rc wire.Receipt) (finding, error) {
	c, err := store.Get[store.CommandRow](tx, rc.Permit)
	if errors.Is(err, store.ErrNotFound) {
		// A restored controller cannot know what it asked after the backup was
		// made. Such an answer accuses nobody, and lifts nothing either: a
		// quarantine that the backup holds needs a new challenge.
		gen, err := Generation(tx)
		if err != nil || gen > 1 {
			return finding{lost: true, detail: "its challenge is not known: the controller was restored since"}, err
		}
	} else if err != nil {
		return finding{}, err
	}
	if rc.Permit != t.Row.Challenge || c.Row.Terminal != t.ID || c.Row.Kind != wire.CmdLift ||
		subtle.ConstantTimeCompare(c.Row.Nonce, rc.Nonce) != 1 {
		return finding{reason: wire.QuarReceiptStale, detail: "it answers no challenge that waits"}, nil
	}
	return finding{}, nil
}

package pcsc

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"borne/hw"
)

// prover asks one question, and says what it is told to say.
type prover struct {
	proof hw.Proof
	lent  []byte // the UID it was shown
	asked atomic.Int64
}

func (p *prover) Prove(ctx context.Context, card hw.Link, uid []byte) (hw.Proof, error) {
	p.asked.Add(1)
	p.lent = uid
	a, err := card.Transmit(ctx, []byte{0x00, 0xA4, 0x04, 0x00})
	if err != nil {
		return hw.Proof{}, err
	}
	if !bytes.Equal(a, []byte{0x91, 0xAF}) {
		return hw.Proof{}, errors.New("an answer that was not sent")
	}
	return p.proof, nil
}

// provingCard shows a random UID and answers to a selection.
func provingCard(apdu []byte) []byte {
	if bytes.Equal(apdu, getUID()) {
		return []byte{0x08, 0xC0, 0xFF, 0xEE, 0x90, 0x00}
	}
	return []byte{0x91, 0xAF}
}

func TestProofIsInTheBadge(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	real := []byte{4, 1, 2, 3, 4, 5, 6}
	for name, c := range map[string]struct {
		proof hw.Proof
		want  hw.Badge
	}{
		"mutual":  {hw.Proof{Assurance: hw.AssuranceMutual, UID: bytes.Clone(real), Counter: 9}, hw.Badge{Key: badgeKey(t)(real), Bytes: 7, Assurance: hw.AssuranceMutual, Counter: 9}},
		"suspect": {hw.Proof{Assurance: hw.AssuranceMutual, Suspect: true}, hw.Badge{Key: badgeKey(t)([]byte{8, 0xC0, 0xFF, 0xEE}), Bytes: 4, Random: true, Assurance: hw.AssuranceUID, Suspect: true}},
	} {
		p := &prover{proof: c.proof}
		r, _ := d.open(func(o *Options) { o.Prove = p })
		k := d.insert(provingCard)
		if b := next(t, r); b != c.want {
			t.Errorf("%s: badge %+v, want %+v", name, b, c.want)
		}
		if !bytes.Equal(p.lent, make([]byte, 4)) || bytes.ContainsFunc(p.proof.UID, func(r rune) bool { return r != 0 }) {
			t.Errorf("%s: a UID lives on", name)
		}
		d.remove(k)
		r.Close()
	}
}

// A reader that fails where a memory card should refuse: its UID is what it proves.
func TestCardThatDoesNotAnswerProvesItsUID(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	p := &prover{}
	r, _ := d.open(func(o *Options) { o.Prove = p })
	d.insert(func(apdu []byte) []byte {
		if bytes.Equal(apdu, getUID()) {
			return []byte{1, 2, 3, 4, 0x90, 0}
		}
		return bytes.Repeat([]byte{0}, 1000)
	})
	if b := next(t, r); b.Assurance != hw.AssuranceUID || b.Key != badgeKey(t)([]byte{1, 2, 3, 4}) {
		t.Fatalf("badge %+v", b)
	}
	if n := p.asked.Load(); n != maxTries {
		t.Fatalf("asked %d times, want %d", n, maxTries)
	}
}

// cancels is a prover whose caller stops waiting while the card is selected.
type cancels struct {
	cancel context.CancelFunc
	err    error
}

func (p cancels) Prove(context.Context, hw.Link, []byte) (hw.Proof, error) {
	p.cancel()
	return hw.Proof{Assurance: hw.AssuranceDynamic}, p.err
}

// A context that ends between two messages does not leave the card locked: another
// program can have it, though nobody asks the reader any more.
func TestContextEndsBetweenMessages(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]error{"the card was read": nil, "it was not": errors.New("no")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, _ := d.open(func(o *Options) { o.Prove = cancels{cancel, why} })
			d.insert(provingCard)
			if tap, err := r.Next(ctx); (why == nil) != (err == nil) || err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("tap %+v, error %v", tap, err)
			}
			other, err := dial(t.Context(), d.socket, func() {})
			if err != nil {
				t.Fatal(err)
			}
			defer other.close()
			d.eventually("another program has the card", func() error {
				_, err := other.connect(t.Context(), r.reader)
				return err
			})
		})
	}
}

package certificate

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// month is one terminal's month while it is read.
type month struct {
	tx       store.Tx
	t        store.Item[store.Terminal]
	label    string
	from, to time.Time
	zone     *time.Location
	gone     time.Time // up to when retention has deleted receipts

	sums
	chain     ChainResult
	heads     []Head
	refused   []Refused
	findings  []Finding
	simulated bool
	bySession map[string][]proof
}

// proof is one stored receipt, opened anew.
type proof struct {
	store.Item[store.ReceiptRow]
	receipt wire.Receipt
	bad     Code // "" when a key of this terminal signed it, and it was kept as it came
}

// clean tells whether it proves a complete wipe. That the controller accepted it
// once is needed as well: it had seen more than is kept.
func (p proof) clean() bool {
	return p.bad == "" && p.Row.Verdict == store.VerdictAccepted && p.Row.Chained && p.complete()
}

// complete tells whether what it states amounts to a proof.
func (p proof) complete() bool {
	return p.receipt.Failure() == "" && (p.receipt.Level != wire.LevelFull || p.receipt.FullClaim())
}

func (m *month) find(code Code, receipt string) {
	m.findings = append(m.findings, Finding{Terminal: m.label, Code: code, Receipt: receipt})
}

// open verifies one stored receipt against the keys that this terminal had.
func (m *month) open(it store.Item[store.ReceiptRow]) proof {
	p := proof{Item: it}
	var keys []ed25519.PublicKey
	for _, k := range append([][]byte{m.t.Row.ReceiptKey}, m.t.Row.PastKeys...) {
		keys = append(keys, ed25519.PublicKey(k))
	}
	var err error
	p.receipt, err = wire.Open[wire.Receipt](it.Row.Envelope, wire.DomainReceipt, keys...)
	switch {
	case err != nil || p.receipt.Terminal != m.t.ID:
		p.bad = FoundSignature
	case hex.EncodeToString(it.Row.Envelope.Digest()) != it.Row.Digest:
		p.bad = FoundDigest
	}
	return p
}

// overhang is how long after the month a session that began in it may be wiped.
const overhang = 48 * time.Hour

func (m *month) read() error {
	m.chain, m.heads, m.bySession = ChainNone, []Head{}, map[string][]proof{}
	var links []proof
	end := store.TimeID(m.to, "")
	for it, err := range store.FindRange[store.ReceiptRow](m.tx, "terminal", m.t.ID, store.TimeID(m.from, ""), store.TimeID(m.to.Add(overhang), ""), false) {
		if err != nil {
			return err
		}
		p := m.open(it)
		if p.bad == "" && p.receipt.Session != "" {
			m.bySession[p.receipt.Session] = append(m.bySession[p.receipt.Session], p)
		}
		if it.ID >= end {
			continue
		}
		m.judge(p)
		if it.Row.Chained && p.bad == "" {
			links = append(links, p)
		}
	}
	if err := m.follow(links); err != nil {
		return err
	}
	for it, err := range store.FindRange[store.SessionRow](m.tx, "terminal", m.t.ID, store.TimeID(m.from, ""), end, false) {
		if err != nil {
			return err
		}
		if err := m.session(it); err != nil {
			return err
		}
	}
	return nil
}

// judge takes one receipt of the month for itself.
func (m *month) judge(p proof) {
	m.simulated = m.simulated || (p.bad == "" && p.receipt.Sim)
	switch {
	case p.Row.Verdict != store.VerdictAccepted:
		m.refused = append(m.refused, Refused{Terminal: m.label, On: p.Row.At.In(m.zone).Format(time.DateOnly), Reason: p.Row.Reason})
	case p.bad != "":
		m.find(p.bad, p.ID)
	case !p.clean():
		m.find(FoundVerdict, p.ID)
	}
	if p.bad == "" && p.receipt.Kind == wire.ReceiptChallenge {
		if p.clean() {
			m.challenges++
		} else {
			m.challengesUnproven++
		}
	}
}

// session counts one session by what its receipt proves.
func (m *month) session(s store.Item[store.SessionRow]) error {
	m.sessions++
	proofs := m.bySession[s.Row.Session]
	if len(proofs) == 0 && s.Row.Receipt != "" { // filed far from its session: the clock was not sure
		it, err := store.Get[store.ReceiptRow](m.tx, s.Row.Receipt)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if p := m.open(it); err == nil && p.bad == "" && p.receipt.Session == s.Row.Session {
			proofs = append(proofs, p)
		}
	}
	proven := false
	for _, p := range proofs {
		if !p.clean() || p.receipt.Kind != wire.ReceiptSession {
			continue
		}
		answers, err := m.answers(p)
		if err != nil {
			return err
		}
		if !answers {
			m.find(FoundNonce, p.ID)
			continue
		}
		proven = true
		if p.receipt.Level == wire.LevelFull {
			m.full++
		} else {
			m.reduced++
		}
		break
	}
	rough := false
	switch s.Row.Reason {
	case wire.EndRestart:
		m.power++
		rough = true
	case wire.EndCrash, wire.EndWarden:
		m.crash++
		rough = true
	}
	switch {
	case proven:
		m.clean++
	case len(proofs) > 0:
		m.failed++
	case m.t.Row.Owes == s.Row.Session && m.t.Row.State == store.StateActive:
		m.awaited++
	default:
		m.missing++
	}
	if rough && !proven {
		m.rough++
	}
	return nil
}

// answers tells whether a receipt repeats the nonce of its permit, as the
// controller signed it. A permit that a restored backup did not hold has none.
func (m *month) answers(p proof) (bool, error) {
	row, err := store.Get[store.PermitRow](m.tx, p.receipt.Permit)
	if errors.Is(err, store.ErrNotFound) {
		return !m.gone.IsZero(), nil // retention deletes permits with receipts
	}
	if err != nil {
		return false, err
	}
	if row.Row.Terminal != m.t.ID || row.Row.Session != p.receipt.Session {
		return false, nil
	}
	if len(row.Row.Envelope.Payload) == 0 {
		return true, nil
	}
	var permit wire.Permit
	if err := json.Unmarshal(row.Row.Envelope.Payload, &permit); err != nil {
		return false, nil
	}
	return permit.ID == p.receipt.Permit && bytes.Equal(permit.Nonce, p.receipt.Nonce), nil
}

// follow goes along the chains of the month's receipts, from the receipt before
// the first one to the one after the last.
func (m *month) follow(links []proof) error {
	slices.SortFunc(links, func(a, b proof) int {
		return cmp.Or(cmp.Compare(a.Row.Envelope.Kid, b.Row.Envelope.Kid), cmp.Compare(a.receipt.Segment, b.receipt.Segment), cmp.Compare(a.receipt.Index, b.receipt.Index))
	})
	found, open := len(m.findings), false
	for i, p := range links {
		last, known, err := m.before(links[:i], p)
		if err != nil {
			return err
		}
		if known {
			m.link(last, p)
		} else {
			open = true
		}
		if i+1 == len(links) || !links[i+1].sameChain(p) {
			m.heads = append(m.heads, Head{Key: p.Row.Envelope.Kid, Digest: hex.EncodeToString(p.Row.Envelope.Digest())})
			if err := m.onward(p); err != nil {
				return err
			}
		}
	}
	if err := m.present(); err != nil {
		return err
	}
	switch {
	case len(m.findings) > found:
		m.chain = ChainBroken
	case open:
		m.chain = ChainOpen
	case len(links) > 0:
		m.chain = ChainHolds
	}
	return nil
}

// before returns the receipt that p follows from, none for the first of a chain
// or where it is gone. known is false when retention may have deleted it.
func (m *month) before(links []proof, p proof) (last proof, known bool, err error) {
	if n := len(links); n > 0 && links[n-1].sameChain(p) {
		return links[n-1], true, nil
	}
	if p.receipt.Index <= 1 {
		return last, true, nil
	}
	it, err := m.at(p, -1)
	if errors.Is(err, store.ErrNotFound) {
		return last, m.gone.IsZero(), nil
	}
	if err != nil {
		return last, false, err
	}
	return m.open(it), true, nil
}

func (p proof) sameChain(o proof) bool {
	return p.Row.Envelope.Kid == o.Row.Envelope.Kid && p.receipt.Segment == o.receipt.Segment
}

// at returns the receipt that is some places away in the same chain.
func (m *month) at(p proof, away int) (store.Item[store.ReceiptRow], error) {
	return store.First(store.Find[store.ReceiptRow](m.tx, "place", store.ReceiptPlace(p.Row.Envelope.Kid, p.receipt.Segment, uint64(int(p.receipt.Index)+away))))
}

// link checks one step. The first of a chain follows from nothing: a challenge
// that opens a segment names the head that it breaks with, which may be lost.
func (m *month) link(last, p proof) {
	switch {
	case p.receipt.Index == 1 && last.ID == "":
	case last.ID == "" || last.receipt.Index+1 != p.receipt.Index:
		m.find(FoundGap, p.ID)
	case last.bad != "" || !bytes.Equal(p.receipt.Prev, last.Row.Envelope.Digest()):
		m.find(FoundLink, p.ID)
	}
}

// onward checks that the receipt after the month's last follows from it.
func (m *month) onward(p proof) error {
	it, err := m.at(p, 1)
	if errors.Is(err, store.ErrNotFound) {
		return nil // see present
	}
	if err != nil {
		return err
	}
	m.link(p, m.open(it))
	return nil
}

// present checks that the receipt which the terminal proved last is there: who
// takes the newest away leaves no gap.
func (m *month) present() error {
	head := m.t.Row.Chain
	if head.Index == 0 {
		return nil
	}
	kid := wire.KeyID(ed25519.PublicKey(m.t.Row.ReceiptKey))
	it, err := store.First(store.Find[store.ReceiptRow](m.tx, "place", store.ReceiptPlace(kid, head.Segment, head.Index)))
	switch {
	case errors.Is(err, store.ErrNotFound):
		if m.gone.IsZero() {
			m.find(FoundHead, "")
		}
		return nil
	case err != nil:
		return err
	}
	if p := m.open(it); p.bad != "" || !bytes.Equal(it.Row.Envelope.Digest(), head.Digest) {
		m.find(FoundHead, it.ID)
	}
	return nil
}
